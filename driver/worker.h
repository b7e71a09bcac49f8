/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running something in a kernel worker, for what depends on current: its signals,
 * its limits, its address space.
 */
#ifndef _MEMLOCKD_WORKER_H
#define _MEMLOCKD_WORKER_H

#include <linux/workqueue.h>

#include "compat.h"

/* Runs @fn for @work, which is a part of its arguments on the stack, and waits. */
static inline void mlkd_run_in_worker(struct work_struct *work, work_func_t fn)
{
	might_sleep();
	INIT_WORK_ONSTACK(work, fn);
	queue_work(system_dfl_wq, work);
	flush_work(work);
	destroy_work_on_stack(work);
}

#endif /* _MEMLOCKD_WORKER_H */
