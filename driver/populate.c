// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making an address space present and pinned.
 *
 * Memory is pinned in two phases.  The first takes no faults: it never waits, and is
 * all that memory needs that is present.  A page that is not present is then faulted
 * in without a pin, which may give up mmap_lock while it waits for a disk; and the first
 * phase begins again from there.  (A long-term pin that faults would hold mmap_lock all
 * that time, and no signal would end it.)
 *
 * A fault is tried once under each hold of mmap_lock.  The core kernel would try again by
 * itself, and hold mmap_lock while it waits the second time; and what is mapped there by
 * then may be something else, a file whose server does not answer.
 *
 * A page of a file that is not in memory is read first, without mmap_lock and without
 * the address space.  So a server that does not answer keeps nothing of the process from
 * ending.
 *
 * Pages of files are held where they lie in the page cache (want.cached).  A pin for the long
 * term would have a private mapping get a copy instead, and another one be refused.  So the
 * pin is one for a short time in name, and what it must not keep in its place (CMA,
 * ZONE_MOVABLE) is not held.  A private mapping has a copy of such a page, and of each other
 * one that cannot be held; what it has for itself already is pinned for the long term.
 */
#include <linux/fadvise.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "cgroup.h"
#include "compat.h"
#include "errand.h"
#include "hold.h"
#include "munlock.h"
#include "pgtable.h"
#include "policy.h"
#include "populate.h"
#include "shared.h"
#include "space.h"
#include "target.h"
#include "wired.h"

/* So often a page may vanish between being faulted in and being pinned. */
#define MAX_TRIES	8

/**
 * mlkd_fault_page - try to fault in a page
 * @vma: its mapping; mmap_lock is held
 * @addr: its address
 * @flags: of FAULT_FLAG_WRITE and FAULT_FLAG_ALLOW_RETRY
 * @locked: cleared if mmap_lock has been given up for a wait
 *
 * Return: 0; -EAGAIN when it is to be tried once more, after such a wait; -EFAULT when the page
 * is not to be had; -ENOMEM.
 */
int mlkd_fault_page(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
		    int *locked)
{
	vm_fault_t fault;

	flags |= FAULT_FLAG_REMOTE | FAULT_FLAG_KILLABLE;
	fault = handle_mm_fault(vma, addr, flags, NULL);
	if (fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) {
		*locked = 0;
		return fault & VM_FAULT_COMPLETED ? 0 : -EAGAIN;
	}
	if (fault & VM_FAULT_OOM)
		return -ENOMEM;
	return fault & VM_FAULT_ERROR ? -EFAULT : 0;
}

/* mlkd_fault_page() for a walk, which goes on at the same page if it had to wait. */
static int fault_page(struct mlkd_walk *walk, struct vm_area_struct *vma,
		      unsigned long addr, unsigned int flags)
{
	int err = mlkd_fault_page(vma, addr, flags, &walk->locked);

	return err == -EAGAIN ? 0 : err;
}

/* Faults in a page of secretmem, which GUP refuses. */
static int fault_secretmem(struct mlkd_walk *walk, struct vm_area_struct *vma,
			   unsigned long addr)
{
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY;
	int err;

	if (vma->vm_flags & VM_WRITE)
		flags |= FAULT_FLAG_WRITE;
	err = fault_page(walk, vma, addr, flags);
	return err == -ENOMEM ? err : 0;
}

/* Pins pages that are present, up to the first that is not. */
static long pin_flags(struct mm_struct *mm, unsigned long start, unsigned long nr,
		      unsigned int gup_flags, struct page **pages)
{
	long got = 0;

	/* This looks at page tables only, so it cannot do what FOLL_FORCE asks for. */
	if (current->mm == mm && !(gup_flags & FOLL_FORCE))
		got = mlkd_pin_fast(start, nr, gup_flags, pages);
	return got ?: mlkd_pin_remote(mm, start, nr, gup_flags | FOLL_NOFAULT, pages);
}

/*
 * Returns how many pages at the start are those of @mapping that may be held, or, without
 * @mapping, the process's own; drops the pins of the rest.
 */
static long keep_first(struct page **pages, long nr, struct address_space *mapping)
{
	long i;

	for (i = 0; i < nr; i++) {
		struct folio *folio = page_folio(pages[i]);

		if (mapping ? !mlkd_may_hold(folio, mapping) : !folio_test_anon(folio))
			break;
	}
	if (nr > i)
		unpin_user_pages(pages + i, nr - i);
	return i;
}

/*
 * Pins pages that are present as @want says, up to the first that is not.  In a mapping of a file
 * whose pages are to be held, it stops between these and those that the process has for itself.
 * *@hold says whether the pages are to be held.
 */
static long pin_pages(struct vm_area_struct *vma, unsigned long start, unsigned long nr,
		      struct mlkd_want want, struct page **pages, bool *hold)
{
	struct mm_struct *mm = vma->vm_mm;
	long got;

