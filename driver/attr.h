/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an address space should have: who wants which part of it locked.
 */
#ifndef _MEMLOCKD_ATTR_H
#define _MEMLOCKD_ATTR_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/gfp_types.h>
#include <linux/maple_tree.h>

#include "policy.h"

/**
 * enum mlkd_attr - what is noted of a part of an address space
 * @MLKD_OWN: the process has locked it itself
 * @MLKD_WHOLE: a lock of the whole address space covers it
 * @MLKD_RANGE: a lock of a range covers it, with the state LOCKED
 * @MLKD_RANGE_SUPER: likewise, with the state SUPERLOCKED
 * @MLKD_WHOLE_NEW: the request that is running makes it @MLKD_WHOLE
 * @MLKD_RANGE_NEW: likewise
 * @MLKD_RANGE_SUPER_NEW: likewise
 * @MLKD_GOING: a lock of ours has covered it, and what that has done is being undone
 * @MLKD_MERGEABLE: it had VM_MERGEABLE, which has been taken away
 * @MLKD_EXCEPTED: the process has excepted it from its own lock, see MEMLOCKD_RANGE_WHOLE
 * @MLKD_COUNTED: it is in &mlkd_attrs.counted, as long as a lock of ours covers it
 */
enum mlkd_attr {
	MLKD_OWN		= BIT(0),
	MLKD_WHOLE		= BIT(1),
	MLKD_RANGE		= BIT(2),
	MLKD_RANGE_SUPER	= BIT(3),
	MLKD_WHOLE_NEW		= BIT(4),
	MLKD_RANGE_NEW		= BIT(5),
	MLKD_RANGE_SUPER_NEW	= BIT(6),
	MLKD_GOING		= BIT(7),
	MLKD_MERGEABLE		= BIT(8),
	MLKD_COUNTED		= BIT(9),
	MLKD_EXCEPTED		= BIT(10),
};

#define MLKD_BY_WHOLE	(MLKD_WHOLE | MLKD_WHOLE_NEW)
#define MLKD_BY_RANGE	(MLKD_RANGE | MLKD_RANGE_SUPER |	\
			 MLKD_RANGE_NEW | MLKD_RANGE_SUPER_NEW)
#define MLKD_NEW	(MLKD_WHOLE_NEW | MLKD_RANGE_NEW | MLKD_RANGE_SUPER_NEW)
#define MLKD_OURS	(MLKD_BY_WHOLE | MLKD_BY_RANGE)
/* VM_LOCKED may be ours: there is a lock of ours, or one is being undone. */
#define MLKD_OURS_STILL	(MLKD_OURS | MLKD_GOING)

/**
 * struct mlkd_attrs - the attributes of one address space
 * @tree: address range -> bits of &enum mlkd_attr, for what is noted
 * @rest: the bits of what is not noted: of all that the process maps from now on,
 *	and of most of what it has mapped
 * @rest_lazy: the process has asked for MCL_FUTURE with MCL_ONFAULT
 * @mergeable: something is or has been MLKD_MERGEABLE
 * @bundles: how many bundles there are, see attr.c
 * @by_range: pages that have one of MLKD_BY_RANGE
 * @counted: pages that are MLKD_COUNTED: see wired.c
 *
 * Parts that are noted end to end and alike are one entry of the tree: to lock a mapping page
 * by page does not make the tree larger.  Parts that mremap(2) has moved are in bundles.
 *
 * Attributes change under mmap_lock.  Who holds it for reading changes only what is
 * mapped, and holds the claim of the space; so do @rest and @rest_lazy, or else
 * with mmap_lock held for writing.  The mmu notifier forgets what is unmapped, with
 * whatever lock the core kernel holds then.  The tree's own lock is a leaf; probes,
 * which may take none, read the tree under RCU.
 */
struct mlkd_attrs {
	struct maple_tree tree;
	u32 rest;
	bool rest_lazy;
	bool mergeable;
	atomic_t bundles;
	atomic_long_t by_range;
	atomic_long_t counted;
};

/* Pages that are MLKD_COUNTED in any address space. */
extern atomic_long_t mlkd_attrs_counted;

/* Returns what becomes of an attribute. */
typedef u32 (*mlkd_attr_fn)(u32 attr);

