// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workers that populate an address space.
 *
 * Private memory without a file is most of a process.  A fault there waits for memory
 * and for swap alone, never for a server that may not answer.  Workers borrow the
 * target's address space for that, as pages can be pinned fast in current's own only.
 * One of them is enough for memory that is present, or swapped out.  Where memory has to
 * be cleared, others help.  Then the caller does the rest.
 *
 * That is the usual way, and waits for nobody.  If the process keeps mmap_lock, or has a
 * file of a server that would have to be waited for, it ends with -EAGAIN.  Workers that
 * can be killed go on, and may have to be left waiting, which errand.c is about; another
 * takes the place of such a one, and passes over the file system that does not answer.
 */
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat.h"
#include "crew.h"
#include "errand.h"
#include "pin.h"
#include "populate.h"
#include "space.h"
#include "target.h"
#include "turn.h"

#define MAX_CREW	4

/* How much a worker takes at once, and at how many fresh pages the first calls others. */
#define SHARE_SIZE	(8 * MLKD_CHUNK_SIZE)
#define MUCH_TO_CLEAR	(4 * MLKD_CHUNK_PAGES)

/**
 * struct worker - one of the workers
 * @errand: its errand
 * @crew: the crew, with a reference
 * @first: it is the one that calls others
 * @start: of one that does the rest: where it begins
 * @silent: likewise: the file systems that it passes over
 * @err: the error with which it has failed
 */
struct worker {
	struct mlkd_errand errand;
	struct mlkd_crew *crew;
	bool first;
	unsigned long start;
	struct mlkd_silent silent;
	int err;
};

/**
 * struct mlkd_crew - the workers that populate one address space
 * @ref: one for the caller, one for each worker
 * @space: the space, with a reference; its claim is held, until a worker is left
 * @task: the process, with a reference
 * @memcg: the caller's memory cgroup, which pays for our bookkeeping
 * @lock: protects @next
 * @next: the first address that no worker has taken
 * @last: the last address
 * @err: the error with which a worker has failed
 * @fresh: pages that the first worker has had cleared
 * @shares: these have been so many that it has called the others
 * @workers: those for private memory without a file; the first calls the others
 * @nr_workers: how many of them there are
 */
struct mlkd_crew {
	refcount_t ref;
	struct mlkd_space *space;
	struct task_struct *task;
	struct mem_cgroup *memcg;
	struct mutex lock;		/* @next */
	unsigned long next;
	unsigned long last;
	int err;
	unsigned long fresh;
	bool shares;
	struct worker *workers[MAX_CREW];
	unsigned int nr_workers;
};

static void crew_put(struct mlkd_crew *crew)
{
	if (!refcount_dec_and_test(&crew->ref))
		return;
	mlkd_space_put(crew->space);
	put_task_struct(crew->task);
	mem_cgroup_put(crew->memcg);
	kfree(crew);
}

static void free_worker(struct mlkd_errand *errand)
{
	struct worker *worker = container_of(errand, struct worker, errand);

	crew_put(worker->crew);
	kfree(worker);
}

/* The process has been killed, and has its memory to give back as soon as we let it go. */
static bool worker_useless(struct mlkd_errand *errand)
{
	struct worker *worker = container_of(errand, struct worker, errand);

	return mlkd_target_gone(worker->crew->task, errand->mm);
}

/* Starts a worker that is as *@ready says. */
static struct worker *start_worker(struct mlkd_crew *crew, const struct worker *ready)
{
	struct worker *worker = kmemdup(ready, sizeof(*ready), GFP_KERNEL);
	int err;

	if (!worker)
		return ERR_PTR(-ENOMEM);
	refcount_inc(&crew->ref);
	worker->crew = crew;
	worker->errand.free = free_worker;
	worker->errand.useless = worker_useless;
	worker->errand.mm = crew->space->mm;
	worker->errand.memcg = crew->memcg;
	err = mlkd_errand_start(&worker->errand);
	if (!err)
		return worker;
	free_worker(&worker->errand);
	return ERR_PTR(err);
}

/* Somebody else does @vma, which costs no more than a look. */
static void pass_over(struct mlkd_walk *walk, struct vm_area_struct *vma,
		      unsigned long start, unsigned long end, unsigned long *next)
{
	*next = vma->vm_end;
	walk->spared = (end - start) >> PAGE_SHIFT;
}

/*
 * Is @task in current's time namespace?  A process that enters another has its vvar unmapped,
 * with mmap_lock held.  So this is asked with mmap_lock held, too.
 */
static bool same_time(struct task_struct *task)
{
	bool ret;

	task_lock(task);
	ret = task->nsproxy && task->nsproxy->time_ns == current->nsproxy->time_ns;
	task_unlock(task);
	return ret;
}

/*
 * vvar holds the clocks of its process's time namespace.  Its fault handler takes the
 * namespace from current, and warns when current has another address space.  So a worker
 * that has borrowed the target's address space takes these faults, if it is in the same
 * namespace as the target.  If it is not, vvar is left to fault once.
 */
