// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workers that populate an address space, and the caller, who does the rest.
 *
 * Private memory without a file is most of a process.  A fault there waits for
 * memory and for swap alone, never for a server that may not answer, so it need
 * not be the caller, who can be killed, that waits.  Workers do that: they borrow
 * the target's address space, as pages can be pinned fast in current's own only.
 *
 * One worker is enough for memory that is present, or swapped out.  Where memory has
 * to be cleared, others help.
 */
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "crew.h"
#include "pin.h"
#include "populate.h"
#include "space.h"

#define MAX_CREW	4

/* How much a worker takes at once, and at how many fresh pages the first calls others. */
#define SHARE_SIZE	(8 * MLKD_CHUNK_SIZE)
#define MUCH_TO_CLEAR	(4 * MLKD_CHUNK_PAGES)

struct crew_member {
	struct work_struct work;
	struct mlkd_crew *crew;
};

/**
 * struct mlkd_crew - the workers that populate private memory without a file
 * @space: the space; its claim is held
 * @task: the process
 * @caller: the task that asked for it, and waits
 * @memcg: the caller's memory cgroup, which pays for our bookkeeping
 * @lock: protects @next
 * @next: the first address that no worker has taken
 * @last: the last address
 * @err: the error with which a worker has failed
 * @fresh: pages that the first worker has had cleared
 * @members: the workers; the first calls the others
 */
struct mlkd_crew {
	struct mlkd_space *space;
	struct task_struct *task;
	struct task_struct *caller;
	struct mem_cgroup *memcg;
	struct mutex lock;		/* @next */
	unsigned long next;
	unsigned long last;
	int err;
	unsigned long fresh;
	struct crew_member members[MAX_CREW];
};

static int crew_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	if (mlkd_populate_never_waits(vma))
		return mlkd_populate_step(walk, vma, start, end, next);
	*next = vma->vm_end;
	return 0;
}

static int rest_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	if (!mlkd_populate_never_waits(vma))
		return mlkd_populate_step(walk, vma, start, end, next);
	*next = vma->vm_end;
	return 0;
}

/* Finds the next part of the address space in which there is something to do. */
static bool crew_take_share(struct mlkd_crew *crew, struct mlkd_walk *walk)
{
	struct mm_struct *mm = crew->space->mm;
	struct vm_area_struct *vma;
	bool found;

	mutex_lock(&crew->lock);
	mmap_read_lock(mm);
	vma = find_vma(mm, crew->next);
	while (vma && !(mlkd_populate_never_waits(vma) && vma_is_accessible(vma) &&
			mlkd_attr_any(&crew->space->attrs, vma->vm_start, vma->vm_end,
				      MLKD_OURS)))
		vma = find_vma(mm, vma->vm_end);
	found = vma && max(crew->next, vma->vm_start) <= crew->last;
	if (found) {
		walk->start = max(crew->next, vma->vm_start);
		walk->end = min(walk->start | (SHARE_SIZE - 1), crew->last) + 1;
		crew->next = walk->end;
	}
	mmap_read_unlock(mm);
	mutex_unlock(&crew->lock);
	return found;
}

/*
 * vvar holds the clocks of its process's time namespace.  Its fault handler takes the
 * namespace from current, and warns when current has another address space.  So a worker
 * that has borrowed the target's address space takes these faults, if it is in the same
 * namespace as the target.  If it is not, vvar is left to fault once.
 */
static void prefault_vvar(struct mm_struct *mm, struct task_struct *task)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	bool same_time;

	task_lock(task);
	same_time = task->nsproxy &&
		    task->nsproxy->time_ns == current->nsproxy->time_ns;
	task_unlock(task);
	if (!same_time)
		return;

	mmap_read_lock(mm);
	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		unsigned long addr;

		if (!mlkd_vma_vvar(vma))
			continue;
		/* vvar has holes for clocks that the machine lacks. */
		for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE)
			fixup_user_fault(mm, addr, 0, NULL);
	}
	mmap_read_unlock(mm);
}

