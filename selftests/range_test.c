// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of parts of an address space: what they hold, what they count, and that
 * they and the lock of the whole leave each other alone.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)

FIXTURE(range)
{
	struct counters start;
	struct target target;
	unsigned long addr;
	unsigned long vmlck, vmpin;
	int fd;
};

FIXTURE_VARIANT(range)
{
	int state;
};

FIXTURE_VARIANT_ADD(range, locked) {
	.state = L,
};

FIXTURE_VARIANT_ADD(range, superlocked) {
	.state = S,
};

FIXTURE_SETUP(range)
{
	long addr;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	/* Alone between guards. */
	addr = target_call(&self->target, do_map_small, 3 * LEN, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	self->addr = addr + LEN;
	ASSERT_EQ(0, target_call(&self->target, do_protect, self->addr, LEN, RW));
	self->vmlck = status_bytes(self->target.pid, "VmLck");
	self->vmpin = status_bytes(self->target.pid, "VmPin");
}

FIXTURE_TEARDOWN(range)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* What LOCK_RANGE has said last. */
static struct memlockd_range last;

/* So much more is locked, pinned, and noted as ranges than at the beginning. */
static void check(struct __test_metadata *_metadata, FIXTURE_DATA(range) *self,
		  unsigned long locked, unsigned long pinned, unsigned long ranges)
{
	pid_t pid = self->target.pid;
	struct memlockd_status status;

	ASSERT_EQ(0, status_pid(self->fd, pid, &status));
	TH_LOG("VmLck +%lu kB, VmPin +%lu kB, ranges %llu kB",
	       (status_bytes(pid, "VmLck") - self->vmlck) / KIB,
	       (status_bytes(pid, "VmPin") - self->vmpin) / KIB, status.out_ranges / KIB);
	EXPECT_EQ(self->vmlck + locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(self->vmlck + locked, vmas_locked(pid));
	EXPECT_EQ(self->vmpin + pinned, status_bytes(pid, "VmPin"));
	EXPECT_EQ(ranges, status.out_ranges);
}

/* A process that is told to write its own memory out has no fault there afterwards. */
static void check_no_faults(struct __test_metadata *_metadata, FIXTURE_DATA(range) *self,
			    unsigned long addr, unsigned long len)
{
	target_call(&self->target, do_advise, self->addr, LEN, MADV_PAGEOUT);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	TH_LOG("%ld minor and %ld major faults in %lu pages", self->target.minflt,
	       self->target.majflt, len / PAGE);
	EXPECT_EQ(0, self->target.minflt);
	EXPECT_EQ(0, self->target.majflt);
}

TEST_F(range, whole_mapping)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows, *row;
	long nr;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	check(_metadata, self, LEN, LEN, LEN);
	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, self->addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(variant->state, row->state);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row_at(rows, nr, rows[0].start)->state);
	free(rows);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	check_no_faults(_metadata, self, self->addr, LEN);

	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 0, 0, 0);
	EXPECT_EQ(0, stuck_pages(pid, self->addr, self->addr + LEN));
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, pid, self->addr, LEN));
}

TEST_F(range, part_of_a_mapping_is_pinned)
{
	unsigned long part = self->addr + LEN / 4;
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, part, LEN / 2, NULL));
	check(_metadata, self, 0, LEN / 2, LEN / 2);
	check_no_faults(_metadata, self, part, LEN / 2);
	/* In pieces, from the middle. */
	ASSERT_EQ(0, unlock_range(self->fd, pid, part + LEN / 8, LEN / 4));
	check(_metadata, self, 0, LEN / 4, LEN / 4);
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 0, 0, 0);
}

TEST_F(range, pages_that_it_has_a_byte_of_are_covered)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr + PAGE - 1, 2, NULL));
	check(_metadata, self, 0, 2 * PAGE, 2 * PAGE);
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr + PAGE - 1, 2));
	check(_metadata, self, 0, 0, 0);
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, 0, NULL));
	check(_metadata, self, 0, 0, 0);
}

TEST_F(range, what_the_process_has_split_itself_counts)
{
	unsigned long part = self->addr + LEN / 4;
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, target_call(&self->target, do_mlock, part, LEN / 2, 0));
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, part, LEN / 2, NULL));
	check(_metadata, self, LEN / 2, LEN / 2, LEN / 2);
	ASSERT_EQ(0, unlock_range(self->fd, pid, part, LEN / 2));
	/* Its own lock stays its own. */
	check(_metadata, self, LEN / 2, 0, 0);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, part, LEN / 2, 0));
	check(_metadata, self, 0, 0, 0);
}

static long do_lock_self(long fd, long state, long flags)
{
	return lock_pid(fd, 0, state, flags, NULL);
}

