// SPDX-License-Identifier: GPL-2.0-only
/*
 * What MEMLOCKD_FUTURE would lock beyond the target's RLIMIT_MEMLOCK: refused by the
 * kernel, locked, or left unlocked, as the lock says. limits_test has what is refused.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)

FIXTURE(over)
{
	struct counters start;
	struct target target;
	pid_t pid;
	int fd;
};

FIXTURE_VARIANT(over)
{
	int state, flags;
};

FIXTURE_VARIANT_ADD(over, movable)
{
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(over, locked)
{
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(over, superlocked)
{
	.state = S, .flags = CURRENT_FUTURE,
};

FIXTURE_SETUP(over)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
	/* A process with CAP_IPC_LOCK has no limit. */
	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
}

FIXTURE_TEARDOWN(over)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static void set_both(pid_t pid, unsigned long soft, unsigned long hard)
{
	struct rlimit limit = { soft, hard };

	if (prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL))
		ksft_perror("prlimit");
}

/* The soft limit of a process, if the hard one is @hard; ~1 if it is not. */
static unsigned long soft_of(pid_t pid, unsigned long hard)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit))
		return ~1UL;
	printf("# RLIMIT_MEMLOCK of %d: %ld %ld\n", pid, (long)limit.rlim_cur,
	       (long)limit.rlim_max);
	return limit.rlim_max == hard ? limit.rlim_cur : ~1UL;
}

static long do_brk(long by, long b, long c)
{
	void *old = sbrk(by);

	if (old == (void *)-1)
		return -errno;
	if (by > 0)
		memset(old, 1, by);
	return (long)old;
}

static void *touch_stack(void *arg)
{
	do_descend(64 * KIB, 0, 0);
	return NULL;
}

/* A thread that has a stack of @len bytes and ends; 0 or -errno. */
static long do_thread(long len, long b, long c)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, len);
	err = pthread_create(&thread, &attr, touch_stack, NULL);
	if (!err)
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

/* Each way to get more memory works; returns how much is mapped and locked afterwards. */
static void grow_in_each_way(struct __test_metadata *_metadata, struct target *t, bool locked)
{
	unsigned long before = status_bytes(t->pid, "VmLck"), now;
	long addr, moved;

	addr = target_call(t, do_map, LEN, RW, MAP_PRIVATE);
	EXPECT_LT(0, addr);
	EXPECT_EQ(0, target_call(t, do_write, addr, LEN, PAGE));
	now = status_bytes(t->pid, "VmLck");
	TH_LOG("mmap of %lu: VmLck %lu -> %lu", LEN, before, now);
	EXPECT_EQ(before + (locked ? LEN : 0), now);

	EXPECT_LT(0, target_call(t, do_brk, LEN, 0, 0));
	now = status_bytes(t->pid, "VmLck");
	TH_LOG("brk by %lu: VmLck %lu", LEN, now);
	EXPECT_EQ(before + (locked ? 2 * LEN : 0), now);

	moved = target_call(t, do_resize, addr, LEN, 2 * LEN);
	EXPECT_LT(0, moved);
	EXPECT_EQ(0, target_call(t, do_write, moved, 2 * LEN, PAGE));
	now = status_bytes(t->pid, "VmLck");
	TH_LOG("mremap to %lu: VmLck %lu", 2 * LEN, now);
	EXPECT_EQ(before + (locked ? 3 * LEN : 0), now);

	EXPECT_EQ(0, target_call(t, do_thread, MIB, 0, 0));
	EXPECT_EQ(0, target_call(t, do_descend, 2 * MIB, 0, 0));
	TH_LOG("a thread, and 2 MiB of the main stack: VmLck %lu", status_bytes(t->pid, "VmLck"));
}

TEST_F(over, raise_locks_what_is_over_the_limit)
{
	struct memlockd_status status;
	struct memlockd_lock lock;

	set_both(self->pid, PAGE, 2 * PAGE);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state,
			      variant->flags | MEMLOCKD_OVER_RAISE, &lock));
	EXPECT_LT(2 * PAGE, lock.out_locked);
	EXPECT_EQ(0, lock.out_warnings);
	EXPECT_EQ(RLIM_INFINITY, soft_of(self->pid, RLIM_INFINITY));
	ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
	EXPECT_EQ(~0ULL, status.out_memlock_limit);
	EXPECT_EQ(variant->flags | MEMLOCKD_OVER_RAISE, status.out_lock_flags);
	grow_in_each_way(_metadata, &self->target, true);
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(PAGE, soft_of(self->pid, 2 * PAGE));
}

