// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking an address space in steps, and making it present and pinned.
 *
 * mmap_lock is held for a step of at most a page table's worth of pages, and
 * given up between steps: the target runs meanwhile, and can be killed, as the
 * client can.
 *
 * What is to be pinned is pinned in two phases.  First without faults: that is
 * all for memory that is present, and it never waits.  What that does not find
 * is faulted in by GUP without pins, which may give up mmap_lock while it waits
 * for a disk; then it is the first phase's turn again.  (A long-term pin that
 * faults would hold mmap_lock all that time, and no signal would end it.)
 */
#include <linux/hugetlb.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "pgtable.h"
#include "populate.h"
#include "shared.h"
#include "space.h"
#include "target.h"
#include "worker.h"

/* A look at a mapping that needs nothing counts as this many pages of a step. */
#define STEP_VMA_COST	16

/* How often pages may vanish between being faulted in and being pinned. */
#define MAX_TRIES	8

/**
 * mlkd_walk - call @step for all of an address space
 * @walk: the walk
 * @step: what to do
 *
 * Return: 0; what @step failed with; and, if walk->task is set, -EINTR when the
 * caller is being killed, -ESRCH when the target has ended.
 */
int mlkd_walk(struct mlkd_walk *walk, mlkd_step_fn step)
{
	struct mm_struct *mm = walk->space->mm;
	unsigned long addr = walk->start;
	unsigned long last = walk->end - 1;
	bool end = false;
	int err = 0;

	while (!err && !end) {
		long budget = MLKD_CHUNK_PAGES;

		if (!walk->task)
			mmap_read_lock(mm);
		else if (mmap_read_lock_killable(mm))
			return -EINTR;
		walk->locked = 1;

		while (!err && walk->locked && budget > 0) {
			struct vm_area_struct *vma = find_vma(mm, addr);
			unsigned long start, stop;

			if (!vma || vma->vm_start > last || addr > last) {
				end = true;
				break;
			}
			start = max(addr, vma->vm_start);
			stop = min3(vma->vm_end - 1, start | (MLKD_CHUNK_SIZE - 1),
				    last) + 1;
			err = step(walk, vma, start, stop, &addr);
			budget -= STEP_VMA_COST + ((stop - start) >> PAGE_SHIFT);
		}
		if (walk->locked)
			mmap_read_unlock(mm);

		if (!err && !end && walk->task) {
			if (fatal_signal_pending(current))
				err = -EINTR;
			else if (mlkd_target_gone(walk->task, mm))
				err = -ESRCH;
		}
		cond_resched();
	}
	return err;
}

/* Secretmem, which GUP refuses. */
static int fault_in(struct mlkd_walk *walk, struct vm_area_struct *vma,
		    unsigned long addr)
{
	unsigned int flags = FAULT_FLAG_REMOTE;
	bool unlocked = false;
	int err;

	if (vma->vm_flags & VM_WRITE)
		flags |= FAULT_FLAG_WRITE;
	err = fixup_user_fault(walk->space->mm, addr, flags, &unlocked);
	return err == -EINTR || err == -ENOMEM ? err : 0;
}

/*
 * Pins a chunk that one huge page maps with one pin.  Returns 1 when that is
 * done, 0 when it is not such a chunk.
 */
static int pin_huge(struct mlkd_walk *walk, unsigned long start,
		    unsigned int gup_flags)
{
	struct mm_struct *mm = walk->space->mm;
	unsigned long next;
	struct page *page;
	long nr;
	int err;

	if (mlkd_pgtable_level(mm, start, &next) != MLKD_PGTABLE_LEAF)
		return 0;
	nr = mlkd_pin_remote(mm, start, 1, gup_flags, &page);
	if (nr != 1)
		return 0;

	/* Pinned, it cannot be split; but its mapping may have been before. */
	if (compound_order(compound_head(page)) < get_order(MLKD_CHUNK_SIZE) ||
	    (page_to_pfn(page) & (MLKD_CHUNK_PAGES - 1)) ||
	    mlkd_pgtable_level(mm, start, &next) != MLKD_PGTABLE_LEAF) {
		unpin_user_page(page);
		return 0;
	}
	err = mlkd_pins_add_huge(&walk->space->pins, start, page);
	return err ?: 1;
}

