// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared memory of a superlocked process, and what it maps of files: nobody moves it, makes huge
 * pages of it or takes it away, whoever else maps it; and all of it is given back.
 *
 * A page that is held has no PG_lru, as if somebody had isolated it, and has it again when
 * the last lock of it goes: /proc/kpageflags shows both.  In each test that moves something
 * there is a process beside it that is not locked, to which it happens.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "served.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define MPOL_MF_MOVE_ALL	4

#define LEN		HUGE
#define PAGES		512		/* with pages of 4 KiB */
#define SMALL		(64 * KIB)

#define KPF_LRU			5
#define KPF_COMPOUND_TAIL	16
#define KPF_UNEVICTABLE		18
#define KPF_THP			22

#define THP(name)	"/sys/kernel/mm/transparent_hugepage/" name
#define CGROUP		"/sys/fs/cgroup/memlockd_hold"

/* Where a huge page could be mapped: shared memory of a kind, or -errno. */
typedef long (*map_fn)(long len, int *fd);

static long map_fd(long len, int fd)
{
	long addr = do_map_huge(len, PROT_NONE, MAP_PRIVATE);

	if (addr == -EINVAL)		/* this kernel makes none */
		addr = do_map(len, PROT_NONE, MAP_PRIVATE);
	if (fd < 0 || addr < 0)
		return fd < 0 ? -errno : addr;
	if (ftruncate(fd, len) ||
	    mmap((void *)addr, len, RW, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	return addr;
}

static long map_memfd(long len, int *fd)
{
	*fd = memfd_create("memlockd", MFD_CLOEXEC);
	return map_fd(len, *fd);
}

static long map_tmpfs(long len, int *fd)
{
	*fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return map_fd(len, *fd);
}

static long map_anonymous(long len, int *fd)
{
	long addr = do_map_huge(len, PROT_NONE, MAP_PRIVATE);

	*fd = -1;
	if (addr == -EINVAL)
		return do_map(len, RW, MAP_SHARED);
	if (addr > 0 && mmap((void *)addr, len, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
			     -1, 0) == MAP_FAILED)
		return -errno;
	return addr;
}

static long map_sysv(long len, int *fd)
{
	long addr = do_map_huge(len, PROT_NONE, MAP_PRIVATE);
	int id = shmget(IPC_PRIVATE, len, 0600);
	void *p;

	*fd = -1;
	if (id < 0)
		return -errno;
	p = shmat(id, addr > 0 ? (void *)addr : NULL, addr > 0 ? SHM_REMAP : 0);
	shmctl(id, IPC_RMID, NULL);
	return p == (void *)-1 ? -errno : (long)p;
}

/* In the target: another piece of it. */
static long do_map_kind(long map, long len, long c)
{
	int fd;

	return ((map_fn)map)(len, &fd);
}

/* The page frames of [addr, addr + len); 0 for what is not there. */
static void frames_of(pid_t pid, unsigned long addr, unsigned long len, uint64_t *frames)
{
	unsigned long i, nr = len / PAGE;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, frames, nr * 8, addr / PAGE * 8) != (ssize_t)(nr * 8))
		memset(frames, 0, nr * 8);
	close(fd);
	for (i = 0; i < nr; i++)
		frames[i] = frames[i] >> 63 ? frames[i] & ((1ULL << 55) - 1) : 0;
}

/* How many of these page frames have that flag. */
static unsigned long flagged(const uint64_t *frames, unsigned long nr, int bit)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	unsigned long i, sum = 0;
	uint64_t flags;

	for (i = 0; i < nr; i++)
		sum += frames[i] && pread(fd, &flags, 8, frames[i] * 8) == 8 &&
		       flags >> bit & 1;
	close(fd);
	return sum;
}

static unsigned long differing(const uint64_t *a, const uint64_t *b, unsigned long nr)
{
	unsigned long i, sum = 0;

	for (i = 0; i < nr; i++)
		sum += a[i] != b[i];
	return sum;
}

static int count_nodes(void)
{
	int nr = 1;
	char path[64];

	for (;; nr++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", nr);
		if (access(path, F_OK))
			return nr;
	}
}

/* What the machine has of such pages; exact, as all processors are asked first. */
static long count_pages(const char *name)
{
	drain_batches();
	write_number("/proc/sys/vm/stat_refresh", 1);
	return read_field("/proc/vmstat", name);
}

static const char *const isolated[] = { "nr_isolated_anon", "nr_isolated_file" };

