/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much more memory the memory cgroup of a process may have.
 */
#ifndef _MEMLOCKD_CGROUP_H
#define _MEMLOCKD_CGROUP_H

#include <linux/mm_types.h>

/**
 * struct mlkd_cgroup_room - what is left below the limit that would be met first
 * @pages: pages that can be charged before anybody is throttled or killed for them;
 *	ULONG_MAX without a limit
 * @limit: memory.max or memory.high, whichever is lower, of the cgroup or of one above it
 */
struct mlkd_cgroup_room {
	unsigned long pages;
	unsigned long limit;
};

struct mlkd_cgroup_room mlkd_cgroup_room(struct mm_struct *mm, unsigned long enough);

#endif /* _MEMLOCKD_CGROUP_H */
