// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target's RLIMIT_MEMLOCK: exact to the page, for whatever is locked and
 * however it is asked for; and the two ways around it, MEMLOCKD_BYPASS and
 * vm.memlockd.old_mlock.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)

#define HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define THP(name)	"/sys/kernel/mm/transparent_hugepage/" name
#define SPLIT_PAGES	"/sys/kernel/debug/split_huge_pages"

/* All that charges what is there now; the first three lock the future as well. */
static const struct mode {
	const char *name;
	int state, flags;
} modes[] = {
	{ "LOCKED|MOVABLE", L, LIKE_MLOCKALL },
	{ "LOCKED", L, CURRENT_FUTURE },
	{ "SUPERLOCKED", S, CURRENT_FUTURE },
	{ "LOCKED|MOVABLE, CURRENT", L, MEMLOCKD_CURRENT | MEMLOCKD_MOVABLE },
	{ "LOCKED, CURRENT", L, MEMLOCKD_CURRENT },
};

#define WITH_FUTURE	3

FIXTURE(limits)
{
	struct counters start;
	struct target target;
	long unprivileged_mlock, old_mlock;
	int fd;
};

FIXTURE_SETUP(limits)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->unprivileged_mlock = read_number(KNOB("unprivileged_mlock"));
	self->old_mlock = read_number(KNOB("old_mlock"));
	counters_start(&self->start);
	target_start(&self->target);
	/* A process with CAP_IPC_LOCK has no limit. */
	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
}

FIXTURE_TEARDOWN(limits)
{
	write_number(KNOB("unprivileged_mlock"), self->unprivileged_mlock);
	write_number(KNOB("old_mlock"), self->old_mlock);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static int lock_mode(int fd, pid_t pid, const struct mode *mode, struct memlockd_lock *out)
{
	return lock_pid(fd, pid, mode->state, mode->flags, out);
}

static void check_unlocked(struct __test_metadata *_metadata, int fd, pid_t pid)
{
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_EQ(0, vmas_locked(pid));
}

/* What the lock charges when nothing limits it. */
static unsigned long charge_of(struct __test_metadata *_metadata, int fd, pid_t pid,
			       const struct mode *mode)
{
	struct memlockd_lock lock = {};

	set_limit(pid, RLIM_INFINITY);
	EXPECT_EQ(0, lock_mode(fd, pid, mode, &lock));
	EXPECT_EQ(0, unlock_pid(fd, pid));
	return lock.out_locked;
}

/* At its charge the lock succeeds, a page below it fails and changes nothing. */
static void check_exact(struct __test_metadata *_metadata, int fd, pid_t pid,
			const struct mode *mode, unsigned long charge)
{
	struct memlockd_lock lock;

	set_limit(pid, charge + PAGE);
	EXPECT_EQ(0, lock_mode(fd, pid, mode, &lock));
	EXPECT_EQ(charge, lock.out_locked);
	EXPECT_EQ(0, unlock_pid(fd, pid));

	set_limit(pid, charge);
	EXPECT_EQ(0, lock_mode(fd, pid, mode, &lock));
	EXPECT_EQ(charge, lock.out_locked);
	EXPECT_EQ(MEMLOCKD_LIMIT_NONE, lock.out_limit);
	EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, unlock_pid(fd, pid));

	set_limit(pid, charge - PAGE);
	EXPECT_EQ(-ENOMEM, lock_mode(fd, pid, mode, &lock));
	TH_LOG("%s: locks %lu; one page less: needs %llu of %llu allowed", mode->name, charge,
	       (unsigned long long)lock.out_needed, (unsigned long long)lock.out_allowed);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
	EXPECT_EQ(charge, lock.out_needed);
	EXPECT_EQ(charge - PAGE, lock.out_allowed);
	check_unlocked(_metadata, fd, pid);
}

TEST_F(limits, limit_is_exact)
{
	pid_t pid = self->target.pid;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		check_exact(_metadata, self->fd, pid, &modes[i],
			    charge_of(_metadata, self->fd, pid, &modes[i]));
		EXPECT_TRUE(counters_back(&self->start));
	}
}

TEST_F(limits, page_mapped_twice_counts_twice)
{
	pid_t pid = self->target.pid;
	unsigned long before, after;
	unsigned int i;
	long addr;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		before = charge_of(_metadata, self->fd, pid, &modes[i]);
		addr = target_call(&self->target, do_map_same, 2, 2, 0);
		ASSERT_LT(0, addr);
		after = charge_of(_metadata, self->fd, pid, &modes[i]);
		EXPECT_EQ(before + 2 * PAGE, after);
		check_exact(_metadata, self->fd, pid, &modes[i], after);
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, 2 * PAGE, 0));
	}
}

static long do_map_huge_between(long len, long huge, long c)
{
	long addr = do_map(len + huge, RW, MAP_PRIVATE), start;

	if (addr < 0)
		return addr;
	start = (addr + huge - 1) & -huge;
	if (madvise((void *)start, len, MADV_HUGEPAGE))
		return -errno;
	do_write(start, len, huge);
	return start;
}

