// SPDX-License-Identifier: GPL-2.0-only
/*
 * All at once: threads of two processes change their address spaces in every way
 * that there is, a third process starts, calls execve(2) and is killed, again and
 * again, while three clients lock, sync, query and unlock all of them, and one of
 * the clients is killed now and then.
 *
 * Nothing is promised about the order. But no call may fail with anything that is
 * not in the contract, no byte of a process may change, what the processes ask of
 * the kernel has to work as if nobody had locked them, and at the end everything
 * is back where it was.
 *
 * MEMLOCKD_STORM_SECONDS: so long, instead of a number of rounds.
 * MEMLOCKD_STORM_SEED: the seed that an earlier run printed.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "kselftest_harness.h"
#include "storm.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

#define TARGETS		2
#define THREADS		4
#define CLIENTS		3
#define SLOTS		4
#define ROUNDS		400		/* of each thread */
#define MAX_SECONDS	180
#define TIMEOUT		TEST_TIMEOUT_DEFAULT
#define SLOT_PAGES	64
#define HUGE_LEN	(4 * MIB)
#define STACK		(128 * KIB)
#define EXECS		3		/* of the process that is killed */

/* The first argument of this program when a process of the storm calls execve(2). */
#define ARG_NOTHING	"storm-nothing"
#define ARG_VICTIM	"storm-victim"

/* ---- the targets ---- */

/**
 * struct slot - memory that one thread plays with
 * @addr: where; NULL when there is none
 * @len: how long
 * @prot: of the whole; -1 when parts differ
 * @tag: what the first byte of each page is
 * @dropped: its pages may have been taken away, and be 0
 * @fd: the file that is mapped, or -1
 * @shared: with MAP_SHARED
 * @cut: part of it may lie behind the end of the file: not to be touched
 */
struct slot {
	char *addr;
	size_t len;
	int prot;
	char tag;
	bool dropped;
	int fd;
	bool shared;
	bool cut;
};

struct player {
	uint64_t seed;
	struct slot slots[SLOTS];
};

static void slot_fill(struct slot *slot, char tag)
{
	size_t i;

	if (slot->prot != RW || slot->cut)
		return;
	for (i = 0; i < slot->len; i += PAGE)
		((volatile char *)slot->addr)[i] = tag;
	slot->tag = tag;
	slot->dropped = false;
}

static bool slot_good(const struct slot *slot)
{
	size_t i;

	if (!slot->addr || slot->cut || slot->prot < 0 || !(slot->prot & PROT_READ))
		return true;
	for (i = 0; i < slot->len; i += PAGE) {
		char is = ((volatile char *)slot->addr)[i];

		if (is != slot->tag && !(slot->dropped && !is))
			return false;
	}
	return true;
}

static void slot_free(struct slot *slot)
{
	if (!slot->addr)
		return;
	if (munmap(slot->addr, slot->len))
		fault("munmap");
	if (slot->fd >= 0)
		close(slot->fd);
	slot->addr = NULL;
	count(UNMAP);
}

static void slot_map(struct player *p, struct slot *slot)
{
	int flags = MAP_ANONYMOUS | (draw(&p->seed, 3) ? MAP_PRIVATE : MAP_SHARED);

	slot_free(slot);
	*slot = (struct slot){ .fd = -1, .prot = RW, .shared = flags & MAP_SHARED };
	slot->len = (1 + draw(&p->seed, SLOT_PAGES)) * PAGE;
	if (!draw(&p->seed, 4)) {
		flags &= ~MAP_ANONYMOUS;
		slot->fd = syscall(SYS_memfd_create, "storm", MFD_CLOEXEC);
		if (slot->fd < 0 || ftruncate(slot->fd, slot->len))
			return fault("memfd_create");
	} else if (!draw(&p->seed, 24)) {
		slot->len = HUGE_LEN;
	} else if (!draw(&p->seed, 8)) {
		slot->prot = PROT_NONE;
		slot->dropped = true;
	}
	if (!draw(&p->seed, 8))
		flags |= MAP_POPULATE;
	slot->addr = mmap(NULL, slot->len, slot->prot, flags, slot->fd, 0);
	if (slot->addr == MAP_FAILED) {
		slot->addr = NULL;
		return fault("mmap");
	}
	count(MAP);
	slot_fill(slot, 1 + draw(&p->seed, 100));
}

