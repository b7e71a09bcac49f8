/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processes that siege_test has locked while the machine around them changes.
 */
#ifndef SIEGE_H
#define SIEGE_H

#include "storm.h"

#define TARGETS		3
#define POKED		0x5a		/* what a debugger writes */

/* The first argument of this program when a target calls execve(2). */
#define ARG_LIFE	"siege-life"

/* The last two are not the target's alone: nobody knows what is in them. */
enum area {
	AREA_HEAP, AREA_HUGE_HEAP, AREA_TEXT, AREA_FILE_PRIVATE, AREA_FILE_SHARED, AREA_MEMFD,
	AREA_HUGETLB, AREAS
};

/* What the areas are mapped from. AREA_TEXT's is written by nobody. */
enum file { NO_FILE, TEXT_FILE, DISK_FILE, SHMEM_FILE, HUGETLB_FILE, FILES };

struct memory {
	unsigned long addr, len;	/* no length: there is none now */
};

/**
 * struct siege - what all processes share, also across execve(2)
 * @board: what is done, and what goes wrong
 * @test: the process that has opened the files
 * @self: this, as a file of that process
 * @files: likewise
 * @sizes: how large they are made
 * @areas: what each target has mapped
 */
struct siege {
	struct board board;
	pid_t test;
	int self;
	int files[FILES];
	unsigned long sizes[FILES];
	struct memory areas[TARGETS][AREAS];
};

extern struct siege *siege;

/* One of the test's files; -1 when there is none. */
int siege_open(enum file file);

/* A target's life; returns when the board says stop, unless it has called execve(2). */
long do_live(long which, long seed, long c);

/* The same, in the program that execve(2) has started with ARG_LIFE. */
int live_again(char **argv);

#endif /* SIEGE_H */
