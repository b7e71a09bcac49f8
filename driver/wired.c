// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting the unique physical pages that are locked, system-wide.
 *
 * The limit max_wired is there to leave the machine some memory, so it counts
 * each page once, however many mappings and processes have it locked.
 *
 * A page of private memory that has been made present for a lock belongs to one
 * address space (a lock breaks copy-on-write), and is mapped there once.  All
 * other pages are those of files, shared memory included, and one of these is
 * known by its file and its place in it: that stays, when the page is migrated
 * or swapped, and can be told before the page is there.  So what an address space
 * has in the count is a number, and a list of ranges of files; and each file has
 * an interval tree of all these ranges.  Only what the union of them gains or
 * loses changes the total, so that it is exact at each step.
 *
 * Locks of ranges are counted in another way, as a process may have a hundred thousand of
 * them, and all of it would be counted for each.  Private memory without a file that such
 * a lock is the first of ours to cover gets the attribute MLKD_COUNTED, and attr.c knows at
 * each moment how many pages have that.  They are not in the number of their address space.
 *
 * A request is counted when it begins, before anything is made present, under a
 * mutex: there is no moment at which the total is above the limit because of it.
 * A process that maps memory later under a lock with FUTURE, or unmaps some, does not
 * wait for this count.  It is marked as stale, and counted again before a request is
 * refused.  Who reads the total, which everybody may, walks nothing: a worker counts what
 * is stale, once a second at most, and waits for no mmap_lock.
 *
 * Files are known by the address of their address_space, and no reference to them is
 * held.  A file that is locked is mapped, so that it is there; when it is not any more,
 * the count is stale, and corrects itself.
 */
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "cgroup.h"
#include "compat.h"
#include "limit.h"
#include "space.h"
#include "turn.h"
#include "wired.h"

/*
 * Nobody in the memory cgroup that is charged is killed for a list of ranges, which others
 * may have asked for.
 */
#define GFP_RANGES	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* A file that has ranges. */
struct file_ranges {
	struct hlist_node node;
	struct address_space *mapping;
	struct rb_root_cached tree;
};

/* The pages from @first to @last of a file. */
struct mlkd_file_range {
	struct rb_node rb;
	unsigned long first;
	unsigned long last;
	unsigned long subtree_last;
	struct address_space *mapping;
};

#define FIRST(range)	((range)->first)
#define LAST(range)	((range)->last)

INTERVAL_TREE_DEFINE(struct mlkd_file_range, rb, unsigned long, subtree_last,
		     FIRST, LAST, static, file_range)

/* vm.memlockd.max_wired: see sysctl.h. */
unsigned long mlkd_max_wired;

static DEFINE_MUTEX(wired_mutex);	/* protects all that follows */
static DEFINE_HASHTABLE(files, 10);
static LIST_HEAD(spaces);
static unsigned long total, peak;
static unsigned long reserved;		/* pages that are about to be MLKD_COUNTED */
/* The total, which a request that is refused has been in for a moment, without that. */
static unsigned long shown;

/* All pages in the count. */
static unsigned long sum(void)
{
	lockdep_assert_held(&wired_mutex);
	return total + reserved + atomic_long_read(&mlkd_attrs_counted);
}

static struct file_ranges *find_file(struct address_space *mapping)
{
	struct file_ranges *file;

	hash_for_each_possible(files, file, node, (unsigned long)mapping)
		if (file->mapping == mapping)
			return file;
	return NULL;
}

/* Returns how many pages of @range are in no other range of its file. */
static unsigned long count_unshared(struct file_ranges *file,
				    const struct mlkd_file_range *range)
{
	unsigned long next = range->first, count = 0;
	struct mlkd_file_range *other;

	/* The ranges come in the order of their first pages. */
	for (other = file_range_iter_first(&file->tree, range->first, range->last);
	     other && next <= range->last;
	     other = file_range_iter_next(other, range->first, range->last)) {
		if (other->first > next)
			count += other->first - next;
		next = max(next, other->last + 1);
	}
	if (next <= range->last)
		count += range->last - next + 1;
	return count;
}

/* Puts ranges into the trees of their files. Returns how many were put there. */
static unsigned int wired_insert(struct mlkd_file_range *ranges, unsigned int nr)
{
	struct file_ranges *file = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct mlkd_file_range *range = &ranges[i];

		if (!file || file->mapping != range->mapping)
			file = find_file(range->mapping);
		if (!file) {
			file = kzalloc(sizeof(*file), GFP_RANGES);
			if (!file)
				break;
			file->mapping = range->mapping;
			file->tree = RB_ROOT_CACHED;
			hash_add(files, &file->node, (unsigned long)file->mapping);
		}
		total += count_unshared(file, range);
		file_range_insert(range, &file->tree);
	}
	return i;
}

