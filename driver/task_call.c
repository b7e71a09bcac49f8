// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running something in a task, on its way back to user space.
 *
 * task_work_add() does that.  Debian's and Ubuntu's kernels export it to modules,
 * mainline does not.  But fput() of the last reference to a file does it, too: the
 * file is released in the task that has given it up, before that returns to user
 * space.  So there each call has a file of its own.
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
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "task_call.h"
#include "compat.h"
#include "space.h"
#include "worker.h"

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

static void run(struct mlkd_call *call)
{
	set_last(&call->space->calls, call, NULL);
	run_call(call);
}

#ifdef MEMLOCKD_TASK_WORK
static void call_work(struct callback_head *work)
{
	struct mlkd_call *call = container_of(work, struct mlkd_call, work);
	struct mlkd_space *space = call->space;

	run(call);
	add_call(&space->calls, call, 0);
	mlkd_space_put(space);
}

/* Has @call run in current, after which the call is given back. */
void mlkd_call_queue(struct mlkd_call *call)
{
	set_last(&call->space->calls, NULL, call);
	init_task_work(&call->work, call_work);
	/* Only a task that has gone through exit_mm() cannot be given work. */
	WARN_ON_ONCE(task_work_add(current, &call->work, TWA_RESUME));
}

static int call_prepare(struct mlkd_call *call)
{
	return 0;
}

static void free_calls(struct mlkd_call *list)
{
	struct mlkd_call *call;

	while ((call = list)) {
		list = call->next;
		kfree(call);
	}
}
#else
static int call_prepare(struct mlkd_call *call);

static void lose_call(struct mlkd_calls *calls)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&calls->lock, flags);
	calls->nr--;
	raw_spin_unlock_irqrestore(&calls->lock, flags);
}

static int call_release(struct inode *inode, struct file *file)
{
	struct mlkd_call *call = file->private_data;
	struct mlkd_space *space = call->space;

	if (!space)
		return 0;	/* it is not in use */
	run(call);
	call->space = NULL;
	/* Without memory for another file, there is a call less until the next one grows. */
	if (!call_prepare(call)) {
		add_call(&space->calls, call, 0);
	} else {
		lose_call(&space->calls);
		kfree(call);
	}
	mlkd_space_put(space);
	return 0;
}

/* There is no owner, as these files are no reason to keep the module. */
static const struct file_operations call_fops = {
	.release = call_release,
};

static int call_prepare(struct mlkd_call *call)
{
	struct file *file = anon_inode_getfile("[memlockd]", &call_fops, call, O_RDONLY);

	call->file = IS_ERR(file) ? NULL : file;
	return PTR_ERR_OR_ZERO(file);
}

void mlkd_call_queue(struct mlkd_call *call)
{
	set_last(&call->space->calls, NULL, call);
	fput(call->file);
}

struct free_work {
	struct work_struct work;
	struct mlkd_call *list;
};

/* This runs in a kernel thread, as __fput_sync() must. */
static void free_work(struct work_struct *work)
{
	struct mlkd_call *call, *list = container_of(work, struct free_work, work)->list;

	while ((call = list)) {
		list = call->next;
		__fput_sync(call->file);
		kfree(call);
	}
}

static void free_calls(struct mlkd_call *list)
{
	struct free_work work = { .list = list };

	if (list)
		mlkd_run_in_worker(&work.work, free_work);
}
#endif

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
		err = call_prepare(call);
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

/* All calls are done, but some may not have returned yet. */
void mlkd_calls_exit(void)
{
	synchronize_rcu_tasks();
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
