// SPDX-License-Identifier: GPL-2.0-only
/*
 * Growing the main stack of a process.
 */
#include <linux/memlockd.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "errand.h"
#include "stack.h"
#include "target.h"

/*
 * Returns how far the main stack of @mm, which @task has, is to be grown; 0 if not at all.
 * Where there is another mapping on the way, it is not.
 */
unsigned long mlkd_stack_floor(struct mm_struct *mm, struct task_struct *task, u64 reserve)
{
	unsigned long base = mm->start_stack;
	struct vm_area_struct *vma = find_vma(mm, base);
	unsigned long limit, floor;

	/* The thread that grows the stack has a limit of _STK_LIM. */
	limit = min_t(unsigned long, task_rlimit(task, RLIMIT_STACK), _STK_LIM);
	if (!vma || vma->vm_start > base || !(vma->vm_flags & VM_GROWSDOWN))
		return 0;
	floor = base - min_t(u64, reserve, base);
	if (limit < vma->vm_end)
		floor = max(floor, PAGE_ALIGN(vma->vm_end - limit));
	floor &= PAGE_MASK;
	return floor < vma->vm_start && find_vma(mm, floor) == vma ? floor : 0;
}

struct stack_errand {
	struct mlkd_errand errand;
	unsigned long floor;
};

/*
 * The core kernel grows a stack when it is accessed, as far as current's RLIMIT_STACK
 * allows.  The process may have mapped something else there by now, with a server that
 * does not answer, so this is a wait, too.
 */
static void stack_run(struct mlkd_errand *errand)
{
	struct stack_errand *job = container_of(errand, struct stack_errand, errand);

	if (!mlkd_errand_wait_begin(errand, job->floor, 0, true))
		return;
	fault_in_readable((char __user *)job->floor, 1);
	mlkd_errand_wait_end(errand);
}

static bool stack_useless(struct mlkd_errand *errand)
{
	return mlkd_mm_killed(errand->mm);
}

static void stack_free(struct mlkd_errand *errand)
{
	kfree(container_of(errand, struct stack_errand, errand));
}

/**
 * mlkd_stack_grow - grow the main stack of a process, as far as it can be had
 * @mm: its address space, of which the caller holds a user
 * @floor: down to this address
 *
 * Return: 0, -ENOMEM, -EINTR, or -ESRCH when the process has been killed
 */
int mlkd_stack_grow(struct mm_struct *mm, unsigned long floor)
{
	struct stack_errand *job = kzalloc(sizeof(*job), GFP_KERNEL);
	int err;

	if (!job)
		return -ENOMEM;
	job->errand = (struct mlkd_errand) {
		.run = stack_run,
		.free = stack_free,
		.useless = stack_useless,
		.mm = mm,
		.borrows = true,
	};
	job->floor = floor;
	err = mlkd_errand_start(&job->errand);
	if (err) {
		kfree(job);
		return err;
	}
	err = mlkd_errand_wait(&job->errand);
	mlkd_errand_put(&job->errand);
	return err == -ETIME ? 0 : err;
}