TEST_F(limits, huge_pages_are_charged_by_their_size)
{
	unsigned long huge = 2 * MIB, before, after;
	pid_t pid = self->target.pid;
	unsigned int i;
	long addr;

	before = charge_of(_metadata, self->fd, pid, &modes[2]);
	addr = target_call(&self->target, do_map_huge_between, 2 * huge, huge, 0);
	if (addr < 0)
		SKIP(return, "no transparent huge pages: %s", strerror(-addr));
	after = charge_of(_metadata, self->fd, pid, &modes[2]);
	TH_LOG("%lu bytes of huge pages, charged with what they lie in: %lu", 2 * huge,
	       after - before);
	EXPECT_EQ(before + 3 * huge, after);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		check_exact(_metadata, self->fd, pid, &modes[i], after);
	/* Half a huge page. */
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, huge / 2, 0));
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		check_exact(_metadata, self->fd, pid, &modes[i], after - huge / 2);
}

TEST_F(limits, hugetlb_is_not_charged)
{
	unsigned long size = read_field("/proc/meminfo", "Hugepagesize") * KIB, charge, now;
	long had = read_number(HUGEPAGES), addr;
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;

	if (!write_number(HUGEPAGES, had + 2) || read_number(HUGEPAGES) < had + 2) {
		write_number(HUGEPAGES, had);
		SKIP(return, "no pages for hugetlbfs");
	}
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		charge = charge_of(_metadata, self->fd, pid, &modes[i]);
		addr = target_call(&self->target, do_map, 2 * size, RW, MAP_PRIVATE | MAP_HUGETLB);
		EXPECT_LT(0, addr);
		now = charge_of(_metadata, self->fd, pid, &modes[i]);
		EXPECT_EQ(charge, now);
		check_exact(_metadata, self->fd, pid, &modes[i], charge);
		EXPECT_EQ(0, target_call(&self->target, do_unmap, addr, 2 * size, 0));
		if (i >= WITH_FUTURE)
			continue;
		/* Nor later, though Linux wants room for it below the limit. */
		set_limit(pid, charge + 2 * size);
		EXPECT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		addr = target_call(&self->target, do_map, 2 * size, RW, MAP_PRIVATE | MAP_HUGETLB);
		EXPECT_LT(0, addr);
		EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
		EXPECT_EQ(0, target_call(&self->target, do_unmap, addr, 2 * size, 0));
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
	}
	target_stop(&self->target);
	write_number(HUGEPAGES, had);
}

TEST_F(limits, future_alone_is_exact)
{
	pid_t pid = self->target.pid;
	long addr;

	set_limit(pid, LEN);
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_FUTURE, NULL));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, LEN + PAGE, RW, MAP_SHARED));
	addr = target_call(&self->target, do_map, LEN - PAGE, RW, MAP_SHARED);
	ASSERT_LT(0, addr);
	EXPECT_EQ(LEN - PAGE, status_bytes(pid, "VmLck"));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, 2 * PAGE, RW, MAP_SHARED));
	EXPECT_LT(0, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
	EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
}

static long do_brk(long by, long b, long c)
{
	return sbrk(by) == (void *)-1 ? -errno : 0;
}

TEST_F(limits, growth_is_exact)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;
	long addr;

	for (i = 0; i < WITH_FUTURE; i++) {
		set_limit(pid, RLIM_INFINITY);
		/* Memory of its own can grow; a shared object has a size. */
		addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));

		set_limit(pid, lock.out_locked + LEN - PAGE);
		EXPECT_EQ(-EAGAIN, target_call(&self->target, do_resize, addr, LEN, 2 * LEN));
		EXPECT_EQ(-ENOMEM, target_call(&self->target, do_brk, LEN, 0, 0));
		EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
		EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));

		set_limit(pid, lock.out_locked + LEN);
		EXPECT_EQ(0, target_call(&self->target, do_brk, LEN, 0, 0));
		EXPECT_EQ(lock.out_locked + LEN, status_bytes(pid, "VmLck"));
		EXPECT_EQ(0, target_call(&self->target, do_brk, -LEN, 0, 0));
		EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
		addr = target_call(&self->target, do_resize, addr, LEN, 2 * LEN);
		EXPECT_LT(0, addr);
		EXPECT_EQ(lock.out_locked + LEN, status_bytes(pid, "VmLck"));
		EXPECT_EQ(2 * LEN, present_bytes(pid, addr, addr + 2 * LEN));

		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, 2 * LEN, 0));
	}
}

