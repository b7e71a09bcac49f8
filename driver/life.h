/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a locked address space.
 */
#ifndef _MEMLOCKD_LIFE_H
#define _MEMLOCKD_LIFE_H

#include <linux/types.h>

struct mlkd_space;
struct mlkd_target;

struct mlkd_space *mlkd_space_claim(struct mlkd_target *target, bool create);
bool mlkd_space_claim_again(struct mlkd_space *space);
void mlkd_space_unclaim(struct mlkd_space *space);
void mlkd_life_exit(void);

#endif /* _MEMLOCKD_LIFE_H */