TEST_F(over, raise_lasts_as_long_as_a_lock_asks_for_it)
{
	int flags = variant->flags | MEMLOCKD_OVER_RAISE, other = device_open();

	set_both(self->pid, PAGE, PAGE);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, flags, NULL));
	ASSERT_EQ(0, lock_pid(other, self->pid, variant->state, flags | MEMLOCKD_OWNED, NULL));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(RLIM_INFINITY, soft_of(self->pid, RLIM_INFINITY));
	close(other);
	EXPECT_EQ(PAGE, soft_of(self->pid, PAGE));

	/* Asking again without it is asking for less. */
	set_both(self->pid, 64 * MIB, 64 * MIB);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, flags, NULL));
	EXPECT_EQ(RLIM_INFINITY, soft_of(self->pid, RLIM_INFINITY));
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(64 * MIB, soft_of(self->pid, 64 * MIB));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
}

TEST_F(over, failure_leaves_the_limit)
{
	int flags = variant->flags | MEMLOCKD_OVER_RAISE;
	long max_wired = read_number(KNOB("max_wired"));

	set_both(self->pid, PAGE, 2 * PAGE);
	ASSERT_TRUE(write_number(KNOB("max_wired"), 1));
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, self->pid, variant->state, flags, NULL));
	ASSERT_TRUE(write_number(KNOB("max_wired"), max_wired));
	EXPECT_EQ(PAGE, soft_of(self->pid, 2 * PAGE));

	/* What it locks would not fit without: it is raised as before. */
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, flags, NULL));
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_SHARED));
	EXPECT_EQ(0, lock_pid(self->fd, self->pid, variant->state, flags, NULL));
	EXPECT_EQ(RLIM_INFINITY, soft_of(self->pid, RLIM_INFINITY));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(PAGE, soft_of(self->pid, 2 * PAGE));
}

TEST_F(over, limit_that_was_set_meanwhile_stays)
{
	set_both(self->pid, PAGE, 2 * PAGE);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state,
			      variant->flags | MEMLOCKD_OVER_RAISE, NULL));
	set_both(self->pid, 3 * PAGE, RLIM_INFINITY);
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(3 * PAGE, soft_of(self->pid, RLIM_INFINITY));
}

TEST_F(over, raise_ends_with_execve)
{
	set_both(self->pid, PAGE, 2 * PAGE);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state,
			      variant->flags | MEMLOCKD_OVER_RAISE, NULL));
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->pid));
	EXPECT_EQ(PAGE, soft_of(self->pid, 2 * PAGE));
}

/* The reason that MAPPINGS has for @addr; -1 when it has no row. */
static int reason_at(int fd, pid_t pid, unsigned long addr)
{
	struct memlockd_mapping *rows, *row;
	long nr = mappings_pid(fd, pid, 64, &rows);
	int reason = -1;

	row = nr > 0 ? row_at(rows, nr, addr) : NULL;
	if (row) {
		row_print(row);
		reason = row->reason;
	}
	free(rows);
	return reason;
}

/* Locks the target, at a limit that has no room for more. */
static unsigned long lock_at_limit(struct __test_metadata *_metadata, int fd, pid_t pid, int state,
				   int flags)
{
	struct memlockd_lock lock;

	set_limit(pid, RLIM_INFINITY);
	EXPECT_EQ(0, lock_pid(fd, pid, state, flags | MEMLOCKD_OVER_UNLOCKED, &lock));
	/* The stack, which is not in VmLck, counts as well. */
	set_limit(pid, lock.out_locked + status_bytes(pid, "VmStk"));
	return lock.out_locked;
}

