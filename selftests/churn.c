// SPDX-License-Identifier: GPL-2.0-only
/*
 * Targets that map, unmap, move, fork, call execve(2) and exit; whose pages are in the hands
 * of a userfaultfd monitor that answers late or not at all, or of a FUSE server like that;
 * and that are traced meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "churn.h"
#include "served.h"

struct churn *churn_shared;

/* Of this target; -1 when there is none just now. */
static int uffd = -1;
/* Somebody looks at that. */
static bool uffd_watched;

bool churn_stopped(void)
{
	return __atomic_load_n(&churn_shared->stop, __ATOMIC_SEQ_CST);
}

static void count(long *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static void nap(unsigned int usec)
{
	nanosleep(&(struct timespec){ .tv_nsec = usec * 1000L }, NULL);
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

/* The file of a server that may not answer. */
static void churn_served(uint64_t *seed, char *at, size_t len)
{
	int flags = MAP_FIXED | (draw(seed, 2) ? MAP_PRIVATE : MAP_SHARED);
	int fd;

	if (!churn_shared->served)
		return;
	fd = open(SERVED_FILE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (mmap(at, len, draw(seed, 2) ? RW : PROT_READ, flags, fd,
		 draw(seed, SERVED_SIZE / PAGE) * PAGE) != MAP_FAILED)
		count(&churn_shared->maps);
	close(fd);
}

static int uffd_open(uint64_t *seed, bool events)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	/* Whoever changes the memory waits until that is read, too. */
	if (events && draw(seed, 2))
		api.features = UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
			       UFFD_FEATURE_EVENT_UNMAP;
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * The monitor may close it at any time.  A long range mostly has something that cannot be, so
 * half of them are made for it.  What is missing there is touched at once, if somebody is to
 * answer, as the other thread may unmap it the next moment.
 */
static void churn_register(uint64_t *seed, char *at, size_t len, int zero)
{
	struct uffdio_register area = {
		.range = { (uintptr_t)at, len < 8 * PAGE ? len : 8 * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = __atomic_load_n(&uffd, __ATOMIC_SEQ_CST);

	if (!draw(seed, 3)) {
		ioctl(fd, UFFDIO_UNREGISTER, &area.range);
		return;
	}
	if (draw(seed, 2))
		mmap(at, area.range.len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (!draw(seed, 4))
		area.mode |= UFFDIO_REGISTER_MODE_WP;
	if (ioctl(fd, UFFDIO_REGISTER, &area))
		return;
	count(&churn_shared->registered);
	if (uffd_watched && read(zero, at, area.range.len) < 0)
		sched_yield();
}

static void churn_move(uint64_t *seed, char *at, size_t len)
{
	size_t to = draw(seed, FUZZ_AREA_PAGES) * PAGE;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	size_t old_len = len;

	if (to + len > FUZZ_AREA_PAGES * PAGE)
		len = FUZZ_AREA_PAGES * PAGE - to;
	switch (draw(seed, 4)) {
	case 0:
		/* It shrinks, where it is. */
		flags = 0;
		len = PAGE;
		break;
	case 1:
		old_len = PAGE;
		break;
	case 2:
		flags |= MREMAP_DONTUNMAP;
		old_len = len;
		break;
	}
	if (mremap(at, old_len, len, flags, (char *)FUZZ_AREA + to) != MAP_FAILED)
		count(&churn_shared->moves);
}

/* The C library's fork looks at other threads, which go on meanwhile. */
static void churn_children(uint64_t *seed)
{
	int i, nr = 1 + draw(seed, 4);
	pid_t pids[4];

	for (i = 0; i < nr; i++) {
		pids[i] = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!pids[i])
			_exit(0);
	}
	while (nr--) {
		if (pids[nr] > 0 && waitpid(pids[nr], NULL, 0) == pids[nr])
			count(&churn_shared->children);
	}
}

/*
 * Two threads do this with the same memory, so each call may fail.  System calls
 * touch it: they are not killed by what is missing, but may wait for who has it.
 */
static void churn(uint64_t *seed, int zero, int file)
{
	static const int advice[] = { MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_PAGEOUT,
				      MADV_DONTFORK, MADV_DOFORK, 24 /* DONTNEED_LOCKED */ };
	size_t first = draw(seed, FUZZ_AREA_PAGES);
	size_t len = (1 + draw(seed, FUZZ_AREA_PAGES - first)) * PAGE;
	char *at = (char *)FUZZ_AREA + first * PAGE;

	switch (draw(seed, 32)) {
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
		return churn_move(seed, at, len);
	case 15:
		if (ftruncate(file, draw(seed, 2 * FUZZ_AREA_PAGES) * PAGE))
			return;
		break;
	case 16:
		return churn_fork(seed, at, zero);
	case 17:
		return churn_children(seed);
	case 18:
		return churn_served(seed, at, len);
	case 19 ... 20:
		return churn_register(seed, at, len, zero);
	default:
		if (read(zero, at, len) < 0)
			sched_yield();
	}
}

/*
 * Answers a fault, or lets whoever waits try again.  Returns false while it cannot, as an event
 * waits to be read.
 */
static bool answer_fault(uint64_t *seed, int fd, const struct uffd_msg *msg)
{
	uint64_t at = msg->arg.pagefault.address & -PAGE;
	struct uffdio_zeropage zero = { .range = { at, PAGE } };
	struct uffdio_writeprotect writable = { .range = { at, PAGE } };
	int ret;

	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
		ret = ioctl(fd, UFFDIO_WRITEPROTECT, &writable);
	else if (draw(seed, 8))
		ret = ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	else
		ret = ioctl(fd, UFFDIO_UNREGISTER, &zero.range);
	if (ret && errno == EAGAIN)
		return false;
	/* What was done about it since may not have told those who wait. */
	if (ret)
		ioctl(fd, UFFDIO_WAKE, &zero.range);
	count(&churn_shared->answered);
	return true;
}

/* Faults that have been read, and are to be answered. */
#define FAULTS_READ	16

struct faults {
	struct uffd_msg msgs[FAULTS_READ];
	int nr;
};

/* Reads all that there is.  Some of it nobody ever answers. */
static void read_faults(uint64_t *seed, int fd, struct faults *faults)
{
	struct uffd_msg msg;

	while (faults->nr < FAULTS_READ && read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		count(&churn_shared->missed);
		if (msg.event == UFFD_EVENT_PAGEFAULT && draw(seed, 16))
			faults->msgs[faults->nr++] = msg;
	}
}

/* Whoever waits for a fault without an answer goes on when the file is closed. */
static void watch(uint64_t *seed, int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	int i, left, rounds = 16 + draw(seed, 64);
	struct faults faults = {};

	while (rounds-- && !churn_stopped()) {
		/* What could not be answered is tried again soon. */
		poll(&polled, 1, faults.nr ? 1 : draw(seed, 100));
		read_faults(seed, fd, &faults);
		/* It is late now and then, and others may wait for that as well. */
		if (faults.nr && !draw(seed, 4))
			nap(draw(seed, 100000));
		left = 0;
		for (i = 0; i < faults.nr; i++) {
			if (!answer_fault(seed, fd, &faults.msgs[i]))
				faults.msgs[left++] = faults.msgs[i];
		}
		faults.nr = left;
	}
}

static void *monitor_main(void *arg)
{
	uint64_t seed = (uintptr_t)arg | 1;
	int fd;

	uffd_watched = true;
	while (!churn_stopped()) {
		fd = uffd_open(&seed, true);
		if (fd < 0)
			break;
		__atomic_store_n(&uffd, fd, __ATOMIC_SEQ_CST);
		watch(&seed, fd);
		__atomic_store_n(&uffd, -1, __ATOMIC_SEQ_CST);
		close(fd);
	}
	return NULL;
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
	pthread_t thread, monitor;

	if (pthread_create(&monitor, NULL, monitor_main, (void *)(seed + 4)) ||
	    pthread_create(&thread, NULL, churn_main, (void *)(seed + 2)))
		return -EAGAIN;
	churn_main((void *)seed);
	pthread_join(thread, NULL);
	pthread_join(monitor, NULL);
	return 0;
}

long do_short_life(long seed_arg, long b, long c)
{
	uint64_t seed = seed_arg | 1;
	long rounds = draw(&seed, 200);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int file = memfd_create("fuzz", MFD_CLOEXEC);

	/* Nobody ever looks at that: it waits until it is killed. */
	uffd = uffd_open(&seed, false);
	while (rounds--)
		churn(&seed, zero, file);
	if (draw(&seed, 3))
		do_exec(0, 0, 0);
	_exit(0);
}

/* What a stopped process is told when it goes on: the signal that it was to get. */
static long signal_of(int status)
{
	return status >> 16 ? 0 : WSTOPSIG(status);
}

/* One of them, which may wait for what it has no answer to, or end just then. */
static void trace(uint64_t *seed, pid_t pid)
{
	int status, words = draw(seed, 4);

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return;
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return;
	count(&churn_shared->traced);
	while (words--) {
		uint64_t at = FUZZ_AREA + draw(seed, FUZZ_AREA_PAGES * PAGE / 8) * 8;

		if (!ptrace(PTRACE_POKEDATA, pid, at, 0))
			count(&churn_shared->poked);
	}
	nap(draw(seed, 20000));
	if (!ptrace(PTRACE_DETACH, pid, NULL, signal_of(status)))
		return;
	/* It has been killed, and its parent cannot reap it before we do. */
	waitpid(pid, &status, __WALL);
}

long do_trace(long seed_arg, long b, long c)
{
	uint64_t seed = seed_arg | 1;

	while (!churn_stopped()) {
		trace(&seed, __atomic_load_n(&churn_shared->pids[draw(&seed, FUZZ_TARGETS)],
					     __ATOMIC_SEQ_CST));
		nap(draw(&seed, 50000));
	}
	return 0;
}
