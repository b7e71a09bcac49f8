/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locked process's own mlock(2), munlock(2) and mremap(2).
 */
#ifndef _MEMLOCKD_TARGET_CALLS_H
#define _MEMLOCKD_TARGET_CALLS_H

struct mlkd_space;

/* What a locked process has done that concerns its lock. */
enum mlkd_event {
	MLKD_MAPPED,
	MLKD_MLOCK,
	MLKD_MUNLOCK,
	MLKD_MLOCKALL,
	MLKD_MUNLOCKALL,
	MLKD_MREMAP,
	MLKD_SOFT_DIRTY,	/* not by the process itself, as a rule */
};

bool mlkd_retain(struct mlkd_space *space, enum mlkd_event event,
		 unsigned long arg0, unsigned long arg1, bool failed);
void mlkd_retain_moved(struct mlkd_space *space, void *owner, unsigned long start,
		       unsigned long len);

#endif /* _MEMLOCKD_TARGET_CALLS_H */
