// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of parts of an address space.
 *
 * Such a lock is what mlock(2) by the process itself would be, and pins.  So
 * whole mappings in the range become VM_LOCKED as the process's own: they stay so
 * when a lock of the whole address space goes, and the other way round.  Of a
 * mapping that is in the range in parts only the pins are left, as nothing can
 * split it: they hold private pages, and shared ones not.
 *
 * What is noted here is which pins are wanted even if no lock of the whole wants
 * them, and which mappings are VM_LOCKED for ranges: these lose it when the last
 * range in them goes.
 */
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "limit.h"
#include "lock.h"
#include "munlock.h"
#include "crew.h"
#include "range.h"
#include "shared.h"
#include "space.h"
#include "target.h"
#include "tree.h"
#include "walk.h"

/**
 * struct part - a range that is to be locked or unlocked
 * @task: the process, if it is to be locked
 * @mode: what it is to have
 * @start: first address
 * @end: address behind the last
 * @hole: a part of it is not mapped
 * @flagged: mappings that have become VM_LOCKED for it, or are no more
 * @before: what was noted of it before
 */
struct part {
	struct task_struct *task;
	struct mlkd_mode mode;
	unsigned long start;
	unsigned long end;
	bool hole;
	struct maple_tree flagged;
	struct maple_tree before;
};

bool mlkd_ranges_empty(struct mlkd_space *space)
{
	return mtree_empty(&space->ranges);
}

/**
 * mlkd_ranges_next - the next part of an address space that is locked by ranges
 * @space: the space
 * @start: where to look from; set to its first address
 * @end: where to look to; set to the address behind its last
 * @state: set to what it has
 *
 * Return: false when there is none.
 */
bool mlkd_ranges_next(struct mlkd_space *space, unsigned long *start,
		      unsigned long *end, u32 *state)
{
	unsigned long value;

	if (!mlkd_tree_next(&space->ranges, start, end, &value))
		return false;
	*state = value;
	return true;
}

u64 mlkd_ranges_bytes(struct mlkd_space *space)
{
	unsigned long start = 0, end = ULONG_MAX;
	u64 bytes = 0;
	u32 state;

	while (mlkd_ranges_next(space, &start, &end, &state)) {
		bytes += end - start;
		start = end;
		end = ULONG_MAX;
	}
	return bytes;
}

/* Is all of [@start, @end) locked by ranges? Then *@state is the least it has. */
bool mlkd_ranges_cover(struct mlkd_space *space, unsigned long start,
		       unsigned long end, u32 *state)
{
	unsigned long least;

	if (!mlkd_tree_covers(&space->ranges, start, end, &least))
		return false;
	*state = least;
	return true;
}

/* mlkd_pins_drop(), but for what a range wants pinned. */
void mlkd_ranges_drop_pins(struct mlkd_space *space, unsigned long start,
			   unsigned long end, bool munlock)
{
	unsigned long from = start, to = end;
	u32 state;

	while (mlkd_ranges_next(space, &from, &to, &state)) {
		mlkd_pins_drop(&space->pins, start, from, munlock);
		start = to;
		from = to;
		to = end;
	}
	mlkd_pins_drop(&space->pins, start, end, munlock);
}

/*
 * [@start, @end) is unmapped.  Called from notifiers: where there is no memory to
 * forget it, a mapping that takes its place may stay pinned for too long.
 */
void mlkd_ranges_unmap(struct mlkd_space *space, unsigned long start,
		       unsigned long end)
{
	mlkd_tree_forget(&space->ranges, start, end, GFP_NOWAIT);
	mlkd_tree_forget(&space->range_flags, start, end, GFP_NOWAIT);
}

/* @vma stays VM_LOCKED, for ranges alone; there is no way to fail. */
void mlkd_ranges_keep(struct mlkd_space *space, struct vm_area_struct *vma)
{
	mlkd_tree_note(&space->range_flags, vma, 0, GFP_KERNEL | __GFP_NOFAIL);
}

static bool inside(const struct part *part, struct vm_area_struct *vma)
{
	return vma->vm_start >= part->start && vma->vm_end <= part->end;
}