	*hold = want.held;
	if (!want.cached)
		return pin_flags(mm, start, nr, want.gup_flags | FOLL_LONGTERM, pages);

	got = pin_flags(mm, start, nr, want.gup_flags, pages);
	if (got <= 0)
		return got;
	got = keep_first(pages, got, vma->vm_file->f_mapping);
	if (got)
		return got;
	*hold = false;
	got = pin_flags(mm, start, nr, want.gup_flags | FOLL_LONGTERM, pages);
	return got > 0 ? keep_first(pages, got, NULL) : got;
}

/* So often pages that cannot be held are waited for in a walk. */
#define MAX_WAITS	64

/*
 * Holds pages that have just been pinned.  Returns how many, and drops the pins of the rest; or
 * an error, as mlkd_hold() does, and -ESTALE instead of -EBUSY for what a fault under VM_LOCKED
 * takes out of the lists of reclaim: not a large folio, of which it may map a part.
 */
static long hold_pages(struct mlkd_walk *walk, struct mlkd_want want, unsigned long start,
		       struct page **pages, long nr)
{
	bool small = !folio_test_large(page_folio(pages[0]));
	unsigned int where = 0;
	long held;

	/* A page of a file that is not held is copied, or left as LOCKED leaves it. */
	if (!want.cached)
		where = MLKD_HOLD_LISTED;
	if (where && (walk->waited == start || walk->waits >= MAX_WAITS))
		where |= MLKD_HOLD_LATE;

	/* Pages that have just been faulted in usually wait in the batch of this processor. */
	mlkd_munlock_drain();
	held = mlkd_hold(pages, nr, where);
	nr -= max(held, 0L);
	if (nr)
		unpin_user_pages(pages + max(held, 0L), nr);
	return held == -EBUSY && small ? -ESTALE : held;
}

/* Returns how many chunks from @start on are mapped by a huge page each. */
static unsigned int huge_run(struct mm_struct *mm, unsigned long start,
			     unsigned long end)
{
	unsigned long next;
	bool huge;

	next = mlkd_pgtable_run(mm, start, end, MLKD_HUGE, &huge);
	return huge ? (next - start) / MLKD_CHUNK_SIZE : 0;
}

/*
 * Pins chunks that are mapped by a huge page each, with one pin each.  Returns how many
 * pages these are, or an error.
 */
static long pin_huge(struct mlkd_walk *walk, struct vm_area_struct *vma, unsigned long start,
		     unsigned long end, struct mlkd_want want)
{
	struct mm_struct *mm = walk->space->mm;
	struct page **pages = walk->pages;
	bool hold = false, held;
	unsigned int nr, i;
	long err;

	end = min(end, start + MLKD_MANY_HUGE * MLKD_CHUNK_SIZE);
	nr = huge_run(mm, start, end);
	for (i = 0; i < nr; i++) {
		if (pin_pages(vma, start + i * MLKD_CHUNK_SIZE, 1, want, &pages[i],
			      &held) != 1)
			break;
		if ((i && held != hold) ||
		    compound_order(compound_head(pages[i])) < get_order(MLKD_CHUNK_SIZE) ||
		    (page_to_pfn(pages[i]) & (MLKD_CHUNK_PAGES - 1))) {
			unpin_user_page(pages[i]);
			break;
		}
		hold = held;
	}
	if (!i)
		return 0;
	/* A pinned huge page cannot be split, but its mapping may have been split before. */
	nr = huge_run(mm, start, start + i * MLKD_CHUNK_SIZE);
	unpin_user_pages(pages + nr, i - nr);
	if (!nr)
		return 0;
	if (hold) {
		err = hold_pages(walk, want, start, pages, nr);
		if (err < 0)
			return err;
		nr = err;
	}
	err = mlkd_pins_add_huge(&walk->space->pins, start, pages, nr);
	return err ?: (long)nr * MLKD_CHUNK_PAGES;
}

/*
 * Pins the pages that are present in [start, end), which lies in one chunk, or, if these
 * are huge pages, in [start, limit).  Stops at the first that is not present.  Returns how
 * many pages these were, or an error: -EFAULT if the first page is not present; -EAGAIN if
 * it cannot be held yet; -ESTALE or -EBUSY, as hold_pages() does; -ENOSPC if what they keep is
 * beyond RLIMIT_MEMLOCK, and nothing but a pin can hold them.
 */
static long pin_present(struct mlkd_walk *walk, struct vm_area_struct *vma,
			unsigned long start, unsigned long end, unsigned long limit,
			struct mlkd_want want)
{
	unsigned long nr_pages = (end - start) >> PAGE_SHIFT;
	struct mlkd_pins *pins = &walk->space->pins;
	long nr, err, kept = atomic_long_read(&pins->nr_kept);
	bool hold;

