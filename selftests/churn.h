/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the targets of fuzz_test do with their memory.
 */
#ifndef MEMLOCKD_CHURN_H
#define MEMLOCKD_CHURN_H

#include "memlockd_test.h"

/* What the targets play with, all at the same place. */
#define FUZZ_AREA		0x200000000000UL
#define FUZZ_AREA_PAGES		96
#define FUZZ_TARGETS		3	/* the last is short-lived */

/**
 * struct churn - what targets share with the test
 * @stop: they are to end
 * @pids: the targets
 */
struct churn {
	int stop;
	pid_t pids[FUZZ_TARGETS];
};

/* In shared memory, made by the test before its targets. */
extern struct churn *churn_shared;

bool churn_stopped(void);

/* For targets, with a seed. Until they are to stop: */
long do_churn(long seed, long b, long c);
/* Ends by itself, one way or the other, if it is not killed before. */
long do_short_life(long seed, long b, long c);

#endif /* MEMLOCKD_CHURN_H */