static long do_sync_self(long fd, long b, long c)
{
	struct memlockd_sync sync = { .size = sizeof(sync) };

	return device_call(fd, MEMLOCKD_IOC_SYNC, &sync);
}

static long except(long fd, long pid, long addr, long len)
{
	struct memlockd_range range = {
		.size = sizeof(range),
		.flags = MEMLOCKD_RANGE_WHOLE,
		.target = pid,
		.addr = addr,
		.len = len,
	};

	return device_call(fd, MEMLOCKD_IOC_UNLOCK_RANGE, &range);
}

/* As the preload shim's munlock(2). */
static long do_except(long fd, long addr, long len)
{
	long err = except(fd, 0, addr, len);

	return err ?: munlock((void *)addr, len) ? -errno : 0;
}

/* Its own lock gives way to its own call, and not its lock from outside. */
TEST_F(range, process_excepts_a_range_from_its_own_lock)
{
	unsigned long part, whole, pinned;
	struct target target;
	pid_t pid;
	long addr;

	target_start_with(&target, self->fd);
	pid = target.pid;
	addr = target_call(&target, do_map_small, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	part = addr + LEN / 4;
	ASSERT_EQ(0, target_call(&target, do_lock_self, self->fd, variant->state, CURRENT_FUTURE));
	whole = status_bytes(pid, "VmLck");
	pinned = status_bytes(pid, "VmPin");

	EXPECT_EQ(-EINVAL, except(self->fd, pid, part, LEN / 4));
	EXPECT_EQ(0, target_call(&target, do_except, self->fd, part, LEN / 4));
	TH_LOG("locked %lu kB, %lu kB after a quarter of %lu kB is excepted", whole / KIB,
	       status_bytes(pid, "VmLck") / KIB, LEN / KIB);
	EXPECT_EQ(whole - LEN / 4, status_bytes(pid, "VmLck"));
	EXPECT_EQ(pinned - LEN / 4, status_bytes(pid, "VmPin"));
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, stuck_pages(pid, part, part + LEN / 4));
	EXPECT_EQ(0, target_call(&target, do_advise, part, LEN / 4, MADV_DONTNEED));
	EXPECT_EQ(0, present_bytes(pid, part, part + LEN / 4));
	EXPECT_EQ(-ENOENT, target_call(&target, do_except, self->fd, part, LEN / 4));
	/* It is no news for a SYNC. */
	EXPECT_EQ(0, target_call(&target, do_sync_self, self->fd, 0, 0));
	EXPECT_EQ(whole - LEN / 4, status_bytes(pid, "VmLck"));
	/* What is mapped there later is as all that is mapped later. */
	ASSERT_EQ(0, target_call(&target, do_unmap, part, LEN / 4, 0));
	ASSERT_EQ(part, target_call(&target, do_map_at, part, LEN / 4, RW));
	EXPECT_EQ(whole, status_bytes(pid, "VmLck"));
	EXPECT_EQ(pinned, status_bytes(pid, "VmPin"));
	/* A lock of what there is covers what was excepted. */
	EXPECT_EQ(0, target_call(&target, do_except, self->fd, part, LEN / 4));
	ASSERT_EQ(0, target_call(&target, do_lock_self, self->fd, variant->state, CURRENT_FUTURE));
	EXPECT_EQ(whole, status_bytes(pid, "VmLck"));
	EXPECT_EQ(pinned, status_bytes(pid, "VmPin"));
	EXPECT_EQ(0, target_call(&target, do_except, self->fd, part, LEN / 4));
	ASSERT_EQ(0, target_call(&target, do_unlock, self->fd, 0, 0));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));

	/* From outside. */
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, CURRENT_FUTURE, NULL));
	EXPECT_EQ(-ENOENT, target_call(&target, do_except, self->fd, part, LEN / 4));
	EXPECT_EQ(0, target_call(&target, do_munlock, part, LEN / 4, 0));
	EXPECT_EQ(whole, status_bytes(pid, "VmLck"));
	EXPECT_EQ(pinned, status_bytes(pid, "VmPin"));
	target_stop(&target);
}

TEST_F(range, bad_ranges_change_nothing)
{
	pid_t pid = self->target.pid;

	EXPECT_EQ(-EINVAL, lock_range(self->fd, pid, MEMLOCKD_STATE_UNLOCKED, self->addr, LEN,
				      NULL));
	EXPECT_EQ(-EINVAL, lock_range(self->fd, pid, 3, self->addr, LEN, NULL));
	EXPECT_EQ(-EINVAL, lock_range(self->fd, pid, variant->state, ~0UL, 2, NULL));
	EXPECT_EQ(-EINVAL, lock_range(self->fd, pid, variant->state, self->addr, ~0UL, NULL));
	EXPECT_EQ(-EINVAL, lock_range(self->fd, pid, variant->state, ~0UL - PAGE, PAGE, NULL));
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 0, 0, 0);
	/* A hole behind it. */
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr + LEN, LEN, 0));
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, variant->state, self->addr, LEN + PAGE,
				      &last));
	EXPECT_EQ(MEMLOCKD_LIMIT_NONE, last.out_limit);
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, variant->state, self->addr + LEN, PAGE,
				      &last));
	check(_metadata, self, 0, 0, 0);
}

