/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting the unique physical pages that are locked, system-wide.
 */
#ifndef _MEMLOCKD_WIRED_H
#define _MEMLOCKD_WIRED_H

struct mlkd_limit;
struct mlkd_space;
struct mlkd_wired;

extern unsigned long mlkd_max_wired;

void mlkd_wired_setup(struct mlkd_wired *wired);
void mlkd_wired_ask(struct mlkd_space *space);
void mlkd_wired_answered(struct mlkd_space *space);
int mlkd_wired_reserve(struct mlkd_space *space, struct mlkd_limit *limit);
int mlkd_wired_reserve_range(struct mlkd_space *space, unsigned long pages,
			     struct mlkd_limit *limit);
void mlkd_wired_noted(unsigned long pages);
bool mlkd_wired_grow(struct mlkd_space *space, unsigned long pages);
void mlkd_wired_recount(struct mlkd_space *space);
void mlkd_wired_idle(struct mlkd_space *space);
void mlkd_wired_drop(struct mlkd_space *space);
bool mlkd_wired_again(struct mlkd_limit *limit);

unsigned long mlkd_wired_now(void);
unsigned long mlkd_wired_peak(void);
void mlkd_wired_exit(void);

#endif /* _MEMLOCKD_WIRED_H */