/* New memory in the middle of the old. */
static void slot_map_over(struct player *p, struct slot *slot)
{
	size_t pages = slot->len / PAGE, first = draw(&p->seed, pages);
	size_t nr = 1 + draw(&p->seed, pages - first);

	if (mmap(slot->addr + first * PAGE, nr * PAGE, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return fault("mmap MAP_FIXED");
	count(MAP);
	slot->dropped = true;
	if (slot->prot != RW)
		slot->prot = -1;
}

static void slot_unmap_tail(struct player *p, struct slot *slot)
{
	size_t pages = slot->len / PAGE, left = draw(&p->seed, pages);

	if (!left)
		return slot_free(slot);
	if (munmap(slot->addr + left * PAGE, slot->len - left * PAGE))
		return fault("munmap");
	slot->len = left * PAGE;
	count(UNMAP);
}

static void slot_remap(struct player *p, struct slot *slot)
{
	size_t len = (1 + draw(&p->seed, SLOT_PAGES)) * PAGE;
	char *addr;

	if (slot->fd >= 0 && len > slot->len)
		len = slot->len;
	addr = mremap(slot->addr, slot->len, len, MREMAP_MAYMOVE);
	if (addr == MAP_FAILED) {
		/* It is more than one mapping by now. */
		if (errno != EFAULT)
			fault("mremap");
		return;
	}
	count(REMAP);
	if (len > slot->len) {
		slot->dropped = true;
		/* Shared memory has no more pages than it was made with. */
		slot->cut |= slot->shared;
	}
	slot->addr = addr;
	slot->len = len;
}

static void slot_protect(struct player *p, struct slot *slot)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW };
	int prot = prots[draw(&p->seed, ARRAY_SIZE(prots))];
	size_t len = slot->len;

	if (!draw(&p->seed, 3))
		len = (1 + draw(&p->seed, len / PAGE)) * PAGE;
	if (mprotect(slot->addr, len, prot))
		return fault("mprotect");
	count(PROTECT);
	slot->prot = len == slot->len ? prot : -1;
}

static void slot_advise(struct player *p, struct slot *slot)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_UNMERGEABLE,
	};
	int advice = advices[draw(&p->seed, ARRAY_SIZE(advices))];

	if (advice == MADV_DONTNEED || advice == MADV_FREE)
		slot->dropped = true;
	/* EINVAL: locked, or not of the sort. */
	if (madvise(slot->addr, slot->len, advice) && errno != EINVAL && errno != EBADF)
		return fault("madvise");
	count(ADVISE);
}

static void slot_drop(struct player *p, struct slot *slot)
{
	slot->dropped = true;
	/* EINVAL: before 5.18 */
	if (madvise(slot->addr, slot->len, MADV_DONTNEED_LOCKED) && errno != EINVAL)
		return fault("madvise MADV_DONTNEED_LOCKED");
	count(DROP);
}

static void slot_lock(struct player *p, struct slot *slot)
{
	if (mlock2(slot->addr, slot->len, draw(&p->seed, 2) ? MLOCK_ONFAULT : 0)) {
		/* It cannot populate what cannot be touched. */
		if (slot->prot == RW && !slot->cut)
			fault("mlock");
		return;
	}
	count(MLOCK);
}

static void slot_unlock(struct player *p, struct slot *slot)
{
	if (munlock(slot->addr, slot->len))
		return fault("munlock");
	count(MUNLOCK);
}

static void slot_resize(struct player *p, struct slot *slot)
{
	if (slot->fd < 0)
		return;
	slot->cut = true;
	if (ftruncate(slot->fd, draw(&p->seed, 2) * slot->len / 2))
		return fault("ftruncate");
	count(RESIZE);
}

