// SPDX-License-Identifier: GPL-2.0-only
/*
 * Getting pages of files and of shared memory onto the unevictable list.
 *
 * VM_LOCKED keeps a page from reclaim, but only a page on the unevictable list is
 * left alone by compaction as well (with vm.compact_unevictable_allowed=0), and what is held
 * elsewhere is in the way of reclaim (hold.c).  A
 * page that is faulted in under VM_LOCKED gets there at once.  One that was mapped
 * before does not, until reclaim happens to meet it.  So pages that are mapped are
 * unmapped before VM_LOCKED is set, and populating faults them in again.
 *
 * Where modules may unmap a part of one mapping (mlkd_zap()), that is done, and no other
 * process notices.  Elsewhere there is unmap_mapping_range() for what is shared, and
 * text stays mapped, so that it is copied and not held.
 *
 * unmap_mapping_range() unmaps a page from all processes that map it, and each of them
 * takes a fault.  If one of them has the file VM_LOCKED, it may have been promised that
 * this never happens: then nothing is unmapped, as the pages are mlocked, or will be.
 * The same holds if the file was not opened for writing, and another process maps it, be
 * it a library: who may write to a file can have its pages taken from everybody anyway, by
 * fallocate(2); nobody else can, and may not by a lock either.  Such pages get there late.
 * One chunk is looked at under one mmap_lock, by who else maps that chunk.
 *
 * In both cases only pages that lie in the file's page cache are unmapped, as they are found
 * again there.  What a private mapping has for itself is nowhere else.  Some drivers have no
 * other record of their pages, and to unmap_mapping_range() all anonymous files are one.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "pgtable.h"
#include "pin.h"
#include "policy.h"
#include "shared.h"

/*
 * So many other mappings of a page are looked at.  Where there are more, the page stays
 * mapped: that costs nobody a fault, and the look does not grow with their number.
 */
#define MAX_OTHERS	64

static unsigned long first_page(struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}