FIXTURE(hold)
{
	struct counters start;
	struct target target;
	struct target other;		/* maps the same */
	struct target control;		/* maps its own */
	unsigned long addr;		/* in all of them */
	long control_addr;
	long shmem;
	long isolated[2];
	uint64_t frames[PAGES];
	bool cgroup;
	char shmem_enabled[16];
	char *stop;			/* in all of them */
	int file;
	int fd;
};

FIXTURE_VARIANT(hold)
{
	map_fn map;
};

FIXTURE_VARIANT_ADD(hold, shared_anonymous) { map_anonymous };
FIXTURE_VARIANT_ADD(hold, memfd) { map_memfd };
FIXTURE_VARIANT_ADD(hold, tmpfs) { map_tmpfs };
FIXTURE_VARIANT_ADD(hold, system_v) { map_sysv };

static bool set_shmem_enabled(const char *value)
{
	FILE *file = fopen(THP("shmem_enabled"), "we");
	bool ok = file && fputs(value, file) >= 0;

	if (file)
		ok = !fclose(file) && ok;
	return ok;
}

static void get_shmem_enabled(char *value, size_t size)
{
	FILE *file = fopen(THP("shmem_enabled"), "re");
	char line[128] = "", *start;

	if (!file)
		return;
	if (fgets(line, sizeof(line), file)) {
		start = strchr(line, '[');
		if (start)
			snprintf(value, size, "%.*s", (int)strcspn(start + 1, "]"), start + 1);
	}
	fclose(file);
}

FIXTURE_SETUP(hold)
{
	int i;

	get_shmem_enabled(self->shmem_enabled, sizeof(self->shmem_enabled));
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	self->shmem = count_pages("nr_shmem");
	for (i = 0; i < 2; i++)
		self->isolated[i] = count_pages(isolated[i]);
	self->addr = variant->map(LEN, &self->file);
	ASSERT_LT(0, (long)self->addr) TH_LOG("%s", strerror(-(long)self->addr));
	self->stop = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->stop);
	target_start(&self->target);
	target_start(&self->other);
	target_start(&self->control);
	self->control_addr = target_call(&self->control, do_map_kind, (long)variant->map, LEN, 0);
	ASSERT_LT(0, self->control_addr);
}

FIXTURE_TEARDOWN(hold)
{
	int i;

	target_stop(&self->target);
	target_stop(&self->other);
	target_stop(&self->control);
	if (self->shmem_enabled[0])
		set_shmem_enabled(self->shmem_enabled);
	munmap((void *)self->addr, LEN);
	munmap(self->stop, PAGE);
	if (self->file >= 0)
		close(self->file);
	if (self->cgroup)
		rmdir(CGROUP);
	EXPECT_TRUE(counters_back(&self->start));
	EXPECT_EQ(self->shmem, count_pages("nr_shmem"));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(self->isolated[i], count_pages(isolated[i]));
}

/* All is there, written by the targets themselves, in pages that are noted. */
static void fill(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self)
{
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	ASSERT_EQ(0, target_call(&self->control, do_write, self->control_addr, LEN, PAGE));
}

static struct memlockd_mapping row_of(int fd, pid_t pid, unsigned long addr)
{
	struct memlockd_mapping *rows, *at, row = {};
	long nr = mappings_pid(fd, pid, 256, &rows);

	at = row_at(rows, nr, addr);
	if (at)
		row = *at;
	free(rows);
	row_print(&row);
	return row;
}

/* @len of it is all there, held, and said to be. */
static void check_held(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self, pid_t pid,
		       unsigned long len)
{
	struct memlockd_mapping row = row_of(self->fd, pid, self->addr);

	EXPECT_EQ(S, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_NONE, row.reason);
	EXPECT_EQ(len, row.pinned);
	EXPECT_EQ(len, row.resident);
	frames_of(pid, self->addr, LEN, self->frames);
	EXPECT_EQ(0, flagged(self->frames, len / PAGE, KPF_LRU));
	/*
	 * And in no list that reclaim walks, but for what waited in a batch for too long.  Of a
	 * huge page only the first page has that flag.
	 */
	if (!flagged(self->frames, len / PAGE, KPF_COMPOUND_TAIL))
		EXPECT_LT(len / PAGE / 2,
			  flagged(self->frames, len / PAGE, KPF_UNEVICTABLE));
}

/* The frames that were held are where reclaim finds them. */
static void check_given_back(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self)
{
	drain_batches();
	EXPECT_EQ(PAGES, flagged(self->frames, PAGES, KPF_LRU));
}

