// SPDX-License-Identifier: GPL-2.0-only
/*
 * The locked process's own madvise(2), msync(2) and prctl(2).
 *
 * The program has not asked for our lock, and must not notice it.  Where a mapping is
 * VM_LOCKED, these calls fail: with EINVAL for advice that would take pages away, with
 * EBUSY for MS_INVALIDATE.  A program that has not called mlock(2) does not expect
 * that; allocators and garbage collectors take memory for zeroed that is not, or give
 * up.  So for what only we hold, each gives the result, and leaves the contents, that
 * it would without us; what the process has locked itself keeps the core kernel's
 * answers, and so does all of a process that has asked us for a lock itself.
 *
 * - MADV_DONTNEED does nothing in the core kernel, and pinned memory is zeroed where it
 *   is before the process goes on (zero.c).  Where that cannot be done, it becomes
 *   MADV_DONTNEED_LOCKED at the entry of do_madvise(), and the range is present and
 *   pinned again before the process goes on.
 * - MADV_FREE, MADV_COLD and MADV_PAGEOUT do nothing, which their contract allows: the
 *   error that the core kernel gives for VM_LOCKED becomes the result that it would
 *   give without.
 * - MADV_REMOVE punches the hole.
 * - For MADV_GUARD_INSTALL the mappings are not VM_LOCKED for as long as the call is
 *   done once more.
 * - MADV_MERGEABLE, MADV_UNMERGEABLE and PR_SET_MEMORY_MERGE are remembered, under a
 *   SUPERLOCKED lock, and take effect at its unlock.
 * - MADV_HWPOISON and MADV_SOFT_OFFLINE meet no pins: these are given back at the entry, as
 *   the core kernel neither splits nor moves what is pinned, and made anew afterwards.
 * - MS_INVALIDATE, which does nothing else, is left out of msync(2).
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "munlock.h"
#include "policy.h"
#include "populate.h"
#include "space.h"
#include "target_advice.h"
#include "target_calls.h"
#include "turn.h"
#include "zero.h"

/* The process waits for memory here, as its own system call would. */
#define GFP_ATTR	(GFP_KERNEL_ACCOUNT | __GFP_NOFAIL)

static bool locked(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_LOCKED;
}

/*
 * From @start on, how far only we hold what is locked, or have until now; @start if the process
 * itself holds that, or if nothing there is ours.  For probes: takes no lock.
 */
static unsigned long only_ours(struct mlkd_space *space, unsigned long start,
			       unsigned long end)
{
	struct mlkd_attrs *attrs = &space->attrs;

	if (start >= end || test_bit(MLKD_SPACE_SELF, &space->flags) ||
	    !mlkd_attr_any_rcu(attrs, start, end, MLKD_OURS_STILL))
		return start;
	return mlkd_attr_find_rcu(attrs, start, end, MLKD_OWN);
}

/**
 * mlkd_advice_hint - somebody calls process_madvise(2), or the process uses io_uring
 * @space: the space that the advice is for
 * @advice: the call; @instead is set to what the core kernel is to see
 *
 * There is no result to be changed, so that advice which does nothing takes the place of
 * advice that VM_LOCKED forbids: what is locked is present.  Called from a probe.
 */
void mlkd_advice_hint(struct mlkd_space *space, struct mlkd_advice *advice)
{
	unsigned long start = untagged_addr(advice->start), end;

	advice->nr = advice->len;
	advice->instead = advice->advice;
	end = start + PAGE_ALIGN(advice->len);
	if (offset_in_page(start) || end <= start || end < advice->len)
		return;
	switch (advice->advice) {
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		if (only_ours(space, start, end) == end)
			advice->instead = MADV_WILLNEED;
		break;
	default:
		break;
	}
}

/**
 * mlkd_advice_begin - the process calls madvise(2)
 * @space: its space
 * @advice: the call; @nr and @instead are set to what the core kernel is to see
 *
 * Called from a probe.
 *
 * Return: whether mlkd_advice_end() is to be called after it.
 */
