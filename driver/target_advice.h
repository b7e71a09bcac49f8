/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locked process's own madvise(2), msync(2) and prctl(2).
 */
#ifndef _MEMLOCKD_TARGET_ADVICE_H
#define _MEMLOCKD_TARGET_ADVICE_H

#include <linux/types.h>

struct mlkd_space;

/**
 * struct mlkd_advice - a call of madvise(2)
 * @start: its first argument
 * @len: its second argument
 * @advice: its third argument
 * @ours: up to here, from @start on, only our lock is in the way of the call
 * @nr: @len, as the core kernel is to see it
 * @instead: @advice, likewise
 * @in_place: it sees nothing, and mlkd_advice_end() zeroes the range
 * @let_go: it sees nothing, and mlkd_advice_end() gives pins back
 */
struct mlkd_advice {
	unsigned long start;
	unsigned long len;
	int advice;
	unsigned long ours;
	unsigned long nr;
	int instead;
	bool in_place;
	bool let_go;
};

bool mlkd_advice_begin(struct mlkd_space *space, struct mlkd_advice *advice);
void mlkd_advice_syscall(struct mlkd_space *space, struct mlkd_advice *advice);
void mlkd_advice_hint(struct mlkd_space *space, struct mlkd_advice *advice);
bool mlkd_advice_end(struct mlkd_space *space, const struct mlkd_advice *advice,
		     bool syscall, long *result);
bool mlkd_sync_only_ours(struct mlkd_space *space, unsigned long start,
			 unsigned long len);
void mlkd_target_merged(struct mlkd_space *space, bool on);
void mlkd_target_take_mergeable(struct mlkd_space *space, unsigned long start,
				unsigned long end);

#endif /* _MEMLOCKD_TARGET_ADVICE_H */
