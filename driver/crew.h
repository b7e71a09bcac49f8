/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The workers that populate an address space.
 */
#ifndef _MEMLOCKD_CREW_H
#define _MEMLOCKD_CREW_H

struct mlkd_space;
struct task_struct;

int mlkd_populate(struct mlkd_space *space, struct task_struct *task,
		  unsigned long start, unsigned long end);

#endif /* _MEMLOCKD_CREW_H */
