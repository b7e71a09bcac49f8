// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a lock is of goes where the locked process moves its memory with mremap(2),
 * and ends where the process unmaps it; so an unlock finds all of it again.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)
#define LARGE	(64 * MIB)
#define PARTS	3
#define TRIES	20
#define TIMEOUT	600		/* of tests with many mappings */

/*
 * The target has three mappings in a row which differ, so that they are never
 * merged, in the midst of a reserve that nothing else is mapped in.
 */
FIXTURE(moved)
{
	struct counters start;
	struct target target;
	pid_t pid;
	unsigned long addr;		/* the first of them */
	unsigned long to;		/* room for all of them */
	unsigned long vmlck, vmpin;
	int fd;
};

FIXTURE_VARIANT(moved)
{
	int state;
};

FIXTURE_VARIANT_ADD(moved, locked) {
	.state = L,
};

FIXTURE_VARIANT_ADD(moved, superlocked) {
	.state = S,
};

FIXTURE_SETUP(moved)
{
	long room;
	int i;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
	room = target_call(&self->target, do_map_small, 16 * LEN, PROT_NONE,
			   MAP_PRIVATE | MAP_NORESERVE);
	ASSERT_LT(0, room);
	self->addr = room + LEN;
	self->to = room + 8 * LEN;
	for (i = 0; i < PARTS; i++)
		ASSERT_EQ(0, target_call(&self->target, do_protect, self->addr + i * LEN, LEN,
					 i & 1 ? PROT_READ : RW));
	self->vmlck = status_bytes(self->pid, "VmLck");
	self->vmpin = status_bytes(self->pid, "VmPin");
}

FIXTURE_TEARDOWN(moved)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* So much more is locked, pinned, and noted as ranges than at the beginning. */
static void check(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self,
		  unsigned long locked, unsigned long pinned, unsigned long ranges)
{
	struct memlockd_status status;

	ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
	TH_LOG("VmLck +%ld kB, VmPin +%ld kB, ranges %llu kB",
	       (long)(status_bytes(self->pid, "VmLck") - self->vmlck) / (long)KIB,
	       (long)(status_bytes(self->pid, "VmPin") - self->vmpin) / (long)KIB,
	       status.out_ranges / KIB);
	EXPECT_EQ(self->vmlck + locked, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(self->vmlck + locked, vmas_locked(self->pid));
	EXPECT_EQ(self->vmpin + pinned, status_bytes(self->pid, "VmPin"));
	EXPECT_EQ(ranges, status.out_ranges);
}

static void check_nothing_left(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	check(_metadata, self, 0, 0, 0);
	drain_batches();
	EXPECT_EQ(0, stuck_pages(self->pid, self->addr - LEN, self->addr + 15 * LEN));
}

/* It is in memory, and writing to it takes no fault, even where it was to be paged out. */
static void check_no_faults(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self,
			    unsigned long addr, unsigned long len)
{
	target_call(&self->target, do_advise, addr, len, MADV_PAGEOUT);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	TH_LOG("%ld minor and %ld major faults in %lu pages", self->target.minflt,
	       self->target.majflt, len / PAGE);
	EXPECT_EQ(0, self->target.minflt);
	EXPECT_EQ(0, self->target.majflt);
}

static long do_resize_in_place(long addr, long len, long new_len)
{
	void *at = mremap((void *)addr, len, new_len, 0);

	return at == MAP_FAILED ? -errno : (long)at;
}

static long do_move_dontunmap(long addr, long len, long to)
{
	void *at = mremap((void *)addr, len, len,
			  MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, (void *)to);

	return at == MAP_FAILED ? -errno : (long)at;
}

/* How many bytes of [@start, @end) are in mappings with that flag. */
static unsigned long flagged(pid_t pid, const char *flag, unsigned long start, unsigned long end)
{
	unsigned long sum = 0;
	struct vma *vmas;
	long i, nr = vmas_read(pid, &vmas);

	for (i = 0; i < nr; i++) {
		unsigned long from = vmas[i].start > start ? vmas[i].start : start;
		unsigned long to = vmas[i].end < end ? vmas[i].end : end;

		if (from < to && vma_has(&vmas[i], flag))
			sum += to - from;
	}
	free(vmas);
	return sum;
}

/* ---- ranges ---- */

TEST_F(moved, range_goes_with_its_mapping)
{
	struct memlockd_mapping *rows, *row;
	long nr;

	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	check(_metadata, self, LEN, LEN, LEN);
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, LEN, self->to));
	check(_metadata, self, LEN, LEN, LEN);
	nr = mappings_pid(self->fd, self->pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, self->to);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(variant->state, row->state);
	free(rows);
	check_no_faults(_metadata, self, self->to, LEN);

	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->addr, LEN));
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, LEN));
	check_nothing_left(_metadata, self);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->to, LEN));
}