TEST_F(limits, relock_is_exact)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock first, lock;
	unsigned int i;
	long addr;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		set_limit(pid, RLIM_INFINITY);
		ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, &first));
		addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
		ASSERT_LT(0, addr);
		/* Only what is new is charged, but with all that is locked. */
		set_limit(pid, first.out_locked + LEN - PAGE);
		EXPECT_EQ(-ENOMEM, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
		EXPECT_EQ(first.out_locked + LEN, lock.out_needed);
		EXPECT_EQ(first.out_locked, status_bytes(pid, "VmLck"));
		EXPECT_EQ(first.out_pinned, status_bytes(pid, "VmPin"));
		set_limit(pid, first.out_locked + LEN);
		EXPECT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(first.out_locked + LEN, lock.out_locked);
		/* Again: what is charged already is not charged again. */
		EXPECT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(first.out_locked + LEN, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
	}
}

/* The process's own mlock(2) counts against the same limit. */
TEST_F(limits, own_mlock_is_not_charged_again)
{
	pid_t pid = self->target.pid;
	unsigned long charge;
	unsigned int i;
	long addr;

	addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, addr);
	set_limit(pid, RLIM_INFINITY);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct memlockd_lock lock;

		charge = charge_of(_metadata, self->fd, pid, &modes[i]);
		ASSERT_EQ(0, target_call(&self->target, do_mlock, addr, LEN, 0));
		set_limit(pid, charge);
		EXPECT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(charge, lock.out_locked);
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
		EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
		set_limit(pid, charge - PAGE);
		EXPECT_EQ(-ENOMEM, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, target_call(&self->target, do_munlock, addr, LEN, 0));
	}
}

TEST_F(limits, limit_lowered_later_breaks_nothing)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;
	long addr;

	for (i = 0; i < WITH_FUTURE; i++) {
		set_limit(pid, RLIM_INFINITY);
		addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
		ASSERT_LT(0, addr);
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		set_limit(pid, PAGE);
		/* What is locked stays, what would be more is refused. */
		EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
		EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
		/* A lock that charges no more than there is needs no room. */
		EXPECT_EQ(0, lock_mode(self->fd, pid, &modes[i], NULL));
		EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
		EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
		EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
		/* It gives back what it unmaps. */
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN / 2, 0));
		EXPECT_EQ(lock.out_locked - LEN / 2, status_bytes(pid, "VmLck"));
		set_limit(pid, 0);
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr + LEN / 2, LEN / 2, 0));
		EXPECT_EQ(lock.out_locked - LEN, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		check_unlocked(_metadata, self->fd, pid);
	}
}

/* As the core kernel has it, for what is locked now, for what is locked later, and for a range. */
TEST_F(limits, limit_of_0_allows_no_lock_at_all)
{
	const int flags[] = { MEMLOCKD_CURRENT, MEMLOCKD_FUTURE, CURRENT_FUTURE };
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;
	int err;
	long addr;

	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	set_limit(pid, LEN);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, addr, LEN, 0));
	set_limit(pid, 0);
	EXPECT_EQ(-EPERM, target_call(&self->target, do_mlockall, MCL_FUTURE, 0, 0));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		err = lock_pid(self->fd, pid, L, flags[i], &lock);
		TH_LOG("flags %#x: %d, limit %u, needs %llu of %llu", flags[i], err,
		       lock.out_limit, (unsigned long long)lock.out_needed,
		       (unsigned long long)lock.out_allowed);
		EXPECT_EQ(-ENOMEM, err);
		EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
		EXPECT_LT(0, lock.out_needed);
		EXPECT_EQ(0, lock.out_allowed);
	}
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, L, MEMLOCKD_FUTURE | MEMLOCKD_BYPASS, &lock));
	EXPECT_EQ(MEMLOCKD_LIMIT_FUTURE, lock.out_limit);
	/* What the process has locked itself would need no room. */
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, L, addr, LEN, NULL));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	EXPECT_LT(0, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
	EXPECT_EQ(LEN, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, addr, LEN, 0));
	check_unlocked(_metadata, self->fd, pid);
}

