// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving pages back to reclaim.
 *
 * Clearing VM_LOCKED is not enough: a page that has been faulted in, or met by
 * reclaim, under VM_LOCKED is marked PG_mlocked and lies on the unevictable
 * list, where nobody would look for it again.
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
 * What a fault has mlocked waits in a batch of its processor to be counted.  Were it
 * munlocked and locked anew meanwhile, it would be counted twice, and stay
 * unevictable for ever.  So who faults much in leaves nothing there.  What empties
 * the batches is not exported, but what does so before it puts pages is.
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
 * Reclaim and migration mark a page as mlocked when they find the flag, and who
 * unmaps a page munlocks it then, not all of them under mmap_lock.  They hold the
 * lock of the reverse mapping from before they look until they are done.  So
 * whatever has seen the flag is waited for, and what does not see it calls the
 * notifier of the address space after this.
 */
void mlkd_munlock_begin(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file ? vma->vm_file->f_mapping : NULL;
	struct anon_vma *anon = vma->anon_vma;

	/* Page faults that hold it may wait for the others. */
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

/* The caller holds a reference to each of @pages. */
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
 * @may_wait: there is time for others
 *
 * For mmu notifiers as well, before something is unmapped: takes no lock but that
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