TEST_F(moved, range_goes_there_and_back)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, LEN, self->to));
	ASSERT_EQ(self->addr, target_call(&self->target, do_move, self->to, LEN, self->addr));
	check(_metadata, self, LEN, LEN, LEN);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->to, LEN));
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN));
	check_nothing_left(_metadata, self);
}

/* A part of what is locked goes, the rest stays. */
TEST_F(moved, part_that_goes_takes_its_part_of_a_range)
{
	unsigned long part = self->addr + LEN / 4;

	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(self->to, target_call(&self->target, do_move, part, LEN / 2, self->to));
	check(_metadata, self, LEN, LEN, LEN);
	check_no_faults(_metadata, self, self->to, LEN / 2);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, part, LEN / 2));
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, LEN / 2));
	check(_metadata, self, LEN / 2, LEN / 2, LEN / 2);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN));
	check_nothing_left(_metadata, self);
}

/* It is not VM_LOCKED: only the pins tell, and they are somewhere else afterwards. */
TEST_F(moved, range_of_a_part_goes_with_its_mapping)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr + LEN / 4,
				LEN / 2, NULL));
	check(_metadata, self, 0, LEN / 2, LEN / 2);
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, LEN, self->to));
	check(_metadata, self, 0, LEN / 2, LEN / 2);
	check_no_faults(_metadata, self, self->to + LEN / 4, LEN / 2);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->to, LEN / 4));
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to + LEN / 4, LEN / 2));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, range_ends_where_something_is_moved_over_it)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(self->addr, target_call(&self->target, do_move, self->addr + 2 * LEN, LEN,
					  self->addr));
	check_nothing_left(_metadata, self);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->addr, LEN));
}

/* One mapping becomes larger, and VM_LOCKED is of all of it: so must the unlock be. */
TEST_F(moved, range_that_grows_in_place_leaves_nothing)
{
	unsigned long last = self->addr + 2 * LEN;

	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, last, LEN, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, last + LEN, LEN, 0));
	ASSERT_EQ(last, target_call(&self->target, do_resize_in_place, last, LEN, 2 * LEN));
	TH_LOG("VmLck %lu kB after it has grown", status_bytes(self->pid, "VmLck") / KIB);
	EXPECT_EQ(vmas_locked(self->pid), status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(LEN, flagged(self->pid, "lo", last, last + LEN));
	check_no_faults(_metadata, self, last, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, last, 2 * LEN));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, range_that_shrinks_leaves_nothing)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(self->addr, target_call(&self->target, do_resize_in_place, self->addr, LEN,
					  LEN / 2));
	check(_metadata, self, LEN / 2, LEN / 2, LEN / 2);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN / 2));
	check_nothing_left(_metadata, self);
}

/* The pages go, and the old place is an empty mapping that nobody has locked. */
TEST_F(moved, range_goes_and_leaves_an_empty_mapping_behind)
{
	int err;

	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(self->to, target_call(&self->target, do_move_dontunmap, self->addr, LEN,
					self->to));
	EXPECT_EQ(LEN, flagged(self->pid, "lo", self->to, self->to + LEN));
	EXPECT_EQ(vmas_locked(self->pid), status_bytes(self->pid, "VmLck"));
	check_no_faults(_metadata, self, self->to, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, LEN));
	/* Whether the old place still belongs to the range is not the matter here. */
	err = unlock_range(self->fd, self->pid, self->addr, LEN);
	EXPECT_TRUE(!err || err == -ENOENT);
	check_nothing_left(_metadata, self);
}

/* The lock of the whole comes and goes, and leaves the range at its new place. */
TEST_F(moved, range_under_a_lock_of_the_whole)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, LEN, self->to));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check(_metadata, self, LEN, LEN, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, LEN));
	check_nothing_left(_metadata, self);
}

/* What retain_test has of the lock of the whole, where nothing but a range is locked. */
TEST_F(moved, munlock_does_not_undo_a_range)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check(_metadata, self, LEN, LEN, LEN);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN / 2, 0));
	check(_metadata, self, LEN, LEN, LEN);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check(_metadata, self, LEN, LEN, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, own_mlock_survives_the_unlock_of_a_range)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, 0));
	check(_metadata, self, LEN, LEN, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN));
	check(_metadata, self, LEN, 0, 0);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, own_mlock_of_a_part_survives_the_unlock_of_a_range)
{
	unsigned long part = self->addr + LEN / 4;

	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_mlock, part, LEN / 2, 0));
	check(_metadata, self, LEN, LEN, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN));
	check(_metadata, self, LEN / 2, 0, 0);
	EXPECT_EQ(LEN / 2, flagged(self->pid, "lo", part, part + LEN / 2));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->addr, LEN, 0));
	check_nothing_left(_metadata, self);
}

