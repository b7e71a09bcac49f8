// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raising, lowering and undoing locks.
 *
 * A lock request has three phases:
 *
 * 1. raise(), under mmap_lock held for writing: the limits are checked, and
 *    VM_LOCKED is set on all mappings at once, and on those of the future.  From
 *    here on reclaim leaves them alone, and the core kernel keeps the accounts.
 * 2. mlkd_populate(), step by step under mmap_lock held for reading: everything
 *    is made present, and pinned.  This is what takes time, and what fails.
 * 3. finish(): what the old lock had and the new one has not is given up.
 *
 * Nothing is given up before the last thing that can fail has succeeded.  So
 * undoing a request is giving up what *it* has done: the mappings that it has
 * flagged (owner.c remembers the number of the request) and the pins that the
 * old mode does not ask for.  undo() of the first request of all is unlocking.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "crew.h"
#include "probe.h"
#include "limit.h"
#include "lock.h"
#include "munlock.h"
#include "range.h"
#include "scan.h"
#include "shared.h"
#include "space.h"
#include "stack.h"
#include "target.h"
#include "walk.h"

/**
 * struct request - a request to lock
 * @task: the process
 * @mode: what it is to have
 * @bypass: its RLIMIT_MEMLOCK is not applied
 */
struct request {
	struct task_struct *task;
	struct mlkd_mode mode;
	bool bypass;
};

static bool locked(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_LOCKED;
}

/*
 * RLIMIT_MEMLOCK, once @new pages more are locked.  Above it, FUTURE would make the
 * core kernel refuse each later mmap() of the process: it knows of no bypass.
 */
static int check_rlimit(struct mlkd_space *space, const struct request *request,
			unsigned long new, struct mlkd_limit *limit)
{
	unsigned long rlimit, total = space->mm->locked_vm + new;
	bool future = request->mode.flags & MEMLOCKD_FUTURE;
	bool more = new || (future && !space->future);

	if (request->bypass ? !future : !more)
		return 0;
	if (!mlkd_target_over_limit(request->task, total, &rlimit))
		return 0;
	return mlkd_limit_met(limit, request->bypass ? MEMLOCKD_LIMIT_FUTURE :
			      MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, total, rlimit);
}

/* @extra: pages that the caller is going to add to what is mapped. */
static int check_limits(struct mlkd_space *space, const struct request *request,
			unsigned long extra, struct mlkd_limit *limit)
{
	unsigned long new = extra, unique = extra, largest = 0;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int err;

	if (!(request->mode.flags & MEMLOCKD_CURRENT))
		return check_rlimit(space, request, 0, limit);

	vma_iter_init(&vmi, space->mm, 0);
	for_each_vma(vmi, vma) {
		struct mlkd_want want = mlkd_want(vma, request->mode);

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (want.locked && !locked(vma))
			new += vma_pages(vma);
		if (!want.present)
			continue;
		/* Each of these needs a page of its own, or a page-table entry. */
		if (mlkd_vma_private(vma)) {
			if ((want.gup_flags & FOLL_WRITE) || !vma->vm_file)
				unique += vma_pages(vma);
		} else {
			largest = max(largest, mlkd_vma_file_end(vma) - vma->vm_start);
		}
	}

	err = check_rlimit(space, request, new, limit);
	if (err)
		return err;
	/* Pages may be mapped shared twice, but those of one mapping are different. */
	unique += largest >> PAGE_SHIFT;
	if (unique <= totalram_pages())
		return 0;
	return mlkd_limit_met(limit, MEMLOCKD_LIMIT_RAM, unique,
			      (u64)totalram_pages() << PAGE_SHIFT);
}

/**
 * mlkd_note_locked - note what the rule says is ours
 * @space: the space; its mmap_lock is held for writing
 *
 * For when the rule for mappings that are not noted is about to change.
 *
 * Return: 0 or -ENOMEM.
 */
int mlkd_note_locked(struct mlkd_space *space)
{
	struct mlkd_owners *owners = &space->owners;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int err = 0;

	vma_iter_init(&vmi, space->mm, 0);
	for_each_vma(vmi, vma) {
		if (!locked(vma))
			continue;
		if (mlkd_owners_ours_since(owners, vma, space->request))
			err = mlkd_owners_set_ours(owners, vma, space->request);
		else if (mlkd_owners_ours(owners, vma))
			err = mlkd_owners_set_ours(owners, vma, MLKD_FIRST_REQUEST);
		if (err)
			break;
		cond_resched();
	}
	return err;
}

