/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file whose pages come from a FUSE server of ours, which need not give them.
 */
#ifndef MEMLOCKD_SERVED_H
#define MEMLOCKD_SERVED_H

#include "memlockd_test.h"

#define SERVED_FILE	"/tmp/memlockd-served/file"
#define SERVED_SIZE	(64 * PAGE)

/**
 * struct server - a FUSE server, in memory that it shares with the test
 * @reads: how many pages, or runs of pages, it has been asked for
 * @errors: so many of them it answers with an error, and then none until it is told to let go
 * @ready: it answers
 * @seed: not 0: what becomes of what it is asked for is drawn, and @errors is not looked at
 * @prompt: nobody has to wait
 * @failed: how many answers were drawn that are errors
 * @late: and how many that come later
 * @never: or only when it is told to let go
 * @wake: an eventfd that tells it so
 */
struct server {
	volatile int reads;
	volatile int errors;
	volatile bool ready;
	uint64_t seed;
	volatile bool prompt;
	volatile int failed, late, never;
	int wake;
};

/* Mounts it; its process, or -1 where there is no FUSE. */
pid_t server_start(struct server *server);
/* Whoever waits for it gets an error. */
void server_stop(pid_t pid);
/* Answers all that it has left without an answer; and, with @prompt, whatever comes. */
void server_let_go(struct server *server, bool prompt);

/* For a target: maps the file, at @addr if that is not 0. */
long do_map_served(long addr, long prot, long flags);

#endif /* MEMLOCKD_SERVED_H */
