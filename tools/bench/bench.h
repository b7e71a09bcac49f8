/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the benchmark share.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "../../selftests/memlockd_test.h"

/**
 * enum lock_kind - what is done to the process that is measured
 * @PLAIN: nothing; no probe is in place either
 * @ARMED: nothing, but another process is locked, so the probes are in place
 * @RULES: nothing, but there are eight rules, for other users' programs and children
 * @PEER: its own mlockall(MCL_CURRENT | MCL_FUTURE), and munlockall()
 * @MOVABLE: ours, LOCKED|MOVABLE
 * @LOCKED: ours, LOCKED
 * @SUPER: ours, SUPERLOCKED
 */
enum lock_kind { PLAIN, ARMED, RULES, PEER, MOVABLE, LOCKED, SUPER, NR_VARIANTS };

#define V(variant)	(1U << (variant))
#define OURS		(V(MOVABLE) | V(LOCKED) | V(SUPER))

/**
 * enum measure - what is measured
 * @LOCK: the call that locks, as its caller sees it; ns
 * @UNLOCK: likewise
 * @OP: another call, the subject of the case; ns
 * @CLIENT: CPU time of the client in @LOCK and @UNLOCK; ns
 * @TARGET: CPU time of the target in these; ns
 * @KERNEL: CPU time of kernel threads in these; ns
 * @BOOKS: memory that remembers the lock, as STATUS says; bytes
 * @SLAB: by how much the kernel's own memory has grown by the lock; bytes
 * @STALL: the longest that a thread of the target was held up; ns
 */
enum measure { LOCK, UNLOCK, OP, CLIENT, TARGET, KERNEL, BOOKS, SLAB, STALL, NR_METRICS };

/* One measurement; NAN is what was not measured. */
struct sample {
	double value[NR_METRICS];
};

/**
 * struct bench_case - something to measure
 * @name: to choose it by
 * @op: what @OP is
 * @variants: a set of V()
 * @run: measures @variant once; false if it cannot be had here, after saying why
 * @a: argument of @run
 * @b: likewise
 * @unit: what the case has many of, and the gate counts by: "page", "call"
 * @units: how many; for a @run whose size is fixed.  0: as many as there are
 *	pages in SIZE; below 0: that by -units
 * @wall: not for counting instructions: it waits for disks or other processes, or
 *	takes too long
 */
struct bench_case {
	const char *name;
	const char *op;
	unsigned int variants;
	bool (*run)(const struct bench_case *c, enum lock_kind variant, struct sample *s);
	long a, b;
	const char *unit;
	long units;
	bool wall;
};

extern const struct bench_case cases[];
extern const size_t nr_cases;

/* ---- main.c ---- */

extern int device;		/* /dev/memlockd */
extern size_t size;		/* SIZE, in bytes */
extern bool counting;		/* instructions, not time */

uint64_t now(void);		/* CLOCK_MONOTONIC, ns */
void die(const char *what) __attribute__((noreturn));
double units_of(const struct bench_case *c);

/* ---- measure.c: the parts of a measurement ---- */

void only(enum measure metric, struct sample *s);

/* Locks @pid as @variant of ours says; dies if that fails. */
void lock_as(pid_t pid, enum lock_kind variant);
void unlock(pid_t pid);

/* Puts @t under @variant, or lifts that, and adds what it took to @s. */
void lock_target(struct target *t, enum lock_kind variant, struct sample *s);
void unlock_target(struct target *t, enum lock_kind variant, struct sample *s);

/* The same for a program that has preload.so in it. */
void lock_program(pid_t pid, int fd, enum lock_kind variant, struct sample *s);
void unlock_program(pid_t pid, int fd, enum lock_kind variant, struct sample *s);

/* Has the probes as @variant needs them, and nobody locked but a bystander. */
void surroundings(enum lock_kind variant);

/* ---- memory.c, busy.c, calls.c, programs.c: a @run each ---- */

bool run_memory(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_processors(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_mappings(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_file_mappings(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_reserve(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_kill(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_stall(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_stall_mappings(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_stall_registering(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_stall_registered(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_stall_shared(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_move(const struct bench_case *c, enum lock_kind variant, struct sample *s);

bool run_busy(const struct bench_case *c, enum lock_kind variant, struct sample *s);

bool run_map(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_change(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_fault(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_dontneed(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_fork(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_range(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_status(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_rows(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_first(const struct bench_case *c, enum lock_kind variant, struct sample *s);

bool run_redis(const struct bench_case *c, enum lock_kind variant, struct sample *s);
bool run_python(const struct bench_case *c, enum lock_kind variant, struct sample *s);

enum memory { SMALL, THP, HUGETLB };
enum residency { RESIDENT, UNTOUCHED, SWAPPED };
enum fork { FORK, VFORK, SPAWN, EXEC };
enum change { REMAP, FIXED, PROTECT };

/* @a of run_memory() */
#define MEMORY(kind, residency)	((kind) << 4 | (residency))

#endif /* BENCH_H */
