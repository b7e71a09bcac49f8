// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients that call the device at random, and the board that tells what came of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "storm.h"

static const char *const names[COUNTS] = {
	[LOCK_MOVABLE] = "LOCK movable", [LOCK_LOCKED] = "LOCK",
	[LOCK_SUPERLOCKED] = "LOCK superlocked", [SYNC] = "SYNC", [STATUS] = "STATUS",
	[MAPPINGS] = "MAPPINGS", [UNLOCK] = "UNLOCK", [LOCK_HEAL] = "LOCK and heal",
	[LOCK_OWNED] = "LOCK owned", [LIST] = "LIST", [LOCK_RANGE] = "LOCK_RANGE",
	[UNLOCK_RANGE] = "UNLOCK_RANGE", [MAP] = "mmap", [UNMAP] = "munmap",
	[REMAP] = "mremap", [PROTECT] = "mprotect", [ADVISE] = "madvise",
	[DROP] = "MADV_DONTNEED_LOCKED", [MALLOC] = "malloc", [MLOCK] = "mlock",
	[MUNLOCK] = "munlock", [MLOCKALL] = "mlockall", [MUNLOCKALL] = "munlockall",
	[RESIZE] = "ftruncate", [FORK] = "fork", [EXEC] = "exec", [THREAD] = "thread",
	[TOUCH] = "touch", [BEHIND_THE_END] = "touch behind the end of a file",
	[TARGET] = "short-lived process", [TARGET_KILLED] = "killed",
	[TARGET_ENDED] = "ended by itself", [CLIENT_KILLED] = "client killed",
	[TRUNCATE] = "truncate", [PUNCH] = "punch a hole", [SPLIT] = "split huge pages",
	[COLLAPSE] = "collapse to huge pages", [PAGEOUT] = "page out", [COLD] = "make cold",
	[WILLNEED] = "will need", [RECLAIM] = "reclaim from the memory cgroup",
	[LIMIT] = "limit of the memory cgroup", [SWAPOFF] = "swapoff", [SWAPON] = "swapon",
	[POKE] = "ptrace: poke", [PROBE] = "uprobe", [WRITEBACK] = "write back",
	[COMPACT] = "compact", [RELOAD] = "unload and load",
};

struct board *board;

void count(enum count what)
{
	__atomic_fetch_add(&board->count[what], 1, __ATOMIC_RELAXED);
}

void fault_of(const char *what, long err, bool other)
{
	int nr = __atomic_fetch_add(&board->nr_faults, 1, __ATOMIC_RELAXED);

	if (nr < FAULTS)
		board->faults[nr] = (struct fault){ what, err, other };
}

void fault(const char *what)
{
	fault_of(what, errno, false);
}

static void print_calls(void)
{
	int call, err;

	for (call = 0; call < CALLS; call++) {
		if (!board->count[call])
			continue;
		printf("# %s: %ld, %ld ms\n", names[call], board->count[call],
		       board->usec[call] / 1000);
		for (err = 0; err < ERRNOS; err++) {
			if (board->errors[call][err])
				printf("# %s failed %ld times: %s\n", names[call],
				       board->errors[call][err], strerror(err));
		}
	}
	printf("# limits of ENOMEM: RLIMIT_MEMLOCK %ld, RAM %ld, memory %ld, none %ld\n",
	       board->limits[MEMLOCKD_LIMIT_RLIMIT_MEMLOCK], board->limits[MEMLOCKD_LIMIT_RAM],
	       board->limits[MEMLOCKD_LIMIT_MEMORY], board->limits[MEMLOCKD_LIMIT_NONE]);
}

void print_counts(void)
{
	int i;

	print_calls();
	for (i = CALLS; i < COUNTS; i++) {
		if (board->count[i])
			printf("# %s: %ld\n", names[i], board->count[i]);
	}
	for (i = 0; i < board->nr_faults && i < FAULTS; i++)
		printf("# wrong: %s%s: %s\n", board->faults[i].what,
		       board->faults[i].other ? " (of a process that may end)" : "",
		       strerror(board->faults[i].err));
}

