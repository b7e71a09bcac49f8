/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The limit that a request has met, and RLIMIT_MEMLOCK raised.
 */
#ifndef _MEMLOCKD_LIMIT_H
#define _MEMLOCKD_LIMIT_H

#include <linux/errno.h>
#include <linux/mm.h>

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

struct mlkd_space;
struct task_struct;

void mlkd_limit_raise(struct mlkd_space *space, struct task_struct *task);
bool mlkd_limit_restore(struct mlkd_space *space);

#endif /* _MEMLOCKD_LIMIT_H */