/*
 * Pages that other ranges hold of mappings that they do not cover: locked_vm does
 * not count these, and without a limit anybody could pin all of his memory so.
 */
static unsigned long uncounted(struct mlkd_space *space, struct part *part)
{
	unsigned long start = 0, end = ULONG_MAX, nr = 0;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	u32 state;

	while (mlkd_ranges_next(space, &start, &end, &state)) {
		if (start >= part->start && start < part->end) {
			start = part->end;
			end = ULONG_MAX;
			continue;
		}
		if (start < part->start)
			end = min(end, part->start);
		vma_iter_init(&vmi, space->mm, start);
		for_each_vma_range(vmi, vma, end)
			if (!(vma->vm_flags & VM_LOCKED) &&
			    mlkd_want(vma, part->mode).locked)
				nr += min(end, vma->vm_end) - max(start, vma->vm_start);
		start = end;
		end = ULONG_MAX;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return nr >> PAGE_SHIFT;
}

/* May it be locked? Changes nothing. */
static int check(struct mlkd_space *space, struct part *part,
		 struct mlkd_limit *limit)
{
	unsigned long rlimit, total, new = 0, next = part->start;
	struct mm_struct *mm = space->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, part->start);
	for_each_vma_range(vmi, vma, part->end) {
		struct mlkd_want want = mlkd_want(vma, part->mode);

		if (vma->vm_start > next)
			break;
		next = vma->vm_end;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (!want.locked || (vma->vm_flags & VM_LOCKED))
			continue;
		/* Only a pin can hold it then. */
		if (!inside(part, vma) && want.present && !want.pinned)
			return -EOPNOTSUPP;
		new += (min(part->end, vma->vm_end) -
			max(part->start, vma->vm_start)) >> PAGE_SHIFT;
	}
	part->hole = next < part->end;
	if (part->hole)
		return -ENOMEM;

	if (!new || READ_ONCE(mlkd_old_mlock))
		return 0;
	total = mm->locked_vm + new + uncounted(space, part);
	if (!mlkd_target_over_limit(part->task, total, &rlimit))
		return 0;
	return mlkd_limit_met(limit, MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, total, rlimit);
}

/*
 * Is all of @vma noted in @tree?  The process may have merged it; and what a stack
 * has grown by is as the rest of it.
 */
static bool noted(struct maple_tree *tree, struct vm_area_struct *vma)
{
	unsigned long start = vma->vm_start, end = vma->vm_end, value;

	if ((vma->vm_flags & VM_GROWSDOWN) &&
	    !mlkd_tree_next(tree, &start, &end, &value))
		return false;
	return mlkd_tree_covers(tree, start, vma->vm_end, &value);
}

/* Notes the range itself, and what was noted in its place. */
static int note_range(struct mlkd_space *space, struct part *part)
{
	unsigned long start = part->start, end = part->end;
	u32 state;
	int err;

	while (mlkd_ranges_next(space, &start, &end, &state)) {
		err = mtree_store_range(&part->before, start, end - 1,
					xa_mk_value(state), GFP_KERNEL_ACCOUNT);
		if (err)
			return err;
		start = end;
		end = part->end;
	}
	return mtree_store_range(&space->ranges, part->start, part->end - 1,
				 xa_mk_value(part->mode.state),
				 GFP_KERNEL_ACCOUNT);
}

/* There is no way to fail when something is undone. */
static void note_before(struct mlkd_space *space, struct part *part)
{
	unsigned long start = part->start, end = part->end, state;

	mtree_store_range(&space->ranges, start, end - 1, NULL,
			  GFP_KERNEL | __GFP_NOFAIL);
	while (mlkd_tree_next(&part->before, &start, &end, &state)) {
		mtree_store_range(&space->ranges, start, end - 1,
				  xa_mk_value(state), GFP_KERNEL | __GFP_NOFAIL);
		start = end;
		end = part->end;
	}
}

