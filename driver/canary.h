/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A probe on a function of our own, which tells whether probes are hit.
 */
#ifndef _MEMLOCKD_CANARY_H
#define _MEMLOCKD_CANARY_H

#include <linux/types.h>

int mlkd_canary_place(void);
bool mlkd_canary_alive(void);
void mlkd_canary_remove(void);

#endif /* _MEMLOCKD_CANARY_H */
