// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking an address space in steps.
 *
 * A step is for at most a page table's worth of pages, and a turn at mmap_lock has as
 * many steps as it has time for.  Between turns the target runs, and can be killed, as
 * the client can.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "errand.h"
#include "munlock.h"
#include "pin.h"
#include "space.h"
#include "target.h"
#include "walk.h"

static bool stopped(struct mlkd_walk *walk)
{
	return fatal_signal_pending(current) ||
	       (walk->errand && mlkd_errand_stopped(walk->errand));
}

/**
 * mlkd_walk - call @step for all of an address space
 * @walk: the walk
 * @step: called for each part of a mapping
 *
 * Return: 0; what @step failed with; -EINTR when current is killed while it waits for
 * mmap_lock, and, if walk->task is set, at any time; -ESRCH when the target has ended, if
 * that is set; -EAGAIN when walk->errand would have to wait for mmap_lock, and is brief.
 */
int mlkd_walk(struct mlkd_walk *walk, mlkd_step_fn step)
{
	struct mlkd_turn *turn = &walk->turn;
	struct mm_struct *mm = walk->space->mm;
	unsigned long addr = walk->start;
	bool end = false;
	int err = 0;

	*turn = (struct mlkd_turn){
		.mm = mm,
		.tries = walk->errand && walk->errand->brief,
		/* Only a walk with the claim may hold the process off. */
		.pace = walk->mortal ? NULL : &walk->space->pace,
	};
	while (!err && !end) {
		struct vm_area_struct *vma;
		struct vma_iterator vmi;
		bool over = false;

		err = mlkd_turn_begin(turn);
		if (err)
			return err;
		walk->locked = 1;
		vma_iter_init(&vmi, mm, addr);
		vma = vma_next(&vmi);

		while (!err && walk->locked && (!over || walk->unfinished)) {
			unsigned long start, stop, last = walk->end - 1;

			while (vma && vma->vm_end <= addr && addr <= last)
				vma = vma_next(&vmi);
			if (!vma || addr > last || vma->vm_start > last) {
				end = true;
				break;
			}
			start = max(addr, vma->vm_start);
			stop = min3(vma->vm_end - 1, start | (MLKD_CHUNK_SIZE - 1),
				    last) + 1;
			walk->spared = 0;
			walk->unfinished = false;
			err = step(walk, vma, start, stop, &addr);
			over = mlkd_turn_over(turn, MLKD_COST_VMA - walk->spared +
						    ((stop - start) >> PAGE_SHIFT));
		}
		if (walk->locked)
			mlkd_turn_end(turn);

		if (walk->task)
			mlkd_munlock_drain();
		if (!err && !end && walk->task) {
			if (stopped(walk))
				err = -EINTR;
			else if (mlkd_target_gone(walk->task, mm))
				err = -ESRCH;
		}
		/* A worker would keep a dead process, which has nobody left who looks. */
		if (!err && !end && walk->mortal &&
		    (fatal_signal_pending(current) ||
		     (current->mm != mm && mlkd_mm_killed(mm))))
			err = -ESRCH;
		cond_resched();
	}
	/* The target may have been killed because memory ran out. */
	if ((err == -ENOMEM || err == -EDQUOT) && walk->task && mlkd_target_gone(walk->task, mm))
		err = -ESRCH;
	return err;
}

/* Gives @walk room for the pages of a chunk, or of all of it.  The caller frees walk->pages. */
bool mlkd_walk_alloc(struct mlkd_walk *walk)
{
	unsigned long pages = ((walk->end - 1 - walk->start) >> PAGE_SHIFT) + 1;

	walk->room = min_t(unsigned long, pages, MLKD_CHUNK_PAGES);
	walk->pages = kmalloc_array(walk->room, sizeof(*walk->pages), GFP_KERNEL_ACCOUNT);
	return walk->pages;
}
