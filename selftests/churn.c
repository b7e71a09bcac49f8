// SPDX-License-Identifier: GPL-2.0-only
/*
 * Targets that map, unmap, fork, call execve(2) and exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "churn.h"

struct churn *churn_shared;

bool churn_stopped(void)
{
	return __atomic_load_n(&churn_shared->stop, __ATOMIC_SEQ_CST);
}

static void churn_map(uint64_t *seed, char *at, size_t len, int file)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE };
	int flags = draw(seed, 2) ? MAP_PRIVATE : MAP_SHARED;

	if (draw(seed, 2)) {
		flags |= MAP_ANONYMOUS;
		file = -1;
	}
	mmap(at, len, prots[draw(seed, ARRAY_SIZE(prots))], flags | MAP_FIXED, file,
	     file < 0 ? 0 : draw(seed, FUZZ_AREA_PAGES) * PAGE);
}

static void churn_fork(uint64_t *seed, char *at, int zero)
{
	char *const argv[] = { "true", NULL };
	pid_t pid;

	if (!draw(seed, 8)) {
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL))
			return;
	} else {
		/* The C library's fork looks at other threads, which go on meanwhile. */
		pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!pid)
			_exit(read(zero, at, PAGE) == 0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/*
 * Two threads do this with the same memory, so each call may fail.  System calls
 * touch it: they are not killed by what is missing.
 */
static void churn(uint64_t *seed, int zero, int file)
{
	static const int advice[] = { MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_PAGEOUT,
				      MADV_DONTFORK, MADV_DOFORK, 24 /* DONTNEED_LOCKED */ };
	size_t first = draw(seed, FUZZ_AREA_PAGES);
	size_t len = (1 + draw(seed, FUZZ_AREA_PAGES - first)) * PAGE;
	char *at = (char *)FUZZ_AREA + first * PAGE;

	switch (draw(seed, 24)) {
	case 0 ... 6:
		return churn_map(seed, at, len, file);
	case 7:
		munmap(at, len);
		break;
	case 8 ... 9:
		mprotect(at, len, draw(seed, 4));
		break;
	case 10 ... 12:
		madvise(at, len, advice[draw(seed, ARRAY_SIZE(advice))]);
		break;
	case 13:
		if (draw(seed, 2))
			mlock2(at, len, draw(seed, 2) ? MLOCK_ONFAULT : 0);
		else
			munlock(at, len);
		break;
	case 14:
		mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       (char *)FUZZ_AREA + draw(seed, FUZZ_AREA_PAGES) * PAGE);
		break;
	case 15:
		if (ftruncate(file, draw(seed, 2 * FUZZ_AREA_PAGES) * PAGE))
			return;
		break;
	case 16:
		return churn_fork(seed, at, zero);
	default:
		if (read(zero, at, len) < 0)
			sched_yield();
	}
}

static void *churn_main(void *arg)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int file = memfd_create("fuzz", MFD_CLOEXEC);
	uint64_t seed = (uintptr_t)arg | 1;

	/* It never waits, and would leave little to the clients. */
	setpriority(PRIO_PROCESS, 0, 19);
	while (!churn_stopped())
		churn(&seed, zero, file);
	return NULL;
}

long do_churn(long seed, long b, long c)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, churn_main, (void *)(seed + 2)))
		return -EAGAIN;
	churn_main((void *)seed);
	pthread_join(thread, NULL);
	return 0;
}

long do_short_life(long seed_arg, long b, long c)
{
	uint64_t seed = seed_arg | 1;
	long rounds = draw(&seed, 200);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int file = memfd_create("fuzz", MFD_CLOEXEC);

	while (rounds--)
		churn(&seed, zero, file);
	if (draw(&seed, 3))
		do_exec(0, 0, 0);
	_exit(0);
}
