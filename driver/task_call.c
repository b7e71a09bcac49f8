// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running something in a task, on its way back to user space.
 *
 * task_work_add() does that.  Debian's and Ubuntu's kernels export it to modules,
 * mainline does not.  But fput() of the last reference to a file does it, too: the
 * file is released in the task that has given it up, before that returns to user
 * space.  So there each call has a file of its own, which is made beforehand, as
 * a probe cannot make one.
 *
 * All of this may be called from probes: raw spinlocks only.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "task_call.h"
#include "compat.h"
#include "space.h"
#include "worker.h"

/* So many threads can map at the same time; for more, a worker does the rest. */
#define NR_CALLS	256

static struct mlkd_call calls[NR_CALLS];
static struct mlkd_call *free_calls;
static DEFINE_RAW_SPINLOCK(calls_lock);		/* free_calls */
static void (*run_call)(struct mlkd_call *call);

/* Returns a free call, or NULL. */
struct mlkd_call *mlkd_call_get(void)
{
	struct mlkd_call *call;
	unsigned long flags;

	raw_spin_lock_irqsave(&calls_lock, flags);
	call = free_calls;
	if (call)
		free_calls = call->next;
	raw_spin_unlock_irqrestore(&calls_lock, flags);
	return call;
}

/* Gives a call back that is not needed after all, or that is done. */
void mlkd_call_put(struct mlkd_call *call)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&calls_lock, flags);
	call->next = free_calls;
	free_calls = call;
	raw_spin_unlock_irqrestore(&calls_lock, flags);
}

#ifdef MEMLOCKD_TASK_WORK
static void call_work(struct callback_head *work)
{
	struct mlkd_call *call = container_of(work, struct mlkd_call, work);
	struct mlkd_space *space = call->space;

	run_call(call);
	mlkd_call_put(call);
	mlkd_space_put(space);
}

/* Has @call run in current, after which the call is given back. */
void mlkd_call_queue(struct mlkd_call *call)
{
	init_task_work(&call->work, call_work);
	/* Only a task that has gone through exit_mm() cannot be given work. */
	WARN_ON_ONCE(task_work_add(current, &call->work, TWA_RESUME));
}

static int call_prepare(struct mlkd_call *call)
{
	return 0;
}

static void call_unprepare(struct mlkd_call *call) {}
#else
static int call_prepare(struct mlkd_call *call);

static int call_release(struct inode *inode, struct file *file)
{
	struct mlkd_call *call = file->private_data;
	struct mlkd_space *space = call->space;

	if (!space)
		return 0;	/* it has never been used */
	run_call(call);
	call->space = NULL;
	/* Without memory for another file, there is a call less from now on. */
	if (!call_prepare(call))
		mlkd_call_put(call);
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
	fput(call->file);
}

/* This runs in a kernel thread, as __fput_sync() must. */
static void call_unprepare(struct mlkd_call *call)
{
	__fput_sync(call->file);
}
#endif

static void calls_free(struct work_struct *work)
{
	struct mlkd_call *call;

	while ((call = mlkd_call_get()))
		call_unprepare(call);
}

/* All calls have been given back, but some may not have returned yet. */
void mlkd_calls_exit(void)
{
	struct work_struct work;

	synchronize_rcu_tasks();
	mlkd_run_in_worker(&work, calls_free);
}

/**
 * mlkd_calls_init - make all calls
 * @run: what is called for each that has been queued, in its task, or in a worker
 *	if that is exiting
 *
 * Return: 0 or -ENOMEM and the like.
 */
int __init mlkd_calls_init(void (*run)(struct mlkd_call *call))
{
	unsigned int i;
	int err;

	run_call = run;
	for (i = 0; i < NR_CALLS; i++) {
		err = call_prepare(&calls[i]);
		if (err) {
			mlkd_calls_exit();
			return err;
		}
		mlkd_call_put(&calls[i]);
	}
	return 0;
}