static void lock_filled(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self)
{
	fill(_metadata, self);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	check_held(_metadata, self, self->target.pid, LEN);
}

/* What the target and the control fault when each touches all it has. */
static void touch(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self, const char *after,
		  long *control)
{
	ASSERT_EQ(0, target_call(&self->control, do_write, self->control_addr, LEN, PAGE));
	*control = self->control.minflt + self->control.majflt;
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	TH_LOG("%s: %ld faults without a lock, %ld of the superlocked process", after, *control,
	       self->target.minflt + self->target.majflt);
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
}

static unsigned long moved(FIXTURE_DATA(hold) *self)
{
	uint64_t now[PAGES];

	frames_of(self->target.pid, self->addr, LEN, now);
	return differing(self->frames, now, PAGES);
}

/* Asks for all pages of a process to be moved, away from @node. */
typedef void (*move_fn)(pid_t pid, unsigned long addr, int node);

static void migrate_all(pid_t pid, unsigned long addr, int node)
{
	unsigned long from = 1UL << node, to = 1UL << !node;

	syscall(SYS_migrate_pages, pid, 64, &from, &to);
}

/* Returns how many pages are moved. */
static long move_to(pid_t pid, unsigned long addr, int node)
{
	static int nodes[PAGES], status[PAGES];
	static void *pages[PAGES];
	long i, sum = 0;

	for (i = 0; i < PAGES; i++) {
		pages[i] = (void *)(addr + i * PAGE);
		nodes[i] = node;
		status[i] = -1;
	}
	syscall(SYS_move_pages, pid, PAGES, pages, nodes, status, MPOL_MF_MOVE_ALL);
	for (i = 0; i < PAGES; i++)
		sum += status[i] == node;
	return sum;
}

static void move_all(pid_t pid, unsigned long addr, int node)
{
	move_to(pid, addr, !node);
}

/* In the target: all of it, over and over, until they are told to stop. */
static long do_write_until(long addr, long len, long stop)
{
	do
		do_write(addr, len, PAGE);
	while (!__atomic_load_n((char *)stop, __ATOMIC_SEQ_CST));
	return 0;
}

static void check_not_moved(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self,
			    move_fn move)
{
	uint64_t before[PAGES], after[PAGES];
	unsigned long control = 0;
	long ret;
	int i;

	lock_filled(_metadata, self);
	*self->stop = 0;
	target_post(&self->target, do_write_until, self->addr, LEN, (long)self->stop);
	target_post(&self->control, do_write_until, self->control_addr, LEN, (long)self->stop);
	for (i = 0; i < 8; i++) {
		frames_of(self->control.pid, self->control_addr, LEN, before);
		move(self->control.pid, self->control_addr, i % 2);
		move(self->target.pid, self->addr, i % 2);
		frames_of(self->control.pid, self->control_addr, LEN, after);
		control += differing(before, after, PAGES);
	}
	__atomic_store_n(self->stop, 1, __ATOMIC_SEQ_CST);
	ASSERT_TRUE(target_result(&self->target, &ret));
	ASSERT_TRUE(target_result(&self->control, &ret));
	TH_LOG("without a lock %lu pages were moved, and %ld faults taken; superlocked %lu and %ld",
	       control, self->control.minflt + self->control.majflt, moved(self),
	       self->target.minflt + self->target.majflt);
	EXPECT_LE(PAGES, control);
	EXPECT_EQ(0, moved(self));
	/* Of private memory only the pins are known, once it has been unmapped. */
	if (move != migrate_all)
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
}

TEST_F(hold, nobody_migrates_it)
{
	if (count_nodes() < 2)
		SKIP(return, "this machine has one node");
	check_not_moved(_metadata, self, migrate_all);
}

TEST_F(hold, nobody_moves_its_pages)
{
	if (count_nodes() < 2)
		SKIP(return, "this machine has one node");
	check_not_moved(_metadata, self, move_all);
}

/* As it would be moved without our lock, and is again after the unlock. */
TEST_F(hold, what_is_unlocked_is_moved)
{
	if (count_nodes() < 2)
		SKIP(return, "this machine has one node");
	lock_filled(_metadata, self);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
	EXPECT_EQ(PAGES, move_to(self->target.pid, self->addr, 0));
	EXPECT_EQ(PAGES, move_to(self->target.pid, self->addr, 1));
	EXPECT_LT(0, moved(self));
}

