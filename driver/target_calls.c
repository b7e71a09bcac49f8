// SPDX-License-Identifier: GPL-2.0-only
/*
 * The locked process's own mlock(2), munlock(2) and mremap(2).
 *
 * Two hold its memory then, and only one flag says so.  What the process locks
 * while it is locked by us is noted as its own, so that our unlock leaves it
 * alone; what it unlocks is locked again, as long as our lock lasts.  In between
 * its pages are pinned, or at worst evictable for the length of a system call.
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

#include "compat.h"
#include "lock.h"
#include "policy.h"
#include "target_calls.h"
#include "space.h"

/* Takes the marks back that split() has set. */
static void unmark(struct mlkd_space *space, unsigned long start,
		   unsigned long end)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	/* With the neighbours. */
	start -= min(start, PAGE_SIZE);
	end += end < ULONG_MAX - PAGE_SIZE ? PAGE_SIZE : 0;
	vma_iter_init(&vmi, space->mm, start);
	for_each_vma_range(vmi, vma, end)
		if (mlkd_owners_ours(&space->owners, vma))
			vm_flags_clear(vma, VM_LOCKONFAULT);
}

/* Is there a mapping to be split? Then it is marked. */
static bool split(struct mlkd_space *space, unsigned long start,
		  unsigned long end)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	bool again = false;

	vma_iter_init(&vmi, space->mm, start);
	for_each_vma_range(vmi, vma, end) {
		if ((vma->vm_start >= start && vma->vm_end <= end) ||
		    !(vma->vm_flags & VM_LOCKED) || !mlkd_vma_lockable(vma) ||
		    !mlkd_owners_ours(&space->owners, vma))
			continue;
		vm_flags_set(vma, VM_LOCKONFAULT);
		again = true;
	}
	return again;
}

/* [start, end) is the process's own now, and ours still. */
static void share(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct mlkd_owners *owners = &space->owners;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, space->mm, start);
	for_each_vma_range(vmi, vma, end) {
		unsigned long from = max(start, vma->vm_start);
		unsigned long to = min(end, vma->vm_end);

		if (mlkd_vma_lockable(vma) && mlkd_owners_hold(owners, from, to))
			mlkd_owners_set_shared(owners, from, to,
					       MLKD_FIRST_REQUEST);
	}
}

/* The process has given [start, end) up; what we hold of it, we have not. */
static void lock_again(struct mlkd_space *space, unsigned long start,
		       unsigned long end)
{
	struct mlkd_owners *owners = &space->owners;
	struct mm_struct *mm = space->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (!mlkd_vma_lockable(vma) || (vma->vm_flags & VM_LOCKED) ||
		    !mlkd_owners_hold(owners, vma->vm_start, vma->vm_end))
			continue;
		mlkd_owners_set_ours(owners, vma, MLKD_FIRST_REQUEST);
		vm_flags_set(vma, VM_LOCKED);
		mm->locked_vm += vma_pages(vma);
	}
}

/* Whose are the mappings of the future, now that MCL_FUTURE has come or gone? */
static void change_rule(struct mlkd_space *space, bool own_future)
{
	struct mlkd_owners *owners = &space->owners;

	space->own_future = own_future;
	if (!space->future)
		return;
	if (own_future && owners->future && !mlkd_note_locked(space))
		owners->future = 0;
	else if (!own_future && !owners->future)
		owners->future = MLKD_FIRST_REQUEST;
	/* It may have been taken away, or its MCL_ONFAULT have been added. */
	space->mm->def_flags |= VM_LOCKED;
	space->mm->def_flags &= ~VM_LOCKONFAULT;
}

/**
 * mlkd_retain - the process has called mlock(2) or one of its kin
 * @space: its space; the caller is the process itself, and holds no claim
 * @event: which one
 * @arg0: first argument of the call
 * @arg1: second argument of the call
 * @failed: it has failed
 *
 * Return: the call is to be done once more.
 */
bool mlkd_retain(struct mlkd_space *space, enum mlkd_event event,
		 unsigned long arg0, unsigned long arg1, bool failed)
{
	unsigned long start = untagged_addr(arg0) & PAGE_MASK;
	unsigned long end = start + PAGE_ALIGN(arg1 + offset_in_page(arg0));
	bool again = false;

	/* Before a hole, munlock() has done what it could. */
	if (failed && event != MLKD_MLOCK && event != MLKD_MUNLOCK)
		return false;
	if ((event == MLKD_MLOCK || event == MLKD_MUNLOCK) && start >= end)
		return false;
	if (mmap_write_lock_killable(space->mm))
		return false;
	if (!space->active)
		goto out;

	switch (event) {
	case MLKD_MLOCK:
		if (!failed)
			again = split(space, start, end);
		if (!failed && !again)
			share(space, start, end);
		if (!again)
			unmark(space, start, end);
		break;
	case MLKD_MUNLOCK:
		lock_again(space, start, end);
		break;
	case MLKD_MLOCKALL:
		if (arg0 & MCL_CURRENT)
			share(space, 0, ULONG_MAX);
		else
			lock_again(space, 0, ULONG_MAX);
		change_rule(space, arg0 & MCL_FUTURE);
		break;
	case MLKD_MUNLOCKALL:
		change_rule(space, false);
		lock_again(space, 0, ULONG_MAX);
		break;
	default:
		break;
	}
out:
	mmap_write_unlock(space->mm);
	return again;
}

/**
 * mlkd_retain_moved - the process has moved a mapping by mremap(2)
 * @space: its space; the caller is the process itself, and holds no claim
 * @owner: what mlkd_owners_peek() has said before
 * @start: its new address
 * @len: its new length
 */
void mlkd_retain_moved(struct mlkd_space *space, void *owner, unsigned long start,
		       unsigned long len)
{
	if (!owner || mmap_write_lock_killable(space->mm))
		return;
	if (space->active)
		mlkd_owners_restore(&space->owners, owner, start, start + len);
	mmap_write_unlock(space->mm);
}
