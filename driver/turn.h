/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns at the mmap_lock of a target.
 */
#ifndef _MEMLOCKD_TURN_H
#define _MEMLOCKD_TURN_H

#include <linux/types.h>

struct mm_struct;
struct vm_area_struct;

/* A look at a mapping, or a fault, takes as long as so many looks at a page that is there. */
#define MLKD_COST_VMA	16
#define MLKD_COST_FAULT	16

/**
 * struct mlkd_pace - how long those turns may be that belong together
 * @owed: for how much longer the target has kept them from its mmap_lock than they have
 *	had it, in ns; at least 0.  Several may change it at once; then it is less exact
 */
struct mlkd_pace {
	u64 owed;
};

/**
 * struct mlkd_turn - turns of one task at one mmap_lock, one after the other
 * @mm: the address space
 * @write: mmap_lock is taken for writing
 * @tries: it is not waited for; only for reading
 * @endless: a turn lasts until its work is done, however long that takes
 * @pace: whose pace the turns have; or NULL, and they are never longer than usual
 * @nr: how many have begun
 * @begun: when this turn has begun, by local_clock()
 * @share: for how long others have to wait for it, in ns
 * @cost: of what has been done since the last look at the clock
 * @over: it is over
 */
struct mlkd_turn {
	struct mm_struct *mm;
	bool write;
	bool tries;
	bool endless;
	struct mlkd_pace *pace;
	/* These are turn.c's. */
	unsigned int nr;
	u64 begun;
	u64 share;
	unsigned long cost;
	bool over;
};

/* mlkd_turns() calls this for [start, end), a part of @vma or all of it; 0 to go on. */
typedef int (*mlkd_turn_fn)(struct vm_area_struct *vma, unsigned long start,
			    unsigned long end, void *data);

int mlkd_turn_begin(struct mlkd_turn *turn);
bool mlkd_turn_over(struct mlkd_turn *turn, unsigned long cost);
void mlkd_turn_end(struct mlkd_turn *turn);
int mlkd_turns(struct mlkd_turn *turn, unsigned long start, unsigned long end,
	       mlkd_turn_fn fn, void *data);

#endif /* _MEMLOCKD_TURN_H */