static void slot_write(struct player *p, struct slot *slot)
{
	slot_fill(slot, 1 + draw(&p->seed, 100));
}

static const struct {
	void (*play)(struct player *p, struct slot *slot);
	unsigned int weight;
} slot_plays[] = {
	{ slot_map, 6 }, { slot_map_over, 2 }, { slot_unmap_tail, 4 }, { slot_remap, 5 },
	{ slot_protect, 8 }, { slot_advise, 6 }, { slot_drop, 3 }, { slot_lock, 4 },
	{ slot_unlock, 4 }, { slot_resize, 2 }, { slot_write, 6 },
};

static void play_malloc(struct player *p)
{
	/* Of the heap and, when large, a mapping; written at both ends. */
	size_t len = draw(&p->seed, 4) ? 64 + draw(&p->seed, 8192) : 256 * KIB;
	volatile char *area = malloc(len);

	if (!area)
		return fault("malloc");
	area[0] = 1;
	area[len - 1] = 1;
	free((void *)area);
	count(MALLOC);
}

static void play_lock_all(struct player *p)
{
	int flags = 1 + draw(&p->seed, 3);

	if (draw(&p->seed, 3)) {
		if (munlockall())
			return fault("munlockall");
		return count(MUNLOCKALL);
	}
	if (!draw(&p->seed, 3))
		flags |= MCL_ONFAULT;
	if (mlockall(flags))
		return fault("mlockall");
	count(MLOCKALL);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}

static bool slots_good(const struct player *p)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (!slot_good(&p->slots[i]))
			return false;
	}
	return true;
}

/*
 * Not by way of the C library: its fork(3) walks the list of threads in the child,
 * which other threads may have changed while the kernel copied pinned pages one by
 * one. The child has all that it needs in memory that only its parent changes.
 */