	if (!(start % MLKD_CHUNK_SIZE) && nr_pages == MLKD_CHUNK_PAGES) {
		nr = pin_huge(walk, vma, start, limit, want);
		if (nr > 0)
			walk->spared = MLKD_CHUNK_PAGES -
				       (nr / MLKD_CHUNK_PAGES - 1) * MLKD_COST_VMA;
		if (nr)
			return nr;
	}
	/* Behind a page that could not be held there may be more: few are pinned in vain. */
	nr_pages = min3(nr_pages, walk->room, (start - walk->refused) >> PAGE_SHIFT);
	nr = pin_pages(vma, start, max(nr_pages, 1UL), want, walk->pages, &hold);
	if (want.cached && (nr <= 0 || !hold))
		walk->refused = start;
	if (nr <= 0)
		return nr == -EAGAIN || !nr ? -EFAULT : nr;
	if (hold) {
		nr = hold_pages(walk, want, start, walk->pages, nr);
		if (nr < 0) {
			walk->refused = start;
			return nr;
		}
	}
	err = mlkd_pins_add(pins, start, walk->pages, nr);
	if (err)
		return err;
	if (atomic_long_read(&pins->nr_kept)) {
		WRITE_ONCE(walk->space->wired.stale, true);
		/* A request that let these go would say that they are locked. */
		if (walk->task && !(vma->vm_flags & VM_LOCKED) &&
		    atomic_long_read(&pins->nr_kept) > kept &&
		    mlkd_space_keeps_too_much(walk->space)) {
			mlkd_pins_drop(pins, start, start + (nr << PAGE_SHIFT), false);
			return -ENOSPC;
		}
		mlkd_space_let_go(walk->space, start, start + (nr << PAGE_SHIFT));
	}
	return nr;
}

/* Counts the attempts at @addr, and says when there have been too many. */
static bool no_progress(struct mlkd_walk *walk, unsigned long addr)
{
	if (walk->stuck != addr) {
		walk->stuck = addr;
		walk->tries = 0;
	}
	return ++walk->tries > MAX_TRIES;
}

static bool fails_request(long err)
{
	return err == -ENOMEM || err == -EINTR || err == -ENOSPC;
}

/* So many pages are charged besides the pages themselves: page tables, and a stock ahead. */
#define CHARGED_BESIDE	64

/*
 * Would a request that makes [start, end) present meet a limit of the target's memory
 * cgroup?  A worker that meets it has others killed.  Pages of files are not charged
 * to the target, but for its own copies and shared memory.
 */
static bool meets_cgroup(struct mlkd_walk *walk, struct vm_area_struct *vma,
			 struct mlkd_want want, unsigned long start, unsigned long end)
{
	unsigned long pages = ((end - start) >> PAGE_SHIFT) + CHARGED_BESIDE;

	if (!walk->task || is_vm_hugetlb_page(vma) || mlkd_vma_writeback(vma) ||
	    (vma->vm_file && !(want.gup_flags & FOLL_WRITE)))
		return false;
	return mlkd_cgroup_room(walk->space->mm, pages).pages < pages;
}

/* Private memory without a file: a fault in it waits for nothing but memory and swap. */
bool mlkd_populate_never_waits(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && !userfaultfd_armed(vma);
}

/*
 * fault_fresh() and fault_swapped() fault in private memory of which nothing is mapped.
 * GUP would do that, too, but it looks for each page before its fault and after it, which
 * costs a tenth of the whole time.
 *
 * fault_fresh() is for memory that has never been touched, or not since it was given
 * back: there is nothing to wait for.
 */
static int fault_fresh(struct mlkd_walk *walk, struct vm_area_struct *vma,
		       unsigned long start, unsigned long end)
{
	unsigned long addr, next;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		/* It may have been killed for want of memory, which it has to give back. */
		if (walk->task && mlkd_target_gone(walk->task, vma->vm_mm))
			return -ESRCH;
		vm_fault_t fault = handle_mm_fault(vma, addr, FAULT_FLAG_WRITE |
						   FAULT_FLAG_REMOTE, NULL);

		if (fault & VM_FAULT_OOM)
			return -ENOMEM;
		/* The fault may have mapped a huge page. */
		if (addr == start && mlkd_pgtable_level(vma->vm_mm, addr, &next) ==
				     MLKD_PGTABLE_LEAF)
			break;
		if (mlkd_turn_over(&walk->turn, MLKD_COST_FAULT))
			break;
		cond_resched();
	}
	return 0;
}

/*
 * For memory that is swapped out or being migrated, mmap_lock is given up to wait.  Where
 * that has been in vain some times, it is held.
 */
static int fault_swapped(struct mlkd_walk *walk, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end)
{
	unsigned int flags = FAULT_FLAG_WRITE;
	unsigned long addr;
	int err = 0;

	if (walk->tries <= MAX_TRIES / 2)
		flags |= FAULT_FLAG_ALLOW_RETRY;
	for (addr = start; addr < end && walk->locked && err != -ENOMEM; addr += PAGE_SIZE) {
		err = fault_page(walk, vma, addr, flags);
		if (mlkd_turn_over(&walk->turn, MLKD_COST_FAULT))
			break;
		cond_resched();
	}
	return err == -ENOMEM ? err : 0;
}