static void prefault_vvar(struct vm_area_struct *vma)
{
	unsigned long addr;

	/* vvar has holes for clocks that the machine lacks. */
	for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE)
		fixup_user_fault(vma->vm_mm, addr, 0, NULL);
}

/* A lock of a range leaves vvar alone. */
static bool is_for_crew(struct mlkd_crew *crew, struct vm_area_struct *vma)
{
	return mlkd_populate_never_waits(vma) ||
	       (crew->last == ULONG_MAX && mlkd_vma_vvar(vma));
}

static int crew_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	if (mlkd_populate_never_waits(vma))
		return mlkd_populate_step(walk, vma, start, end, next);
	if (is_for_crew(walk->crew, vma) && same_time(walk->crew->task))
		prefault_vvar(vma);
	pass_over(walk, vma, start, end, next);
	return 0;
}

static int rest_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	if (!mlkd_populate_never_waits(vma))
		return mlkd_populate_step(walk, vma, start, end, next);
	pass_over(walk, vma, start, end, next);
	return 0;
}

static struct mlkd_turn turn_of(struct mlkd_crew *crew, struct mlkd_errand *errand)
{
	return (struct mlkd_turn){
		.mm = errand->mm,
		.tries = errand->brief,
		.pace = &crew->space->pace,
	};
}

/*
 * Passes over what is not for a crew, in one turn.  Sets *@share to the next mapping that is,
 * or to NULL.  Returns whether it has to go on.
 */
static bool seek_share(struct mlkd_crew *crew, struct mlkd_turn *turn,
		       struct vm_area_struct **share)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	*share = NULL;
	vma_iter_init(&vmi, turn->mm, crew->next);
	for_each_vma(vmi, vma) {
		if (vma->vm_start > crew->last)
			break;
		if (is_for_crew(crew, vma) && vma_is_accessible(vma) &&
		    mlkd_attr_any(&crew->space->attrs, vma->vm_start, vma->vm_end,
				  MLKD_OURS)) {
			*share = vma;
			break;
		}
		if (vma->vm_end > crew->last)
			break;
		crew->next = vma->vm_end;
		if (mlkd_turn_over(turn, MLKD_COST_VMA))
			return true;
	}
	return false;
}

/*
 * Finds the next part of the address space in which there is something to do.  Returns 1,
 * 0 when there is none, or -EINTR, -EAGAIN.
 */
static int crew_take_share(struct mlkd_crew *crew, struct mlkd_walk *walk)
{
	struct mlkd_turn turn = turn_of(crew, walk->errand);
	struct vm_area_struct *vma;
	bool more = true;
	int ret = 0;

	if (mutex_lock_killable(&crew->lock))
		return -EINTR;
	while (more && !ret) {
		ret = mlkd_turn_begin(&turn);
		if (ret)
			break;
		more = seek_share(crew, &turn, &vma);
		if (vma && max(crew->next, vma->vm_start) <= crew->last) {
			walk->start = max(crew->next, vma->vm_start);
			walk->end = min(walk->start | (SHARE_SIZE - 1), crew->last) + 1;
			crew->next = walk->end;
			ret = 1;
		}
		mlkd_turn_end(&turn);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
	}
	mutex_unlock(&crew->lock);
	return ret;
}

static void crew_work(struct mlkd_errand *errand);

/*
 * The first worker is about to have @nr pages cleared.  If these are many, it calls others, and
 * leaves to all of them together what lies behind the share that it is at.
 */
static void crew_count_fresh(struct mlkd_walk *walk, unsigned long start, unsigned long nr)
{
	struct mlkd_crew *crew = walk->crew;
	bool was_much = crew->fresh >= MUCH_TO_CLEAR;
	unsigned int size = min_t(unsigned int, num_online_cpus(), MAX_CREW);
	const struct worker ready = { .errand = {
		.run = crew_work, .borrows = true, .brief = walk->errand->brief,
	} };

	crew->fresh += nr;
	if (was_much || crew->fresh < MUCH_TO_CLEAR || size == 1)
		return;
	walk->end = min(start | (SHARE_SIZE - 1), crew->last) + 1;
	crew->next = walk->end;
	crew->shares = true;
	while (crew->nr_workers < size) {
		struct worker *worker = start_worker(crew, &ready);

		if (IS_ERR(worker))
			break;		/* it can be done without */
		crew->workers[crew->nr_workers++] = worker;
	}
}

/*
 * Populates share after share until none is left; current has the target's address space.  The
 * first worker begins with all of it as its share, as long as it is alone.
 */
