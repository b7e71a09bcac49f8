// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pins that are held on one address space.
 *
 * The store mirrors the page tables: an xarray of chunks, each for the range of
 * one page table (2 MiB with 4 KiB pages).  A chunk knows its pages in one of
 * two ways, or in both when a part of a huge page has been unmapped and mapped
 * anew:
 *
 * - @pages, an array of page pointers: one pin each, 8 bytes a page, for as much
 *   of the chunk as there has been need for;
 * - @huge, one pin that stands for a whole huge page, with a bitmap of the base
 *   pages of it that are still mapped here.  The pin goes with the last of them.
 *
 * A page is in at most one of the two.  A pin that is added where there is one
 * already replaces that, so that adding again repairs an entry that went stale (as
 * when a uprobe puts another page there).  Whether the page tables have changed is
 * asked only for reports, and when mapped pages are munlocked.
 *
 * A pin on any page of a large folio keeps all of it: nothing splits a folio that has
 * references beside those of its mappings, and only a split frees a part of it.  Where a
 * part of a folio is not pinned here, because it has been unmapped, or is not wanted, the
 * folio counts as a whole nevertheless: what it has beyond the pages that are pinned is
 * called *kept*, and counts with these in VmPin and in all results, and alone against
 * RLIMIT_MEMLOCK, in which the pages that are mapped count by VM_LOCKED (space.c).  This
 * is found chunk by chunk: a folio that mremap(2) has spread over two counts in both.
 *
 * What is pinned of shared memory and of files is held as well (hold.c): once for each pin,
 * from before that is added here until it is dropped.  All other pages that are pinned are
 * anonymous, or of hugetlb.
 *
 * No kernel lets a module split a folio that is mapped by PTEs.  So such pages cannot be
 * taken out of their folio to be pinned alone; but they can be let go, and then the core
 * kernel splits the folio when memory is short, as it does after mlock(2).
 *
 * The store takes a little over 8 bytes for a base page, and below 100 for a huge
 * page.  This memory is charged to the memory cgroup of the caller who locks.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "hold.h"
#include "munlock.h"
#include "pgtable.h"
#include "pin.h"

struct chunk {
	struct page **pages;		/* of @nr_slots slots from @first on */
	struct page *huge;
	DECLARE_BITMAP(huge_map, MLKD_CHUNK_PAGES);
	unsigned short first;
	unsigned short nr_slots;
	unsigned short nr_pages;	/* entries of @pages that are set */
	unsigned short nr_huge;		/* bits of @huge_map that are set */
	unsigned int nr_kept;		/* pages that the pins keep and that have none */
	bool large;			/* @pages may have some of large folios */
	bool spare;			/* it is empty, and counted as such */
};

/* The smallest array has so many slots, and each larger one so many times more. */
#define MIN_SLOTS	8
#define MORE_SLOTS	8

/*
 * A client whose memory cgroup is too small for the store gets an error.  Without
 * __GFP_RETRY_MAYFAIL the OOM killer would look for a process to kill.
 */
#define GFP_PINS	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* So many chunks are kept when their last page goes, as another page may soon come. */
#define MAX_EMPTY	16

/* So many chunks that are wholly pinned are counted under one lock. */
#define MANY_FULL	64

static struct kmem_cache *chunk_cache;
static atomic_long_t pinned_total;

int __init mlkd_pins_init(void)
{
	int err = mlkd_hold_init();

	if (err)
		return err;
	chunk_cache = kmem_cache_create("memlockd_chunk", sizeof(struct chunk), 0,
					SLAB_ACCOUNT, NULL);
	if (!chunk_cache)
		mlkd_hold_exit();
	return chunk_cache ? 0 : -ENOMEM;
}

void mlkd_pins_exit(void)
{
	kmem_cache_destroy(chunk_cache);
	mlkd_hold_exit();
}

/* Returns how many base pages this driver has pinned or keeps, system-wide. */
long mlkd_pins_total(void)
{
	return atomic_long_read(&pinned_total);
}

void mlkd_pins_setup(struct mlkd_pins *pins, struct mm_struct *mm)
{
	pins->mm = mm;
	xa_init_flags(&pins->chunks, XA_FLAGS_ACCOUNT);
}

/* Every pin has been dropped: only emptied chunks are left to free. */
void mlkd_pins_destroy(struct mlkd_pins *pins)
{
	WARN_ON_ONCE(atomic_long_read(&pins->nr_pages));
	mlkd_pins_drop(pins, 0, ULONG_MAX, false);
	xa_destroy(&pins->chunks);
}

/* Counts @nr pages more, of which @kept are not pinned themselves. */
static void pins_account(struct mlkd_pins *pins, long nr, long kept)
{
	if (kept)
		atomic_long_add(kept, &pins->nr_kept);
	if (!nr)
		return;
	atomic_long_add(nr, &pins->nr_pages);
	atomic_long_add(nr, &pinned_total);
	atomic64_add(nr, &pins->mm->pinned_vm);		/* VmPin */
}

