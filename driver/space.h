/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A locked address space, and the table of all of them.
 */
#ifndef _MEMLOCKD_SPACE_H
#define _MEMLOCKD_SPACE_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/refcount.h>
#include <linux/resource.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "attr.h"
#include "pin.h"
#include "policy.h"
#include "turn.h"

struct mlkd_call;
struct mlkd_file_range;

#define MLKD_HEAL_RANGES	32

/**
 * struct mlkd_heal - what is to be healed in one address space
 * @lock: protects @nr to @ranges; a leaf, taken in mmu notifiers
 * @nr: ranges noted
 * @overflow: there were more: all shared files are to be looked at
 * @queued: @work is on its way, with a reference to the space
 * @ranges: address ranges that have been write-protected
 * @work: heals them
 * @healed: pages, since the space exists
 */
struct mlkd_heal {
	spinlock_t lock;	/* @nr to @ranges */
	unsigned int nr;
	bool overflow;
	bool queued;
	struct {
		unsigned long start;
		unsigned long end;
	} ranges[MLKD_HEAL_RANGES];
	struct work_struct work;
	atomic_long_t healed;
};

/**
 * struct mlkd_wired - what one address space has in the count
 * @node: in the list of all that have something in it
 * @pages: pages of private memory, which no other address space has
 * @ranges: parts of files, whose pages others may have, too
 * @nr_ranges: how many
 * @locked_vm: that of the mm, when it was counted
 * @map_count: likewise
 * @counts: how often it has been counted, or begun to be
 * @asked: a request has noted what it wants, and is not in the total
 * @pass: the pass of wired_refresh() that has last looked at it
 * @stale: it has unmapped or mapped something since
 * @gone: it is locked no more, and not to be counted again
 *
 * All but @stale changes under the mutex of wired.c, which is taken without mmap_lock.
 */
struct mlkd_wired {
	struct list_head node;
	unsigned long pages;
	struct mlkd_file_range *ranges;
	unsigned int nr_ranges;
	unsigned long locked_vm;
	int map_count;
	unsigned int counts;
	bool asked;
	unsigned int pass;
	bool stale;
	bool gone;
};

#define MLKD_SILENT	4

/**
 * struct mlkd_silent - file systems that do not answer
 * @nr: how many; if there is no more room, all that would have to be asked count as such
 * @dev: their devices
 */
struct mlkd_silent {
	unsigned int nr;
	dev_t dev[MLKD_SILENT];
};

/**
 * struct mlkd_calls - what is kept for the system calls of one process; see task_call.c
 * @lock: protects all that follows; raw, as probes take it
 * @free: the calls that are not in use
 * @last: the call that has been queued last, until it runs
 * @nr: how many calls there are, those in use included
 * @closed: the space has ended: who gives a call back frees it
 */
struct mlkd_calls {
	raw_spinlock_t lock;
	struct mlkd_call *free;
	struct mlkd_call *last;
	unsigned int nr;
	bool closed;
};

/**
 * struct mlkd_missed - the process has unlocked something, and there was no call for that
 * @work: looks for what is to be locked again
 * @delay: how long @work waits, in jiffies; 0 if it is not on its way
 * @locked_vm: of the address space before, in pages
 */
struct mlkd_missed {
	struct delayed_work work;
	unsigned long delay;
	unsigned long locked_vm;
};

/**
 * struct mlkd_fault - a page fault that a thread has begun
 * @node: in &mlkd_guard.open, by @task
 * @task: the thread
 * @min_flt: its counter of minor faults then
 * @maj_flt: its counter of major faults then
 * @time: when it was; CLOCK_BOOTTIME, in nanoseconds
 * @address: what was accessed
 * @ip: by which instruction
 * @flags: &enum memlockd_fault_flags
 */
struct mlkd_fault {
	struct rb_node node;
	struct task_struct *task;
	unsigned long min_flt;
	unsigned long maj_flt;
	u64 time;
	unsigned long address;
	unsigned long ip;
	u32 flags;
};