TEST_F(hold, nobody_makes_a_huge_page_of_it)
{
	long err, faults;

	if (access(THP("shmem_enabled"), F_OK))
		SKIP(return, "this kernel has no transparent huge pages");
	lock_filled(_metadata, self);
	err = target_call(&self->control, do_advise, self->control_addr, LEN, MADV_COLLAPSE);
	if (err == -EINVAL)
		SKIP(return, "this kernel collapses no shared memory when asked");
	EXPECT_EQ(0, err);
	frames_of(self->control.pid, self->control_addr, LEN, self->frames);
	EXPECT_EQ(PAGES, flagged(self->frames, PAGES, KPF_THP));
	frames_of(self->target.pid, self->addr, LEN, self->frames);
	/* By another process that maps it, as who has it locked may. */
	ASSERT_EQ(0, target_call(&self->other, do_write, self->addr, LEN, PAGE));
	err = target_call(&self->other, do_advise, self->addr, LEN, MADV_COLLAPSE);
	EXPECT_NE(0, err);
	TH_LOG("MADV_COLLAPSE: %s", strerror(-err));
	touch(_metadata, self, "MADV_COLLAPSE", &faults);
	EXPECT_EQ(0, moved(self));
	EXPECT_EQ(0, flagged(self->frames, PAGES, KPF_THP));
	/* And when it is unlocked. */
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
	EXPECT_EQ(0, target_call(&self->other, do_advise, self->addr, LEN, MADV_COLLAPSE));
}

/* Lets it go through all processes until the control is a huge page, and twice more. */
static bool run_khugepaged(FIXTURE_DATA(hold) *self)
{
	long pages = read_number(THP("khugepaged/pages_to_scan"));
	long sleep = read_number(THP("khugepaged/scan_sleep_millisecs"));
	long scans = read_number(THP("khugepaged/full_scans"));
	uint64_t frames[PAGES];
	bool huge = false;
	int i;

	write_number(THP("khugepaged/pages_to_scan"), 65536);
	write_number(THP("khugepaged/scan_sleep_millisecs"), 1);
	for (i = 0; i < 500; i++) {
		target_call(&self->control, do_write, self->control_addr, LEN, PAGE);
		frames_of(self->control.pid, self->control_addr, LEN, frames);
		if (!huge && flagged(frames, PAGES, KPF_THP) == PAGES) {
			huge = true;
			scans = read_number(THP("khugepaged/full_scans"));
		}
		/* And all others. */
		if (huge && read_number(THP("khugepaged/full_scans")) >= scans + 2)
			break;
		usleep(10000);
	}
	write_number(THP("khugepaged/pages_to_scan"), pages);
	write_number(THP("khugepaged/scan_sleep_millisecs"), sleep);
	return huge;
}

TEST_F(hold, khugepaged_leaves_it)
{
	if (access(THP("shmem_enabled"), F_OK))
		SKIP(return, "this kernel has no transparent huge pages");
	if (variant->map == map_tmpfs)
		SKIP(return, "a mount has an option of its own for that");
	/* Filled in small pages first. */
	lock_filled(_metadata, self);
	ASSERT_TRUE(set_shmem_enabled("always"));
	ASSERT_EQ(0, target_call(&self->target, do_advise, self->addr, LEN, MADV_HUGEPAGE));
	ASSERT_EQ(0, target_call(&self->control, do_advise, self->control_addr, LEN,
				 MADV_HUGEPAGE));
	if (!run_khugepaged(self))
		SKIP(return, "khugepaged makes no huge pages of such memory here");
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	EXPECT_EQ(0, moved(self));
	EXPECT_EQ(0, flagged(self->frames, PAGES, KPF_THP));
}

/* It is on no list that anybody looks at, whoever asks. */
TEST_F(hold, nobody_swaps_it_out)
{
	long faults;

	lock_filled(_metadata, self);
	ASSERT_EQ(0, target_call(&self->control, do_advise, self->control_addr, LEN,
				 MADV_PAGEOUT));
	/* A process that maps it, too, and has not locked it. */
	ASSERT_EQ(0, target_call(&self->other, do_read, self->addr, LEN, PAGE));
	ASSERT_EQ(0, target_call(&self->other, do_advise, self->addr, LEN, MADV_PAGEOUT));
	touch(_metadata, self, "MADV_PAGEOUT", &faults);
	EXPECT_LT(0, faults);
	EXPECT_EQ(0, moved(self));
}

/* One that has just been written to waits in a batch of another processor. */
static long do_write_on(long addr, long len, long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return -errno;
	return do_write(addr, len, PAGE);
}

