// SPDX-License-Identifier: GPL-2.0-only
/*
 * Getting shared pages onto the unevictable list.
 *
 * VM_LOCKED keeps a page from reclaim, but only a page on the unevictable list is
 * left alone by compaction as well (with vm.compact_unevictable_allowed=0).  A
 * page that is faulted in under VM_LOCKED gets there at once.  One that was mapped
 * before does not, until reclaim happens to meet it.  So pages that are mapped are
 * unmapped before VM_LOCKED is set, and populating faults them in again.
 *
 * unmap_mapping_range() unmaps a page from all processes that map it, and each of them
 * takes a fault.  If one of them has the file VM_LOCKED, it may have been promised that
 * this never happens: then nothing is unmapped, as the pages are mlocked, or will be.
 * And only pages that lie in the file's page cache are unmapped, as all processes find
 * them again there.  Some drivers have no other record of their pages, and to
 * unmap_mapping_range() all anonymous files are one.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "pgtable.h"
#include "pin.h"
#include "policy.h"
#include "shared.h"

/* Says whether another mapping of what @vma maps is VM_LOCKED. */
static bool locked_elsewhere(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t first = vma->vm_pgoff, last = first + vma_pages(vma) - 1;
	struct rb_node *node;
	bool found = false;

	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node && !found;
	     node = rb_next(node)) {
		struct vm_area_struct *other;

		other = rb_entry(node, struct vm_area_struct, shared.rb);
		found = other != vma && (READ_ONCE(other->vm_flags) & VM_LOCKED) &&
			other->vm_pgoff <= last &&
			other->vm_pgoff + vma_pages(other) > first;
	}
	i_mmap_unlock_read(mapping);
	return found;
}

static bool page_to_unmap(struct vm_area_struct *vma, struct page *page)
{
	struct folio *folio = page_folio(page);

	return !folio_test_mlocked(folio) &&
	       READ_ONCE(folio->mapping) == vma->vm_file->f_mapping;
}

static void unmap_everywhere(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end)
{
	loff_t offset = ((loff_t)vma->vm_pgoff << PAGE_SHIFT) +
			(start - vma->vm_start);

	if (start < end)
		unmap_mapping_range(vma->vm_file->f_mapping, offset, end - start, 0);
}

/**
 * mlkd_shared_make_writable - make dirty pages writable again that were unmapped
 * @vma: a mapping of which mlkd_vma_writeback() holds; mmap_lock is held
 * @start: first address
 * @end: address behind the last; in the same chunk
 * @scratch: room for MLKD_CHUNK_PAGES page pointers
 *
 * A clean page stays write-protected, as it would be without us.
 */
void mlkd_shared_make_writable(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end, struct page **scratch)
{
	long nr = mlkd_gup_remote(vma->vm_mm, start, (end - start) >> PAGE_SHIFT,
				  FOLL_NOFAULT, scratch, NULL);
	long i;

	for (i = 0; i < nr; i++)
		if (folio_test_dirty(page_folio(scratch[i])))
			mlkd_gup_remote(vma->vm_mm, start + (i << PAGE_SHIFT), 1,
					FOLL_WRITE, NULL, NULL);
	if (nr > 0)
		release_pages(scratch, nr);
}

/**
 * mlkd_shared_unmap - unmap pages that are mapped and not yet mlocked
 * @vma: a shared mapping of a file or of shmem, about to be VM_LOCKED; mmap_lock
 *	is held for writing, so that its process cannot fault it in too early
 * @scratch: room for MLKD_CHUNK_PAGES page pointers
 */
void mlkd_shared_unmap(struct vm_area_struct *vma, struct page **scratch)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = vma->vm_start;
	unsigned long run = addr;	/* [run, addr) is mapped, and to be unmapped */

	lockdep_assert_held_write(&mm->mmap_lock);
	/* The monitor of a userfaultfd would have to put the pages back. */
	if (userfaultfd_armed(vma) || locked_elsewhere(vma))
		return;

	while (addr < vma->vm_end) {
		unsigned long next, end;
		long nr = 0, i;

		end = min(vma->vm_end - 1, addr | (MLKD_CHUNK_SIZE - 1)) + 1;
		if (mlkd_pgtable_level(mm, addr, &next) != MLKD_PGTABLE_NONE) {
			next = addr + PAGE_SIZE;
			nr = mlkd_gup_remote(mm, addr, (end - addr) >> PAGE_SHIFT,
					     FOLL_NOFAULT | FOLL_FORCE, scratch,
					     NULL);
		}
		if (nr == -EINTR)
			break;		/* the request is about to fail */
		if (nr <= 0) {
			/* Others may have this page mapped, for whom it must stay. */
			unmap_everywhere(vma, run, addr);
			addr = min(next, vma->vm_end);
			run = addr;
			continue;
		}
		for (i = 0; i < nr; i++, addr += PAGE_SIZE) {
			if (page_to_unmap(vma, scratch[i]))
				continue;
			unmap_everywhere(vma, run, addr);
			run = addr + PAGE_SIZE;
		}
		release_pages(scratch, nr);
		cond_resched();
	}
	unmap_everywhere(vma, run, addr);
}
