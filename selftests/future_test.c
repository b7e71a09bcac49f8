// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a locked process maps later: it is as locked and as pinned as the rest by
 * the time the system call returns, or the call fails as a whole.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)
#define NR_MAPS	8000
#define LARGE	(160 * MIB)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

FIXTURE(future)
{
	struct counters start;
	struct target target;
	/* Before the call in question. */
	unsigned long vmlck, vmpin;
	int fd;
};

FIXTURE_VARIANT(future)
{
	int state;
};

FIXTURE_VARIANT_ADD(future, locked) {
	.state = L,
};

FIXTURE_VARIANT_ADD(future, superlocked) {
	.state = S,
};

FIXTURE_SETUP(future)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(future)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static void note(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self)
{
	self->vmlck = status_bytes(self->target.pid, "VmLck");
	self->vmpin = status_bytes(self->target.pid, "VmPin");
}

static void lock_it(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self, int state)
{
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, state, CURRENT_FUTURE, NULL));
	note(_metadata, self);
}

/* VmLck and VmPin have changed by this much, and the rows say the same. */
static void check_growth(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self,
			 int state, long locked, long pinned)
{
	pid_t pid = self->target.pid;
	unsigned long vmlck = status_bytes(pid, "VmLck"), vmpin = status_bytes(pid, "VmPin");
	struct memlockd_mapping *rows;
	long nr;

	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	TH_LOG("VmLck %+ld kB, VmPin %+ld kB", (long)(vmlck - self->vmlck) / 1024,
	       (long)(vmpin - self->vmpin) / 1024);
	EXPECT_EQ(self->vmlck + locked, vmlck);
	EXPECT_EQ(vmas_locked(pid), vmlck);
	EXPECT_EQ(self->vmpin + pinned, vmpin);
	EXPECT_EQ(rows_pinned(rows, nr), vmpin);
	EXPECT_EQ(0, rows_wrong(rows, nr, state));
	free(rows);
}

static void check_row(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self,
		      unsigned long addr, unsigned long len, int state, int reason, bool pinned)
{
	struct memlockd_mapping *rows, *row;
	long nr;

	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_LE(addr + len, row->end);
	EXPECT_STREQ(state_name(state), state_name(row->state));
	EXPECT_STREQ(reason_name(reason), reason_name(row->reason));
	EXPECT_EQ(row->end - row->start, row->resident);
	EXPECT_EQ(pinned ? row->end - row->start : 0, row->pinned);
	free(rows);
}

/* What is pinned has been copied for the child at once, and is the parent's to write. */
static void check_fork(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self,
		       unsigned long addr, unsigned long len, target_fn touch)
{
	long child = target_call(&self->target, do_fork, 0, 0, 0);

	ASSERT_LT(0, child);
	ASSERT_EQ(0, target_call(&self->target, touch, addr, len, PAGE));
	TH_LOG("after a fork: %ld minor, %ld major faults in %lu pages", self->target.minflt,
	       self->target.majflt, len / PAGE);
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, target_call(&self->target, do_reap, child, 0, 0));
}

/* New private writable memory at @addr; it goes again, and so does all that was counted. */
static void check_private(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self, int state,
			  unsigned long addr, unsigned long len, long growth)
{
	check_growth(_metadata, self, state, growth, growth);
	check_row(_metadata, self, addr, len, state, MEMLOCKD_REASON_NONE, true);
	check_fork(_metadata, self, addr, len, do_write);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, len, 0));
	check_growth(_metadata, self, state, growth - (long)len, growth - (long)len);
}

TEST_F(future, mmap_is_pinned_when_it_returns)
{
	long addr;

	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	check_private(_metadata, self, variant->state, addr, LEN, LEN);
}