static long do_lock_large(long fd, long pid, long addr)
{
	return lock_range(fd, pid, S, addr, LARGE, NULL);
}

/*
 * A LOCK_RANGE that is undone puts back what was locked before it, but not what the
 * target has unmapped meanwhile.
 */
TEST_F(moved, what_is_unmapped_while_a_range_is_locked_does_not_come_back)
{
	struct memlockd_status status;
	unsigned long addr, rss;
	struct target client;
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		addr = target_call(&self->target, do_map_small, LARGE, RW, MAP_PRIVATE);
		ASSERT_LT(0, (long)addr);
		/* So that it differs from what the rest of the range gets. */
		ASSERT_EQ(0, lock_range(self->fd, self->pid, L, addr, LEN, NULL));
		target_start_with(&client, self->fd);
		rss = status_bytes(self->pid, "VmRSS");
		target_post(&client, do_lock_large, self->fd, self->pid, addr);
		wait_rss(self->pid, rss + LARGE / 16);
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
		target_stop(&client);
		ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
		if (status.out_ranges != LARGE - LEN)
			break;
		/* The whole of it had been locked before we killed its client. */
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LARGE, 0));
	}
	TH_LOG("ranges %llu kB after a kill, at try %d", status.out_ranges / KIB, tries);
	ASSERT_GT(TRIES, tries);
	check_nothing_left(_metadata, self);
	/* What is mapped there now is nobody's. */
	ASSERT_EQ(addr, target_call(&self->target, do_map_at, addr, LEN, RW));
	check_nothing_left(_metadata, self);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, addr, LEN));
}

/* Parts of a mapping, which become many when each second page is locked. */
#define PAGES	(6 * LEN / PAGE)

static void set_pages(bool *locked, long first, long nr, bool value)
{
	for (long i = first; i < first + nr; i++)
		locked[i] = value;
}

/* What is locked of PAGES pages that begin at @addr is as @locked has it, page by page. */
static void check_pages(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self,
			unsigned long addr, const bool *locked)
{
	struct memlockd_status status;
	long i, nr = 0, wrong = 0;

	for (i = 0; i < PAGES; i++)
		nr += locked[i];
	ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
	TH_LOG("VmPin +%ld kB, ranges %llu kB, of %ld kB",
	       (long)(status_bytes(self->pid, "VmPin") - self->vmpin) / (long)KIB,
	       status.out_ranges / KIB, nr * PAGE / KIB);
	EXPECT_EQ(nr * PAGE, status.out_ranges);
	EXPECT_EQ(self->vmpin + nr * PAGE, status_bytes(self->pid, "VmPin"));
	for (i = 0; i < PAGES; i++)
		wrong += unlock_range(self->fd, self->pid, addr + i * PAGE, PAGE) !=
			 (locked[i] ? 0 : -ENOENT);
	EXPECT_EQ(0, wrong);
	check_nothing_left(_metadata, self);
}

/* One mapping of PAGES pages, of which each second is locked; returns where it is. */
static unsigned long lock_each_second(struct __test_metadata *_metadata,
				      FIXTURE_DATA(moved) *self,
				      const FIXTURE_VARIANT(moved) *variant, bool *locked)
{
	unsigned long addr = self->addr;

	ASSERT_EQ(0, target_call(&self->target, do_protect, addr, PAGES * PAGE, RW));
	for (long i = 0; i < PAGES; i++) {
		locked[i] = i % 2;
		if (locked[i])
			ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state,
						addr + i * PAGE, PAGE, NULL));
	}
	return addr;
}

TEST_F(moved, many_ranges_go_with_their_mapping)
{
	unsigned long addr, to = self->to;
	bool locked[PAGES];

	addr = lock_each_second(_metadata, self, variant, locked);
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));
	ASSERT_EQ(addr, target_call(&self->target, do_move, to, PAGES * PAGE, addr));
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));
	check_no_faults(_metadata, self, to + (PAGES - 1) * PAGE, PAGE);
	check_pages(_metadata, self, to, locked);
}