TEST_F(hold, pages_fresh_from_another_processor_are_held)
{
	struct memlockd_mapping row;
	int i, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	if (cpus < 2)
		SKIP(return, "this machine has one processor");
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	for (i = 0; i < 8; i++) {
		unsigned long addr = self->addr + i * SMALL;

		ASSERT_EQ(0, target_call(&self->target, do_write_on, addr, 5 * PAGE, 1));
		ASSERT_EQ(0, lock_range(self->fd, self->target.pid, S, self->addr, LEN, NULL));
		frames_of(self->target.pid, addr, 5 * PAGE, self->frames);
		EXPECT_EQ(0, flagged(self->frames, 5, KPF_LRU));
		row = row_of(self->fd, self->target.pid, self->addr);
		EXPECT_EQ(LEN, row.pinned);
		ASSERT_EQ(0, unlock_range(self->fd, self->target.pid, self->addr, LEN));
		ASSERT_EQ(0, madvise((void *)self->addr, LEN, MADV_REMOVE));
	}
}

TEST_F(hold, the_last_of_two_locks_gives_it_back)
{
	lock_filled(_metadata, self);
	ASSERT_EQ(0, target_call(&self->other, do_write, self->addr, LEN, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, self->other.pid, S, CURRENT_FUTURE, NULL));
	check_held(_metadata, self, self->other.pid, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_held(_metadata, self, self->other.pid, LEN);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	target_stop(&self->target);
	check_held(_metadata, self, self->other.pid, LEN);
	/* A lock that is lowered holds nothing either. */
	ASSERT_EQ(0, lock_pid(self->fd, self->other.pid, L, CURRENT_FUTURE, NULL));
	check_given_back(_metadata, self);
}

/* A process that has locked it itself, and one that has it held. */
TEST_F(hold, beside_a_process_that_calls_mlock)
{
	int i;

	fill(_metadata, self);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, target_call(&self->other, do_mlock, self->addr, LEN, 0));
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
		check_held(_metadata, self, self->target.pid, LEN);
		if (i)
			ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
		ASSERT_EQ(0, target_call(&self->other, do_munlock, self->addr, LEN, 0));
		if (!i)
			ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
		check_given_back(_metadata, self);
		EXPECT_EQ(0, stuck_pages(self->target.pid, self->addr, self->addr + LEN));
	}
	/* And while it is held only. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, target_call(&self->other, do_mlock, self->addr, LEN, 0));
	ASSERT_EQ(0, target_call(&self->other, do_munlock, self->addr, LEN, 0));
	check_held(_metadata, self, self->target.pid, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
	EXPECT_EQ(0, stuck_pages(self->target.pid, self->addr, self->addr + LEN));
}

TEST_F(hold, end_of_the_process_gives_it_back)
{
	lock_filled(_metadata, self);
	target_stop(&self->target);
	check_given_back(_metadata, self);
}

TEST_F(hold, exec_gives_it_back)
{
	lock_filled(_metadata, self);
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	check_given_back(_metadata, self);
}

TEST_F(hold, unmapping_a_part_gives_that_back)
{
	lock_filled(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr + SMALL, LEN / 2, 0));
	drain_batches();
	EXPECT_EQ(PAGES / 2, flagged(self->frames, PAGES, KPF_LRU));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
}

TEST_F(hold, fork_changes_nothing)
{
	long pid;

	lock_filled(_metadata, self);
	pid = target_call(&self->target, do_fork, 0, 0, 0);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	check_held(_metadata, self, self->target.pid, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_reap, pid, 0, 0));
}

TEST_F(hold, what_is_mapped_later_is_held)
{
	unsigned long len = SMALL;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	addr = target_call(&self->target, do_map_kind, (long)variant->map, len, 0);
	ASSERT_LT(0, addr);
	frames_of(self->target.pid, addr, len, self->frames);
	EXPECT_EQ(0, flagged(self->frames, len / PAGE, KPF_LRU));
	EXPECT_EQ(len, row_of(self->fd, self->target.pid, addr).pinned);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
}

/* Whoever punches a hole gets the memory back at once, however many have it held. */
TEST_F(hold, hole_is_given_back_at_once)
{
	unsigned long half = LEN / 2;
	struct memlockd_sync sync = {
		.size = sizeof(sync), .target_type = MEMLOCKD_TARGET_PID,
		.target = self->target.pid,
	};
	long before;

	lock_filled(_metadata, self);
	ASSERT_EQ(0, target_call(&self->other, do_write, self->addr, LEN, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, self->other.pid, S, CURRENT_FUTURE, NULL));
	before = count_pages("nr_shmem");
	ASSERT_EQ(0, madvise((void *)self->addr, half, MADV_REMOVE));
	EXPECT_EQ(before - (long)(half / PAGE), count_pages("nr_shmem"));
	EXPECT_EQ(half, row_of(self->fd, self->target.pid, self->addr).pinned);
	EXPECT_EQ(half, row_of(self->fd, self->other.pid, self->addr).pinned);
	/* And is filled again by who asks for it. */
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	check_held(_metadata, self, self->target.pid, LEN);
	ASSERT_EQ(0, unlock_all(self->fd, self->target.pid));
	ASSERT_EQ(0, unlock_all(self->fd, self->other.pid));
	check_given_back(_metadata, self);
}