static bool to_flag(const struct part *part, struct vm_area_struct *vma)
{
	return inside(part, vma) && !(vma->vm_flags & VM_LOCKED) &&
	       mlkd_vma_lockable(vma);
}

/* What is missing in there would stay locked, if this is undone. */
static int note_flagged(struct mm_struct *mm, struct part *part)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int err = 0;

	vma_iter_init(&vmi, mm, part->start);
	for_each_vma_range(vmi, vma, part->end) {
		if (to_flag(part, vma))
			err = mlkd_tree_note(&part->flagged, vma, 0, GFP_KERNEL_ACCOUNT);
		if (err)
			break;
	}
	return err;
}

/* Notes the range, and flags the mappings that are in it as a whole. */
static int raise(struct mlkd_space *space, struct part *part,
		 struct mlkd_limit *limit)
{
	struct mm_struct *mm = space->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	struct page **scratch;
	int err;

	scratch = kcalloc(MLKD_CHUNK_PAGES, sizeof(*scratch), GFP_KERNEL_ACCOUNT);
	if (!scratch)
		return -ENOMEM;
	err = -EINTR;
	if (mmap_write_lock_killable(mm))
		goto out_free;
	err = mlkd_target_gone(part->task, mm) ? -ESRCH : 0;
	if (!err)
		err = check(space, part, limit);
	if (!err)
		err = note_flagged(mm, part);
	if (!err)
		err = note_range(space, part);
	if (!err) {
		err = mlkd_wired_reserve(space, space->mode, false, limit);
		if (err)
			note_before(space, part);
	}
	if (err)
		goto out_unlock;

	vma_iter_init(&vmi, mm, part->start);
	for_each_vma_range(vmi, vma, part->end) {
		if (!to_flag(part, vma))
			continue;
		if (!mlkd_vma_private(vma))
			mlkd_shared_unmap(vma, scratch);
		mlkd_ranges_keep(space, vma);
		vm_flags_set(vma, VM_LOCKED);
		mm->locked_vm += vma_pages(vma);
	}
out_unlock:
	mmap_write_unlock(mm);
out_free:
	kfree(scratch);
	return err;
}

static int release_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
			unsigned long start, unsigned long end,
			unsigned long *next)
{
	struct mlkd_space *space = walk->space;
	bool locked = vma->vm_flags & VM_LOCKED;
	bool lockable = mlkd_vma_lockable(vma);

	*next = end;
	if (!locked && lockable)
		*next = mlkd_munlock_range(&space->pins, vma, start, end);
	/* The lock of the whole, if there is one, covers what is VM_LOCKED. */
	if (!mlkd_want(vma, space->mode).pinned || (!locked && lockable))
		mlkd_ranges_drop_pins(space, start, *next, !locked);
	return 0;
}

/* Clears the flags that the range has set; mmap_lock is held for writing. */
static void clear_flags(struct mlkd_space *space, struct part *part)
{
	struct mm_struct *mm = space->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	WRITE_ONCE(space->munlocking, true);
	vma_iter_init(&vmi, mm, part->start);
	for_each_vma_range(vmi, vma, part->end) {
		if (!(vma->vm_flags & VM_LOCKED) || !noted(&part->flagged, vma))
			continue;
		mlkd_tree_forget(&space->range_flags, vma->vm_start, vma->vm_end,
				 GFP_KERNEL | __GFP_NOFAIL);
		mlkd_munlock_begin(vma);
	}
	mlkd_wired_recount(space, space->mode);
}

/* Gives up the pins of the range, as far as nobody else wants them. */
static void release(struct mlkd_space *space, struct part *part)
{
	struct mlkd_walk walk = {
		.space = space,
		.start = part->start,
		.end = part->end,
	};

	mlkd_walk(&walk, release_step);
	WRITE_ONCE(space->munlocking, false);
}

static void setup(struct part *part)
{
	mt_init(&part->flagged);
	mt_init(&part->before);
}

static void destroy(struct part *part)
{
	mtree_destroy(&part->flagged);
	mtree_destroy(&part->before);
}

