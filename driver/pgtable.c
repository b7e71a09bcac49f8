// SPDX-License-Identifier: GPL-2.0-only
/*
 * A look at page tables.  The exported functions for that take a reference to each
 * page, and need mmap_lock for those of another process.
 *
 * These here need no lock, as GUP-fast needs none: page tables are freed after an
 * interrupt to each CPU, or after a grace period of RCU, so that they stay while
 * interrupts are off.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "arch.h"
#include "compat.h"
#include "pgtable.h"

DEFINE_STATIC_KEY_FALSE(mlkd_flags_by_fault);

void __init mlkd_pgtable_init(void)
{
	if (!mlkd_cpu_sets_flags())
		static_branch_enable(&mlkd_flags_by_fault);
}

/**
 * struct upper - entries above the PTEs
 * @pud: as it was read
 * @pmd: as it was read; none where there is no table of them
 * @pmdp: where that is
 */
struct upper {
	pud_t pud;
	pmd_t pmd;
	pmd_t *pmdp;
};

/*
 * Reads the entry above the PTEs: what it is, and where it ends; interrupts are off.
 *
 * A level that this processor has not is an entry of the level above, under another name: so
 * each step is given the entry's own address, besides what has been read there.
 */
static enum mlkd_pgtable upper_level(struct mm_struct *mm, unsigned long addr,
				     unsigned long *next, struct upper *upper)
{
	pgd_t *pgdp, pgd;
	p4d_t *p4dp, p4d;
	pud_t *pudp;

	upper->pmd = __pmd(0);
	*next = ALIGN(addr + 1, PGDIR_SIZE);
	pgdp = pgd_offset(mm, addr);
	pgd = READ_ONCE(*pgdp);
	if (pgd_none(pgd))
		return MLKD_PGTABLE_NONE;
	*next = ALIGN(addr + 1, P4D_SIZE);
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || !p4d_present(p4d))
		return MLKD_PGTABLE_NONE;
	*next = ALIGN(addr + 1, PUD_SIZE);
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	upper->pud = READ_ONCE(*pudp);
	if (pud_none(upper->pud))
		return MLKD_PGTABLE_NONE;
	if (pud_leaf(upper->pud) || !pud_present(upper->pud))
		return MLKD_PGTABLE_LEAF;
	*next = ALIGN(addr + 1, PMD_SIZE);
	upper->pmdp = pmd_offset_lockless(pudp, upper->pud, addr);
	upper->pmd = READ_ONCE(*upper->pmdp);
	if (pmd_none(upper->pmd))
		return MLKD_PGTABLE_NONE;
	return pmd_leaf(upper->pmd) || !pmd_present(upper->pmd) ? MLKD_PGTABLE_LEAF :
								  MLKD_PGTABLE_PTES;
}

/**
 * mlkd_pgtable_level - how @addr is mapped above the PTEs
 * @mm: address space; mmap_lock is held, and @addr lies in a mapping, so that
 *	the tables above the PTEs stay
 * @addr: the address
 * @next: set to where the entry that was looked at ends
 *
 * Return: a hint: it can change as soon as it is given.
 */
enum mlkd_pgtable mlkd_pgtable_level(struct mm_struct *mm, unsigned long addr,
				     unsigned long *next)
{
	enum mlkd_pgtable level;
	struct upper upper;
	unsigned long flags;

	lockdep_assert_held(&mm->mmap_lock);
	local_irq_save(flags);
	level = upper_level(mm, addr, next, &upper);
	local_irq_restore(flags);
	return level;
}

static bool writes(enum mlkd_access access)
{
	return access == MLKD_WRITE || access == MLKD_WRITE_FLAGGED || access == MLKD_STORE;
}

/* Says whether @access, one of @MLKD_READ or behind it, faults where its flag is not set. */
static bool wants_flags(enum mlkd_access access)
{
	return access >= MLKD_LOAD ? mlkd_faults_for_flags() : access >= MLKD_READ_FLAGGED;
}