TEST_F(limits, bypass_of_what_is_there)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	struct memlockd_status status;
	unsigned long charge;
	unsigned int i;
	long addr;

	for (i = WITH_FUTURE; i < ARRAY_SIZE(modes); i++) {
		charge = charge_of(_metadata, self->fd, pid, &modes[i]);
		addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
		ASSERT_LT(0, addr);
		charge += LEN;
		set_limit(pid, PAGE);
		ASSERT_EQ(0, lock_pid(self->fd, pid, modes[i].state,
				      modes[i].flags | MEMLOCKD_BYPASS, &lock));
		TH_LOG("%s|BYPASS: %llu bytes with a limit of %lu", modes[i].name,
		       (unsigned long long)lock.out_locked, PAGE);
		EXPECT_EQ(charge, lock.out_locked);
		EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, status_pid(self->fd, pid, &status));
		EXPECT_EQ(modes[i].flags, status.out_lock_flags);
		EXPECT_EQ(PAGE, status.out_memlock_limit);
		/* It is the lock that is over the limit: what comes later is not locked. */
		EXPECT_LT(0, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
		EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
		/* Of this call, not of the next. */
		EXPECT_EQ(-ENOMEM, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
		EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
		EXPECT_EQ(charge - LEN, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		check_unlocked(_metadata, self->fd, pid);
	}
}

TEST_F(limits, bypass_with_future_needs_the_limit_raised)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned long charge;
	unsigned int i;

	for (i = 0; i < WITH_FUTURE; i++) {
		charge = charge_of(_metadata, self->fd, pid, &modes[i]);
		set_limit(pid, charge - PAGE);
		EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, modes[i].state,
					    modes[i].flags | MEMLOCKD_BYPASS, &lock));
		TH_LOG("%s|BYPASS: needs %llu of %llu allowed, limit %u", modes[i].name,
		       (unsigned long long)lock.out_needed, (unsigned long long)lock.out_allowed,
		       lock.out_limit);
		EXPECT_EQ(MEMLOCKD_LIMIT_FUTURE, lock.out_limit);
		EXPECT_EQ(charge, lock.out_needed);
		EXPECT_EQ(charge - PAGE, lock.out_allowed);
		check_unlocked(_metadata, self->fd, pid);
		/* What it says would do does. */
		set_limit(pid, lock.out_needed);
		EXPECT_EQ(0, lock_pid(self->fd, pid, modes[i].state,
				      modes[i].flags | MEMLOCKD_BYPASS, &lock));
		EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
		check_unlocked(_metadata, self->fd, pid);
	}
}

/* In two steps: what is there goes over the limit, and then FUTURE comes. */
TEST_F(limits, future_on_top_of_a_bypass_is_refused)
{
	const int flags[] = { MEMLOCKD_FUTURE, MEMLOCKD_FUTURE | MEMLOCKD_BYPASS };
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned long charge;
	int other = device_open();
	unsigned int i;
	long addr;

	ASSERT_LE(0, other);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		set_limit(pid, PAGE);
		ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT | MEMLOCKD_BYPASS,
				      &lock));
		charge = lock.out_locked;
		EXPECT_EQ(-ENOMEM, lock_pid(other, pid, L, flags[i], &lock));
		TH_LOG("FUTURE%s by another client: needs %llu of %llu allowed, limit %u",
		       i ? "|BYPASS" : "", (unsigned long long)lock.out_needed,
		       (unsigned long long)lock.out_allowed, lock.out_limit);
		EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, L, flags[i], &lock));
		EXPECT_EQ(i ? MEMLOCKD_LIMIT_FUTURE : MEMLOCKD_LIMIT_RLIMIT_MEMLOCK,
			  lock.out_limit);
		/* It would have made this fail. */
		addr = target_call(&self->target, do_map, PAGE, RW, MAP_SHARED);
		EXPECT_LT(0, addr);
		EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
		target_call(&self->target, do_unmap, addr, PAGE, 0);
		unlock_pid(other, pid);
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
		check_unlocked(_metadata, self->fd, pid);
	}
	close(other);
}

TEST_F(limits, bypass_needs_CAP_IPC_LOCK)
{
	struct target client;
	int flags = MEMLOCKD_CURRENT | MEMLOCKD_BYPASS;

	set_limit(self->target.pid, RLIM_INFINITY);
	/* A change of user makes it undumpable. */
	ASSERT_EQ(0, target_call(&self->target, do_set_dumpable, 1, 0, 0));
	ASSERT_TRUE(write_number(KNOB("unprivileged_mlock"), 1));
	target_start_with(&client, self->fd);
	ASSERT_EQ(0, target_call(&client, do_setuid, NOBODY, 0, 0));
	EXPECT_EQ(0, target_call(&client, do_lock, self->fd, self->target.pid,
				 STATE_FLAGS(L, MEMLOCKD_CURRENT)));
	EXPECT_EQ(0, target_call(&client, do_unlock, self->fd, self->target.pid, 0));
	EXPECT_EQ(-EPERM, target_call(&client, do_lock, self->fd, self->target.pid,
				      STATE_FLAGS(L, flags)));
	/* However much it might lock. */
	set_limit(self->target.pid, 0);
	EXPECT_EQ(-EPERM, target_call(&client, do_lock, self->fd, self->target.pid,
				      STATE_FLAGS(L, flags)));
	EXPECT_EQ(-ENOMEM, target_call(&client, do_lock, self->fd, self->target.pid,
				       STATE_FLAGS(L, MEMLOCKD_CURRENT)));
	check_unlocked(_metadata, self->fd, self->target.pid);
	target_stop(&client);
}

static long do_sync(long fd, long pid, long c)
{
	struct memlockd_sync sync = { .size = sizeof(sync), .target = pid };

	return device_call(fd, MEMLOCKD_IOC_SYNC, &sync);
}