static long do_map_over(long addr, long len, long c)
{
	void *at = mmap((void *)addr, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return at == MAP_FAILED ? -errno : (long)at;
}

TEST_F(future, mmap_over_a_pinned_mapping_takes_its_place)
{
	long addr;

	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(addr, target_call(&self->target, do_map_over, addr, LEN, 0));
	check_private(_metadata, self, variant->state, addr, LEN, 0);
}

static long do_map_file(long len, long prot, long flags)
{
	int fd = disk_file(len);
	void *addr;

	if (fd < 0)
		return -errno;
	addr = mmap(NULL, len, prot, flags, fd, 0);
	close(fd);
	return addr == MAP_FAILED ? -errno : (long)addr;
}

TEST_F(future, private_file_is_pinned_when_mmap_returns)
{
	long addr;

	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_map_file, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	check_private(_metadata, self, variant->state, addr, LEN, LEN);
}

TEST_F(future, read_only_file_is_held_when_superlocked)
{
	bool pinned = variant->state == S;
	long addr;

	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_map_file, LEN, PROT_READ, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	check_growth(_metadata, self, variant->state, LEN, pinned ? LEN : 0);
	check_row(_metadata, self, addr, LEN, variant->state, MEMLOCKD_REASON_NONE, pinned);
	EXPECT_EQ(LEN, file_bytes(self->target.pid, addr, addr + LEN));
	check_fork(_metadata, self, addr, LEN, do_read);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
	check_growth(_metadata, self, variant->state, 0, 0);
}

static long do_shmat(long len, long b, long c)
{
	int id = shmget(IPC_PRIVATE, len, 0600);
	void *addr = shmat(id, NULL, 0);
	long ret = addr == (void *)-1 ? -errno : (long)addr;

	shmctl(id, IPC_RMID, NULL);
	return ret;
}

TEST_F(future, shared_memory_is_pinned_by_a_superlock)
{
	bool pinned = variant->state == S;
	long addr[2];
	int i;

	lock_it(_metadata, self, variant->state);
	addr[0] = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	addr[1] = target_call(&self->target, do_shmat, LEN, 0, 0);
	check_growth(_metadata, self, variant->state, 2 * LEN, pinned ? 2 * LEN : 0);
	for (i = 0; i < 2; i++) {
		ASSERT_LT(0, addr[i]);
		check_row(_metadata, self, addr[i], LEN, variant->state, MEMLOCKD_REASON_NONE,
			  pinned);
		ASSERT_EQ(0, target_call(&self->target, do_write, addr[i], LEN, PAGE));
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	}
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr[0], LEN, 0));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr[1], LEN, 0));
	check_growth(_metadata, self, variant->state, 0, 0);
}

static long do_map_growsdown(long len, long b, long c)
{
	/* Keep its guard gap free. */
	long addr = do_map(2 * len + 4 * MIB, PROT_NONE, MAP_PRIVATE);

	if (addr < 0 || munmap((void *)addr, 2 * len + 4 * MIB))
		return -errno;
	addr += 2 * MIB + len;
	if (mmap((void *)addr, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1,
		 0) == MAP_FAILED)
		return -errno;
	return addr;
}

TEST_F(future, growing_stack_is_pinned_page_by_page)
{
	unsigned long vmlck, vmpin;
	long addr;

	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_map_growsdown, LEN, 0, 0);
	ASSERT_LT(0, addr);
	check_growth(_metadata, self, variant->state, LEN, LEN);
	/* Down it goes: a fault for each page, which is then there to stay. */
	ASSERT_EQ(0, target_call(&self->target, do_write, addr - PAGE, PAGE, PAGE));
	ASSERT_EQ(0, target_call(&self->target, do_write, addr - 2 * PAGE, PAGE, PAGE));
	ASSERT_EQ(0, target_call(&self->target, do_write, addr - 3 * PAGE, PAGE, PAGE));
	vmlck = status_bytes(self->target.pid, "VmLck");
	vmpin = status_bytes(self->target.pid, "VmPin");
	TH_LOG("three pages down: VmLck %+ld, VmPin %+ld", (long)(vmlck - self->vmlck - LEN),
	       (long)(vmpin - self->vmpin - LEN));
	check_private(_metadata, self, variant->state, addr - 3 * PAGE, LEN + 3 * PAGE,
		      LEN + 3 * PAGE);
}

static long do_brk(long len, long b, long c)
{
	void *addr = sbrk(len);

	return addr == (void *)-1 ? -errno : (long)addr;
}

