// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process locks and unlocks itself while we have it locked: the two locks
 * of a page are independent, and the last one to go unlocks it.
 */
#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)

FIXTURE(retain)
{
	struct counters start;
	struct target target;
	unsigned long addr;
	/* Once it is locked. */
	unsigned long vmlck, vmpin;
	int fd;
};

FIXTURE_VARIANT(retain)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(retain, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(retain, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(retain, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

FIXTURE_SETUP(retain)
{
	long addr;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	/* Alone between guards, so that its size is what is locked with it. */
	addr = target_call(&self->target, do_map, 3 * LEN, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	self->addr = addr + LEN;
	ASSERT_EQ(0, target_call(&self->target, do_protect, self->addr, LEN, RW));
}

FIXTURE_TEARDOWN(retain)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static void lock_it(struct __test_metadata *_metadata, FIXTURE_DATA(retain) *self,
		    const FIXTURE_VARIANT(retain) *variant)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
	self->vmlck = status_bytes(pid, "VmLck");
	self->vmpin = status_bytes(pid, "VmPin");
}

/* All of it is locked as it was, with @more that came later. */
static void check_still_locked(struct __test_metadata *_metadata, FIXTURE_DATA(retain) *self,
			       const FIXTURE_VARIANT(retain) *variant, unsigned long more)
{
	unsigned long pins = variant->flags & MEMLOCKD_MOVABLE ? 0 : more;
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows, *row;
	long nr;

	EXPECT_EQ(self->vmlck + more, status_bytes(pid, "VmLck"));
	EXPECT_EQ(self->vmlck + more, vmas_locked(pid));
	EXPECT_EQ(self->vmpin + pins, status_bytes(pid, "VmPin"));
	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	EXPECT_EQ(0, rows_wrong(rows, nr, variant->state));
	row = row_at(rows, nr, self->addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(variant->state, row->state);
	EXPECT_EQ(MEMLOCKD_REASON_NONE, row->reason);
	free(rows);
}

/* Exactly @bytes are locked, none by us. */
static void check_own(struct __test_metadata *_metadata, FIXTURE_DATA(retain) *self,
		      unsigned long bytes)
{
	pid_t pid = self->target.pid;

	TH_LOG("VmLck %lu kB of its own", status_bytes(pid, "VmLck") / KIB);
	EXPECT_EQ(bytes, status_bytes(pid, "VmLck"));
	EXPECT_EQ(bytes, vmas_locked(pid));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

TEST_F(retain, munlock_does_not_undo_our_lock)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN / 2, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, munlockall_does_not_undo_our_lock)
{
	long addr;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check_still_locked(_metadata, self, variant, 0);
	/* FUTURE holds on, too. */
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(LEN, present_bytes(self->target.pid, addr, addr + LEN));
	check_still_locked(_metadata, self, variant, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlock_meanwhile_survives_our_unlock)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, LEN);
	EXPECT_EQ(LEN, present_bytes(self->target.pid, self->addr, self->addr + LEN));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_own(_metadata, self, 0);
}

/* The kernel does not split a mapping for a lock that is there already: we have it do so. */
TEST_F(retain, mlock_of_a_part_meanwhile_survives_our_unlock)
{
	pid_t pid = self->target.pid;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr + LEN / 4, LEN / 2, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_own(_metadata, self, LEN / 2);
	EXPECT_EQ(LEN / 2, present_bytes(pid, self->addr + LEN / 4, self->addr + 3 * LEN / 4));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlock_of_two_parts_and_what_is_between_them)
{
	pid_t pid = self->target.pid;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN / 4, 0));
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr + LEN / 2, LEN / 4, 0));
	/* From the middle of the first part to the middle of the second. */
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr + LEN / 8, LEN / 2, 0));
	/* And a part of that given up again. */
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr + LEN / 4, LEN / 8, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_own(_metadata, self, 5 * LEN / 8);
}