/* Says whether a huge page's entry, which upper_level() has read, allows @access. */
static bool leaf_allows(pud_t pud, pmd_t pmd, enum mlkd_access access)
{
	if (access == MLKD_GUARD)
		return false;
	if (access == MLKD_USED)
		return true;
	if (access == MLKD_SOFT_DIRTY)
		return !pmd_none(pmd) && pmd_present(pmd) &&
		       (pmd_soft_dirty(pmd) || !IS_ENABLED(CONFIG_MEM_SOFT_DIRTY));
	if (!pmd_none(pmd))
		return pmd_present(pmd) &&
		       (access < MLKD_READ || !pmd_protnone(pmd)) &&
		       (!writes(access) || pmd_write(pmd)) &&
		       (!wants_flags(access) ||
			(pmd_young(pmd) && (!writes(access) || pmd_dirty(pmd))));
	/* Only hugetlb has these: its first fault sets all flags, and nothing clears them. */
	return pud_present(pud) && (!writes(access) || pud_write(pud));
}

static bool pte_allows(pte_t pte, enum mlkd_access access)
{
	/* Each lock asks for a read or a write of each page, so these are told apart first. */
	if (access < MLKD_READ) {
		if (access == MLKD_GUARD)
			return mlkd_pte_guard(pte);
		if (access == MLKD_USED)
			return !pte_none(pte);
		return pte_present(pte) &&
		       (access != MLKD_SOFT_DIRTY || pte_soft_dirty(pte) ||
			!IS_ENABLED(CONFIG_MEM_SOFT_DIRTY));
	}
	if (!pte_present(pte))
		return access >= MLKD_LOAD && mlkd_pte_guard(pte);
	/* A special entry is a device's, and has no page, unless it is the page of zeros. */
	if (pte_protnone(pte) ||
	    (pte_special(pte) && access < MLKD_LOAD && !is_zero_pfn(pte_pfn(pte))))
		return false;
	if (access < MLKD_READ_FLAGGED)
		return access != MLKD_WRITE || pte_write(pte);
	if (writes(access) && !pte_write(pte))
		return false;
	return !wants_flags(access) || (pte_young(pte) && (!writes(access) || pte_dirty(pte)));
}

/*
 * Returns how far huge pages follow the one that ends at @addr whose entries allow
 * @access, or do not, as its entry does.
 */
static unsigned long leaf_run(const struct upper *upper, unsigned long addr,
			      unsigned long end, enum mlkd_access access, bool allowed)
{
	pmd_t *entry = upper->pmdp, pmd;

	while (addr < end && addr % PUD_SIZE) {
		pmd = READ_ONCE(*++entry);
		if (pmd_none(pmd) || (pmd_present(pmd) && !pmd_leaf(pmd)) ||
		    leaf_allows(upper->pud, pmd, access) != allowed)
			break;
		addr += PMD_SIZE;
	}
	return min(addr, end);
}

/**
 * mlkd_pgtable_run - how far all pages allow an access, or all do not
 * @mm: address space; mmap_lock is held
 * @start: first address
 * @end: address behind the last; all of it lies in one mapping
 * @access: the access
 * @allowed: set to whether they do
 *
 * Looks no further than to the end of one table.
 *
 * Return: the address behind the run, no further than @end; a hint, as above.
 */