/* Calls the one of them that is for the page at @start; returns 1 if that is mapped. */
static int fault_unmapped(struct mlkd_walk *walk, struct vm_area_struct *vma,
			  unsigned long start, unsigned long end)
{
	struct mm_struct *mm = walk->space->mm;
	unsigned long run_end;
	bool used, mapped;

	run_end = mlkd_pgtable_run(mm, start, end, MLKD_USED, &used);
	if (!used) {
		if (walk->fresh)
			walk->fresh(walk, start, (run_end - start) >> PAGE_SHIFT);
		return fault_fresh(walk, vma, start, run_end);
	}
	run_end = mlkd_pgtable_run(mm, start, end, MLKD_MAPPED, &mapped);
	return mapped ? 1 : fault_swapped(walk, vma, start, run_end);
}

/* Says whether the page cache has a page, and its contents. */
static bool cached(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio;
	bool ret = false;

	rcu_read_lock();
	folio = xa_load(&mapping->i_pages, index);
	if (folio && !xa_is_value(folio) && folio_try_get(folio)) {
		ret = folio_test_uptodate(folio);
		folio_put(folio);
	}
	rcu_read_unlock();
	return ret;
}

/* Returns where the pages at the start of [start, end) end that are all cached, or all not. */
static unsigned long cached_run(struct vm_area_struct *vma, unsigned long start,
				unsigned long end, bool *are_cached)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t index = linear_page_index(vma, start);

	*are_cached = cached(mapping, index);
	do {
		start += PAGE_SIZE;
		index++;
	} while (start < end && cached(mapping, index) == *are_cached);
	return start;
}

/* Reads pages of a file, and says where it has come to, for the first of them is at @start. */
static unsigned long read_pages(struct mlkd_walk *walk, struct file *file, pgoff_t index,
				unsigned long start, unsigned long end)
{
	unsigned long addr;

	vfs_fadvise(file, (loff_t)index << PAGE_SHIFT, end - start, POSIX_FADV_WILLNEED);
	for (addr = start; addr < end; addr += PAGE_SIZE, index++) {
		struct folio *folio = read_mapping_folio(file->f_mapping, index, file);

		if (IS_ERR(folio))
			break;
		folio_put(folio);
		if (walk->errand)
			mlkd_errand_progress(walk->errand);
		cond_resched();
	}
	return addr;
}

/* Gives up mmap_lock, and reads what is mapped at [start, end) of @vma, a mapping of a file. */
static int read_in(struct mlkd_walk *walk, struct vm_area_struct *vma,
		   unsigned long start, unsigned long end, unsigned long *next)
{
	pgoff_t index = linear_page_index(vma, start);
	struct file *file = get_file(vma->vm_file);
	dev_t dev = mlkd_vma_dev(vma);
	unsigned long addr;
	int err = -EINTR;

	mmap_read_unlock(walk->space->mm);
	walk->locked = 0;
	if (mlkd_errand_wait_begin(walk->errand, start, dev, false)) {
		addr = read_pages(walk, file, index, start, end);
		/* A page that cannot be read is skipped. */
		*next = addr > start ? start : start + PAGE_SIZE;
		err = mlkd_errand_wait_end(walk->errand) ? 0 : -EINTR;
	}
	fput(file);
	return err;
}

/* May a read of @vma, a mapping of a file, be waited for here?  Returns 1, 0 or -EAGAIN. */
static int may_wait(struct mlkd_walk *walk, struct vm_area_struct *vma)
{
	if (walk->errand)
		return !mlkd_silent_has(walk->silent, vma);
	if (walk->brief)
		return mlkd_vma_served(vma) ? -EAGAIN : 1;
	/* The process itself may, but not a worker that others need as well. */
	return current->mm == vma->vm_mm && !(current->flags & PF_KTHREAD);
}

/*
 * Makes sure that a fault in [start, end) of @vma, a mapping of a file, finds what it
 * needs in memory.  Returns 1 if it does so up to *@next; 0 if the walk is to go on at
 * *@next, or an error.
 */
static int bring_in(struct mlkd_walk *walk, struct vm_area_struct *vma,
		    unsigned long start, unsigned long end, unsigned long *next)
{
	bool used, are_cached;
	int wait;

	if (walk->brief && mlkd_vma_fuse(vma))
		return -EAGAIN;
	/* Pages that are mapped, or swapped out, need nothing of the file. */
	*next = mlkd_pgtable_run(vma->vm_mm, start, end, MLKD_USED, &used);
	if (used || !vma->vm_file->f_mapping->a_ops->read_folio)
		return 1;
	*next = cached_run(vma, start, *next, &are_cached);
	if (are_cached)
		return 1;
	wait = may_wait(walk, vma);
	return wait > 0 ? read_in(walk, vma, start, *next, next) : wait;
}