static void wired_remove(struct mlkd_file_range *ranges, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct file_ranges *file = find_file(ranges[i].mapping);

		file_range_remove(&ranges[i], &file->tree);
		total -= count_unshared(file, &ranges[i]);
	}
}

/* Forgets files that have no ranges left, which is done when nothing is to be put back. */
static void wired_prune(struct mlkd_file_range *ranges, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct file_ranges *file = find_file(ranges[i].mapping);

		if (file && RB_EMPTY_ROOT(&file->tree.rb_root)) {
			hash_del(&file->node);
			kfree(file);
		}
	}
}

/* How long after a reader has been there the total is made new. */
#define REFRESH_AFTER		HZ

/**
 * enum count_for - whom a count is for
 * @FOR_REQUEST: a caller, who may be killed
 * @FOR_RELEASE: who gives back, which goes on whatever happens
 * @FOR_READER: who has read the total: it may fail, and keeps nobody waiting
 */
enum count_for {
	FOR_REQUEST,
	FOR_RELEASE,
	FOR_READER,
};

/**
 * struct count - a count in the making
 * @space: the space
 * @for_whom: what it waits for
 * @wired: the result
 * @room: how many ranges @wired has room for
 */
struct count {
	struct mlkd_space *space;
	enum count_for for_whom;
	struct mlkd_wired *wired;
	unsigned int room;
};

/* Counts the pages of [start, end), a part of @vma.  Returns false for want of room. */
static bool count_part(struct count *count, struct vm_area_struct *vma,
		       struct mlkd_want want, unsigned long start, unsigned long end)
{
	struct mlkd_wired *wired = count->wired;
	struct mlkd_file_range *range = NULL;
	unsigned long first, nr;

	end = min(end, mlkd_vma_file_end(vma));
	if (!want.locked || !want.present || start >= end)
		return true;
	nr = (end - start) >> PAGE_SHIFT;
	/* These are the process's own pages, or may be, where it has written; else the file's. */
	if (!vma->vm_file || vma_is_anonymous(vma) ||
	    (mlkd_vma_private(vma) && ((want.gup_flags & FOLL_WRITE) || vma->anon_vma))) {
		wired->pages += nr;
		return true;
	}

	first = vma->vm_pgoff + ((start - vma->vm_start) >> PAGE_SHIFT);
	if (wired->nr_ranges)
		range = &wired->ranges[wired->nr_ranges - 1];
	if (!range || range->mapping != vma->vm_file->f_mapping ||
	    range->last + 1 != first) {
		if (wired->nr_ranges == count->room)
			return false;
		range = &wired->ranges[wired->nr_ranges++];
		range->mapping = vma->vm_file->f_mapping;
		range->first = first;
	}
	range->last = first + nr - 1;
	return true;
}

/* Counts what is locked of @vma, from *@addr on; sets that to where to go on. */
static bool count_mapping(struct count *count, struct vm_area_struct *vma,
			  unsigned long *addr)
{
	struct mlkd_space *space = count->space;
	struct mlkd_mode in_force = mlkd_space_in_force(space);
	bool locked = vma->vm_flags & VM_LOCKED;
	unsigned long start = max(*addr, vma->vm_start);

	while (start < vma->vm_end) {
		unsigned long end = vma->vm_end;
		u32 attr = mlkd_attr_get(&space->attrs, start, &end);

		/* A part that is MLKD_NEW is about to be locked, or pinned. */
		if (!(attr & MLKD_COUNTED) &&
		    (locked || (attr & (MLKD_BY_RANGE | MLKD_NEW))) &&
		    !count_part(count, vma, mlkd_want(vma, mlkd_attr_mode(attr, in_force)),
				start, end))
			return false;
		start = end;
		*addr = end;
	}
	return true;
}

/* Makes room for more ranges. */
static bool count_grow(struct count *count)
{
	struct mlkd_wired *wired = count->wired;
	unsigned int room = max(2 * count->room, 16U);
	struct mlkd_file_range *ranges;

	ranges = kvcalloc(room, sizeof(*ranges), GFP_RANGES);
	if (!ranges)
		return false;
	if (wired->nr_ranges)
		memcpy(ranges, wired->ranges, wired->nr_ranges * sizeof(*ranges));
	kvfree(wired->ranges);
	wired->ranges = ranges;
	count->room = room;
	return true;
}

