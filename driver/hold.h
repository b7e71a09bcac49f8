/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holding pages where they are, without their owners noticing.
 */
#ifndef _MEMLOCKD_HOLD_H
#define _MEMLOCKD_HOLD_H

#include <linux/hugetlb.h>
#include <linux/mm.h>

/* Pages of shared memory are held once we have pinned them; no others are. */
static inline bool mlkd_may_be_held(struct folio *folio)
{
	return !folio_test_anon(folio) && !folio_test_hugetlb(folio);
}

int mlkd_hold_init(void);
void mlkd_hold_exit(void);

long mlkd_hold(struct page **pages, long nr, bool late);
bool mlkd_hold_wait(void);
void mlkd_let_go(struct page **pages, unsigned int nr);
void mlkd_hold_poisoned(unsigned long pfn);

#endif /* _MEMLOCKD_HOLD_H */
