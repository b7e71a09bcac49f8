/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locked process's own mlock(2), munlock(2) and mremap(2).
 */
#ifndef _MEMLOCKD_TARGET_CALLS_H
#define _MEMLOCKD_TARGET_CALLS_H

#include <linux/types.h>

struct mlkd_space;

/* Events in a locked process that concern its lock. */
enum mlkd_event {
	MLKD_CALL_MMAP,
	MLKD_CALL_MLOCK,
	MLKD_CALL_MUNLOCK,
	MLKD_CALL_MLOCKALL,
	MLKD_CALL_MUNLOCKALL,
	MLKD_CALL_MREMAP,
	MLKD_CALL_REMAP_PAGES,
	MLKD_CALL_MADVISE,
	MLKD_CALL_MSYNC,
	MLKD_CALL_PRCTL,
	MLKD_CALL_THREAD,
	MLKD_CALL_FAULT,	/* a page fault, see guard.c */
	MLKD_CALL_SOFT_DIRTY,	/* not by the process itself, as a rule */
};

bool mlkd_target_called(struct mlkd_space *space, enum mlkd_event event,
			const unsigned long *args, unsigned long locked_vm, long error);
void mlkd_target_lock_again(struct mlkd_space *space, unsigned long locked_vm);
void mlkd_target_mapped_locked(struct mlkd_space *space, unsigned long addr,
			       unsigned long len);
void mlkd_target_moves(struct mlkd_space *space, unsigned long from, unsigned long to,
		       unsigned long len);
void mlkd_target_unmapped(struct mlkd_space *space, unsigned long start, unsigned long end);
void mlkd_target_moved(struct mlkd_space *space, const struct mlkd_move *move,
		       const unsigned long *args, unsigned long addr, bool failed);
void mlkd_target_remapped(struct mlkd_space *space, const unsigned long *args);
void mlkd_target_def_flags(struct mlkd_space *space);
void mlkd_target_maps(struct mlkd_space *space, unsigned long len, bool grows);
bool mlkd_target_leaves(struct mlkd_space *space, struct vm_area_struct *vma);

#endif /* _MEMLOCKD_TARGET_CALLS_H */