/* Counts a whole space. */
static int count_space(struct count *count)
{
	bool for_reader = count->for_whom == FOR_READER;
	struct mm_struct *mm = count->space->mm;
	struct mlkd_turn turn = {
		.mm = mm,
		.tries = for_reader,
		.pace = for_reader ? NULL : &count->space->pace,
	};
	unsigned long addr = 0;
	bool more, full;
	int err;

	do {
		struct vm_area_struct *vma;
		struct vma_iterator vmi;

		err = mlkd_turn_begin(&turn);
		if (err)
			return err;
		more = false;
		full = false;
		vma_iter_init(&vmi, mm, addr);
		for_each_vma(vmi, vma) {
			full = !count_mapping(count, vma, &addr);
			more = !full && mlkd_turn_over(&turn, MLKD_COST_VMA);
			if (more || full)
				break;
		}
		count->wired->locked_vm = mm->locked_vm;
		count->wired->map_count = mm->map_count;
		mlkd_turn_end(&turn);
		if (full && !count_grow(count))
			return -ENOMEM;
	} while (more || full);
	/* hugetlb is not counted, and nothing but private memory is pinned beside it. */
	count->wired->pages += max(atomic_long_read(&count->space->pins.nr_kept), 0L);
	return 0;
}

static void wired_swap(struct mlkd_wired *a, struct mlkd_wired *b)
{
	swap(a->pages, b->pages);
	swap(a->ranges, b->ranges);
	swap(a->nr_ranges, b->nr_ranges);
	swap(a->locked_vm, b->locked_vm);
	swap(a->map_count, b->map_count);
}

/*
 * Replaces what @space has in the count by *@new, unless that exceeds the limit.  The one
 * that is not in the count afterwards is left in *@new, for the caller to free.
 */
static int wired_replace(struct mlkd_space *space, struct mlkd_wired *new,
			 struct mlkd_limit *limit)
{
	struct mlkd_wired *wired = &space->wired;
	unsigned long before, now, max = READ_ONCE(mlkd_max_wired);
	unsigned int inserted;

	lockdep_assert_held(&wired_mutex);
	before = total;
	inserted = wired_insert(new->ranges, new->nr_ranges);
	if (inserted < new->nr_ranges) {
		wired_remove(new->ranges, inserted);
		wired_prune(new->ranges, inserted);
		return -ENOMEM;
	}
	wired_remove(wired->ranges, wired->nr_ranges);
	total += new->pages - wired->pages;

	now = sum();
	if (limit && total > before && now > max) {
		int err = mlkd_limit_met(limit, MEMLOCKD_LIMIT_MAX_WIRED, now,
					 (u64)max << PAGE_SHIFT);

		total -= new->pages - wired->pages;
		/* Their files are still there, so that this takes no memory. */
		wired_insert(wired->ranges, wired->nr_ranges);
		wired_remove(new->ranges, new->nr_ranges);
		wired_prune(new->ranges, new->nr_ranges);
		return err;
	}
	peak = max(peak, now);
	WRITE_ONCE(shown, total);
	wired_prune(wired->ranges, wired->nr_ranges);
	wired_swap(wired, new);
	if (list_empty(&wired->node))
		list_add(&wired->node, &spaces);
	return 0;
}

/* Counts @space anew.  Called without its mmap_lock, with a user of its mm. */
static int wired_update(struct mlkd_space *space, enum count_for for_whom,
			struct mlkd_limit *limit)
{
	struct mlkd_wired *wired = &space->wired;
	struct mlkd_wired new = {};
	struct count count = {
		.space = space,
		.for_whom = for_whom,
		.wired = &new,
	};
	unsigned int pass;
	int err;

	mutex_lock(&wired_mutex);
	/* The request may have begun since the space was found to be stale. */
	if (!limit && wired->asked) {
		mutex_unlock(&wired_mutex);
		return 0;
	}
	pass = ++wired->counts;
	mutex_unlock(&wired_mutex);
	/* This is set again by whatever happens from here on. */
	WRITE_ONCE(wired->stale, false);
	err = count_space(&count);
	mutex_lock(&wired_mutex);
	/* A count that has begun later knows better, but a request has to be in the total. */
	if (!err && !wired->gone && (limit || pass == wired->counts))
		err = wired_replace(space, &new, limit);
	/*
	 * A count that has begun meanwhile may have in it what this request has noted, and is
	 * about to take back.
	 */
	wired->counts += !!err;
	mutex_unlock(&wired_mutex);
	if (err)
		WRITE_ONCE(wired->stale, true);
	kvfree(new.ranges);
	return err;
}

