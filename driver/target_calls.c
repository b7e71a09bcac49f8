// SPDX-License-Identifier: GPL-2.0-only
/*
 * The locked process's own mlock(2), munlock(2) and mremap(2).
 *
 * Two may want its memory locked then, and only one flag says so.  What the process
 * locks is noted as its own, so that our unlock leaves it alone.  What it unlocks is
 * locked again, as long as a lock of ours covers it: its pages stay pinned meanwhile,
 * or at worst can be reclaimed for the length of a system call.  What it moves keeps
 * the attributes that it had.
 *
 * mlock() of a part of a mapping has the core kernel split it, unless its flags say
 * that there is nothing to do: as they do when we hold the whole.  Nothing else could
 * split it, and then our unlock would leave all of it locked.  So a mapping that is
 * to be split is marked with VM_LOCKONFAULT, which makes its flags differ, and the
 * system call is done once more; then the mark is taken back from what has been
 * split off.  No mapping that is only ours is marked at any other time.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "policy.h"
#include "space.h"
#include "target.h"
#include "target_calls.h"
#include "turn.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

/* The process waits for memory here, as its own system call would. */
#define GFP_ATTR	(GFP_KERNEL_ACCOUNT | __GFP_NOFAIL)

static bool locked(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_LOCKED;
}

/* Is the VM_LOCKED of @vma ours, and only ours? */
static bool only_ours(struct mlkd_space *space, struct vm_area_struct *vma)
{
	return mlkd_attr_any(&space->attrs, vma->vm_start, vma->vm_end, MLKD_OURS) &&
	       !mlkd_attr_any(&space->attrs, vma->vm_start, vma->vm_end, MLKD_OWN);
}

/**
 * mlkd_target_def_flags - what the process maps from now on is locked as @attrs.rest says
 * @space: the space; its mmap_lock is held for writing
 */
void mlkd_target_def_flags(struct mlkd_space *space)
{
	struct mlkd_attrs *attrs = &space->attrs;
	struct mm_struct *mm = space->mm;

	mm->def_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
	if (attrs->rest & MLKD_BY_WHOLE)
		mm->def_flags |= VM_LOCKED;
	else if (attrs->rest & MLKD_OWN)
		mm->def_flags |= VM_LOCKED | (attrs->rest_lazy ? VM_LOCKONFAULT : 0);
}

/**
 * mlkd_target_maps - the process is about to map something
 * @space: its space; the caller is the process itself, in a probe, and its mmap_lock is
 *	held for writing
 * @len: how much, in bytes
 * @grows: it is a stack that grows
 *
 * Under MEMLOCKD_OVER_UNLOCKED def_flags say of each new mapping whether it is locked.
 */
void mlkd_target_maps(struct mlkd_space *space, unsigned long len, bool grows)
{
	u32 rest = READ_ONCE(space->attrs.rest);
	struct mm_struct *mm = space->mm;

	if (!(mlkd_space_in_force(space).flags & MEMLOCKD_OVER_UNLOCKED) ||
	    !(rest & MLKD_BY_WHOLE) || (rest & MLKD_OWN))
		return;
	if (!grows && mlkd_target_has_room(current, mm, PAGE_ALIGN(len) >> PAGE_SHIFT))
		mm->def_flags |= VM_LOCKED;
	else
		mm->def_flags &= ~VM_LOCKED;
}

/* Says whether @vma, of current, stays unlocked under MEMLOCKD_OVER_UNLOCKED. */
bool mlkd_target_leaves(struct mlkd_space *space, struct vm_area_struct *vma)
{
	struct mlkd_mode mode = mlkd_space_in_force(space);

	return (mode.flags & MEMLOCKD_OVER_UNLOCKED) &&
	       (mlkd_stack_by_pins(vma, mode) ||
		!mlkd_target_has_room(current, space->mm, vma_pages(vma)));
}

static struct mlkd_turn turn_of(struct mlkd_space *space)
{
	return (struct mlkd_turn){ .mm = space->mm, .write = true };
}

static int unmark_mapping(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			  void *space)
{
	if (locked(vma) && only_ours(space, vma))
		vm_flags_clear(vma, VM_LOCKONFAULT);
	return 0;
}