unsigned long mlkd_pgtable_run(struct mm_struct *mm, unsigned long start,
			       unsigned long end, enum mlkd_access access,
			       bool *allowed)
{
	unsigned long flags, next, addr = start;
	enum mlkd_pgtable level;
	struct upper upper;

	lockdep_assert_held(&mm->mmap_lock);
	*allowed = false;
	local_irq_save(flags);
	level = upper_level(mm, start, &next, &upper);
	if (next <= start || next > end)
		next = end;
	if (level == MLKD_PGTABLE_LEAF) {
		*allowed = leaf_allows(upper.pud, upper.pmd, access);
		if (!pmd_none(upper.pmd))
			next = leaf_run(&upper, next, end, access, *allowed);
	} else if (level == MLKD_PGTABLE_PTES && access != MLKD_HUGE) {
		pte_t *pte = pte_offset_kernel(&upper.pmd, start);

		*allowed = pte_allows(ptep_get_lockless(pte), access);
		do {
			addr += PAGE_SIZE;
			pte++;
		} while (addr < next &&
			 pte_allows(ptep_get_lockless(pte), access) == *allowed);
		next = addr;
	}
	local_irq_restore(flags);
	return next;
}

/* What is in the way of an access to a page that is there; with @protnone, of any access. */
static enum memlockd_cause present_cause(bool protnone, bool write, bool writable)
{
	if (protnone)
		return MEMLOCKD_CAUSE_NUMA;
	if (write && !writable)
		return MEMLOCKD_CAUSE_WRITE_PROTECTED;
	if (mlkd_faults_for_flags())
		return MEMLOCKD_CAUSE_FLAGS;
	/* It has come since it was looked at. */
	return write ? MEMLOCKD_CAUSE_WRITE_PROTECTED : MEMLOCKD_CAUSE_NOT_MAPPED;
}

static enum memlockd_cause leaf_cause(pud_t pud, pmd_t pmd, bool write)
{
	/* What is not present is being migrated: no huge page is swapped out as one. */
	if (pmd_none(pmd))
		return pud_present(pud) ? present_cause(false, write, pud_write(pud)) :
					  MEMLOCKD_CAUSE_MIGRATION;
	return pmd_present(pmd) ? present_cause(pmd_protnone(pmd), write, pmd_write(pmd)) :
				  MEMLOCKD_CAUSE_MIGRATION;
}

static enum memlockd_cause pte_cause(pte_t pte, bool write)
{
	if (pte_present(pte))
		return present_cause(pte_protnone(pte), write, pte_write(pte));
	if (pte_none(pte))
		return MEMLOCKD_CAUSE_NOT_MAPPED;
	if (mlkd_pte_swapped(pte))
		return MEMLOCKD_CAUSE_SWAPPED;
	return mlkd_pte_migrates(pte) ? MEMLOCKD_CAUSE_MIGRATION : MEMLOCKD_CAUSE_NOT_MAPPED;
}

/**
 * mlkd_pgtable_cause - why an access would fault
 * @mm: address space; mmap_lock is held
 * @addr: the address
 * @write: it is a write
 *
 * Return: what the entry tells, which knows nothing of its mapping; a hint, as above.
 */
enum memlockd_cause mlkd_pgtable_cause(struct mm_struct *mm, unsigned long addr,
				       bool write)
{
	enum memlockd_cause cause = MEMLOCKD_CAUSE_NOT_MAPPED;
	unsigned long flags, next;
	enum mlkd_pgtable level;
	struct upper upper;

	lockdep_assert_held(&mm->mmap_lock);
	local_irq_save(flags);
	level = upper_level(mm, addr, &next, &upper);
	if (level == MLKD_PGTABLE_LEAF)
		cause = leaf_cause(upper.pud, upper.pmd, write);
	else if (level == MLKD_PGTABLE_PTES)
		cause = pte_cause(ptep_get_lockless(pte_offset_kernel(&upper.pmd, addr)), write);
	local_irq_restore(flags);
	return cause;
}

/* mlkd_pgtable_same() of a huge page, which begins before @start or there. */
static unsigned long leaf_same(pud_t pud, pmd_t pmd, unsigned long start,
			       unsigned long end, struct page **pages,
			       struct page *first)
{
	unsigned long pfn, addr;