/**
 * mlkd_wired_ask - a request is about to note what it wants
 * @space: the space; its claim is held
 *
 * Nobody else counts it until mlkd_wired_reserve() has succeeded, or mlkd_wired_answered(): a
 * count that nobody asks about the limit would have that in it.  One that has begun does not
 * count.
 */
void mlkd_wired_ask(struct mlkd_space *space)
{
	mutex_lock(&wired_mutex);
	space->wired.asked = true;
	space->wired.counts++;
	WRITE_ONCE(space->wired.stale, true);
	mutex_unlock(&wired_mutex);
}

/* A request that called mlkd_wired_ask() is in the total now, or has taken back its notes. */
void mlkd_wired_answered(struct mlkd_space *space)
{
	mutex_lock(&wired_mutex);
	space->wired.asked = false;
	mutex_unlock(&wired_mutex);
}

/**
 * mlkd_wired_reserve - count what a request is about to lock
 * @space: the space; its claim is held, and what is wanted has been noted
 * @limit: set when the limit would be exceeded
 *
 * Return: 0; or -ENOMEM or -EINTR, and the count is as it was.
 */
int mlkd_wired_reserve(struct mlkd_space *space, struct mlkd_limit *limit)
{
	int err = wired_update(space, FOR_REQUEST, limit);

	if (!err)
		mlkd_wired_answered(space);
	return err;
}

/**
 * mlkd_wired_reserve_range - count what a lock of a range is about to make MLKD_COUNTED
 * @space: the space; its claim is held
 * @pages: how many pages that is
 * @limit: set when the limit would be exceeded
 *
 * Return: 0; then mlkd_wired_noted() is to be called; or -ENOMEM.
 */
int mlkd_wired_reserve_range(struct mlkd_space *space, unsigned long pages,
			     struct mlkd_limit *limit)
{
	unsigned long now, max = READ_ONCE(mlkd_max_wired);
	int err = 0;

	if (!pages)
		return 0;
	mutex_lock(&wired_mutex);
	now = sum() + pages;
	if (now > max) {
		err = mlkd_limit_met(limit, MEMLOCKD_LIMIT_MAX_WIRED, now,
				     (u64)max << PAGE_SHIFT);
	} else {
		reserved += pages;
		peak = max(peak, now);
		if (list_empty(&space->wired.node))
			list_add(&space->wired.node, &spaces);
	}
	mutex_unlock(&wired_mutex);
	return err;
}

/* The @pages that have been reserved are MLKD_COUNTED now, as many as are to be. */
void mlkd_wired_noted(unsigned long pages)
{
	if (!pages)
		return;
	mutex_lock(&wired_mutex);
	reserved -= pages;
	mutex_unlock(&wired_mutex);
}

/**
 * mlkd_wired_grow - count what a space is about to have for itself, instead of a file's pages
 * @space: the space; its claim is held, and it has been counted for what is locked
 * @pages: how many pages that is
 *
 * Until the space is counted again, these are in the count beside those of the file.
 *
 * Return: false if that would exceed the limit; then nothing has changed.
 */
bool mlkd_wired_grow(struct mlkd_space *space, unsigned long pages)
{
	struct mlkd_wired *wired = &space->wired;
	unsigned long now;
	bool fits;

	mutex_lock(&wired_mutex);
	now = sum() + pages;
	fits = wired->gone || now <= READ_ONCE(mlkd_max_wired);
	if (fits && !wired->gone) {
		total += pages;
		wired->pages += pages;
		peak = max(peak, now);
		WRITE_ONCE(shown, total);
		/* A count that has begun may have seen the space as it was. */
		wired->counts++;
		WRITE_ONCE(wired->stale, true);
	}
	mutex_unlock(&wired_mutex);
	return fits;
}

/**
 * mlkd_wired_recount - count what is locked
 * @space: the space; its claim is held
 *
 * Without memory for that, or when the caller is killed while he waits for mmap_lock, the
 * old count stays, until somebody needs the total.
 */
void mlkd_wired_recount(struct mlkd_space *space)
{
	wired_update(space, FOR_RELEASE, NULL);
}

void mlkd_wired_setup(struct mlkd_wired *wired)
{
	INIT_LIST_HEAD(&wired->node);
}