bool mlkd_advice_begin(struct mlkd_space *space, struct mlkd_advice *advice)
{
	unsigned long start = untagged_addr(advice->start), end;

	advice->nr = advice->len;
	advice->instead = advice->advice;
	switch (advice->advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_REMOVE:
	case MLKD_MADV_GUARD_INSTALL:
	case MLKD_MADV_GUARD_REMOVE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		break;
	default:
		return false;
	}
	/* The core kernel has an error for these. */
	end = start + PAGE_ALIGN(advice->len);
	if (offset_in_page(start) || end <= start || end < advice->len)
		return false;
	switch (advice->advice) {
	case MADV_DONTNEED_LOCKED:
	case MLKD_MADV_GUARD_REMOVE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		/* VM_LOCKED is not in the way of these. */
		advice->ours = end;
		return mlkd_attr_any_rcu(&space->attrs, start, end, MLKD_OURS_STILL);
	default:
		break;
	}
	advice->ours = only_ours(space, start, end);
	/* A request that is being made may make it ours before the core kernel looks at it. */
	if (advice->ours == start)
		return READ_ONCE(space->busy);
	if (advice->advice == MADV_DONTNEED) {
		advice->instead = MADV_DONTNEED_LOCKED;
		advice->nr = advice->ours - start;
	}
	return true;
}

/**
 * mlkd_advice_syscall - the advice is that of a system call, whose result can be changed
 * @space: its space
 * @advice: what mlkd_advice_begin() has seen; it may change what the core kernel is to see
 *
 * Called from a probe.
 */
void mlkd_advice_syscall(struct mlkd_space *space, struct mlkd_advice *advice)
{
	unsigned long start = untagged_addr(advice->start);
	unsigned long end = start + PAGE_ALIGN(advice->len);

	switch (advice->advice) {
	case MADV_DONTNEED:
		advice->in_place = advice->ours == end && mlkd_zero_can(space, start, end);
		break;
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		advice->let_go = mlkd_pins_any_rcu(&space->pins, start, end);
		break;
	default:
		break;
	}
	/* Advice for no memory succeeds at once. */
	if (advice->in_place || advice->let_go)
		advice->nr = 0;
}

static struct mlkd_turn turn_of(struct mlkd_space *space, bool write)
{
	return (struct mlkd_turn){ .mm = space->mm, .write = write };
}

/* Would the core kernel refuse the advice at this mapping, if there were no lock of ours? */
static bool refused(struct mlkd_space *space, struct vm_area_struct *vma, int advice)
{
	/* A lock of ours is no reason, one of the process is. */
	if (locked(vma) && mlkd_attr_any(&space->attrs, vma->vm_start, vma->vm_end, MLKD_OWN))
		return true;
	switch (advice) {
	case MADV_FREE:
		return !vma_is_anonymous(vma);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return (vma->vm_flags & VM_PFNMAP) || is_vm_hugetlb_page(vma);
	case MLKD_MADV_GUARD_INSTALL:
		return (vma->vm_flags & VM_SPECIAL) || is_vm_hugetlb_page(vma);
	default:
		return false;
	}
}

struct hint {
	struct mlkd_space *space;
	int advice;
	unsigned long addr;		/* where the mappings that it has seen end */
	long result;
};

static int hint_mapping(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			void *data)
{
	struct hint *hint = data;

	if (start > hint->addr)
		hint->result = -ENOMEM;
	hint->addr = end;
	return refused(hint->space, vma, hint->advice) ? -EINVAL : 0;
}

/* The result that a call which does nothing has, in the order of the mappings. */
static long hint_result(struct mlkd_space *space, const struct mlkd_advice *advice)
{
	unsigned long start = untagged_addr(advice->start);
	unsigned long end = start + PAGE_ALIGN(advice->len);
	struct hint hint = { .space = space, .advice = advice->advice, .addr = start };
	struct mlkd_turn turn = turn_of(space, false);
	int err = mlkd_turns(&turn, start, end, hint_mapping, &hint);

	if (err)
		return err;
	return hint.addr < end ? -ENOMEM : hint.result;
}

/* Punches a hole into what is mapped of files, as MADV_REMOVE does. */
static long remove(struct mlkd_space *space, const struct mlkd_advice *advice)
{
	unsigned long addr = untagged_addr(advice->start);
	unsigned long end = addr + PAGE_ALIGN(advice->len);
	struct mm_struct *mm = space->mm;
	long result = 0;

	while (addr < end) {
		struct vm_area_struct *vma;
		unsigned long stop;
		struct file *file;
		loff_t offset;
		long err;

		if (mmap_read_lock_killable(mm))
			return -EINTR;
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start >= end) {
			mmap_read_unlock(mm);
			return -ENOMEM;
		}
		if (vma->vm_start > addr) {
			result = -ENOMEM;
			addr = vma->vm_start;
		}
		err = 0;
		file = vma->vm_file;
		if (locked(vma) && mlkd_attr_any(&space->attrs, vma->vm_start, vma->vm_end,
						 MLKD_OWN))
			err = -EINVAL;
		else if (!file || !file->f_mapping || !file->f_mapping->host)
			err = -EINVAL;
		else if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
			err = -EACCES;
		if (err) {
			mmap_read_unlock(mm);
			return err;
		}
		stop = min(end, vma->vm_end);
		offset = (loff_t)(addr - vma->vm_start) + ((loff_t)vma->vm_pgoff << PAGE_SHIFT);
		get_file(file);
		mmap_read_unlock(mm);
		err = vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
				    stop - addr);
		fput(file);
		if (err)
			return err;
		addr = stop;
	}
	return result;
}