/*
 * Pins what is present from @start on.  Returns how many pages that were, up to
 * the first that is not; else an error, -EFAULT if the first is not.
 */
static long pin_present(struct mlkd_walk *walk, unsigned long start,
			unsigned long end, unsigned int gup_flags)
{
	long nr, err;

	gup_flags |= FOLL_LONGTERM | FOLL_NOFAULT;
	if (!(start % MLKD_CHUNK_SIZE) && end - start == MLKD_CHUNK_SIZE) {
		nr = pin_huge(walk, start, gup_flags);
		if (nr)
			return nr < 0 ? nr : (long)MLKD_CHUNK_PAGES;
	}
	nr = mlkd_pin_remote(walk->space->mm, start, (end - start) >> PAGE_SHIFT,
			     gup_flags, walk->pages);
	if (nr <= 0)
		return nr ?: -EFAULT;
	err = mlkd_pins_add(&walk->space->pins, start, walk->pages, nr);
	return err ?: nr;
}

/* Counts the attempts to get on from @addr. */
static bool stuck(struct mlkd_walk *walk, unsigned long addr)
{
	if (walk->stuck != addr) {
		walk->stuck = addr;
		walk->tries = 0;
	}
	return ++walk->tries > MAX_TRIES;
}

static bool fatal(long err)
{
	return err == -ENOMEM || err == -EINTR;
}

static int populate_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end,
			 unsigned long *next)
{
	struct mlkd_want want = mlkd_want(vma, walk->mode);
	unsigned long file_end = mlkd_vma_file_end(vma);
	unsigned long page_size = PAGE_SIZE;
	bool armed = userfaultfd_armed(vma);
	long nr;

	if (!want.present || start >= file_end) {
		*next = vma->vm_end;
		return 0;
	}
	end = min(end, file_end);
	if (is_vm_hugetlb_page(vma))
		page_size = huge_page_size(hstate_vma(vma));

	if (want.fault) {
		*next = start + PAGE_SIZE;
		return fault_in(walk, vma, start);
	}

	if (want.pinned) {
		nr = pin_present(walk, start, end, want.gup_flags);
		if (nr > 0) {
			*next = start + (nr << PAGE_SHIFT);
			return 0;
		}
		if (fatal(nr))
			return nr;
	}

	/* It is its monitor that makes it present, and we do not wait for that. */
	if (armed) {
		*next = want.pinned ? start + PAGE_SIZE : vma->vm_end;
		return 0;
	}

	/* From here on @vma may go. */
	if (stuck(walk, start)) {
		nr = 0;
		*next = ALIGN(start + 1, page_size);
	} else {
		nr = mlkd_gup_remote(walk->space->mm, start,
				     (end - start) >> PAGE_SHIFT,
				     want.gup_flags, NULL, &walk->locked);
		if (nr < 0 && !fatal(nr)) {
			/* A page that is not to be had; the report says so. */
			*next = ALIGN(start + 1, page_size);
			nr = 0;
		} else if (nr >= 0) {
			/* What is to be pinned: once more from here. */
			*next = want.pinned ? start : start + (nr << PAGE_SHIFT);
			if (walk->locked &&
			    walk->mode.state == MEMLOCKD_STATE_SUPERLOCKED &&
			    mlkd_vma_writeback(vma))
				mlkd_shared_make_writable(vma, start, *next,
							  walk->pages);
		}
	}
	return nr < 0 ? nr : 0;
}

