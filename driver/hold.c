// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holding pages where they are, without their owners noticing.
 *
 * A pin keeps a page of shared memory, or of a file, in its place, but not in the page
 * tables: who wants to migrate it, or to make a huge page of it, unmaps it first, then finds
 * the pin, and leaves it to the next access of each process to map it again.  But before they
 * unmap, all of them isolate the page: they take PG_lru from it, which one of them can do at a
 * time.  So a page from which we have taken PG_lru looks like one that somebody else has
 * isolated, and they give up before anything is unmapped.
 *
 * A page is held if its folio has PG_lru cleared by us.  How often it is held is counted
 * here, for each folio, as several processes may map it, and one of them several times.
 * Each of these has a pin as well, which keeps the folio in memory, and out of CMA and
 * ZONE_MOVABLE.  Who takes the last one back sets PG_lru.
 *
 * We have no way to take a folio off its list, nor to put it back.  So it stays there, while
 * those who isolate take it off.  That has three consequences:
 *
 * - PG_lru is set before the pin is dropped: a folio without PG_lru would be freed as one
 *   that is in no list.
 * - Who walks the lists meets it, and passes over it.
 * - So it had better be in none: what is flagged as unevictable is not.  The core kernel does
 *   that to what is faulted in under VM_LOCKED, which shared.c sees to before anything is
 *   held, and to what reclaim meets, which does not happen any more to what is held.  It does
 *   not do it to a large folio of which a fault maps a part.
 * - In a list of reclaim, some pages do much harm: where the multi-generational LRU of Linux
 *   7.3 meets nothing in the oldest generation but what it cannot isolate, it does not turn
 *   from files to private memory, nor back, and the machine swaps nothing out any more.  So
 *   a page of a file is held if it is unevictable.  Shared memory is held anyhow, as nothing
 *   else keeps it in its place (MLKD_HOLD_LISTED).
 *
 * What the users of PG_lru do with a folio that is held, as the sources of Linux 6.1, 6.12 and
 * 7.3 say:
 *
 * - Reclaim (isolate_lru_folios(), and isolate_folio() of the multi-generational LRU) passes
 *   over it.  MADV_PAGEOUT and MADV_COLD do, too.  The multi-generational LRU changes the
 *   generation of folios, moves them from list to list, and, up to 6.12, to the unevictable
 *   ones, under the lock of the lists alone, which is right for one that is in a list.
 * - The batches of the processors (folio_add_lru() and its kin): what waits there to be
 *   added has no PG_lru yet, and cannot be held.  What waits to be activated, deactivated or
 *   moved is left as it is.
 * - mlock(2) waits in a batch, too: PG_mlocked is set and counted at once, and the folio
 *   is moved to the unevictable ones later.  Were it held by then, it would stay where it
 *   is; so one that is mlocked and not unevictable yet is waited for, but not for ever
 *   (MLKD_HOLD_LATE).  A folio that is held
 *   already is marked as mlocked, and its mlock_count is not changed.
 * - munlock(2), and unmapping what is VM_LOCKED: of a folio that cannot be isolated,
 *   PG_mlocked is cleared at once, and counted, whoever else has it mlocked.  It stays
 *   flagged as unevictable ("stranded") until it is let go; then it goes to where it belongs.
 *   PG_mlocked and NR_MLOCK are changed together, so that the sum comes out.  Whose mark has
 *   gone keeps VM_LOCKED, by which reclaim marks the page again when it meets it.
 *   shmctl(SHM_UNLOCK) passes over it, and it goes to where it belongs later, too.
 * - Memory cgroups: moving a charge (version 1) needs isolation, and is not done.  A folio
 *   keeps its cgroup from being freed, removed as that may be, as any folio does.  Where
 *   the lists of a removed cgroup are given to its parent (7.3), that is done list by list.
 * - Compaction (isolate_migratepages_block()), migrate_pages(2), move_pages(2), mbind(2),
 *   cpusets, and the balancing of NUMA pass over it, or fail with EBUSY.
 * - migrate_vma_setup(), by which a driver moves memory of a process to its device, unmaps
 *   what it then fails to isolate, and maps it again: meanwhile an access waits.
 * - khugepaged and MADV_COLLAPSE give up at its range (SCAN_PAGE_LRU, SCAN_DEL_PAGE_LRU).  But
 *   of a huge page that is mapped in small ones they take the page table away, without a look
 *   at PG_lru (collapse_pte_mapped_thp()), and the next access maps it as a huge one.  What
 *   is pinned there goes then, as what has been unmapped does.
 * - Memory offlining and alloc_contig_range() take a page without PG_lru for unmovable, and
 *   fail with EBUSY before they begin (has_unmovable_pages()).
 * - GUP with FOLL_LONGTERM isolates what lies in CMA or ZONE_MOVABLE, over and over.  What is
 *   held has been pinned so before, and does not lie there.
 * - A large folio is split by those only who can have all its references.
 * - memory_failure() does nothing about a page that it takes for no page of a process, and
 *   leaves it mapped.  So a probe gives PG_lru back at its entry, see
 *   mlkd_hold_poisoned().  Where there are no probes, what fails stays mapped.
 * - soft_offline_page() fails with EBUSY.  For its own madvise(2) a process has its pages let
 *   go of first (target_advice.c).
 * - Truncation, hole punching, and the invalidation of what O_DIRECT writes
 *   (invalidate_inode_pages2_range()) do not look at PG_lru.  The folio stays in memory until
 *   its pins go, which life.c sees to.
 * - Dropping what is clean (drop_caches, POSIX_FADV_DONTNEED) passes over what is mapped.
 * - Swapping in: what is mapped has left the swap cache, and what is held does not get there.
 * - DAMON and page_idle do not see it.
 * - Freeing it: does not happen, as there is a pin.
 */
