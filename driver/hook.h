/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What rules are for: a program that begins, a child that is made, a thread that becomes one of
 * a realtime class, a process that gets I/O privileges.
 */
#ifndef _MEMLOCKD_HOOK_H
#define _MEMLOCKD_HOOK_H

#include <linux/types.h>

struct mm_struct;
struct task_struct;

/**
 * struct mlkd_hook_ops - what the rules do
 * @match: whether anything is to be done about current, or its new child, that is @task, which
 *	has @mm, now that @event has happened, one of &enum memlockd_rule_event.  Called from
 *	probes, under RCU.  Returns what @run or @miss is to be given, which keeps the module
 *	loaded, or NULL
 * @run: does it, in @task, before that goes on in user space
 * @look: does both, for @task, in current
 * @miss: there is no memory for @run or @look (@data is NULL then) to be called.  Called from
 *	probes, under RCU.  Returns false if it is not done later either
 */
struct mlkd_hook_ops {
	void *(*match)(struct task_struct *task, struct mm_struct *mm, u32 event);
	void (*run)(void *data, u32 event);
	void (*look)(struct task_struct *task, u32 event);
	bool (*miss)(void *data, struct task_struct *task, u32 event);
};

/* These events have probes; MEMLOCKD_RULE_NOW has none. */
#define MLKD_HOOKED	(MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK | MEMLOCKD_RULE_SETSCHEDULER | \
			 MEMLOCKD_RULE_IO)

void mlkd_hooks_init(const struct mlkd_hook_ops *ops);
void mlkd_hooks_exit(void);
int mlkd_hooks_add(u32 events);
void mlkd_hooks_keep(u32 events);

#endif /* _MEMLOCKD_HOOK_H */
