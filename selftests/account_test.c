// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is charged to whom: VmLck and VmPin are exact, locks do not nest, and what
 * the target has locked itself is left alone.
 */
#include "kselftest_harness.h"
#include "memlockd_test.h"

#define CYCLES	100
#define LEN	(64 * PAGE)

/* The three states to be locked in. */
static const struct mode {
	const char *name;
	int state, flags;
} modes[] = {
	{ "LOCKED|MOVABLE", L, LIKE_MLOCKALL },
	{ "LOCKED", L, CURRENT_FUTURE },
	{ "SUPERLOCKED", S, CURRENT_FUTURE },
};

FIXTURE(account)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(account)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(account)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static int lock_mode(int fd, pid_t pid, const struct mode *mode, struct memlockd_lock *out)
{
	return lock_pid(fd, pid, mode->state, mode->flags, out);
}

TEST_F(account, vmlck_is_what_mlockall_gives)
{
	unsigned long theirs, ours;
	struct memlockd_lock lock;

	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0));
	theirs = status_bytes(self->target.pid, "VmLck");
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	ASSERT_EQ(0, status_bytes(self->target.pid, "VmLck"));

	ASSERT_EQ(0, lock_mode(self->fd, self->target.pid, &modes[0], &lock));
	ours = status_bytes(self->target.pid, "VmLck");
	TH_LOG("mlockall(2): %lu kB, LOCKED|MOVABLE: %lu kB", theirs / KIB, ours / KIB);
	EXPECT_EQ(theirs, ours);
	EXPECT_EQ(vmas_locked(self->target.pid), ours);
	EXPECT_EQ(ours, lock.out_locked);
	EXPECT_EQ(0, lock.out_pinned);
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmPin"));
}

TEST_F(account, vmpin_is_what_the_rows_say)
{
	struct memlockd_mapping *rows;
	struct memlockd_status status;
	struct memlockd_lock lock;
	unsigned long vmpin;
	unsigned int i;
	long nr;

	for (i = 1; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, lock_mode(self->fd, self->target.pid, &modes[i], &lock));
		nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
		ASSERT_LT(0, nr);
		vmpin = status_bytes(self->target.pid, "VmPin");
		ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
		TH_LOG("%s: VmPin %lu kB, %llu bytes of bookkeeping", modes[i].name, vmpin / KIB,
		       (unsigned long long)status.out_bookkeeping);
		EXPECT_LT(0, vmpin);
		EXPECT_EQ(rows_pinned(rows, nr), vmpin);
		EXPECT_EQ(lock.out_pinned, vmpin);
		EXPECT_EQ(status.out_pinned, vmpin);
		free(rows);
	}
}

TEST_F(account, counters_show_exactly_the_pins)
{
	struct memlockd_lock lock;
	struct counters now;

	ASSERT_EQ(0, lock_mode(self->fd, self->target.pid, &modes[2], &lock));
	counters_read(&now);
	TH_LOG("%llu pages pinned, nr_foll_pin: %ld more acquired than released",
	       (unsigned long long)lock.out_pinned / PAGE, now.pins - self->start.pins);
	/* One pin may stand for a huge page. */
	EXPECT_GE(lock.out_pinned / PAGE, now.pins - self->start.pins);
	EXPECT_LT(0, now.pins - self->start.pins);
}

TEST_F(account, future_alone_locks_only_what_comes)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_FUTURE, &lock));
	EXPECT_EQ(0, lock.out_locked);
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
	EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
	EXPECT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT_EQ(0, present_bytes(pid, addr, addr + LEN));
}

TEST_F(account, current_alone_does_not_lock_what_comes)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows, *row;
	struct memlockd_lock lock;
	long addr, nr;

	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, &lock));
	/* Shared, as it does not merge with a mapping that was there. */
	addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_LT(0, addr);
	EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, present_bytes(pid, addr, addr + LEN));
	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row->state);
	EXPECT_EQ(MEMLOCKD_REASON_NOT_COVERED, row->reason);
	free(rows);
}

/* Every state to every state, itself included. */
TEST_F(account, relock_moves_to_exactly_that_state)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock alone[ARRAY_SIZE(modes)], lock;
	struct memlockd_status status;
	unsigned int from, to;

	for (to = 0; to < ARRAY_SIZE(modes); to++) {
		/* The first lock makes pages private; what counts is from then on. */
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[2], &lock));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[to], &alone[to]));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
	}
	for (from = 0; from < ARRAY_SIZE(modes); from++) {
		for (to = 0; to < ARRAY_SIZE(modes); to++) {
			TH_LOG("%s -> %s", modes[from].name, modes[to].name);
			ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[from], &lock));
			ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[to], &lock));
			EXPECT_EQ(alone[to].out_locked, lock.out_locked);
			EXPECT_EQ(alone[to].out_pinned, lock.out_pinned);
			EXPECT_EQ(alone[to].out_locked, status_bytes(pid, "VmLck"));
			EXPECT_EQ(alone[to].out_pinned, status_bytes(pid, "VmPin"));
			ASSERT_EQ(0, status_pid(self->fd, pid, &status));
			EXPECT_EQ(modes[to].state, status.out_state);
			EXPECT_EQ(modes[to].flags, status.out_lock_flags);
			ASSERT_EQ(0, unlock_pid(self->fd, pid));
			EXPECT_EQ(0, status_bytes(pid, "VmLck"));
			EXPECT_EQ(0, status_bytes(pid, "VmPin"));
		}
	}
}