/* What has moved changes again in the middle: by us, by the process, and by a second move. */
TEST_F(moved, many_ranges_that_have_moved_can_be_changed)
{
	unsigned long addr, to = self->to, part = to + PAGES / 3 * PAGE;
	bool locked[PAGES];

	addr = lock_each_second(_metadata, self, variant, locked);
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));

	ASSERT_EQ(0, unlock_range(self->fd, self->pid, to + PAGE, PAGE));
	locked[1] = false;
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, to + 20 * PAGE, 30 * PAGE,
				NULL));
	set_pages(locked, 20, 30, true);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, to + 90 * PAGE, 10 * PAGE, 0));
	set_pages(locked, 90, 10, false);
	/* There and back, a third of it, which begins and ends within others. */
	ASSERT_EQ(addr, target_call(&self->target, do_move, part, PAGES / 3 * PAGE, addr));
	ASSERT_EQ(part, target_call(&self->target, do_move, addr, PAGES / 3 * PAGE, part));
	ASSERT_EQ(0, unlock_range(self->fd, self->pid, to + (PAGES - 30) * PAGE, 20 * PAGE));
	set_pages(locked, PAGES - 30, 20, false);
	check_pages(_metadata, self, to, locked);
}

/* The lock of the whole comes and goes, and the process locks some of it itself. */
TEST_F(moved, many_ranges_that_have_moved_outlive_a_lock_of_the_whole)
{
	unsigned long addr, to = self->to;
	bool locked[PAGES];

	addr = lock_each_second(_metadata, self, variant, locked);
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, S, CURRENT_FUTURE, NULL));
	check_no_faults(_metadata, self, to, PAGES * PAGE);
	ASSERT_EQ(addr, target_call(&self->target, do_move, to, PAGES * PAGE, addr));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));
	check_pages(_metadata, self, to, locked);
}

/* Nothing of it is left when it is unmapped, or something else is moved over it. */
TEST_F(moved, many_ranges_that_have_moved_end_where_they_are_unmapped)
{
	unsigned long addr, to = self->to;
	bool locked[PAGES];

	addr = lock_each_second(_metadata, self, variant, locked);
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, to + LEN, LEN, 0));
	ASSERT_EQ(to + 2 * LEN, target_call(&self->target, do_move, to, LEN, to + 2 * LEN));
	set_pages(locked, 0, 2 * LEN / PAGE, false);
	check_pages(_metadata, self, to, locked);
}

/* The process ends, with its ranges as they are. */
TEST_F(moved, many_ranges_that_have_moved_end_with_the_process)
{
	unsigned long addr, to = self->to;
	bool locked[PAGES];

	addr = lock_each_second(_metadata, self, variant, locked);
	ASSERT_EQ(to, target_call(&self->target, do_move, addr, PAGES * PAGE, to));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, to + LEN, PAGE, 0));
}

/* ---- the lock of the whole ---- */

static void lock_whole(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self,
		       const FIXTURE_VARIANT(moved) *variant)
{
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, CURRENT_FUTURE, NULL));
}

static bool make_mergeable(FIXTURE_DATA(moved) *self)
{
	return !target_call(&self->target, do_advise, self->addr, LEN, MADV_MERGEABLE) &&
	       flagged(self->pid, "mg", self->addr, self->addr + LEN) == LEN;
}

static void check_mergeable(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self,
			    unsigned long addr, unsigned long len)
{
	TH_LOG("%lu kB may be merged", flagged(self->pid, "mg", 0, -1) / KIB);
	EXPECT_EQ(len, flagged(self->pid, "mg", addr, addr + len));
	EXPECT_EQ(len, flagged(self->pid, "mg", 0, -1));
}

TEST_F(moved, mergeable_goes_with_its_mapping)
{
	if (!make_mergeable(self))
		SKIP(return, "this kernel merges no pages");
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, LEN, self->to));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_mergeable(_metadata, self, self->to, LEN);
	check_nothing_left(_metadata, self);
}

TEST_F(moved, mergeable_of_a_part_goes_with_that_part)
{
	if (!make_mergeable(self))
		SKIP(return, "this kernel merges no pages");
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr + LEN / 4, LEN / 2,
					self->to));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(LEN / 2, flagged(self->pid, "mg", self->to, self->to + LEN / 2));
	EXPECT_EQ(LEN / 2, flagged(self->pid, "mg", self->addr, self->addr + LEN));
	EXPECT_EQ(LEN, flagged(self->pid, "mg", 0, -1));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, mergeable_ends_where_something_is_moved_over_it)
{
	if (!make_mergeable(self))
		SKIP(return, "this kernel merges no pages");
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(self->addr, target_call(&self->target, do_move, self->addr + 2 * LEN, LEN,
					  self->addr));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(0, flagged(self->pid, "mg", 0, -1));
	check_nothing_left(_metadata, self);
}

/* One mremap(2) of several mappings works since Linux 6.17. */
static bool moves_several(FIXTURE_DATA(moved) *self)
{
	return target_call(&self->target, do_move, self->addr, PARTS * LEN, self->to) > 0 &&
	       target_call(&self->target, do_move, self->to, PARTS * LEN, self->addr) > 0;
}

