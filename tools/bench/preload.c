// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a program that knows nothing of it call mlockall(2) and munlockall(2), as
 * the peer: on a signal.  How long that took is written to BENCH_FD.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int fd;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void answer(int sig)
{
	long start = now();
	int err = sig == SIGRTMIN + 5 ? mlockall(MCL_CURRENT | MCL_FUTURE) : munlockall();
	long took = err ? -1 : now() - start;

	if (write(fd, &took, sizeof(took)) != sizeof(took))
		abort();
}

static void __attribute__((constructor)) begin(void)
{
	struct sigaction action = { .sa_handler = answer, .sa_flags = SA_RESTART };
	const char *name = getenv("BENCH_FD");

	if (!name)
		return;
	fd = atoi(name);
	sigaction(SIGRTMIN + 5, &action, NULL);
	sigaction(SIGRTMIN + 6, &action, NULL);
}