TEST_F(hold, truncated_file_is_given_back_at_once)
{
	unsigned long half = LEN / 2;
	struct memlockd_mapping row;
	struct memlockd_sync sync = {
		.size = sizeof(sync), .target_type = MEMLOCKD_TARGET_PID,
		.target = self->target.pid,
	};
	long before;

	if (self->file < 0)
		SKIP(return, "it has no file that could be truncated");
	lock_filled(_metadata, self);
	before = count_pages("nr_shmem");
	ASSERT_EQ(0, ftruncate(self->file, half));
	EXPECT_EQ(before - (long)(half / PAGE), count_pages("nr_shmem"));
	row = row_of(self->fd, self->target.pid, self->addr);
	EXPECT_EQ(half, row.pinned);
	EXPECT_EQ(MEMLOCKD_REASON_END_OF_FILE, row.reason);
	ASSERT_EQ(0, ftruncate(self->file, LEN));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	check_held(_metadata, self, self->target.pid, LEN);
	ASSERT_EQ(0, ftruncate(self->file, 0));
	ASSERT_EQ(0, ftruncate(self->file, LEN));
	EXPECT_EQ(0, row_of(self->fd, self->target.pid, self->addr).pinned);
}

TEST_F(hold, huge_page_is_held)
{
	struct memlockd_mapping row;
	long shmem;

	if (!set_shmem_enabled("advise"))
		SKIP(return, "this kernel has no transparent huge pages");
	ASSERT_EQ(0, target_call(&self->target, do_advise, self->addr, LEN, MADV_HUGEPAGE));
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	frames_of(self->target.pid, self->addr, LEN, self->frames);
	if (flagged(self->frames, PAGES, KPF_THP) != PAGES)
		SKIP(return, "there was no huge page to be had");
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	check_held(_metadata, self, self->target.pid, LEN);
	if (count_nodes() > 1) {
		move_to(self->target.pid, self->addr, 0);
		move_to(self->target.pid, self->addr, 1);
	}
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	EXPECT_EQ(0, moved(self));
	/* A second lock that has it in small pages. */
	ASSERT_EQ(0, target_call(&self->other, do_unmap, self->addr, SMALL, 0));
	ASSERT_EQ(0, target_call(&self->other, do_write, self->addr + SMALL, LEN - SMALL, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, self->other.pid, S, CURRENT_FUTURE, NULL));
	row = row_of(self->fd, self->other.pid, self->addr + SMALL);
	EXPECT_EQ(LEN - SMALL, row.pinned);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	EXPECT_EQ(0, flagged(self->frames, PAGES, KPF_LRU));
	/* A hole in the middle of it, which reads as zeros, and is not freed. */
	shmem = count_pages("nr_shmem");
	ASSERT_EQ(0, madvise((void *)(self->addr + LEN / 2), SMALL, MADV_REMOVE));
	EXPECT_EQ(shmem, count_pages("nr_shmem"));
	EXPECT_EQ(0, *(char *)(self->addr + LEN / 2));
	row_of(self->fd, self->other.pid, self->addr + SMALL);
	ASSERT_EQ(0, unlock_pid(self->fd, self->other.pid));
	drain_batches();
	/* The flag of a huge page is that of its first page. */
	EXPECT_LE(1, flagged(self->frames, PAGES, KPF_LRU));
}

static void join_cgroup(pid_t pid)
{
	write_number(CGROUP "/cgroup.procs", pid);
}

