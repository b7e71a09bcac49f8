/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making an address space present and pinned.
 */
#ifndef _MEMLOCKD_POPULATE_H
#define _MEMLOCKD_POPULATE_H

#include <linux/mm_types.h>

#include "walk.h"

struct mlkd_space;

int mlkd_fault_page(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
		    int *locked);
bool mlkd_populate_never_waits(struct vm_area_struct *vma);
int mlkd_populate_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		       unsigned long start, unsigned long end,
		       unsigned long *next);
void mlkd_populate_again(struct mlkd_space *space, unsigned long start,
			 unsigned long end);
void mlkd_populate_writable(struct mlkd_space *space);
bool mlkd_populate_present(struct mlkd_space *space, struct task_struct *task,
			   unsigned long start, unsigned long end);
void mlkd_populate_future(struct mlkd_space *space, unsigned long start,
			  unsigned long end);

#endif /* _MEMLOCKD_POPULATE_H */
