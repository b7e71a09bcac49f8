// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a process that is locked and unlocked by others: it writes to its
 * memory and reads it again, maps anew what it has, forks, calls execve(2), ends.
 * What it alone may change has to be what it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "siege.h"

struct siege *siege;

/**
 * struct life - what a target knows of its memory
 * @which: of the targets
 * @tag: what the first byte of each page of AREA_HEAP and AREA_HUGE_HEAP is
 * @dropped: pages may have been taken away, and be 0
 */
struct life {
	int which;
	uint64_t seed;
	char tag[AREA_HUGE_HEAP + 1];
	bool dropped[AREA_HUGE_HEAP + 1];
};

static const struct {
	enum file file;
	int prot;
	int flags;
} kinds[AREAS] = {
	[AREA_HEAP] = { NO_FILE, RW, MAP_PRIVATE | MAP_ANONYMOUS },
	[AREA_HUGE_HEAP] = { NO_FILE, RW, MAP_PRIVATE | MAP_ANONYMOUS },
	[AREA_TEXT] = { TEXT_FILE, PROT_READ | PROT_EXEC, MAP_PRIVATE },
	[AREA_FILE_PRIVATE] = { DISK_FILE, RW, MAP_PRIVATE },
	[AREA_FILE_SHARED] = { DISK_FILE, RW, MAP_SHARED },
	[AREA_MEMFD] = { SHMEM_FILE, RW, MAP_SHARED },
	[AREA_HUGETLB] = { HUGETLB_FILE, RW, MAP_SHARED },
};

static struct memory *area_of(struct life *life, enum area area)
{
	return &siege->areas[life->which][area];
}