/* Makes the range, whose pages may be others now, present and pinned again. */
static void populate_again(struct mlkd_space *space, unsigned long start,
			   unsigned long end)
{
	/* The pages are gone; any that are still there are pinned anew. */
	mlkd_pins_drop(&space->pins, start, end, false);
	mlkd_populate_again(space, start, end);
}

/*
 * The process has its own pages taken out of use.  That is done to whole folios, which may be
 * huge pages, and not to what is pinned: the first time the pins are given back, and the call
 * is to be done once more.  The pages stay VM_LOCKED; those of a range that is a part of a
 * mapping may be reclaimed for the length of a system call.  If a signal handler leaves the
 * call for good in between, the pins are made by the next SYNC.
 */
static bool fail_pages(struct mlkd_space *space, const struct mlkd_advice *advice,
		       unsigned long start, unsigned long end, long result)
{
	start = round_down(start, MLKD_CHUNK_SIZE);
	end = round_up(end, MLKD_CHUNK_SIZE);
	if (!advice->let_go)
		mlkd_populate_again(space, start, end);
	else if (!result)
		mlkd_pins_drop(&space->pins, start, end, false);
	return advice->let_go && !result;
}

struct guard {
	struct mlkd_space *space;
	bool locked;			/* a mapping is VM_LOCKED */
};

static int ask_for_guard(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			 void *data)
{
	struct guard *guard = data;

	guard->locked |= locked(vma);
	return refused(guard->space, vma, MLKD_MADV_GUARD_INSTALL);
}

static int unlock_mapping(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			  void *data)
{
	struct mlkd_space *space = data;

	if (!locked(vma) || refused(space, vma, MLKD_MADV_GUARD_INSTALL))
		return 0;
	set_bit(MLKD_SPACE_GUARDING, &space->flags);
	mlkd_munlock_begin(vma);
	return 0;
}

/*
 * MADV_GUARD_INSTALL has failed.  Is VM_LOCKED the reason, and ours?  Then the mappings
 * lose it for a moment; who unmaps their pages meanwhile munlocks these.
 */
static bool unlock_for_guard(struct mlkd_space *space, unsigned long start,
			     unsigned long end)
{
	struct guard guard = { .space = space };
	struct mlkd_turn turn = turn_of(space, false);

	if (mlkd_turns(&turn, start, end, ask_for_guard, &guard) || !guard.locked)
		return false;
	turn = turn_of(space, true);
	return !mlkd_turns(&turn, start, end, unlock_mapping, space);
}

static int lock_mapping(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			void *data)
{
	struct mlkd_space *space = data;

	if (locked(vma) || !mlkd_vma_lockable(vma) ||
	    !mlkd_attr_all(&space->attrs, vma->vm_start, vma->vm_end, MLKD_OURS) ||
	    mlkd_target_leaves(space, vma))
		return 0;
	vm_flags_set(vma, VM_LOCKED);
	vma->vm_mm->locked_vm += vma_pages(vma);
	return 0;
}

/* The call has been done: the mappings are VM_LOCKED again. */
static void lock_after_guard(struct mlkd_space *space, unsigned long start,
			     unsigned long end)
{
	struct mlkd_turn turn = turn_of(space, true);

	if (mlkd_turns(&turn, start, end, lock_mapping, space))
		return;
	if (mmap_write_lock_killable(space->mm))
		return;
	clear_bit(MLKD_SPACE_GUARDING, &space->flags);
	mmap_write_unlock(space->mm);
}

static int take_mergeable(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			  void *data)
{
	struct mlkd_space *space = data;

	if (!(vma->vm_flags & VM_MERGEABLE) || !locked(vma) ||
	    mlkd_space_mode_of(space, vma, mlkd_space_in_force(space)).state !=
	    MEMLOCKD_STATE_SUPERLOCKED)
		return 0;
	mlkd_attr_map(&space->attrs, vma->vm_start, vma->vm_end, mlkd_attr_add_mergeable,
		      GFP_ATTR);
	vm_flags_clear(vma, VM_MERGEABLE);
	mlkd_space_keep_ksm(space);
	return 0;
}

/**
 * mlkd_target_take_mergeable - nothing superlocked is merged by KSM
 * @space: the space; the caller is the process itself
 * @start: first address
 * @end: address behind the last
 */
