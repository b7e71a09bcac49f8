/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What advise32 writes to its standard output for advise_test: once before it is
 * locked, and once when it has been told to go on and has called madvise(2).
 */
#ifndef MEMLOCKD_ADVISE32_H
#define MEMLOCKD_ADVISE32_H

struct advise32 {
	int result;
	unsigned int stale;		/* bytes that are not zero */
};

#endif /* MEMLOCKD_ADVISE32_H */
