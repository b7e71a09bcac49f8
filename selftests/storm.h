/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What storm_test and siege_test share: clients that call the device at random, and
 * a board on which all processes count what they do and say what goes wrong.
 */
#ifndef STORM_H
#define STORM_H

#include "memlockd_test.h"

#define PIDS		4		/* at most so many processes are locked */
#define ERRNOS		134
#define FAULTS		8

/* What is done: the calls first, each of which the board has the errors and the time of. */
enum count {
	LOCK_MOVABLE, LOCK_LOCKED, LOCK_SUPERLOCKED, SYNC, STATUS, MAPPINGS, UNLOCK,
	LOCK_HEAL, LOCK_OWNED, LIST, LOCK_RANGE, UNLOCK_RANGE, CALLS,
	/* by the processes that are locked */
	MAP = CALLS, UNMAP, REMAP, PROTECT, ADVISE, DROP, MALLOC, MLOCK, MUNLOCK, MLOCKALL,
	MUNLOCKALL, RESIZE, FORK, EXEC, THREAD, TOUCH, BEHIND_THE_END,
	/* to them, and to what they need */
	TARGET, TARGET_KILLED, TARGET_ENDED, CLIENT_KILLED, TRUNCATE, PUNCH, SPLIT, COLLAPSE,
	PAGEOUT, COLD, WILLNEED, RECLAIM, LIMIT, SWAPOFF, SWAPON, POKE, PROBE, WRITEBACK,
	COMPACT, RELOAD,
	COUNTS
};

/* What went wrong: the first few of it. */
struct fault {
	const char *what;
	long err;
	bool other;			/* in a process that may end */
};

/**
 * struct board - what all of them share
 * @seed: what all of them draw from
 * @rounds: of each thread of the storm; 0: until @deadline
 * @deadline: of usecs()
 * @stop: clients are to stop
 * @done: how many threads and processes are
 * @pids: who is to be locked; 0: none now
 * @mortal: the first of @pids that may end at any time
 * @nr_pids: how many there are
 * @all_calls: the clients make every call; each has a file of its own
 * @addr: where each of @pids has memory, for calls that name a range
 * @len: how long that is
 * @count: what has been done
 * @usec: how long the calls took, together
 * @errors: how they failed
 * @limits: why, where it was ENOMEM
 * @nr_faults: how many there were
 * @faults: the first of them
 */
struct board {
	uint64_t seed;
	long rounds;
	long deadline;
	int stop;
	int done;
	pid_t pids[PIDS];
	int mortal;
	int nr_pids;
	bool all_calls;
	unsigned long addr[PIDS];
	unsigned long len[PIDS];
	long count[COUNTS];
	long usec[CALLS];
	long errors[CALLS][ERRNOS];
	long limits[MEMLOCKD_LIMIT_CGROUP + 1];
	int nr_faults;
	struct fault faults[FAULTS];
};

extern struct board *board;

void count(enum count what);
void fault_of(const char *what, long err, bool other);
void fault(const char *what);			/* with errno */
void print_counts(void);

long usecs(void);
void nap(unsigned int usec);

/* Numbers that depend on the board's seed and on @who asks. */
uint64_t seed_of(unsigned int who);

/* Seed and seconds from the environment; the seconds, no more than @max. */
long board_setup(const char *seed_name, const char *seconds_name, long max);

static inline bool stopped(void)
{
	return __atomic_load_n(&board->stop, __ATOMIC_SEQ_CST);
}

static inline pid_t pid_of(int which)
{
	return __atomic_load_n(&board->pids[which], __ATOMIC_SEQ_CST);
}

static inline void set_pid(int which, pid_t pid)
{
	__atomic_store_n(&board->pids[which], pid, __ATOMIC_SEQ_CST);
}

/* A process that calls the device by @fd, until the board says stop. */
void client_start(struct target *client, int fd);

#endif /* STORM_H */
