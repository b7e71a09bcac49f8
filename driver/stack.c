// SPDX-License-Identifier: GPL-2.0-only
/*
 * Growing the main stack of a process.
 */
#include <linux/memlockd.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "stack.h"
#include "worker.h"

/* Returns how far @vma is to be grown, if it is the main stack; 0 if not at all. */
unsigned long mlkd_stack_floor(struct vm_area_struct *vma,
			       struct task_struct *task, unsigned long base,
			       u64 reserve)
{
	unsigned long limit, floor;

	/* The worker that grows the stack has a limit of _STK_LIM. */
	limit = min_t(unsigned long, task_rlimit(task, RLIMIT_STACK), _STK_LIM);
	if (!vma || vma->vm_start > base || !(vma->vm_flags & VM_GROWSDOWN))
		return 0;
	floor = base - min_t(u64, reserve, base);
	if (limit < vma->vm_end)
		floor = max(floor, PAGE_ALIGN(vma->vm_end - limit));
	floor &= PAGE_MASK;
	return floor < vma->vm_start ? floor : 0;
}

struct stack_job {
	struct work_struct work;
	struct task_struct *task;
	unsigned long floor;
};

/* A worker does this, as the core kernel looks at current's RLIMIT_STACK. */
static void stack_work(struct work_struct *work)
{
	struct stack_job *job = container_of(work, struct stack_job, work);
	u8 byte;

	access_process_vm(job->task, job->floor, &byte, 1, FOLL_FORCE);
}

/* Grows the main stack of @task down to @floor, as far as it can be had. */
void mlkd_stack_grow(struct task_struct *task, unsigned long floor)
{
	struct stack_job job = { .task = task, .floor = floor };

	mlkd_run_in_worker(&job.work, stack_work);
}
