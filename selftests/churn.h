/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the targets of fuzz_test do with their memory, and what is done to them.
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
 * @served: the file of a FUSE server is there
 * @pids: the targets
 * @maps: how often that file was mapped
 * @registered: how often memory was put into the hands of a userfaultfd monitor
 * @missed: faults, and other events, that such a monitor was told of
 * @answered: how many of the faults it has answered
 * @moves: calls of mremap(2)
 * @children: those that have ended at once
 * @traced: how often a target was stopped by ptrace(2)
 * @poked: how often it was written to then
 */
struct churn {
	int stop;
	bool served;
	pid_t pids[FUZZ_TARGETS];
	long maps, registered, missed, answered, moves, children, traced, poked;
};

/* In shared memory, made by the test before its targets. */
extern struct churn *churn_shared;

bool churn_stopped(void);

/* For targets, with a seed. Until they are to stop: */
long do_churn(long seed, long b, long c);
/* Ends by itself, one way or the other, if it is not killed before. */
long do_short_life(long seed, long b, long c);
/* Traces the others, until it is to stop. */
long do_trace(long seed, long b, long c);

#endif /* MEMLOCKD_CHURN_H */