TEST_F(account, relock_without_future_ends_future)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, pid, L, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, &lock));
	addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, present_bytes(pid, addr, addr + LEN));
}

/* As mlockall(MCL_FUTURE) after mlockall(MCL_CURRENT). */
TEST_F(account, relock_without_current_leaves_what_is_locked)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock first, second;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, &first));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_FUTURE, &second));
	TH_LOG("%llu bytes locked, then %llu", (unsigned long long)first.out_locked,
	       (unsigned long long)second.out_locked);
	EXPECT_EQ(first.out_locked, second.out_locked);
	EXPECT_EQ(first.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(first.out_pinned, status_bytes(pid, "VmPin"));
	addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(first.out_locked + LEN, status_bytes(pid, "VmLck"));
	EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

TEST_F(account, many_cycles_leave_nothing)
{
	pid_t pid = self->target.pid;
	unsigned int i;

	/* One of each beforehand, as the first superlock makes private copies. */
	for (i = 0; i < CYCLES; i++) {
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i % ARRAY_SIZE(modes)], NULL));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
	}
	TH_LOG("%u cycles", i);
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_TRUE(counters_back(&self->start));
}

FIXTURE(own)
{
	struct counters start;
	struct target target;
	unsigned long addr;
	int fd;
};

FIXTURE_SETUP(own)
{
	long addr;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE);
	ASSERT_LT(0, addr);
	self->addr = addr;
}

FIXTURE_TEARDOWN(own)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(own, mlock_from_before_survives_our_unlock)
{
	pid_t pid = self->target.pid;
	unsigned int i;

	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN / 2, 0));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], NULL));
		EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		TH_LOG("%s: VmLck %lu of %lu afterwards, %lu pages unevictable", modes[i].name,
		       status_bytes(pid, "VmLck"), LEN / 2,
		       stuck_pages(pid, self->addr, self->addr + LEN));
		EXPECT_EQ(LEN / 2, status_bytes(pid, "VmLck"));
		EXPECT_EQ(LEN / 2, vmas_locked(pid));
		EXPECT_EQ(LEN / 2, present_bytes(pid, self->addr, self->addr + LEN / 2));
	}
	/* It can still undo its own. */
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN / 2, 0));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
}

TEST_F(own, lock_on_fault_from_before_survives_our_unlock)
{
	pid_t pid = self->target.pid;
	long addr;

	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, MLOCK_ONFAULT));
	ASSERT_EQ(0, present_bytes(pid, self->addr, self->addr + LEN));
	ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[2], NULL));
	/* Superlocked means present, whatever the process asked for itself. */
	EXPECT_EQ(LEN, present_bytes(pid, self->addr, self->addr + LEN));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
	/* What grows it is still locked only when it is touched. */
	addr = target_call(&self->target, do_resize, self->addr, LEN, 2 * LEN);
	ASSERT_LT(0, addr);
	EXPECT_EQ(2 * LEN, status_bytes(pid, "VmLck"));
	EXPECT_EQ(LEN, present_bytes(pid, addr, addr + 2 * LEN));
}

TEST_F(own, mlockall_future_from_before_survives_our_unlock)
{
	pid_t pid = self->target.pid;
	unsigned int i;
	long addr;

	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_FUTURE, 0, 0));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], NULL));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		EXPECT_EQ(0, status_bytes(pid, "VmLck"));
		addr = target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE);
		ASSERT_LT(0, addr);
		TH_LOG("%s: VmLck %lu after mapping %lu", modes[i].name,
		       status_bytes(pid, "VmLck"), LEN);
		EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
		EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
	}
}

TEST_F(own, mlockall_current_from_before_survives_our_unlock)
{
	pid_t pid = self->target.pid;
	unsigned long before;
	unsigned int i;

	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_CURRENT, 0, 0));
	before = status_bytes(pid, "VmLck");
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], NULL));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		EXPECT_EQ(before, status_bytes(pid, "VmLck"));
		EXPECT_EQ(before, vmas_locked(pid));
	}
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
}

TEST_F(own, another_process_mlock_of_the_same_file_survives)
{
	unsigned long len = LEN;
	struct counters before, after;
	void *shared;

	/* The target inherits it, its locks not. */
	shared = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, mlock(shared, len));
	target_stop(&self->target);
	target_start(&self->target);
	counters_read(&before);
	ASSERT_EQ(0, lock_mode(self->fd, self->target.pid, &modes[2], NULL));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	counters_read(&after);
	/*
	 * Only the residency is promised: the kernel finds a page that lost its
	 * mark when it comes to reclaim it. So what is left of the mark is
	 * printed, not checked.
	 */
	TH_LOG("nr_mlock %ld -> %ld, with a page locked by two: %lu of %lu still marked",
	       before.mlock, after.mlock,
	       stuck_pages(getpid(), (unsigned long)shared, (unsigned long)shared + len),
	       len / PAGE);
	EXPECT_EQ(len, present_bytes(getpid(), (unsigned long)shared,
				     (unsigned long)shared + len));
	munlock(shared, len);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