static void unpin(struct page **pages, unsigned int nr, bool munlock)
{
	if (!nr)
		return;
	mlkd_let_go(pages, nr);
	if (munlock)
		mlkd_munlock_pages(pages, nr);
	unpin_user_pages(pages, nr);
}

static unsigned long chunk_index(unsigned long addr)
{
	return addr / MLKD_CHUNK_SIZE;
}

static unsigned int chunk_slot(unsigned long addr)
{
	return (addr % MLKD_CHUNK_SIZE) >> PAGE_SHIFT;
}

static bool chunk_empty(struct chunk *c)
{
	return !c->nr_pages && !c->huge;
}

/* Returns the entry of @slot, or NULL where the array does not reach. */
static struct page **chunk_entry(struct chunk *c, unsigned int slot)
{
	unsigned int i = slot - c->first;

	return i < c->nr_slots ? &c->pages[i] : NULL;
}

static bool chunk_has(struct chunk *c, unsigned int slot)
{
	struct page **entry = chunk_entry(c, slot);

	return (entry && *entry) || (c->huge && test_bit(slot, c->huge_map));
}

static bool chunk_full(struct chunk *c)
{
	return c->nr_pages + c->nr_huge == MLKD_CHUNK_PAGES;
}

/*
 * Returns the chunk of @index, or NULL; the xarray is locked.  Often it is the chunk that
 * was looked for last.
 */
static struct chunk *chunk_find(struct mlkd_pins *pins, unsigned long index)
{
	if (!pins->recent || pins->recent_index != index) {
		pins->recent = xa_load(&pins->chunks, index);
		pins->recent_index = index;
	}
	return pins->recent;
}

static void chunk_erase(struct mlkd_pins *pins, unsigned long index)
{
	__xa_erase(&pins->chunks, index);
	pins->recent = NULL;
}

/* Notes whether @c stays although it is empty. */
static void chunk_set_spare(struct mlkd_pins *pins, struct chunk *c, bool spare)
{
	pins->nr_empty += spare - c->spare;
	c->spare = spare;
}

/*
 * Takes @c, if nothing in it is pinned any more, out of the store, and returns it to be
 * freed; or leaves it there for the next page.
 */
static struct chunk *chunk_end(struct mlkd_pins *pins, struct chunk *c, unsigned long index)
{
	if (!chunk_empty(c))
		return NULL;
	if (pins->nr_empty < MAX_EMPTY || c->spare) {
		chunk_set_spare(pins, c, true);
		return NULL;
	}
	chunk_erase(pins, index);
	return c;
}

static void chunk_free(struct mlkd_pins *pins, struct chunk *c)
{
	if (!c)
		return;
	atomic_long_dec(&pins->nr_chunks);
	atomic_long_sub(c->nr_slots, &pins->nr_slots);
	kfree(c->pages);
	kmem_cache_free(chunk_cache, c);
}

/*
 * Returns how large an array has to be, and at which slot it begins, to have @nr slots
 * from @slot on beside those it has now; 0 if the array will do as it is.
 */
static unsigned int slots_needed(struct chunk *c, unsigned int slot,
				 unsigned int nr, unsigned int *first)
{
	unsigned int end = slot + nr, size = MIN_SLOTS;

	if (c && c->nr_slots) {
		if (slot >= c->first && end <= c->first + c->nr_slots)
			return 0;
		slot = min_t(unsigned int, slot, c->first);
		end = max_t(unsigned int, end, c->first + c->nr_slots);
	}
	while (size < MLKD_CHUNK_PAGES && (slot & ~(size - 1)) + size < end)
		size *= MORE_SLOTS;
	*first = slot & ~(size - 1);
	return min_t(unsigned int, size, MLKD_CHUNK_PAGES);
}

/* Gives @c a larger array, and returns its old one. */
static struct page **slots_swap(struct mlkd_pins *pins, struct chunk *c,
				struct page **pages, unsigned int first,
				unsigned int size)
{
	struct page **old = c->pages;

	memcpy(pages + (c->nr_slots ? c->first - first : 0), old,
	       c->nr_slots * sizeof(*old));
	atomic_long_add(size - c->nr_slots, &pins->nr_slots);
	c->pages = pages;
	c->first = first;
	c->nr_slots = size;
	return old;
}

/*
 * Finds or makes the chunk of @addr, with room for @nr pages from there on in its
 * array.  Returns it, or NULL for want of memory, with the xarray locked.
 */
