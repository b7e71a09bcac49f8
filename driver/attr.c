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
 * A part that is not noted has the attribute @rest.  With a lock of all that is and will be
 * mapped, that is MLKD_WHOLE, and usually nothing else is noted.  A range that is
 * unmapped is forgotten, so that what is mapped there later is like all that is new.
 *
 * mremap(2) moves what is noted while it holds mmap_lock for writing, however many parts
 * there are.  To store one takes several microseconds, most of them for a new node of the
 * tree.  So parts that are moved become a bundle, which is one entry of the tree for
 * PARTS_IN_BUNDLE of them.  A bundle does not change.  What is noted later is stored over a
 * part of its entry, which then is two entries that point to the same bundle, and when all
 * of it has been stored over the bundle is freed.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "attr.h"

atomic_long_t mlkd_attrs_counted;

/* A part of an address space that is noted. */
struct part {
	unsigned long first;
	unsigned long last;
	u32 attr;
};

/* So that it fits 512 bytes. */
#define PARTS_IN_BUNDLE	39

/**
 * struct bundle - several parts that are one entry of the tree
 * @rcu: probes may still look at it
 * @start: address of the first part
 * @pages: from the first part to the last, without those that have been stored over
 * @nr: how many parts there are
 * @parts: in the order of addresses; by pages, counted from @start
 */
struct bundle {
	struct rcu_head rcu;
	unsigned long start;
	atomic_long_t pages;
	u32 nr;
	struct {
		u32 first;
		u32 last;
		u32 attr;
	} parts[PARTS_IN_BUNDLE];
};

static unsigned long pages_of(unsigned long first, unsigned long last)
{
	return ((last - first) >> PAGE_SHIFT) + 1;
}

/**
 * struct parts - goes through the parts that are noted of a range
 * @mas: at the entry that has been found last; the tree is locked, or RCU is
 * @first: first address of the range
 * @last: its last address
 * @bundle: that entry, if it is a bundle of which there may be more
 * @nr: how many parts of that have been looked at
 */
struct parts {
	struct ma_state *mas;
	unsigned long first;
	unsigned long last;
	const struct bundle *bundle;
	unsigned int nr;
};