static void wired_take_out(struct mlkd_space *space, bool gone)
{
	struct mlkd_wired *wired = &space->wired;
	struct mlkd_wired none = {};

	mutex_lock(&wired_mutex);
	wired_remove(wired->ranges, wired->nr_ranges);
	wired_prune(wired->ranges, wired->nr_ranges);
	total -= wired->pages;
	WRITE_ONCE(shown, total);
	wired_swap(wired, &none);
	list_del_init(&wired->node);
	/* A count that is in the making is of no use. */
	wired->counts++;
	wired->gone |= gone;
	mlkd_attrs_uncount(&space->attrs);
	mutex_unlock(&wired_mutex);
	kvfree(none.ranges);
}

/* Takes @space, in which nothing is locked now, out of the count. */
void mlkd_wired_idle(struct mlkd_space *space)
{
	wired_take_out(space, false);
}

/* Takes @space, which is locked no more, out of the count. */
void mlkd_wired_drop(struct mlkd_space *space)
{
	wired_take_out(space, true);
}

/*
 * Returns a space to be counted again, with a reference; each at most once a pass.
 * Nothing tells when a file is cut, so that a space with files is always counted for a
 * request, and not for a reader.
 */
static struct mlkd_space *next_stale(unsigned int pass, enum count_for for_whom)
{
	struct mlkd_wired *wired;

	lockdep_assert_held(&wired_mutex);
	list_for_each_entry(wired, &spaces, node) {
		struct mlkd_space *space = container_of(wired, struct mlkd_space, wired);
		struct mm_struct *mm = space->mm;

		/* A request that has asked is counted only by itself, which looks at the limit. */
		if (wired->pass == pass || wired->asked)
			continue;
		wired->pass = pass;
		if ((READ_ONCE(wired->stale) ||
		     (wired->nr_ranges && for_whom != FOR_READER) ||
		     READ_ONCE(mm->locked_vm) != wired->locked_vm ||
		     READ_ONCE(mm->map_count) != wired->map_count) &&
		    mlkd_space_tryget(space))
			return space;
	}
	return NULL;
}

/*
 * Counts again what has changed, and says whether there is less now.  Called
 * without any lock.  Stops when the caller is killed.
 */
static bool wired_refresh(enum count_for for_whom)
{
	static unsigned int last_pass;
	unsigned long before, after;
	struct mlkd_space *space;
	unsigned int pass;

	mutex_lock(&wired_mutex);
	before = sum();
	mutex_unlock(&wired_mutex);

	/* Spaces that have ended leave the count. */
	mlkd_spaces_flush();

	mutex_lock(&wired_mutex);
	pass = ++last_pass;
	while ((space = next_stale(pass, for_whom))) {
		struct mm_struct *mm = space->mm;
		bool killed = false;

		mutex_unlock(&wired_mutex);
		if (mmget_not_zero(mm)) {
			struct mem_cgroup *before = mlkd_cgroup_charge(mm);

			killed = wired_update(space, for_whom, NULL) == -EINTR;
			mlkd_cgroup_charge_end(before);
			mmput(mm);
		}
		mlkd_space_put(space);
		mutex_lock(&wired_mutex);
		if (killed)
			break;
	}
	after = sum();
	mutex_unlock(&wired_mutex);
	return after < before;
}

/**
 * mlkd_wired_again - say whether to try a request again that was refused
 * @limit: the limit that it has met; cleared, if so
 *
 * Memory that has been unmapped may still have been in the count, and processes that
 * have ended.
 */
bool mlkd_wired_again(struct mlkd_limit *limit)
{
	if (limit->which != MEMLOCKD_LIMIT_MAX_WIRED || !wired_refresh(FOR_REQUEST))
		return false;
	*limit = (struct mlkd_limit){};
	return true;
}

static void refresh_work(struct work_struct *work)
{
	wired_refresh(FOR_READER);
}

static DECLARE_DELAYED_WORK(refresh, refresh_work);

/* Returns how many pages are in the count, and has it made new for the next reader. */
unsigned long mlkd_wired_now(void)
{
	/* This one is not kept from giving mmap_lock back by others of a usual priority. */
	queue_delayed_work(system_highpri_wq, &refresh, REFRESH_AFTER);
	/* What is becoming MLKD_COUNTED may be in this twice for a moment. */
	return READ_ONCE(shown) + READ_ONCE(reserved) + atomic_long_read(&mlkd_attrs_counted);
}

/* Nobody can read the total any more. */
void mlkd_wired_exit(void)
{
	cancel_delayed_work_sync(&refresh);
}

/* Returns how many there have been at most. */
unsigned long mlkd_wired_peak(void)
{
	return READ_ONCE(peak);
}