static struct chunk *chunk_lock(struct mlkd_pins *pins, unsigned long addr,
				unsigned int nr)
	__acquires(&pins->chunks.xa_lock)
{
	unsigned int first, needed, size = 0;
	struct chunk *c, *new = NULL;
	struct page **pages = NULL;
	bool nomem = false;

	xa_lock(&pins->chunks);
	for (;;) {
		if (new) {
			/* This may unlock for a moment, to allocate. */
			c = __xa_cmpxchg(&pins->chunks, chunk_index(addr), NULL,
					 new, GFP_PINS);
			if (xa_is_err(c)) {
				c = NULL;
				nomem = true;
			} else if (!c) {
				swap(c, new);
				atomic_long_inc(&pins->nr_chunks);
				pins->recent = c;
				pins->recent_index = chunk_index(addr);
			}
		} else {
			c = chunk_find(pins, chunk_index(addr));
		}
		needed = slots_needed(c, chunk_slot(addr), nr, &first);
		if (c && needed && needed <= size) {
			pages = slots_swap(pins, c, pages, first, needed);
			needed = 0;
		}
		if (nomem || (c && !needed))
			break;

		xa_unlock(&pins->chunks);
		if (!c && !new)
			new = kmem_cache_zalloc(chunk_cache, GFP_PINS);
		if (needed > size) {
			kfree(pages);
			pages = kcalloc(needed, sizeof(*pages), GFP_PINS);
			size = needed;
		}
		nomem = (!c && !new) || (size && !pages);
		xa_lock(&pins->chunks);
		if (nomem) {
			c = NULL;
			break;
		}
	}
	/* These are left over, and can be freed here, as that never sleeps. */
	kfree(pages);
	if (new)
		kmem_cache_free(chunk_cache, new);
	return c;
}

/* Takes base page @slot off the huge page; returns that once no base page is left. */
static struct page *huge_clear(struct chunk *c, unsigned int slot)
{
	struct page *huge = c->huge;

	__clear_bit(slot, c->huge_map);
	if (--c->nr_huge)
		return NULL;
	c->huge = NULL;
	return huge;
}

/* Returns how many pages of its folio are kept when @nr are pinned, @page among them. */
static unsigned int kept_with(struct page *page, unsigned int nr)
{
	struct folio *folio = page_folio(page);
	unsigned int size = folio_nr_pages(folio);

	/* hugetlb is mapped and unmapped in whole pages, and counts for no limit. */
	if (size == 1 || !folio_test_anon(folio) || folio_test_hugetlb(folio))
		return 0;
	return size - min(nr, size);
}

/*
 * Finds the next large folio in the array of @c, from entry *@i on, which is set to its
 * first page.  Returns how many of its pages are there, and sets *@end to where the next
 * large folio may begin; 0 if there is none.  Small pages may have taken the place of some.
 */
static unsigned int next_large(struct chunk *c, unsigned int *i, unsigned int *end)
{
	struct folio *folio = NULL;
	unsigned int at, nr = 0;

	for (at = *i; at < c->nr_slots; at++) {
		struct page *page = c->pages[at];

		if (!page || !PageCompound(page))
			continue;
		if (!folio) {
			folio = page_folio(page);
			*i = at;
		}
		if (page_folio(page) != folio)
			break;
		nr++;
	}
	*end = at;
	return nr;
}

/* Is @page one of the folio that @c has pinned as a huge page? */
static bool is_of_huge(struct chunk *c, struct page *page)
{
	return c->huge && page_folio(c->huge) == page_folio(page);
}

/* Counts again what the pins of @c keep. Returns how much more that is than before. */
static long chunk_count_kept(struct chunk *c)
{
	unsigned int i = 0, end, nr, kept = 0, before = c->nr_kept;
	bool counted = !c->huge;

	if (c->large) {
		c->large = false;
		for (; (nr = next_large(c, &i, &end)); i = end) {
			bool of_huge = is_of_huge(c, c->pages[i]);

			kept += kept_with(c->pages[i], nr + (of_huge ? c->nr_huge : 0));
			counted |= of_huge;
			c->large = true;
		}
	}
	if (!counted)
		kept += kept_with(c->huge, c->nr_huge);
	c->nr_kept = kept;
	return (long)kept - before;
}

/**
 * mlkd_pins_add - remember pins
 * @pins: the pins of the address space
 * @start: address of the first page
 * @pages: the pages, pinned once each for this call, which takes the pins over
 *	whatever it returns; used as scratch space
 * @nr: how many; they do not reach beyond the chunk of @start
 *
 * The caller holds mmap_lock, so that the range cannot be unmapped meanwhile.
 *
 * Return: 0, or -ENOMEM with all of @pages unpinned.
 */
int mlkd_pins_add(struct mlkd_pins *pins, unsigned long start,
		  struct page **pages, unsigned int nr)
{
	unsigned int slot = chunk_slot(start), i, nr_surplus = 0;
	struct page *huge = NULL, **entries;
	struct chunk *c;
	long added = 0, kept;

	lockdep_assert_held(&pins->mm->mmap_lock);