/* Returns the first of [start, end) that a read fault before it has not mapped as well. */
static unsigned long behind_mapped(struct vm_area_struct *vma, unsigned long start,
				   unsigned long end)
{
	unsigned long next = start;
	bool mapped = false;

	if (start < end && vma->vm_ops && vma->vm_ops->map_pages)
		next = mlkd_pgtable_run(vma->vm_mm, start, end, MLKD_READ, &mapped);
	return mapped ? next : start;
}

static unsigned long page_size_of(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma) ? huge_page_size(hstate_vma(vma)) : PAGE_SIZE;
}

/*
 * Faults in [start, end), up to the first page that is not to be had, or to the end of the
 * turn.  Returns where that is, or @start if mmap_lock was given up meanwhile; or -ENOMEM,
 * -EINTR.
 */
static long fault_range(struct mlkd_walk *walk, struct vm_area_struct *vma,
			unsigned int gup_flags, unsigned long start, unsigned long end)
{
	unsigned long addr, page_size = page_size_of(vma);
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY;
	int err = 0;

	if (gup_flags & FOLL_WRITE) {
		flags |= FAULT_FLAG_WRITE;
		/* As GUP does for FOLL_FORCE. */
		if (!(vma->vm_flags & VM_WRITE) &&
		    !(mlkd_vma_private(vma) && (vma->vm_flags & VM_MAYWRITE)))
			return start;
	}
	if (mlkd_populate_never_waits(vma) && walk->tries > MAX_TRIES / 2)
		flags &= ~FAULT_FLAG_ALLOW_RETRY;
	for (addr = start; addr < end; ) {
		err = fault_page(walk, vma, addr, flags);
		if (err || !walk->locked)
			break;
		addr = ALIGN(addr + 1, page_size);
		if (!(flags & FAULT_FLAG_WRITE))
			addr = behind_mapped(vma, addr, end);
		if (mlkd_turn_over(&walk->turn, MLKD_COST_FAULT))
			break;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (walk->errand)
			mlkd_errand_progress(walk->errand);
		cond_resched();
	}
	if (err == -ENOMEM)
		return err;
	return walk->locked ? addr : start;
}

/*
 * Pages that have just been faulted in from @start on are pinned under the same hold of
 * mmap_lock, if that is still held.  If it were given up first, a process that forks all the
 * time could write-protect each page again before it is pinned, for ever.
 */
static void pin_next(struct mlkd_walk *walk, unsigned long start, unsigned long *next)
{
	*next = start;
	walk->unfinished = walk->locked;
}

/* Faults in what is not present, and waits for that; @vma may be gone afterwards. */
static int make_present(struct mlkd_walk *walk, struct vm_area_struct *vma,
			struct mlkd_want want, unsigned long start,
			unsigned long end, unsigned long *next)
{
	struct mlkd_errand *errand = walk->errand;
	unsigned int gup_flags = want.gup_flags;
	struct file *file = NULL;
	long ret;

	*next = ALIGN(start + 1, page_size_of(vma));
	if (no_progress(walk, start))
		return 0;
	if (meets_cgroup(walk, vma, want, start, end))
		return -EDQUOT;
	if (mlkd_populate_never_waits(vma)) {
		errand = NULL;
		if (want.gup_flags == FOLL_WRITE) {
			ret = fault_unmapped(walk, vma, start, end);
			if (ret <= 0) {
				pin_next(walk, start, next);
				return ret;
			}
		}
	} else if (vma->vm_file && !is_vm_hugetlb_page(vma)) {
		ret = bring_in(walk, vma, start, end, next);
		if (ret <= 0)
			return ret;
		end = *next;
	}

	/* The fault may have to read: the page can have been taken out of memory again. */
	if (!mlkd_errand_wait_begin(errand, start, mlkd_vma_dev(vma), true))
		return -EINTR;
	if ((gup_flags & FOLL_WRITE) && mlkd_vma_writeback(vma)) {
		file = mlkd_shared_write_begin(vma);
		if (!file)
			gup_flags &= ~FOLL_WRITE;
	}
	ret = fault_range(walk, vma, gup_flags, start, end);
	if (file)
		mlkd_shared_write_end(file);
	if (!mlkd_errand_wait_end(errand))
		return -EINTR;
	if (ret < 0)
		return ret;

	*next = ret;
	if (!walk->locked)
		return 0;
	if (ret == start)	/* a page that is not to be had; the report says so */
		*next = ALIGN(start + 1, page_size_of(vma));
	else if (walk->state == MEMLOCKD_STATE_SUPERLOCKED && mlkd_vma_writeback(vma))
		mlkd_shared_make_writable(vma, start, *next, walk->pages);
	if (ret > start && want.pinned)
		pin_next(walk, start, next);
	return 0;
}

/*
 * The page at @start cannot be held yet: the walk waits for it, without mmap_lock.  Returns
 * false if that has been done often enough.
 */
