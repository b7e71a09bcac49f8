/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins on what a locked process maps later.
 */
#ifndef _MEMLOCKD_FUTURE_H
#define _MEMLOCKD_FUTURE_H

#include "policy.h"

struct mlkd_space;

int mlkd_future_init(void);
void mlkd_future_exit(void);

bool mlkd_future_wanted(struct mlkd_mode mode);
int mlkd_future_arm(struct mlkd_space *space);
void mlkd_future_disarm(struct mlkd_space *space);
void mlkd_future_soft_dirty(struct mlkd_space *space);

#endif /* _MEMLOCKD_FUTURE_H */
