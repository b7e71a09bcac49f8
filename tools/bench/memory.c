// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locking and unlocking memory of several kinds and sizes.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define HUGE	(2 * MIB)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

/* In the target: maps @len of @kind; the address. */
static long map_memory(long len, long kind, long c)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (kind == HUGETLB ? MAP_HUGETLB : 0);
	size_t room = len + (kind == HUGETLB ? 0 : HUGE);
	char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, flags, -1, 0);
	char *aligned = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

	if (p == MAP_FAILED)
		return -1;
	if (kind == HUGETLB)
		return (long)p;
	if (aligned > p)
		munmap(p, aligned - p);
	if (aligned < p + HUGE)
		munmap(aligned + len, p + HUGE - aligned);
	madvise(aligned, len, kind == THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return (long)aligned;
}

/* In the target: a write to each page, and no read before it. */
static long touch(long addr, long len, long c)
{
	volatile char *p = (char *)addr;
	long i;

	for (i = 0; i < len; i += PAGE)
		p[i] = 1;
	return 0;
}

static bool hugetlb_pages(long nr)
{
	return write_number("/proc/sys/vm/nr_hugepages", nr) &&
	       read_number("/proc/sys/vm/nr_hugepages") == nr;
}

/* Makes the memory what the case says it is. */
static bool prepare(struct target *t, long addr, size_t len, enum residency residency)
{
	unsigned long present;

	if (residency == UNTOUCHED)
		return true;
	target_call(t, touch, addr, len, 0);
	if (residency == RESIDENT)
		return true;

	if (target_call(t, do_advise, addr, len, MADV_PAGEOUT))
		die("MADV_PAGEOUT");
	present = present_bytes(t->pid, addr, addr + len);
	if (present > len / 20) {
		printf("# %lu of %zu MiB could not be swapped out\n", present / MIB, len / MIB);
		return false;
	}
	return true;
}

bool run_memory(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	size_t len = units_of(c) * PAGE;
	enum residency residency = c->a & 15;
	enum memory kind = c->a >> 4;
	struct target t;
	bool good;
	long addr;

	if (kind == HUGETLB && !hugetlb_pages(len / HUGE)) {
		printf("# cannot get %zu huge pages\n", len / HUGE);
		hugetlb_pages(0);
		return false;
	}
	target_start(&t);
	addr = target_call(&t, map_memory, len, kind, 0);
	if (addr < 0)
		die("mmap in the target");
	good = prepare(&t, addr, len, residency);
	if (good) {
		lock_target(&t, variant, s);
		unlock_target(&t, variant, s);
	}
	target_stop(&t);
	if (kind == HUGETLB)
		hugetlb_pages(0);
	return good;
}

#define SECOND	"/sys/devices/system/cpu/cpu1/online"

/* Untouched memory, with one processor and with two. */
bool run_processors(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;
	long addr;

	if (!write_number(SECOND, variant != PLAIN)) {
		printf("# there is no second processor\n");
		return false;
	}
	target_start(&t);
	addr = target_call(&t, map_memory, units_of(c) * PAGE, SMALL, 0);
	if (addr < 0)
		die("mmap in the target");
	lock_target(&t, SUPER, s);
	s->value[OP] = s->value[LOCK];
	only(OP, s);
	target_stop(&t);
	write_number(SECOND, 1);
	return true;
}

