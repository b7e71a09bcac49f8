/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that a call is about.
 */
#ifndef _MEMLOCKD_TARGET_H
#define _MEMLOCKD_TARGET_H

#include <linux/sched.h>

/**
 * enum mlkd_purpose - why the caller looks for a process
 * @MLKD_TO_LOOK: only look at what it has
 * @MLKD_TO_LOCK: change what it has
 */
enum mlkd_purpose {
	MLKD_TO_LOOK,
	MLKD_TO_LOCK,
};

/**
 * struct mlkd_target - the process that a call is about
 * @task: its leader, with a reference
 * @mm: its address space when the caller was found to be permitted; its mm_count
 *	is held.  The process may have another one by now
 * @addresses: with MLKD_TO_LOOK: the caller may see where its memory lies
 */
struct mlkd_target {
	struct task_struct *task;
	struct mm_struct *mm;
	bool addresses;
};

extern int mlkd_unprivileged_mlock;
extern int mlkd_old_mlock;

int mlkd_targets_init(void);

int mlkd_target_get(struct mlkd_target *target, u32 type, s32 id,
		    enum mlkd_purpose purpose);
int mlkd_target_of(struct mlkd_target *target, struct task_struct *task);
void mlkd_target_put(struct mlkd_target *target);
bool mlkd_mm_killed(struct mm_struct *mm);
bool mlkd_target_gone(struct task_struct *task, struct mm_struct *mm);
unsigned long mlkd_target_memlock_limit(struct task_struct *task);
bool mlkd_target_over_limit(struct task_struct *task, unsigned long pages,
			    unsigned long *limit);
bool mlkd_mm_over_limit(struct mm_struct *mm, unsigned long pages);
bool mlkd_target_has_room(struct task_struct *task, struct mm_struct *mm, unsigned long pages);
bool mlkd_target_limit_waived(struct task_struct *task, unsigned long pages);
void mlkd_target_faults(struct task_struct *task, u64 *minor, u64 *major);

#endif /* _MEMLOCKD_TARGET_H */
