// SPDX-License-Identifier: GPL-2.0-only
/*
 * What probes queue for the system calls of a locked process: it runs in the task that has
 * made the call, on its way back to user space.
 *
 * A probe cannot allocate, so the calls are made beforehand.  Each space has its own,
 * so that no process can use up what another one needs, and as many as its threads
 * can have on their way at the same time: a thread is in one system call, which
 * queues one call at its entry, one for all that it maps, and one for the page faults
 * that it takes.  Who makes a new thread makes its calls as well, before it returns to
 * user space; the spare ones are for the threads that are being made meanwhile.
 *
 * All of this may be called from probes: raw spinlocks only.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "task_call.h"
#include "space.h"
#include "task_work.h"

#define CALLS_PER_THREAD	3
#define SPARE_CALLS		16

static void (*run_call)(struct mlkd_call *call);

static void free_calls(struct mlkd_call *list);

static unsigned int wanted_calls(struct mlkd_space *space)
{
	/* Processes that share the address space count as threads. */
	return CALLS_PER_THREAD * atomic_read(&space->mm->mm_users) + SPARE_CALLS;
}

/* Are there fewer calls than the threads of the process can need?  For probes. */
bool mlkd_calls_short(struct mlkd_space *space)
{
	return READ_ONCE(space->calls.nr) < wanted_calls(space);
}

/**
 * mlkd_call_get - take a free call
 * @space: the space that it is for, which the caller has found under RCU
 * @gone: set if the space has ended
 *
 * Return: a call with a reference to @space; or NULL.
 */
struct mlkd_call *mlkd_call_get(struct mlkd_space *space, bool *gone)
{
	struct mlkd_calls *calls = &space->calls;
	struct mlkd_call *call;
	unsigned long flags;

	raw_spin_lock_irqsave(&calls->lock, flags);
	call = calls->free;
	*gone = calls->closed || (call && !mlkd_space_tryget(space));
	if (*gone)
		call = NULL;
	if (call) {
		calls->free = call->next;
		call->space = space;
		call->task = current;
	}
	raw_spin_unlock_irqrestore(&calls->lock, flags);
	return call;
}

static void add_call(struct mlkd_calls *calls, struct mlkd_call *call, unsigned int nr)
{
	unsigned long flags;
	bool closed;

	raw_spin_lock_irqsave(&calls->lock, flags);
	closed = calls->closed;
	call->next = closed ? NULL : calls->free;
	if (!closed)
		calls->free = call;
	calls->nr += nr;
	raw_spin_unlock_irqrestore(&calls->lock, flags);
	if (closed)
		free_calls(call);
}

/* Only what is still to run can be extended. */
static void set_last(struct mlkd_calls *calls, struct mlkd_call *old, struct mlkd_call *new)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&calls->lock, flags);
	if (!old || calls->last == old)
		calls->last = new;
	raw_spin_unlock_irqrestore(&calls->lock, flags);
}

/**
 * mlkd_call_extend - let a call that current has queued do more
 * @space: the space that it is for
 * @event: what it is for
 * @start: first address of what it is to do as well
 * @end: address behind the last
 * @mergeable: as in &mlkd_call
 *
 * mprotect(2) of many mappings tells of each, with mmap_lock held all the while.
 *
 * Return: false if the last call is not one of current for @event.
 */
bool mlkd_call_extend(struct mlkd_space *space, enum mlkd_event event,
		      unsigned long start, unsigned long end, bool mergeable)
{
	struct mlkd_calls *calls = &space->calls;
	struct mlkd_call *call;
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&calls->lock, flags);
	call = calls->last;
	found = call && call->task == current && call->event == event;
	if (found) {
		call->start = min(call->start, start);
		call->end = max(call->end, end);
		call->mergeable |= mergeable;
	}
	raw_spin_unlock_irqrestore(&calls->lock, flags);
	return found;
}

static void lose_call(struct mlkd_calls *calls)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&calls->lock, flags);
	calls->nr--;
	raw_spin_unlock_irqrestore(&calls->lock, flags);
}

static void call_work(struct mlkd_task_work *work)
{
	struct mlkd_call *call = container_of(work, struct mlkd_call, work);
	struct mlkd_space *space = call->space;

	set_last(&space->calls, call, NULL);
	run_call(call);
	/* Without memory to begin it anew, there is a call less until the next one grows. */
	if (!mlkd_task_work_init(&call->work, call_work)) {
		add_call(&space->calls, call, 0);
	} else {
		lose_call(&space->calls);
		kfree(call);
	}
	mlkd_space_put(space);
}

/* Has @call run in current, after which the call is given back. */
void mlkd_call_queue(struct mlkd_call *call)
{
	set_last(&call->space->calls, NULL, call);
	mlkd_task_work_queue(&call->work);
}

struct free_work {
	struct work_struct work;
	struct mlkd_call *list;
};

static void free_work(struct work_struct *work)
{
	struct mlkd_call *call, *list = container_of(work, struct free_work, work)->list;

	while ((call = list)) {
		list = call->next;
		mlkd_task_work_end(&call->work);
		kfree(call);
	}
}

static void free_calls(struct mlkd_call *list)
{
	struct free_work work = { .list = list };

	if (list)
		mlkd_task_works_end(&work.work, free_work);
}

void mlkd_calls_setup(struct mlkd_calls *calls)
{
	raw_spin_lock_init(&calls->lock);
}

/**
 * mlkd_calls_grow - have as many calls as the threads of a process can need
 * @space: its space
 *
 * Return: 0 or -ENOMEM and the like.
 */
int mlkd_calls_grow(struct mlkd_space *space)
{
	/* A few more, so that not each new thread allocates. */
	unsigned int wanted = wanted_calls(space) + SPARE_CALLS / 2;

	if (!mlkd_calls_short(space))
		return 0;
	while (READ_ONCE(space->calls.nr) < wanted) {
		struct mlkd_call *call = kzalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);
		int err;

		if (!call)
			return -ENOMEM;
		err = mlkd_task_work_init(&call->work, call_work);
		if (err) {
			kfree(call);
			return err;
		}
		add_call(&space->calls, call, 1);
	}
	return 0;
}

/* The space has ended; calls that are in use are freed when they are done. */
void mlkd_calls_close(struct mlkd_space *space)
{
	struct mlkd_calls *calls = &space->calls;
	struct mlkd_call *list;
	unsigned long flags;

	raw_spin_lock_irqsave(&calls->lock, flags);
	calls->closed = true;
	list = calls->free;
	calls->free = NULL;
	raw_spin_unlock_irqrestore(&calls->lock, flags);
	free_calls(list);
}

/**
 * mlkd_calls_init - say what runs
 * @run: what is called for each call that has been queued, in its task, or in a
 *	worker if that is exiting
 */
void __init mlkd_calls_init(void (*run)(struct mlkd_call *call))
{
	run_call = run;
}