static pid_t fork_plain(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static void play_fork(struct player *p)
{
	pid_t pid = fork_plain();
	int i;

	if (pid < 0)
		return fault("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!slots_good(p))
			_exit(1);
		for (i = 0; i < SLOTS; i++) {
			if (p->slots[i].addr)
				slot_fill(&p->slots[i], 0);
		}
		_exit(0);
	}
	errno = 0;
	if (draw(&p->seed, 2)) {
		/* What the child has to see is what was, and it may take it from us. */
		if (wait_for(pid))
			fault("a forked child saw other memory");
	} else {
		kill(pid, SIGKILL);
		wait_for(pid);
	}
	/* What is shared has been written by the child. */
	for (i = 0; i < SLOTS; i++)
		p->slots[i].dropped = true;
	count(FORK);
}

extern char **environ;

static void play_exec(struct player *p)
{
	char *const argv[] = { "storm_test", ARG_NOTHING, NULL };
	pid_t pid;

	errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
	if (errno)
		return fault("vfork and exec");
	if (wait_for(pid))
		fault("a program that vfork made");
	count(EXEC);
}

static void *thread_main(void *arg)
{
	volatile char room[8 * 1024];

	room[0] = 1;
	room[sizeof(room) - 1] = 1;
	return arg;
}

static bool thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	errno = pthread_create(thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return !errno;
}

static void play_thread(struct player *p)
{
	pthread_t thread;

	if (!thread_start(&thread, thread_main, NULL))
		return fault("pthread_create");
	pthread_join(thread, NULL);
	count(THREAD);
}

static const struct {
	void (*play)(struct player *p);
	unsigned int weight;
} plays[] = {
	{ play_malloc, 4 }, { play_lock_all, 2 }, { play_fork, 2 }, { play_exec, 1 },
	{ play_thread, 3 },
};

static void play_slot(struct player *p)
{
	struct slot *slot = &p->slots[draw(&p->seed, SLOTS)];
	unsigned int i, sum = 0, pick;

	if (!slot->addr)
		return slot_map(p, slot);
	errno = 0;
	if (!slot_good(slot)) {
		fault("memory has changed");
		slot->dropped = true;
		slot_fill(slot, 1);
	}
	for (i = 0; i < ARRAY_SIZE(slot_plays); i++)
		sum += slot_plays[i].weight;
	pick = draw(&p->seed, sum);
	for (i = 0; pick >= slot_plays[i].weight; i++)
		pick -= slot_plays[i].weight;
	slot_plays[i].play(p, slot);
}

static void play(struct player *p)
{
	unsigned int i, pick = draw(&p->seed, 48);

	for (i = 0; i < ARRAY_SIZE(plays); i++) {
		if (pick < plays[i].weight)
			return plays[i].play(p);
		pick -= plays[i].weight;
	}
	play_slot(p);
}

static bool goes_on(long round)
{
	return board->rounds ? round < board->rounds : usecs() < board->deadline;
}

static void *player_main(void *arg)
{
	struct player *p = arg;
	long round;
	int i;

	for (round = 0; goes_on(round); round++)
		play(p);
	for (i = 0; i < SLOTS; i++)
		slot_free(&p->slots[i]);
	__atomic_fetch_add(&board->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static long do_storm(long index, long b, long c)
{
	static struct player players[THREADS];
	pthread_t threads[THREADS];
	int i;

	/* No 64 MiB of address space for each thread. */
	mallopt(M_ARENA_MAX, 1);
	for (i = 0; i < THREADS; i++) {
		players[i].seed = seed_of(100 + index * THREADS + i);
		if (!thread_start(&threads[i], player_main, &players[i]))
			return -EAGAIN;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* ---- the process that is killed ---- */

static void *victim_thread(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	size_t len;
	char *area;

	for (;;) {
		len = (1 + draw(&seed, 32)) * PAGE;
		area = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (area == MAP_FAILED)
			_exit(1);
		area[len - 1] = 1;
		if (munmap(area, len))
			_exit(1);
	}
	return NULL;
}

/* Live a little, call execve(2) in the middle of it, and so on. */
static long do_victim(long seed_arg, long execs, long c)
{
	char seed_text[24], execs_text[24];
	uint64_t seed = seed_arg + 1;
	pthread_t thread;
	size_t len;
	char *area;

	len = (16 + draw(&seed, 512)) * PAGE;
	area = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || !thread_start(&thread, victim_thread, (void *)(seed_arg + 2)))
		_exit(1);
	do_write((long)area, len / 2, PAGE);
	nap(draw(&seed, 20000));
	if (!execs)
		_exit(0);
	snprintf(seed_text, sizeof(seed_text), "%u", draw(&seed, 1u << 31));
	snprintf(execs_text, sizeof(execs_text), "%ld", execs - 1);
	execl("/proc/self/exe", "storm_test", ARG_VICTIM, seed_text, execs_text, NULL);
	_exit(1);
}

/* ---- the test ---- */

FIXTURE(storm)
{
	struct counters start;
	struct memlockd_info info;
	struct target targets[TARGETS];
	struct target clients[CLIENTS];
	struct target victim;
	int fd;
};

FIXTURE_SETUP(storm)
{
	int i;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &self->info));
	board = mmap(NULL, sizeof(*board), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, board);
	board->mortal = TARGETS;
	board->nr_pids = TARGETS + 1;
	for (i = 0; i < TARGETS; i++) {
		target_start(&self->targets[i]);
		set_pid(i, self->targets[i].pid);
	}
}

FIXTURE_TEARDOWN(storm)
{
	struct memlockd_info info = { .size = sizeof(info) };
	int i;

	target_stop(&self->victim);
	for (i = 0; i < CLIENTS; i++)
		target_stop(&self->clients[i]);
	for (i = 0; i < TARGETS; i++)
		target_stop(&self->targets[i]);
	munmap(board, sizeof(*board));
	EXPECT_TRUE(counters_back(&self->start));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	EXPECT_EQ(self->info.out_locked_processes, info.out_locked_processes);
	EXPECT_EQ(self->info.out_pinned, info.out_pinned);
	close(self->fd);
}

/* One life of the third process: nobody waits for it to be locked. */
static void victim_round(struct target *victim, uint64_t *seed)
{
	int status;

	target_start(victim);
	set_pid(TARGETS, victim->pid);
	count(TARGET);
	target_post(victim, do_victim, draw(seed, 1u << 31), draw(seed, EXECS + 1), 0);
	nap(draw(seed, 150000));
	/* Its end may be there already; it is not reaped before nobody is sent to it. */
	set_pid(TARGETS, 0);
	status = target_stop(victim);
	if (status == SIGKILL)
		count(TARGET_KILLED);
	else if (status)
		fault_of("the end of a short-lived process", WEXITSTATUS(status), true);
}

static bool targets_play(void)
{
	return __atomic_load_n(&board->done, __ATOMIC_SEQ_CST) < TARGETS * THREADS;
}

TEST_F_TIMEOUT(storm, everything_at_once, TIMEOUT)
{
	long limit = board_setup("MEMLOCKD_STORM_SEED", "MEMLOCKD_STORM_SECONDS", MAX_SECONDS);
	struct memlockd_mapping *rows;
	uint64_t seed = seed_of(0);
	long begin = usecs();
	long ret, nr;
	int i;

	board->rounds = limit > 0 ? 0 : ROUNDS;
	board->deadline = begin + limit * 1000000;
	for (i = 0; i < CLIENTS; i++)
		client_start(&self->clients[i], self->fd);
	for (i = 0; i < TARGETS; i++)
		target_post(&self->targets[i], do_storm, i, 0, 0);

	while (targets_play()) {
		victim_round(&self->victim, &seed);
		/* A dead target never says that it is done. */
		for (i = 0; i < TARGETS; i++)
			ASSERT_EQ(0, waitpid(self->targets[i].pid, NULL, WNOHANG));
		if (draw(&seed, 4))
			continue;
		ASSERT_EQ(SIGKILL, target_stop(&self->clients[0]));
		count(CLIENT_KILLED);
		client_start(&self->clients[0], self->fd);
	}

	__atomic_store_n(&board->stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < CLIENTS; i++) {
		ASSERT_TRUE(target_result(&self->clients[i], &ret));
		EXPECT_EQ(0, ret);
	}
	TH_LOG("%ld ms", (usecs() - begin) / 1000);
	print_counts();
	EXPECT_EQ(0, board->nr_faults);

	for (i = 0; i < TARGETS; i++) {
		pid_t pid = self->targets[i].pid;

		ASSERT_TRUE(target_result(&self->targets[i], &ret));
		EXPECT_EQ(0, ret);
		ret = unlock_pid(self->fd, pid);
		EXPECT_TRUE(ret == 0 || ret == -ENOENT);
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
		/* What is locked now is its own. */
		EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, target_call(&self->targets[i], do_mlockall, 0, 0, 0));
		EXPECT_EQ(0, status_bytes(pid, "VmLck"));
		EXPECT_EQ(0, vmas_locked(pid));
		EXPECT_EQ(0, status_bytes(pid, "VmPin"));
		nr = mappings_pid(self->fd, pid, 256, &rows);
		EXPECT_LT(0, nr);
		EXPECT_EQ(0, rows_wrong(rows, nr, MEMLOCKD_STATE_UNLOCKED));
		EXPECT_EQ(0, rows_pinned(rows, nr));
		free(rows);
	}
	/* Nothing depends on the end of a process to be given back. */
	EXPECT_TRUE(counters_back(&self->start));
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], ARG_NOTHING))
		return 0;
	if (argc > 3 && !strcmp(argv[1], ARG_VICTIM))
		return do_victim(atol(argv[2]), atol(argv[3]), 0);
	need_device();
	return test_harness_run(argc, argv);
}
