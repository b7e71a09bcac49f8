/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Giving pages back to reclaim.
 */
#ifndef _MEMLOCKD_MUNLOCK_H
#define _MEMLOCKD_MUNLOCK_H

#include <linux/mm_types.h>

void mlkd_munlock_drain(void);
void mlkd_munlock_begin(struct vm_area_struct *vma);
void mlkd_munlock_pages(struct page **pages, unsigned int nr);
void mlkd_munlock_mapped(struct mm_struct *mm, unsigned long start,
			 unsigned long end, bool may_wait);

#endif /* _MEMLOCKD_MUNLOCK_H */