TEST_F(future, heap_is_pinned_when_brk_returns)
{
	long addr;

	/* To where the page ends, first. */
	addr = target_call(&self->target, do_brk, 0, 0, 0);
	ASSERT_LT(0, target_call(&self->target, do_brk, -addr & (PAGE - 1), 0, 0));
	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_brk, LEN, 0, 0);
	ASSERT_LT(0, addr);
	check_growth(_metadata, self, variant->state, LEN, LEN);
	check_row(_metadata, self, addr, LEN, variant->state, MEMLOCKD_REASON_NONE, true);
	check_fork(_metadata, self, addr, LEN, do_write);
	/* A part of the mapping is pinned now. */
	ASSERT_EQ(addr + LEN, target_call(&self->target, do_brk, LEN, 0, 0));
	check_growth(_metadata, self, variant->state, 2 * LEN, 2 * LEN);
	check_row(_metadata, self, addr, 2 * LEN, variant->state, MEMLOCKD_REASON_NONE, true);
	ASSERT_EQ(addr + 2 * LEN, target_call(&self->target, do_brk, -2 * LEN, 0, 0));
	check_growth(_metadata, self, variant->state, 0, 0);
}

/* With nothing in the way, or with something. */
static long do_map_with_room(long len, long room, long c)
{
	long addr = do_map(len + room + PAGE, PROT_NONE, MAP_PRIVATE);

	if (addr < 0 || munmap((void *)(addr + len), room ?: PAGE))
		return -errno;
	if (!room && mmap((void *)(addr + len), PAGE, PROT_NONE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	return mprotect((void *)addr, len, RW) ? -errno : addr;
}

TEST_F(future, what_mremap_adds_in_place_is_pinned)
{
	long addr;

	addr = target_call(&self->target, do_map_with_room, LEN, LEN, 0);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(addr, target_call(&self->target, do_resize, addr, LEN, 2 * LEN));
	check_private(_metadata, self, variant->state, addr, 2 * LEN, LEN);
}

TEST_F(future, what_mremap_moves_stays_pinned)
{
	long addr, moved;

	addr = target_call(&self->target, do_map_with_room, LEN, 0, 0);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant->state);
	moved = target_call(&self->target, do_resize, addr, LEN, 2 * LEN);
	ASSERT_LT(0, moved);
	ASSERT_NE(addr, moved);
	check_private(_metadata, self, variant->state, moved, 2 * LEN, LEN);
}

TEST_F(future, what_mremap_shrinks_is_unpinned)
{
	long addr;

	addr = target_call(&self->target, do_map, 2 * LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(addr, target_call(&self->target, do_resize, addr, 2 * LEN, LEN));
	check_private(_metadata, self, variant->state, addr, LEN, -(long)LEN);
}

static long do_remap_and_keep(long addr, long len, long c)
{
	void *at = mremap((void *)addr, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	return at == MAP_FAILED ? -errno : (long)at;
}

TEST_F(future, mremap_dontunmap_moves_the_pins)
{
	struct memlockd_mapping *rows, *row;
	long addr, moved, nr;

	/* Of a kind that nothing merges with. */
	addr = target_call(&self->target, do_map, LEN, RW | PROT_EXEC, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant->state);
	moved = target_call(&self->target, do_remap_and_keep, addr, LEN, 0);
	if (moved < 0)
		SKIP(return, "MREMAP_DONTUNMAP: %s", strerror(-moved));
	check_growth(_metadata, self, variant->state, 0, 0);
	check_row(_metadata, self, moved, LEN, variant->state, MEMLOCKD_REASON_NONE, true);
	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row->state);
	EXPECT_EQ(MEMLOCKD_REASON_DROPPED, row->reason);
	EXPECT_EQ(0, row->pinned);
	free(rows);
	check_fork(_metadata, self, moved, LEN, do_write);
}

/* The protections that a mapping has one after the other, and what of it is pinned then. */
static void check_protect(struct __test_metadata *_metadata, FIXTURE_DATA(future) *self, int state,
			  const int prots[], unsigned int nr, long before)
{
	unsigned int i;
	long addr;

	addr = target_call(&self->target, do_map, LEN, prots[0], MAP_PRIVATE);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, state);
	for (i = 1; i < nr; i++)
		ASSERT_EQ(0, target_call(&self->target, do_protect, addr, LEN, prots[i]));
	check_growth(_metadata, self, state, 0, LEN - before);
	check_row(_metadata, self, addr, LEN, state, MEMLOCKD_REASON_NONE, true);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, LEN, PAGE));
	TH_LOG("written: %ld faults", self->target.minflt + self->target.majflt);
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	check_fork(_metadata, self, addr, LEN, do_write);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
	check_growth(_metadata, self, state, -(long)LEN, -before);
}