/* Takes the marks back that split() has set. */
static void unmark(struct mlkd_space *space, unsigned long start,
		   unsigned long end)
{
	struct mlkd_turn turn = turn_of(space);

	/* With the neighbours. */
	start -= min(start, PAGE_SIZE);
	end += end < ULONG_MAX - PAGE_SIZE ? PAGE_SIZE : 0;
	mlkd_turns(&turn, start, end, unmark_mapping, space);
}

/* Is the mapping at @addr to be split, as it is not all within [start, end)? */
static bool mark(struct mlkd_space *space, unsigned long addr, unsigned long start,
		 unsigned long end)
{
	struct vm_area_struct *vma = vma_lookup(space->mm, addr);

	if (!vma || (vma->vm_start >= start && vma->vm_end <= end) ||
	    !locked(vma) || !mlkd_vma_lockable(vma) || !only_ours(space, vma))
		return false;
	vm_flags_set(vma, VM_LOCKONFAULT);
	return true;
}

/* Is there a mapping to be split?  Then it is marked. */
static bool split(struct mlkd_space *space, unsigned long start,
		  unsigned long end)
{
	bool again = false;

	if (start >= end || mmap_write_lock_killable(space->mm))
		return false;
	again |= mark(space, start, start, end);
	again |= mark(space, end - 1, start, end);
	mmap_write_unlock(space->mm);
	return again;
}

static void set_locked(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_LOCKED);
	vma->vm_mm->locked_vm += vma_pages(vma);
}

static int note_own_mapping(struct vm_area_struct *vma, unsigned long start,
			    unsigned long end, void *data)
{
	struct mlkd_space *space = data;

	if (!mlkd_vma_lockable(vma))
		return 0;
	mlkd_attr_map(&space->attrs, start, end, mlkd_attr_add_own, GFP_ATTR);
	/* An unlock of ours may just have taken the flag that it found. */
	if (!locked(vma) && vma->vm_start >= start && vma->vm_end <= end)
		set_locked(vma);
	return 0;
}

/* The process has locked [start, end). */
static void note_own(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct mlkd_turn turn = turn_of(space);

	mlkd_turns(&turn, start, end, note_own_mapping, space);
}

/* How far an mlock() has come that has failed. */
struct failed {
	unsigned long total;		/* what would have been locked with it, in pages */
	unsigned long done;		/* where it ends */
};

static int find_done(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		     void *data)
{
	struct failed *failed = data;

	if (start == failed->done)
		failed->done = end;
	/* A mapping that was locked already is in locked_vm. */
	if (locked(vma))
		failed->total -= (end - start) >> PAGE_SHIFT;
	return 0;
}

/*
 * mlock() of [start, end) has failed.  It locks nothing beyond RLIMIT_MEMLOCK, but all
 * before a hole, and all of it where pages are not to be had.  Returns where what it
 * has locked ends.
 */
static unsigned long locked_before_failure(struct mlkd_space *space, unsigned long start,
					   unsigned long end, unsigned long locked_vm,
					   long error)
{
	struct failed failed = {
		.total = locked_vm + ((end - start) >> PAGE_SHIFT),
		.done = start,
	};
	struct mlkd_turn turn = { .mm = space->mm };
	unsigned long limit;

	if ((error != -ENOMEM && error != -EAGAIN) ||
	    mlkd_turns(&turn, start, end, find_done, &failed))
		return start;
	return mlkd_target_over_limit(current->group_leader, failed.total, &limit) ?
	       start : failed.done;
}

struct relock {
	struct mlkd_space *space;
	struct task_struct *task;
	unsigned long locked_vm;
};

static int relock_mapping(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			  void *data)
{
	unsigned long total = vma->vm_mm->locked_vm + vma_pages(vma), limit;
	const struct relock *relock = data;
	struct mlkd_attrs *attrs = &relock->space->attrs;

	/* Before a hole, munlock() has done what it could, and no more. */
	if (!mlkd_vma_lockable(vma) || locked(vma))
		return 0;
	mlkd_attr_map(attrs, start, end, mlkd_attr_drop_own, GFP_ATTR);
	if (!mlkd_attr_all(attrs, vma->vm_start, vma->vm_end, MLKD_OURS) ||
	    mlkd_target_leaves(relock->space, vma))
		return 0;
	if (total <= relock->locked_vm ||
	    (relock->task && !mlkd_target_over_limit(relock->task, total, &limit)))
		set_locked(vma);
	return 0;
}