/* Notes who will have locked @vma after this request. */
static int note_owner(struct mlkd_space *space, struct vm_area_struct *vma,
		      struct mlkd_mode mode, bool future)
{
	bool fresh = space->mode.state == MEMLOCKD_STATE_UNLOCKED;
	bool current_too = mode.flags & MEMLOCKD_CURRENT;
	struct mlkd_owners *owners = &space->owners;
	bool new_rule = future && !owners->future;

	if (locked(vma)) {
		if (mlkd_owners_hold(owners, vma->vm_start, vma->vm_end))
			return 0;
		if (current_too)
			return mlkd_owners_set_shared(owners, vma->vm_start,
						      vma->vm_end, space->request);
	} else if (!mlkd_vma_lockable(vma)) {
		return 0;
	} else if (current_too) {
		/* The rule will do where there is nothing to go back to. */
		return fresh && future ? 0 :
		       mlkd_owners_set_ours(owners, vma, space->request);
	}
	return new_rule ? mlkd_owners_set_other(owners, vma) : 0;
}

static int note_owners(struct mlkd_space *space, struct mlkd_mode mode, bool future)
{
	struct mlkd_owners *owners = &space->owners;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int err;

	/* What is held is noted before the rule changes: it is all explicit. */
	vma_iter_init(&vmi, space->mm, 0);
	for_each_vma(vmi, vma) {
		err = note_owner(space, vma, mode, future);
		if (!err && mode.state == MEMLOCKD_STATE_SUPERLOCKED &&
		    (vma->vm_flags & VM_MERGEABLE))
			err = mlkd_owners_note_mergeable(owners, vma);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* The process is not SUPERLOCKED any more: KSM and NUMA balancing may have it. */
static void back_to_scanners(struct mlkd_space *space)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	mlkd_numa_scan_resume(space);
	vma_iter_init(&vmi, space->mm, 0);
	for_each_vma(vmi, vma)
		if (mlkd_owners_was_mergeable(&space->owners, vma))
			vm_flags_set(vma, VM_MERGEABLE);
	mtree_destroy(&space->owners.mergeable);
}

/* Flags the mappings that exist. */
static void flag_current(struct mm_struct *mm, struct mlkd_mode mode,
			 struct page **scratch)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		bool was_locked = locked(vma);

		if (!mlkd_want(vma, mode).locked)
			continue;
		if (mode.state == MEMLOCKD_STATE_SUPERLOCKED) {
			vm_flags_clear(vma, VM_MERGEABLE);
			if (!mlkd_vma_private(vma)) {
				/* Under VM_LOCKED, it would be munlocked, late. */
				vm_flags_clear(vma, VM_LOCKED);
				mlkd_shared_unmap(vma, scratch);
			}
		}
		vm_flags_set(vma, VM_LOCKED);
		if (!was_locked)
			mm->locked_vm += vma_pages(vma);
		cond_resched();
	}
}

/* Does @mode pin all that @other does? */
static bool future_above(struct mlkd_mode mode, struct mlkd_mode other)
{
	return mode.state >= other.state;
}

/* What mappings that appear under @mode get. */
static struct mlkd_mode future_of(struct mlkd_mode mode)
{
	return mlkd_future_wanted(mode) ? mode : (struct mlkd_mode){};
}

/* Flags the mappings. When it fails, it has changed nothing. */
static int raise(struct mlkd_space *space, const struct request *request,
		 struct mlkd_limit *limit)
{
	struct mlkd_mode mode = request->mode;
	struct mm_struct *mm = space->mm;
	struct page **scratch;
	bool future;
	int err;

	scratch = kcalloc(MLKD_CHUNK_PAGES, sizeof(*scratch), GFP_KERNEL_ACCOUNT);
	if (!scratch)
		return -ENOMEM;
	err = -EINTR;
	if (mmap_write_lock_killable(mm))
		goto out_free;

	err = mlkd_target_gone(request->task, mm) ? -ESRCH : 0;
	if (!err)
		err = check_limits(space, request, 0, limit);
	if (!err)
		err = mlkd_wired_reserve(space, mode,
					 mode.flags & MEMLOCKD_CURRENT, limit);
	if (err)
		goto out_unlock;

	if (space->mode.state == MEMLOCKD_STATE_UNLOCKED)
		space->own_future = mm->def_flags & VM_LOCKED;
	future = (mode.flags & MEMLOCKD_FUTURE) && !space->own_future;
	err = note_owners(space, mode, future);
	if (err) {
		mlkd_owners_undo(&space->owners, space->request);
		mlkd_wired_recount(space, space->mode);
		goto out_unlock;
	}

