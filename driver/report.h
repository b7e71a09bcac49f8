/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report of what a process has locked, mapping by mapping.
 */
#ifndef _MEMLOCKD_REPORT_H
#define _MEMLOCKD_REPORT_H

#include <linux/mm_types.h>

struct memlockd_mapping;
struct mlkd_report;

struct mlkd_report *mlkd_report_begin(struct mm_struct *mm, bool fresh);
void mlkd_report_end(struct mlkd_report *report);
int mlkd_report_next(struct mlkd_report *report, unsigned long addr,
		     struct memlockd_mapping *row);
int mlkd_report_peek(struct mlkd_report *report, unsigned long *addr);
bool mlkd_report_incomplete(const struct memlockd_mapping *row);

#endif /* _MEMLOCKD_REPORT_H */