	c = chunk_lock(pins, start, nr);
	if (!c) {
		xa_unlock(&pins->chunks);
		unpin(pages, nr, false);
		return -ENOMEM;
	}
	chunk_set_spare(pins, c, false);
	entries = chunk_entry(c, slot);
	for (i = 0; i < nr; i++, slot++) {
		struct page *page = pages[i], *old = entries[i];

		if (c->huge && test_bit(slot, c->huge_map)) {
			if (c->huge + slot == page) {
				pages[nr_surplus++] = page;
				continue;
			}
			huge = huge_clear(c, slot) ?: huge;
			added--;
		}
		entries[i] = page;
		c->large |= PageCompound(page);
		if (old) {
			pages[nr_surplus++] = old;
		} else {
			c->nr_pages++;
			added++;
		}
	}
	kept = chunk_count_kept(c);
	xa_unlock(&pins->chunks);

	pins_account(pins, added + kept, kept);
	if (nr_surplus)
		unpin(pages, nr_surplus, false);
	if (huge)
		unpin(&huge, 1, false);
	return 0;
}

/* Moves the entries of @pages that are set to its start. Returns how many these are. */
static unsigned int pages_compact(struct page **pages, unsigned int nr)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++)
		if (pages[i])
			pages[n++] = pages[i];
	return n;
}

/* Frees up to MLKD_MANY_HUGE chunks that are out of the store, with all their pins. */
static void chunks_unpin(struct mlkd_pins *pins, struct chunk **chunks,
			 unsigned int nr, bool munlock, bool blockable)
{
	struct page *huge[MLKD_MANY_HUGE];
	unsigned int i, nr_huge = 0;
	long pinned = 0, kept = 0, slots = 0;

	for (i = 0; i < nr; i++) {
		struct chunk *c = chunks[i];

		if (c->nr_pages) {
			unpin(c->pages, pages_compact(c->pages, c->nr_slots), munlock);
			if (blockable)
				cond_resched();
		}
		if (c->huge)
			huge[nr_huge++] = c->huge;
		pinned += c->nr_pages + c->nr_huge;
		kept += c->nr_kept;
		slots += c->nr_slots;
		kfree(c->pages);
	}
	unpin(huge, nr_huge, munlock);
	pins_account(pins, -pinned - kept, -kept);
	atomic_long_sub(slots, &pins->nr_slots);
	atomic_long_sub(nr, &pins->nr_chunks);
	if (nr)
		kmem_cache_free_bulk(chunk_cache, nr, (void **)chunks);
}

/**
 * mlkd_pins_add_huge - remember one pin for each of some whole chunks
 * @pins: the pins of the address space
 * @start: address of the first chunk
 * @pages: the first page of each chunk, pinned once for this call, which takes the
 *	pins over whatever it returns; the rest of the chunk lies behind that in
 *	the same huge page
 * @nr: how many; not 0, MLKD_MANY_HUGE at most
 *
 * The caller holds mmap_lock.
 *
 * Return: 0, or -ENOMEM with all those unpinned that there was no memory for.
 */
int mlkd_pins_add_huge(struct mlkd_pins *pins, unsigned long start,
		       struct page **pages, unsigned int nr)
{
	struct chunk *chunks[MLKD_MANY_HUGE], *old[MLKD_MANY_HUGE];
	XA_STATE(xas, &pins->chunks, chunk_index(start));
	unsigned int i, nr_old = 0;

	lockdep_assert_held(&pins->mm->mmap_lock);
	if (!kmem_cache_alloc_bulk(chunk_cache, GFP_PINS | __GFP_ZERO, nr,
				   (void **)chunks)) {
		unpin(pages, nr, false);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++) {
		chunks[i]->huge = pages[i];
		bitmap_fill(chunks[i]->huge_map, MLKD_CHUNK_PAGES);
		chunks[i]->nr_huge = MLKD_CHUNK_PAGES;
	}

	i = 0;
	do {
		xas_lock(&xas);
		pins->recent = NULL;
		for (; i < nr; i++, xas_next(&xas)) {
			struct chunk *c = xas_store(&xas, chunks[i]);

			if (xas_error(&xas))
				break;
			if (!c)
				continue;
			chunk_set_spare(pins, c, false);
			old[nr_old++] = c;
		}
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_PINS));

	atomic_long_add(i, &pins->nr_chunks);
	pins_account(pins, (long)i * MLKD_CHUNK_PAGES, 0);
	chunks_unpin(pins, old, nr_old, false, true);
	if (i == nr)
		return 0;
	unpin(pages + i, nr - i, false);
	kmem_cache_free_bulk(chunk_cache, nr - i, (void **)(chunks + i));
	return -ENOMEM;
}

/*
 * Has the page in @slot of chunk number @index been taken away?  Then nobody maps it, and
 * nothing is in its place.  Either alone can be so for a moment, while a page is migrated,
 * or collapsed, or changed in its rights.  Others may map a page that is held, which is
 * not migrated.
 */
static bool slot_zapped(struct mlkd_pins *pins, struct chunk *c, unsigned long index,
			unsigned int slot)
{
	struct page *page = c->huge && test_bit(slot, c->huge_map) ?
				    c->huge : *chunk_entry(c, slot);
	struct folio *folio = page_folio(page);

	return (mlkd_may_be_held(folio) || !folio_mapped(folio)) &&
	       mlkd_pgtable_empty(pins->mm, index * MLKD_CHUNK_SIZE + slot * PAGE_SIZE);
}

