// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values by address range.
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

/* mlkd_tree_next() of a tree that was not empty. */
bool __mlkd_tree_next(struct maple_tree *tree, unsigned long *start,
		      unsigned long *end, unsigned long *value)
{
	MA_STATE(mas, tree, *start, *start);
	void *entry = NULL;

	mtree_lock(tree);
	if (*start < *end)
		entry = mas_find(&mas, *end - 1);
	if (entry) {
		*start = max(*start, mas.index);
		*end = min(*end - 1, mas.last) + 1;
		*value = xa_to_value(entry);
	}
	mtree_unlock(tree);
	return entry;
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

void __mlkd_tree_forget(struct maple_tree *tree, unsigned long start,
			unsigned long end, gfp_t gfp)
{
	unsigned long from = start, to = end, value;

	if (__mlkd_tree_next(tree, &from, &to, &value))
		mtree_store_range(tree, start, end - 1, NULL, gfp | __GFP_NOWARN);
}