TEST_F(moved, mergeable_goes_with_several_mappings)
{
	if (!make_mergeable(self))
		SKIP(return, "this kernel merges no pages");
	if (!moves_several(self))
		SKIP(return, "this kernel moves one mapping at a time");
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, PARTS * LEN,
					self->to));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_mergeable(_metadata, self, self->to, LEN);
	check_nothing_left(_metadata, self);
}

/* Every combination of mappings that the process has locked itself, before or meanwhile. */
TEST_F(moved, several_mappings_keep_their_owners)
{
	unsigned long from = self->addr, to = self->to, swap, own;
	int mask, i, meanwhile;

	if (!moves_several(self))
		SKIP(return, "this kernel moves one mapping at a time");
	for (mask = 0; mask < 1 << PARTS; mask++) {
		for (meanwhile = 0; meanwhile < 2; meanwhile++) {
			own = 0;
			if (meanwhile)
				lock_whole(_metadata, self, variant);
			for (i = 0; i < PARTS; i++) {
				if (!(mask & 1 << i))
					continue;
				own += LEN;
				ASSERT_EQ(0, target_call(&self->target, do_mlock, from + i * LEN,
							 LEN, 0));
			}
			if (!meanwhile)
				lock_whole(_metadata, self, variant);
			ASSERT_EQ(to, target_call(&self->target, do_move, from, PARTS * LEN, to));
			ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
			TH_LOG("own mlock %s the lock of mappings %c%c%c:",
			       meanwhile ? "during" : "before", mask & 1 ? 'x' : '-',
			       mask & 2 ? 'x' : '-', mask & 4 ? 'x' : '-');
			check(_metadata, self, own, 0, 0);
			for (i = 0; i < PARTS; i++)
				EXPECT_EQ(mask & 1 << i ? LEN : 0,
					  flagged(self->pid, "lo", to + i * LEN,
						  to + (i + 1) * LEN));
			ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
			swap = from;
			from = to;
			to = swap;
		}
	}
	check_nothing_left(_metadata, self);
}

TEST_F(moved, range_of_several_mappings_goes_with_them)
{
	/* LOCKED pins what is writable: the second of them. */
	unsigned long pinned = variant->state == S ? 2 * LEN : LEN;

	if (!moves_several(self))
		SKIP(return, "this kernel moves one mapping at a time");
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr + LEN, 2 * LEN,
				NULL));
	check(_metadata, self, 2 * LEN, pinned, 2 * LEN);
	ASSERT_EQ(self->to, target_call(&self->target, do_move, self->addr, PARTS * LEN,
					self->to));
	check(_metadata, self, 2 * LEN, pinned, 2 * LEN);
	EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->to, LEN));
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, PARTS * LEN));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, own_mlock_grows_as_the_kernel_has_it)
{
	unsigned long last = self->addr + 2 * LEN;

	ASSERT_EQ(0, target_call(&self->target, do_mlock, last, LEN, 0));
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, last + LEN, LEN, 0));
	ASSERT_EQ(last, target_call(&self->target, do_resize_in_place, last, LEN, 2 * LEN));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check(_metadata, self, 2 * LEN, 0, 0);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, last, 2 * LEN, 0));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, what_only_we_lock_grows_and_leaves_nothing)
{
	unsigned long last = self->addr + 2 * LEN;

	lock_whole(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, last + LEN, LEN, 0));
	ASSERT_EQ(last, target_call(&self->target, do_resize_in_place, last, LEN, 2 * LEN));
	check_no_faults(_metadata, self, last, 2 * LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, own_mlock_goes_and_leaves_an_empty_mapping_behind)
{
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr, LEN, 0));
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(self->to, target_call(&self->target, do_move_dontunmap, self->addr, LEN,
					self->to));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check(_metadata, self, LEN, 0, 0);
	EXPECT_EQ(LEN, flagged(self->pid, "lo", self->to, self->to + LEN));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, self->to, LEN, 0));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, what_only_we_lock_goes_and_leaves_an_empty_mapping_behind)
{
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(self->to, target_call(&self->target, do_move_dontunmap, self->addr, LEN,
					self->to));
	check_no_faults(_metadata, self, self->to, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_nothing_left(_metadata, self);
}

/* ---- what the process locks on fault ---- */

/* New memory is locked by the process itself, and none of it is present before it is used. */
static void check_future_on_fault(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	long addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);

	ASSERT_LT(0, addr);
	TH_LOG("%lu kB of %lu kB present", present_bytes(self->pid, addr, addr + LEN) / KIB,
	       LEN / KIB);
	EXPECT_EQ(LEN, flagged(self->pid, "lo", addr, addr + LEN));
	EXPECT_EQ(0, present_bytes(self->pid, addr, addr + LEN));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, LEN, 0));
}

