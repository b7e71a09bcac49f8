/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking an address space in steps.
 */
#ifndef _MEMLOCKD_WALK_H
#define _MEMLOCKD_WALK_H

#include <linux/mm_types.h>

#include "turn.h"

struct mlkd_crew;
struct mlkd_errand;
struct mlkd_silent;
struct mlkd_space;

/**
 * struct mlkd_walk - one walk over an address space
 * @space: the space that is walked; its claim is held
 * @start: first address
 * @end: address behind the last; 0 for all there is
 * @task: the process; the walk stops when that ends, or current is killed.
 *	NULL for a walk that goes on, but for @mortal, unless current is killed while it
 *	waits for mmap_lock
 * @mortal: no claim is held, and the walk stops when current or the process is killed
 * @errand: current runs it, and waits for others only so that it can be left; or NULL
 * @brief: where a server would have to be waited for, the walk fails with -EAGAIN
 * @silent: the file systems that are not waited for, with @errand
 * @state: &enum memlockd_state that the part at hand is to have
 * @turn: its turns at mmap_lock, which is taken for reading
 * @locked: mmap_lock is held
 * @pages: room for @room page pointers
 * @room: MLKD_CHUNK_PAGES, or less if less is walked, or only what is to be pinned
 * @spared: pages of a step that it did not have to look at one by one
 * @unfinished: another step is to follow in the same turn
 * @fresh: called before the @nr pages at @start are faulted in, which have to be cleared; it
 *	may bring @end forward, though not into their chunk; or NULL
 * @crew: the crew that @fresh is for
 * @stuck: the address that could not be pinned last time
 * @tries: how often that has been tried
 * @waits: how often a page was waited for that could not be held
 * @waited: the address for which that was done last
 * @refused: the address of the last page that could not be held where it was
 * @anew: the address of the last page that was unmapped, for a fault to map it anew
 */
struct mlkd_walk {
	struct mlkd_space *space;
	unsigned long start;
	unsigned long end;
	struct task_struct *task;
	bool mortal;
	struct mlkd_errand *errand;
	bool brief;
	const struct mlkd_silent *silent;
	u32 state;
	struct mlkd_turn turn;
	int locked;
	struct page **pages;
	unsigned long room;
	long spared;
	bool unfinished;
	void (*fresh)(struct mlkd_walk *walk, unsigned long start, unsigned long nr);
	struct mlkd_crew *crew;
	unsigned long stuck;
	unsigned int tries;
	unsigned int waits;
	unsigned long waited;
	unsigned long refused;
	unsigned long anew;
};

/*
 * A step handles [start, end) of @vma, which lies in one chunk, and sets *next to the
 * address to go on at.  If it clears walk->locked, @vma may be gone.
 */
typedef int (*mlkd_step_fn)(struct mlkd_walk *walk, struct vm_area_struct *vma,
			    unsigned long start, unsigned long end,
			    unsigned long *next);

int mlkd_walk(struct mlkd_walk *walk, mlkd_step_fn step);
bool mlkd_walk_alloc(struct mlkd_walk *walk);

#endif /* _MEMLOCKD_WALK_H */