static bool hold_later(struct mlkd_walk *walk, unsigned long start)
{
	if (no_progress(walk, start) || walk->waits >= MAX_WAITS)
		return false;
	walk->waits++;
	walk->waited = start;
	mmap_read_unlock(walk->space->mm);
	walk->locked = 0;
	/* A processor that has no time for it now has none for the next page either. */
	if (!mlkd_hold_wait())
		walk->waits = MAX_WAITS;
	return true;
}

/*
 * The page at @start lies in a list of reclaim, though @vma is VM_LOCKED: another process has
 * unlocked it since it was mapped here.  It is unmapped, and the fault that maps it anew takes
 * it out of the list.  Under mmap_lock held for writing nobody gives the process a page of its
 * own there meanwhile, which would be lost.  Returns false if that has been tried, or cannot be.
 */
static bool map_anew(struct mlkd_walk *walk, struct vm_area_struct *vma, unsigned long start)
{
	struct mlkd_space *space = walk->space;
	unsigned long limit = ULONG_MAX;

	if (!MLKD_HAS_ZAP || !(vma->vm_flags & VM_LOCKED) || vma->anon_vma ||
	    walk->anew == start || walk->waits >= MAX_WAITS)
		return false;
	walk->anew = start;
	walk->waits++;
	mmap_read_unlock(space->mm);
	walk->locked = 0;
	/* The walk ends if it is killed. */
	if (mmap_write_lock_killable(space->mm))
		return true;
	vma = vma_lookup(space->mm, start);
	if (vma && (vma->vm_flags & VM_LOCKED) && !vma->anon_vma &&
	    mlkd_space_want(space, vma, mlkd_attr_get(&space->attrs, start, &limit)).cached)
		mlkd_zap(vma, start, PAGE_SIZE);
	mmap_write_unlock(space->mm);
	return true;
}

/*
 * May a page of @vma be copied?  In a mapping in which the process has one page for itself it is
 * counted as if it had them all (wired.c).
 */
static bool may_copy(struct mlkd_walk *walk, struct vm_area_struct *vma)
{
	return READ_ONCE(vma->anon_vma) || mlkd_wired_grow(walk->space, vma_pages(vma));
}

/* Is the page at @start there, so that nothing but a copy of it can be pinned or held? */
static bool to_be_copied(struct vm_area_struct *vma, struct mlkd_want want, unsigned long start)
{
	bool there;

	if (!want.cached || !mlkd_vma_private(vma))
		return false;
	mlkd_pgtable_run(vma->vm_mm, start, start + PAGE_SIZE, MLKD_READ, &there);
	return there;
}

/*
 * Returns the first page of [start, end), which is present, at which an access would fault for
 * want of flags, and sets *@stop to where such pages end; or @end if there is none.
 */
static unsigned long find_unflagged(struct vm_area_struct *vma, unsigned long start,
				    unsigned long end, unsigned long *stop)
{
	bool flagged;

	/* A monitor of a userfaultfd may have write-protected pages, which is left to it. */
	if (!mlkd_faults_for_flags() || userfaultfd_armed(vma))
		return end;
	for (; start < end; start = *stop) {
		*stop = mlkd_pgtable_run(vma->vm_mm, start, end,
					 mlkd_faultless(vma->vm_flags & VM_WRITE), &flagged);
		if (!flagged)
			break;
	}
	return start;
}

/*
 * Has the flags set of [start, end), none of which has them, by faults that have nothing else
 * to do.  Returns where to go on, or an error.
 */
static long fault_for_flags(struct mlkd_walk *walk, struct vm_area_struct *vma,
			    unsigned long start, unsigned long end)
{
	bool write = vma->vm_flags & VM_WRITE, allowed;
	unsigned long addr, next;
	long ret;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		mlkd_pgtable_run(vma->vm_mm, addr, addr + PAGE_SIZE,
				 write ? MLKD_WRITE : MLKD_READ, &allowed);
		if (!allowed)
			continue;
		ret = fault_range(walk, vma, write ? FOLL_WRITE : 0, addr, addr + PAGE_SIZE);
		if (ret < 0)
			return ret;
		if (!walk->locked)
			return no_progress(walk, addr) ? addr + PAGE_SIZE : addr;
		/* A huge page has them once. */
		if (mlkd_pgtable_level(vma->vm_mm, addr, &next) == MLKD_PGTABLE_LEAF)
			return min(next - 1, end - 1) + 1;
	}
	return addr;
}

/*
 * Has the flags set of [start, *next), which is present, where the processor does not set
 * them: neither a pin does, nor a read fault the one that a write needs.  If mmap_lock was
 * given up meanwhile, *next is where to go on.
 */
static int set_flags(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long *next)
{
	unsigned long end = *next, stop;
	long ret;

	while (walk->locked) {
		start = find_unflagged(vma, start, end, &stop);
		if (start >= end)
			break;
		ret = fault_for_flags(walk, vma, start, stop);
		if (ret < 0)
			return ret;
		start = ret;
	}
	*next = start;
	return 0;
}

