/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locked process's own mlock(2) and munlock(2).
 */
#ifndef _MEMLOCKD_RETAIN_H
#define _MEMLOCKD_RETAIN_H

struct mlkd_space;

/* What a locked process has done that concerns its lock. */
enum mlkd_event {
	MLKD_MAPPED,
	MLKD_MLOCK,
	MLKD_MUNLOCK,
	MLKD_MLOCKALL,
	MLKD_MUNLOCKALL,
};

void mlkd_retain(struct mlkd_space *space, enum mlkd_event event,
		 unsigned long arg0, unsigned long arg1);

#endif /* _MEMLOCKD_RETAIN_H */
