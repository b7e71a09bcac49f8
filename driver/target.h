/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that a call is about.
 */
#ifndef _MEMLOCKD_TARGET_H
#define _MEMLOCKD_TARGET_H

#include <linux/sched.h>

struct task_struct *mlkd_target_get(u32 type, s32 id);
int mlkd_target_permitted(struct task_struct *task);
struct mm_struct *mlkd_target_mm(struct task_struct *task);
bool mlkd_target_gone(struct task_struct *task, struct mm_struct *mm);
unsigned long mlkd_target_memlock_limit(struct task_struct *task);
bool mlkd_target_unlimited(struct task_struct *task);
void mlkd_target_faults(struct task_struct *task, u64 *minor, u64 *major);

#endif /* _MEMLOCKD_TARGET_H */