void mlkd_attrs_setup(struct mlkd_attrs *attrs);
void mlkd_attrs_destroy(struct mlkd_attrs *attrs);
void mlkd_attrs_clear(struct mlkd_attrs *attrs);
void mlkd_attrs_uncount(struct mlkd_attrs *attrs);

u32 __mlkd_attr_get(struct mlkd_attrs *attrs, unsigned long addr, unsigned long *end);
bool __mlkd_attr_all(struct mlkd_attrs *attrs, unsigned long start,
		     unsigned long end, u32 mask);
bool __mlkd_attr_any(struct mlkd_attrs *attrs, unsigned long start,
		     unsigned long end, u32 mask);
bool mlkd_attr_any_rcu(struct mlkd_attrs *attrs, unsigned long start,
		       unsigned long end, u32 mask);
unsigned long mlkd_attr_find_rcu(struct mlkd_attrs *attrs, unsigned long start,
				 unsigned long end, u32 mask);
bool mlkd_attr_next(struct mlkd_attrs *attrs, unsigned long *start,
		    unsigned long *end, u32 *attr);

int mlkd_attr_map(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		  mlkd_attr_fn fn, gfp_t gfp);
bool mlkd_attr_map_noted(struct mlkd_attrs *attrs, unsigned long *start,
			 unsigned long end, mlkd_attr_fn fn, unsigned int nr);
int mlkd_attr_note(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		   gfp_t gfp);
int mlkd_attr_set(struct mlkd_attrs *attrs, unsigned long start, unsigned long end,
		  u32 attr, gfp_t gfp);
int mlkd_attr_copy(struct mlkd_attrs *attrs, unsigned long from, unsigned long to,
		   unsigned long len, u32 *bits, gfp_t gfp);
void mlkd_attr_forget(struct mlkd_attrs *attrs, unsigned long start,
		      unsigned long end, gfp_t gfp);

struct mlkd_mode mlkd_attr_mode(u32 attr, struct mlkd_mode whole);

/* The process has locked it itself. */
static inline u32 mlkd_attr_add_own(u32 attr)
{
	return attr | MLKD_OWN;
}

/* The process has unlocked it. */
static inline u32 mlkd_attr_drop_own(u32 attr)
{
	return attr & ~MLKD_OWN;
}

/* VM_MERGEABLE has been taken away. */
static inline u32 mlkd_attr_add_mergeable(u32 attr)
{
	return attr | MLKD_MERGEABLE;
}

/* VM_MERGEABLE has been given back, or is not to be. */
static inline u32 mlkd_attr_drop_mergeable(u32 attr)
{
	return attr & ~MLKD_MERGEABLE;
}

/* Is any range locked? */
static inline bool mlkd_attrs_have_ranges(struct mlkd_attrs *attrs)
{
	return atomic_long_read(&attrs->by_range);
}

/*
 * Most address spaces have nothing noted, and these are asked for each mapping of
 * each walk: then there is no call, and no lock.
 */

/**
 * mlkd_attr_get - the attribute of an address
 * @attrs: the attributes
 * @addr: the address
 * @end: an address beyond it; made smaller, to where the attribute ends
 *
 * Return: bits of &enum mlkd_attr.
 */
static inline u32 mlkd_attr_get(struct mlkd_attrs *attrs, unsigned long addr,
				unsigned long *end)
{
	return mtree_empty(&attrs->tree) ? attrs->rest :
	       __mlkd_attr_get(attrs, addr, end);
}

/* Has each part of [@start, @end) one of the bits of @mask? */
static inline bool mlkd_attr_all(struct mlkd_attrs *attrs, unsigned long start,
				 unsigned long end, u32 mask)
{
	return mtree_empty(&attrs->tree) ? attrs->rest & mask :
	       __mlkd_attr_all(attrs, start, end, mask);
}

/* Has any part of [@start, @end) one of the bits of @mask? */
static inline bool mlkd_attr_any(struct mlkd_attrs *attrs, unsigned long start,
				 unsigned long end, u32 mask)
{
	return mtree_empty(&attrs->tree) ? attrs->rest & mask :
	       __mlkd_attr_any(attrs, start, end, mask);
}

#endif /* _MEMLOCKD_ATTR_H */