/* Takes a step towards what @want says, which holds for @vma up to @limit. */
static int populate_part(struct mlkd_walk *walk, struct vm_area_struct *vma,
			 struct mlkd_want want, unsigned long start, unsigned long end,
		unsigned long limit, unsigned long *next)
{
	unsigned long file_end = mlkd_vma_file_end(vma);
	bool armed = userfaultfd_armed(vma);
	long nr;

	if (!want.present || start >= file_end) {
		*next = limit;
		return 0;
	}
	limit = min3(limit - 1, file_end - 1, walk->end - 1) + 1;
	end = min(end, limit);

	if (want.fault) {
		*next = start + PAGE_SIZE;
		return fault_secretmem(walk, vma, start);
	}

	if (!want.pinned && !mlkd_vma_writeback(vma)) {
		bool there;

		*next = mlkd_pgtable_run(walk->space->mm, start, limit,
					 want.gup_flags & FOLL_WRITE ? MLKD_WRITE :
								       MLKD_READ,
					 &there);
		if (there)
			return set_flags(walk, vma, start, next);
		end = min(end, *next);
	}

	/* GUP faults in hugetlb pages that are not there, whatever its flags say. */
	if (want.pinned && (!is_vm_hugetlb_page(vma) ||
			    mlkd_pgtable_level(walk->space->mm, start, next) !=
				    MLKD_PGTABLE_NONE)) {
		nr = pin_present(walk, vma, start, end, limit, want);
		if (nr > 0) {
			*next = start + (nr << PAGE_SHIFT);
			return set_flags(walk, vma, start, next);
		}
		if (fails_request(nr))
			return nr;
		if ((nr == -EAGAIN && hold_later(walk, start)) ||
		    (nr == -ESTALE && map_anew(walk, vma, start))) {
			*next = start;
			return 0;
		}
		if (to_be_copied(vma, want, start) && may_copy(walk, vma)) {
			want.gup_flags = MLKD_GUP_COPY;
			end = start + PAGE_SIZE;
		} else if (nr == -EAGAIN || nr == -ESTALE || nr == -EBUSY) {
			*next = start + PAGE_SIZE;
			return 0;
		}
	}

	/* The monitor of a userfaultfd makes this present, and is not waited for. */
	if (armed) {
		*next = want.pinned ? start + PAGE_SIZE : limit;
		return 0;
	}

	/* Guard pages are as if they had no access: nothing is to be had there. */
	if (mlkd_guarded(walk->space->mm, start, end, next))
		return 0;

	return make_present(walk, vma, want, start, end, next);
}

/*
 * Returns what the part of @vma that begins at @start is to have.  *@limit is set to where
 * the part ends, and *@end made smaller, if it lies behind that.
 */
static struct mlkd_want part_want(struct mlkd_walk *walk, struct vm_area_struct *vma,
				  unsigned long start, unsigned long *end,
				unsigned long *limit)
{
	struct mlkd_space *space = walk->space;
	u32 attr;

	*limit = vma->vm_end;
	attr = mlkd_attr_get(&space->attrs, start, limit);
	*end = min(*end, *limit);
	walk->state = mlkd_attr_mode(attr, mlkd_space_in_force(space)).state;
	return mlkd_space_want(space, vma, attr);
}

/* Gives a part of a mapping what it is to have. */
int mlkd_populate_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		       unsigned long start, unsigned long end,
		       unsigned long *next)
{
	unsigned long limit;
	struct mlkd_want want = part_want(walk, vma, start, &end, &limit);

	return populate_part(walk, vma, want, start, end, limit, next);
}

/* So many pages are pinned again without looking whether they are. */
#define FEW_PAGES	32

/*
 * mlkd_populate_step() for memory that has just been mapped.  In a mapping that has been
 * merged most is pinned already, and is passed over.  A few pages are pinned again, as
 * that costs less than looking for them.
 */
static int future_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		       unsigned long start, unsigned long end,
		       unsigned long *next)
{
	struct mlkd_space *space = walk->space;
	unsigned long gap, gap_end, limit;
	struct mlkd_want want;

	want = part_want(walk, vma, start, &end, &limit);
	if (!want.pinned) {
		/* The core kernel has made it present, but it does that by reading. */
		if (want.present && mlkd_faults_for_flags()) {
			*next = end;
			return set_flags(walk, vma, start, next);
		}
		*next = limit;
		return 0;
	}
	/* mprotect() makes hugetlb writable again, but not its page-table entries. */
	if (is_vm_hugetlb_page(vma) || walk->room <= FEW_PAGES)
		return populate_part(walk, vma, want, start, end, limit, next);

	gap = mlkd_pins_next_gap(&space->pins, start, end, &gap_end);
	if (gap > start && mlkd_faults_for_flags()) {
		*next = min(gap, end);
		return set_flags(walk, vma, start, next);
	}
	if (gap >= end) {
		*next = end;
		return 0;
	}
	return populate_part(walk, vma, want, gap, gap_end, limit, next);
}

