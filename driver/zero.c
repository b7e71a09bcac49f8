// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zeroing pinned memory in place.
 *
 * After MADV_DONTNEED private memory without a file reads as zeros.  The core kernel
 * frees its pages for that, and the next access of each faults a new one in.  A page
 * that is pinned can be zeroed where it is instead: nothing is allocated, nothing faults,
 * and the pin stays.
 *
 * That is done only where nobody can tell the difference:
 *
 * - No other process maps the page.
 * - Nobody else has a reference to it.  What is being written to a disk or sent from
 *   it, or has been given to a pipe, would get the old contents from a page that the
 *   core kernel takes away.
 * - It is soft-dirty, as the page that takes its place would be.
 *
 * Any other page is unmapped, and the range is populated again.  Mappings with which
 * the core kernel does more than that (files, hugetlb, userfaultfd, sealed ones) are
 * left to it altogether, as are holes, which are an error.
 *
 * mlkd_zero_can() decides at the entry of madvise(2), and mlkd_zero() works when the call
 * has returned.  Between the two another thread may do anything:
 *
 * - It forks: then its child has the old contents, as if it had forked before.
 * - It writes, or unmaps and maps again: that is a race of the program with itself, in
 *   which it may find what it has written, or zeros, without us as well.
 * - It maps something else there, or unmaps a part, or registers it with userfaultfd:
 *   mlkd_zero() looks at each mapping again, and has the call done once more, by the core
 *   kernel, whose answer it then is.
 * - It unlocks, or its own call drops pins: what is not pinned is unmapped, and reads as
 *   zeros, too.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "munlock.h"
#include "pgtable.h"
#include "pin.h"
#include "policy.h"
#include "populate.h"
#include "space.h"
#include "walk.h"
#include "zero.h"

/* The probe looks at so many mappings at most, as it may not be preempted meanwhile. */
#define MAX_MAPPINGS	16

/**
 * struct zeroing - a range that is being zeroed
 * @walk: the walk over it
 * @reached: up to here there is no hole
 * @unmapped_start: the first page that could not be zeroed, and has been unmapped
 * @unmapped_end: behind the last
 */
struct zeroing {
	struct mlkd_walk walk;
	unsigned long reached;
	unsigned long unmapped_start;
	unsigned long unmapped_end;
};

/* Is unmapping all that the core kernel does for MADV_DONTNEED? */
static bool only_unmapped(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && !userfaultfd_armed(vma) && !mlkd_vma_sealed(vma) &&
	       !(vma->vm_flags & VM_SPECIAL);
}

/**
 * mlkd_zero_can - can MADV_DONTNEED of a range be done by mlkd_zero()?
 * @space: the space; the caller is the process itself
 * @start: first address
 * @end: address behind the last
 *
 * Called from a probe.  If mmap_lock is not to be had at once, the answer is no.  Neither
 * that attempt nor giving the lock back sleeps, on a realtime kernel either, as long as
 * interrupts are on.
 */
bool mlkd_zero_can(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	unsigned int nr = 0;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	if (!MLKD_HAS_ZAP || !atomic_long_read(&space->pins.nr_pages) || irqs_disabled() ||
	    !mmap_read_trylock(space->mm))
		return false;
	vma_iter_init(&vmi, space->mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (vma->vm_start > start || !only_unmapped(vma) || nr++ == MAX_MAPPINGS)
			break;
		start = vma->vm_end;
	}
	mmap_read_unlock(space->mm);
	return start >= end;
}

/*
 * Is @page, which is mapped and pinned here, nobody else's?  @leaf: a PMD maps it.  @nr:
 * how many references the caller has, to it or to others of its huge page.
 */