/**
 * struct mlkd_last_fault - what is kept of the last fault
 * @time: as in &mlkd_fault; 0 if there was none
 * @address: likewise
 * @ip: likewise
 * @tid: the thread, in the first PID namespace
 * @flags: as in &mlkd_fault
 */
struct mlkd_last_fault {
	u64 time;
	unsigned long address;
	unsigned long ip;
	pid_t tid;
	u32 flags;
};

/**
 * struct mlkd_guard - the page faults of one address space; see guard.c
 * @armed: the tracepoints are in place for it; changed with the claim held, or at the end of
 *	the space
 * @lock: protects all that follows; raw, as probes take it.  Probes read @on without it
 * @on: it is superlocked, so that each fault breaks a promise
 * @open: faults that have begun and have not been counted
 * @minor: minor faults since @on
 * @major: likewise, major ones
 * @last: the last of them
 */
struct mlkd_guard {
	bool armed;
	raw_spinlock_t lock;
	bool on;
	struct rb_root open;
	u64 minor;
	u64 major;
	struct mlkd_last_fault last;
};

/**
 * struct mlkd_chased - where a request has to look as well
 * @start: first address
 * @end: address behind the last; 0 if there is nothing
 */
struct mlkd_chased {
	unsigned long start;
	unsigned long end;
};

struct mlkd_space;

/**
 * struct mlkd_later - the rest of a request, which cannot fail
 * @run: does it; or NULL.  Returns -EINTR when current is killed while it waits for
 *	mmap_lock; then it is to be called once more
 * @mode: the mode that is to be promised
 * @start: the first address of the request
 * @end: the address behind its last
 * @from, @to: likewise, of what it gives back, which may be more
 * @trims: a lock of a range asks for less than the one before
 * @whole: an unlock of a range excepts it from the lock of the whole address space, too
 * @recount: what is locked is to be counted anew
 * @work: calls @run where the caller has been killed, and ends the claim
 * @nr: how many claims have ended
 */
struct mlkd_later {
	int (*run)(struct mlkd_space *space);
	struct mlkd_mode mode;
	unsigned long start;
	unsigned long end;
	unsigned long from;
	unsigned long to;
	bool trims;
	bool whole;
	bool recount;
	struct work_struct work;
	unsigned int nr;
};