/**
 * mlkd_populate_future - pin what has appeared after the lock
 * @space: the space; no claim is held, but a user of its mm
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * Works by @space->in_force and the attributes, looked at with mmap_lock held, so that
 * it leaves nothing behind an unlock.  A page that it cannot pin has what LOCKED promises.
 */
void mlkd_populate_future(struct mlkd_space *space, unsigned long start,
			  unsigned long end)
{
	struct page *few[FEW_PAGES];
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end,
		.mortal = true,
		.pages = few,
		.room = ARRAY_SIZE(few),
	};

	if (end - 1 - start >= FEW_PAGES * PAGE_SIZE && !mlkd_walk_alloc(&walk))
		return;
	mlkd_walk(&walk, future_step);
	/* More is VM_LOCKED now. */
	mlkd_space_let_go(space, 0, 0);
	if (walk.pages != few)
		kfree(walk.pages);
}

/* Pins private memory that is present, and fails at anything else. */
static int present_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
			unsigned long start, unsigned long end, unsigned long *next)
{
	unsigned long limit, stop;
	struct mlkd_want want = part_want(walk, vma, start, &end, &limit);
	long nr;

	if (!want.present) {
		*next = limit;
		return 0;
	}
	if (!want.pinned || !mlkd_populate_never_waits(vma))
		return -EAGAIN;
	nr = pin_present(walk, vma, start, end, limit, want);
	if (nr <= 0)
		return -EAGAIN;
	*next = start + (nr << PAGE_SHIFT);
	return find_unflagged(vma, start, *next, &stop) < *next ? -EAGAIN : 0;
}

/**
 * mlkd_populate_present - have it done at once where there is nothing to wait for
 * @space: the space; its claim is held
 * @task: the process
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * That is for a lock of a few pages of private memory, which the process has just locked
 * itself, as a rule: to ask a worker costs more than to pin them.
 *
 * Return: whether all of it is present and pinned as its attributes ask for.
 */
bool mlkd_populate_present(struct mlkd_space *space, struct task_struct *task,
			   unsigned long start, unsigned long end)
{
	struct page *few[FEW_PAGES];
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end,
		.task = task,
		.brief = true,
		.pages = few,
		.room = ARRAY_SIZE(few),
	};

	return end - 1 - start < FEW_PAGES * PAGE_SIZE && !mlkd_walk(&walk, present_step);
}

/**
 * mlkd_populate_again - make what may have been replaced present and pinned
 * @space: the space; no claim is held, but a user of its mm
 * @start: first address
 * @end: address behind the last; 0 for all there is
 *
 * Unlike mlkd_populate_future() it looks at what is pinned already, and at what is not
 * to be pinned.
 */
void mlkd_populate_again(struct mlkd_space *space, unsigned long start,
			 unsigned long end)
{
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end,
		.mortal = true,
	};

	if (!mlkd_walk_alloc(&walk))
		return;
	mlkd_walk(&walk, mlkd_populate_step);
	kfree(walk.pages);
}

/* Makes writable what a write would find write-protected. */
static int writable_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end,
			 unsigned long *next)
{
	unsigned long file_end = mlkd_vma_file_end(vma);
	bool writable, mapped;
	long ret;

	*next = vma->vm_end;
	if ((vma->vm_flags & (VM_WRITE | VM_LOCKED)) != (VM_WRITE | VM_LOCKED) ||
	    userfaultfd_armed(vma) || start >= file_end ||
	    mlkd_space_in_force(walk->space).state != MEMLOCKD_STATE_SUPERLOCKED)
		return 0;
	end = min(end, file_end);
	*next = end;
	if (mlkd_vma_writeback(vma)) {
		mlkd_shared_make_writable(vma, start, end, walk->pages);
		return 0;
	}
	*next = mlkd_pgtable_run(walk->space->mm, start, end, MLKD_WRITE, &writable);
	if (writable)
		return 0;
	/* A page that is not mapped is not write-protected either. */
	*next = mlkd_pgtable_run(walk->space->mm, start, *next, MLKD_MAPPED, &mapped);
	if (!mapped || no_progress(walk, start))
		return 0;
	ret = fault_range(walk, vma, FOLL_WRITE, start, *next);
	if (ret > start || !walk->locked)
		*next = ret;
	return min(ret, 0L);
}

/**
 * mlkd_populate_writable - somebody has cleared the process's soft-dirty bits
 * @space: the space; no claim is held, but a user of its mm
 *
 * That write-protects all memory but private memory that is pinned in base pages, so huge
 * pages and shared memory.  These are made writable, and so soft-dirty, again.
 */
void mlkd_populate_writable(struct mlkd_space *space)
{
	struct mlkd_walk walk = { .space = space, .mortal = true };

	if (!mlkd_walk_alloc(&walk))
		return;
	mlkd_walk(&walk, writable_step);
	kfree(walk.pages);
}
