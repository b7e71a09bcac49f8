/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kprobes, and one on a function of our own, which tells whether they are hit.
 */
#ifndef _MEMLOCKD_CANARY_H
#define _MEMLOCKD_CANARY_H

#include <linux/types.h>

struct kprobe;

int mlkd_kprobe_register(struct kprobe *kprobe);
bool mlkd_kprobe_unregister(struct kprobe *kprobe);
bool mlkd_canary_alive(void);
void mlkd_canary_remove(void);

#endif /* _MEMLOCKD_CANARY_H */
