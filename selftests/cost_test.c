// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a lock that has succeeded may cost the process later: the result of LOCK says it.
 */
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define CGROUP		"/sys/fs/cgroup/memlockd-cost"

FIXTURE(cost)
{
	struct counters start;
	struct target target;
	pid_t pid;
	int fd;
};

FIXTURE_SETUP(cost)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
}

FIXTURE_TEARDOWN(cost)
{
	target_stop(&self->target);
	rmdir(CGROUP "/below");
	rmdir(CGROUP);
	EXPECT_TRUE(counters_back(&self->start));
}

/* The warnings of a lock; -errno when it fails. */
static int warnings_of(int fd, pid_t pid, int state, int flags, struct memlockd_lock *lock)
{
	int err = lock_pid(fd, pid, state, flags, lock);

	printf("# %s, flags %#x: warnings %#x, a fork copies %llu kB, room for %llu kB\n",
	       state_name(state), flags, lock->out_warnings, lock->out_fork_copy / KIB,
	       lock->out_fork_room / KIB);
	return err ?: (int)lock->out_warnings;
}

TEST_F(cost, limit_that_only_a_capability_waives_is_told)
{
	struct memlockd_lock lock;

	/* At the limit there is nothing to be waived. */
	set_limit(self->pid, RLIM_INFINITY);
	EXPECT_EQ(0, warnings_of(self->fd, self->pid, L, CURRENT_FUTURE, &lock));
	set_limit(self->pid, lock.out_locked);
	EXPECT_EQ(0, warnings_of(self->fd, self->pid, L, CURRENT_FUTURE, &lock));
	set_limit(self->pid, lock.out_locked - PAGE);
	EXPECT_EQ(MEMLOCKD_WARNING_CAPABILITY,
		  warnings_of(self->fd, self->pid, L, CURRENT_FUTURE, &lock));
	EXPECT_EQ(MEMLOCKD_WARNING_CAPABILITY,
		  warnings_of(self->fd, self->pid, S, CURRENT_FUTURE, &lock));
	/* Without FUTURE, what it maps later is not locked. */
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(0, warnings_of(self->fd, self->pid, L, MEMLOCKD_CURRENT, &lock));

	/* What has been told comes true. */
	EXPECT_EQ(MEMLOCKD_WARNING_CAPABILITY,
		  warnings_of(self->fd, self->pid, L, CURRENT_FUTURE, &lock));
	EXPECT_LT(0, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
	ASSERT_EQ(0, target_call(&self->target, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, PAGE, RW, MAP_SHARED));
}

/* The target is in the control group with these @procs, and has written to so much memory. */
static void fill_in_cgroup(struct __test_metadata *_metadata, FIXTURE_DATA(cost) *self,
			   const char *procs, unsigned long size)
{
	long addr;

	ASSERT_TRUE(write_number(procs, self->pid));
	addr = target_call(&self->target, do_map_small, size, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, size, PAGE));
}

/* CGROUP may have so much more than it has. */
static void leave_room(struct __test_metadata *_metadata, unsigned long size)
{
	ASSERT_TRUE(write_number(CGROUP "/memory.max",
				 read_number(CGROUP "/memory.current") + size));
}

TEST_F(cost, fork_without_room_is_told)
{
	const unsigned long size = 48 * MIB;
	struct memlockd_lock lock;
	const char *why;

	set_limit(self->pid, RLIM_INFINITY);
	why = memory_cgroup(CGROUP);
	if (why)
		SKIP(return, "%s", why);
	fill_in_cgroup(_metadata, self, CGROUP "/cgroup.procs", size);

	EXPECT_EQ(0, warnings_of(self->fd, self->pid, S, CURRENT_FUTURE, &lock));
	EXPECT_LE(size, lock.out_fork_copy);
	EXPECT_GE(lock.out_pinned, lock.out_fork_copy);
	EXPECT_LT(lock.out_fork_copy, lock.out_fork_room);

	leave_room(_metadata, size / 2);
	EXPECT_EQ(MEMLOCKD_WARNING_FORK,
		  warnings_of(self->fd, self->pid, S, CURRENT_FUTURE, &lock));
	EXPECT_GE(size * 3 / 4, lock.out_fork_room);
	EXPECT_EQ(MEMLOCKD_WARNING_FORK,
		  warnings_of(self->fd, self->pid, L, MEMLOCKD_CURRENT, &lock));
	/* What is not pinned is not copied. */
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(0, warnings_of(self->fd, self->pid, L, LIKE_MLOCKALL, &lock));
	EXPECT_EQ(0, lock.out_fork_copy);
	EXPECT_EQ(0, lock.out_fork_room);
}

/* The limit of a cgroup above the process's own counts as well. */
TEST_F(cost, fork_without_room_above_is_told)
{
	const unsigned long size = 32 * MIB;
	struct memlockd_lock lock;
	const char *why;

	set_limit(self->pid, RLIM_INFINITY);
	why = memory_cgroup(CGROUP);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mkdir(CGROUP "/below", 0755));
	fill_in_cgroup(_metadata, self, CGROUP "/below/cgroup.procs", size);
	leave_room(_metadata, size / 2);
	EXPECT_EQ(MEMLOCKD_WARNING_FORK,
		  warnings_of(self->fd, self->pid, S, CURRENT_FUTURE, &lock));
	target_stop(&self->target);
	EXPECT_EQ(0, rmdir(CGROUP "/below"));
}

/* More than half of what the machine has left: as much again is not there. */
TEST_F(cost, fork_without_room_on_the_machine_is_told)
{
	unsigned long available = read_field("/proc/meminfo", "MemAvailable") * KIB;
	unsigned long size = available / 16 / PAGE * PAGE * 10;
	struct memlockd_lock lock;
	long addr;

	set_limit(self->pid, RLIM_INFINITY);
	addr = target_call(&self->target, do_map, size, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, size, PAGE));
	EXPECT_EQ(MEMLOCKD_WARNING_FORK,
		  warnings_of(self->fd, self->pid, S, CURRENT_FUTURE, &lock));
	EXPECT_LE(size, lock.out_fork_copy);
	EXPECT_LT(lock.out_fork_room, lock.out_fork_copy);

	/* The same process has room for the rest. */
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, size / 2, 0));
	EXPECT_EQ(0, warnings_of(self->fd, self->pid, S, CURRENT_FUTURE, &lock));
	EXPECT_LE(size / 2, lock.out_fork_copy);
	EXPECT_LT(lock.out_fork_copy, lock.out_fork_room);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
