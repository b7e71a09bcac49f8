/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What transparency_test shares with its two processes: the system calls that they
 * make, and what each of them sees afterwards.
 */
#ifndef TRANSPARENCY_H
#define TRANSPARENCY_H

#include <stdint.h>

#include "memlockd_test.h"

/*
 * Both processes use these addresses, so that what they are told is the same: first
 * a transparent huge page, behind it small ones.
 */
#define AREA		0x100000000000UL
#define HUGE_PAGES	512
#define SMALL_PAGES	96
#define AREA_PAGES	(HUGE_PAGES + SMALL_PAGES)
/* The heap follows in the views; it begins at the same address in both as well. */
#define HEAP_PAGES	32
#define VIEW_PAGES	(AREA_PAGES + HEAP_PAGES)

#define FILE_PAGES	64

/* What can be mapped. The files that are mapped privately are never written to. */
enum source {
	ANONYMOUS, PRIVATE_DISK, PRIVATE_MEMFD, SHARED_DISK, SHARED_MEMFD, SHARED_ANONYMOUS,
	SOURCES
};

enum what {
	CALL_MAP, CALL_UNMAP, CALL_PROTECT, CALL_MOVE, CALL_ADVISE, CALL_FREE, CALL_SYNC,
	CALL_MLOCK, CALL_MUNLOCK, CALL_MLOCKALL, CALL_SET_BRK, CALL_REMAP_PAGES, CALL_SHMAT,
	CALL_SHMDT, CALL_MERGE, CALL_WRITE, CALL_TRUNCATE, CALL_READ_FILE, CALL_FORK,
	CALL_ANYWHERE, CALLS
};

/**
 * struct step - a system call
 * @what: which one
 * @addr: its address
 * @len: its length
 * @to: where mremap(2) is to move it; a second address or length
 * @arg: protection, advice, flags or file, as the call has it
 * @flags: more of them
 */
struct step {
	enum what what;
	unsigned long addr;
	unsigned long len;
	unsigned long to;
	long arg;
	long flags;
};

/**
 * struct view - what a program sees of a page
 * @sum: of its contents
 * @fault: the signal and its code, where it could not be read
 */
struct view {
	uint64_t sum;
	uint32_t fault;
};

/**
 * struct world - one of the two processes
 * @result: of the call: what it returned, or -errno
 * @second: of what belongs to the call: what a child saw, or what a second call returned
 * @pages: what it sees of all its memory
 */
struct world {
	long result;
	uint64_t second;
	struct view pages[VIEW_PAGES];
};

struct worlds {
	struct step step;
	struct world world[2];
};

extern struct worlds *worlds;

/* Run in the targets; 0, or -errno when the target could not do it. */
long do_world_setup(long which, long b, long c);
long do_world_step(long which, long b, long c);

#endif /* TRANSPARENCY_H */
