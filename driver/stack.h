/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Growing the main stack of a process.
 */
#ifndef _MEMLOCKD_STACK_H
#define _MEMLOCKD_STACK_H

#include <linux/types.h>

struct mm_struct;
struct task_struct;

unsigned long mlkd_stack_floor(struct mm_struct *mm, struct task_struct *task, u64 reserve);
int mlkd_stack_grow(struct mm_struct *mm, unsigned long floor);

#endif /* _MEMLOCKD_STACK_H */