/* Root's bypass does not lock for a user what that user may not. */
TEST_F(limits, bypass_belongs_to_who_may)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	struct target client;

	ASSERT_EQ(0, target_call(&self->target, do_set_dumpable, 1, 0, 0));
	ASSERT_TRUE(write_number(KNOB("unprivileged_mlock"), 1));
	set_limit(pid, 0);
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT | MEMLOCKD_BYPASS, &lock));
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_SHARED));
	target_start_with(&client, self->fd);
	ASSERT_EQ(0, target_call(&client, do_setuid, NOBODY, 0, 0));
	EXPECT_EQ(-ENOMEM, target_call(&client, do_sync, self->fd, pid, 0));
	TH_LOG("root has locked %llu; after a user's SYNC: %lu",
	       (unsigned long long)lock.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
	/* A lock of the user's own beside it neither. */
	EXPECT_EQ(-ENOMEM, target_call(&client, do_lock, self->fd, pid,
				       STATE_FLAGS(L, MEMLOCKD_CURRENT)));
	EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
	/* Root's SYNC goes on with it. */
	EXPECT_EQ(0, do_sync(self->fd, pid, 0));
	EXPECT_EQ(lock.out_locked + LEN, status_bytes(pid, "VmLck"));
	target_stop(&client);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
}

TEST_F(limits, old_mlock_applies_no_limit)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned long charge;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		charge = charge_of(_metadata, self->fd, pid, &modes[i]);
		set_limit(pid, charge - PAGE);
		ASSERT_TRUE(write_number(KNOB("old_mlock"), 1));
		if (i < WITH_FUTURE) {
			/* The kernel would apply the limit to what comes later all the same. */
			EXPECT_EQ(-ENOMEM, lock_mode(self->fd, pid, &modes[i], &lock));
			EXPECT_EQ(MEMLOCKD_LIMIT_FUTURE, lock.out_limit);
			EXPECT_EQ(charge, lock.out_needed);
		} else {
			EXPECT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
			EXPECT_EQ(charge, status_bytes(pid, "VmLck"));
			EXPECT_EQ(0, unlock_pid(self->fd, pid));
		}
		check_unlocked(_metadata, self->fd, pid);
		/* At run time. */
		ASSERT_TRUE(write_number(KNOB("old_mlock"), 0));
		EXPECT_EQ(-ENOMEM, lock_mode(self->fd, pid, &modes[i], &lock));
		EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
	}
}

/* A lock that fails, over and over, in each way that a limit can make it fail. */
TEST_F(limits, failing_a_hundred_times_leaves_nothing)
{
	pid_t pid = self->target.pid;
	struct counters before, after;
	struct memlockd_lock lock;
	unsigned int i, failed = 0;

	/* The first superlock makes private copies. */
	charge_of(_metadata, self->fd, pid, &modes[2]);
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE));
	counters_read(&before);
	for (i = 0; i < 100; i++) {
		const struct mode *mode = &modes[i % ARRAY_SIZE(modes)];
		bool bypass = i % 2 && mode->flags & MEMLOCKD_FUTURE;

		set_limit(pid, i / 10 * LEN);
		failed += lock_pid(self->fd, pid, mode->state,
				   mode->flags | (bypass ? MEMLOCKD_BYPASS : 0),
				   &lock) == -ENOMEM;
	}
	counters_read(&after);
	TH_LOG("%u of %u failed", failed, i);
	EXPECT_EQ(i, failed);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, pid));
}

TEST_F(limits, failed_relock_leaves_the_old_lock)
{
	pid_t pid = self->target.pid;
	struct memlockd_status before, after;
	struct memlockd_lock lock;
	long addr;

	set_limit(pid, RLIM_INFINITY);
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, &lock));
	addr = target_call(&self->target, do_map, LEN, RW,
			   MAP_PRIVATE);
	ASSERT_LT(0, addr);
	/* The new mapping would not fit. */
	set_limit(pid, lock.out_locked);
	ASSERT_EQ(0, status_pid(self->fd, pid, &before));
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, S, CURRENT_FUTURE, &lock));
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
	ASSERT_EQ(0, status_pid(self->fd, pid, &after));
	EXPECT_EQ(L, after.out_state);
	EXPECT_EQ(MEMLOCKD_CURRENT, after.out_lock_flags);
	EXPECT_EQ(before.out_locked, after.out_locked);
	EXPECT_EQ(before.out_pinned, after.out_pinned);
	EXPECT_EQ(before.out_lock_time_ns, after.out_lock_time_ns);
	EXPECT_EQ(after.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(after.out_pinned, status_bytes(pid, "VmPin"));
	/* FUTURE is not on. */
	EXPECT_LT(0, target_call(&self->target, do_map, LEN, RW,
				 MAP_PRIVATE));
	EXPECT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
}

TEST_F(limits, target_with_CAP_IPC_LOCK_has_no_limit)
{
	struct memlockd_lock lock;
	struct target root;
	unsigned int i;

	target_start(&root);
	set_limit(root.pid, 0);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		EXPECT_EQ(0, lock_mode(self->fd, root.pid, &modes[i], &lock));
		TH_LOG("%s: %llu bytes with a limit of 0", modes[i].name,
		       (unsigned long long)lock.out_locked);
	}
	target_stop(&root);
}

