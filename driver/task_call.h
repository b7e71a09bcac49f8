/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What probes queue for the system calls of a locked process.
 */
#ifndef _MEMLOCKD_TASK_CALL_H
#define _MEMLOCKD_TASK_CALL_H

#include "space.h"
#include "target_advice.h"
#include "target_calls.h"
#include "task_work.h"

/**
 * struct mlkd_call - a system call that concerns a lock
 * @work: runs in its task
 * @next: in the list of free ones
 * @task: the task that it is queued for
 * @space: the space, with a reference
 * @event: what has happened
 * @nr: number of the system call that current was in
 * @args: its arguments
 * @locked_vm: of the address space then, in pages
 * @move: in the list of its space, if @event moves something
 * @advice: the call, if @event is MLKD_CALL_MADVISE
 * @fault: the fault, if @event is MLKD_CALL_FAULT
 * @mergeable: the mapping has VM_MERGEABLE
 * @start: of the mapping, as it was merged; 0 if unknown
 * @end: likewise; 0 for all there is
 */
struct mlkd_call {
	struct mlkd_task_work work;
	struct mlkd_call *next;
	struct task_struct *task;
	struct mlkd_space *space;
	enum mlkd_event event;
	int nr;
	unsigned long args[6];
	unsigned long locked_vm;
	struct mlkd_move move;
	struct mlkd_advice advice;
	struct mlkd_fault fault;
	bool mergeable;
	unsigned long start;
	unsigned long end;
};

void mlkd_calls_init(void (*run)(struct mlkd_call *call));

void mlkd_calls_setup(struct mlkd_calls *calls);
bool mlkd_calls_short(struct mlkd_space *space);
int mlkd_calls_grow(struct mlkd_space *space);
void mlkd_calls_close(struct mlkd_space *space);

struct mlkd_call *mlkd_call_get(struct mlkd_space *space, bool *gone);
void mlkd_call_queue(struct mlkd_call *call);
bool mlkd_call_extend(struct mlkd_space *space, enum mlkd_event event,
		      unsigned long start, unsigned long end, bool mergeable);

#endif /* _MEMLOCKD_TASK_CALL_H */
