/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins on what a locked process maps later.
 */
#ifndef _MEMLOCKD_PROBE_H
#define _MEMLOCKD_PROBE_H

#include <linux/types.h>

struct mlkd_space;

int mlkd_probes_init(void);
void mlkd_probes_exit(void);
void mlkd_probes_setup(struct mlkd_space *space);

int mlkd_probes_arm(struct mlkd_space *space, bool over);
void mlkd_probes_rest(struct mlkd_space *space);
void mlkd_probes_disarm(struct mlkd_space *space);
bool mlkd_probes_fire(void);
void mlkd_probe_soft_dirty(struct mlkd_space *space);

#endif /* _MEMLOCKD_PROBE_H */