/*
 * The process has unlocked [start, end).  What we want of it is locked again.  That
 * goes through RLIMIT_MEMLOCK of @task as a new lock does, unless there is no more of it
 * than the process had locked before the call, @locked_vm pages.  Without @task, there is
 * no more of it than that.
 */
static void note_unlocked(struct mlkd_space *space, struct task_struct *task,
			  unsigned long start, unsigned long end, unsigned long locked_vm)
{
	struct relock relock = { .space = space, .task = task, .locked_vm = locked_vm };
	struct mlkd_turn turn = turn_of(space);

	mlkd_turns(&turn, start, end, relock_mapping, &relock);
}

static int note_rest_mapping(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end, void *data)
{
	struct mlkd_space *space = data;

	return mlkd_attr_note(&space->attrs, start, end, GFP_ATTR);
}

/* Notes what is mapped, as the rest is about to change. */
static void note_rest(struct mlkd_space *space)
{
	struct mlkd_turn turn = turn_of(space);

	mlkd_turns(&turn, 0, ULONG_MAX, note_rest_mapping, space);
}

/* Changes what the process maps from now on. */
static void map_rest(struct mlkd_space *space, mlkd_attr_fn fn, bool lazy)
{
	struct mlkd_attrs *attrs = &space->attrs;

	if (mmap_write_lock_killable(space->mm))
		return;
	attrs->rest = fn(attrs->rest);
	attrs->rest_lazy = lazy;
	mlkd_target_def_flags(space);
	mmap_write_unlock(space->mm);
}

/* So much of what is noted is changed between two looks at the clock. */
#define NOTED_AT_ONCE	8

/* Changes all that is noted. */
static void map_noted(struct mlkd_space *space, mlkd_attr_fn fn)
{
	struct mlkd_turn turn = turn_of(space);
	unsigned long addr = 0;
	bool more;

	do {
		if (mlkd_turn_begin(&turn))
			return;
		do
			more = mlkd_attr_map_noted(&space->attrs, &addr, ULONG_MAX, fn,
						   NOTED_AT_ONCE);
		while (more && !mlkd_turn_over(&turn, NOTED_AT_ONCE * MLKD_COST_VMA));
		mlkd_turn_end(&turn);
	} while (more);
}

/* The process has called mlockall(). */
static void note_mlockall(struct mlkd_space *space, unsigned long flags)
{
	mlkd_attr_fn fn = flags & MCL_FUTURE ? mlkd_attr_add_own : mlkd_attr_drop_own;
	bool all = flags & MCL_CURRENT && flags & MCL_FUTURE;
	u32 rest = READ_ONCE(space->attrs.rest);

	/* If only the present or only the future changes, what is mapped now is noted apart. */
	if (!all && fn(rest) != rest)
		note_rest(space);
	map_rest(space, fn, flags & MCL_FUTURE && flags & MCL_ONFAULT);
	if (all)
		map_noted(space, mlkd_attr_add_own);
	else if (flags & MCL_CURRENT)
		note_own(space, 0, ULONG_MAX);
}

/* The process has called munlockall(). */
static void note_munlockall(struct mlkd_space *space, unsigned long locked_vm)
{
	map_rest(space, mlkd_attr_drop_own, false);
	map_noted(space, mlkd_attr_drop_own);
	note_unlocked(space, current->group_leader, 0, ULONG_MAX, locked_vm);
}

/**
 * mlkd_target_lock_again - the process may have unlocked something, and nobody has seen what
 * @space: its space; the caller is a worker, with a user of its mm, and holds no claim
 * @locked_vm: pages that were locked before
 *
 * If the process has given up a MCL_FUTURE of its own, that stays noted all the same.
 */
void mlkd_target_lock_again(struct mlkd_space *space, unsigned long locked_vm)
{
	mmap_write_lock(space->mm);
	mlkd_target_def_flags(space);
	mmap_write_unlock(space->mm);
	note_unlocked(space, NULL, 0, ULONG_MAX, locked_vm);
}

/**
 * mlkd_target_called - the process has called mlock(2) or one of its kin
 * @space: its space; the caller is the process itself, and holds no claim
 * @event: which one
 * @args: arguments of the call
 * @locked_vm: pages that were locked when it began
 * @error: what it has failed with; or 0
 *
 * Return: the call is to be done once more.
 */
