/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pins that are held on one address space.
 */
#ifndef _MEMLOCKD_PIN_H
#define _MEMLOCKD_PIN_H

#include <linux/mm_types.h>
#include <linux/xarray.h>

/* Pins are kept in chunks of what one page table maps. */
#define MLKD_CHUNK_PAGES	PTRS_PER_PTE
#define MLKD_CHUNK_SIZE		(PAGE_SIZE * MLKD_CHUNK_PAGES)

/* So many chunks that are a huge page each are handled at once. */
#define MLKD_MANY_HUGE		16

struct chunk;

/**
 * struct mlkd_pins - the pins that are held on one address space
 * @mm: the address space; not owned
 * @chunks: address / MLKD_CHUNK_SIZE -> struct chunk (private to pin.c)
 * @recent: the chunk that was looked for last, or NULL
 * @recent_index: its index
 * @nr_pages: pages that are pinned, and those that are kept with them
 * @nr_kept: of these, pages of large folios that are kept and not pinned
 * @nr_chunks: chunks there are
 * @nr_empty: chunks that stay although nothing in them is pinned
 * @nr_slots: page pointers that all their arrays have room for
 *
 * The lock of @chunks protects the chunks as well.  It is a leaf: taken with
 * mmap_lock held or not, from mmu notifiers, never held over anything that
 * sleeps, unpins, or frees a page.
 */
struct mlkd_pins {
	struct mm_struct *mm;
	struct xarray chunks;
	struct chunk *recent;
	unsigned long recent_index;
	unsigned int nr_empty;
	atomic_long_t nr_pages;
	atomic_long_t nr_kept;
	atomic_long_t nr_chunks;
	atomic_long_t nr_slots;
};

int mlkd_pins_init(void);
void mlkd_pins_exit(void);
long mlkd_pins_total(void);

void mlkd_pins_setup(struct mlkd_pins *pins, struct mm_struct *mm);
void mlkd_pins_destroy(struct mlkd_pins *pins);

int mlkd_pins_add(struct mlkd_pins *pins, unsigned long start,
		  struct page **pages, unsigned int nr);
int mlkd_pins_add_huge(struct mlkd_pins *pins, unsigned long start,
		       struct page **pages, unsigned int nr);
void mlkd_pins_drop(struct mlkd_pins *pins, unsigned long start,
		    unsigned long end, bool munlock);
unsigned long mlkd_pins_drop_chunk(struct mlkd_pins *pins, unsigned long start,
				   unsigned long end);
void mlkd_pins_drop_zapped(struct mlkd_pins *pins, unsigned long start,
			   unsigned long end, bool may_wait);
void mlkd_pins_let_go(struct mlkd_pins *pins, unsigned long start, unsigned long end);
bool mlkd_pins_any_rcu(struct mlkd_pins *pins, unsigned long start, unsigned long end);
void mlkd_pins_reap(struct mlkd_pins *pins, unsigned long start, unsigned long end);
unsigned long mlkd_pins_count(struct mlkd_pins *pins, unsigned long start,
			      unsigned long end);
unsigned long mlkd_pins_huge_end(struct mlkd_pins *pins, unsigned long start,
				 unsigned long end);
unsigned long mlkd_pins_next_gap(struct mlkd_pins *pins, unsigned long start,
				 unsigned long end, unsigned long *gap_end);
unsigned long mlkd_pins_next_other(struct mlkd_pins *pins, unsigned long start,
				   unsigned long end, unsigned long *other_end);
unsigned long mlkd_pins_count_mapped(struct mlkd_pins *pins, unsigned long start,
				     unsigned long end);
unsigned int mlkd_pins_get(struct mlkd_pins *pins, unsigned long start,
			   unsigned long end, struct page **pages, unsigned int max);
unsigned long mlkd_pins_first(struct mlkd_pins *pins, unsigned long start,
			      unsigned long end);
unsigned long mlkd_pins_last_end(struct mlkd_pins *pins, unsigned long start,
				 unsigned long end);
size_t mlkd_pins_bytes(struct mlkd_pins *pins);

#endif /* _MEMLOCKD_PIN_H */