TEST_F(limits, limit_of_the_client_is_irrelevant)
{
	struct memlockd_lock lock;
	struct rlimit own;

	set_limit(self->target.pid, RLIM_INFINITY);
	ASSERT_EQ(0, getrlimit(RLIMIT_MEMLOCK, &own));
	ASSERT_EQ(0, prlimit(0, RLIMIT_MEMLOCK, &(struct rlimit){ 0, own.rlim_max }, NULL));
	EXPECT_EQ(0, lock_mode(self->fd, self->target.pid, &modes[2], &lock));
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
	ASSERT_EQ(0, prlimit(0, RLIMIT_MEMLOCK, &own, NULL));

	/* However much the client may lock, this target may not. */
	set_limit(self->target.pid, PAGE);
	ASSERT_EQ(0, prlimit(0, RLIMIT_MEMLOCK,
			     &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }, NULL));
	EXPECT_EQ(-ENOMEM, lock_mode(self->fd, self->target.pid, &modes[2], &lock));
}

TEST_F(limits, future_mapping_over_the_limit_is_EAGAIN)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;
	long addr;

	for (i = 0; i < WITH_FUTURE; i++) {
		set_limit(pid, RLIM_INFINITY);
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		set_limit(pid, lock.out_locked + LEN);
		EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, LEN + PAGE,
					       RW, MAP_PRIVATE));
		addr = target_call(&self->target, do_map, LEN, RW,
				   MAP_PRIVATE);
		ASSERT_LT(0, addr);
		EXPECT_EQ(lock.out_locked + LEN, status_bytes(pid, "VmLck"));
		EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
		EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
	}
}

/* A thread that unlocks all memory of its process again and again. */
static atomic_bool stop_unlocking;

static void *munlockall_loop(void *arg)
{
	while (!stop_unlocking)
		munlockall();
	return NULL;
}

static long raced[4];

static long do_unmap_raced(long len, long mappings, long c)
{
	while (mappings--)
		do_unmap(raced[mappings], len, 0);
	return 0;
}

/* Maps until @mappings of @len bytes are there, @tries times at most; how many are. */
static long do_map_against_munlockall(long len, long mappings, long tries)
{
	pthread_t thread;
	long done = 0;

	stop_unlocking = false;
	if (pthread_create(&thread, NULL, munlockall_loop, NULL))
		return -EAGAIN;
	while (tries-- && done < mappings) {
		raced[done] = do_map(len, RW, MAP_PRIVATE);
		done += raced[done] > 0;
	}
	stop_unlocking = true;
	pthread_join(thread, NULL);
	return done;
}

TEST_F(limits, munlockall_in_a_race_with_mmap_stays_within_the_limit)
{
	const unsigned long room = 16 * MIB;
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;
	long done;

	for (i = 0; i < WITH_FUTURE; i++) {
		set_limit(pid, RLIM_INFINITY);
		ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[i], &lock));
		set_limit(pid, lock.out_locked + room);
		done = target_call(&self->target, do_map_against_munlockall, room, 4, 4000);
		TH_LOG("%s: %ld mappings of 16 MiB got through, VmLck %lu kB, limit %lu kB",
		       modes[i].name, done, status_bytes(pid, "VmLck") / KIB,
		       (unsigned long)(lock.out_locked + room) / KIB);
		EXPECT_GE(lock.out_locked + room, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		EXPECT_EQ(0, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, target_call(&self->target, do_unmap_raced, room, done, 0));
	}
}

/* So much more than what is locked anyway may be kept by pins. */
#define ROOM		(8 * MIB)

/*
 * Maps memory that is one large folio, as often as is asked for, and unmaps all but the
 * first page of each.
 */
static long do_map_corners(long nr, long size, long c)
{
	while (nr--) {
		long addr = do_map(2 * size, PROT_NONE, MAP_PRIVATE), start;

		if (addr < 0)
			return addr;
		start = (addr + size - 1) & -size;
		munmap((void *)addr, start - addr);
		munmap((void *)(start + size), addr + size - start);
		if (madvise((void *)start, size, MADV_HUGEPAGE) ||
		    mprotect((void *)start, size, RW))
			return -errno;
		do_write(start, size, size);
		if (munmap((void *)(start + PAGE), size - PAGE))
			return -errno;
	}
	return 0;
}

/* Splits what can be split of a process's huge pages; returns how many were, or -1. */
static long split_huge_pages(pid_t pid)
{
	long before = read_field("/proc/vmstat", "thp_split_page"), nr, i;
	int fd = open(SPLIT_PAGES, O_WRONLY | O_CLOEXEC);
	struct vma *vmas;
	char text[64];

	if (fd < 0)
		return -1;
	nr = vmas_read(pid, &vmas);
	for (i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", pid, vmas[i].start, vmas[i].end);
		if (write(fd, text, strlen(text)) < 0)
			ksft_perror(text);
	}
	free(vmas);
	close(fd);
	return read_field("/proc/vmstat", "thp_split_page") - before;
}