/*
 * Takes up to @max pages of @c, in [*slot, end), out of it; with @pins, of which it is
 * number @index, only what has been zapped.
 */
static unsigned int chunk_take(struct chunk *c, unsigned int *slot,
			       unsigned int end, struct page **pages,
			       unsigned int max, struct page **huge,
			       long *dropped, struct mlkd_pins *pins, unsigned long index)
{
	unsigned int n = 0;

	if (!c->huge)
		*slot = clamp_t(unsigned int, c->first, *slot, end);
	for (; *slot < end && n < max; (*slot)++) {
		struct page **entry = chunk_entry(c, *slot);

		if (pins && chunk_has(c, *slot) && !slot_zapped(pins, c, index, *slot))
			continue;
		if (c->huge && test_bit(*slot, c->huge_map)) {
			*huge = huge_clear(c, *slot) ?: *huge;
			++*dropped;
		} else if (entry && *entry) {
			pages[n++] = *entry;
			*entry = NULL;
			c->nr_pages--;
			++*dropped;
		} else if (!entry && !c->huge) {
			*slot = end;
			break;
		}
	}
	return n;
}

/* Takes up to MLKD_MANY_HUGE chunks, from @index to @last, out of the store. */
static unsigned int chunks_take(struct mlkd_pins *pins, unsigned long index,
				unsigned long last, struct chunk **chunks)
{
	XA_STATE(xas, &pins->chunks, index);
	struct chunk *c;
	unsigned int n = 0;

	xas_lock(&xas);
	pins->recent = NULL;
	xas_for_each(&xas, c, last) {
		chunk_set_spare(pins, c, false);
		xas_store(&xas, NULL);
		chunks[n++] = c;
		if (n == MLKD_MANY_HUGE)
			break;
	}
	xas_unlock(&xas);
	return n;
}

/* Gives back all pins of the chunks from @index to @last. */
static void drop_chunks(struct mlkd_pins *pins, unsigned long index,
			unsigned long last, bool munlock, bool blockable)
{
	struct chunk *chunks[MLKD_MANY_HUGE];
	unsigned int n;

	do {
		n = chunks_take(pins, index, last, chunks);
		chunks_unpin(pins, chunks, n, munlock, blockable);
		if (blockable)
			cond_resched();
	} while (n == MLKD_MANY_HUGE);
}

/* Gives back the pins of slots [@slot, @end) of chunk number @index, or of what is zapped. */
static void drop_slots(struct mlkd_pins *pins, unsigned long index, unsigned int slot,
		       unsigned int end, bool munlock, bool zapped)
{
	while (slot < end) {
		struct page *pages[32], *huge = NULL;
		struct chunk *c, *empty = NULL;
		long dropped = 0, kept = 0;
		unsigned int n;

		xa_lock(&pins->chunks);
		c = chunk_find(pins, index);
		if (!c) {
			xa_unlock(&pins->chunks);
			return;
		}
		n = chunk_take(c, &slot, end, pages, ARRAY_SIZE(pages), &huge,
			       &dropped, zapped ? pins : NULL, index);
		if (dropped) {
			kept = chunk_count_kept(c);
			empty = chunk_end(pins, c, index);
		}
		xa_unlock(&pins->chunks);

		unpin(pages, n, munlock);
		if (huge)
			unpin(&huge, 1, munlock);
		pins_account(pins, kept - dropped, kept);
		chunk_free(pins, empty);
	}
}

/* Takes what keeps more than itself out of @c, up to @max pages beside a huge page. */
static unsigned int chunk_take_keeping(struct chunk *c, struct page **pages,
				       unsigned int max, struct page **huge, long *dropped)
{
	unsigned int i = 0, end, nr, n = 0;
	bool whole = !c->huge;

	for (; n < max && (nr = next_large(c, &i, &end)); i = end) {
		bool of_huge = is_of_huge(c, c->pages[i]);

		if (!kept_with(c->pages[i], nr + (of_huge ? c->nr_huge : 0))) {
			whole |= of_huge;
			continue;
		}
		for (; i < end && n < max; i++) {
			if (!c->pages[i] || !PageCompound(c->pages[i]))
				continue;
			pages[n++] = c->pages[i];
			c->pages[i] = NULL;
			c->nr_pages--;
			++*dropped;
		}
	}
	if (n < max && !whole && kept_with(c->huge, c->nr_huge)) {
		*huge = c->huge;
		*dropped += c->nr_huge;
		c->huge = NULL;
		c->nr_huge = 0;
		bitmap_zero(c->huge_map, MLKD_CHUNK_PAGES);
	}
	return n;
}