int siege_open(enum file file)
{
	char path[64];

	if (file == NO_FILE || siege->files[file] < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", siege->test, siege->files[file]);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* There or, if @addr says so, in its old place. */
static void map_area(struct life *life, enum area area, void *addr)
{
	static const unsigned long lens[AREAS] = { [AREA_HEAP] = MIB, [AREA_HUGE_HEAP] = 2 * HUGE };
	enum file file = kinds[area].file;
	unsigned long len = file ? siege->sizes[file] : lens[area];
	int fd = siege_open(file);

	if (file && fd < 0)
		return;
	addr = mmap(addr, len, kinds[area].prot, kinds[area].flags | (addr ? MAP_FIXED : 0), fd, 0);
	close(fd);
	/* A lock covers it, and there is too little memory for that. */
	if (addr == MAP_FAILED) {
		if (errno != ENOMEM && errno != EAGAIN)
			fault("mmap");
		_exit(0);
	}
	count(MAP);
	if (area == AREA_HUGE_HEAP)
		madvise(addr, len, MADV_HUGEPAGE);
	*area_of(life, area) = (struct memory){ (unsigned long)addr, len };
	if (area <= AREA_HUGE_HEAP) {
		life->tag[area] = 0;
		life->dropped[area] = true;
	}
}

static bool good(struct life *life, enum area area)
{
	struct memory *m = area_of(life, area);
	unsigned long i;

	for (i = 0; i < m->len; i += PAGE) {
		char is = ((volatile char *)m->addr)[i];

		if (is != life->tag[area] && !(life->dropped[area] && !is))
			return false;
	}
	return true;
}

static void play_write(struct life *life)
{
	enum area area = draw(&life->seed, 2) ? AREA_HEAP : AREA_HUGE_HEAP;
	struct memory *m = area_of(life, area);
	unsigned long i;

	life->tag[area] = 1 + draw(&life->seed, 100);
	life->dropped[area] = false;
	for (i = 0; i < m->len; i += PAGE)
		((volatile char *)m->addr)[i] = life->tag[area];
}

/* What splits a huge page, some of the time. */
static void play_drop(struct life *life)
{
	enum area area = draw(&life->seed, 2) ? AREA_HEAP : AREA_HUGE_HEAP;
	struct memory *m = area_of(life, area);
	unsigned long pages = m->len / PAGE, first = draw(&life->seed, pages);
	unsigned long nr = 1 + draw(&life->seed, pages - first);

	life->dropped[area] = true;
	errno = 0;
	/* EINVAL: it is locked. */
	if (madvise((void *)(m->addr + first * PAGE), nr * PAGE, MADV_DONTNEED) && errno != EINVAL)
		return fault("madvise");
	count(DROP);
}

static void play_protect(struct life *life)
{
	struct memory *m = area_of(life, AREA_HUGE_HEAP);
	unsigned long part = m->len / 4;

	if (mprotect((void *)(m->addr + part), 2 * part, PROT_READ) ||
	    mprotect((void *)m->addr, m->len, RW)) {
		/* Too little memory for what a lock asks of it; a write would not be right. */
		if (errno != ENOMEM && errno != EAGAIN)
			fault("mprotect");
		_exit(0);
	}
	count(PROTECT);
}

static void play_map(struct life *life)
{
	enum area area = draw(&life->seed, AREAS);
	struct memory old = *area_of(life, area);

	if (old.len)
		map_area(life, area, (void *)old.addr);
}

static sigjmp_buf behind_the_end;

static void on_sigbus(int sig)
{
	siglongjmp(behind_the_end, 1);
}

/* Files are cut short meanwhile, and hugetlb may have no page. */
static void play_touch(struct life *life)
{
	int some = draw(&life->seed, AREAS - AREA_FILE_PRIVATE);
	struct memory *m = area_of(life, AREA_FILE_PRIVATE + some);

	if (sigsetjmp(behind_the_end, 1))
		return count(BEHIND_THE_END);
	do_write(m->addr, m->len, PAGE);
	count(TOUCH);
}

/* Text that debuggers write to and probe. */
static void play_text(struct life *life)
{
	struct memory *m = area_of(life, AREA_TEXT);
	unsigned long i;

	errno = 0;
	for (i = 0; i < m->len; i += PAGE) {
		char is = ((volatile char *)m->addr)[i];

		if (is && is != POKED)
			return fault("text has changed");
	}
	if (do_probed(life->which, 0, 0) != life->which + 1)
		fault("a probed function");
}

static void play_fork(struct life *life)
{
	int status = 0;
	pid_t pid;

	pid = fork_child();
	if (!pid)
		_exit(!good(life, AREA_HEAP) || !good(life, AREA_HUGE_HEAP));
	if (pid < 0) {
		if (errno != ENOMEM && errno != EAGAIN)
			fault("fork");
		return;
	}
	while (waitpid(pid, &status, 0) != pid)
		;
	errno = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		fault("a forked child saw other memory");
	count(FORK);
}

static void play_exec(struct life *life)
{
	char test[16], self[16], which[16], seed[16];

	snprintf(test, sizeof(test), "%d", siege->test);
	snprintf(self, sizeof(self), "%d", siege->self);
	snprintf(which, sizeof(which), "%d", life->which);
	snprintf(seed, sizeof(seed), "%u", draw(&life->seed, 1u << 31));
	memset(siege->areas[life->which], 0, sizeof(siege->areas[0]));
	count(EXEC);
	execl("/proc/self/exe", "siege_test", ARG_LIFE, test, self, which, seed, NULL);
	fault("execve");
	_exit(1);
}

static void play_end(struct life *life)
{
	_exit(0);
}

static const struct {
	void (*play)(struct life *life);
	unsigned int weight;
} plays[] = {
	{ play_write, 8 }, { play_drop, 6 }, { play_protect, 4 }, { play_map, 6 },
	{ play_touch, 10 }, { play_text, 6 }, { play_fork, 2 }, { play_exec, 1 }, { play_end, 1 },
};

long do_live(long which, long seed, long c)
{
	struct sigaction bus = { .sa_handler = on_sigbus };
	struct life life = { .which = which, .seed = seed_of(seed) };
	unsigned int i, pick;

	sigaction(SIGBUS, &bus, NULL);
	for (i = 0; i < AREAS; i++)
		map_area(&life, i, NULL);
	board->addr[which] = area_of(&life, AREA_HEAP)->addr;
	board->len[which] = area_of(&life, AREA_HEAP)->len;
	while (!stopped()) {
		pick = draw(&life.seed, 44);
		for (i = 0; pick >= plays[i].weight; i++)
			pick -= plays[i].weight;
		plays[i].play(&life);
		errno = 0;
		if (!good(&life, AREA_HEAP) || !good(&life, AREA_HUGE_HEAP)) {
			fault("memory has changed");
			_exit(0);
		}
	}
	return 0;
}

int live_again(char **argv)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", argv[2], argv[3]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	siege = mmap(NULL, sizeof(*siege), RW, MAP_SHARED, fd, 0);
	close(fd);
	if (siege == MAP_FAILED)
		return 1;
	board = &siege->board;
	do_live(atol(argv[4]), atol(argv[5]), 0);
	/* Whoever looks at the end of it all finds a process. */
	for (;;)
		pause();
}
