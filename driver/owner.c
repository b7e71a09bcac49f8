// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose a VM_LOCKED is: ours, or the process's own.
 *
 * The flag has no owner, but a lock must undo only what it did: what the process
 * has locked with mlock(2) stays locked after our unlock.  So at each lock
 * request every mapping is noted: locked already and not by us, or by us, or
 * both: what the process has locked itself is covered by our lock as well, and
 * stays locked when it unlocks it (target_calls.c).  Then
 *
 * - after a lock with FUTURE, what appears later is locked through def_flags,
 *   and is ours, unless the process had asked for MCL_FUTURE itself;
 * - after one without, what is VM_LOCKED later is the process's doing.
 *
 * @future holds that rule, and the tree only what differs from it or what the
 * running request did: usually the tree is empty.  A range that is unmapped is
 * forgotten, and falls back to the rule.
 *
 * A mapping that belongs to both of us in parts counts as not ours: there is no
 * way to split it from here, and a lock too many is better than one too few.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "owner.h"
#include "tree.h"

/*
 * Entries are values: 0, or the number of the request by which our lock covers it,
 * times two; with SHARED it is the process's own as well.
 */
enum {
	OTHER,		/* the process's own, or nobody's */
	SHARED,
};

static unsigned long request_of(unsigned long value)
{
	return value >> 1;
}

void mlkd_owners_setup(struct mlkd_owners *owners)
{
	mt_init(&owners->mergeable);
	mt_init_flags(&owners->tree, MT_FLAGS_USE_RCU);
	owners->future = 0;
}

/* Nothing is ours any more. */
void mlkd_owners_clear(struct mlkd_owners *owners)
{
	mtree_destroy(&owners->mergeable);
	mtree_destroy(&owners->tree);
	/* Until 6.6 that has forgotten the flag. */
	mt_set_in_rcu(&owners->tree);
	owners->future = 0;
}

/* @vma is about to be locked, by request number @request. */
int mlkd_owners_set_ours(struct mlkd_owners *owners, struct vm_area_struct *vma,
			 unsigned long request)
{
	return mlkd_tree_note(&owners->tree, vma, request << 1, GFP_KERNEL_ACCOUNT);
}

/* @vma is not ours, and does not become ours. */
int mlkd_owners_set_other(struct mlkd_owners *owners, struct vm_area_struct *vma)
{
	return mlkd_tree_note(&owners->tree, vma, OTHER, GFP_KERNEL_ACCOUNT);
}

/* [@start, @end) is the process's own, and request number @request holds it, too. */
int mlkd_owners_set_shared(struct mlkd_owners *owners, unsigned long start,
			   unsigned long end, unsigned long request)
{
	return mtree_store_range(&owners->tree, start, end - 1,
				 xa_mk_value(request << 1 | SHARED), GFP_KERNEL_ACCOUNT);
}

/* Does our lock cover any part of [@start, @end)? */
bool mlkd_owners_hold(struct mlkd_owners *owners, unsigned long start,
		      unsigned long end)
{
	MA_STATE(mas, &owners->tree, start, start);
	unsigned long next = start;
	bool hold = false;
	void *entry;

	mtree_lock(&owners->tree);
	mas_for_each(&mas, entry, end - 1) {
		if (xa_to_value(entry) != OTHER || (mas.index > next && owners->future))
			hold = true;
		next = mas.last + 1;
	}
	mtree_unlock(&owners->tree);

	return hold || (next < end && owners->future);
}

/* @vma is about to lose its VM_MERGEABLE. */
int mlkd_owners_note_mergeable(struct mlkd_owners *owners,
			       struct vm_area_struct *vma)
{
	return mlkd_tree_note(&owners->mergeable, vma, OTHER, GFP_KERNEL_ACCOUNT);
}

/* Is it to get it back? */
bool mlkd_owners_was_mergeable(struct mlkd_owners *owners,
			       struct vm_area_struct *vma)
{
	unsigned long start = vma->vm_start, end = vma->vm_end, value;

	return mlkd_tree_next(&owners->mergeable, &start, &end, &value);
}

/* What is noted of @addr, to be put in place elsewhere; NULL if nothing is. */
void *mlkd_owners_peek(struct mlkd_owners *owners, unsigned long addr)
{
	return mtree_load(&owners->tree, addr);
}

/* [@start, @end) has what mlkd_owners_peek() has said. */
void mlkd_owners_restore(struct mlkd_owners *owners, void *owner,
			 unsigned long start, unsigned long end)
{
	mtree_store_range(&owners->tree, start, end - 1, owner, GFP_KERNEL_ACCOUNT);
}

/**
 * mlkd_owners_undo - what a request has noted is as it was before
 * @owners: the notes; mmap_lock is held for writing
 * @request: its number; that of the last one, or of the first of all
 *
 * What it covers, no earlier one did.
 */
void mlkd_owners_undo(struct mlkd_owners *owners, unsigned long request)
{
	unsigned long start = 0, end = ULONG_MAX, value;
	void *other;

	if (owners->future >= request)
		owners->future = 0;
	other = owners->future ? xa_mk_value(OTHER) : NULL;
	while (mlkd_tree_next(&owners->tree, &start, &end, &value)) {
		if (request_of(value) >= request)
			mtree_store_range(&owners->tree, start, end - 1, other,
					  GFP_KERNEL | __GFP_NOFAIL);
		start = end;
		end = ULONG_MAX;
		cond_resched();
	}
}

/*
 * [@start, @end) is unmapped.  Called from notifiers, which may not wait for
 * memory: where there is none, the old entry stays, and a later mapping in its
 * place may count as the wrong owner's.
 */
void mlkd_owners_unmap(struct mlkd_owners *owners, unsigned long start,
		       unsigned long end)
{
	mlkd_tree_forget(&owners->tree, start, end, GFP_NOWAIT);
	mlkd_tree_forget(&owners->mergeable, start, end, GFP_NOWAIT);
}

/*
 * Is each part of @vma ours, locked by request @request or a later one?  What a
 * stack has grown by is whose the rest is.
 */
bool mlkd_owners_ours_since(struct mlkd_owners *owners,
			    struct vm_area_struct *vma, unsigned long request)
{
	MA_STATE(mas, &owners->tree, vma->vm_start, vma->vm_start);
	bool ruled = owners->future >= request;
	bool grown = vma->vm_flags & VM_GROWSDOWN;
	unsigned long next = vma->vm_start;
	bool ours = true;
	void *entry;

	if (mtree_empty(&owners->tree))
		return ruled;
	mtree_lock(&owners->tree);
	mas_for_each(&mas, entry, vma->vm_end - 1) {
		if (mas.index > next && !ruled && !(grown && next == vma->vm_start))
			ours = false;
		if ((xa_to_value(entry) & SHARED) ||
		    request_of(xa_to_value(entry)) < request)
			ours = false;
		next = mas.last + 1;
	}
	mtree_unlock(&owners->tree);

	return ours && (next >= vma->vm_end || ruled);
}

/* Is the VM_LOCKED of @vma, wholly, ours? */
bool mlkd_owners_ours(struct mlkd_owners *owners, struct vm_area_struct *vma)
{
	return mlkd_owners_ours_since(owners, vma, MLKD_FIRST_REQUEST);
}
