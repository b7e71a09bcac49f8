// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an address space should have: who wants which part of it locked.
 *
 * VM_LOCKED is one flag, and several may want it: the process itself, by mlock(2);
 * a lock of the whole address space; a lock of a range.  Each must be able to give
 * up what it wants without taking it from the others.  So this table says who wants
 * what, and lock.c makes the flags, the pages and the pins follow it:
 *
 * - VM_LOCKED is set on a mapping each part of which one of our locks covers;
 * - it may be cleared where neither the process nor a lock of ours wants any part of
 *   the mapping, as nothing can split a mapping from outside.
 *
 * A request first notes what it wants with a bit of its own (MLKD_WHOLE_NEW and its
 * like).  If it fails, what it has done is what carries that bit, and if it succeeds,
 * the bit becomes the lasting one.  There is one request at a time, the one that
 * holds the claim of the space.
 *
 * What is not noted has the attribute @rest.  With a lock of all that is and will be
 * mapped, that is MLKD_WHOLE, and usually nothing else is noted.  A range that is
 * unmapped is forgotten, so that what is mapped there later is like all that is new.
 */
#include <linux/mm.h>
#include <linux/xarray.h>

#include "attr.h"

atomic_long_t mlkd_attrs_counted;

void mlkd_attrs_setup(struct mlkd_attrs *attrs)
{
	/*
	 * The gaps are of no use here.  But without them, Linux frees wild pointers when a tree
	 * is destroyed that is used under RCU, and has a root with sixteen children: there,
	 * mt_clear_meta() takes the last pointer for something else.  Seen on 6.1.192.
	 */
	mt_init_flags(&attrs->tree, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU);
	attrs->rest = 0;
	attrs->rest_lazy = false;
}

/* What is MLKD_COUNTED is not, any more. */
void mlkd_attrs_uncount(struct mlkd_attrs *attrs)
{
	atomic_long_sub(atomic_long_xchg(&attrs->counted, 0), &mlkd_attrs_counted);
}

void mlkd_attrs_destroy(struct mlkd_attrs *attrs)
{
	mlkd_attrs_uncount(attrs);
	mtree_destroy(&attrs->tree);
}

/* mlkd_attr_get() which also says whether the attribute is noted. */
static u32 lookup(struct mlkd_attrs *attrs, unsigned long addr, unsigned long *end,
		  bool *noted)
{
	MA_STATE(mas, &attrs->tree, addr, addr);
	u32 attr = attrs->rest;
	void *entry;

	*noted = false;
	mtree_lock(&attrs->tree);
	entry = mas_find(&mas, *end - 1);
	if (entry && mas.index > addr) {
		*end = mas.index;
	} else if (entry) {
		*end = min(*end - 1, mas.last) + 1;
		*noted = true;
		attr = xa_to_value(entry);
	}
	mtree_unlock(&attrs->tree);
	return attr;
}

/* mlkd_attr_get() where something is noted. */
u32 __mlkd_attr_get(struct mlkd_attrs *attrs, unsigned long addr, unsigned long *end)
{
	bool noted;

	return lookup(attrs, addr, end, &noted);
}

/* mlkd_attr_all() where something is noted. */
bool __mlkd_attr_all(struct mlkd_attrs *attrs, unsigned long start,
		     unsigned long end, u32 mask)
{
	MA_STATE(mas, &attrs->tree, start, start);
	bool rest = attrs->rest & mask;
	unsigned long next = start;
	bool all = true;
	void *entry;

	mtree_lock(&attrs->tree);
	mas_for_each(&mas, entry, end - 1) {
		if ((mas.index > next && !rest) || !(xa_to_value(entry) & mask)) {
			all = false;
			break;
		}
		next = mas.last + 1;
	}
	mtree_unlock(&attrs->tree);
	return all && (rest || next >= end);
}

/* mlkd_attr_any() where something is noted. */
bool __mlkd_attr_any(struct mlkd_attrs *attrs, unsigned long start,
		     unsigned long end, u32 mask)
{
	MA_STATE(mas, &attrs->tree, start, start);
	bool rest = attrs->rest & mask;
	unsigned long next = start;
	bool any = false;
	void *entry;

	mtree_lock(&attrs->tree);
	mas_for_each(&mas, entry, end - 1) {
		any = (mas.index > next && rest) || (xa_to_value(entry) & mask);
		if (any)
			break;
		next = mas.last + 1;
	}
	mtree_unlock(&attrs->tree);
	return any || (rest && next < end);
}

/**
 * mlkd_attr_find_rcu - where the first part is that has one of some bits
 * @attrs: the attributes
 * @start: first address
 * @end: address behind the last
 * @mask: the bits
 *
 * For probes.  What it finds may be out of date.
 *
 * Return: the address; @end if there is none.
 */
