/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A look at the upper levels of a page table, which no exported function gives.
 */
#ifndef _MEMLOCKD_PGTABLE_H
#define _MEMLOCKD_PGTABLE_H

#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

enum mlkd_pgtable {
	MLKD_PGTABLE_NONE,	/* nothing is mapped */
	MLKD_PGTABLE_LEAF,	/* a PMD or more maps one huge page */
	MLKD_PGTABLE_PTES,	/* there is a table of PTEs */
};

/**
 * mlkd_pgtable_level - how @addr is mapped above the PTEs
 * @mm: address space; mmap_lock is held, and @addr lies in a mapping, so that
 *	the tables above the PTEs stay
 * @addr: the address
 * @next: set to where the entry that was looked at ends
 *
 * The answer is a hint: it can change as soon as it is given.
 */
static inline enum mlkd_pgtable mlkd_pgtable_level(struct mm_struct *mm,
						   unsigned long addr,
						   unsigned long *next)
{
	enum mlkd_pgtable ret = MLKD_PGTABLE_NONE;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	lockdep_assert_held(&mm->mmap_lock);

	/* Tables are freed after an interrupt to each CPU, as GUP-fast has it. */
	local_irq_save(flags);
	*next = ALIGN(addr + 1, PGDIR_SIZE);
	pgd = READ_ONCE(*pgd_offset(mm, addr));
	if (pgd_none(pgd))
		goto out;
	*next = ALIGN(addr + 1, P4D_SIZE);
	p4d = READ_ONCE(*p4d_offset(&pgd, addr));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	*next = ALIGN(addr + 1, PUD_SIZE);
	pud = READ_ONCE(*pud_offset(&p4d, addr));
	if (pud_none(pud))
		goto out;
	ret = MLKD_PGTABLE_LEAF;
	if (pud_leaf(pud) || !pud_present(pud))
		goto out;
	*next = ALIGN(addr + 1, PMD_SIZE);
	pmd = READ_ONCE(*pmd_offset(&pud, addr));
	if (pmd_none(pmd))
		ret = MLKD_PGTABLE_NONE;
	else if (!pmd_leaf(pmd) && pmd_present(pmd))
		ret = MLKD_PGTABLE_PTES;
out:
	local_irq_restore(flags);
	if (*next <= addr)	/* the end of the address space */
		*next = ULONG_MAX & PAGE_MASK;
	return ret;
}

#endif /* _MEMLOCKD_PGTABLE_H */