TEST_F(future, guard_made_writable_is_pinned)
{
	const int prots[] = { PROT_NONE, RW };

	check_protect(_metadata, self, variant->state, prots, ARRAY_SIZE(prots), 0);
}

TEST_F(future, read_only_memory_made_writable_is_pinned)
{
	const int prots[] = { PROT_READ, RW };

	/* SUPERLOCKED has pinned it before. */
	check_protect(_metadata, self, variant->state, prots, ARRAY_SIZE(prots),
		      variant->state == S ? LEN : 0);
}

TEST_F(future, writable_memory_may_be_read_only_for_a_while)
{
	const int prots[] = { RW, PROT_READ, RW, PROT_NONE, RW };

	check_protect(_metadata, self, variant->state, prots, ARRAY_SIZE(prots), LEN);
}

static long do_pkey_protect(long addr, long len, long prot)
{
	return syscall(SYS_pkey_mprotect, addr, len, prot, -1) ? -errno : 0;
}

TEST_F(future, pkey_mprotect_is_no_different)
{
	long addr;

	addr = target_call(&self->target, do_map, LEN, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	if (target_call(&self->target, do_pkey_protect, addr, LEN, PROT_NONE) == -ENOSYS)
		SKIP(return, "this kernel has no pkey_mprotect(2)");
	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(0, target_call(&self->target, do_pkey_protect, addr, LEN, RW));
	check_growth(_metadata, self, variant->state, 0, LEN);
	check_row(_metadata, self, addr, LEN, variant->state, MEMLOCKD_REASON_NONE, true);
	check_fork(_metadata, self, addr, LEN, do_write);
}

#ifdef __x86_64__
/* The call of a 32-bit program, which any process can make. */
static long do_protect_32(long addr, long len, long prot)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (125), "b" ((int)addr), "c" ((int)len),
		     "d" ((int)prot) : "memory");
	return ret;
}

TEST_F(future, mprotect_of_a_32_bit_program_is_no_different)
{
	struct target other = {};
	long addr, ret;

	addr = target_call(&self->target, do_map, LEN, PROT_NONE, MAP_PRIVATE | MAP_32BIT);
	ASSERT_LT(0, addr);
	/* A kernel that runs none sends a signal. */
	target_start(&other);
	target_post(&other, do_protect_32, 0, 0, 0);
	if (!target_result(&other, &ret) || ret == -ENOSYS)
		SKIP(target_stop(&other); return, "this kernel runs no 32-bit programs");
	target_stop(&other);
	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(0, target_call(&self->target, do_protect_32, addr, LEN, RW));
	check_growth(_metadata, self, variant->state, 0, LEN);
	check_row(_metadata, self, addr, LEN, variant->state, MEMLOCKD_REASON_NONE, true);
	check_fork(_metadata, self, addr, LEN, do_write);
}
#endif

#define THREAD_STACK	(512 * KIB)

static long thread_faults;

/* Its own faults: those that the kernel takes for us within mmap(2) count as ours, too. */
static void *use_stack(void *arg)
{
	struct rusage before, after;
	char room[THREAD_STACK / 2];

	getrusage(RUSAGE_THREAD, &before);
	do_write((long)room, sizeof(room), PAGE);
	getrusage(RUSAGE_THREAD, &after);
	thread_faults = after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt;
	*(volatile long *)arg = (long)room;
	for (;;)
		pause();
	return NULL;
}

static long do_thread(long a, long b, long c)
{
	static volatile long where;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	if (pthread_create(&thread, &attr, use_stack, (void *)&where))
		return -EAGAIN;
	while (!where)
		sched_yield();
	return where;
}

static long do_thread_faults(long a, long b, long c)
{
	return thread_faults;
}

TEST_F(future, stack_of_a_new_thread_is_pinned)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows;
	long addr, nr, faults;

	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_thread, 0, 0, 0);
	ASSERT_LT(0, addr);
	faults = target_call(&self->target, do_thread_faults, 0, 0, 0);
	TH_LOG("%lu kB down its stack: %ld faults", THREAD_STACK / 2 / KIB, faults);
	EXPECT_EQ(0, faults);
	check_row(_metadata, self, addr, PAGE, variant->state, MEMLOCKD_REASON_NONE, true);
	nr = mappings_pid(self->fd, pid, 256, &rows);
	EXPECT_EQ(rows_pinned(rows, nr), status_bytes(pid, "VmPin"));
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, rows_wrong(rows, nr, variant->state));
	free(rows);
}