/* populate_step() for what has appeared: most of it is pinned already. */
static int future_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		       unsigned long start, unsigned long end,
		       unsigned long *next)
{
	struct mlkd_space *space = walk->space;
	unsigned long gap, gap_end;
	struct mlkd_want want;

	walk->mode = space->future_mode;
	want = mlkd_want(vma, walk->mode);
	/* Older than a lock with FUTURE alone: not for us. */
	if (want.locked && !(vma->vm_flags & VM_LOCKED))
		want.pinned = false;
	if (!want.pinned || fatal_signal_pending(current)) {
		*next = vma->vm_end;
		return 0;
	}
	/* mprotect() gives write permission back, but not to its page tables. */
	if (is_vm_hugetlb_page(vma))
		return populate_step(walk, vma, start, end, next);

	gap = mlkd_pins_next_gap(&space->pins, start, end, &gap_end);
	if (gap >= end) {
		*next = end;
		return 0;
	}
	return populate_step(walk, vma, gap, gap_end, next);
}

/**
 * mlkd_populate_future - pin what has appeared after the lock
 * @space: the space; no claim is held, but a user of its mm
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * Works by @space->future_mode, looked at with mmap_lock held, so that it leaves
 * nothing behind an unlock.  Whatever it cannot pin has what LOCKED promises.
 */
void mlkd_populate_future(struct mlkd_space *space, unsigned long start,
			  unsigned long end)
{
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end,
	};

	walk.pages = kcalloc(MLKD_CHUNK_PAGES, sizeof(*walk.pages),
			     GFP_KERNEL_ACCOUNT);
	if (walk.pages)
		mlkd_walk(&walk, future_step);
	kfree(walk.pages);
}

struct vvar_job {
	struct work_struct work;
	struct task_struct *task;
	struct mm_struct *mm;
};

static void vvar_work(struct work_struct *work)
{
	struct vvar_job *job = container_of(work, struct vvar_job, work);
	struct task_struct *task = job->task;
	struct mm_struct *mm = job->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	bool same_time;

	task_lock(task);
	same_time = task->nsproxy &&
		    task->nsproxy->time_ns == current->nsproxy->time_ns;
	task_unlock(task);
	if (!same_time)
		return;

	kthread_use_mm(mm);
	mmap_read_lock(mm);
	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		unsigned long addr;

		if (!mlkd_vma_vvar(vma))
			continue;
		/* It has holes, where the machine lacks the clock that is for. */
		for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE)
			fixup_user_fault(mm, addr, 0, NULL);
	}
	mmap_read_unlock(mm);
	kthread_unuse_mm(mm);
}

/*
 * vvar holds the clocks of its process's time namespace.  Its fault handler takes
 * that from current, and warns when current has another address space: so it
 * takes a kernel thread that borrows the target's, and has the same namespace.
 * In another one vvar is left to fault once.
 */
static void prefault_vvar(struct mlkd_space *space, struct task_struct *task)
{
	struct vvar_job job = { .task = task, .mm = space->mm };

	mlkd_run_in_worker(&job.work, vvar_work);
}

/**
 * mlkd_populate - make an address space present and pinned as @mode promises
 * @space: the space; its claim is held
 * @task: the process
 * @mode: what is promised
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * A page that cannot be had (behind the end of a file, poisoned, in the hands of
 * a userfaultfd monitor) does not fail the call.
 *
 * Return: 0, -ENOMEM, -EINTR or -ESRCH; then part of it is present and pinned.
 */
int mlkd_populate(struct mlkd_space *space, struct task_struct *task,
		  struct mlkd_mode mode, unsigned long start, unsigned long end)
{
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end,
		.task = task,
		.mode = mode,
	};
	int err;

	walk.pages = kcalloc(MLKD_CHUNK_PAGES, sizeof(*walk.pages),
			     GFP_KERNEL_ACCOUNT);
	if (!walk.pages)
		return -ENOMEM;
	err = mlkd_walk(&walk, populate_step);
	kfree(walk.pages);
	if (!err && !end)
		prefault_vvar(space, task);
	return err;
}
