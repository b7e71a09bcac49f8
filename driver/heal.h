/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making pages writable again that writeback has write-protected.
 */
#ifndef _MEMLOCKD_HEAL_H
#define _MEMLOCKD_HEAL_H

struct mlkd_heal;
struct mlkd_space;

int mlkd_heal_init(void);
void mlkd_heal_exit(void);
void mlkd_heal_setup(struct mlkd_heal *heal);
void mlkd_heal_later(struct mlkd_space *space, unsigned long start,
		     unsigned long end);

#endif /* _MEMLOCKD_HEAL_H */