/* A part of a mapping that ends in a hole: the call fails, and marks nothing. */
TEST_F(retain, mlock_of_a_part_that_fails_changes_nothing)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr + LEN, LEN, 0));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(-ENOMEM, target_call(&self->target, do_mlock, self->addr + LEN / 2, LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	TH_LOG("VmLck %lu kB of its own", status_bytes(pid, "VmLck") / KIB);
	/* mlock(2) itself locks what comes before the hole. */
	EXPECT_GE(LEN / 2, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_own(_metadata, self, 0);
}

TEST_F(retain, what_mremap_moves_keeps_its_owner)
{
	/* With a guard between the two, or the kernel would merge them. */
	unsigned long to = self->addr + LEN, own = LEN / 2, rest = LEN / 4;
	pid_t pid = self->target.pid;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, own, 0));
	ASSERT_EQ((long)to, target_call(&self->target, do_move, self->addr, own, to));
	ASSERT_EQ((long)(to + LEN - rest),
		  target_call(&self->target, do_move, self->addr + own, rest, to + LEN - rest));
	EXPECT_EQ(self->vmlck - own - rest, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_own(_metadata, self, own);
	EXPECT_EQ(own, present_bytes(pid, to, to + own));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, to, LEN, 0));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlock_and_munlock_meanwhile_leave_nothing)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, 0));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlock_before_and_munlock_meanwhile_leave_nothing)
{
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, 0));
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlockall_future_meanwhile_survives_our_unlock)
{
	pid_t pid = self->target.pid;
	long first, second;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_FUTURE, 0, 0));
	check_still_locked(_metadata, self, variant, 0);
	first = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, first);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	/* It was mapped after both: it is locked by both. */
	check_own(_metadata, self, LEN);
	second = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, second);
	EXPECT_EQ(LEN, present_bytes(pid, second, second + LEN));
	check_own(_metadata, self, 2 * LEN);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlockall_current_meanwhile_survives_our_unlock)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_CURRENT, 0, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, self->vmlck);
	/* Not what comes later. */
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_SHARED));
	check_own(_metadata, self, self->vmlck);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check_own(_metadata, self, 0);
}

TEST_F(retain, mlockall_and_munlockall_meanwhile_leave_ours)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE));
	check_still_locked(_metadata, self, variant, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE));
	check_own(_metadata, self, 0);
}

TEST_F(retain, lock_on_fault_meanwhile_takes_no_page_away)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, MLOCK_ONFAULT));
	EXPECT_EQ(LEN, present_bytes(self->target.pid, self->addr, self->addr + LEN));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, LEN);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_own(_metadata, self, 0);
}

TEST_F(retain, calls_that_fail_change_nothing)
{
	const unsigned long nowhere = self->addr - LEN / 2;

	/* A hole within the range: mlock(2) and munlock(2) say ENOMEM at its end. */
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr - LEN, LEN, 0));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(-ENOMEM, target_call(&self->target, do_munlock, nowhere, LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	EXPECT_EQ(-EINVAL, target_call(&self->target, do_mlockall, MCL_ONFAULT, 0, 0));
	EXPECT_EQ(-EINVAL, target_call(&self->target, do_mlock, self->addr, LEN, 1 << 7));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, munlock_that_fails_at_a_hole_does_not_undo_our_lock)
{
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr + LEN, LEN, 0));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(-ENOMEM, target_call(&self->target, do_munlock, self->addr, 2 * LEN, 0));
	check_still_locked(_metadata, self, variant, 0);
	EXPECT_EQ(-EINVAL, target_call(&self->target, do_munlock, self->addr, -PAGE, 0));
	check_still_locked(_metadata, self, variant, 0);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, what_a_stack_has_grown_by_is_unlocked_with_it)
{
	struct vma stack, grown;
	pid_t pid = self->target.pid;

	if (variant->state == S)
		SKIP(return, "SUPERLOCKED always covers what comes later");
	ASSERT_TRUE(vma_find(pid, "[stack]", "rw", &stack));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, variant->flags & ~MEMLOCKD_FUTURE, NULL));
	target_call(&self->target, do_descend, stack.end - stack.start + 64 * PAGE, 0, 0);
	ASSERT_TRUE(vma_find(pid, "[stack]", "rw", &grown));
	TH_LOG("stack %lu kB, then %lu kB", (stack.end - stack.start) / KIB,
	       (grown.end - grown.start) / KIB);
	ASSERT_LT(stack.end - stack.start, grown.end - grown.start);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_own(_metadata, self, 0);
}

TEST_F(retain, lock_of_what_was_there_leaves_the_rest_to_the_target)
{
	long addr;

	if (variant->state == S)
		SKIP(return, "SUPERLOCKED always covers what comes later");
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L,
			      variant->flags & ~MEMLOCKD_FUTURE, NULL));
	self->vmlck = status_bytes(self->target.pid, "VmLck");
	addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, addr, LEN, 0));
	EXPECT_EQ(self->vmlck + LEN, status_bytes(self->target.pid, "VmLck"));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, addr, LEN, 0));
	EXPECT_EQ(self->vmlck, status_bytes(self->target.pid, "VmLck"));
	ASSERT_EQ(0, target_call(&self->target, do_mlock, addr, LEN, 0));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	check_own(_metadata, self, LEN);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