/* In the target: @nr mappings of a page each, that cannot be merged. */
static long map_many(long nr, long b, long c)
{
	char *p = (char *)do_map_small(nr * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	long i;

	if ((long)p < 0)
		return -1;
	for (i = 0; i < nr; i++)
		p[i * PAGE] = 1;
	for (i = 0; i < nr; i += 2)
		if (mprotect(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC))
			return -1;
	return (long)p;
}

/* A target in which @map has made as many mappings as @c has units; what that returns. */
static long target_start_mapped(struct target *t, const struct bench_case *c, target_fn map)
{
	long addr;

	write_number("/proc/sys/vm/max_map_count", 2000000);
	target_start(t);
	addr = target_call(t, map, units_of(c), 0, 0);
	if (addr < 0)
		die("mappings in the target");
	return addr;
}

static bool lock_mapped(const struct bench_case *c, target_fn map, enum lock_kind variant,
			struct sample *s)
{
	struct target t;

	target_start_mapped(&t, c, map);
	lock_target(&t, variant, s);
	unlock_target(&t, variant, s);
	target_stop(&t);
	return true;
}

bool run_mappings(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	return lock_mapped(c, map_many, variant, s);
}

/* In the target: @nr mappings of a file's pages, of every other one, in the order of neither. */
static long map_file_often(long nr, long b, long c)
{
	char *p = mmap(NULL, nr * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("bench", MFD_CLOEXEC);
	long i;

	if (p == MAP_FAILED || fd < 0 || ftruncate(fd, 2 * nr * PAGE))
		return -1;
	for (i = 0; i < nr; i++)
		if (mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 2 * (nr - i - 1) * PAGE) == MAP_FAILED)
			return -1;
	close(fd);
	return touch((long)p, nr * PAGE, 0);
}

bool run_file_mappings(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	return lock_mapped(c, map_file_often, variant, s);
}

/* What nobody can touch: @a of it, in GiB. */
bool run_reserve(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;

	target_start(&t);
	if (c->a && target_call(&t, do_map, c->a << 30, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE) < 0)
		die("mmap in the target");
	lock_target(&t, variant, s);
	unlock_target(&t, variant, s);
	target_stop(&t);
	return true;
}

static size_t free_memory(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return info.freeram * info.mem_unit;
}

/* From SIGKILL until the memory can be had again, but for a fiftieth. */
bool run_kill(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	size_t len = units_of(c) * PAGE, wanted;
	uint64_t start;
	struct target t;
	long addr;

	/* Else each processor keeps tens of MiB back, that count as used. */
	write_number("/proc/sys/vm/percpu_pagelist_high_fraction", 100000);
	target_start(&t);
	addr = target_call(&t, map_memory, len, c->a, 0);
	if (addr < 0)
		die("mmap in the target");
	target_call(&t, touch, addr, len, 0);
	lock_target(&t, variant, s);
	only(OP, s);
	wanted = free_memory() + len / 100 * 98;

	start = now();
	kill(t.pid, SIGKILL);
	while (free_memory() < wanted) {
		if (now() - start > 60000000000ULL) {
			printf("# only %zu of %zu MiB came back\n",
			       (free_memory() - (wanted - len / 100 * 98)) / MIB, len / MIB);
			target_stop(&t);
			return false;
		}
	}
	s->value[OP] = now() - start;
	target_stop(&t);
	return true;
}

static atomic_bool stop_looking;

/* A thread of the target that needs mmap_lock, for writing, again and again. */
static void *look(void *longest)
{
	uint64_t *max = longest;

	while (!stop_looking) {
		uint64_t start = now(), took;
		void *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(p, PAGE);
		took = now() - start;
		if (took > *max)
			*max = took;
	}
	return NULL;
}

static uint64_t longest;
static pthread_t looker;

static long start_looking(long a, long b, long c)
{
	longest = 0;
	return -pthread_create(&looker, NULL, look, &longest);
}

static long stop(long a, long b, long c)
{
	stop_looking = true;
	pthread_join(looker, NULL);
	return longest;
}

static void begin_to_look(struct target *t)
{
	if (target_call(t, start_looking, 0, 0, 0))
		die("thread in the target");
}

static bool end_of_look(struct target *t, struct sample *s)
{
	only(STALL, s);
	s->value[STALL] = target_call(t, stop, 0, 0, 0);
	target_stop(t);
	return true;
}

static bool measure_stall(struct target *t, enum lock_kind variant, struct sample *s)
{
	begin_to_look(t);
	lock_target(t, variant, s);
	unlock_target(t, variant, s);
	return end_of_look(t, s);
}

/* The longest that another thread of the target waits, while it is locked. */
bool run_stall(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	size_t len = units_of(c) * PAGE;
	struct target t;
	long addr;

	target_start(&t);
	addr = target_call(&t, map_memory, len, SMALL, 0);
	if (addr < 0)
		die("mmap in the target");
	if (c->a == RESIDENT)
		target_call(&t, touch, addr, len, 0);
	return measure_stall(&t, variant, s);
}

/* In the target: @nr mappings without access, which need no memory. */
static long map_nothing_often(long nr, long b, long c)
{
	char *p = mmap(NULL, nr * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long i;

	if (p == MAP_FAILED)
		return -1;
	for (i = 0; i < nr; i += 2)
		if (madvise(p + i * PAGE, PAGE, MADV_DONTDUMP))
			return -1;
	return 0;
}

/* The same with many mappings, of a page each, or, with @a, of nothing. */
bool run_stall_mappings(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;

	target_start_mapped(&t, c, c->a ? map_nothing_often : map_many);
	return measure_stall(&t, variant, s);
}

static void lock_page(struct target *t, unsigned long addr)
{
	int err = lock_range(device, t->pid, MEMLOCKD_STATE_SUPERLOCKED, addr, PAGE, NULL);

	if (err) {
		errno = -err;
		die("lock of a page");
	}
}

/*
 * The same with many mappings, of which one page is locked: that is next to nothing, but to
 * register with the core kernel, which the first lock of an address space has to do.
 */
bool run_stall_registering(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;
	long addr = target_start_mapped(&t, c, map_many);

	if (variant == PEER)
		return measure_stall(&t, variant, s);
	begin_to_look(&t);
	lock_page(&t, addr);
	return end_of_look(&t, s);
}

/* The same with many mappings, all of which are locked, and one page has been before. */
bool run_stall_registered(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;
	long addr = target_start_mapped(&t, c, map_many);

	if (variant != PEER)
		lock_page(&t, addr);
	return measure_stall(&t, variant, s);
}

/* In the target: how long it takes to move memory. */
static long timed_move(long addr, long len, long to)
{
	uint64_t start = now();

	if (do_move(addr, len, to) != to)
		return -1;
	return now() - start;
}

/*
 * mremap(2) of many pages, which are moved one by one, and how long another thread waits for
 * it.  With @a, ours are ranges of each second page.
 */
bool run_move(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	size_t len = units_of(c) * PAGE;
	struct target t;
	long addr, to;

	surroundings(variant);
	target_start(&t);
	addr = target_call(&t, map_memory, len, SMALL, 0);
	to = target_call(&t, do_map_small, len + PAGE, PROT_NONE, MAP_PRIVATE);
	if (addr < 0 || to < 0)
		die("mmap in the target");
	/* Else whole page tables are moved. */
	if (!((to - addr) % (2 * MIB)))
		to += PAGE;
	target_call(&t, touch, addr, len, 0);
	if (!c->a || variant < MOVABLE)
		lock_target(&t, variant, s);
	else
		for (size_t at = 0; at < len; at += 2 * PAGE)
			lock_page(&t, addr + at);
	only(OP, s);
	if (!counting)
		begin_to_look(&t);
	s->value[OP] = target_call(&t, timed_move, addr, len, to);
	if (s->value[OP] < 0)
		die("mremap in the target");
	if (!counting)
		s->value[STALL] = target_call(&t, stop, 0, 0, 0);
	target_stop(&t);
	return true;
}

/* The same with one mapping of shared memory. */
bool run_stall_shared(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	size_t len = units_of(c) * PAGE;
	struct target t;
	long addr;

	target_start(&t);
	addr = target_call(&t, do_map, len, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (addr < 0)
		die("mmap in the target");
	target_call(&t, touch, addr, len, 0);
	return measure_stall(&t, variant, s);
}
