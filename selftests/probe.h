/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A uprobe in a function of the test program, and a kprobe of somebody else's.
 */
#ifndef PROBE_H
#define PROBE_H

#include "memlockd_test.h"

/* What is probed: @a + 1. */
long do_probed(long a, long b, long c);

/* Each is false, with errno, when it cannot be done. */
bool probe_add(void);
bool probe_enable(bool on);
bool probe_remove(void);

/* Somebody probes a function of the kernel for a moment; false if that cannot be done. */
bool probe_in_passing(void);

#endif /* PROBE_H */
