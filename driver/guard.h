/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page faults that a superlocked process takes all the same.
 */
#ifndef _MEMLOCKD_GUARD_H
#define _MEMLOCKD_GUARD_H

#include <linux/types.h>

struct memlockd_status;
struct mlkd_call;
struct mlkd_guard;
struct mlkd_space;

void mlkd_guards_init(void);
void mlkd_guards_exit(void);
bool mlkd_guards_watch(void);

void mlkd_guard_setup(struct mlkd_guard *guard);
int mlkd_guard_arm(struct mlkd_space *space);
void mlkd_guard_disarm(struct mlkd_space *space);
void mlkd_guard_set(struct mlkd_space *space, bool on);
void mlkd_guard_resolved(struct mlkd_call *call);
void mlkd_guard_status(struct mlkd_space *space, bool addresses,
		       struct memlockd_status *status);

#endif /* _MEMLOCKD_GUARD_H */