/**
 * struct mlkd_space - a locked address space
 * @notifier: tells of what becomes of the address space
 * @mm: the address space; its mm_count is held, never its mm_users
 * @pid: the process that was to be locked first, with a reference
 * @node: in the table of spaces, until @gone
 * @ref: one for the table, one for each call that uses it
 * @busy: a call has claimed it, to change it
 * @gone: unlocked, or its address space has ended; not in the table any more
 * @by_self: the process itself has the claim
 * @lingers: nothing is locked; it is kept for a while, in case that there is a next lock
 * @lingers_since: in jiffies
 * @wait: woken when @busy ends or @gone begins
 * @reap: takes a space whose address space has ended apart
 * @lock: protects @promised, which every call may read
 * @promised: the mode that the locks of the whole address space ask for
 * @in_force: the mode that is worked towards.  It is @promised, and during a request
 *	that with what the request asks for, or without what it gives up.  The task
 *	with the claim changes it; notifiers and probes read it without a lock
 * @holders: the locks that make up @promised; see holder.h
 * @wired: its part in the count of all that is locked
 * @attrs: the attributes, which say who wants which part of it locked
 * @pins: the pins
 * @heal: what is to be made writable again
 * @pace: that of the turns of who has the claim; with each claim it begins anew
 * @silent: the file systems that have not answered when it was populated.  The task with
 *	the claim adds to it; reports read it without a lock
 * @ksm_kept: [vdso] has VM_MERGEABLE; see mlkd_space_keep_ksm()
 * @saved_numa_scan: @mm's numa_next_scan, while it is put off
 * @stack_reserve: what the last lock asked for
 * @raised: the process whose RLIMIT_MEMLOCK a lock has raised, or NULL; changed with the
 *	claim held, or at the end of the space
 * @raised_from: what that limit was
 * @armed: the probes for what it does later are in place for it
 * @calls: what these need
 * @missed: what they have missed
 * @guard: the page faults that it takes all the same
 * @moves_lock: protects @moves
 * @moves: the threads that are within mremap(2)
 * @nr_moves: how often memory, or its attributes, have been moved; changed with mmap_lock
 *	held for writing, read without
 * @chased: what carries bits of the request that is running has been moved into this range;
 *	changed with mmap_lock held for writing, read with it held.  Each claim begins with none
 * @pin_work: pins new mappings, where their own process cannot
 * @flags: MLKD_SPACE_PINNING: @pin_work is on its way, with a reference;
 *	MLKD_SPACE_SOFT_DIRTY: and makes memory writable again;
 *	MLKD_SPACE_REPLACED: and looks at what is pinned already.
 *	MLKD_SPACE_SELF: the process has asked for a lock itself.
 *	MLKD_SPACE_STACK_OVER: a stack that pins keep has grown beyond RLIMIT_MEMLOCK.
 *	MLKD_SPACE_STACK_CUT: the stack reserve is less than the default, for want of room.
 *	MLKD_SPACE_MUNLOCKING, MLKD_SPACE_GUARDING: mappings are not VM_LOCKED any more,
 *	or for a moment, whose pages are mlocked yet: who unmaps these munlocks them.
 *	Set before mlkd_munlock_begin(), under mmap_lock held for writing; notifiers
 *	read them without a lock
 * @close_work: gives up the locks of files that are closed
 * @later: what is left to be done before the claim ends
 * @rcu: frees it, as probes look it up under RCU
 *
 * Lifetime.  A space exists from the first lock request on until it is unlocked
 * or the last user of @mm goes (exit, exec); then ->release drops the pins, and
 * @reap the rest.  Each space holds a reference to the module, but while it lingers.
 *
 * Claims.  A task that changes a space claims it; others wait for that, killable.
 * A claim is no lock: GUP and mmput() run under it, as nothing that they may wait for
 * (a userfaultfd or FUSE server, ->release) waits for a claim without being killable,
 * or at all.  With a claim goes a user of @mm, so that ->release cannot run; a task
 * that waits for a claim holds none.
 *
 * Lock order: mmap_lock, then one of the leaves: the table's lock, @lock, that of
 * holder.c, @pins.chunks, @attrs.tree, @moves_lock, @calls.lock, @guard.lock,
 * @heal.lock.  The mutex of wired.c is taken without mmap_lock, and also before the
 * leaves.
 */
struct mlkd_space {
	struct mmu_notifier notifier;
	struct mm_struct *mm;
	struct pid *pid;
	struct hlist_node node;
	refcount_t ref;
	bool busy;
	bool gone;
	bool by_self;
	bool lingers;
	unsigned long lingers_since;
	wait_queue_head_t wait;
	struct work_struct reap;

	spinlock_t lock;	/* @promised */
	struct mlkd_mode promised;
	struct mlkd_mode in_force;
	struct list_head holders;
	struct mlkd_wired wired;

	struct mlkd_attrs attrs;
	struct mlkd_pins pins;
	struct mlkd_heal heal;
	struct mlkd_pace pace;
	struct mlkd_silent silent;
	bool ksm_kept;
	unsigned long saved_numa_scan;
	u64 stack_reserve;
	struct pid *raised;
	struct rlimit raised_from;

	bool armed;
	struct mlkd_calls calls;
	struct mlkd_missed missed;
	struct mlkd_guard guard;
	raw_spinlock_t moves_lock;	/* @moves */
	struct list_head moves;
	unsigned long nr_moves;
	struct mlkd_chased chased;
	struct work_struct pin_work;
	unsigned long flags;
	struct work_struct close_work;
	struct mlkd_later later;
	struct rcu_head rcu;
};

extern work_func_t mlkd_space_close_fn;

#define MLKD_SPACES_BITS	8

extern struct hlist_head mlkd_spaces[1 << MLKD_SPACES_BITS];

