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
#include "pin.h"

/* Missing page tables that are looked at in one go. */
#define MAX_HOLES	1024

/*
 * What a fault has mlocked waits in a batch of its processor to be counted.  Were it
 * munlocked and locked anew meanwhile, it would be counted twice, and stay
 * unevictable for ever.  So who faults much in leaves nothing there.  What empties
 * the batches is not exported, but what does so before it puts pages is.
 */
void mlkd_munlock_settle(void)
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
 * Reclaim and migration mark a page as mlocked when they find the flag, and hold
 * the lock of the reverse mapping from before they look until it is marked.  So
 * who has seen the flag is waited for: nobody marks what is munlocked after this.
 */
void mlkd_munlock_begin(struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_LOCKED | VM_LOCKONFAULT);
	vma->vm_mm->locked_vm -= vma_pages(vma);

	if (vma->vm_file) {
		i_mmap_lock_write(vma->vm_file->f_mapping);
		i_mmap_unlock_write(vma->vm_file->f_mapping);
	}
	if (vma->anon_vma) {
		down_write(&vma->anon_vma->root->rwsem);
		up_write(&vma->anon_vma->root->rwsem);
	}
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

/* Up to @nr pages that are mapped at @start, each with a reference. */
static long get_mapped(struct mm_struct *mm, unsigned long start, unsigned long nr,
		       struct page **pages)
{
	long got = 0;

	if (current->mm == mm)
		got = get_user_pages_fast_only(start, nr, 0, pages);
	/* What may not be read is there all the same. */
	if (got <= 0)
		got = mlkd_gup_remote(mm, start, nr, FOLL_NOFAULT | FOLL_FORCE,
				      pages, NULL);
	return got;
}

/**
 * mlkd_munlock_range - munlock the pages of a part of a mapping
 * @pins: the pins of the address space.  What is mapped and pinned is left alone:
 *	who drops the pin munlocks it, without looking for it.
 * @vma: the mapping, not VM_LOCKED any more; mmap_lock is held
 * @start: first address
 * @end: address behind the last; in the same chunk
 * @scratch: room for MLKD_CHUNK_PAGES page pointers
 *
 * Return: the address to go on at, @end or, over a hole in the page tables,
 * beyond it.
 */
unsigned long mlkd_munlock_range(struct mlkd_pins *pins,
				 struct vm_area_struct *vma, unsigned long start,
				 unsigned long end, struct page **scratch)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long other_end, next;
	enum mlkd_pgtable level;
	unsigned int holes = 0;

	start = mlkd_pins_next_other(pins, start, end, &other_end);
	if (start >= end)
		return end;

	/* As far as missing page tables reach there is nothing. */
	for (;;) {
		level = mlkd_pgtable_level(mm, start, &next);
		if (level != MLKD_PGTABLE_NONE)
			break;
		start = min(next, vma->vm_end);
		if (start == vma->vm_end || ++holes == MAX_HOLES)
			return start;
	}
	if (holes)
		return start;

	do {
		while (start < other_end) {
			bool mapped;
			long nr;

			next = mlkd_pgtable_run(mm, start, other_end, MLKD_MAPPED,
						&mapped);
			if (!mapped) {
				start = next;
				continue;
			}
			/* Of a huge page one page will do. */
			nr = level == MLKD_PGTABLE_LEAF ? 1 : (next - start) >> PAGE_SHIFT;
			nr = get_mapped(mm, start, nr, scratch);
			if (nr <= 0) {
				start += PAGE_SIZE;	/* it has gone */
				continue;
			}
			if (level == MLKD_PGTABLE_LEAF &&
			    compound_order(compound_head(*scratch)) >=
				    get_order(MLKD_CHUNK_SIZE))
				start = next;
			else
				start += nr << PAGE_SHIFT;
			mlkd_munlock_pages(scratch, nr);
			release_pages(scratch, nr);
		}
		start = mlkd_pins_next_other(pins, start, end, &other_end);
	} while (start < end);
	return end;
}