TEST_F(future, main_stack_is_pinned_as_it_grows)
{
	pid_t pid = self->target.pid;
	struct vma before, after;
	long grown;

	ASSERT_TRUE(vma_find(pid, "[stack]", "rw", &before));
	/* lock_pid() asks for no reserve. */
	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(0, target_call(&self->target, do_descend, 400 * KIB, 0, 0));
	ASSERT_TRUE(vma_find(pid, "[stack]", "rw", &after));
	grown = before.start - after.start;
	TH_LOG("grown by %ld kB with %ld faults", grown / 1024, self->target.minflt);
	EXPECT_LT(0, grown);
	check_growth(_metadata, self, variant->state, grown, grown);
	check_row(_metadata, self, after.start, grown, variant->state, MEMLOCKD_REASON_NONE, true);
	ASSERT_EQ(0, target_call(&self->target, do_descend, 390 * KIB, 0, 0));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
}

TEST_F(future, call_over_the_limit_changes_nothing)
{
	pid_t pid = self->target.pid;
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct vma *before, *after;
	long addr, nr, nr_after;

	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	addr = target_call(&self->target, do_map_with_room, LEN, 4 * LEN, 0);
	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant->state);
	limit.rlim_cur = self->vmlck + LEN;
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	nr = vmas_read(pid, &before);

	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, LEN + PAGE, RW, MAP_PRIVATE));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, LEN + PAGE, RW, MAP_SHARED));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map_file, LEN + PAGE, PROT_READ,
				       MAP_PRIVATE));
	EXPECT_EQ(-ENOMEM, target_call(&self->target, do_brk, 2 * LEN, 0, 0));
	EXPECT_GT(0, target_call(&self->target, do_resize, addr, LEN, 3 * LEN));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_shmat, LEN + PAGE, 0, 0));

	check_growth(_metadata, self, variant->state, 0, 0);
	nr_after = vmas_read(pid, &after);
	ASSERT_EQ(nr, nr_after);
	EXPECT_EQ(0, memcmp(before, after, nr * sizeof(*before)));
	free(before);
	free(after);

	/* To the page, it may. */
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	check_private(_metadata, self, variant->state, addr, LEN, LEN);
}

static long do_map_many(long nr, long len, long c)
{
	long first = 0, addr;

	while (nr--) {
		addr = do_map(len, RW, MAP_PRIVATE);
		if (addr < 0)
			return addr;
		if (!first || addr < first)
			first = addr;
	}
	return first;
}

TEST_F(future, thousands_of_merging_mappings_are_counted_exactly)
{
	unsigned long len = 4 * PAGE;
	long addr;

	lock_it(_metadata, self, variant->state);
	addr = target_call(&self->target, do_map_many, NR_MAPS, len, 0);
	ASSERT_LT(0, addr);
	TH_LOG("%d mappings of %lu kB", NR_MAPS, len / KIB);
	check_growth(_metadata, self, variant->state, NR_MAPS * len, NR_MAPS * len);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, NR_MAPS * len, 0));
	check_growth(_metadata, self, variant->state, 0, 0);
}

TEST_F(future, unlock_ends_it)
{
	long addr;

	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	note(_metadata, self);
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	check_growth(_metadata, self, MEMLOCKD_STATE_UNLOCKED, 0, 0);
	EXPECT_EQ(0, present_bytes(self->target.pid, addr, addr + LEN));
}

TEST_F(future, movable_memory_stays_unpinned)
{
	long addr;

	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, LIKE_MLOCKALL, NULL));
	note(_metadata, self);
	EXPECT_EQ(0, self->vmpin);
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	check_growth(_metadata, self, L, LEN, 0);
	check_row(_metadata, self, addr, LEN, L, MEMLOCKD_REASON_NONE, false);
}