long usecs(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

void nap(unsigned int usec)
{
	nanosleep(&(struct timespec){ .tv_nsec = usec * 1000L }, NULL);
}

uint64_t seed_of(unsigned int who)
{
	return (board->seed + who) * 0x9e3779b97f4a7c15ULL | 1;
}

/* xorshift64 */
long board_setup(const char *seed_name, const char *seconds_name, long max)
{
	const char *seed = getenv(seed_name), *seconds = getenv(seconds_name);
	long limit = seconds ? atol(seconds) : 0;

	board->seed = seed ? strtoul(seed, NULL, 0) : (unsigned long)time(NULL) % 1000000;
	printf("# %s=%llu\n", seed_name, (unsigned long long)board->seed);
	return limit < max ? limit : max;
}

/* ---- the clients ---- */

/* Rows of one call: in order, and none with more than it can have. */
static bool rows_good(const struct memlockd_mapping *rows, long nr)
{
	uint64_t last = 0;
	long i;

	for (i = 0; i < nr; i++) {
		uint64_t size = rows[i].end - rows[i].start;

		if (rows[i].start >= rows[i].end || rows[i].start < last ||
		    rows[i].resident > size || rows[i].pinned > size || rows[i].state > S) {
			printf("# %#llx-%#llx behind %#llx: resident %llu, pinned %llu, state %u\n",
			       rows[i].start, rows[i].end, (unsigned long long)last,
			       rows[i].resident, rows[i].pinned, rows[i].state);
			return false;
		}
		last = rows[i].end;
	}
	return true;
}

static long call_mappings(int fd, pid_t pid)
{
	struct memlockd_mapping *rows;
	long nr = mappings_pid(fd, pid, 4096, &rows);

	errno = 0;
	if (nr >= 0 && !rows_good(rows, nr))
		fault("rows of MAPPINGS");
	free(rows);
	return nr < 0 ? nr : 0;
}

static long call_list(int fd)
{
	struct memlockd_holder *rows;
	long i, nr = list_all(fd, 2, &rows);

	errno = 0;
	for (i = 0; i < nr; i++) {
		if (rows[i].state != L && rows[i].state != S)
			fault("a row of LIST");
	}
	free(rows);
	return nr < 0 ? nr : 0;
}

static long call_status(int fd, pid_t pid)
{
	struct memlockd_status status;
	int err = status_pid(fd, pid, &status);

	errno = 0;
	if (!err && (status.out_state > S || (!status.out_state && status.out_lock_flags)))
		fault("what STATUS said");
	return err;
}

static long call_sync(int fd, pid_t pid)
{
	struct memlockd_sync arg = { .size = sizeof(arg), .target = pid };

	return device_call(fd, MEMLOCKD_IOC_SYNC, &arg);
}

static void count_limit(long err, unsigned int limit)
{
	if (err == -ENOMEM && limit <= MEMLOCKD_LIMIT_CGROUP)
		__atomic_fetch_add(&board->limits[limit], 1, __ATOMIC_RELAXED);
}

static long call_lock(int fd, pid_t pid, int state, int flags)
{
	struct memlockd_lock out;
	int err = lock_pid(fd, pid, state, flags, &out);

	count_limit(err, out.out_limit);
	return err;
}

/* Of what the target has there, some; all of it now and then. */
static long call_range(int fd, int which, pid_t pid, unsigned long cmd, uint64_t *seed)
{
	unsigned long pages = board->len[which] / PAGE ?: 1, first = draw(seed, pages);
	struct memlockd_range arg = {
		.size = sizeof(arg),
		.target = pid,
		.state = cmd == MEMLOCKD_IOC_UNLOCK_RANGE ? 0 : L + draw(seed, 2),
		.addr = board->addr[which] + first * PAGE,
		.len = (1 + draw(seed, pages - first)) * PAGE,
	};
	long err;

	if (!draw(seed, 4)) {
		arg.addr = board->addr[which];
		arg.len = pages * PAGE;
	}
	err = device_call(fd, cmd, &arg);
	count_limit(err, arg.out_limit);
	return err;
}

static long call_device(int fd, int which, pid_t pid, enum count call, uint64_t *seed)
{
	switch (call) {
	case LOCK_MOVABLE:
		return call_lock(fd, pid, L, LIKE_MLOCKALL);
	case LOCK_LOCKED:
		return call_lock(fd, pid, L, CURRENT_FUTURE);
	case LOCK_HEAL:
		return call_lock(fd, pid, S, CURRENT_FUTURE | MEMLOCKD_HEAL);
	case LOCK_OWNED:
		return call_lock(fd, pid, S, CURRENT_FUTURE | MEMLOCKD_OWNED);
	case SYNC:
		return call_sync(fd, pid);
	case STATUS:
		return call_status(fd, pid);
	case MAPPINGS:
		return call_mappings(fd, pid);
	case LIST:
		return call_list(fd);
	case UNLOCK:
		return unlock_pid(fd, pid);
	case LOCK_RANGE:
		return call_range(fd, which, pid, MEMLOCKD_IOC_LOCK_RANGE, seed);
	case UNLOCK_RANGE:
		return call_range(fd, which, pid, MEMLOCKD_IOC_UNLOCK_RANGE, seed);
	default:
		return call_lock(fd, pid, S, CURRENT_FUTURE);
	}
}

/* What the contract has for a call that is right; @lives: the target does not end. */
static bool err_good(enum count call, long err, bool lives)
{
	switch (err) {
	case 0:
	case -ENOMEM:
		return true;
	case -EINTR:
		/* Whoever gets it dies of it. But no harm is done. */
		return true;
	case -ENOENT:
		return call == UNLOCK || call == SYNC || call == UNLOCK_RANGE;
	case -EPERM:
		/* Others hold it, by other files. */
		return call == UNLOCK && board->all_calls;
	case -EOPNOTSUPP:
		return call == LOCK_RANGE;
	case -ESRCH:
		return !lives;
	default:
		return false;
	}
}

/* The first ones are for all. */
static const enum count calls[] = {
	LOCK_MOVABLE, LOCK_MOVABLE, LOCK_LOCKED, LOCK_LOCKED, LOCK_SUPERLOCKED,
	LOCK_SUPERLOCKED, LOCK_SUPERLOCKED, SYNC, SYNC, STATUS, MAPPINGS, MAPPINGS,
	UNLOCK, UNLOCK, UNLOCK,
	LOCK_HEAL, LOCK_OWNED, LIST, LOCK_RANGE, LOCK_RANGE, UNLOCK_RANGE, UNLOCK_RANGE,
};

#define FEW_CALLS	15

static long do_client(long fd, long who, long c)
{
	int nr_calls = board->all_calls ? (int)ARRAY_SIZE(calls) : FEW_CALLS;
	uint64_t seed = seed_of(1000 + who);

	/* They are few, and the others many. */
	setpriority(PRIO_PROCESS, 0, -10);
	while (!stopped()) {
		enum count call = calls[draw(&seed, nr_calls)];
		int which = draw(&seed, board->nr_pids);
		pid_t pid = pid_of(which);
		long err, begin;

		/* None, or it would be ourselves. */
		if (!pid) {
			nap(200);
			continue;
		}
		begin = usecs();
		err = call_device(fd, which, pid, call, &seed);
		count(call);
		__atomic_fetch_add(&board->usec[call], usecs() - begin, __ATOMIC_RELAXED);
		if (err && -err < ERRNOS)
			__atomic_fetch_add(&board->errors[call][-err], 1, __ATOMIC_RELAXED);
		if (!err_good(call, err, which < board->mortal))
			fault_of(names[call], -err, which >= board->mortal);
		/* Another one will come, when it is let. */
		if (err == -ESRCH)
			nap(1000);
	}
	return 0;
}

void client_start(struct target *client, int fd)
{
	static unsigned int started;

	target_start_with(client, fd);
	target_post(client, do_client, fd, started++, 0);
}
