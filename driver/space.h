/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A locked address space, and the table of all of them.
 */
#ifndef _MEMLOCKD_SPACE_H
#define _MEMLOCKD_SPACE_H

#include <linux/hashtable.h>
#include <linux/mmu_notifier.h>
#include <linux/refcount.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "heal.h"
#include "owner.h"
#include "pin.h"
#include "policy.h"
#include "wired.h"

/**
 * struct mlkd_space - a locked address space
 * @notifier: tells of what becomes of the address space
 * @mm: the address space; its mm_count is held, never its mm_users
 * @node: in the table of spaces, until @gone
 * @ref: one for the table, one for each call that uses it
 * @busy: a call has claimed it, to change it
 * @gone: unlocked, or its address space has ended; not in the table any more
 * @wait: woken when @busy ends or @gone begins
 * @reap: takes a space whose address space has ended apart
 * @lock: protects @mode, which every call may read
 * @mode: what the space has
 * @holders: who has asked for it; see holder.h
 * @wired: its part in the count of all that is locked
 * @owners: whose VM_LOCKED is
 * @pins: the pins
 * @ranges: parts of it that are locked apart from the whole; see range.c
 * @range_flags: mappings that are VM_LOCKED for these
 * @heal: what is to be made writable again
 * @request: number of the last lock request; changed by who has claimed it
 * @active: there is a lock, or one is being made; notifiers read it without a lock
 * @munlocking: mappings are not VM_LOCKED any more whose pages are mlocked yet: who
 *	unmaps these munlocks them.  Set before mlkd_munlock_begin(), under mmap_lock
 *	held for writing; notifiers read it without a lock
 * @future: it covers the future
 * @own_future: the process has asked for MCL_FUTURE itself; like @active and
 *	@future, it changes under mmap_lock held for writing
 * @stack_reserve: what the last lock asked for
 * @saved_numa_scan: @mm's numa_next_scan, while it is put off
 * @armed: the probes for what it does later are in place for it
 * @future_mode: what new mappings get; changes under mmap_lock held for writing,
 *	so that who holds it for reading can pin by it
 * @pin_work: pins new mappings, where their own process cannot
 * @flags: MLKD_SPACE_PINNING: @pin_work is on its way, with a reference;
 *	MLKD_SPACE_SOFT_DIRTY: and makes memory writable again
 * @rcu: frees it, as probes look it up under RCU
 *
 * Lifetime.  A space exists from the first lock request on until it is unlocked
 * or the last user of @mm goes (exit, exec); then ->release drops the pins, and
 * @reap the rest.  Each space holds a reference to the module.
 *
 * Claims.  Whoever changes a space claims it; others wait for that, killable.
 * A claim is no lock: GUP and mmput() run under it, as nothing that they may
 * wait for (a userfaultfd or FUSE server, ->release) waits for a claim without
 * being killable, or at all.  Who holds a claim holds a user of @mm, so that
 * ->release cannot run; who waits holds none.
 *
 * Lock order: mmap_lock, the mutex of wired.c, then one of the leaves: the table's
 * lock, @lock, that of holder.c, @pins.chunks, @owners.tree, @ranges,
 * @range_flags, @heal.lock.
 */
struct mlkd_space {
	struct mmu_notifier notifier;
	struct mm_struct *mm;
	struct hlist_node node;
	refcount_t ref;
	bool busy;
	bool gone;
	wait_queue_head_t wait;
	struct work_struct reap;

	spinlock_t lock;	/* @mode */
	struct mlkd_mode mode;
	struct list_head holders;
	struct mlkd_wired wired;

	struct mlkd_owners owners;
	struct mlkd_pins pins;
	struct maple_tree ranges;
	struct maple_tree range_flags;
	struct mlkd_heal heal;
	unsigned long request;
	bool active;
	bool munlocking;
	bool future;
	bool own_future;
	unsigned long saved_numa_scan;
	u64 stack_reserve;

	bool armed;
	struct mlkd_mode future_mode;
	struct work_struct pin_work;
	unsigned long flags;
	struct rcu_head rcu;
};

#define MLKD_SPACE_PINNING	0
#define MLKD_SPACE_SOFT_DIRTY	1

int mlkd_spaces_init(void);
void mlkd_spaces_exit(void);
unsigned int mlkd_spaces_count(void);
void mlkd_spaces_settle(void);

bool mlkd_space_enter(struct mlkd_space *space);
bool mlkd_space_leave(struct mlkd_space *space);
struct mlkd_space *mlkd_space_find_idle(struct mm_struct *mm, bool *claimed);
bool mlkd_space_set_busy(struct mlkd_space *space);
void mlkd_space_set_idle(struct mlkd_space *space);
void mlkd_space_reap_later(struct mlkd_space *space);

struct mlkd_space *mlkd_space_find(struct mm_struct *mm);
struct mlkd_space *mlkd_space_find_rcu(struct mm_struct *mm);
void mlkd_space_put(struct mlkd_space *space);

/* The caller has a reference to @space already, or holds the lock of a list of them. */
static inline void mlkd_space_get(struct mlkd_space *space)
{
	refcount_inc(&space->ref);
}

/* Takes a reference to @space, which the caller has found under RCU, unless it has none left. */
static inline bool mlkd_space_tryget(struct mlkd_space *space)
{
	return refcount_inc_not_zero(&space->ref);
}

struct mlkd_mode mlkd_space_mode(struct mlkd_space *space);

#endif /* _MEMLOCKD_SPACE_H */
