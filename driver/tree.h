/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values by address range.
 *
 * Most of these trees are empty most of the time, and are looked at whenever
 * something is unmapped or walked over: then there is no call, and no lock.
 */
#ifndef _MEMLOCKD_TREE_H
#define _MEMLOCKD_TREE_H

#include <linux/gfp_types.h>
#include <linux/maple_tree.h>
#include <linux/mm_types.h>

int mlkd_tree_note(struct maple_tree *tree, struct vm_area_struct *vma,
		   unsigned long value, gfp_t gfp);
bool mlkd_tree_covers(struct maple_tree *tree, unsigned long start,
		      unsigned long end, unsigned long *least);
bool __mlkd_tree_next(struct maple_tree *tree, unsigned long *start,
		      unsigned long *end, unsigned long *value);
void __mlkd_tree_forget(struct maple_tree *tree, unsigned long start,
			unsigned long end, gfp_t gfp);

/**
 * mlkd_tree_next - the next range that has a value
 * @tree: the tree
 * @start: where to look from; set to its first address
 * @end: where to look to; set to the address behind its last
 * @value: set to its value
 *
 * Return: false when there is none; then nothing is set.
 */
static inline bool mlkd_tree_next(struct maple_tree *tree, unsigned long *start,
				  unsigned long *end, unsigned long *value)
{
	return !mtree_empty(tree) && __mlkd_tree_next(tree, start, end, value);
}

/* [@start, @end) has none.  Without memory to say so, what it had stays. */
static inline void mlkd_tree_forget(struct maple_tree *tree, unsigned long start,
				    unsigned long end, gfp_t gfp)
{
	if (!mtree_empty(tree))
		__mlkd_tree_forget(tree, start, end, gfp);
}

#endif /* _MEMLOCKD_TREE_H */
