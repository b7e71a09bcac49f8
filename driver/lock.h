/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Raising, lowering and undoing locks.
 */
#ifndef _MEMLOCKD_LOCK_H
#define _MEMLOCKD_LOCK_H

#include <linux/errno.h>
#include <linux/mm.h>

#include "policy.h"

struct mlkd_space;

/**
 * struct mlkd_limit - the limit that a lock has met
 * @which: &enum memlockd_limit
 * @needed: bytes that it would have to allow
 * @allowed: bytes that it allows
 */
struct mlkd_limit {
	u32 which;
	u64 needed;
	u64 allowed;
};

/* @pages are more than the @allowed bytes of @which. */
static inline int mlkd_limit_met(struct mlkd_limit *limit, u32 which,
				 unsigned long pages, u64 allowed)
{
	limit->which = which;
	limit->needed = (u64)pages << PAGE_SHIFT;
	limit->allowed = allowed;
	return -ENOMEM;
}

int mlkd_lock(struct mlkd_space *space, struct task_struct *task,
	      struct mlkd_mode mode, bool bypass, u64 stack_reserve,
	      struct mlkd_limit *limit);
int mlkd_lower(struct mlkd_space *space, struct mlkd_mode mode);
void mlkd_unlock(struct mlkd_space *space);
int mlkd_note_locked(struct mlkd_space *space);
void mlkd_numa_scan_stop_again(struct mlkd_space *space);

#endif /* _MEMLOCKD_LOCK_H */