#include <linux/cpu.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "hold.h"
#include "munlock.h"

/* A folio that is held. */
struct held {
	struct held *next;
	struct folio *folio;
	unsigned int count;
	bool given_back;	/* PG_lru is not ours any more */
};

/* One list of them for so many pages that the machine has. */
#define PAGES_PER_LIST	16

/*
 * The table and all that is in it.  Taken in a probe, with preemption off, and held for a
 * look at one list, which has PAGES_PER_LIST folios, more or less, if all memory is held.
 */
static DEFINE_RAW_SPINLOCK(table_lock);
static struct held **table;
static unsigned int table_bits;
static struct kmem_cache *held_cache;
static atomic_long_t nr_held;		/* folios */

/* The batches of one processor that are to be emptied. */
struct drain {
	struct work_struct work;
	unsigned long done;
};

static DEFINE_PER_CPU(struct drain, drains);
static atomic_long_t drains_asked;
static DECLARE_WAIT_QUEUE_HEAD(drains_wait);

/* So long the batches of other processors are waited for, which may have no time for it. */
#define DRAIN_TIME	(HZ / 10)

static void drain_work(struct work_struct *work)
{
	struct drain *drain = container_of(work, struct drain, work);
	unsigned long asked = atomic_long_read_acquire(&drains_asked);

	mlkd_munlock_drain();
	/* Pairs with drained(): who reads this finds the batches emptied. */
	smp_store_release(&drain->done, asked);
	wake_up_all(&drains_wait);
}

int __init mlkd_hold_init(void)
{
	unsigned long lists = max(totalram_pages() / PAGES_PER_LIST, 64UL);
	int cpu;

	table_bits = ilog2(roundup_pow_of_two(lists));
	table = kvcalloc(1UL << table_bits, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	held_cache = KMEM_CACHE(held, SLAB_ACCOUNT);
	if (!held_cache) {
		kvfree(table);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu)
		INIT_WORK(&per_cpu(drains, cpu).work, drain_work);
	return 0;
}

void mlkd_hold_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu(drains, cpu).work);
	WARN_ON_ONCE(atomic_long_read(&nr_held));
	kmem_cache_destroy(held_cache);
	kvfree(table);
}

/* Returns the link to @folio in the table, or to where it would be put. */
static struct held **find(struct folio *folio)
{
	struct held **link = &table[hash_ptr(folio, table_bits)];

	lockdep_assert_held(&table_lock);
	while (*link && (*link)->folio != folio)
		link = &(*link)->next;
	return link;
}

/* So many pages are looked at under one hold of the lock. */
#define AT_ONCE		15		/* the room of a struct folio_batch, or less */

/* What a new folio is noted in. */
struct spares {
	struct held *held[AT_ONCE];
	unsigned int nr;
};

/* Makes as many of @spares, of which there are none, as @nr pages may take; 0 or -ENOMEM. */
static int spares_fill(struct spares *spares, long nr)
{
	nr = min_t(long, nr, AT_ONCE);
	/* It makes all or none, and returns how many, or, on newer kernels, just whether it did. */
	if (!kmem_cache_alloc_bulk(held_cache, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
				   __GFP_NOWARN, nr, (void **)spares->held))
		return -ENOMEM;
	spares->nr = nr;
	return 0;
}

/* May @folio be held in the list in which it is?  0, or as mlkd_hold() says. */
static int placed(struct folio *folio, unsigned int where)
{
	if (folio_test_unevictable(folio))
		return 0;
	if (folio_test_mlocked(folio))
		return where & MLKD_HOLD_LATE ? 0 : -EAGAIN;
	return where & MLKD_HOLD_LISTED ? 0 : -EBUSY;
}

/* Holds @folio once more; -ENOMEM if that takes one of @spares, and there is none. */
static int hold(struct folio *folio, unsigned int where, struct spares *spares)
{
	struct held **link = find(folio), *held = *link;
	int err;

	if (held && held->given_back)
		return -EAGAIN;
	if (held) {
		held->count++;
		return 0;
	}
	if (!spares->nr)
		return -ENOMEM;
	if (!folio_test_clear_lru(folio))
		return -EAGAIN;
	/* It stays where it is from here on. */
	err = placed(folio, where);
	if (err) {
		folio_set_lru(folio);
		return err;
	}
	held = spares->held[--spares->nr];
	*held = (struct held){ .folio = folio, .count = 1 };
	*link = held;
	atomic_long_inc(&nr_held);
	return 0;
}