/* The pages belong to a memory cgroup that is removed meanwhile. */
TEST_F(hold, memory_cgroup_is_removed_meanwhile)
{
	const char *why = memory_cgroup(CGROUP);

	if (why)
		SKIP(return, "%s", why);
	self->cgroup = true;
	join_cgroup(self->control.pid);
	ASSERT_EQ(0, target_call(&self->control, do_write, self->addr, LEN, PAGE));
	target_stop(&self->control);
	ASSERT_EQ(0, target_call(&self->target, do_read, self->addr, LEN, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	check_held(_metadata, self, self->target.pid, LEN);
	ASSERT_EQ(0, rmdir(CGROUP));
	self->cgroup = false;
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	check_held(_metadata, self, self->target.pid, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_given_back(_metadata, self);
	/* They can be reclaimed from there. */
	ASSERT_EQ(0, target_call(&self->target, do_advise, self->addr, LEN, MADV_PAGEOUT));
	TH_LOG("%lu bytes of it are still there",
	       present_bytes(self->target.pid, self->addr, self->addr + LEN));
}

/* What is mapped of files: program text, as a rule, in the page cache for all to share. */
FIXTURE(text)
{
	struct counters start;
	struct target target;
	struct target other;		/* maps the same */
	struct target control;		/* maps another file */
	unsigned long addr;		/* in the first two */
	long control_addr;
	uint64_t frames[PAGES];
	int file;
	int fd;
};

FIXTURE_VARIANT(text)
{
	int flags;
};

FIXTURE_VARIANT_ADD(text, private_file) { MAP_PRIVATE };
FIXTURE_VARIANT_ADD(text, shared_file) { MAP_SHARED };

/* In the target: another file of its own, all of it read. */
static long do_map_disk_file(long len, long flags, long c)
{
	int fd = disk_file(len);
	void *addr = mmap(NULL, len, PROT_READ, flags, fd, 0);

	close(fd);
	if (addr == MAP_FAILED)
		return -errno;
	do_read((long)addr, len, PAGE);
	return (long)addr;
}

FIXTURE_SETUP(text)
{
	self->file = disk_file(LEN);
	if (self->file < 0)
		SKIP(return, "no file on a disk: %s", strerror(errno));
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	self->addr = (unsigned long)mmap(NULL, LEN, PROT_READ, variant->flags, self->file, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->addr);
	target_start(&self->target);
	target_start(&self->other);
	target_start(&self->control);
	ASSERT_EQ(0, target_call(&self->target, do_read, self->addr, LEN, PAGE));
	self->control_addr = target_call(&self->control, do_map_disk_file, LEN, variant->flags, 0);
	ASSERT_LT(0, self->control_addr);
}

FIXTURE_TEARDOWN(text)
{
	if (self->file < 0)
		return;
	target_stop(&self->target);
	target_stop(&self->other);
	target_stop(&self->control);
	munmap((void *)self->addr, LEN);
	close(self->file);
	EXPECT_TRUE(counters_back(&self->start));
}

/* It is there, of the file, and held, where reclaim does not meet it. */
static void check_text(struct __test_metadata *_metadata, FIXTURE_DATA(text) *self, pid_t pid)
{
	struct memlockd_mapping row = row_of(self->fd, pid, self->addr);

	EXPECT_EQ(S, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_NONE, row.reason);
	EXPECT_EQ(LEN, row.pinned);
	EXPECT_EQ(LEN, row.resident);
	EXPECT_EQ(LEN, file_bytes(pid, self->addr, self->addr + LEN));
	frames_of(pid, self->addr, LEN, self->frames);
	EXPECT_EQ(0, flagged(self->frames, PAGES, KPF_LRU));
	EXPECT_EQ(PAGES, flagged(self->frames, PAGES, KPF_UNEVICTABLE));
}

static void lock_text(struct __test_metadata *_metadata, FIXTURE_DATA(text) *self)
{
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	check_text(_metadata, self, self->target.pid);
}

static void check_text_back(struct __test_metadata *_metadata, FIXTURE_DATA(text) *self)
{
	drain_batches();
	EXPECT_EQ(PAGES, flagged(self->frames, PAGES, KPF_LRU));
	EXPECT_EQ(0, flagged(self->frames, PAGES, KPF_UNEVICTABLE));
}

TEST_F(text, nobody_moves_it)
{
	static const move_fn moves[] = { migrate_all, move_all };
	uint64_t before[PAGES], after[PAGES];
	unsigned long control = 0, own;
	unsigned int i;

	if (count_nodes() < 2)
		SKIP(return, "this machine has one node");
	lock_text(_metadata, self);
	for (i = 0; i < 8; i++) {
		frames_of(self->control.pid, self->control_addr, LEN, before);
		moves[i / 4](self->control.pid, self->control_addr, i % 2);
		moves[i / 4](self->target.pid, self->addr, i % 2);
		frames_of(self->control.pid, self->control_addr, LEN, after);
		control += differing(before, after, PAGES);
		ASSERT_EQ(0, target_call(&self->target, do_read, self->addr, LEN, PAGE));
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
		ASSERT_EQ(0, target_call(&self->control, do_read, self->control_addr, LEN, PAGE));
	}
	frames_of(self->target.pid, self->addr, LEN, after);
	own = differing(self->frames, after, PAGES);
	TH_LOG("without a lock %lu pages were moved, superlocked %lu", control, own);
	EXPECT_LE(PAGES, control);
	EXPECT_EQ(0, own);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_text_back(_metadata, self);
}

TEST_F(text, the_last_of_two_locks_gives_it_back)
{
	lock_text(_metadata, self);
	ASSERT_EQ(0, lock_pid(self->fd, self->other.pid, S, CURRENT_FUTURE, NULL));
	check_text(_metadata, self, self->other.pid);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_text(_metadata, self, self->other.pid);
	/* A lock that is lowered holds nothing either. */
	ASSERT_EQ(0, lock_pid(self->fd, self->other.pid, L, CURRENT_FUTURE, NULL));
	drain_batches();
	EXPECT_EQ(PAGES, flagged(self->frames, PAGES, KPF_LRU));
	ASSERT_EQ(0, unlock_pid(self->fd, self->other.pid));
	check_text_back(_metadata, self);
}

TEST_F(text, exec_gives_it_back)
{
	lock_text(_metadata, self);
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	check_text_back(_metadata, self);
}

static long do_get_byte(long addr, long b, long c)
{
	return *(volatile char *)addr;
}

/* With a copy it would not. */
TEST_F(text, it_has_what_others_write_to_the_file)
{
	const char letter = 'w';
	long i, seen = 0;

	lock_text(_metadata, self);
	for (i = 0; i < PAGES; i += 8)
		ASSERT_EQ(1, pwrite(self->file, &letter, 1, i * PAGE));
	for (i = 0; i < PAGES; i += 8)
		seen += target_call(&self->target, do_get_byte, self->addr + i * PAGE, 0, 0) ==
			letter;
	TH_LOG("%ld of %d writes seen", seen, PAGES / 8);
	EXPECT_EQ(PAGES / 8, seen);
	check_text(_metadata, self, self->target.pid);
}

/* A fork does not copy it, and its lock does not say so. */
TEST_F(text, fork_copies_none_of_it)
{
	struct memlockd_lock with, without;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, &with));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr, LEN, 0));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, &without));
	TH_LOG("pinned %llu and %llu, a fork copies %llu and %llu",
	       (unsigned long long)with.out_pinned, (unsigned long long)without.out_pinned,
	       (unsigned long long)with.out_fork_copy, (unsigned long long)without.out_fork_copy);
	EXPECT_EQ(LEN, with.out_pinned - without.out_pinned);
	EXPECT_EQ(with.out_fork_copy, without.out_fork_copy);
}

