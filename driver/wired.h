/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting the unique physical pages that are locked, system-wide.
 */
#ifndef _MEMLOCKD_WIRED_H
#define _MEMLOCKD_WIRED_H

#include <linux/list.h>

struct mlkd_limit;
struct mlkd_space;
struct mlkd_wired_range;

/**
 * struct mlkd_wired - what one address space has in the count
 * @node: in the list of all that have something in it
 * @pages: pages that nobody else can have: private memory
 * @ranges: parts of files, whose pages others may have, too
 * @nr_ranges: how many
 * @locked_vm: of the mm, when it was counted
 * @map_count: likewise
 * @counts: how often it has been counted, or begun to be
 * @pass: when it was last looked at by refresh()
 * @stale: it has unmapped or mapped something since
 * @gone: it is locked no more, and not to be counted again
 *
 * All but @stale changes under the mutex of wired.c, which is taken without mmap_lock.
 */
struct mlkd_wired {
	struct list_head node;
	unsigned long pages;
	struct mlkd_wired_range *ranges;
	unsigned int nr_ranges;
	unsigned long locked_vm;
	int map_count;
	unsigned int counts;
	unsigned int pass;
	bool stale;
	bool gone;
};

extern unsigned long mlkd_max_wired;

void mlkd_wired_setup(struct mlkd_wired *wired);
int mlkd_wired_reserve(struct mlkd_space *space, struct mlkd_limit *limit);
void mlkd_wired_recount(struct mlkd_space *space);
void mlkd_wired_drop(struct mlkd_space *space);
bool mlkd_wired_again(struct mlkd_limit *limit);

unsigned long mlkd_wired_now(void);
unsigned long mlkd_wired_peak(void);

#endif /* _MEMLOCKD_WIRED_H */
