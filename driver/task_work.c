// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a function in a task, on its way back to user space.
 *
 * task_work_add() does that.  Debian's and Ubuntu's kernels export it to modules,
 * mainline does not.  But fput() of the last reference to a file does it, too: the
 * file is released in the task that has given it up, before that returns to user
 * space.  So there each work has a file of its own.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "task_work.h"
#include "worker.h"

#ifdef MEMLOCKD_TASK_WORK
static void run_work(struct callback_head *head)
{
	struct mlkd_task_work *work = container_of(head, struct mlkd_task_work, work);

	work->run(work);
}

/**
 * mlkd_task_work_init - begin a work
 * @work: the work, which is not queued
 * @run: what it runs, in the task that it is queued for, or in a worker if that is exiting
 *
 * Return: 0; -ENOMEM and the like.
 */
int mlkd_task_work_init(struct mlkd_task_work *work, void (*run)(struct mlkd_task_work *work))
{
	init_task_work(&work->work, run_work);
	work->run = run;
	return 0;
}

/* Has @work run in current.  May be called from probes. */
void mlkd_task_work_queue(struct mlkd_task_work *work)
{
	/* Only a task that has gone through exit_mm() cannot be given work. */
	WARN_ON_ONCE(task_work_add(current, &work->work, TWA_RESUME));
}

/*
 * Has @work run in @child, which has not been woken yet.  Returns false where that cannot be
 * had.  May be called from probes.
 */
bool mlkd_task_work_queue_child(struct task_struct *child, struct mlkd_task_work *work)
{
	return !task_work_add(child, &work->work, TWA_RESUME);
}

/* Gives up what @work, which is not queued, has.  See mlkd_task_works_end(). */
void mlkd_task_work_end(struct mlkd_task_work *work)
{
}

/* Runs @fn for @work, which is on the stack; it may call mlkd_task_work_end(). */
void mlkd_task_works_end(struct work_struct *work, work_func_t fn)
{
	fn(work);
}
#else
static int work_release(struct inode *inode, struct file *file)
{
	struct mlkd_task_work *work = file->private_data;

	if (work->queued)
		work->run(work);
	return 0;
}

/* There is no owner, as these files are no reason to keep the module. */
static const struct file_operations work_fops = {
	.release = work_release,
};

int mlkd_task_work_init(struct mlkd_task_work *work, void (*run)(struct mlkd_task_work *work))
{
	struct file *file = anon_inode_getfile("[memlockd]", &work_fops, work, O_RDONLY);

	work->file = IS_ERR(file) ? NULL : file;
	work->queued = false;
	work->run = run;
	return PTR_ERR_OR_ZERO(file);
}

void mlkd_task_work_queue(struct mlkd_task_work *work)
{
	work->queued = true;
	fput(work->file);
}

bool mlkd_task_work_queue_child(struct task_struct *child, struct mlkd_task_work *work)
{
	return false;
}

void mlkd_task_work_end(struct mlkd_task_work *work)
{
	__fput_sync(work->file);
}

/* In a kernel thread, as __fput_sync() must. */
void mlkd_task_works_end(struct work_struct *work, work_func_t fn)
{
	mlkd_run_in_worker(work, fn);
}
#endif

/* All works are done, but some may not have returned yet. */
void mlkd_task_works_exit(void)
{
	synchronize_rcu_tasks();
}