	/* Nothing fails from here on. */
	if (future && !space->owners.future) {
		space->owners.future = space->request;
		mm->def_flags |= VM_LOCKED;
	}
	WRITE_ONCE(space->active, true);
	space->future |= mode.flags & MEMLOCKD_FUTURE;
	space->heal.on |= mode.flags & MEMLOCKD_HEAL;
	/* Raised here, lowered by finish() or undo(). */
	if (mlkd_future_wanted(mode) && !future_above(space->future_mode, mode))
		space->future_mode = mode;
	if (mode.flags & MEMLOCKD_CURRENT)
		flag_current(mm, mode, scratch);
	if (mode.state == MEMLOCKD_STATE_SUPERLOCKED)
		mlkd_numa_scan_stop(space);
out_unlock:
	mmap_write_unlock(mm);
out_free:
	kfree(scratch);
	return err;
}

/* What the process does from now on is under @mode; mmap_lock is held for writing. */
static void settle(struct mlkd_space *space, struct mlkd_mode mode)
{
	if (mode.state != MEMLOCKD_STATE_SUPERLOCKED)
		back_to_scanners(space);
	space->future_mode = future_of(mode);
	space->future = mode.flags & MEMLOCKD_FUTURE;
	space->heal.on = mode.flags & MEMLOCKD_HEAL;
	WRITE_ONCE(space->active, mode.state != MEMLOCKD_STATE_UNLOCKED);
	mlkd_wired_recount(space, mode);
}

/* Gives the pins back that walk->mode does not ask for. */
static int trim_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	if (!mlkd_want(vma, walk->mode).pinned)
		mlkd_ranges_drop_pins(walk->space, vma->vm_start, vma->vm_end,
				      false);
	*next = vma->vm_end;
	return 0;
}

/* Gives back what the request has locked, and trims the rest. */
static int undo_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	if (locked(vma) || !mlkd_vma_lockable(vma) ||
	    !mlkd_owners_ours_since(&walk->space->owners, vma, walk->request))
		return trim_step(walk, vma, start, end, next);

	/* Who drops pins munlocks what had them. */
	*next = mlkd_pins_huge_end(&walk->space->pins, start, vma->vm_end);
	if (*next > start)
		walk->spared = (end - start) >> PAGE_SHIFT;
	else
		*next = mlkd_munlock_range(&walk->space->pins, vma, start, end);
	mlkd_ranges_drop_pins(walk->space, start, *next, true);
	return 0;
}

/* Undoes request number @request and what came after it, down to @mode. */
static void undo(struct mlkd_space *space, unsigned long request,
		 struct mlkd_mode mode)
{
	struct mlkd_owners *owners = &space->owners;
	struct mm_struct *mm = space->mm;
	struct mlkd_walk walk = {
		.space = space,
		.mode = mode,
		.request = request,
	};
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	mmap_write_lock(mm);
	WRITE_ONCE(space->munlocking, true);
	vma_iter_init(&vmi, mm, 0);
	if (owners->future >= request)
		mm->def_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
	for_each_vma(vmi, vma) {
		u32 state;

		if (!locked(vma) || !mlkd_vma_lockable(vma) ||
		    !mlkd_owners_ours_since(owners, vma, request))
			continue;
		if (mlkd_ranges_cover(space, vma->vm_start, vma->vm_end, &state)) {
			mlkd_ranges_keep(space, vma);
			continue;
		}
		/* Left behind, munlock() would take it for a lock that was counted. */
		mlkd_munlock_begin(vma);
		cond_resched();
	}
	settle(space, mode);
	mmap_write_unlock(mm);

	mlkd_walk(&walk, undo_step);
	WRITE_ONCE(space->munlocking, false);

	if (mode.state == MEMLOCKD_STATE_UNLOCKED) {
		/* What the target has moved about while we walked. */
		mlkd_ranges_drop_pins(space, 0, ULONG_MAX, true);
		/* Then the space ends now. */
		if (mlkd_ranges_empty(space))
			return;
	}
	mmap_write_lock(mm);
	if (mode.state == MEMLOCKD_STATE_UNLOCKED)
		mlkd_owners_clear(owners);
	else
		mlkd_owners_undo(owners, request);
	mmap_write_unlock(mm);
}

