/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeping the scan for NUMA balancing away from a superlocked process.
 */
#ifndef _MEMLOCKD_SCAN_H
#define _MEMLOCKD_SCAN_H

struct mlkd_space;

#ifdef CONFIG_NUMA_BALANCING
void mlkd_numa_scan_stop(struct mlkd_space *space);
void mlkd_numa_scan_resume(struct mlkd_space *space);
void mlkd_numa_scan_stop_again(struct mlkd_space *space);
#else
static inline void mlkd_numa_scan_stop(struct mlkd_space *space) {}
static inline void mlkd_numa_scan_resume(struct mlkd_space *space) {}
static inline void mlkd_numa_scan_stop_again(struct mlkd_space *space) {}
#endif

#endif /* _MEMLOCKD_SCAN_H */
