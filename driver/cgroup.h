/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory cgroup of a process: how much more it may have, and what is charged to it.  And
 * which processes are in a cgroup.
 */
#ifndef _MEMLOCKD_CGROUP_H
#define _MEMLOCKD_CGROUP_H

#include <linux/mm_types.h>

struct cgroup;
struct mem_cgroup;
struct task_struct;

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

struct mem_cgroup *mlkd_cgroup_charge(struct mm_struct *mm);
void mlkd_cgroup_charge_end(struct mem_cgroup *before);

struct cgroup *mlkd_cgroup_of_fd(int fd);
void mlkd_cgroup_put(struct cgroup *cgroup);
bool mlkd_cgroup_has(struct cgroup *cgroup, struct task_struct *task);
u64 mlkd_cgroup_id(struct cgroup *cgroup);

#endif /* _MEMLOCKD_CGROUP_H */