/* For probes: false if @mm has no space.  One of another address space may be in its place. */
static inline bool mlkd_space_likely(struct mm_struct *mm)
{
	return !hlist_empty(&mlkd_spaces[hash_min((unsigned long)mm, MLKD_SPACES_BITS)]);
}

#define MLKD_SPACE_PINNING	0
#define MLKD_SPACE_SOFT_DIRTY	1
#define MLKD_SPACE_REPLACED	2
#define MLKD_SPACE_MUNLOCKING	3
#define MLKD_SPACE_GUARDING	4
#define MLKD_SPACE_SELF	5
#define MLKD_SPACE_STACK_OVER	6
#define MLKD_SPACE_STACK_CUT	7

int mlkd_spaces_init(void);
void mlkd_spaces_exit(void);
unsigned int mlkd_spaces_count(void);
void mlkd_spaces_flush(void);
bool mlkd_spaces_wait(unsigned long timeout);

void mlkd_space_begin(struct mlkd_space *space);
void mlkd_space_set_lingering(struct mlkd_space *space, bool on);
bool mlkd_spaces_linger(void);
struct mlkd_space *mlkd_space_claim_lingering(unsigned long age);

bool mlkd_space_enter(struct mlkd_space *space);
bool mlkd_space_leave(struct mlkd_space *space);
struct mlkd_space *mlkd_space_find_idle(struct mm_struct *mm, bool *claimed);
bool mlkd_space_set_busy(struct mlkd_space *space);
void mlkd_space_set_idle(struct mlkd_space *space);
void mlkd_space_reap_later(struct mlkd_space *space);
void mlkd_space_finish(struct mlkd_space *space);
void mlkd_space_finish_later(struct mlkd_space *space);

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

struct mlkd_mode mlkd_space_promised(struct mlkd_space *space);
struct mlkd_mode mlkd_space_mode_of(struct mlkd_space *space, struct vm_area_struct *vma,
				    struct mlkd_mode whole);
bool mlkd_space_stack_over(struct mlkd_space *space, struct vm_area_struct *vma,
			   struct mlkd_mode mode);
struct mlkd_want mlkd_space_want(struct mlkd_space *space, struct vm_area_struct *vma,
				 u32 attr);

void mlkd_silent_add(struct mlkd_silent *silent, dev_t dev);
bool mlkd_silent_has(const struct mlkd_silent *silent, struct vm_area_struct *vma);
bool mlkd_space_keeps_too_much(struct mlkd_space *space);
void mlkd_space_let_go(struct mlkd_space *space, unsigned long start, unsigned long end);

static inline struct mlkd_mode mlkd_space_in_force(struct mlkd_space *space)
{
	return READ_ONCE(space->in_force);
}

/**
 * struct mlkd_move - a thread that is within mremap(2) or remap_file_pages(2)
 * @node: in &mlkd_space.moves
 * @task: the thread
 * @stays: it maps something else at the same place, and the attributes stay
 * @from: where the memory is that is being moved
 * @to: where it goes
 * @len: how long it will be there; 0 as long as nothing is being moved
 * @moved: attributes have been moved
 * @left: the first address of those that could not be moved at once, for want of memory; or 0
 *
 * The core kernel moves memory with mmap_lock held for writing, and tells the mmu notifier when
 * it is at its new place.  Then its attributes are moved, too, before anybody can see that these
 * and the mappings do not fit.  All but the list is the thread's own.
 */
struct mlkd_move {
	struct list_head node;
	struct task_struct *task;
	bool stays;
	unsigned long from;
	unsigned long to;
	unsigned long len;
	bool moved;
	unsigned long left;
};

void mlkd_space_keep_ksm(struct mlkd_space *space);
void mlkd_space_leave_ksm(struct mlkd_space *space);

void mlkd_space_move_begin(struct mlkd_space *space, struct mlkd_move *move, bool stays);
void mlkd_space_move_end(struct mlkd_space *space, struct mlkd_move *move);
struct mlkd_move *mlkd_space_moving(struct mlkd_space *space);

#endif /* _MEMLOCKD_SPACE_H */
