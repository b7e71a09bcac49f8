/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running a function in a task, on its way back to user space.
 */
#ifndef _MEMLOCKD_TASK_WORK_H
#define _MEMLOCKD_TASK_WORK_H

#include <linux/task_work.h>
#include <linux/workqueue.h>

struct file;
struct task_struct;

/**
 * struct mlkd_task_work - a function that is to run in a task
 * @work: where task_work_add() is exported
 * @file: where it is not: the file whose release runs it
 * @queued: likewise: it is on its way
 * @run: the function.  It may begin the work anew, with mlkd_task_work_init(), and free it
 */
struct mlkd_task_work {
#ifdef MEMLOCKD_TASK_WORK
	struct callback_head work;
#else
	struct file *file;
	bool queued;
#endif
	void (*run)(struct mlkd_task_work *work);
};

int mlkd_task_work_init(struct mlkd_task_work *work, void (*run)(struct mlkd_task_work *work));
void mlkd_task_work_queue(struct mlkd_task_work *work);
bool mlkd_task_work_queue_child(struct task_struct *child, struct mlkd_task_work *work);
void mlkd_task_work_end(struct mlkd_task_work *work);
void mlkd_task_works_end(struct work_struct *work, work_func_t fn);
void mlkd_task_works_exit(void);

/* Whether a task that has not run yet can be reached; else it takes a probe in that. */
#ifdef MEMLOCKD_TASK_WORK
#define MLKD_REACHES_CHILDREN	true
#else
#define MLKD_REACHES_CHILDREN	false
#endif

#endif /* _MEMLOCKD_TASK_WORK_H */