/* Gives up what @mode, which is there now, does not ask for. */
static int finish(struct mlkd_space *space, struct mlkd_mode mode)
{
	struct mm_struct *mm = space->mm;
	struct mlkd_walk walk = { .space = space, .mode = mode };
	int err = 0;

	if (space->mode.state == MEMLOCKD_STATE_UNLOCKED)
		return 0;

	mmap_write_lock(mm);
	if (space->owners.future && !(mode.flags & MEMLOCKD_FUTURE)) {
		err = mlkd_note_locked(space);
		if (!err) {
			mm->def_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
			space->owners.future = 0;
		}
	}
	if (!err)
		settle(space, mode);
	mmap_write_unlock(mm);
	if (err)
		return err;

	mlkd_walk(&walk, trim_step);
	return 0;
}

/*
 * Grows the main stack, which only an access can do: a fault there later would be
 * the first of its page.  It is not locked yet.  What cannot be had (another
 * mapping is in the way) is left out.
 */
static int grow_stack(struct mlkd_space *space, const struct request *request,
		      u64 reserve, struct mlkd_limit *limit)
{
	struct task_struct *task = request->task;
	struct mm_struct *mm = space->mm;
	struct vm_area_struct *vma;
	unsigned long floor;
	int err = 0;

	if (request->mode.state != MEMLOCKD_STATE_SUPERLOCKED ||
	    reserve == MEMLOCKD_STACK_RESERVE_NONE)
		return 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = find_vma(mm, mm->start_stack);
	floor = mlkd_stack_floor(vma, task, mm->start_stack,
			    reserve ?: MEMLOCKD_STACK_RESERVE_DEFAULT);
	if (floor)
		err = check_limits(space, request,
				   (vma->vm_start - floor) >> PAGE_SHIFT, limit);
	mmap_read_unlock(mm);
	if (floor && !err)
		mlkd_stack_grow(task, floor);
	return err;
}

static void set_mode(struct mlkd_space *space, struct mlkd_mode mode)
{
	spin_lock(&space->lock);
	space->mode = mode;
	spin_unlock(&space->lock);
}

/**
 * mlkd_lock - bring an address space to exactly @mode
 * @space: the space; its claim is held
 * @task: the process
 * @mode: the mode; its state is not MEMLOCKD_STATE_UNLOCKED
 * @bypass: the process's RLIMIT_MEMLOCK is not applied
 * @stack_reserve: as in &memlockd_lock.stack_reserve
 * @limit: set when a limit is met
 *
 * Return: 0; or -ENOMEM, -EINTR, -ESRCH, and nothing has changed.
 */
int mlkd_lock(struct mlkd_space *space, struct task_struct *task,
	      struct mlkd_mode mode, bool bypass, u64 stack_reserve,
	      struct mlkd_limit *limit)
{
	struct request request = {
		.task = task,
		.mode = mode,
		.bypass = bypass || READ_ONCE(mlkd_old_mlock),
	};
	int err;

	err = mlkd_probes_arm(space);
	if (err)
		goto out;
	space->request++;
	err = grow_stack(space, &request, stack_reserve, limit);
	if (err)
		goto out;
	err = raise(space, &request, limit);
	if (err && mlkd_wired_again(limit))
		err = raise(space, &request, limit);
	if (err)
		goto out;
	if (mode.flags & MEMLOCKD_CURRENT)
		err = mlkd_populate(space, task, mode, 0, 0);
	if (!err)
		err = finish(space, mode);
	if (err) {
		undo(space, space->request, space->mode);
		goto out;
	}

	/* FUTURE alone leaves alone what is locked already, as mlockall(2) does. */
	mode.flags |= space->mode.flags & MEMLOCKD_CURRENT;
	space->stack_reserve = stack_reserve;
	set_mode(space, mode);
out:
	if (err == -ENOMEM && !limit->which)
		limit->which = MEMLOCKD_LIMIT_MEMORY;
	return err;
}

/**
 * mlkd_lower - give up what @mode does not ask for
 * @space: the space; its claim is held, and it is locked
 * @mode: no more than it has
 *
 * Return: 0; or -ENOMEM, and nothing has changed.
 */
int mlkd_lower(struct mlkd_space *space, struct mlkd_mode mode)
{
	int err;

	/* What was there stays locked as long as there is any lock. */
	mode.flags |= space->mode.flags & MEMLOCKD_CURRENT;
	err = finish(space, mode);
	if (err)
		return err;
	set_mode(space, mode);
	return 0;
}

/**
 * mlkd_unlock - undo a lock, whole
 * @space: the space; its claim is held, and it is locked
 */
void mlkd_unlock(struct mlkd_space *space)
{
	undo(space, MLKD_FIRST_REQUEST, (struct mlkd_mode){});
	set_mode(space, (struct mlkd_mode){});
}
