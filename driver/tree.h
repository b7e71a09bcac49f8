/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values by address range.
 */
#ifndef _MEMLOCKD_TREE_H
#define _MEMLOCKD_TREE_H

#include <linux/gfp_types.h>
#include <linux/maple_tree.h>
#include <linux/mm_types.h>

int mlkd_tree_note(struct maple_tree *tree, struct vm_area_struct *vma,
		   unsigned long value, gfp_t gfp);
bool mlkd_tree_next(struct maple_tree *tree, unsigned long *start,
		    unsigned long *end, unsigned long *value);
bool mlkd_tree_covers(struct maple_tree *tree, unsigned long start,
		      unsigned long end, unsigned long *least);
void mlkd_tree_forget(struct maple_tree *tree, unsigned long start,
		      unsigned long end, gfp_t gfp);

#endif /* _MEMLOCKD_TREE_H */