unsigned long mlkd_attr_find_rcu(struct mlkd_attrs *attrs, unsigned long start,
				 unsigned long end, u32 mask)
{
	MA_STATE(mas, &attrs->tree, start, start);
	bool rest = READ_ONCE(attrs->rest) & mask;
	unsigned long next = start, found = end;
	void *entry;

	rcu_read_lock();
	mas_for_each(&mas, entry, end - 1) {
		if (mas.index > next && rest)
			break;
		if (xa_to_value(entry) & mask) {
			found = max(start, mas.index);
			break;
		}
		next = mas.last + 1;
	}
	rcu_read_unlock();
	return rest && next < found ? next : found;
}

/* mlkd_attr_any() for probes. */
bool mlkd_attr_any_rcu(struct mlkd_attrs *attrs, unsigned long start,
		       unsigned long end, u32 mask)
{
	return mlkd_attr_find_rcu(attrs, start, end, mask) < end;
}

/**
 * mlkd_attr_next - the next part of an address space that is noted
 * @attrs: the attributes
 * @start: where to look from; set to its first address
 * @end: where to look to; set to the address behind its last
 * @attr: set to its attribute
 *
 * Return: false when there is none; then nothing is set.
 */
bool mlkd_attr_next(struct mlkd_attrs *attrs, unsigned long *start,
		    unsigned long *end, u32 *attr)
{
	MA_STATE(mas, &attrs->tree, *start, *start);
	void *entry = NULL;

	if (mtree_empty(&attrs->tree) || *start >= *end)
		return false;
	mtree_lock(&attrs->tree);
	entry = mas_find(&mas, *end - 1);
	if (entry) {
		*start = max(*start, mas.index);
		*end = min(*end - 1, mas.last) + 1;
		*attr = xa_to_value(entry);
	}
	mtree_unlock(&attrs->tree);
	return entry;
}

/* Pages with some attributes. */
struct tally {
	long by_range;
	long counted;
};

static void tally_add(struct tally *tally, u32 attr, unsigned long first, unsigned long last)
{
	unsigned long pages = ((last - first) >> PAGE_SHIFT) + 1;

	tally->by_range += attr & MLKD_BY_RANGE ? pages : 0;
	tally->counted += attr & MLKD_COUNTED ? pages : 0;
}

/* What is noted of [@first, @last]. */
static struct tally tally_noted(struct mlkd_attrs *attrs, unsigned long first, unsigned long last)
{
	MA_STATE(mas, &attrs->tree, first, first);
	struct tally tally = {};
	void *entry;

	if (mtree_empty(&attrs->tree))
		return tally;
	mtree_lock(&attrs->tree);
	mas_for_each(&mas, entry, last)
		tally_add(&tally, xa_to_value(entry), max(first, mas.index), min(last, mas.last));
	mtree_unlock(&attrs->tree);
	return tally;
}