/**
 * mlkd_range_lock - lock a part of an address space
 * @space: the space; its claim is held
 * @task: the process
 * @state: &enum memlockd_state; not MEMLOCKD_STATE_UNLOCKED
 * @start: first address, of a page
 * @end: address behind the last, of a page; beyond @start
 * @limit: set when a limit is met
 *
 * Return: 0; or -ENOMEM, -EOPNOTSUPP, -EINTR, -ESRCH, and nothing has changed.
 */
int mlkd_range_lock(struct mlkd_space *space, struct task_struct *task, u32 state,
		    unsigned long start, unsigned long end,
		    struct mlkd_limit *limit)
{
	struct part part = {
		.task = task,
		.mode = { .state = state, .flags = MEMLOCKD_CURRENT },
		.start = start,
		.end = end,
	};
	int err;

	setup(&part);
	err = raise(space, &part, limit);
	if (err && mlkd_wired_again(limit)) {
		destroy(&part);
		err = raise(space, &part, limit);
	}
	if (err)
		goto out;
	err = mlkd_populate(space, task, part.mode, start, end);
	if (err) {
		mmap_write_lock(space->mm);
		note_before(space, &part);
		clear_flags(space, &part);
		mmap_write_unlock(space->mm);
	}
	/* What was mapped anew meanwhile is not of the range, but may be pinned. */
	if (err || !mlkd_ranges_cover(space, start, end, &state))
		release(space, &part);
out:
	if (err == -ENOMEM && !limit->which && !part.hole)
		limit->which = MEMLOCKD_LIMIT_MEMORY;
	destroy(&part);
	return err;
}

/* Is there a range in [@start, @end)? */
static bool any_range(struct mlkd_space *space, unsigned long start,
		      unsigned long end)
{
	u32 state;

	return mlkd_ranges_next(space, &start, &end, &state);
}

/*
 * Forgets the range, and says which mappings lose their VM_LOCKED: those that have
 * it for ranges, and none left.  part->start and part->end become theirs.
 */
static int forget(struct mlkd_space *space, struct part *part)
{
	unsigned long start = part->start, end = part->end;
	struct mlkd_owners *owners = &space->owners;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int err;

	if (!any_range(space, start, end))
		return -ENOENT;
	vma_iter_init(&vmi, space->mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (!(vma->vm_flags & VM_LOCKED) || !noted(&space->range_flags, vma) ||
		    any_range(space, vma->vm_start, start) ||
		    any_range(space, end, vma->vm_end))
			continue;
		/* The whole is locked: it is that lock's alone from now on. */
		if (space->active &&
		    mlkd_owners_hold(owners, vma->vm_start, vma->vm_end)) {
			err = mlkd_owners_set_ours(owners, vma, MLKD_FIRST_REQUEST);
			mlkd_tree_forget(&space->range_flags, vma->vm_start,
					 vma->vm_end, GFP_KERNEL | __GFP_NOFAIL);
		} else {
			err = mlkd_tree_note(&part->flagged, vma, 0, GFP_KERNEL_ACCOUNT);
		}
		if (err)
			return err;
		part->start = min(part->start, vma->vm_start);
		part->end = max(part->end, vma->vm_end);
	}
	return mtree_store_range(&space->ranges, start, end - 1, NULL,
				 GFP_KERNEL_ACCOUNT);
}

/**
 * mlkd_range_unlock - undo mlkd_range_lock()
 * @space: the space; its claim is held
 * @start: first address, of a page
 * @end: address behind the last, of a page; beyond @start
 *
 * Return: 0; -ENOENT when no part of it is locked by a range; -ENOMEM or -EINTR,
 * and nothing has changed.
 */
int mlkd_range_unlock(struct mlkd_space *space, unsigned long start,
		      unsigned long end)
{
	struct part part = { .start = start, .end = end };
	int err;

	if (mmap_write_lock_killable(space->mm))
		return -EINTR;
	setup(&part);
	err = forget(space, &part);
	if (!err)
		clear_flags(space, &part);
	mmap_write_unlock(space->mm);
	if (!err)
		release(space, &part);
	destroy(&part);
	return err;
}
