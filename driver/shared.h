/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Getting shared pages onto the unevictable list.
 */
#ifndef _MEMLOCKD_SHARED_H
#define _MEMLOCKD_SHARED_H

#include <linux/mm_types.h>

void mlkd_shared_make_writable(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end, struct page **scratch);
bool mlkd_shared_can_unmap(struct vm_area_struct *vma);
unsigned long mlkd_shared_unmap(struct vm_area_struct *vma, unsigned long start,
				struct page **scratch);

struct file *mlkd_shared_write_begin(struct vm_area_struct *vma);
void mlkd_shared_write_end(struct file *file);

#endif /* _MEMLOCKD_SHARED_H */