bool mlkd_target_called(struct mlkd_space *space, enum mlkd_event event,
			const unsigned long *args, unsigned long locked_vm, long error)
{
	unsigned long start = untagged_addr(args[0]) & PAGE_MASK;
	unsigned long end = start + PAGE_ALIGN(args[1] + offset_in_page(args[0]));
	unsigned long done = end;

	/* Before a hole, mlock() and munlock() have done what they could. */
	if (error && event != MLKD_CALL_MLOCK && event != MLKD_CALL_MUNLOCK)
		return false;
	if ((event == MLKD_CALL_MLOCK || event == MLKD_CALL_MUNLOCK) && start >= end)
		return false;

	switch (event) {
	case MLKD_CALL_MLOCK:
		if (error)
			done = locked_before_failure(space, start, end, locked_vm, error);
		if (split(space, start, done))
			return true;
		note_own(space, start, done);
		unmark(space, start, end);
		break;
	case MLKD_CALL_MUNLOCK:
		note_unlocked(space, current->group_leader, start, end, locked_vm);
		break;
	case MLKD_CALL_MLOCKALL:
		note_mlockall(space, args[0]);
		break;
	case MLKD_CALL_MUNLOCKALL:
		note_munlockall(space, locked_vm);
		break;
	default:
		break;
	}
	return false;
}

/**
 * mlkd_target_mapped_locked - the process has called mmap(2) with MAP_LOCKED
 * @space: its space; the caller is the process itself, and holds no claim
 * @addr: what it has returned
 * @len: second argument of the call
 */
void mlkd_target_mapped_locked(struct mlkd_space *space, unsigned long addr,
			       unsigned long len)
{
	if (!offset_in_page(addr))
		note_own(space, addr, addr + PAGE_ALIGN(len));
}

struct holes {
	struct mlkd_attrs *attrs;
	unsigned long addr;		/* what lies in front of it has been looked at */
};

static int forget_hole(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		       void *data)
{
	struct holes *holes = data;

	if (start > holes->addr)
		mlkd_attr_forget(holes->attrs, holes->addr, start, GFP_ATTR);
	holes->addr = end;
	return 0;
}

/* Forgets what is not mapped of [start, end). */
static void forget_holes(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct holes holes = { .attrs = &space->attrs, .addr = start };
	struct mlkd_turn turn = turn_of(space);
	bool more;

	do {
		/* A dying process needs no attributes. */
		if (mlkd_turns(&turn, holes.addr, end, forget_hole, &holes) ||
		    holes.addr >= end || mmap_write_lock_killable(space->mm))
			return;
		more = find_vma_intersection(space->mm, holes.addr, end);
		if (!more)
			mlkd_attr_forget(&space->attrs, holes.addr, end, GFP_ATTR);
		mmap_write_unlock(space->mm);
	} while (more);
}

/*
 * [start, end) has attributes that have been somewhere else before, with @bits.  A request that
 * is running is to look for its bits here, too: see struct chase in lock.c.
 */
static void let_chase(struct mlkd_space *space, unsigned long start, unsigned long end, u32 bits)
{
	struct mlkd_chased *chased = &space->chased;

	if (!(bits & (MLKD_NEW | MLKD_GOING)))
		return;
	chased->start = chased->end ? min(chased->start, start) : start;
	chased->end = max(chased->end, end);
}

/*
 * Memory that was at [from, from + len) is at @to now, @new_len long, and mmap_lock is held for
 * writing.  If it has grown, the new part is as its end was.  This looks at each part that has
 * attributes of its own, of which there are no more than pages that the core kernel has just
 * moved, and is faster than that was.
 */
static int move_attrs(struct mlkd_space *space, unsigned long from, unsigned long len,
		      unsigned long to, unsigned long new_len, gfp_t gfp)
{
	unsigned long end = from + max(len, PAGE_SIZE), next = end;
	unsigned long kept = min(len, new_len);
	struct mlkd_attrs *attrs = &space->attrs;
	u32 bits, last = mlkd_attr_get(attrs, end - PAGE_SIZE, &next);
	int err;

	WRITE_ONCE(space->nr_moves, space->nr_moves + 1);
	err = mlkd_attr_copy(attrs, from, to, kept, &bits, gfp);
	if (!err && new_len > kept)
		err = mlkd_attr_set(attrs, to + kept, to + new_len, last, gfp);
	let_chase(space, to, to + new_len, bits | last);
	if (!err)
		mlkd_attr_forget(attrs, from, from + len, gfp);
	return err;
}