	if (!leaf_allows(pud, pmd, MLKD_MAPPED))
		return start;
	if (!pmd_none(pmd))
		pfn = pmd_pfn(pmd) + ((start & ~PMD_MASK) >> PAGE_SHIFT);
	else
		pfn = pud_pfn(pud) + ((start & ~PUD_MASK) >> PAGE_SHIFT);
	if (!pages)
		return page_to_pfn(first) == pfn ? end : start;
	for (addr = start; addr < end; addr += PAGE_SIZE, pages++)
		if (!*pages || page_to_pfn(*pages) != pfn++)
			break;
	return addr;
}

static bool pte_maps(pte_t *entry, struct page *page)
{
	pte_t pte = ptep_get_lockless(entry);

	return page && pte_present(pte) && pte_pfn(pte) == page_to_pfn(page);
}

static unsigned long ptes_same(pmd_t pmd, unsigned long start, unsigned long end,
			       struct page **pages, struct page *first)
{
	pte_t *entry = pte_offset_kernel(&pmd, start);
	unsigned long i, nr = (end - start) >> PAGE_SHIFT;

	if (pages)
		for (i = 0; i < nr && pte_maps(entry + i, pages[i]); i++)
			;
	else
		for (i = 0; i < nr && pte_maps(entry + i, first + i); i++)
			;
	return start + i * PAGE_SIZE;
}

/**
 * mlkd_guarded - are there guard pages of MADV_GUARD_INSTALL?
 * @mm: address space; mmap_lock is held
 * @start: first address
 * @end: address behind the last; all of it lies in one mapping
 * @next: set to where they end
 *
 * Return: whether the first page is one; else nothing is set.
 */
bool mlkd_guarded(struct mm_struct *mm, unsigned long start, unsigned long end,
		  unsigned long *next)
{
	unsigned long run_end;
	bool guard;

	if (!MLKD_HAS_GUARDS)
		return false;
	run_end = mlkd_pgtable_run(mm, start, end, MLKD_GUARD, &guard);
	if (guard)
		*next = run_end;
	return guard;
}

/*
 * Says whether nothing at all is mapped at @addr: no page, and no mark of one that is being
 * migrated, or is swapped out.  Mmu notifiers call this: it needs no lock.
 */
bool mlkd_pgtable_empty(struct mm_struct *mm, unsigned long addr)
{
	unsigned long flags, next;
	enum mlkd_pgtable level;
	struct upper upper;
	bool empty;

	local_irq_save(flags);
	level = upper_level(mm, addr, &next, &upper);
	empty = level == MLKD_PGTABLE_NONE ||
		(level == MLKD_PGTABLE_PTES &&
		 pte_none(ptep_get_lockless(pte_offset_kernel(&upper.pmd, addr))));
	local_irq_restore(flags);
	return empty;
}

/**
 * mlkd_pgtable_same - how far just these pages are mapped
 * @mm: address space; mmap_lock is held
 * @start: first address
 * @end: address behind the last; all of it lies in one mapping, and under one table
 * @pages: the page for each, or NULL for none; or NULL
 * @first: without @pages: they are this one, and those behind it in a huge page
 *
 * Return: the first address at which there is none, or another; a hint, as above.
 */
unsigned long mlkd_pgtable_same(struct mm_struct *mm, unsigned long start,
				unsigned long end, struct page **pages,
				struct page *first)
{
	unsigned long flags, next;
	enum mlkd_pgtable level;
	struct upper upper;

	lockdep_assert_held(&mm->mmap_lock);
	local_irq_save(flags);
	level = upper_level(mm, start, &next, &upper);
	if (level == MLKD_PGTABLE_LEAF)
		end = leaf_same(upper.pud, upper.pmd, start, end, pages, first);
	else if (level == MLKD_PGTABLE_PTES)
		end = ptes_same(upper.pmd, start, end, pages, first);
	else
		end = start;
	local_irq_restore(flags);
	return end;
}