TEST_F(range, shared_memory_as_a_whole_only)
{
	pid_t pid = self->target.pid;
	bool super = variant->state == S;
	unsigned long addr;

	addr = target_call(&self->target, do_map_small, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, (long)addr);
	EXPECT_EQ(-EOPNOTSUPP, lock_range(self->fd, pid, variant->state, addr, PAGE, NULL));
	check(_metadata, self, 0, 0, 0);
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, addr, LEN, NULL));
	check(_metadata, self, LEN, super ? LEN : 0, LEN);
	ASSERT_EQ(0, unlock_range(self->fd, pid, addr, LEN));
	check(_metadata, self, 0, 0, 0);
	/* A part that the process has locked itself is a mapping of its own. */
	ASSERT_EQ(0, target_call(&self->target, do_mlock, addr + PAGE, PAGE, 0));
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr + PAGE, PAGE, NULL));
	check(_metadata, self, PAGE, super ? PAGE : 0, PAGE);
	ASSERT_EQ(0, unlock_range(self->fd, pid, addr, LEN));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, addr, LEN, 0));
	check(_metadata, self, 0, 0, 0);
}

TEST_F(range, limit_is_exact)
{
	pid_t pid = self->target.pid;
	struct rlimit limit;
	int over;

	ASSERT_EQ(0, target_call(&self->target, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	for (over = 1; over >= 0; over--) {
		limit.rlim_cur = self->vmlck + LEN - over * PAGE;
		limit.rlim_max = limit.rlim_cur + PAGE;
		ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
		EXPECT_EQ(over ? -ENOMEM : 0,
			  lock_range(self->fd, pid, variant->state, self->addr, LEN, &last));
		if (over) {
			TH_LOG("needs %llu, has %llu", last.out_needed, last.out_allowed);
			EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, last.out_limit);
			EXPECT_EQ(self->vmlck + LEN, last.out_needed);
			check(_metadata, self, 0, 0, 0);
		}
	}
	check(_metadata, self, LEN, LEN, LEN);
	/* Once more costs nothing more. */
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, &last));
	check(_metadata, self, LEN, LEN, LEN);
}

/* Parts of mappings are in no count of the kernel's; each is far below the limit. */
TEST_F(range, limit_holds_for_the_sum_of_parts)
{
	struct rlimit limit = { self->vmlck + LEN, self->vmlck + LEN };
	unsigned long addr[3], part = LEN / 2;
	pid_t pid = self->target.pid;
	int i;

	for (i = 0; i < 3; i++) {
		addr[i] = target_call(&self->target, do_map_small, LEN, RW, MAP_PRIVATE) + PAGE;
		ASSERT_LT(PAGE, addr[i]);
	}
	ASSERT_EQ(0, target_call(&self->target, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr[0], part, NULL));
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr[1], part, NULL));
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, variant->state, addr[2], part, &last));
	TH_LOG("needs %llu, has %llu", last.out_needed, last.out_allowed);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, last.out_limit);
	EXPECT_EQ(self->vmlck + 3 * part, last.out_needed);
	check(_metadata, self, 0, 2 * part, 2 * part);
	/* What is locked already is not counted twice. */
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr[0] + PAGE, part - PAGE, NULL));
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, variant->state, addr[0], part + PAGE, NULL));
	EXPECT_EQ(0, unlock_range(self->fd, pid, addr[1], PAGE));
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr[0], part + PAGE, NULL));
	check(_metadata, self, 0, 2 * part, 2 * part);
}

/* The lock of the whole comes and goes over it, and the other way round. */
TEST_F(range, range_and_whole_are_independent)
{
	pid_t pid = self->target.pid;
	unsigned long part = self->addr + LEN / 4, vmlck, vmpin;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check(_metadata, self, LEN, LEN, LEN);
	check_no_faults(_metadata, self, self->addr, LEN);
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, LIKE_MLOCKALL, NULL));
	check_no_faults(_metadata, self, self->addr, LEN);
	vmlck = status_bytes(pid, "VmLck");
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	EXPECT_EQ(vmlck, status_bytes(pid, "VmLck"));
	EXPECT_EQ(self->vmpin, status_bytes(pid, "VmPin"));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check(_metadata, self, 0, 0, 0);

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	vmlck = status_bytes(pid, "VmLck");
	vmpin = status_bytes(pid, "VmPin");
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, part, LEN / 2, NULL));
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	EXPECT_EQ(vmlck, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, unlock_range(self->fd, pid, part, LEN / 2));
	EXPECT_EQ(vmlck, status_bytes(pid, "VmLck"));
	EXPECT_EQ(vmpin, status_bytes(pid, "VmPin"));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	/* What is left of the range lies in parts of the mapping. */
	check(_metadata, self, 0, LEN / 2, LEN / 2);
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 0, 0, 0);
}