/**
 * mlkd_target_moves - the process is about to move what is mapped
 * @space: its space; the caller is the process itself, in a probe, and its mmap_lock is
 *	held for writing
 * @from: first address of what is moved
 * @to: where it goes
 * @len: how long it will be there
 */
void mlkd_target_moves(struct mlkd_space *space, unsigned long from, unsigned long to,
		       unsigned long len)
{
	struct mlkd_move *move = mlkd_space_moving(space);

	/* Also where no call is to be had for it, and its attributes are lost. */
	WRITE_ONCE(space->nr_moves, space->nr_moves + 1);
	if (!move)
		return;
	move->from = from;
	move->to = to;
	move->len = len;
}

/**
 * mlkd_target_unmapped - something is not mapped any more where it was
 * @space: the space; the caller is its mmu notifier, and mmap_lock is held
 * @start: first address
 * @end: address behind the last
 *
 * It has been unmapped, or is somewhere else now.  A notifier may not wait for memory.
 */
void mlkd_target_unmapped(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct mlkd_move *move = mlkd_space_moving(space);
	unsigned long from;

	if (move && (move->stays || move->left))
		return;
	/* The core kernel may begin at the start of a page table, where nothing is mapped. */
	if (!move || !move->len || move->from < start || move->from >= end) {
		mlkd_attr_forget(&space->attrs, start, end, GFP_NOWAIT);
		return;
	}
	from = move->from;
	if (move_attrs(space, from, end - from, move->to, move->len,
		       GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN))
		move->left = from;
	move->moved = true;
	/* If the call fails from here on, it is moved back. */
	move->from = move->to;
	move->to = from;
	move->len = end - from;
}

/* A mapping has grown from @end to @new_end.  What a request has noted there since stays. */
static void note_grown(struct mlkd_space *space, unsigned long end, unsigned long new_end)
{
	unsigned long from = end, to = new_end, next = end;
	struct mlkd_attrs *attrs = &space->attrs;
	u32 attr, last = mlkd_attr_get(attrs, end - PAGE_SIZE, &next);

	if (mlkd_attr_next(attrs, &from, &to, &attr))
		return;
	mlkd_attr_set(attrs, end, new_end, last, GFP_ATTR);
	let_chase(space, end, new_end, last);
}

/**
 * mlkd_target_moved - the process has called mremap(2)
 * @space: its space; the caller is the process itself, and holds no claim
 * @move: what has been seen of it
 * @args: arguments of the call
 * @addr: what it has returned
 * @failed: it has failed
 */
void mlkd_target_moved(struct mlkd_space *space, const struct mlkd_move *move,
		       const unsigned long *args, unsigned long addr, bool failed)
{
	unsigned long old = untagged_addr(args[0]), len = PAGE_ALIGN(args[1]);
	unsigned long new_len = PAGE_ALIGN(args[2]), done = 0;

	if (failed) {
		if (!move->left)
			return;
		forget_holes(space, old, old + len);
		if (args[3] & MREMAP_FIXED)
			forget_holes(space, args[4], args[4] + new_len);
		return;
	}
	if (addr == old ? new_len <= len : move->moved && !move->left)
		return;
	if (mmap_write_lock_killable(space->mm))
		return;
	if (move->left)
		done = move->left - old;
	if (addr == old)
		note_grown(space, old + len, old + new_len);
	/* There was no memory, or the notifier has not been told: nothing was present. */
	else
		move_attrs(space, old + done, len - done, addr + done, new_len - done, GFP_ATTR);
	mmap_write_unlock(space->mm);
}

/**
 * mlkd_target_remapped - the process has called remap_file_pages(2)
 * @space: its space; the caller is the process itself, and holds no claim
 * @args: arguments of the call
 *
 * That maps something else at the same place, and keeps VM_LOCKED.
 */
void mlkd_target_remapped(struct mlkd_space *space, const unsigned long *args)
{
	unsigned long start = args[0] & PAGE_MASK;

	if (start + args[1] >= start)
		forget_holes(space, start, PAGE_ALIGN(start + args[1]));
}
