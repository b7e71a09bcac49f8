/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making pages writable again that writeback has write-protected.
 */
#ifndef _MEMLOCKD_HEAL_H
#define _MEMLOCKD_HEAL_H

#include <linux/atomic.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct mlkd_space;

#define MLKD_HEAL_RANGES	32

/**
 * struct mlkd_heal - what is to be healed in one address space
 * @lock: protects @nr to @ranges; a leaf, taken in mmu notifiers
 * @nr: ranges noted
 * @overflow: there were more: all shared files are to be looked at
 * @queued: @work is on its way, with a reference to the space
 * @ranges: address ranges that have been write-protected
 * @work: heals them
 * @healed: pages, since the space exists
 */
struct mlkd_heal {
	spinlock_t lock;	/* @nr to @ranges */
	unsigned int nr;
	bool overflow;
	bool queued;
	struct {
		unsigned long start;
		unsigned long end;
	} ranges[MLKD_HEAL_RANGES];
	struct work_struct work;
	atomic_long_t healed;
};

int mlkd_heal_init(void);
void mlkd_heal_exit(void);
void mlkd_heal_setup(struct mlkd_heal *heal);
void mlkd_heal_note(struct mlkd_space *space, unsigned long start,
		    unsigned long end);

#endif /* _MEMLOCKD_HEAL_H */