/* The first worker is about to have @nr pages cleared: if these are many, it calls others. */
static void crew_count_fresh(struct mlkd_walk *walk, unsigned long nr)
{
	struct mlkd_crew *crew = walk->crew;
	bool was_much = crew->fresh >= MUCH_TO_CLEAR;
	unsigned int i, size = min_t(unsigned int, num_online_cpus(), MAX_CREW);

	crew->fresh += nr;
	if (was_much || crew->fresh < MUCH_TO_CLEAR)
		return;
	for (i = 1; i < size; i++)
		queue_work(system_dfl_wq, &crew->members[i].work);
}

/* Populates share after share until none is left; current has the target's address space. */
static void crew_run(struct mlkd_crew *crew, bool first)
{
	struct mlkd_walk walk = {
		.space = crew->space,
		.task = crew->task,
		.caller = crew->caller,
		.crew = crew,
		.fresh = first ? crew_count_fresh : NULL,
	};
	int err = first ? -ENOMEM : 0;

	if (mlkd_walk_alloc(&walk))
		err = 0;
	while (walk.pages && !err && !READ_ONCE(crew->err) &&
	       crew_take_share(crew, &walk))
		err = mlkd_walk(&walk, crew_step);
	if (err)
		WRITE_ONCE(crew->err, err);
	kfree(walk.pages);
	if (first && crew->last == ULONG_MAX)
		prefault_vvar(crew->space->mm, crew->task);
}

static void crew_work(struct work_struct *work)
{
	struct crew_member *member = container_of(work, struct crew_member, work);
	struct mlkd_crew *crew = member->crew;
	struct mm_struct *mm = crew->space->mm;
	struct mem_cgroup *old = set_active_memcg(crew->memcg);

	kthread_use_mm(mm);
	crew_run(crew, member == crew->members);
	kthread_unuse_mm(mm);
	set_active_memcg(old);
}

/* Populates the part of @walk that workers may do; and vvar, if @walk is for everything. */
static int populate_by_crew(const struct mlkd_walk *walk)
{
	struct mlkd_crew crew = {
		.space = walk->space,
		.task = walk->task,
		.caller = walk->caller,
		.memcg = get_mem_cgroup_from_mm(current->mm),
		.next = walk->start,
		.last = walk->end - 1,
	};
	struct crew_member *member;

	mutex_init(&crew.lock);
	for (member = crew.members; member < crew.members + MAX_CREW; member++) {
		member->crew = &crew;
		INIT_WORK_ONSTACK(&member->work, crew_work);
	}
	if (current->mm == crew.space->mm)
		crew_run(&crew, true);
	else
		queue_work(system_dfl_wq, &crew.members[0].work);
	/* The first is waited for first, as it is the one that queues the others. */
	for (member = crew.members; member < crew.members + MAX_CREW; member++) {
		flush_work(&member->work);
		destroy_work_on_stack(&member->work);
	}
	mem_cgroup_put(crew.memcg);
	return crew.err;
}

/**
 * mlkd_populate - make an address space present and pinned as its attributes ask for
 * @space: the space; its claim is held
 * @task: the process
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * A page that cannot be had (behind the end of a file, poisoned, in the hands of
 * a userfaultfd monitor) does not fail the call.
 *
 * Return: 0, -ENOMEM, -EDQUOT (a limit of its memory cgroup), -EINTR or -ESRCH; then part
 * of it is present and pinned.
 */
int mlkd_populate(struct mlkd_space *space, struct task_struct *task,
		  unsigned long start, unsigned long end)
{
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end,
		.task = task,
		.caller = current,
	};
	int err;

	if (!mlkd_walk_alloc(&walk))
		return -ENOMEM;
	err = populate_by_crew(&walk);
	if (!err)
		err = mlkd_walk(&walk, rest_step);
	kfree(walk.pages);
	return err;
}