static bool exclusive(struct page *page, bool leaf, unsigned int nr)
{
	struct folio *folio = page_folio(page);

	/* If PTEs map a large folio, it is not known whose its references are. */
	if (folio_test_large(folio) != leaf || !folio_test_anon(folio) ||
	    !PageAnonExclusive(leaf ? &folio->page : page))
		return false;
	/* The mapping's, the pin's, and the caller's. */
	return folio_ref_count(folio) == (leaf ? 1 + 1 + nr : 1 + GUP_PIN_COUNTING_BIAS + 1);
}

/*
 * Zeroes the first of @nr pages, which are pinned from @start on.  Returns how many, or, with
 * *@zeroed false, how many cannot be zeroed in place.
 */
static unsigned int zero_pages(struct vm_area_struct *vma, unsigned long start,
			       struct page **pages, unsigned int nr, bool *zeroed)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long end = start + nr * PAGE_SIZE, next;
	unsigned int i, nr_same;
	bool leaf, dirty;

	*zeroed = false;
	leaf = mlkd_pgtable_level(mm, start, &next) == MLKD_PGTABLE_LEAF;
	end = min(end, mlkd_pgtable_run(mm, start, end, MLKD_SOFT_DIRTY, &dirty));
	end = mlkd_pgtable_same(mm, start, end, pages, NULL);
	if (end == start)
		return 1;
	nr_same = (end - start) >> PAGE_SHIFT;
	*zeroed = dirty && exclusive(pages[0], leaf, nr);
	for (i = 0; i < nr_same; i++) {
		if ((dirty && exclusive(pages[i], leaf, nr)) != *zeroed)
			break;
		if (*zeroed)
			clear_user_highpage(pages[i], start + i * PAGE_SIZE);
	}
	return i;
}

static void unmap(struct zeroing *zeroing, struct vm_area_struct *vma, unsigned long start,
		  unsigned long end)
{
	mlkd_zap(vma, start, end - start);
	mlkd_pins_drop(&zeroing->walk.space->pins, start, end, false);
	if (!zeroing->unmapped_end)
		zeroing->unmapped_start = start;
	zeroing->unmapped_end = end;
}

static int zero_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	struct zeroing *zeroing = container_of(walk, struct zeroing, walk);
	struct mlkd_pins *pins = &walk->space->pins;
	bool zeroed = false;
	unsigned int nr;

	if (start != zeroing->reached || !only_unmapped(vma))
		return -EAGAIN;
	if (fatal_signal_pending(current))
		return -EINTR;
	nr = mlkd_pins_get(pins, start, end, walk->pages, walk->room);
	if (nr) {
		*next = start + PAGE_SIZE * zero_pages(vma, start, walk->pages, nr, &zeroed);
		release_pages(walk->pages, nr);
	} else {
		mlkd_pins_next_gap(pins, start, end, next);
		/* Somebody has pinned the first page meanwhile. */
		*next = max(*next, start + PAGE_SIZE);
	}
	if (!zeroed)
		unmap(zeroing, vma, start, *next);
	zeroing->reached = *next;
	walk->spared = (end - *next) >> PAGE_SHIFT;
	cond_resched();
	return 0;
}

/**
 * mlkd_zero - do what MADV_DONTNEED does, and leave what is pinned where it is
 * @space: the space; the caller is the process itself
 * @start: first address
 * @end: address behind the last
 *
 * All of the range is present and pinned afterwards.
 *
 * Return: the core kernel is to do it, all of it once more.
 */
bool mlkd_zero(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct page *pages[32];
	struct zeroing zeroing = {
		.walk = {
			.space = space,
			.start = start,
			.end = end,
			.mortal = true,
			.pages = pages,
			.room = ARRAY_SIZE(pages),
		},
		.reached = start,
	};
	int err;

	/* A page that waits to be put into a list has a reference more. */
	mlkd_munlock_drain();
	err = mlkd_walk(&zeroing.walk, zero_step);
	if (zeroing.unmapped_end)
		mlkd_populate_again(space, zeroing.unmapped_start, zeroing.unmapped_end);
	return err == -EAGAIN || (!err && zeroing.reached < end);
}