/* Joins [@first, @last], which has @entry, with what is beside it and alike, if memory is there. */
static void join(struct mlkd_attrs *attrs, unsigned long first, unsigned long last, void *entry)
{
	MA_STATE(mas, &attrs->tree, first, first);
	unsigned long all_first = first, all_last = last;

	mtree_lock(&attrs->tree);
	if (first) {
		mas_set(&mas, first - 1);
		if (mas_walk(&mas) == entry)
			all_first = mas.index;
	}
	if (last < ULONG_MAX) {
		mas_set(&mas, last + 1);
		if (mas_walk(&mas) == entry)
			all_last = mas.last;
	}
	if (all_first < first || all_last > last) {
		mas_set_range(&mas, all_first, all_last);
		mas_store_gfp(&mas, entry, GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	}
	mtree_unlock(&attrs->tree);
}

static int store(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		 void *entry, gfp_t gfp)
{
	unsigned long last = end - 1;
	struct tally before = tally_noted(attrs, start, last), after = {};
	int err = mtree_store_range(&attrs->tree, start, last, entry, gfp);

	if (err)
		return err;
	if (entry) {
		tally_add(&after, xa_to_value(entry), start, last);
		if (xa_to_value(entry) & MLKD_MERGEABLE)
			attrs->mergeable = true;
		join(attrs, start, last, entry);
	}
	atomic_long_add(after.by_range - before.by_range, &attrs->by_range);
	if (after.counted != before.counted) {
		atomic_long_add(after.counted - before.counted, &attrs->counted);
		atomic_long_add(after.counted - before.counted, &mlkd_attrs_counted);
	}
	return 0;
}

/*
 * Nothing is noted any more, and no lock is in force.  A call of the process that is still
 * on its way may note what it has just done.
 */
void mlkd_attrs_clear(struct mlkd_attrs *attrs)
{
	attrs->rest = 0;
	attrs->rest_lazy = false;
	if (!mtree_empty(&attrs->tree))
		store(attrs, 0, ULONG_MAX, NULL, GFP_KERNEL | __GFP_NOFAIL);
}

/* What is noted where the attribute is @attr: nothing, if it is that of the rest. */
static void *entry_of(struct mlkd_attrs *attrs, u32 attr)
{
	return attr == attrs->rest ? NULL : xa_mk_value(attr);
}

/**
 * mlkd_attr_map - change the attributes of a range
 * @attrs: the attributes
 * @start: first address
 * @end: address behind the last
 * @fn: what becomes of the attribute of each part
 * @gfp: how to allocate; with __GFP_NOFAIL it cannot fail
 *
 * Return: 0; or -ENOMEM, and a part of the range has changed.
 */
int mlkd_attr_map(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		  mlkd_attr_fn fn, gfp_t gfp)
{
	int err = 0;

	while (start < end && !err) {
		unsigned long next = end;
		u32 attr, new;

		attr = mlkd_attr_get(attrs, start, &next);
		new = fn(attr);
		if (new != attr)
			err = store(attrs, start, next, entry_of(attrs, new), gfp);
		start = next;
	}
	return err;
}

/**
 * mlkd_attr_map_noted - change what is noted
 * @attrs: the attributes
 * @start: first address; set to where to go on
 * @end: address behind the last
 * @fn: what becomes of each attribute that is noted
 * @nr: how many to look at, as mmap_lock is held for writing
 *
 * It cannot fail.  Who wants to change everything changes @attrs->rest before.
 *
 * Return: whether there may be more.
 */
bool mlkd_attr_map_noted(struct mlkd_attrs *attrs, unsigned long *start,
			 unsigned long end, mlkd_attr_fn fn, unsigned int nr)
{
	while (nr--) {
		unsigned long next = end;
		u32 attr, new;

		if (!mlkd_attr_next(attrs, start, &next, &attr))
			return false;
		new = fn(attr);
		if (new != attr || new == attrs->rest)
			store(attrs, *start, next, entry_of(attrs, new),
			      GFP_KERNEL | __GFP_NOFAIL);
		*start = next;
	}
	return true;
}

/**
 * mlkd_attr_note - note what is not noted
 * @attrs: the attributes
 * @start: first address
 * @end: address behind the last
 * @gfp: how to allocate
 *
 * For when @attrs->rest is about to change, and the range is to stay as it is.
 *
 * Return: 0 or -ENOMEM.
 */
int mlkd_attr_note(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		   gfp_t gfp)
{
	int err = 0;

	while (start < end && !err) {
		unsigned long next = end;
		bool noted;
		u32 attr;

		attr = lookup(attrs, start, &next, &noted);
		if (!noted)
			err = store(attrs, start, next, xa_mk_value(attr), gfp);
		start = next;
	}
	return err;
}

/* [@start, @end) has @attr. */
int mlkd_attr_set(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		  u32 attr, gfp_t gfp)
{
	return store(attrs, start, end, entry_of(attrs, attr), gfp);
}

/*
 * [@start, @end) is unmapped.  The notifier may not wait for memory, and where there
 * is none, what is mapped there next has the attribute of what was there before.
 */
void mlkd_attr_forget(struct mlkd_attrs *attrs, unsigned long start,
		      unsigned long end, gfp_t gfp)
{
	unsigned long from = start, to = end;
	u32 attr;

	if (mlkd_attr_next(attrs, &from, &to, &attr))
		store(attrs, start, end, NULL, gfp | __GFP_NOWARN);
}

/**
 * mlkd_attr_mode - what an attribute asks for
 * @attr: the attribute
 * @whole: what the lock of the whole address space asks for
 *
 * Return: the mode; with the state UNLOCKED where no lock of ours wants anything.
 */
struct mlkd_mode mlkd_attr_mode(u32 attr, struct mlkd_mode whole)
{
	struct mlkd_mode range = { .flags = MEMLOCKD_CURRENT };

	if (!(attr & MLKD_BY_WHOLE))
		whole = (struct mlkd_mode){};
	if (!(attr & MLKD_BY_RANGE))
		return whole;
	range.state = attr & (MLKD_RANGE_SUPER | MLKD_RANGE_SUPER_NEW) ?
		      MEMLOCKD_STATE_SUPERLOCKED : MEMLOCKD_STATE_LOCKED;
	return mlkd_mode_join(whole, range);
}
