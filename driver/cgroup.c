// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory cgroup of a process: how much more it may have, and what is charged to it.
 *
 * A page that a worker faults in is charged to the cgroup of the address space that it
 * belongs to.  Where that has no room, the core kernel has somebody in the cgroup killed,
 * and above memory.high it lets the worker wait.  So there is a look before.
 */
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "cgroup.h"

#ifdef CONFIG_MEMCG
/* Pages of @memcg and of all below it that are in one of LRU lists @first to @last. */
static unsigned long lru_pages(struct mem_cgroup *memcg, enum lru_list first,
			       enum lru_list last)
{
	struct cgroup_subsys_state *css;
	unsigned long pages = 0;
	enum lru_list lru;
	int node, zone;

	rcu_read_lock();
	css_for_each_descendant_pre(css, &memcg->css) {
		for_each_node_state(node, N_MEMORY) {
			struct mem_cgroup_per_node *info =
				mem_cgroup_from_css(css)->nodeinfo[node];

			for (zone = 0; zone < MAX_NR_ZONES; zone++)
				for (lru = first; lru <= last; lru++)
					pages += READ_ONCE(info->lru_zone_size[zone][lru]);
		}
	}
	rcu_read_unlock();
	return pages;
}

/*
 * Returns how much reclaim may find in @memcg: files, and as much private and shared memory as
 * there is swap for.  Memory of @mm is left out, as it is about to be locked.
 */
static unsigned long reclaimable(struct mem_cgroup *memcg, struct mm_struct *mm)
{
	unsigned long own = get_mm_counter(mm, MM_ANONPAGES);
	unsigned long anon = lru_pages(memcg, LRU_INACTIVE_ANON, LRU_ACTIVE_ANON);
	unsigned long swap = max(get_nr_swap_pages(), 0L);
	unsigned long max = READ_ONCE(memcg->swap.max);
	unsigned long used = page_counter_read(&memcg->swap);

	anon -= min(anon, own);
	swap = min(swap, max - min(max, used));
	return lru_pages(memcg, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE) + min(anon, swap);
}

/**
 * mlkd_cgroup_room - see how much may be charged to the memory cgroup of a process
 * @mm: its address space
 * @enough: so much is enough, and more need not be looked for
 *
 * Return: what is left below the limits of the cgroup and of those above it.
 */
struct mlkd_cgroup_room mlkd_cgroup_room(struct mm_struct *mm, unsigned long enough)
{
	struct mem_cgroup *memcg, *first = get_mem_cgroup_from_mm(mm);
	struct mlkd_cgroup_room least = { .pages = ULONG_MAX };

	for (memcg = first; memcg; memcg = parent_mem_cgroup(memcg)) {
		struct page_counter *counter = &memcg->memory;
		unsigned long used = page_counter_read(counter);
		unsigned long limit = min(READ_ONCE(counter->max), READ_ONCE(counter->high));
		unsigned long left = limit - min(limit, used);

		if (limit == PAGE_COUNTER_MAX)
			continue;
		if (left < enough)
			left += reclaimable(memcg, mm);
		if (left < least.pages)
			least = (struct mlkd_cgroup_room){ .pages = left, .limit = limit };
	}
	mem_cgroup_put(first);
	return least;
}
#else
struct mlkd_cgroup_room mlkd_cgroup_room(struct mm_struct *mm, unsigned long enough)
{
	return (struct mlkd_cgroup_room){ .pages = ULONG_MAX };
}
#endif

/**
 * mlkd_cgroup_charge - charge what current allocates from here on to a process
 * @mm: the address space of the process
 *
 * For what a worker remembers of a process that would have remembered it itself: without
 * this it would be charged to nobody.  What carries __GFP_ACCOUNT is charged at all.
 *
 * Return: to be given to mlkd_cgroup_charge_end().
 */
struct mem_cgroup *mlkd_cgroup_charge(struct mm_struct *mm)
{
	return set_active_memcg(get_mem_cgroup_from_mm(mm));
}

void mlkd_cgroup_charge_end(struct mem_cgroup *before)
{
	mem_cgroup_put(set_active_memcg(before));
}

#ifdef CONFIG_CGROUPS
/* Returns the cgroup of version 2 whose directory @fd is, with a reference; or an ERR_PTR(). */
struct cgroup *mlkd_cgroup_of_fd(int fd)
{
	return cgroup_get_from_fd(fd);
}

void mlkd_cgroup_put(struct cgroup *cgroup)
{
	if (cgroup)
		cgroup_put(cgroup);
}

/* Says whether @task is in @cgroup, or below it.  Under RCU; for probes. */
bool mlkd_cgroup_has(struct cgroup *cgroup, struct task_struct *task)
{
	return cgroup_is_descendant(task_dfl_cgroup(task), cgroup);
}

/* The inode of its directory. */
u64 mlkd_cgroup_id(struct cgroup *cgroup)
{
	return cgroup ? cgroup_id(cgroup) : 0;
}
#else
struct cgroup *mlkd_cgroup_of_fd(int fd)
{
	return ERR_PTR(-EOPNOTSUPP);
}

void mlkd_cgroup_put(struct cgroup *cgroup)
{
}

bool mlkd_cgroup_has(struct cgroup *cgroup, struct task_struct *task)
{
	return false;
}

u64 mlkd_cgroup_id(struct cgroup *cgroup)
{
	return 0;
}
#endif