/* A server may take its pages away: they are copied, or named where others see them written. */
TEST(pages_of_a_server_are_copied_or_named)
{
	struct server *server = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct memlockd_mapping row;
	struct counters start;
	struct target target;
	long private, shared;
	pid_t pid;
	int fd;

	ASSERT_NE(MAP_FAILED, server);
	server->seed = 1;
	server->prompt = true;
	pid = server_start(server);
	if (pid < 0)
		SKIP(return, "this kernel has no FUSE");
	fd = device_open();
	ASSERT_LE(0, fd);
	counters_start(&start);
	target_start(&target);
	private = target_call(&target, do_map_served, 0, PROT_READ, MAP_PRIVATE);
	shared = target_call(&target, do_map_served, 0, PROT_READ, MAP_SHARED);
	ASSERT_LT(0, private);
	ASSERT_LT(0, shared);
	ASSERT_EQ(0, lock_pid(fd, target.pid, S, CURRENT_FUTURE, NULL));
	row = row_of(fd, target.pid, private);
	EXPECT_EQ(S, row.state);
	EXPECT_EQ(0, file_bytes(target.pid, row.start, row.end));
	row = row_of(fd, target.pid, shared);
	EXPECT_EQ(L, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_SHARED, row.reason);
	target_stop(&target);
	EXPECT_TRUE(counters_back(&start));
	server_stop(pid);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
