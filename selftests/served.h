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
 * @errors: so many of them it answers with an error, and then none
 * @ready: it answers
 */
struct server {
	volatile int reads;
	volatile int errors;
	volatile bool ready;
};

/* Mounts it; its process, or -1 where there is no FUSE. */
pid_t server_start(struct server *server);
/* Whoever waits for it gets an error. */
void server_stop(pid_t pid);

/* For a target: maps the file, at @addr if that is not 0. */
long do_map_served(long addr, long prot, long flags);

#endif /* MEMLOCKD_SERVED_H */