/* Gives back those pins of chunk number @index that keep more than their pages. */
static void chunk_let_go(struct mlkd_pins *pins, unsigned long index)
{
	struct page *pages[32], *huge;
	struct chunk *c, *empty;
	long dropped, kept;
	unsigned int n;

	do {
		huge = NULL;
		empty = NULL;
		dropped = 0;
		kept = 0;
		n = 0;
		xa_lock(&pins->chunks);
		c = chunk_find(pins, index);
		if (c && c->nr_kept) {
			n = chunk_take_keeping(c, pages, ARRAY_SIZE(pages), &huge, &dropped);
			kept = chunk_count_kept(c);
			empty = chunk_end(pins, c, index);
		}
		xa_unlock(&pins->chunks);
		unpin(pages, n, false);
		if (huge)
			unpin(&huge, 1, false);
		pins_account(pins, kept - dropped, kept);
		chunk_free(pins, empty);
	} while (n == ARRAY_SIZE(pages));
}

/**
 * mlkd_pins_let_go - give those pins back that keep more than their pages
 * @pins: the pins of the address space
 * @start: first address
 * @end: address behind the last; where a chunk has a part of that, all of it is looked at
 *
 * The pages stay mapped.
 */
void mlkd_pins_let_go(struct mlkd_pins *pins, unsigned long start, unsigned long end)
{
	unsigned long index, first = chunk_index(start), last = chunk_index(end - 1);
	struct chunk *c;

	xa_for_each_range(&pins->chunks, index, c, first, last) {
		chunk_let_go(pins, index);
		cond_resched();
	}
}

/**
 * mlkd_pins_any_rcu - may anything be pinned in the chunks that a range touches?
 * @pins: the pins of the address space
 * @start: first address
 * @end: address behind the last
 *
 * For probes: takes no lock.  What it finds may be out of date.  A chunk of which nothing is
 * pinned may be there still, until its whole range is dropped.
 */
bool mlkd_pins_any_rcu(struct mlkd_pins *pins, unsigned long start, unsigned long end)
{
	unsigned long index = chunk_index(start);

	return xa_find(&pins->chunks, &index, chunk_index(end - 1), XA_PRESENT);
}

static void drop(struct mlkd_pins *pins, unsigned long start, unsigned long end,
		 bool munlock, bool blockable)
{
	unsigned long index, last;
	unsigned int slot, slot_end;

	if (start >= end)
		return;

	index = chunk_index(start);
	last = chunk_index(end - 1);
	slot = chunk_slot(start);
	slot_end = chunk_slot(end - 1) + 1;
	if (index == last && (slot || slot_end < MLKD_CHUNK_PAGES)) {
		drop_slots(pins, index, slot, slot_end, munlock, false);
		return;
	}
	if (slot)
		drop_slots(pins, index++, slot, MLKD_CHUNK_PAGES, munlock, false);
	if (slot_end < MLKD_CHUNK_PAGES)
		drop_slots(pins, last--, 0, slot_end, munlock, false);
	if (index <= last)
		drop_chunks(pins, index, last, munlock, blockable);
}

/**
 * mlkd_pins_drop - give pins back
 * @pins: the pins of the address space
 * @start: first address
 * @end: address behind the last
 * @munlock: the pages are to be munlocked as well
 *
 * Mmu notifiers call this, too: it takes only the leaf lock, and allocates nothing.
 * The pin of a large folio goes with the last part of it.
 */
void mlkd_pins_drop(struct mlkd_pins *pins, unsigned long start,
		    unsigned long end, bool munlock)
{
	drop(pins, start, end, munlock, true);
}

/* The same for the OOM reaper, which may not be kept waiting. */
void mlkd_pins_reap(struct mlkd_pins *pins, unsigned long start, unsigned long end)
{
	drop(pins, start, end, false, false);
}

/**
 * mlkd_pins_drop_chunk - give the pins of one chunk back
 * @pins: the pins of the address space
 * @start: first address
 * @end: address behind the last
 *
 * For who holds mmap_lock meanwhile, and has to look at the clock.
 *
 * Return: where to go on: the end of the chunk; the next one in which there may be something
 * if there is nothing in this one; @end if there is none.
 */
unsigned long mlkd_pins_drop_chunk(struct mlkd_pins *pins, unsigned long start,
				   unsigned long end)
{
	unsigned long index = chunk_index(start), stop;

	if (!xa_find(&pins->chunks, &index, chunk_index(end - 1), XA_PRESENT))
		return end;
	if (index > chunk_index(start))
		return index * MLKD_CHUNK_SIZE;
	stop = min(end - 1, start | (MLKD_CHUNK_SIZE - 1)) + 1;
	drop(pins, start, stop, false, true);
	return stop;
}

/**
 * mlkd_pins_drop_zapped - give the pins of pages back that have been taken away
 * @pins: the pins of the address space
 * @start: first address
 * @end: address behind the last
 * @may_wait: the caller may give up the processor
 *
 * A file that is cut, or MADV_DONTNEED, takes pages away.  Others come in their place, and
 * the process would have twice as much memory as it is charged for.
 *
 * Mmu notifiers call this, for each page that is reclaimed or migrated as well, which then
 * is mapped, or has left a mark.
 */
