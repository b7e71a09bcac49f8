/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What faults_test makes a machine suffer, and what it shares with its targets.
 */
#ifndef STRESS_H
#define STRESS_H

#include "memlockd_test.h"

#define CHILDREN	3		/* that each target has in the fork storm */

#define VM(name)	"/proc/sys/vm/" name
#define KSM(name)	"/sys/kernel/mm/ksm/" name
#define THP(name)	"/sys/kernel/mm/transparent_hugepage/" name
#define NUMA(name)	"/sys/kernel/debug/sched/numa_balancing/" name
#define NUMA_BALANCING	"/proc/sys/kernel/numa_balancing"

enum lock { NONE, MLOCKALL, MOVABLE, LOCKED, SUPERLOCKED, LOCKS };

enum row {
	ROW_HEAP, ROW_THP_HEAP, ROW_LIBRARY, ROW_FILE_RO, ROW_FILE_RW, ROW_TMPFS,
	ROW_SHARED_ANON, ROW_MEMFD, ROW_HUGETLB, ROW_SHARED_RO, ROW_SHARED_RW, ROW_STACK,
	ROW_THREAD_STACK, ROW_NEW_MMAP, ROW_NEW_BRK, ROW_NEW_MREMAP, ROW_NEW_MPROTECT, ROWS
};

/* The first that appears after the lock, so that nobody has touched it before the stress. */
#define FIRST_NEW	ROW_NEW_MMAP

/* What the mappings have to be prepared for. */
enum special { PLAIN, MERGEABLE, COLLAPSIBLE };

struct memory {
	unsigned long addr, len;	/* no length: it cannot be had here */
};

struct cell {
	long minor, major;
};

struct setting {
	char path[96];
	long value;
};

/**
 * struct sheet - what the test and its targets share
 * @stop: those that touch all the time are to stop
 * @rounds: how often each target has touched all it has
 * @memory: where it has it
 * @cells: the faults that it took
 * @settings: what to write back at the end
 * @nr_settings: how many there are
 *
 * The targets look at it between the touches that are counted only.
 */
struct sheet {
	bool stop;
	unsigned long rounds[LOCKS];
	struct memory memory[LOCKS][ROWS];
	struct cell cells[LOCKS][ROWS];
	struct setting settings[32];
	unsigned int nr_settings;
};

extern struct sheet *sheet;

/**
 * struct scene - who suffers
 * @fd: the device
 * @used: the locks that are tried
 * @t: a target for each
 * @seen: its rounds, when waiting for more began
 * @children: the children it has forked
 * @hog: a process that takes memory
 * @hole: the memory that it has taken
 * @tries: how often the stressor has been tried before
 * @moved: pages of the unlocked process that compaction has moved
 * @wrote_back: file pages were written back; those mapped shared fault when they
 *	are written again, which no lock prevents
 */
struct scene {
	int fd;
	bool used[LOCKS];
	struct target t[LOCKS];
	unsigned long seen[LOCKS];
	pid_t children[LOCKS][CHILDREN];
	struct target hog;
	struct memory hole;
	int tries;
	long moved;
	bool wrote_back;
};

static inline int next_lock(const struct scene *scene, int i)
{
	while (i < LOCKS && !scene->used[i])
		i++;
	return i;
}

#define for_each_lock(scene, i) \
	for ((i) = next_lock(scene, 0); (i) < LOCKS; (i) = next_lock(scene, (i) + 1))

#define ROW(row)	(1UL << (row))

/**
 * struct stressor - something that makes memory fault
 * @name: in the table
 * @prepare: done before there are any targets; may be NULL
 * @run: do it; returns why it cannot be done here
 * @excused: the ROW()s that no lock keeps from faulting
 * @special: what the mappings have to be prepared for
 * @meanwhile: the targets touch all they have over and over while @run does it;
 *	else once, when it has returned
 * @again: it is done again while it has shown little; it counts what it has moved
 * @control: the unlocked process must have faulted; else it may
 */
struct stressor {
	const char *name;
	void (*prepare)(struct scene *scene);
	const char *(*run)(struct scene *scene);
	unsigned long excused;
	enum special special;
	bool meanwhile;
	bool again;
	bool control;
};

extern const struct stressor stressors[];
extern const unsigned int nr_stressors;

/* Write a number to a file of the kernel, and remember what was there. */
bool set(const char *path, long value);
/* Back to where there were @nr. */
void restore_settings(unsigned int nr);

/* Wait until all targets have touched all they have, from now on. */
void wait_for_round(struct scene *scene);

/* Faults on what was there, and touched, before the stress. */
long old_faults(enum lock lock);

#endif /* STRESS_H */