static void crew_work(struct mlkd_errand *errand)
{
	struct worker *worker = container_of(errand, struct worker, errand);
	struct mlkd_crew *crew = worker->crew;
	bool first = worker->first;
	struct mlkd_walk walk = {
		.space = crew->space,
		.task = crew->task,
		.errand = errand,
		.silent = &worker->silent,
		.crew = crew,
		.fresh = first ? crew_count_fresh : NULL,
		.start = first ? crew->next : 0,
		.end = first ? crew->last + 1 : 0,
	};
	int err = 0, more = 1;

	if (!mlkd_walk_alloc(&walk))
		err = -ENOMEM;
	else if (first)
		err = mlkd_walk(&walk, crew_step);
	if (first && !crew->shares)
		more = 0;
	while (!err && more > 0 && !READ_ONCE(crew->err)) {
		more = crew_take_share(crew, &walk);
		if (more > 0)
			err = mlkd_walk(&walk, crew_step);
	}
	if (more < 0)
		err = more;
	/* Others need not be there. */
	if (err && (first || walk.pages))
		WRITE_ONCE(crew->err, err);
	kfree(walk.pages);
}

/* Populates the part that these workers may do; and vvar, if that is everything. */
static int populate_private(struct mlkd_crew *crew, unsigned long start, bool brief)
{
	const struct worker ready = {
		.errand = { .run = crew_work, .borrows = true, .brief = brief },
		.first = true,
	};
	struct worker *worker;
	unsigned int i;

	crew->next = start;
	crew->err = 0;
	crew->fresh = 0;
	crew->shares = false;
	crew->nr_workers = 1;
	worker = start_worker(crew, &ready);
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	crew->workers[0] = worker;
	/* The first is waited for first, as it is the one that starts the others. */
	for (i = 0; i < crew->nr_workers; i++) {
		int err = mlkd_errand_wait(&crew->workers[i]->errand);

		if (err)
			WRITE_ONCE(crew->err, err);
		mlkd_errand_put(&crew->workers[i]->errand);
	}
	return crew->err;
}

/* Populates all else from @start on; without @worker, only if nobody has to be waited for. */
static int walk_rest(struct mlkd_crew *crew, struct worker *worker, unsigned long start)
{
	struct mlkd_walk walk = {
		.space = crew->space,
		.task = crew->task,
		.start = start,
		.end = crew->last + 1,
		.errand = worker ? &worker->errand : NULL,
		.silent = worker ? &worker->silent : NULL,
		.brief = !worker,
	};
	int err = -ENOMEM;

	if (mlkd_walk_alloc(&walk))
		err = mlkd_walk(&walk, rest_step);
	kfree(walk.pages);
	return err;
}

static void rest_work(struct mlkd_errand *errand)
{
	struct worker *worker = container_of(errand, struct worker, errand);

	worker->err = walk_rest(worker->crew, worker, worker->start);
}

/* Populates all else, but what does not answer. */
static int populate_rest(struct mlkd_crew *crew, unsigned long start)
{
	struct worker ready = { .errand = { .run = rest_work }, .start = start };
	unsigned int left_behind = 0;
	int err;

	do {
		struct worker *worker = start_worker(crew, &ready);
		struct mlkd_errand *errand = &worker->errand;

		if (IS_ERR(worker))
			return PTR_ERR(worker);
		err = mlkd_errand_wait(errand);
		ready.start = errand->at;
		if (errand->left && err == -ETIME) {
			left_behind++;
			mlkd_silent_add(&ready.silent, errand->dev);
			mlkd_silent_add(&crew->space->silent, errand->dev);
		} else if (!errand->left && (!err || worker->err != -EINTR)) {
			/* Not how it was stopped, but why. */
			err = worker->err;
		}
		mlkd_errand_put(errand);
	} while (err == -ETIME && left_behind <= MLKD_SILENT);
	return err == -ETIME ? 0 : err;
}

/**
 * mlkd_populate - make an address space present and pinned as its attributes ask for
 * @space: the space; its claim is held
 * @task: the process
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * A page that cannot be had (behind the end of a file, poisoned, in the hands of
 * a userfaultfd monitor or of a server that does not answer) does not fail the call.
 *
 * Return: 0, -ENOMEM, -EDQUOT (a limit of its memory cgroup), -ENOSPC (its RLIMIT_MEMLOCK,
 * by what pins keep), -EINTR or -ESRCH; then part of it is present and pinned.
 */
int mlkd_populate(struct mlkd_space *space, struct task_struct *task,
		  unsigned long start, unsigned long end)
{
	struct mlkd_crew *crew;
	int err;

	if (mlkd_populate_present(space, task, start, end))
		return 0;
	crew = kzalloc(sizeof(*crew), GFP_KERNEL_ACCOUNT);
	if (!crew)
		return -ENOMEM;
	refcount_set(&crew->ref, 1);
	mlkd_space_get(space);
	crew->space = space;
	crew->task = get_task_struct(task);
	crew->memcg = get_mem_cgroup_from_mm(current->mm);
	crew->last = end - 1;
	mutex_init(&crew->lock);
	if (!start && !end)
		WRITE_ONCE(space->silent.nr, 0);

	err = populate_private(crew, start, true);
	if (err == -EAGAIN)
		err = populate_private(crew, start, false);
	if (!err)
		err = walk_rest(crew, NULL, start);
	if (err == -EAGAIN)
		err = populate_rest(crew, start);
	crew_put(crew);
	return err;
}