/* Threads that map and unmap all the time, while others lock and unlock. */
static void *map_loop(void *arg)
{
	long i, addr;

	for (i = 0; i < (long)arg; i++) {
		addr = do_map(4 * PAGE, RW, MAP_PRIVATE);
		do_protect(addr, 2 * PAGE, PROT_READ);
		do_resize(addr, 2 * PAGE, 4 * PAGE);
		do_unmap(addr, 4 * PAGE, 0);
	}
	return NULL;
}

static long do_map_in_threads(long rounds, long b, long c)
{
	pthread_t threads[3];
	int i;

	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, map_loop, (void *)rounds);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

TEST_F(future, threads_that_map_meanwhile_leave_nothing)
{
	pid_t pid = self->target.pid;
	int rounds;
	long ret;

	target_post(&self->target, do_map_in_threads, 300, 0, 0);
	for (rounds = 0; rounds < 10; rounds++) {
		EXPECT_EQ(0, lock_pid(self->fd, pid, variant->state, CURRENT_FUTURE, NULL));
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
	}
	EXPECT_EQ(0, lock_pid(self->fd, pid, variant->state, CURRENT_FUTURE, NULL));
	ASSERT_TRUE(target_result(&self->target, &ret));
	note(_metadata, self);
	check_growth(_metadata, self, variant->state, 0, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

#define CROWD		400

static pthread_barrier_t gate;
static long waiting;

static void *remap_once(void *arg)
{
	long addr = do_map(4 * PAGE, RW, MAP_PRIVATE);

	__atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&gate);
	return (void *)(addr < 0 ? addr : do_resize(addr, 4 * PAGE, 8 * PAGE));
}

/*
 * All of them are in mremap(2) while a fork has the address space, as it copies @len
 * bytes of pinned memory.
 */
static long do_remap_in_crowd(long len, long b, long c)
{
	pthread_t threads[CROWD];
	long addr, failed = 0, least = sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attr;
	void *ret;
	pid_t pid;
	int i;

	addr = do_map(len, RW, MAP_PRIVATE);
	if (addr < 0 || pthread_barrier_init(&gate, NULL, CROWD + 1))
		return -ENOMEM;
	pthread_attr_init(&attr);
	/* All of it is pinned, so it is small; how small it may be depends on the processor. */
	if (pthread_attr_setstacksize(&attr, least > 32 * KIB ? least : 32 * KIB))
		return -EINVAL;
	for (i = 0; i < CROWD; i++) {
		if (pthread_create(&threads[i], &attr, remap_once, NULL))
			return -EAGAIN;
	}
	while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < CROWD)
		sched_yield();
	pthread_barrier_wait(&gate);
	pid = fork_child();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	for (i = 0; i < CROWD; i++) {
		pthread_join(threads[i], &ret);
		failed += (long)ret < 0;
	}
	return failed;
}

/* Private memory that is not pinned, though it should be; and how much of that is told. */
static unsigned long unpinned(int fd, pid_t pid, unsigned long *told)
{
	struct memlockd_mapping *rows;
	long i, nr = mappings_pid(fd, pid, 256, &rows);
	unsigned long sum = 0;

	*told = 0;
	for (i = 0; i < nr; i++) {
		unsigned long missing = rows[i].end - rows[i].start - rows[i].pinned;

		if (rows[i].kind != MEMLOCKD_KIND_ANON || !(rows[i].prot & PROT_WRITE))
			continue;
		sum += missing;
		if (rows[i].reason != MEMLOCKD_REASON_NONE)
			*told += missing;
	}
	free(rows);
	return sum;
}

/*
 * More threads than there are calls to be run for: what is left over is for a worker.
 * Where that comes before they have remapped anything, it is told, and SYNC pins it.
 */
TEST_F(future, crowd_of_threads_that_remap_is_pinned_or_told)
{
	pid_t pid = self->target.pid;
	struct memlockd_sync sync = { .size = sizeof(sync), .target = pid };
	unsigned long left, told;

	lock_it(_metadata, self, variant->state);
	ASSERT_EQ(0, target_call(&self->target, do_remap_in_crowd, 32 * MIB, 0, 0));
	left = unpinned(self->fd, pid, &told);
	TH_LOG("%lu bytes not pinned, %lu of them told", left, told);
	/* The worker may be at it still. */
	EXPECT_TRUE(left == told || unpinned(self->fd, pid, &told) < left);
	EXPECT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	EXPECT_EQ(0, unpinned(self->fd, pid, &told));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