void mlkd_pins_drop_zapped(struct mlkd_pins *pins, unsigned long start,
			   unsigned long end, bool may_wait)
{
	unsigned long index, first = chunk_index(start), last = chunk_index(end - 1);
	struct chunk *c;

	xa_for_each_range(&pins->chunks, index, c, first, last) {
		drop_slots(pins, index, index == first ? chunk_slot(start) : 0,
			   index == last ? chunk_slot(end - 1) + 1 : MLKD_CHUNK_PAGES, false,
			   true);
		if (may_wait)
			cond_resched();
	}
}

/* Returns how many pages of @c in [slot, end) are pinned. */
static unsigned long chunk_count(struct chunk *c, unsigned int slot,
				 unsigned int end)
{
	unsigned long count = 0;

	if (chunk_full(c))
		return end - slot;
	for (; slot < end; slot++)
		count += chunk_has(c, slot);
	return count;
}

/* Returns how many base pages in [@start, @end) are pinned. */
unsigned long mlkd_pins_count(struct mlkd_pins *pins, unsigned long start,
			      unsigned long end)
{
	XA_STATE(xas, &pins->chunks, chunk_index(start));
	unsigned long index, last, count = 0;
	unsigned int full = 0;
	struct chunk *c;

	if (start >= end)
		return 0;

	index = chunk_index(start);
	last = chunk_index(end - 1);
	if (index == last) {
		xa_lock(&pins->chunks);
		c = chunk_find(pins, index);
		if (c)
			count = chunk_count(c, chunk_slot(start), chunk_slot(end - 1) + 1);
		xa_unlock(&pins->chunks);
		return count;
	}

	xas_lock(&xas);
	xas_for_each(&xas, c, last) {
		count += chunk_count(c, xas.xa_index == index ? chunk_slot(start) : 0,
				     xas.xa_index < last ? MLKD_CHUNK_PAGES :
							   chunk_slot(end - 1) + 1);
		if (chunk_full(c) && ++full % MANY_FULL)
			continue;
		xas_pause(&xas);
		xas_unlock(&xas);
		cond_resched();
		xas_lock(&xas);
	}
	xas_unlock(&xas);
	return count;
}

/* Returns how far every page from @addr on, in @c, is pinned. */
static unsigned long chunk_pinned_end(struct mlkd_pins *pins, struct chunk *c,
				      unsigned long addr, unsigned long end)
{
	if (chunk_full(c))
		return end;
	while (addr < end && chunk_has(c, chunk_slot(addr)))
		addr += PAGE_SIZE;
	return addr;
}

/* Returns how far every page from @addr on, in @c, is pinned, and mapped where it was pinned. */
static unsigned long chunk_mapped_end(struct mlkd_pins *pins, struct chunk *c,
				      unsigned long addr, unsigned long end)
{
	unsigned int slot = chunk_slot(addr), stop = chunk_slot(end - 1) + 1;
	struct page **entry = chunk_entry(c, slot);

	if (c->huge && test_bit(slot, c->huge_map)) {
		stop = find_next_zero_bit(c->huge_map, stop, slot);
		return mlkd_pgtable_same(pins->mm, addr,
					 addr + (stop - slot) * PAGE_SIZE, NULL,
					 c->huge + slot);
	}
	if (!entry || !*entry)
		return addr;
	stop = min_t(unsigned int, stop, c->first + c->nr_slots);
	return mlkd_pgtable_same(pins->mm, addr, addr + (stop - slot) * PAGE_SIZE,
				 entry, NULL);
}

/* Returns the start of the first gap that @held_end leaves; its end is in *@gap_end. */
static __always_inline unsigned long
next_gap(struct mlkd_pins *pins, unsigned long start, unsigned long end,
	 unsigned long *gap_end,
	 unsigned long (*held_end)(struct mlkd_pins *pins, struct chunk *c,
				   unsigned long addr, unsigned long end))
{
	unsigned long gap = start, addr = end, next;
	struct chunk *c;

	xa_lock(&pins->chunks);
	c = chunk_find(pins, chunk_index(start));
	if (c && !chunk_empty(c)) {
		while (gap < end && (next = held_end(pins, c, gap, end)) > gap)
			gap = next;
		addr = gap;
		while (addr < end && held_end(pins, c, addr, addr + PAGE_SIZE) == addr)
			addr += PAGE_SIZE;
	}
	xa_unlock(&pins->chunks);
	*gap_end = addr;
	return gap;
}

/**
 * mlkd_pins_next_gap - find what is not pinned
 * @pins: the pins of the address space
 * @start: first address to look at
 * @end: address behind the last; in the same chunk
 * @gap_end: set to the end of the gap
 *
 * Return: where the first gap starts; @end if there is none.
 */
unsigned long mlkd_pins_next_gap(struct mlkd_pins *pins, unsigned long start,
				 unsigned long end, unsigned long *gap_end)
{
	return next_gap(pins, start, end, gap_end, chunk_pinned_end);
}

