// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locking a process that is busy with its address space: it must not run away from the lock.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define LOCKS	16		/* of which the longest counts */
#define CHUNK	(1 * MIB)
#define THREADS	4

static void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Maps, writes, moves, and unmaps. */
static void *move_about(void *arg)
{
	for (;;) {
		char *p = map(CHUNK), *moved;

		if (!p)
			continue;
		memset(p, 1, CHUNK);
		moved = mremap(p, CHUNK, 2 * CHUNK, MREMAP_MAYMOVE);
		if (moved == MAP_FAILED)
			munmap(p, CHUNK);
		else
			munmap(moved, 2 * CHUNK);
	}
	return NULL;
}

/* Cuts a mapping into pieces, and has them merged. */
static void *cut(void *arg)
{
	char *p = map(CHUNK);

	while (p) {
		for (size_t at = 0; at < CHUNK; at += 2 * PAGE)
			mprotect(p + at, PAGE, PROT_READ);
		mprotect(p, CHUNK, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

static void *wait_for_the_end(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

/* In the target: a quiet one has the same threads, with their stacks. */
static long begin_all(long busy, long b, long c)
{
	static void *(*const loops[THREADS])(void *) = {
		move_about, move_about, cut, fork_for_ever,
	};
	pthread_attr_t attr;
	pthread_t thread;
	int err = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * KIB);
	for (int i = 0; i < THREADS && !err; i++)
		err = pthread_create(&thread, &attr, busy ? loops[i] : wait_for_the_end, NULL);
	return -err;
}

static void start(struct target *t, size_t len, bool busy)
{
	long addr;

	target_start(t);
	addr = target_call(t, do_map_small, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (addr < 0 || target_call(t, do_write, addr, len, PAGE) ||
	    target_call(t, begin_all, busy, 0, 0))
		die("busy target");
}

/*
 * The longest of some superlocks of a busy process, and of a quiet one that has the same
 * memory: beside a busy one, so that both have the processors to share with it.
 */
bool run_busy(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	size_t len = units_of(c) * PAGE;
	struct target quiet, busy, *t = variant == PLAIN ? &quiet : &busy;
	uint64_t begin, took;

	start(&quiet, len, false);
	start(&busy, len, true);
	/* What the first lock of all costs is another case. */
	lock_as(t->pid, SUPER);
	unlock(t->pid);
	s->value[OP] = 0;
	for (int i = 0; i < LOCKS; i++) {
		begin = now();
		lock_as(t->pid, SUPER);
		took = now() - begin;
		if (took > s->value[OP])
			s->value[OP] = took;
		unlock(t->pid);
	}
	target_stop(&busy);
	target_stop(&quiet);
	return true;
}