static unsigned long last_page(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

/* The core kernel's own functions for the mappings of a file are not exported. */
INTERVAL_TREE_DEFINE(struct vm_area_struct, shared.rb, unsigned long,
		     shared.rb_subtree_last, first_page, last_page,
		     static __maybe_unused, file_mappings)

/* Says whether the pages of @vma may be taken from other processes that map them, unlocked. */
static bool may_disturb(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MAYWRITE;
}

/*
 * Says whether what is mapped there is to stay mapped for others: one has it VM_LOCKED, or
 * may have, or is not to be disturbed.
 */
static bool needed_elsewhere(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t first = vma->vm_pgoff + ((start - vma->vm_start) >> PAGE_SHIFT);
	pgoff_t last = first + ((end - start) >> PAGE_SHIFT) - 1;
	struct vm_area_struct *other;
	unsigned int nr = 0;
	bool found = false;

	i_mmap_lock_read(mapping);
	for (other = file_mappings_iter_first(&mapping->i_mmap, first, last); other && !found;
	     other = file_mappings_iter_next(other, first, last))
		found = other != vma && ((READ_ONCE(other->vm_flags) & VM_LOCKED) ||
					 (other->vm_mm != vma->vm_mm && !may_disturb(vma)) ||
					 nr++ == MAX_OTHERS);
	i_mmap_unlock_read(mapping);
	return found;
}

static bool page_to_unmap(struct vm_area_struct *vma, struct page *page)
{
	struct folio *folio = page_folio(page);

	return !folio_test_mlocked(folio) &&
	       READ_ONCE(folio->mapping) == vma->vm_file->f_mapping;
}

static void unmap(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	loff_t offset = ((loff_t)vma->vm_pgoff << PAGE_SHIFT) +
			(start - vma->vm_start);

	if (start == end)
		return;
	if (MLKD_HAS_ZAP)
		mlkd_zap(vma, start, end - start);
	else
		unmap_mapping_range(vma->vm_file->f_mapping, offset, end - start, 0);
}

/**
 * mlkd_shared_write_begin - say that pages of a file are about to be made writable
 * @vma: a mapping of which mlkd_vma_writeback() holds; mmap_lock is held
 *
 * A file system that is frozen lets nobody make a page writable: a fault would wait with
 * mmap_lock held, and the process with it, until it is thawed.  It does not become frozen
 * between this and mlkd_shared_write_end().
 *
 * Return: what to give to mlkd_shared_write_end(); or NULL when it is frozen, or has a
 * server that would be waited for in the same way.
 */
struct file *mlkd_shared_write_begin(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	if (mlkd_vma_served(vma) || !sb_start_write_trylock(file->f_mapping->host->i_sb))
		return NULL;
	return get_file(file);
}

void mlkd_shared_write_end(struct file *file)
{
	sb_end_write(file->f_mapping->host->i_sb);
	fput(file);
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
	struct file *file = mlkd_shared_write_begin(vma);
	long i, nr;

	if (!file)
		return;
	nr = mlkd_gup_remote(vma->vm_mm, start, (end - start) >> PAGE_SHIFT, FOLL_NOFAULT,
			     scratch, NULL);
	for (i = 0; i < nr; i++)
		if (folio_test_dirty(page_folio(scratch[i])))
			mlkd_gup_remote(vma->vm_mm, start + (i << PAGE_SHIFT), 1,
					FOLL_WRITE, NULL, NULL);
	if (nr > 0)
		release_pages(scratch, nr);
	mlkd_shared_write_end(file);
}

/* Unmaps those of [start, end) that are not mlocked; all of it lies in one chunk. */
static void unmap_chunk(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			struct page **scratch)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start, next;
	unsigned long run = addr;	/* [run, addr) is mapped, and to be unmapped */
	bool mapped;

	while (addr < end) {
		long nr = 0, i;

		next = mlkd_pgtable_run(mm, addr, end, MLKD_MAPPED, &mapped);
		if (mapped) {
			nr = mlkd_gup_remote(mm, addr, (next - addr) >> PAGE_SHIFT,
					     FOLL_NOFAULT | FOLL_FORCE, scratch, NULL);
			next = addr + PAGE_SIZE;
		}
		if (nr == -EINTR)
			break;		/* the request is about to fail */
		if (nr <= 0) {
			/* Others may have this page mapped, for whom it must stay. */
			unmap(vma, run, addr);
			addr = next;
			run = addr;
			continue;
		}
		for (i = 0; i < nr; i++, addr += PAGE_SIZE) {
			if (page_to_unmap(vma, scratch[i]))
				continue;
			unmap(vma, run, addr);
			run = addr + PAGE_SIZE;
		}
		release_pages(scratch, nr);
	}
	unmap(vma, run, addr);
}

/**
 * mlkd_shared_can_unmap - can pages of @vma be unmapped here?
 * @vma: a mapping of a file or of shmem
 */
bool mlkd_shared_can_unmap(struct vm_area_struct *vma)
{
	return MLKD_HAS_ZAP || !mlkd_vma_private(vma);
}

/**
 * mlkd_shared_unmap - unmap pages that are mapped and not yet mlocked
 * @vma: a mapping of which mlkd_shared_can_unmap() holds, about to be VM_LOCKED; mmap_lock
 *	is held for writing, so that its process cannot fault it in too early, and nobody gives
 *	it a page of its own
 * @start: first address
 * @scratch: room for MLKD_CHUNK_PAGES page pointers
 *
 * Looks at one chunk, and at a hole in the page tables before it.
 *
 * Return: the address to go on at.
 */
unsigned long mlkd_shared_unmap(struct vm_area_struct *vma, unsigned long start,
				struct page **scratch)
{
	/* Missing page tables that are looked at in one go. */
	enum { MAX_HOLES = 64 };
	unsigned long end = vma->vm_end, next;
	unsigned int holes = 0;

	lockdep_assert_held_write(&vma->vm_mm->mmap_lock);
	/* The monitor of a userfaultfd would have to put the pages back. */
	if (userfaultfd_armed(vma))
		return end;
	while (mlkd_pgtable_level(vma->vm_mm, start, &next) == MLKD_PGTABLE_NONE) {
		start = min(next - 1, end - 1) + 1;
		if (start == end || ++holes == MAX_HOLES)
			return start;
	}
	end = min(end - 1, start | (MLKD_CHUNK_SIZE - 1)) + 1;
	if (MLKD_HAS_ZAP || !needed_elsewhere(vma, start, end))
		unmap_chunk(vma, start, end, scratch);
	return end;
}