/**
 * mlkd_pins_next_other - find where no page is mapped that is pinned for it
 * @pins: the pins of the address space; mmap_lock is held
 * @start: first address to look at
 * @end: address behind the last; in the same chunk
 * @other_end: set to the end of what has been found
 *
 * Return: where it starts; @end if there is none.
 */
unsigned long mlkd_pins_next_other(struct mlkd_pins *pins, unsigned long start,
				   unsigned long end, unsigned long *other_end)
{
	return next_gap(pins, start, end, other_end, chunk_mapped_end);
}

/* Returns how many pages in [@start, @end) are mapped and pinned; mmap_lock is held. */
unsigned long mlkd_pins_count_mapped(struct mlkd_pins *pins, unsigned long start,
				     unsigned long end)
{
	unsigned long stop, other, other_end, count = 0;

	while (start < end) {
		stop = min(end - 1, start | (MLKD_CHUNK_SIZE - 1)) + 1;
		other = mlkd_pins_next_other(pins, start, stop, &other_end);
		count += (other - start) >> PAGE_SHIFT;
		start = other_end;
	}
	return count;
}

/*
 * Returns how far, from the start of a chunk on, each chunk is one huge page that is
 * pinned and mapped; @start if the first is not.  Looks at MLKD_MANY_HUGE at most.
 */
unsigned long mlkd_pins_huge_end(struct mlkd_pins *pins, unsigned long start,
				 unsigned long end)
{
	XA_STATE(xas, &pins->chunks, chunk_index(start));
	struct page *huge[MLKD_MANY_HUGE];
	unsigned int nr = 0, max;
	struct chunk *c;

	if (start % MLKD_CHUNK_SIZE)
		return start;
	max = min_t(unsigned long, MLKD_MANY_HUGE, (end - start) / MLKD_CHUNK_SIZE);
	xas_lock(&xas);
	for (c = xas_load(&xas); nr < max && c; c = xas_next(&xas)) {
		if (c->nr_huge < MLKD_CHUNK_PAGES)
			break;
		huge[nr++] = c->huge;
	}
	xas_unlock(&xas);
	if (nr)
		nr = mlkd_pgtable_same_huge(pins->mm, start, huge, nr);
	return start + nr * MLKD_CHUNK_SIZE;
}

/**
 * mlkd_pins_get - get the pages that are pinned from an address on
 * @pins: the pins of the address space
 * @start: the address
 * @end: address behind the last to look at; in the same chunk
 * @pages: set to them, with a reference to each
 * @max: room in @pages
 *
 * Return: how many, up to the first that is not pinned.
 */
unsigned int mlkd_pins_get(struct mlkd_pins *pins, unsigned long start,
			   unsigned long end, struct page **pages, unsigned int max)
{
	unsigned int slot = chunk_slot(start), nr = 0;
	struct chunk *c;

	max = min_t(unsigned long, max, (end - start) >> PAGE_SHIFT);
	xa_lock(&pins->chunks);
	c = chunk_find(pins, chunk_index(start));
	for (; c && nr < max; nr++, slot++) {
		struct page **entry = chunk_entry(c, slot);

		if (c->huge && test_bit(slot, c->huge_map))
			pages[nr] = c->huge + slot;
		else if (entry && *entry)
			pages[nr] = *entry;
		else
			break;
		get_page(pages[nr]);
	}
	xa_unlock(&pins->chunks);
	return nr;
}

/* Returns the first pinned page in [@start, @end); @end if there is none. */
unsigned long mlkd_pins_first(struct mlkd_pins *pins, unsigned long start,
			      unsigned long end)
{
	while (start < end) {
		unsigned long stop, gap, gap_end;

		stop = min(end - 1, start | (MLKD_CHUNK_SIZE - 1)) + 1;
		gap = mlkd_pins_next_gap(pins, start, stop, &gap_end);
		if (gap != start)
			return start;
		if (gap_end != stop)
			return gap_end;
		start = stop;
	}
	return end;
}

/* Returns the end of the last pinned page in [@start, @end); @start if there is none. */
unsigned long mlkd_pins_last_end(struct mlkd_pins *pins, unsigned long start,
				 unsigned long end)
{
	while (end > start) {
		unsigned long from = max(start, (end - 1) & ~(MLKD_CHUNK_SIZE - 1));
		unsigned long addr = from, last = 0, gap, gap_end;

		while (addr < end) {
			gap = mlkd_pins_next_gap(pins, addr, end, &gap_end);
			if (gap != addr)
				last = gap;
			addr = gap_end;
		}
		if (last)
			return last;
		end = from;
	}
	return start;
}

/* Returns how much memory the store takes, without the xarray's own nodes. */
size_t mlkd_pins_bytes(struct mlkd_pins *pins)
{
	return atomic_long_read(&pins->nr_chunks) * sizeof(struct chunk) +
	       atomic_long_read(&pins->nr_slots) * sizeof(struct page *);
}
