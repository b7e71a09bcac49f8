/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report of what a process has locked, mapping by mapping.
 */
#ifndef _MEMLOCKD_REPORT_H
#define _MEMLOCKD_REPORT_H

#include <linux/mm_types.h>

struct memlockd_mapping;
struct mlkd_report;

/**
 * struct mlkd_sum - what a report comes to
 * @mappings: how many mappings there are
 * @incomplete: of these, those that have less than was asked for
 * @fork_copy: bytes that a fork(2) has to copy at once
 */
struct mlkd_sum {
	u32 mappings;
	u32 incomplete;
	u64 fork_copy;
};

struct mlkd_report *mlkd_report_begin(struct mm_struct *mm, bool fresh);
void mlkd_report_end(struct mlkd_report *report);
int mlkd_report_rows(struct mlkd_report *report, unsigned long addr,
		     struct memlockd_mapping *rows, unsigned int max);
int mlkd_report_peek(struct mlkd_report *report, unsigned long *addr);
int mlkd_report_sum(struct mlkd_report *report, struct mlkd_sum *sum);

#endif /* _MEMLOCKD_REPORT_H */
