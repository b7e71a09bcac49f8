/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A look at page tables.
 */
#ifndef _MEMLOCKD_PGTABLE_H
#define _MEMLOCKD_PGTABLE_H

#include <linux/jump_label.h>
#include <linux/memlockd.h>
#include <linux/mm_types.h>

enum mlkd_pgtable {
	MLKD_PGTABLE_NONE,	/* nothing is mapped */
	MLKD_PGTABLE_LEAF,	/* a PMD or more maps one huge page */
	MLKD_PGTABLE_PTES,	/* there is a table of PTEs */
};

/**
 * enum mlkd_access - what a page table entry may allow
 * @MLKD_GUARD: nothing; it is the mark of a guard page
 * @MLKD_USED: nothing; it is not empty
 * @MLKD_MAPPED: nothing; but there is a page
 * @MLKD_HUGE: nothing; but there is a huge page, mapped as one
 * @MLKD_SOFT_DIRTY: nothing; but there is a page that counts as written to
 * @MLKD_READ: an access that does not write
 * @MLKD_WRITE: one that does
 * @MLKD_READ_FLAGGED: @MLKD_READ, and the entry says already that it has been accessed
 * @MLKD_WRITE_FLAGGED: @MLKD_WRITE, and it says already that it has been written to
 * @MLKD_LOAD: a load by the processor, without a page fault that would give it the page: what
 *	mlkd_faultless() asks for, or a device's memory, or a guard page
 * @MLKD_STORE: a store, likewise
 */
enum mlkd_access {
	MLKD_GUARD,
	MLKD_USED,
	MLKD_MAPPED,
	MLKD_HUGE,
	MLKD_SOFT_DIRTY,
	MLKD_READ,
	MLKD_WRITE,
	MLKD_READ_FLAGGED,
	MLKD_WRITE_FLAGGED,
	MLKD_LOAD,
	MLKD_STORE,
};

/*
 * Processors note in the entry that a page has been accessed, and that it has been written
 * to.  Where one does not, the first access faults, and so does the first write.
 */
DECLARE_STATIC_KEY_FALSE(mlkd_flags_by_fault);

static inline bool mlkd_faults_for_flags(void)
{
	return static_branch_unlikely(&mlkd_flags_by_fault);
}

/* Returns what a page table entry has to allow, so that an access does not fault. */
static inline enum mlkd_access mlkd_faultless(bool write)
{
	if (mlkd_faults_for_flags())
		return write ? MLKD_WRITE_FLAGGED : MLKD_READ_FLAGGED;
	return write ? MLKD_WRITE : MLKD_READ;
}

void mlkd_pgtable_init(void);

enum mlkd_pgtable mlkd_pgtable_level(struct mm_struct *mm, unsigned long addr,
				     unsigned long *next);
unsigned long mlkd_pgtable_run(struct mm_struct *mm, unsigned long start,
			       unsigned long end, enum mlkd_access access,
			       bool *allowed);
enum memlockd_cause mlkd_pgtable_cause(struct mm_struct *mm, unsigned long addr,
				       bool write);
bool mlkd_guarded(struct mm_struct *mm, unsigned long start, unsigned long end,
		  unsigned long *next);
bool mlkd_pgtable_empty(struct mm_struct *mm, unsigned long addr);
unsigned long mlkd_pgtable_same(struct mm_struct *mm, unsigned long start,
				unsigned long end, struct page **pages,
				struct page *first);
unsigned int mlkd_pgtable_same_huge(struct mm_struct *mm, unsigned long start,
				    struct page **pages, unsigned int nr);
unsigned int mlkd_pgtable_get(struct mm_struct *mm, unsigned long *start,
			      unsigned long end, struct page **pages,
			      unsigned int max);

#endif /* _MEMLOCKD_PGTABLE_H */