/* What it does not cover may be like what it does. */
TEST_F(range, lock_of_the_future_does_not_keep_it)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_FUTURE, NULL));
	check(_metadata, self, 0, 0, 0);
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	check(_metadata, self, LEN, LEN, LEN);
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 0, 0, 0);
	drain_batches();
	EXPECT_EQ(0, stuck_pages(pid, self->addr, self->addr + LEN));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
}

TEST_F(range, given_to_the_whole_it_is_forgotten)
{
	pid_t pid = self->target.pid;
	long other;

	/* Something that is locked all the time. */
	other = target_call(&self->target, do_map_small, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, other);
	ASSERT_EQ(0, lock_range(self->fd, pid, L, other, LEN, NULL));

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check(_metadata, self, LEN, 0, LEN);

	/* A lock of its own is its own. */
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, 0));
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 2 * LEN, 0, LEN);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	ASSERT_EQ(0, unlock_range(self->fd, pid, other, LEN));
	check(_metadata, self, 0, 0, 0);
}

TEST_F(range, what_a_stack_has_grown_by_goes_with_it)
{
	pid_t pid = self->target.pid;
	struct vma stack, grown;
	unsigned long len;

	ASSERT_TRUE(vma_find(pid, "[stack]", "rw", &stack));
	len = stack.end - stack.start;
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, stack.start, len, NULL));
	target_call(&self->target, do_descend, len + 64 * PAGE, 0, 0);
	ASSERT_TRUE(vma_find(pid, "[stack]", "rw", &grown));
	TH_LOG("stack %lu kB, then %lu kB", len / KIB, (grown.end - grown.start) / KIB);
	ASSERT_LT(len, grown.end - grown.start);
	ASSERT_EQ(0, unlock_range(self->fd, pid, stack.start, len));
	check(_metadata, self, 0, 0, 0);
}

TEST_F(range, ends_where_it_is_unmapped)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr, LEN / 2, 0));
	check(_metadata, self, LEN / 2, LEN / 2, LEN / 2);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr + LEN / 2, LEN / 2, 0));
	check(_metadata, self, 0, 0, 0);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, pid, self->addr, LEN));
}

TEST_F(range, ends_with_exec_and_is_not_inherited)
{
	pid_t pid = self->target.pid;
	struct memlockd_status status;
	long child;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	child = target_call(&self->target, do_fork, 0, 0, 0);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, status_pid(self->fd, child, &status));
	EXPECT_EQ(0, status.out_ranges);
	EXPECT_EQ(0, status_bytes(child, "VmPin"));
	ASSERT_EQ(0, target_call(&self->target, do_reap, child, 0, 0));
	target_post(&self->target, do_exec, 0, 0, 0);
	while (status_bytes(pid, "VmLck"))
		sched_yield();
	ASSERT_EQ(0, status_pid(self->fd, pid, &status));
	EXPECT_EQ(0, status.out_ranges);
	EXPECT_EQ(0, status.out_pinned);
}

/* There is no way to split a mapping from outside: it is locked as long as a part of it is. */
TEST_F(range, unlocked_part_by_part_leaves_nothing)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, self->addr, LEN, NULL));
	check(_metadata, self, LEN, LEN, LEN);
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr + PAGE, PAGE));
	ASSERT_EQ(0, unlock_range(self->fd, pid, self->addr, LEN));
	check(_metadata, self, 0, 0, 0);
}

#define MANY	160
#define STEP	8
#define TIMEOUT	600

/*
 * Ranges of each second page of a process that ends.  What is noted of them is freed when it
 * does, in the background: where that goes wrong, the kernel reports it.
 */
TEST_F_TIMEOUT(range, any_number_ends_with_the_process, TIMEOUT)
{
	int nr, i, ended = 0;

	for (nr = STEP; nr <= MANY; nr += STEP) {
		struct target target;
		long addr;

		target_start(&target);
		addr = target_call(&target, do_map_small, 2 * MANY * PAGE, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		for (i = 0; i < nr; i++)
			ASSERT_EQ(0, lock_range(self->fd, target.pid, variant->state,
						addr + 2 * i * PAGE, PAGE, NULL));
		target_stop(&target);
		ended++;
	}
	TH_LOG("%d processes have ended, with %d to %d ranges each", ended, STEP, MANY);
	/* This waits until what has ended is gone. */
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_HARNESS_MAIN
