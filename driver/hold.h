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

/*
 * Says whether @folio, which has been pinned, but not for the long term, is one of @mapping and
 * may be held.  What lies in a zone that has areas of CMA may be in one of these.
 */
static inline bool mlkd_may_hold(struct folio *folio, struct address_space *mapping)
{
	struct zone *zone = folio_zone(folio);

	return READ_ONCE(folio->mapping) == mapping && zone_idx(zone) != ZONE_MOVABLE &&
	       !zone_cma_pages(zone);
}

int mlkd_hold_init(void);
void mlkd_hold_exit(void);

/* Where pages are held besides the unevictable list, see hold.c. */
#define MLKD_HOLD_LISTED	BIT(0)	/* in a list of reclaim */
#define MLKD_HOLD_LATE		BIT(1)	/* where they are about to be moved away */

long mlkd_hold(struct page **pages, long nr, unsigned int where);
bool mlkd_hold_wait(void);
void mlkd_let_go(struct page **pages, unsigned int nr);
void mlkd_hold_poisoned(unsigned long pfn);

#endif /* _MEMLOCKD_HOLD_H */