TEST_F(moved, own_future_on_fault_survives_our_lock)
{
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_FUTURE | MCL_ONFAULT, 0, 0));
	check_future_on_fault(_metadata, self);
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_future_on_fault(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, own_future_on_fault_meanwhile_survives_our_lock)
{
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_FUTURE | MCL_ONFAULT, 0, 0));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_future_on_fault(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
	check_nothing_left(_metadata, self);
}

/* A mapping that is still locked on fault grows by pages that are not present. */
static void check_grows_on_fault(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	unsigned long last = self->addr + 2 * LEN;

	ASSERT_EQ(0, target_call(&self->target, do_unmap, last + LEN, LEN, 0));
	ASSERT_EQ(last, target_call(&self->target, do_resize_in_place, last, LEN, 2 * LEN));
	TH_LOG("%lu kB of %lu kB present", present_bytes(self->pid, last + LEN, last + 2 * LEN) /
	       KIB, LEN / KIB);
	EXPECT_EQ(0, present_bytes(self->pid, last + LEN, last + 2 * LEN));
	check(_metadata, self, 2 * LEN, 0, 0);
	ASSERT_EQ(0, target_call(&self->target, do_munlock, last, 2 * LEN, 0));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, own_lock_on_fault_survives_our_lock)
{
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr + 2 * LEN, LEN,
				 MLOCK_ONFAULT));
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_grows_on_fault(_metadata, self);
}

TEST_F(moved, own_lock_on_fault_meanwhile_survives_our_lock)
{
	lock_whole(_metadata, self, variant);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, self->addr + 2 * LEN, LEN,
				 MLOCK_ONFAULT));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_grows_on_fault(_metadata, self);
}

/* What a thread of the target moves, and what it has seen of it. */
static struct {
	pthread_t thread;
	unsigned long low, high;
	long len, all;
	bool stop;
	long moves;
} mover;

static void *move_there_and_back(void *arg)
{
	while (!__atomic_load_n(&mover.stop, __ATOMIC_SEQ_CST)) {
		do_move(mover.low, PAGE, mover.high);
		do_move(mover.high, PAGE, mover.low);
		mover.moves += 2;
	}
	return NULL;
}

static long do_begin_to_move(long low, long high, long c)
{
	mover.low = low;
	mover.high = high;
	return -pthread_create(&mover.thread, NULL, move_there_and_back, NULL);
}

static long do_end_moves(long a, long b, long c)
{
	__atomic_store_n(&mover.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(mover.thread, NULL);
	return mover.moves;
}

/*
 * So many mappings make a pass give mmap_lock up: MEMLOCKD_MAPPINGS, which a kernel wants less
 * of that is slow.
 */
static unsigned long cuts(void)
{
	const char *env = getenv("MEMLOCKD_MAPPINGS");

	return env ? strtoul(env, NULL, 10) : 20000;
}

/* Makes each second page of it a mapping of its own. */
static long do_cut(long addr, long len, long c)
{
	long err = 0;

	for (long at = 0; at < len && !err; at += 2 * PAGE)
		err = do_protect(addr + at, PAGE, PROT_READ);
	return err;
}

/*
 * Makes a range of many mappings in the middle of memory without access, of which there are
 * some pages before it and behind it.
 */
static void cut_range(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	long room = target_call(&self->target, do_map_small, (cuts() + 8) * PAGE, PROT_NONE,
				MAP_PRIVATE | MAP_NORESERVE);

	ASSERT_LT(0, room);
	self->addr = room + 4 * PAGE;
	self->to = room + PAGE;
	ASSERT_EQ(0, target_call(&self->target, do_protect, self->addr, cuts() * PAGE, RW));
	ASSERT_EQ(0, target_call(&self->target, do_cut, self->addr, cuts() * PAGE, 0));
}

/*
 * An unlock looks at one mapping after the other, with mmap_lock given up in between.  One
 * that jumps over the place at which it is must not be left behind.
 */
TEST_F_TIMEOUT(moved, what_moves_during_an_unlock_is_unlocked, TIMEOUT)
{
	long moves;

	cut_range(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_protect, self->to, PAGE, RW));
	ASSERT_EQ(0, target_call(&self->target, do_begin_to_move, self->to,
				 self->addr + (cuts() + 2) * PAGE, 0));
	for (int i = 0; i < TRIES / 2; i++) {
		ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, CURRENT_FUTURE, NULL));
		ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	}
	moves = target_call(&self->target, do_end_moves, 0, 0, 0);
	TH_LOG("%ld moves during %d locks and unlocks", moves, TRIES / 2);
	EXPECT_LT(0, moves);
	check_nothing_left(_metadata, self);
}

/* ---- requests that come while something is being moved ---- */

static long do_move_held_fd = -1;