#define PARTS(name, attrs, from, to)					\
	MA_STATE(name##_mas, &(attrs)->tree, from, from);		\
	struct parts name = { .mas = &name##_mas, .first = (from), .last = (to) }

/* The next part that is noted in @parts->bundle. */
static bool next_in_bundle(struct parts *parts, struct part *part)
{
	unsigned long low = max(parts->first, parts->mas->index);
	unsigned long high = min(parts->last, parts->mas->last);
	const struct bundle *bundle = parts->bundle;

	while (parts->nr < bundle->nr) {
		unsigned int i = parts->nr++;
		unsigned long first = bundle->start + ((unsigned long)bundle->parts[i].first <<
						       PAGE_SHIFT);
		unsigned long last = bundle->start + ((bundle->parts[i].last + 1UL) <<
						      PAGE_SHIFT) - 1;

		if (first > high)
			break;
		if (last < low)
			continue;
		part->first = max(first, low);
		part->last = min(last, high);
		part->attr = bundle->parts[i].attr;
		return true;
	}
	parts->bundle = NULL;
	return false;
}

/* The next part that is noted; false if there is none, and then @part is as it was. */
static bool next_part(struct parts *parts, struct part *part)
{
	struct ma_state *mas = parts->mas;
	void *entry;

	while (!parts->bundle || !next_in_bundle(parts, part)) {
		entry = mas_find(mas, parts->last);
		if (!entry)
			return false;
		if (xa_is_value(entry)) {
			part->first = max(parts->first, mas->index);
			part->last = min(parts->last, mas->last);
			part->attr = xa_to_value(entry);
			return true;
		}
		parts->bundle = entry;
		parts->nr = 0;
	}
	return true;
}

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

/* Nothing is MLKD_COUNTED any more. */
void mlkd_attrs_uncount(struct mlkd_attrs *attrs)
{
	atomic_long_sub(atomic_long_xchg(&attrs->counted, 0), &mlkd_attrs_counted);
}

/* [@first, @last] of @bundle is not in the tree any more. */
static void drop_from_bundle(struct mlkd_attrs *attrs, struct bundle *bundle,
			     unsigned long first, unsigned long last)
{
	if (!atomic_long_sub_and_test(pages_of(first, last), &bundle->pages))
		return;
	atomic_dec(&attrs->bundles);
	kfree_rcu(bundle, rcu);
}

void mlkd_attrs_destroy(struct mlkd_attrs *attrs)
{
	MA_STATE(mas, &attrs->tree, 0, 0);
	void *entry;

	mlkd_attrs_uncount(attrs);
	mtree_lock(&attrs->tree);
	mas_for_each(&mas, entry, ULONG_MAX)
		if (!xa_is_value(entry))
			drop_from_bundle(attrs, entry, mas.index, mas.last);
	__mt_destroy(&attrs->tree);
	mtree_unlock(&attrs->tree);
}

/* mlkd_attr_get() which also says whether the attribute is noted. */
static u32 lookup(struct mlkd_attrs *attrs, unsigned long addr, unsigned long *end,
		  bool *noted)
{
	PARTS(parts, attrs, addr, *end - 1);
	u32 attr = attrs->rest;
	struct part part;

	*noted = false;
	mtree_lock(&attrs->tree);
	if (next_part(&parts, &part)) {
		*noted = part.first == addr;
		*end = *noted ? part.last + 1 : part.first;
		attr = *noted ? part.attr : attr;
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
	PARTS(parts, attrs, start, end - 1);
	bool rest = attrs->rest & mask;
	unsigned long next = start;
	struct part part;
	bool all = true;

	mtree_lock(&attrs->tree);
	while (all && next_part(&parts, &part)) {
		all = (part.first <= next || rest) && (part.attr & mask);
		next = part.last + 1;
	}
	mtree_unlock(&attrs->tree);
	return all && (rest || next >= end);
}

/* mlkd_attr_any() where something is noted. */
bool __mlkd_attr_any(struct mlkd_attrs *attrs, unsigned long start,
		     unsigned long end, u32 mask)
{
	PARTS(parts, attrs, start, end - 1);
	bool rest = attrs->rest & mask;
	unsigned long next = start;
	struct part part;
	bool any = false;

	mtree_lock(&attrs->tree);
	while (!any && next_part(&parts, &part)) {
		any = (part.first > next && rest) || (part.attr & mask);
		next = part.last + 1;
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
	PARTS(parts, attrs, start, end - 1);
	bool rest = READ_ONCE(attrs->rest) & mask;
	unsigned long next = start, found = end;
	struct part part;

	rcu_read_lock();
	while (next_part(&parts, &part)) {
		if (part.first > next && rest)
			break;
		if (part.attr & mask) {
			found = part.first;
			break;
		}
		next = part.last + 1;
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
	PARTS(parts, attrs, *start, *end - 1);
	struct part part;
	bool found;

	if (mtree_empty(&attrs->tree) || *start >= *end)
		return false;
	mtree_lock(&attrs->tree);
	found = next_part(&parts, &part);
	mtree_unlock(&attrs->tree);
	if (found) {
		*start = part.first;
		*end = part.last + 1;
		*attr = part.attr;
	}
	return found;
}

static bool any_noted(struct mlkd_attrs *attrs, unsigned long start, unsigned long end)
{
	u32 attr;

	return mlkd_attr_next(attrs, &start, &end, &attr);
}

/* Pages with some attributes. */
struct tally {
	long by_range;
	long counted;
};

static void tally_add(struct tally *tally, const struct part *part)
{
	unsigned long pages = pages_of(part->first, part->last);

	tally->by_range += part->attr & MLKD_BY_RANGE ? pages : 0;
	tally->counted += part->attr & MLKD_COUNTED ? pages : 0;
}

/* Counts the pages of what is noted of [@first, @last]. */
static struct tally tally_noted(struct mlkd_attrs *attrs, unsigned long first, unsigned long last)
{
	PARTS(parts, attrs, first, last);
	struct tally tally = {};
	struct part part;

	if (mtree_empty(&attrs->tree))
		return tally;
	mtree_lock(&attrs->tree);
	while (next_part(&parts, &part))
		tally_add(&tally, &part);
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

/* Stores @entry, of which @after is to be counted, where no bundle is. */
static int store_entry(struct mlkd_attrs *attrs, unsigned long first, unsigned long last,
		       void *entry, const struct tally *after, gfp_t gfp)
{
	struct tally before = tally_noted(attrs, first, last);
	int err = mtree_store_range(&attrs->tree, first, last, entry, gfp);

	if (err)
		return err;
	atomic_long_add(after->by_range - before.by_range, &attrs->by_range);
	if (after->counted != before.counted) {
		atomic_long_add(after->counted - before.counted, &attrs->counted);
		atomic_long_add(after->counted - before.counted, &mlkd_attrs_counted);
	}
	return 0;
}

/* Makes a part what is noted of it; without @noted, nothing is. */
static int store_part(struct mlkd_attrs *attrs, const struct part *part, bool noted, gfp_t gfp)
{
	void *entry = noted ? xa_mk_value(part->attr) : NULL;
	struct tally after = {};
	int err;

	if (noted)
		tally_add(&after, part);
	err = store_entry(attrs, part->first, part->last, entry, &after, gfp);
	if (err || !noted)
		return err;
	if (part->attr & MLKD_MERGEABLE)
		attrs->mergeable = true;
	join(attrs, part->first, part->last, entry);
	return 0;
}

/* Finds the first bundle in [*first, *last], and makes that the part of it that has the bundle. */
static struct bundle *find_bundle(struct mlkd_attrs *attrs, unsigned long *first,
				  unsigned long *last)
{
	MA_STATE(mas, &attrs->tree, *first, *first);
	void *entry;

	if (!atomic_read(&attrs->bundles) || *first > *last)
		return NULL;
	mtree_lock(&attrs->tree);
	mas_for_each(&mas, entry, *last)
		if (!xa_is_value(entry))
			break;
	if (entry) {
		*first = max(*first, mas.index);
		*last = min(*last, mas.last);
	}
	mtree_unlock(&attrs->tree);
	return entry;
}

/*
 * Makes a range what is noted of it.  Bundles in the range are stored over first, one after
 * the other: a bundle has to be told, and it exists for as long as a page of it is in the tree.
 */
static int store(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		 u32 attr, bool noted, gfp_t gfp)
{
	struct part part = { .first = start, .last = end - 1, .attr = attr };
	struct bundle *bundle;
	int err;

	while ((bundle = find_bundle(attrs, &part.first, &part.last))) {
		err = store_part(attrs, &part, noted, gfp);
		if (err)
			return err;
		drop_from_bundle(attrs, bundle, part.first, part.last);
		if (part.first == start && part.last == end - 1)
			return 0;
		part.first = part.last + 1;
		part.last = end - 1;
	}
	if (!noted && !any_noted(attrs, start, end))
		return 0;
	part.first = start;
	part.last = end - 1;
	return store_part(attrs, &part, noted, gfp);
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
		store(attrs, 0, ULONG_MAX, 0, false, GFP_KERNEL | __GFP_NOFAIL);
}

/* [@start, @end) has @attr, which is noted unless it is that of the rest. */
int mlkd_attr_set(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		  u32 attr, gfp_t gfp)
{
	return store(attrs, start, end, attr, attr != attrs->rest, gfp);
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
			err = mlkd_attr_set(attrs, start, next, new, gfp);
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
			mlkd_attr_set(attrs, *start, next, new, GFP_KERNEL | __GFP_NOFAIL);
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
			err = store(attrs, start, next, attr, true, gfp);
		start = next;
	}
	return err;
}

/*
 * [@start, @end) is unmapped.  The notifier may not wait for memory, and where there
 * is none, what is mapped there next has the attribute of what was there before.
 */
void mlkd_attr_forget(struct mlkd_attrs *attrs, unsigned long start,
		      unsigned long end, gfp_t gfp)
{
	if (any_noted(attrs, start, end))
		store(attrs, start, end, 0, false, gfp | __GFP_NOWARN);
}

/*
 * Notes what is noted of [*first, last] @delta bytes beyond, as much as one bundle takes,
 * and sets *first to where to go on.  *bits gets the bits of all that has been noted.
 */
static int copy_some(struct mlkd_attrs *attrs, unsigned long *first, unsigned long last,
		     unsigned long delta, u32 *bits, gfp_t gfp)
{
	PARTS(parts, attrs, *first, last);
	struct part part, all = {};
	struct tally tally = {};
	struct bundle *bundle;
	unsigned int nr = 0;
	int err = 0;

	bundle = kmalloc(sizeof(*bundle), gfp);
	if (!bundle)
		return -ENOMEM;
	*first = last + 1;
	mtree_lock(&attrs->tree);
	while (next_part(&parts, &part)) {
		if (!nr)
			all = part;
		if (nr == PARTS_IN_BUNDLE ||
		    (nr && (part.last - all.first) >> PAGE_SHIFT > U32_MAX)) {
			*first = part.first;
			break;
		}
		bundle->parts[nr].first = (part.first - all.first) >> PAGE_SHIFT;
		bundle->parts[nr].last = (part.last - all.first) >> PAGE_SHIFT;
		bundle->parts[nr].attr = part.attr;
		all.last = part.last;
		tally_add(&tally, &part);
		*bits |= part.attr;
		nr++;
	}
	mtree_unlock(&attrs->tree);

	all.first += delta;
	all.last += delta;
	if (nr > 1) {
		bundle->start = all.first;
		bundle->nr = nr;
		atomic_long_set(&bundle->pages, pages_of(all.first, all.last));
		err = store_entry(attrs, all.first, all.last, bundle, &tally, gfp);
		if (!err) {
			atomic_inc(&attrs->bundles);
			return 0;
		}
	} else if (nr) {
		err = store_part(attrs, &all, true, gfp);
	}
	kfree(bundle);
	return err;
}

/**
 * mlkd_attr_copy - what is moved has the attributes that it had before
 * @attrs: the attributes; mmap_lock is held for writing
 * @from: where it was
 * @to: where it is now; the two do not overlap
 * @len: how long it is
 * @bits: gets all bits that any part of it has
 * @gfp: how to allocate
 *
 * Return: 0; or -ENOMEM, and some of it has its attributes.
 */
int mlkd_attr_copy(struct mlkd_attrs *attrs, unsigned long from, unsigned long to,
		   unsigned long len, u32 *bits, gfp_t gfp)
{
	unsigned long first = from, last = from + len - 1;
	int err;

	*bits = attrs->rest;
	if (mtree_empty(&attrs->tree) || !len)
		return 0;
	err = store(attrs, to, to + len, 0, false, gfp);
	while (!err && first - from < len) {
		err = copy_some(attrs, &first, last, to - from, bits, gfp);
		cond_resched();
	}
	return err;
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
	/* A part of a mapping is not VM_LOCKED by itself, so that reclaim looks at it. */
	if (whole.state == MEMLOCKD_STATE_UNLOCKED)
		range.flags |= MEMLOCKD_COPY_TEXT;
	return mlkd_mode_join(whole, range);
}