void mlkd_target_take_mergeable(struct mlkd_space *space, unsigned long start,
				unsigned long end)
{
	struct mlkd_turn turn = turn_of(space, true);

	mlkd_turns(&turn, start, end, take_mergeable, space);
}

struct unmerge {
	struct mlkd_space *space;
	bool again;			/* a mapping is to be split */
};

static int unmerge_mapping(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, void *data)
{
	struct unmerge *unmerge = data;
	struct mlkd_attrs *attrs = &unmerge->space->attrs;

	if (!mlkd_attr_any(attrs, vma->vm_start, vma->vm_end, MLKD_MERGEABLE))
		return 0;
	if (vma->vm_start == start && vma->vm_end == end) {
		mlkd_attr_map(attrs, start, end, mlkd_attr_drop_mergeable, GFP_ATTR);
	} else {
		vm_flags_set(vma, VM_MERGEABLE);
		unmerge->again = true;
	}
	return 0;
}

/*
 * The process does not want [start, end) merged when it is unlocked.  Where that is a
 * part of a mapping, the core kernel has to split it, which it does when it takes
 * VM_MERGEABLE away: then the mapping has it for a moment, and the call is to be done
 * once more.
 */
static bool drop_mergeable(struct mlkd_space *space, unsigned long start,
			   unsigned long end)
{
	struct unmerge unmerge = { .space = space };
	struct mlkd_turn turn = turn_of(space, true);

	if (mlkd_turns(&turn, start, end, unmerge_mapping, &unmerge))
		return false;
	/* The parts that were split off at either end still have VM_MERGEABLE. */
	if (!unmerge.again)
		mlkd_target_take_mergeable(space, start - min(start, PAGE_SIZE),
					   end + (end < ULONG_MAX - PAGE_SIZE ? PAGE_SIZE : 0));
	return unmerge.again;
}

/* The process has called prctl(PR_SET_MEMORY_MERGE). */
void mlkd_target_merged(struct mlkd_space *space, bool on)
{
	if (on)
		mlkd_target_take_mergeable(space, 0, ULONG_MAX);
	else
		drop_mergeable(space, 0, ULONG_MAX);
}

/**
 * mlkd_advice_end - the process has called madvise(2)
 * @space: its space; the caller is the process itself
 * @advice: what mlkd_advice_begin() has seen
 * @syscall: there is a result to be changed
 * @result: the result
 *
 * Return: the call is to be done once more.
 */
bool mlkd_advice_end(struct mlkd_space *space, const struct mlkd_advice *advice,
		     bool syscall, long *result)
{
	unsigned long start = untagged_addr(advice->start);
	unsigned long end = start + PAGE_ALIGN(advice->len);

	if (advice->in_place)
		return mlkd_zero(space, start, end);
	/* It was not ours at the entry.  If it is by now, that may be why the call has failed. */
	if (advice->ours == start)
		return syscall && *result == -EINVAL && only_ours(space, start, end) > start;
	switch (advice->advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		populate_again(space, start, min(end, advice->ours));
		/* Behind it is what the process has locked itself. */
		if (advice->advice == MADV_DONTNEED && advice->ours < end &&
		    (!*result || *result == -ENOMEM))
			*result = -EINVAL;
		break;
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		if (*result == -EINVAL && syscall)
			*result = hint_result(space, advice);
		break;
	case MADV_REMOVE:
		if (*result == -EINVAL && syscall)
			*result = remove(space, advice);
		populate_again(space, start, end);
		break;
	case MLKD_MADV_GUARD_INSTALL:
		if (*result == -EINVAL && syscall && unlock_for_guard(space, start, end))
			return true;
		lock_after_guard(space, start, end);
		populate_again(space, start, end);
		break;
	case MLKD_MADV_GUARD_REMOVE:
		mlkd_populate_again(space, start, end);
		break;
	case MADV_MERGEABLE:
		mlkd_target_take_mergeable(space, start, end);
		break;
	case MADV_UNMERGEABLE:
		return syscall && !*result && drop_mergeable(space, start, end);
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return fail_pages(space, advice, start, end, *result);
	default:
		break;
	}
	return false;
}

/**
 * mlkd_sync_only_ours - is only our lock in the way of MS_INVALIDATE?
 * @space: the space
 * @start: first address
 * @len: length, in bytes
 *
 * Called from a probe.
 */
bool mlkd_sync_only_ours(struct mlkd_space *space, unsigned long start,
			 unsigned long len)
{
	unsigned long end;

	start = untagged_addr(start);
	end = start + PAGE_ALIGN(len);
	return start < end && only_ours(space, start, end) == end;
}
