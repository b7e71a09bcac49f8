/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Growing the main stack of a process.
 */
#ifndef _MEMLOCKD_STACK_H
#define _MEMLOCKD_STACK_H

#include <linux/types.h>

struct task_struct;
struct vm_area_struct;

unsigned long mlkd_stack_floor(struct vm_area_struct *vma,
			       struct task_struct *task, unsigned long base,
			       u64 reserve);
void mlkd_stack_grow(struct task_struct *task, unsigned long floor);

#endif /* _MEMLOCKD_STACK_H */
