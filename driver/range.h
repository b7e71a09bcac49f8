/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of parts of an address space.
 */
#ifndef _MEMLOCKD_RANGE_H
#define _MEMLOCKD_RANGE_H

#include <linux/types.h>

struct mlkd_limit;
struct mlkd_space;
struct task_struct;
struct vm_area_struct;

int mlkd_range_lock(struct mlkd_space *space, struct task_struct *task, u32 state,
		    unsigned long start, unsigned long end,
		    struct mlkd_limit *limit);
int mlkd_range_unlock(struct mlkd_space *space, unsigned long start,
		      unsigned long end);

bool mlkd_ranges_empty(struct mlkd_space *space);
u64 mlkd_ranges_bytes(struct mlkd_space *space);
bool mlkd_ranges_next(struct mlkd_space *space, unsigned long *start,
		      unsigned long *end, u32 *state);
bool mlkd_ranges_cover(struct mlkd_space *space, unsigned long start,
		       unsigned long end, u32 *state);
void mlkd_ranges_drop_pins(struct mlkd_space *space, unsigned long start,
			   unsigned long end, bool munlock);
void mlkd_ranges_keep(struct mlkd_space *space, struct vm_area_struct *vma);
void mlkd_ranges_unmap(struct mlkd_space *space, unsigned long start,
		       unsigned long end);

#endif /* _MEMLOCKD_RANGE_H */
