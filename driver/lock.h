/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to lock and to unlock.
 */
#ifndef _MEMLOCKD_LOCK_H
#define _MEMLOCKD_LOCK_H

#include "policy.h"

struct mlkd_limit;
struct mlkd_space;
struct mm_struct;
struct task_struct;

int mlkd_lock(struct mlkd_space *space, struct task_struct *task,
	      struct mlkd_mode mode, bool bypass, bool fit, bool again, u64 stack_reserve,
	      struct mlkd_limit *limit);
int mlkd_sync_future(struct mlkd_space *space, struct task_struct *task,
		     struct mlkd_limit *limit);
void mlkd_lower(struct mlkd_space *space, struct mlkd_mode mode);
void mlkd_unlock(struct mlkd_space *space);

int mlkd_lock_range(struct mlkd_space *space, struct task_struct *task, u32 state,
		    unsigned long start, unsigned long end,
		    struct mlkd_limit *limit);
unsigned long mlkd_mapped_end(struct mm_struct *mm, unsigned long start, unsigned long end);
int mlkd_unlock_range(struct mlkd_space *space, unsigned long start, unsigned long end,
		      bool whole);

#endif /* _MEMLOCKD_LOCK_H */
