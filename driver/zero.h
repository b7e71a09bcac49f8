/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Zeroing pinned memory in place.
 */
#ifndef _MEMLOCKD_ZERO_H
#define _MEMLOCKD_ZERO_H

#include <linux/types.h>

struct mlkd_space;

bool mlkd_zero_can(struct mlkd_space *space, unsigned long start, unsigned long end);
bool mlkd_zero(struct mlkd_space *space, unsigned long start, unsigned long end);

#endif /* _MEMLOCKD_ZERO_H */
