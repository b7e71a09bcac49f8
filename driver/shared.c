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
 * That is why pages that are mlocked already are not touched: another process
 * may have been promised that it never faults on them.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "pgtable.h"
#include "pin.h"
#include "shared.h"

static void unmap(struct vm_area_struct *vma, unsigned long start,
		  unsigned long end)
{
	loff_t offset = ((loff_t)vma->vm_pgoff << PAGE_SHIFT) +
			(start - vma->vm_start);

	if (start < end)
		unmap_mapping_range(vma->vm_file->f_mapping, offset, end - start, 0);
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

	mmap_assert_write_locked(mm);
	/* There, its monitor would have to put the pages back. */
	if (userfaultfd_armed(vma))
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
			unmap(vma, run, addr);
			addr = min(next, vma->vm_end);
			run = addr;
			continue;
		}
		for (i = 0; i < nr; i++, addr += PAGE_SIZE) {
			if (!folio_test_mlocked(page_folio(scratch[i])))
				continue;
			unmap(vma, run, addr);
			run = addr + PAGE_SIZE;
		}
		release_pages(scratch, nr);
		cond_resched();
	}
	unmap(vma, run, addr);
}
