// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much memory there is for what a process is going to take.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/page_counter.h>

#include "room.h"

#ifdef CONFIG_MEMCG
/* Pages of files that a memory cgroup itself has, without those below it. */
static unsigned long file_pages(struct mem_cgroup *memcg)
{
	unsigned long pages = 0;
	int node, zone;

	for_each_node(node) {
		struct mem_cgroup_per_node *info = memcg->nodeinfo[node];

		for (zone = 0; info && zone < MAX_NR_ZONES; zone++)
			pages += READ_ONCE(info->lru_zone_size[zone][LRU_INACTIVE_FILE]) +
				 READ_ONCE(info->lru_zone_size[zone][LRU_ACTIVE_FILE]);
	}
	return pages;
}

/* How many pages the memory cgroup of @mm may have more, and each one above it. */
static unsigned long cgroup_room(struct mm_struct *mm)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);
	unsigned long room = PAGE_COUNTER_MAX, files;
	struct page_counter *counter;

	if (!memcg)
		return room;
	/* Those above have these pages, too, and can do without them. */
	files = file_pages(memcg);
	for (counter = &memcg->memory; counter; counter = counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		unsigned long used = atomic_long_read(&counter->usage);

		room = min(room, max - min(max, used) + files);
	}
	mem_cgroup_put(memcg);
	return room;
}
#else
static unsigned long cgroup_room(struct mm_struct *mm)
{
	return ULONG_MAX;
}
#endif

/**
 * mlkd_room - how many pages a process can have more
 * @mm: its address space
 *
 * That is as much as the machine and the process's memory cgroup have free or in use for
 * files.  The core kernel may find more, in swap for instance.
 *
 * Return: pages.
 */
unsigned long mlkd_room(struct mm_struct *mm)
{
	return min_t(unsigned long, si_mem_available(), cgroup_room(mm));
}