/*
 * A pin on one page of a large folio keeps all of it.  That is shown, counted, and held to
 * the limit; what would be above it is let go, and is the core kernel's to split.
 */
static void check_corners(struct __test_metadata *_metadata, int fd, struct target *t,
			  const struct mode *mode, long nr, unsigned long size, bool before)
{
	unsigned long limit = charge_of(_metadata, fd, t->pid, mode) + ROOM;
	unsigned long wired_before, vmlck, vmpin, kept;
	struct memlockd_status status;
	long split;

	set_limit(t->pid, limit);
	if (before)
		ASSERT_EQ(0, target_call(t, do_map_corners, nr, size, 0));
	ASSERT_EQ(0, lock_mode(fd, t->pid, mode, NULL));
	wired_before = wired_exactly(fd);
	if (!before)
		ASSERT_EQ(0, target_call(t, do_map_corners, nr, size, 0));
	vmlck = status_bytes(t->pid, "VmLck");
	vmpin = status_bytes(t->pid, "VmPin");
	ASSERT_EQ(0, status_pid(fd, t->pid, &status));
	kept = kept_bytes(fd, t->pid);
	split = size == HUGE ? split_huge_pages(t->pid) : -1;
	TH_LOG("%s, %s, %ld folios of %lu kB: VmLck %lu kB, VmPin %lu kB, kept %lu kB of %lu kB, wired %+ld pages, %ld can be split",
	       mode->name, before ? "before" : "after", nr, size / KIB, vmlck / KIB,
	       vmpin / KIB, kept / KIB, ROOM / KIB,
	       wired_exactly(fd) - (long)wired_before, split);
	EXPECT_EQ(vmpin, status.out_pinned);
	EXPECT_LE(kept, vmpin);
	EXPECT_GE(limit, vmlck + kept);
	/* Within the limit nothing is let go. */
	if (!(mode->flags & MEMLOCKD_MOVABLE) && !before)
		EXPECT_LT(0, kept);
	if (!before)
		EXPECT_LE(kept / PAGE, wired_exactly(fd) - wired_before);
	if (split >= 0)
		EXPECT_LE(nr - kept / size - 1, split);
	EXPECT_EQ(vmas_locked(t->pid), vmlck);
	EXPECT_EQ(0, unlock_pid(fd, t->pid));
	check_unlocked(_metadata, fd, t->pid);
}

/* For each mode, and for what is mapped after the lock, or before it as well. */
static void check_all_corners(struct __test_metadata *_metadata, int fd, long nr,
			      unsigned long size, bool before_too)
{
	unsigned int i;

	for (i = 0; i < WITH_FUTURE * (before_too ? 2 : 1); i++) {
		struct target t;

		target_start(&t);
		EXPECT_EQ(0, target_call(&t, do_setuid, NOBODY, 0, 0));
		check_corners(_metadata, fd, &t, &modes[i % WITH_FUTURE], nr, size,
			      i >= WITH_FUTURE);
		target_stop(&t);
	}
}

/*
 * Nothing but a pin holds a part of a mapping.  A range of which the pin would be let go at
 * once is not locked, and the caller is told so.
 */
TEST_F(limits, range_that_would_keep_too_much_is_refused)
{
	struct memlockd_range range;
	struct memlockd_mapping *rows;
	pid_t pid = self->target.pid;
	long addr, nr;

	if (access(THP("enabled"), F_OK))
		SKIP(return, "no transparent huge pages");
	addr = target_call(&self->target, do_map_huge, HUGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, HUGE, HUGE));
	set_limit(pid, status_bytes(pid, "VmLck") + HUGE / 2);
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, MEMLOCKD_STATE_LOCKED, addr, PAGE, &range));
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, range.out_limit);
	EXPECT_EQ(HUGE / 2, range.out_allowed);
	check_unlocked(_metadata, self->fd, pid);

	set_limit(pid, status_bytes(pid, "VmLck") + HUGE);
	ASSERT_EQ(0, lock_range(self->fd, pid, MEMLOCKD_STATE_LOCKED, addr, PAGE, &range));
	EXPECT_EQ(HUGE, status_bytes(pid, "VmPin"));
	nr = mappings_pid(self->fd, pid, 64, &rows);
	ASSERT_LT(0, nr);
	EXPECT_EQ(PAGE, rows_pinned(rows, nr));
	free(rows);
	EXPECT_EQ(0, unlock_range(self->fd, pid, addr, PAGE));
	check_unlocked(_metadata, self->fd, pid);
}

TEST_F(limits, what_pins_of_huge_pages_keep_is_within_the_limit)
{
	if (access(THP("enabled"), F_OK))
		SKIP(return, "no transparent huge pages");
	check_all_corners(_metadata, self->fd, 32, HUGE, true);
}

#define CGROUP	"/sys/fs/cgroup/memlockd-limits"

/*
 * What is taken away stays VM_LOCKED, and comes back when it is touched: were the old pages
 * kept by their pins, the process would have twice as much.  Its memory cgroup says how much
 * there is.
 */
