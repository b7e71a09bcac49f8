/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting the unique physical pages that are locked, system-wide.
 */
#ifndef _MEMLOCKD_WIRED_H
#define _MEMLOCKD_WIRED_H

#include <linux/list.h>

#include "policy.h"

struct mlkd_limit;
struct mlkd_space;
struct mlkd_wired_range;

/**
 * struct mlkd_wired - what one address space has in the count
 * @node: in the list of all that have something in it
 * @mode: what it was counted for
 * @pages: pages that nobody else can have: private memory
 * @ranges: parts of files, whose pages others may have, too
 * @nr_ranges: how many
 * @locked_vm: of the mm, when it was counted
 * @map_count: likewise
 * @pass: when it was last looked at by refresh()
 * @stale: it has unmapped or mapped something since
 * @gone: it is locked no more, and not to be counted again
 *
 * @mode changes under mmap_lock held for writing, all else but @stale under the
 * mutex of wired.c, which is taken with mmap_lock held, or without.
 */
struct mlkd_wired {
	struct list_head node;
	struct mlkd_mode mode;
	unsigned long pages;
	struct mlkd_wired_range *ranges;
	unsigned int nr_ranges;
	unsigned long locked_vm;
	int map_count;
	unsigned int pass;
	bool stale;
	bool gone;
};

extern unsigned long mlkd_max_wired;

void mlkd_wired_setup(struct mlkd_wired *wired);
int mlkd_wired_reserve(struct mlkd_space *space, struct mlkd_mode mode, bool all,
		       struct mlkd_limit *limit);
void mlkd_wired_recount(struct mlkd_space *space, struct mlkd_mode mode);
void mlkd_wired_drop(struct mlkd_space *space);
bool mlkd_wired_again(struct mlkd_limit *limit);

unsigned long mlkd_wired_now(void);
unsigned long mlkd_wired_peak(void);

#endif /* _MEMLOCKD_WIRED_H */