static void *move_once(void *arg)
{
	do_move(mover.low, mover.len, mover.high);
	return NULL;
}

/*
 * Begins to move memory, and returns when its pages are at their new place, where nothing is
 * mapped before.  mremap(2) has not returned: it waits until somebody reads the event that
 * tells of it.
 */
static long do_move_held(long addr, long len, long to)
{
	unsigned char there;
	int err, fd;

	memset((void *)addr, 1, len);
	fd = userfault_register(addr, len, UFFDIO_REGISTER_MODE_MISSING,
				UFFD_FEATURE_EVENT_REMAP);
	if (fd < 0)
		return fd;
	if (munmap((void *)to, len))
		return -errno;
	do_move_held_fd = fd;
	mover.low = addr;
	mover.high = to;
	mover.len = len;
	err = pthread_create(&mover.thread, NULL, move_once, NULL);
	if (err)
		return -err;
	while (mincore((void *)to, PAGE, &there) && errno == ENOMEM)
		sched_yield();
	return 0;
}

/* Lets it return. */
static long do_let_move(long a, long b, long c)
{
	struct uffd_msg msg;

	if (read(do_move_held_fd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_REMAP)
		return -EINVAL;
	pthread_join(mover.thread, NULL);
	return close(do_move_held_fd);
}

static void move_held(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	ASSERT_EQ(0, target_call(&self->target, do_move_held, self->addr, LEN, self->to));
}

static void let_move(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	ASSERT_EQ(0, target_call(&self->target, do_let_move, 0, 0, 0));
}

/* All of it is locked where it has gone, and can be unlocked there. */
static void check_locked_at_new_place(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	check(_metadata, self, LEN, LEN, LEN);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, LEN));
	check_nothing_left(_metadata, self);
}

TEST_F(moved, unlock_of_the_old_place_of_what_is_being_moved_leaves_nothing)
{
	int old, new;

	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	move_held(_metadata, self);
	old = unlock_range(self->fd, self->pid, self->addr, LEN);
	let_move(_metadata, self);
	new = unlock_range(self->fd, self->pid, self->to, LEN);
	TH_LOG("unlock of the old place: %d, of the new one: %d", old, new);
	EXPECT_EQ(-ENOENT, old);
	EXPECT_EQ(0, new);
	check_nothing_left(_metadata, self);
}

TEST_F(moved, unlock_of_the_new_place_of_what_is_being_moved_leaves_nothing)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	move_held(_metadata, self);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, LEN));
	let_move(_metadata, self);
	check_nothing_left(_metadata, self);
}

/* It is not taken for what the process has locked itself. */
TEST_F(moved, second_lock_of_what_is_being_moved_is_ours)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	move_held(_metadata, self);
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->to, LEN, NULL));
	let_move(_metadata, self);
	check_locked_at_new_place(_metadata, self);
}

/* The call has begun before anything was locked, so that its entry has not been seen. */
TEST_F(moved, first_lock_of_what_is_being_moved_stays_until_its_unlock)
{
	move_held(_metadata, self);
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->to, LEN, NULL));
	let_move(_metadata, self);
	check_locked_at_new_place(_metadata, self);
}

TEST_F(moved, whole_is_locked_and_unlocked_while_a_range_is_being_moved)
{
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	move_held(_metadata, self);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, CURRENT_FUTURE, NULL));
	let_move(_metadata, self);
	check_no_faults(_metadata, self, self->to, LEN);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_locked_at_new_place(_metadata, self);
}

/* How much of the process is VM_LOCKED, which takes no lock. */
static long own_vmlck(void)
{
	return status_bytes(getpid(), "VmLck");
}

/*
 * Waits until so much of the process is VM_LOCKED, or no more than that any more, as @len says,
 * moves a page, and remembers whether the request was still under way then.
 */
static void *move_amid(void *arg)
{
	bool lock = mover.len > 0;
	long bound = lock ? mover.len : -mover.len;

	while (lock ? own_vmlck() < bound : own_vmlck() > bound)
		;
	do_move(mover.low, PAGE, mover.high);
	mover.moves = lock ? mover.all - own_vmlck() : own_vmlck() - mover.all;
	return NULL;
}

static long do_begin_to_move_amid(long low, long high, long bound)
{
	mover.low = low;
	mover.high = high;
	mover.len = bound;
	return -pthread_create(&mover.thread, NULL, move_amid, NULL);
}

/* What VmLck will be when the request is done. */
static long do_expect(long all, long b, long c)
{
	mover.all = all;
	return 0;
}

/* How much of the request was left to be done when the page had been moved, in bytes. */
static long do_end_move_amid(long a, long b, long c)
{
	pthread_join(mover.thread, NULL);
	return mover.moves;
}