TEST_F(limits, what_pins_keep_of_zapped_huge_pages_is_within_the_limit)
{
	unsigned long limit, vmlck, kept;
	long addr, i, before, after;
	struct target t;
	const char *why;

	if (access(THP("enabled"), F_OK))
		SKIP(return, "no transparent huge pages");
	why = memory_cgroup(CGROUP);
	if (why)
		SKIP(return, "%s", why);
	if (access(CGROUP "/memory.reclaim", F_OK)) {
		rmdir(CGROUP);
		SKIP(return, "nobody can be asked to give memory back");
	}
	target_start(&t);
	ASSERT_TRUE(write_number(CGROUP "/cgroup.procs", t.pid));
	EXPECT_EQ(0, target_call(&t, do_setuid, NOBODY, 0, 0));
	addr = target_call(&t, do_map_huge, 8 * HUGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&t, do_write, addr, 8 * HUGE, HUGE));
	set_limit(t.pid, RLIM_INFINITY);
	ASSERT_EQ(0, lock_pid(self->fd, t.pid, MEMLOCKD_STATE_SUPERLOCKED, CURRENT_FUTURE, NULL));
	limit = status_bytes(t.pid, "VmLck") + HUGE;
	set_limit(t.pid, limit);
	before = read_number(CGROUP "/memory.current");
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, target_call(&t, do_advise, addr + i * HUGE + PAGE, HUGE - PAGE,
					 MADV_DONTNEED_LOCKED));
	ASSERT_EQ(0, target_call(&t, do_write, addr, 8 * HUGE, PAGE));
	/* What is left of a huge page is given back when somebody asks for it. */
	for (i = 0; i < 4; i++)
		write_number(CGROUP "/memory.reclaim", 32 * MIB);
	after = read_number(CGROUP "/memory.current");
	vmlck = status_bytes(t.pid, "VmLck");
	kept = kept_bytes(self->fd, t.pid);
	TH_LOG("VmLck %lu kB, kept %lu kB, of %lu kB; the cgroup has %ld kB, then %ld kB",
	       vmlck / KIB, kept / KIB, limit / KIB, before / (long)KIB, after / (long)KIB);
	EXPECT_GE(limit, vmlck + kept);
	/* The one huge page for which there is room, and as much for what the kernel keeps. */
	EXPECT_GE(before + 2 * (long)HUGE, after);
	EXPECT_EQ(0, unlock_pid(self->fd, t.pid));
	check_unlocked(_metadata, self->fd, t.pid);
	target_stop(&t);
	rmdir(CGROUP);
}

TEST_F(limits, what_pins_of_large_folios_keep_is_within_the_limit)
{
	if (system("echo madvise 2>/dev/null >" THP("hugepages-64kB/enabled")))
		SKIP(return, "a kernel without folios of 64 kB");
	check_all_corners(_metadata, self->fd, 256, 64 * KIB, false);
	EXPECT_EQ(0, system("echo never >" THP("hugepages-64kB/enabled")));
}

/* Two clients push one target back and forth at its limit. */
static void *relock_loop(void *arg)
{
	struct target *t = arg;
	int fd = device_open(), i;

	for (i = 0; i < 50; i++) {
		lock_mode(fd, t->pid, &modes[i % WITH_FUTURE], NULL);
		if (i % 4 == 3)
			unlock_pid(fd, t->pid);
	}
	close(fd);
	return NULL;
}

static long do_map_loop(long len, long rounds, long c)
{
	long addr;

	while (rounds--) {
		addr = do_map(len, RW, MAP_PRIVATE);
		if (addr > 0)
			do_unmap(addr, len, 0);
		else if (addr != -EAGAIN)
			return addr;
	}
	return 0;
}

TEST_F(limits, sum_never_exceeds_the_limit)
{
	pid_t pid = self->target.pid;
	unsigned long limit, seen, most = 0;
	struct memlockd_lock lock;
	pthread_t threads[2];
	unsigned int samples = 0;
	long ret;

	set_limit(pid, RLIM_INFINITY);
	ASSERT_EQ(0, lock_mode(self->fd, pid, &modes[2], &lock));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	limit = lock.out_locked + LEN / 2;
	set_limit(pid, limit);
	target_post(&self->target, do_map_loop, LEN / 4, 500, 0);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, relock_loop, &self->target));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, relock_loop, &self->target));
	do {
		seen = status_bytes(pid, "VmLck");
		most = seen > most ? seen : most;
		samples++;
	} while (pthread_tryjoin_np(threads[0], NULL));
	pthread_join(threads[1], NULL);
	ASSERT_TRUE(target_result(&self->target, &ret));
	EXPECT_EQ(0, ret);
	TH_LOG("limit %lu, at most %lu seen in %u samples", limit, most, samples);
	EXPECT_GE(limit, most);
	/* Whoever came last: one unlock at most, and nothing is left. */
	unlock_pid(self->fd, pid);
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, pid));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
