// SPDX-License-Identifier: GPL-2.0-only
/*
 * Getting shared pages onto the unevictable list.
 *
 * VM_LOCKED keeps a page from reclaim, but only a page on the unevictable list is
 * left alone by compaction as well (with vm.compact_unevictable_allowed=0).  A
 * page that is faulted in under VM_LOCKED gets there at once; one that was there
 * before, not until reclaim happens to meet it.  So what is there is unmapped
 * before VM_LOCKED is set, and populating faults it in again.
 *
 * unmap_mapping_range() unmaps it from all who map it, and they fault once more.
 * Who has the file VM_LOCKED may have been promised that this never happens: then
 * it is left alone, as its pages are mlocked, or will be.  And only what lies in
 * the file's page cache is unmapped, where all who map it find it again: some
 * drivers have nothing but the pages themselves, and all anonymous files are one
 * to unmap_mapping_range().
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

/* Has somebody else locked what @vma maps? */
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
 * mlkd_shared_make_writable - let dirty pages be writable, as before they were
 * unmapped
 * @vma: a mapping of which mlkd_vma_writeback() holds; mmap_lock is held
 * @start: first address
 * @end: address behind the last; in the same chunk
 * @scratch: room for MLKD_CHUNK_PAGES page pointers
 *
 * A clean page is write-protected in any case.
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
 * mlkd_shared_unmap - unmap what is mapped and not yet mlocked
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
			/* A hole here may be none elsewhere: not ours to unmap. */
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