/* Holds pages of @pages, up to the first that cannot be, and some at most; returns how many. */
static long hold_some(struct page **pages, long nr, unsigned int where, struct spares *spares,
		      int *err)
{
	long i;

	*err = 0;
	raw_spin_lock(&table_lock);
	for (i = 0; i < min_t(long, nr, AT_ONCE) && !*err; i++)
		*err = hold(page_folio(pages[i]), where, spares);
	raw_spin_unlock(&table_lock);
	return *err ? i - 1 : i;
}

/**
 * mlkd_hold - hold pages
 * @pages: the pages, none of them anonymous or of hugetlb, each pinned
 * @nr: how many
 * @where: of MLKD_HOLD_LISTED and MLKD_HOLD_LATE
 *
 * Each of them is to be given to mlkd_let_go() before its pin is dropped.
 *
 * Return: how many are held, up to the first that cannot be; -EAGAIN if that is the first:
 * it waits in a batch, or somebody has isolated it; -EBUSY if that is the first, and lies in
 * a list of reclaim; or -ENOMEM.
 */
long mlkd_hold(struct page **pages, long nr, unsigned int where)
{
	struct spares spares = {};
	long done = 0;
	int err = 0;

	while (done < nr) {
		done += hold_some(pages + done, nr - done, where, &spares, &err);
		if (err == -ENOMEM)
			err = spares_fill(&spares, nr - done);
		if (err)
			break;
	}
	if (spares.nr)
		kmem_cache_free_bulk(held_cache, spares.nr, (void **)spares.held);
	return done ?: err;
}

static bool drained(long asked)
{
	int cpu;

	for_each_online_cpu(cpu) {
		/* Pairs with drain_work(). */
		if ((long)(smp_load_acquire(&per_cpu(drains, cpu).done) - asked) < 0)
			return false;
	}
	return true;
}

/**
 * mlkd_hold_wait - wait until no page waits in the batch of a processor
 *
 * Not for long: a processor that a realtime process has to itself does not come to it.
 *
 * Return: whether it is so.
 */
bool mlkd_hold_wait(void)
{
	long asked = atomic_long_inc_return(&drains_asked);
	int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		queue_work_on(cpu, system_highpri_wq, &per_cpu(drains, cpu).work);
	cpus_read_unlock();
	return wait_event_killable_timeout(drains_wait, drained(asked), DRAIN_TIME) > 0;
}

/* Lets go of @folio once.  Returns what it was noted in, if that was the last time. */
static struct held *let_go(struct folio *folio)
{
	struct held **link = find(folio), *held = *link;

	if (WARN_ON_ONCE(!held) || --held->count)
		return NULL;
	*link = held->next;
	if (!held->given_back)
		folio_set_lru(folio);
	atomic_long_dec(&nr_held);
	return held;
}

/* These folios are not held any more.  The last munlock(2) of one may have found it held. */
static void give_back(struct held **gone, unsigned int nr)
{
	struct folio_batch batch;
	unsigned int i;

	folio_batch_init(&batch);
	for (i = 0; i < nr; i++)
		if (!gone[i]->given_back && folio_test_unevictable(gone[i]->folio))
			folio_batch_add(&batch, gone[i]->folio);
	if (folio_batch_count(&batch))
		check_move_unevictable_folios(&batch);
	kmem_cache_free_bulk(held_cache, nr, (void **)gone);
}

/**
 * mlkd_let_go - let go of those pages that are held
 * @pages: pages, pinned once each; those that are anonymous or of hugetlb are not held
 * @nr: how many
 *
 * Mmu notifiers call this, too.
 */
void mlkd_let_go(struct page **pages, unsigned int nr)
{
	struct held *gone[AT_ONCE];
	unsigned int i = 0, end, nr_gone;

	/* Those of the caller would be in this number. */
	if (!atomic_long_read(&nr_held))
		return;
	while (i < nr) {
		end = min(nr, i + (unsigned int)ARRAY_SIZE(gone));
		nr_gone = 0;
		raw_spin_lock(&table_lock);
		for (; i < end; i++) {
			struct folio *folio = page_folio(pages[i]);
			struct held *held = NULL;

			if (mlkd_may_be_held(folio))
				held = let_go(folio);
			if (held)
				gone[nr_gone++] = held;
		}
		raw_spin_unlock(&table_lock);
		if (nr_gone)
			give_back(gone, nr_gone);
	}
}

/**
 * mlkd_hold_poisoned - give a page back that the core kernel is about to take from everybody
 * @pfn: its number
 *
 * Called from a probe.  The page is not held any more, and never again, but counted.
 */
void mlkd_hold_poisoned(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct held *held;

	if (!page || !atomic_long_read(&nr_held))
		return;
	raw_spin_lock(&table_lock);
	held = *find(page_folio(page));
	if (held && !held->given_back) {
		held->given_back = true;
		folio_set_lru(held->folio);
	}
	raw_spin_unlock(&table_lock);
}
