/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose a VM_LOCKED is: ours, or the process's own.
 */
#ifndef _MEMLOCKD_OWNER_H
#define _MEMLOCKD_OWNER_H

#include <linux/maple_tree.h>
#include <linux/mm_types.h>

/**
 * struct mlkd_owners - whose VM_LOCKED is, in one address space
 * @mergeable: address ranges that had VM_MERGEABLE, which we have taken away
 * @tree: address ranges -> who; what is not there is as @future says
 * @future: not 0 when a VM_LOCKED that appears in a range not in @tree is ours;
 *	the number of the request that made it so
 *
 * Each tree's own lock is a leaf, taken in mmu notifiers too.  @tree is read under
 * RCU as well, in probes.  @future changes under mmap_lock held for writing.
 */
struct mlkd_owners {
	struct maple_tree mergeable;
	struct maple_tree tree;
	unsigned long future;
};

/* Requests are numbered from here on. */
#define MLKD_FIRST_REQUEST	1

void mlkd_owners_setup(struct mlkd_owners *owners);
void mlkd_owners_clear(struct mlkd_owners *owners);

int mlkd_owners_set_ours(struct mlkd_owners *owners, struct vm_area_struct *vma,
			 unsigned long request);
int mlkd_owners_set_other(struct mlkd_owners *owners, struct vm_area_struct *vma);
int mlkd_owners_set_shared(struct mlkd_owners *owners, unsigned long start,
			   unsigned long end, unsigned long request);
bool mlkd_owners_hold(struct mlkd_owners *owners, unsigned long start,
		      unsigned long end);
int mlkd_owners_note_mergeable(struct mlkd_owners *owners,
			       struct vm_area_struct *vma);
bool mlkd_owners_was_mergeable(struct mlkd_owners *owners,
			       struct vm_area_struct *vma);
void *mlkd_owners_peek(struct mlkd_owners *owners, unsigned long addr);
void mlkd_owners_restore(struct mlkd_owners *owners, void *owner,
			 unsigned long start, unsigned long end);
void mlkd_owners_undo(struct mlkd_owners *owners, unsigned long request);
void mlkd_owners_unmap(struct mlkd_owners *owners, unsigned long start,
		       unsigned long end);
bool mlkd_owners_ours(struct mlkd_owners *owners, struct vm_area_struct *vma);
bool mlkd_owners_ours_since(struct mlkd_owners *owners,
			    struct vm_area_struct *vma, unsigned long request);

#endif /* _MEMLOCKD_OWNER_H */