/**
 * mlkd_pgtable_same_huge - how many huge pages are mapped, each as one, in a row
 * @mm: address space; mmap_lock is held
 * @start: first address, where a PMD's range begins
 * @pages: the first page of each
 * @nr: how many; all of them lie in one mapping
 *
 * Looks no further than to the end of one table.
 *
 * Return: how many, from the first on; a hint, as above.
 */
unsigned int mlkd_pgtable_same_huge(struct mm_struct *mm, unsigned long start,
				    struct page **pages, unsigned int nr)
{
	unsigned long flags, next;
	struct upper upper;
	unsigned int i = 0;
	pmd_t *entry, pmd;

	lockdep_assert_held(&mm->mmap_lock);
	nr = min_t(unsigned long, nr, (PUD_SIZE - start % PUD_SIZE) / PMD_SIZE);
	local_irq_save(flags);
	if (upper_level(mm, start, &next, &upper) == MLKD_PGTABLE_LEAF &&
	    !pmd_none(upper.pmd)) {
		entry = upper.pmdp;
		pmd = upper.pmd;
		while (pmd_present(pmd) && pmd_leaf(pmd) &&
		       pmd_pfn(pmd) == page_to_pfn(pages[i]) && ++i < nr)
			pmd = READ_ONCE(*++entry);
	}
	local_irq_restore(flags);
	return i;
}

/* Takes a reference to the folio of @page; false if it is on its way out. */
static bool try_get(struct page *page, struct page **head)
{
	/* The pages of a device's memory are counted otherwise, and never mlocked. */
	if (is_zone_device_page(page))
		return false;
	*head = compound_head(page);
	return folio_try_get(page_folio(*head));
}

/**
 * mlkd_pgtable_get - get what is mapped
 * @mm: address space
 * @start: first address; set to where to go on
 * @end: address behind the last
 * @pages: set to the head of each page, with a reference; once for a huge page
 *	that is mapped as one
 * @max: room in @pages
 *
 * Looks no further than to the end of one table.  Leaves out what PUDs map, which
 * stays for good, and devices.  Needs no lock, as mmu notifiers, which call this, hold
 * none that would help.
 *
 * Return: how many.
 */
unsigned int mlkd_pgtable_get(struct mm_struct *mm, unsigned long *start,
			      unsigned long end, struct page **pages,
			      unsigned int max)
{
	unsigned long flags, next, addr = *start;
	enum mlkd_pgtable level;
	unsigned int nr = 0;
	struct upper upper;
	bool same = true;

	local_irq_save(flags);
	level = upper_level(mm, addr, &next, &upper);
	if (next <= addr || next > end)
		next = end;
	if (level == MLKD_PGTABLE_LEAF && pmd_trans_huge(upper.pmd) &&
	    !pmd_special(upper.pmd)) {
		struct page *page = pmd_page(upper.pmd);

		nr = try_get(page, pages);
		same = !nr || (pmd_val(upper.pmd) == pmd_val(READ_ONCE(*upper.pmdp)) &&
			       compound_head(page) == *pages);
		if (!same)
			next = addr;
	} else if (level == MLKD_PGTABLE_PTES) {
		pte_t *entry = pte_offset_kernel(&upper.pmd, addr);

		for (; addr < next && nr < max; addr += PAGE_SIZE, entry++) {
			pte_t pte = ptep_get_lockless(entry);
			struct page *page;

			if (!pte_present(pte) || pte_special(pte))
				continue;
			page = pte_page(pte);
			if (!try_get(page, &pages[nr]))
				continue;
			nr++;
			/* As in GUP-fast: the page may be somebody else's by now. */
			same = pte_same(pte, ptep_get_lockless(entry)) &&
			       compound_head(page) == pages[nr - 1];
			if (!same)
				break;
		}
		next = addr;
	}
	local_irq_restore(flags);
	/* This may free the page, so interrupts must be on.  It is looked at again. */
	if (!same)
		folio_put(page_folio(pages[--nr]));
	*start = next;
	return nr;
}
