// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values by address range.
 *
 * Most of these trees are empty most of the time, and are looked at whenever
 * something is unmapped or walked over: then no lock is taken.
 */
#include <linux/mm.h>
#include <linux/xarray.h>

#include "tree.h"

/* @vma has @value. */
int mlkd_tree_note(struct maple_tree *tree, struct vm_area_struct *vma,
		   unsigned long value, gfp_t gfp)
{
	return mtree_store_range(tree, vma->vm_start, vma->vm_end - 1,
				 xa_mk_value(value), gfp);
}

static bool next_range(struct maple_tree *tree, unsigned long *start,
		       unsigned long *end, unsigned long *value)
{
	MA_STATE(mas, tree, *start, *start);
	void *entry;

	mtree_lock(tree);
	entry = mas_find(&mas, *end - 1);
	if (entry) {
		*start = max(*start, mas.index);
		*end = min(*end - 1, mas.last) + 1;
		*value = xa_to_value(entry);
	}
	mtree_unlock(tree);
	return entry;
}

/**
 * mlkd_tree_next - the next range that has a value
 * @tree: the tree
 * @start: where to look from; set to its first address
 * @end: where to look to; set to the address behind its last
 * @value: set to its value
 *
 * Return: false when there is none; then nothing is set.
 */
bool mlkd_tree_next(struct maple_tree *tree, unsigned long *start,
		    unsigned long *end, unsigned long *value)
{
	return *start < *end && !mtree_empty(tree) &&
	       next_range(tree, start, end, value);
}

/* Has all of [@start, @end) values? Then *@least is the smallest of them. */
bool mlkd_tree_covers(struct maple_tree *tree, unsigned long start,
		      unsigned long end, unsigned long *least)
{
	unsigned long from = start, to = end, value;

	*least = ULONG_MAX;
	while (mlkd_tree_next(tree, &from, &to, &value) && from == start) {
		*least = min(*least, value);
		if (to == end)
			return true;
		start = to;
		from = to;
		to = end;
	}
	return false;
}

/* [@start, @end) has none.  Without memory to say so, what it had stays. */
void mlkd_tree_forget(struct maple_tree *tree, unsigned long start,
		      unsigned long end, gfp_t gfp)
{
	unsigned long from = start, to = end, value;

	if (!mtree_empty(tree) && mlkd_tree_next(tree, &from, &to, &value))
		mtree_store_range(tree, start, end - 1, NULL, gfp | __GFP_NOWARN);
}
