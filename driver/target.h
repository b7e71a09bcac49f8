/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that a call is about.
 */
#ifndef _MEMLOCKD_TARGET_H
#define _MEMLOCKD_TARGET_H

#include <linux/sched.h>

/**
 * struct mlkd_target - the process that a call is about
 * @task: its leader, with a reference
 * @mm: its address space when the caller was found to be permitted; its mm_count
 *	is held.  The process may have another one by now
 */
struct mlkd_target {
	struct task_struct *task;
	struct mm_struct *mm;
};

extern int mlkd_unprivileged_mlock;
extern int mlkd_old_mlock;

int mlkd_targets_init(void);

int mlkd_target_get(struct mlkd_target *target, u32 type, s32 id);
void mlkd_target_put(struct mlkd_target *target);
bool mlkd_target_gone(struct task_struct *task, struct mm_struct *mm);
unsigned long mlkd_target_memlock_limit(struct task_struct *task);
bool mlkd_target_over_limit(struct task_struct *task, unsigned long pages,
			    unsigned long *limit);
void mlkd_target_faults(struct task_struct *task, u64 *minor, u64 *major);

#endif /* _MEMLOCKD_TARGET_H */