#define LAST	(self->addr + (cuts() - 1) * PAGE)

static long range_to_cut(FIXTURE_DATA(moved) *self, int state)
{
	return lock_range(self->fd, self->pid, state, self->addr, cuts() * PAGE, NULL);
}

/* Puts the page back, which has been moved out of the range. */
static void move_back(struct __test_metadata *_metadata, FIXTURE_DATA(moved) *self)
{
	ASSERT_EQ(LAST, target_call(&self->target, do_move, self->to, PAGE, LAST));
}

/*
 * The unlock has taken VM_LOCKED from the first mappings of a range, and gives mmap_lock up,
 * when the last is moved to in front of the range.
 */
TEST_F_TIMEOUT(moved, what_moves_out_of_a_range_during_its_unlock_is_unlocked, TIMEOUT)
{
	long left = 0;
	int tries;

	cut_range(_metadata, self);
	for (tries = 0; tries < TRIES && left <= 0; tries++) {
		if (tries)
			move_back(_metadata, self);
		ASSERT_EQ(0, range_to_cut(self, variant->state));
		ASSERT_EQ(0, target_call(&self->target, do_expect, self->vmlck + PAGE, 0, 0));
		ASSERT_EQ(0, target_call(&self->target, do_begin_to_move_amid, LAST, self->to,
					 -(long)(self->vmlck + (cuts() - 8) * PAGE)));
		ASSERT_EQ(0, unlock_range(self->fd, self->pid, self->addr, cuts() * PAGE));
		left = target_call(&self->target, do_end_move_amid, 0, 0, 0);
		check(_metadata, self, 0, 0, 0);
		EXPECT_EQ(-ENOENT, unlock_range(self->fd, self->pid, self->to, PAGE));
	}
	TH_LOG("the page was moved when %ld kB were still locked, at try %d", left / KIB, tries);
	ASSERT_LT(0, left);
	check_nothing_left(_metadata, self);
}

/* Likewise, of a lock: it is of what the range was when it began. */
TEST_F_TIMEOUT(moved, what_moves_out_of_a_range_during_its_lock_is_locked_until_its_unlock, TIMEOUT)
{
	long left = 0;
	int tries;

	cut_range(_metadata, self);
	for (tries = 0; tries < TRIES && left <= 0; tries++) {
		if (tries)
			move_back(_metadata, self);
		ASSERT_EQ(0, target_call(&self->target, do_expect,
					 self->vmlck + cuts() * PAGE - PAGE, 0, 0));
		ASSERT_EQ(0, target_call(&self->target, do_begin_to_move_amid, LAST, self->to,
					 self->vmlck + 8 * PAGE));
		ASSERT_EQ(0, range_to_cut(self, variant->state));
		left = target_call(&self->target, do_end_move_amid, 0, 0, 0);
		EXPECT_EQ(PAGE, flagged(self->pid, "lo", self->to, self->to + PAGE));
		EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->to, PAGE));
		EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, cuts() * PAGE));
		check(_metadata, self, 0, 0, 0);
	}
	TH_LOG("the page was moved when %ld kB were not locked yet, at try %d", left / KIB, tries);
	ASSERT_LT(0, left);
	check_nothing_left(_metadata, self);
}

static long do_lock_cuts(long fd, long pid, long addr)
{
	return lock_range(fd, pid, S, addr, cuts() * PAGE, NULL);
}

/* A lock that is undone takes back what it has done of what is somewhere else by now. */
TEST_F_TIMEOUT(moved, what_moves_out_of_a_range_is_unlocked_when_its_lock_is_undone, TIMEOUT)
{
	unsigned long vmlck;
	struct target client;
	int tries, undone = 0;

	cut_range(_metadata, self);
	for (tries = 0; tries < TRIES && !undone; tries++) {
		target_start_with(&client, self->fd);
		target_post(&client, do_lock_cuts, self->fd, self->pid, self->addr);
		/* The last mappings are among the last to be locked. */
		do
			vmlck = status_bytes(self->pid, "VmLck");
		while (vmlck < self->vmlck + cuts() * PAGE);
		ASSERT_EQ(self->to, target_call(&self->target, do_move, LAST, PAGE, self->to));
		target_stop(&client);
		/* Waits for the claim. */
		undone = unlock_range(self->fd, self->pid, self->addr, cuts() * PAGE) == -ENOENT;
		EXPECT_EQ(undone ? -ENOENT : 0,
			  unlock_range(self->fd, self->pid, self->to, PAGE));
		check(_metadata, self, 0, 0, 0);
		move_back(_metadata, self);
	}
	TH_LOG("the lock was undone at try %d", tries);
	ASSERT_LT(0, undone);
	check_nothing_left(_metadata, self);
}

TEST_HARNESS_MAIN