TEST_F(over, unlocked_makes_each_mapping_and_names_it)
{
	unsigned long locked = lock_at_limit(_metadata, self->fd, self->pid, variant->state,
					     variant->flags);
	struct memlockd_sync sync = { .size = sizeof(sync), .target = self->pid };
	long addr, heap;

	EXPECT_EQ(locked, status_bytes(self->pid, "VmLck"));
	grow_in_each_way(_metadata, &self->target, false);
	EXPECT_EQ(locked, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(locked, vmas_locked(self->pid));

	addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, addr);
	EXPECT_EQ(MEMLOCKD_REASON_LIMIT, reason_at(self->fd, self->pid, addr));
	heap = target_call(&self->target, do_brk, LEN, 0, 0);
	ASSERT_LT(0, heap);
	EXPECT_EQ(MEMLOCKD_REASON_LIMIT, reason_at(self->fd, self->pid, heap + LEN - PAGE));

	/* Nothing has room yet, and that is no failure. */
	EXPECT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	EXPECT_EQ(locked, status_bytes(self->pid, "VmLck"));
	set_limit(self->pid, locked + 64 * MIB);
	EXPECT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	EXPECT_EQ(MEMLOCKD_REASON_NONE, reason_at(self->fd, self->pid, heap + LEN - PAGE));
	EXPECT_NE(MEMLOCKD_REASON_LIMIT, reason_at(self->fd, self->pid, addr));
	/* And what comes now is locked again. */
	locked = status_bytes(self->pid, "VmLck");
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(locked + LEN, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(LEN, present_bytes(self->pid, addr, addr + LEN));
	EXPECT_EQ(MEMLOCKD_REASON_NONE, reason_at(self->fd, self->pid, addr));

	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(0, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
}

TEST_F(over, unlocked_stack_is_pinned_as_far_as_there_is_room)
{
	struct vma stack;

	set_limit(self->pid, 64 * MIB);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state,
			      variant->flags | MEMLOCKD_OVER_UNLOCKED, NULL));
	EXPECT_EQ(0, target_call(&self->target, do_descend, MIB, 0, 0));
	ASSERT_TRUE(vma_find(self->pid, "[stack]", "rw", &stack));
	EXPECT_FALSE(vma_has(&stack, "lo"));
	EXPECT_EQ(MEMLOCKD_REASON_NONE, reason_at(self->fd, self->pid, stack.end - PAGE));
	EXPECT_LE(stack.end - stack.start, status_bytes(self->pid, "VmPin"));
	set_limit(self->pid, PAGE);
	EXPECT_EQ(0, target_call(&self->target, do_descend, 4 * MIB, 0, 0));
	EXPECT_EQ(MEMLOCKD_REASON_LIMIT, reason_at(self->fd, self->pid, stack.end - PAGE));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
}

/* A mapping that is locked cannot be unlocked in part: the kernel has the last word. */
TEST_F(over, unlocked_growth_of_a_locked_mapping_is_EAGAIN)
{
	long addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	unsigned long locked;

	ASSERT_LT(0, addr);
	locked = lock_at_limit(_metadata, self->fd, self->pid, variant->state, variant->flags);
	EXPECT_EQ(0, target_call(&self->target, do_advise, addr, LEN, MADV_DONTNEED));
	set_limit(self->pid, locked);
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_resize, addr, LEN, 2 * LEN));
	EXPECT_EQ(locked, status_bytes(self->pid, "VmLck"));
}

TEST_F(over, another_lock_that_fails_over_the_limit_has_it_so)
{
	int other = device_open();

	lock_at_limit(_metadata, self->fd, self->pid, variant->state, variant->flags);
	set_limit(self->pid, 64 * MIB);
	ASSERT_EQ(0, lock_pid(other, self->pid, L, LIKE_MLOCKALL | MEMLOCKD_OWNED, NULL));
	EXPECT_EQ(-EAGAIN, target_call(&self->target, do_map, 64 * MIB, RW, MAP_PRIVATE));
	close(other);
	EXPECT_LT(0, target_call(&self->target, do_map, 64 * MIB, RW, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, lock_pid(self->fd, self->pid, variant->state, variant->flags |
				    MEMLOCKD_OVER_UNLOCKED | MEMLOCKD_OVER_RAISE, NULL));
	EXPECT_EQ(-EINVAL, lock_pid(self->fd, self->pid, L,
				    MEMLOCKD_CURRENT | MEMLOCKD_OVER_UNLOCKED, NULL));
}

TEST_F(over, raise_needs_CAP_SYS_RESOURCE)
{
	const long flags = variant->flags | MEMLOCKD_OVER_RAISE;
	struct target client;

	set_both(self->pid, PAGE, 2 * PAGE);
	target_start_with(&client, self->fd);
	ASSERT_EQ(0, target_call(&client, do_drop_cap, CAP_SYS_RESOURCE, 0, 0));
	EXPECT_EQ(-EPERM, target_call(&client, do_lock, self->fd, self->pid,
				      STATE_FLAGS(variant->state, flags)));
	EXPECT_EQ(PAGE, soft_of(self->pid, 2 * PAGE));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->pid));
	target_stop(&client);
	EXPECT_EQ(-EINVAL, lock_pid(self->fd, self->pid, L,
				    MEMLOCKD_CURRENT | MEMLOCKD_OVER_RAISE, NULL));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
