// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving pages back to reclaim.
 *
 * Clearing VM_LOCKED is not enough: a page that was faulted in, or met by reclaim,
 * while VM_LOCKED was set is marked PG_mlocked and lies on the unevictable list,
 * where nobody would look for it again.
 *
 * Another process may have mlocked the same page.  The kernel counts that
 * (mlock_count), but only under a lock that modules cannot take, so that its
 * mark goes too.  Its VM_LOCKED stays, and protects it: reclaim finds that, and
 * marks the page again.  Until then nr_mlock is too small.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "munlock.h"
#include "pgtable.h"

/*
 * Empties this processor's batch of pages that are to be counted as mlocked.
 *
 * A page that a fault has mlocked waits there.  Were it munlocked and locked anew
 * meanwhile, it would be counted twice, and stay unevictable for ever.  So a task that has
 * faulted many pages in empties the batch afterwards.  The function for that is not
 * exported, but folio_batch_release() is, which calls it before it puts pages.
 */
void mlkd_munlock_drain(void)
{
	struct folio *zero = page_folio(ZERO_PAGE(0));
	struct folio_batch batch;

	folio_batch_init(&batch);
	folio_get(zero);
	folio_batch_add(&batch, zero);
	folio_batch_release(&batch);
}

/**
 * mlkd_munlock_begin - end a mapping's VM_LOCKED
 * @vma: the mapping; mmap_lock is held for writing
 *
 * Reclaim and migration mark a page as mlocked when they find the flag, and unmapping
 * it munlocks it, not always under mmap_lock.  All of these hold the lock of the
 * reverse mapping from before they look at the flag until they are done.  So this
 * waits for those that have seen the flag, and those that have not call the notifier
 * of the address space after this.
 */
void mlkd_munlock_begin(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file ? vma->vm_file->f_mapping : NULL;
	struct anon_vma *anon = vma->anon_vma;

	/* First, as page faults that hold it may wait for the other two. */
	vma_start_write(vma);
	if (mapping)
		i_mmap_lock_write(mapping);
	if (anon)
		down_write(&anon->root->rwsem);
	vm_flags_clear(vma, VM_LOCKED | VM_LOCKONFAULT);
	vma->vm_mm->locked_vm -= vma_pages(vma);
	if (anon)
		up_write(&anon->root->rwsem);
	if (mapping)
		i_mmap_unlock_write(mapping);
}

/* Munlocks pages, to each of which the caller holds a reference. */
void mlkd_munlock_pages(struct page **pages, unsigned int nr)
{
	struct folio *last = NULL;
	struct folio_batch batch;
	unsigned int i;

	folio_batch_init(&batch);
	for (i = 0; i < nr; i++) {
		struct folio *folio = page_folio(pages[i]);

		if (folio == last)
			continue;
		last = folio;
		if (!folio_test_clear_mlocked(folio))
			continue;
		zone_stat_mod_folio(folio, NR_MLOCK, -folio_nr_pages(folio));
		if (!folio_batch_add(&batch, folio)) {
			check_move_unevictable_folios(&batch);
			folio_batch_init(&batch);
		}
	}
	if (folio_batch_count(&batch))
		check_move_unevictable_folios(&batch);
}

/**
 * mlkd_munlock_mapped - munlock what is mapped
 * @mm: the address space
 * @start: first address
 * @end: address behind the last
 * @may_wait: the caller may give up the processor
 *
 * Mmu notifiers call this, too, before something is unmapped: it takes no lock but that
 * of the lists of pages.
 */
void mlkd_munlock_mapped(struct mm_struct *mm, unsigned long start,
			 unsigned long end, bool may_wait)
{
	struct page *pages[32];
	unsigned int nr;

	end = min(end, mm->task_size);
	while (start < end) {
		nr = mlkd_pgtable_get(mm, &start, end, pages, ARRAY_SIZE(pages));
		if (nr) {
			mlkd_munlock_pages(pages, nr);
			release_pages(pages, nr);
		}
		if (may_wait)
			cond_resched();
	}
}
