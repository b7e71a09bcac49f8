// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to lock and to unlock.
 *
 * attr.c notes who wants which part of an address space locked, and a request makes
 * flags, pages and pins follow that.  It has these steps:
 *
 * 1. survey(): what the process has locked itself is noted as its own, and the pages
 *    that would be locked are counted, against the limits.
 * 2. note_request(): what is wanted is noted with a bit of this request.
 * 3. flag_all(): VM_LOCKED is set where all of a mapping is wanted, and cleared where
 *    nothing is wanted any more.  From here on reclaim leaves it alone, and the core
 *    kernel keeps the accounts.
 * 4. mlkd_populate(): everything is made present, and pinned.  This is what takes
 *    time, and what fails.
 * 5. trim(): the pins that nobody wants, and the marks that VM_LOCKED has left on
 *    pages, are given back.
 *
 * A lock of a range is the same with bounds.  Unlocking, and undoing a request that
 * has failed, is steps 3 and 5 after MLKD_GOING has been noted where something was
 * wanted; they cannot fail.  Nothing is given up before the last thing that can fail
 * has succeeded.
 *
 * The rest of a request that cannot fail has to wait for mmap_lock all the same, and the
 * process may keep that for ever.  So the rest is noted in &mlkd_space.later.  The caller does
 * it at once; if he is killed while he waits, a worker begins it once more.
 *
 * Every pass over the mappings is made in turns (turn.c), which may end in the middle of a
 * mapping where many pages are to be looked at.  So the target can go on, and the caller be
 * killed.  What the target maps meanwhile has the attribute of the rest, which changes
 * first; for what it moves meanwhile see struct chase.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "cgroup.h"
#include "compat.h"
#include "crew.h"
#include "feed.h"
#include "guard.h"
#include "holder.h"
#include "limit.h"
#include "lock.h"
#include "munlock.h"
#include "pgtable.h"
#include "probe.h"
#include "scan.h"
#include "shared.h"
#include "space.h"
#include "stack.h"
#include "target.h"
#include "target_calls.h"
#include "turn.h"
#include "walk.h"
#include "wired.h"

/* So much of what is noted is changed between two looks at the clock. */
#define NOTED_AT_ONCE	8

/**
 * struct request - a request
 * @space: the space; its claim is held
 * @task: the process; NULL for a request that cannot fail, but for -EINTR where it waits
 *	for mmap_lock
 * @mode: what is to be there; of a lock of a range, its state
 * @start: first address; what has been moved out of a range makes it less, and @end more
 * @end: address behind the last; ULONG_MAX for all that there is
 * @range: it is for a range
 * @bypass: RLIMIT_MEMLOCK is not applied
 * @fit: what has no room below RLIMIT_MEMLOCK stays unlocked
 * @again: it is for a lock that there is already
 * @cut: there has been less room below RLIMIT_MEMLOCK than the default stack reserve
 * @limit: set when a limit is met
 * @scratch: room for MLKD_CHUNK_PAGES page pointers
 * @turn: the turn of the pass that is being made
 * @unmapped_to: where flag_all() has to go on unmapping shared pages
 * @mapped_to: where the mappings that survey() has seen end without a hole
 * @hole: a part of the range is not mapped
 * @new: pages that will be locked, and are not
 * @unique: pages that each need a page of their own, or a page-table entry
 * @largest: bytes of the largest mapping of a file
 * @counted: of a range: pages that become MLKD_COUNTED
 * @recount: of a range: there is more to be counted, or less, than these
 */
struct request {
	struct mlkd_space *space;
	struct task_struct *task;
	struct mlkd_mode mode;
	unsigned long start;
	unsigned long end;
	bool range;
	bool bypass;
	bool fit;
	bool again;
	bool cut;
	struct mlkd_limit *limit;
	struct page **scratch;
	struct mlkd_turn turn;
	unsigned long unmapped_to;
	unsigned long mapped_to;
	bool hole;
	unsigned long new;
	unsigned long unique;
	unsigned long largest;
	unsigned long counted;
	bool recount;
};

/*
 * A pass calls this for each mapping, of which [start, end) is in the pass.  It returns MORE to
 * be called for that mapping once more, after mmap_lock has been given up.
 */
#define MORE	1

typedef int (*mapping_fn)(struct request *request, struct vm_area_struct *vma,
			  unsigned long start, unsigned long end);

static bool locked(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_LOCKED;
}

/* May the request go on? */
static int interrupted(const struct request *request)
{
	if (!request->task)
		return 0;
	if (fatal_signal_pending(current))
		return -EINTR;
	return mlkd_target_gone(request->task, request->space->mm) ? -ESRCH : 0;
}

static struct mlkd_turn turn_of(struct mlkd_space *space, bool write)
{
	return (struct mlkd_turn){ .mm = space->mm, .write = write, .pace = &space->pace };
}

/**
 * struct chase - a pass that is to miss nothing, although the process moves memory meanwhile
 * @space: the space
 * @passes: how many passes there have been
 * @moves: how often the process had moved something when the last one began
 *
 * mremap(2) may carry what the pass has not come to yet to where it has been already.  So
 * it is made once more if it has taken several turns, and something has been moved
 * meanwhile.  That would go on for as long as the process likes: the last of PASSES is made
 * in one turn.
 *
 * It may also carry what a request for a range has noted out of that range.  So each pass
 * looks for that at &mlkd_space.chased, too, and, to be simple, at what lies between.
 */
struct chase {
	struct mlkd_space *space;
	unsigned int passes;
	unsigned long moves;
};

#define PASSES	4

/* Begins a pass.  Returns the turn for it. */
static struct mlkd_turn chase_begin(struct chase *chase)
{
	struct mlkd_turn turn = turn_of(chase->space, true);

	turn.endless = ++chase->passes == PASSES;
	chase->moves = READ_ONCE(chase->space->nr_moves);
	return turn;
}

/* Widens [*start, *end), which a pass is to look at, in the first turn of that pass. */
static void chase_widen(const struct mlkd_space *space, const struct mlkd_turn *turn,
			unsigned long *start, unsigned long *end)
{
	const struct mlkd_chased *chased = &space->chased;

	if (turn->nr > 1 || !chased->end)
		return;
	*start = min(*start, chased->start);
	*end = max(*end, chased->end);
}

/* Says whether there has to be another pass, after one that has been made with @turn. */
static bool chase_on(const struct chase *chase, const struct mlkd_turn *turn)
{
	return turn->nr > 1 && !turn->endless && READ_ONCE(chase->space->nr_moves) != chase->moves;
}

/* Calls @fn for all mappings of the request, in turns such as @request->turn is. */
static int visit_in_turns(struct request *request, mapping_fn fn)
{
	unsigned long addr = request->start;
	bool more;
	int err;

	do {
		struct vm_area_struct *vma;
		struct vma_iterator vmi;

		err = mlkd_turn_begin(&request->turn);
		if (err)
			return err;
		if (request->turn.write)
			chase_widen(request->space, &request->turn, &addr, &request->end);
		request->start = min(request->start, addr);
		more = false;
		vma_iter_init(&vmi, request->space->mm, addr);
		for_each_vma_range(vmi, vma, request->end) {
			unsigned long start = max(addr, vma->vm_start);
			unsigned long end = min(request->end, vma->vm_end);

			err = fn(request, vma, start, end);
			more = err == MORE;
			if (err)
				break;
			addr = end;
			more = mlkd_turn_over(&request->turn, MLKD_COST_VMA);
			if (more)
				break;
		}
		mlkd_turn_end(&request->turn);
		/* Also after MORE, which is no error. */
		if (!err || more)
			err = interrupted(request);
	} while (more && !err);
	return err;
}

/* Calls @fn for all mappings of the request, with mmap_lock held for reading. */
static int visit_mappings(struct request *request, mapping_fn fn)
{
	request->turn = turn_of(request->space, false);
	return visit_in_turns(request, fn);
}

/*
 * Calls @fn for all mappings of the request, with mmap_lock held for writing.  It may be
 * called for one more than once.
 */
static int change_mappings(struct request *request, mapping_fn fn)
{
	struct chase chase = { .space = request->space };
	int err;

	do {
		request->turn = chase_begin(&chase);
		err = visit_in_turns(request, fn);
	} while (!err && chase_on(&chase, &request->turn));
	return err;
}

static int map_in_turns(struct mlkd_space *space, struct mlkd_turn *turn, unsigned long start,
			unsigned long end, mlkd_attr_fn fn)
{
	struct mlkd_attrs *attrs = &space->attrs;
	bool all = !start && end == ULONG_MAX;
	bool more;

	do {
		if (mlkd_turn_begin(turn))
			return -EINTR;
		chase_widen(space, turn, &start, &end);
		if (all)
			attrs->rest = fn(attrs->rest);
		all = false;
		do
			more = mlkd_attr_map_noted(attrs, &start, end, fn, NOTED_AT_ONCE);
		while (more && !mlkd_turn_over(turn, NOTED_AT_ONCE * MLKD_COST_VMA));
		mlkd_turn_end(turn);
	} while (more);
	return 0;
}

/*
 * Changes what is noted of [start, end), and, if that is all there is, the rest before.
 * @fn changes nothing that it has changed already.  Returns 0, or -EINTR; then some of it
 * has been changed.
 */
static int map_noted(struct mlkd_space *space, unsigned long start, unsigned long end,
		     mlkd_attr_fn fn)
{
	struct chase chase = { .space = space };
	struct mlkd_turn turn;
	int err;

	do {
		turn = chase_begin(&chase);
		err = map_in_turns(space, &turn, start, end, fn);
	} while (!err && chase_on(&chase, &turn));
	return err;
}

static int map_all(struct mlkd_space *space, mlkd_attr_fn fn)
{
	return map_noted(space, 0, ULONG_MAX, fn);
}

static u32 attr_add_whole(u32 attr)
{
	return attr & MLKD_WHOLE ? attr : attr | MLKD_WHOLE_NEW;
}

/* The whole has been locked before: what is excepted from that lock stays excepted. */
static u32 attr_add_whole_again(u32 attr)
{
	return attr & MLKD_EXCEPTED ? attr : attr_add_whole(attr);
}

static u32 attr_add_going(u32 attr)
{
	return attr | MLKD_GOING;
}

static u32 attr_drop_going(u32 attr)
{
	return attr & ~MLKD_GOING;
}

/* A part that no lock of ours covers is not in the count of all that is locked. */
static u32 uncounted_if_free(u32 attr)
{
	return attr & MLKD_OURS ? attr : attr & ~MLKD_COUNTED;
}

/* The request has failed before it has done anything. */
static u32 attr_drop_new(u32 attr)
{
	return uncounted_if_free(attr & ~MLKD_NEW);
}

static u32 going(u32 attr, u32 bits)
{
	return attr & bits ? uncounted_if_free((attr & ~bits) | MLKD_GOING) : attr;
}

/* The request has failed. */
static u32 attr_undo_new(u32 attr)
{
	return going(attr, MLKD_NEW);
}

static u32 attr_undo_whole(u32 attr)
{
	return going(attr, MLKD_BY_WHOLE) & ~MLKD_EXCEPTED;
}

static u32 attr_undo_range(u32 attr)
{
	return going(attr, MLKD_BY_RANGE);
}

/* The process unlocks what ranges, and its own lock of the whole, cover of it. */
static u32 attr_except(u32 attr)
{
	return attr & MLKD_BY_WHOLE ? going(attr, MLKD_OURS) | MLKD_EXCEPTED :
				      attr_undo_range(attr);
}

/* The request has succeeded: a lock of a range has the state that was asked for last. */
static u32 attr_commit(u32 attr)
{
	u32 new = attr & ~MLKD_NEW;

	if (attr & MLKD_WHOLE_NEW)
		new = (new | MLKD_WHOLE) & ~MLKD_EXCEPTED;
	if (attr & (MLKD_RANGE_NEW | MLKD_RANGE_SUPER_NEW))
		new &= ~(MLKD_RANGE | MLKD_RANGE_SUPER);
	if (attr & MLKD_RANGE_NEW)
		new |= MLKD_RANGE;
	if (attr & MLKD_RANGE_SUPER_NEW)
		new |= MLKD_RANGE_SUPER;
	return new;
}

/*
 * A RLIMIT_MEMLOCK of 0 forbids to lock, also where nothing is locked that is not yet: the
 * core kernel has it so (can_do_mlock()).
 */
static bool forbidden(const struct request *request)
{
	unsigned long rlimit;

	return !request->fit && mlkd_target_over_limit(request->task, 1, &rlimit) && !rlimit;
}

/*
 * RLIMIT_MEMLOCK, once @new pages more are locked.  Above it, FUTURE would make the
 * core kernel refuse each later mmap() of the process: it knows of no bypass.
 */
static int check_rlimit(const struct request *request, unsigned long new)
{
	struct mlkd_space *space = request->space;
	unsigned long rlimit, total = READ_ONCE(space->mm->locked_vm) + new;
	bool future = request->mode.flags & MEMLOCKD_FUTURE;
	bool more = new || (future && !(space->promised.flags & MEMLOCKD_FUTURE));
	bool none = forbidden(request);

	if (request->bypass ? !future : !more && !none)
		return 0;
	if (none)
		total = max(total, 1UL);
	if (!mlkd_target_over_limit(request->task, total, &rlimit))
		return 0;
	return mlkd_limit_met(request->limit, request->bypass ? MEMLOCKD_LIMIT_FUTURE :
			      MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, total, rlimit);
}

/* Pages that counters of the core kernel may be off by. */
#define COUNTERS_OFF	128

/*
 * The limits of the memory cgroup of the process, if so many pages are to be present;
 * @met: that has been seen already.
 */
static int check_cgroup(const struct request *request, unsigned long pages, bool met)
{
	struct mm_struct *mm = request->space->mm;
	unsigned long new, present = get_mm_counter(mm, MM_ANONPAGES) + COUNTERS_OFF;
	struct mlkd_cgroup_room room;

	new = pages - min(pages, present);
	if (!new && !met)
		return 0;
	room = mlkd_cgroup_room(mm, new);
	if (new <= room.pages && !met)
		return 0;
	new = max(new, room.pages + 1);
	return mlkd_limit_met(request->limit, MEMLOCKD_LIMIT_CGROUP,
			      room.limit - min(room.limit, room.pages) + new,
			      (u64)room.limit << PAGE_SHIFT);
}

/* To populate has failed with @err: says which limit was met, if it was one. */
static int populate_limit(const struct request *request, int err)
{
	/* The cgroup has come to its limit meanwhile. */
	if (err == -EDQUOT)
		return check_cgroup(request, request->unique, true);
	/* How much the pins would have kept is not known. */
	if (err == -ENOSPC)
		return mlkd_limit_met(request->limit, MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, 0,
				      mlkd_target_memlock_limit(request->task));
	return err;
}

/* @extra: pages that the caller is going to add to what is mapped. */
static int check_limits(const struct request *request, unsigned long extra)
{
	unsigned long unique;
	int err;

	err = check_rlimit(request, request->new + extra);
	if (err)
		return err;
	/* Pages may be mapped shared twice, but those of one mapping are different. */
	unique = request->unique + extra + (request->largest >> PAGE_SHIFT);
	if (unique <= totalram_pages())
		return check_cgroup(request, request->unique + extra, false);
	return mlkd_limit_met(request->limit, MEMLOCKD_LIMIT_RAM, unique,
			      (u64)totalram_pages() << PAGE_SHIFT);
}

/* Notes what is VM_LOCKED and not by us: the process has done that. */
static int note_own(struct mlkd_space *space, struct vm_area_struct *vma)
{
	struct mlkd_attrs *attrs = &space->attrs;

	if (!locked(vma) || !mlkd_vma_lockable(vma) ||
	    mlkd_attr_any(attrs, vma->vm_start, vma->vm_end,
			  MLKD_OWN | MLKD_OURS | MLKD_GOING))
		return 0;
	return mlkd_attr_map(attrs, vma->vm_start, vma->vm_end, mlkd_attr_add_own,
			     GFP_KERNEL_ACCOUNT);
}

/* Says whether a part of @vma with @attr becomes MLKD_COUNTED by a lock of a range. */
static bool to_be_counted(const struct request *request, struct vm_area_struct *vma, u32 attr)
{
	struct mlkd_want want = mlkd_want(vma, request->mode);

	return !vma->vm_file && want.locked && want.present && !(attr & MLKD_OURS);
}

/* Says whether a part of @vma, with @attr, is as much in the count without a range as with it. */
static bool counted_without_range(struct vm_area_struct *vma, u32 attr)
{
	return (attr & MLKD_COUNTED) ||
	       ((attr & MLKD_WHOLE) && locked(vma) && !vma->vm_file);
}

/* Adds up what a lock of a range adds to the count of all that is locked. */
static void survey_count(struct request *request, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end)
{
	unsigned long next;

	for (; start < end; start = next) {
		u32 attr;

		next = end;
		attr = mlkd_attr_get(&request->space->attrs, start, &next);
		if (to_be_counted(request, vma, attr))
			request->counted += (next - start) >> PAGE_SHIFT;
		else if (mlkd_vma_lockable(vma) && !counted_without_range(vma, attr))
			request->recount = true;
	}
}

/* Counts what a request is going to lock of a mapping. */
static int survey_mapping(struct request *request, struct vm_area_struct *vma,
			  unsigned long start, unsigned long end)
{
	struct mlkd_want want = mlkd_want(vma, request->mode);
	bool whole = vma->vm_start >= request->start && vma->vm_end <= request->end;
	unsigned long size = end - start;
	int err = note_own(request->space, vma);

	if (err)
		return err;
	if (start == request->mapped_to)
		request->mapped_to = end;
	if (request->range)
		survey_count(request, vma, start, end);
	if (!(request->mode.flags & MEMLOCKD_CURRENT))
		return 0;
	if (mlkd_stack_by_pins(vma, request->mode) && !locked(vma) && !request->fit)
		request->new += size >> PAGE_SHIFT;
	if (want.locked && !locked(vma) && !request->fit) {
		/* VM_LOCKED is for whole mappings.  Of a part, only a pin can hold pages. */
		if (!whole && want.present && (!want.pinned || want.held))
			return -EOPNOTSUPP;
		request->new += size >> PAGE_SHIFT;
	}
	if (!want.present)
		return 0;
	/* Each of these needs a page of its own, or a page-table entry. */
	if (!mlkd_vma_private(vma))
		request->largest = max(request->largest, mlkd_vma_file_end(vma) - vma->vm_start);
	else if ((want.gup_flags & FOLL_WRITE) || !vma->vm_file)
		request->unique += size >> PAGE_SHIFT;
	return 0;
}

/* The rest is about to change, and what is mapped already not. */
static int note_rest(struct request *request, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end)
{
	return mlkd_attr_note(&request->space->attrs, start, end, GFP_KERNEL_ACCOUNT);
}

/*
 * The process has called mlockall(MCL_FUTURE) before: what it maps from now on is its
 * own, but what it has mapped is what it is.
 */
static int note_own_future(struct request *request)
{
	struct mlkd_space *space = request->space;
	struct mlkd_attrs *attrs = &space->attrs;
	struct mm_struct *mm = space->mm;
	int err;

	if ((attrs->rest & (MLKD_OURS | MLKD_OWN | MLKD_GOING)) ||
	    !(READ_ONCE(mm->def_flags) & VM_LOCKED))
		return 0;
	err = visit_mappings(request, note_rest);
	if (err)
		return err;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (mm->def_flags & VM_LOCKED) {
		attrs->rest = mlkd_attr_add_own(attrs->rest);
		attrs->rest_lazy = mm->def_flags & VM_LOCKONFAULT;
	}
	mmap_write_unlock(mm);
	return 0;
}

static int survey(struct request *request)
{
	int err = note_own_future(request);

	if (err)
		return err;

	request->mapped_to = request->start;
	request->new = 0;
	request->unique = 0;
	request->largest = 0;
	request->counted = 0;
	request->recount = false;
	return visit_mappings(request, survey_mapping);
}

/* uncounted() for [start, *end), which is cut to what there has been time for. */
static unsigned long uncounted_of(struct request *request, struct mlkd_turn *turn,
				  unsigned long start, unsigned long *end)
{
	unsigned long nr = 0;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, turn->mm, start);
	for_each_vma_range(vmi, vma, *end) {
		unsigned long from = max(start, vma->vm_start);
		unsigned long to = min(*end, vma->vm_end);
		bool over = mlkd_turn_over(turn, MLKD_COST_VMA);

		if (over)
			*end = to;
		if (!locked(vma) && mlkd_want(vma, request->mode).locked) {
			nr += (to - from) >> PAGE_SHIFT;
			/* These are counted as new. */
			from = max(from, request->start);
			to = min(to, request->end);
			nr -= from < to ? (to - from) >> PAGE_SHIFT : 0;
		}
		if (over)
			break;
	}
	return nr;
}

/*
 * Pages that other ranges hold of mappings that they do not cover: locked_vm does
 * not count these, and without a limit anybody could pin all of his memory so.
 */
static int uncounted(struct request *request, unsigned long *nr)
{
	struct mlkd_space *space = request->space;
	struct mlkd_turn turn = turn_of(space, false);
	unsigned long addr = 0;
	bool more;

	do {
		unsigned long end = ULONG_MAX;
		u32 attr;

		if (mlkd_turn_begin(&turn))
			return -EINTR;
		more = false;
		while (!more && mlkd_attr_next(&space->attrs, &addr, &end, &attr)) {
			if (attr & MLKD_BY_RANGE)
				*nr += uncounted_of(request, &turn, addr, &end);
			addr = end;
			end = ULONG_MAX;
			more = mlkd_turn_over(&turn, MLKD_COST_VMA);
		}
		mlkd_turn_end(&turn);
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (more);
	return 0;
}

static int check_range_limits(struct request *request)
{
	unsigned long rlimit, total;
	bool none = forbidden(request);
	int err;

	request->hole = request->mapped_to < request->end;
	if (request->hole)
		return -ENOMEM;
	err = check_cgroup(request, request->unique, false);
	if (err)
		return err;
	if (request->bypass || (!request->new && !none))
		return 0;
	total = READ_ONCE(request->space->mm->locked_vm) + request->new;
	/* More than all ranges it cannot be, which saves looking at each. */
	if (mlkd_target_over_limit(request->task, total +
				   atomic_long_read(&request->space->attrs.by_range), &rlimit)) {
		err = uncounted(request, &total);
		if (err)
			return err;
	}
	if (none)
		total = max(total, 1UL);
	if (!mlkd_target_over_limit(request->task, total, &rlimit))
		return 0;
	return mlkd_limit_met(request->limit, MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, total, rlimit);
}

static int note_range(struct request *request, struct vm_area_struct *vma,
		      unsigned long start, unsigned long end)
{
	bool super = request->mode.state == MEMLOCKD_STATE_SUPERLOCKED;
	struct mlkd_attrs *attrs = &request->space->attrs;
	unsigned long next;
	int err = 0;

	for (; start < end && !err; start = next) {
		unsigned long pages;
		u32 attr, new;

		next = end;
		attr = mlkd_attr_get(attrs, start, &next);
		new = attr | (super ? MLKD_RANGE_SUPER_NEW : MLKD_RANGE_NEW);
		pages = (next - start) >> PAGE_SHIFT;
		/* A part that is new since the reservation was made has no place in it. */
		if (to_be_counted(request, vma, attr) && pages <= request->counted) {
			new |= MLKD_COUNTED;
			request->counted -= pages;
		} else if (to_be_counted(request, vma, attr)) {
			request->recount = true;
		}
		err = mlkd_attr_set(attrs, start, next, new, GFP_KERNEL_ACCOUNT);
	}
	return err;
}

static mlkd_attr_fn add_whole(const struct request *request)
{
	return request->again ? attr_add_whole_again : attr_add_whole;
}

static int note_whole(struct request *request, struct vm_area_struct *vma,
		      unsigned long start, unsigned long end)
{
	return mlkd_attr_map(&request->space->attrs, start, end, add_whole(request),
			     GFP_KERNEL_ACCOUNT);
}

/* Notes what is wanted. */
static int note_request(struct request *request)
{
	struct mlkd_space *space = request->space;
	struct mlkd_attrs *attrs = &space->attrs;
	int err = 0;

	if (request->range)
		return visit_mappings(request, note_range);
	if (!(request->mode.flags & MEMLOCKD_FUTURE))
		return visit_mappings(request, note_whole);
	if (request->mode.flags & MEMLOCKD_CURRENT)
		return map_all(space, add_whole(request));
	if (!(attrs->rest & MLKD_WHOLE))
		err = visit_mappings(request, note_rest);
	if (err)
		return err;
	if (mmap_write_lock_killable(space->mm))
		return -EINTR;
	attrs->rest = attr_add_whole(attrs->rest);
	mmap_write_unlock(space->mm);
	return 0;
}

/*
 * Is what is mapped of @vma, which is to be VM_LOCKED, to be faulted in anew?  That is for what
 * is shared with the page cache, and to be left alone by those who move pages.
 */
static bool to_be_unmapped(struct request *request, struct vm_area_struct *vma)
{
	struct mlkd_mode mode;

	if (!mlkd_shared_can_unmap(vma))
		return false;
	if (!mlkd_vma_private(vma))
		return true;
	mode = mlkd_space_mode_of(request->space, vma, mlkd_space_in_force(request->space));
	return mlkd_want(vma, mode).held;
}

/*
 * Unmaps what is mapped of shared memory that is to be VM_LOCKED, before it is that: under
 * VM_LOCKED it would be munlocked, late.  When mmap_lock is to be given up first, it is
 * VM_LOCKED meanwhile, and what is faulted in then is mlocked and stays.
 */
static int unmap_shared(struct request *request, struct vm_area_struct *vma)
{
	unsigned long addr = max(vma->vm_start, request->unmapped_to), next;
	bool over = false;

	vm_flags_clear(vma, VM_LOCKED);
	while (addr < vma->vm_end && !over) {
		next = mlkd_shared_unmap(vma, addr, request->scratch);
		over = mlkd_turn_over(&request->turn, MLKD_COST_VMA +
				      min_t(unsigned long, MLKD_CHUNK_PAGES,
					    (next - addr) >> PAGE_SHIFT));
		addr = next;
	}
	request->unmapped_to = addr;
	return addr < vma->vm_end ? MORE : 0;
}

/* @vma is to be VM_LOCKED. */
static int set_flag(struct request *request, struct vm_area_struct *vma, bool super)
{
	struct mlkd_space *space = request->space;
	struct mm_struct *mm = space->mm;
	bool was_locked = locked(vma);
	bool begun = request->unmapped_to > vma->vm_start;
	int err = 0;

	/* A stack that is locked already stays so. */
	if (!was_locked && (mlkd_stack_by_pins(vma, mlkd_space_in_force(space)) ||
			    (request->fit &&
			     !mlkd_target_has_room(request->task, mm, vma_pages(vma)))))
		return 0;
	if (!was_locked && request->task) {
		err = check_rlimit(request, vma_pages(vma));
		if (err)
			return err;
	}
	/* Pages that are mlocked already need not be unmapped once more. */
	if (request->scratch && (super || request->range) &&
	    (begun || !was_locked || space->promised.state != MEMLOCKD_STATE_SUPERLOCKED) &&
	    to_be_unmapped(request, vma))
		err = unmap_shared(request, vma);
	vm_flags_set(vma, VM_LOCKED);
	if (!was_locked)
		mm->locked_vm += vma_pages(vma);
	return err;
}

/*
 * Do pins alone hold what ranges cover of @vma?  Then it need not be VM_LOCKED, as a
 * whole, for a part of it.
 */
static bool held_by_pins(struct mlkd_space *space, struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start, end = vma->vm_end;
	bool held = true;

	for (; addr < vma->vm_end && held; addr = end, end = vma->vm_end) {
		u32 attr = mlkd_attr_get(&space->attrs, addr, &end) & MLKD_BY_RANGE;
		struct mlkd_want want = mlkd_want(vma, mlkd_attr_mode(attr, (struct mlkd_mode){}));

		held = (want.pinned && !want.held) || !want.present;
	}
	return held;
}

/* Makes the flags of a mapping those that its attributes ask for. */
static int flag_mapping(struct request *request, struct vm_area_struct *vma,
			unsigned long start, unsigned long end)
{
	struct mlkd_space *space = request->space;
	struct mlkd_attrs *attrs = &space->attrs;
	bool super = false;
	int err;

	start = vma->vm_start;
	end = vma->vm_end;
	if (!mlkd_vma_lockable(vma))
		return 0;
	/* It may lie between a range and what has been moved out of that, and be neither. */
	if (request->end != ULONG_MAX && !mlkd_attr_any(attrs, start, end, MLKD_NEW | MLKD_GOING))
		return 0;
	if (mlkd_vma_lock_killable(vma))
		return -EINTR;
	/* A request that gives a lock back does not lock what the process has unlocked itself. */
	if ((request->task || locked(vma)) && mlkd_attr_all(attrs, start, end, MLKD_OURS)) {
		super = mlkd_space_mode_of(space, vma, mlkd_space_in_force(space)).state ==
			MEMLOCKD_STATE_SUPERLOCKED;
		err = set_flag(request, vma, super);
		if (err)
			return err;
	} else if (locked(vma) && mlkd_attr_any(attrs, start, end, MLKD_GOING) &&
		   !mlkd_attr_any(attrs, start, end, MLKD_OWN | MLKD_BY_WHOLE) &&
		   held_by_pins(space, vma)) {
		mlkd_munlock_begin(vma);
		/* It may be more than what was covered: it has grown, or been merged. */
		if (!mlkd_attr_all(attrs, start, end, MLKD_GOING))
			mlkd_attr_map(attrs, start, end, attr_add_going,
				      GFP_KERNEL | __GFP_NOFAIL);
		request->start = min(request->start, start);
		request->end = max(request->end, end);
	}
	if (super && (vma->vm_flags & VM_MERGEABLE)) {
		err = mlkd_attr_map(attrs, start, end, mlkd_attr_add_mergeable, GFP_KERNEL_ACCOUNT);
		if (err)
			return err;
		vm_flags_clear(vma, VM_MERGEABLE);
		mlkd_space_keep_ksm(space);
	} else if (!super && attrs->mergeable && mlkd_attr_any(attrs, start, end, MLKD_MERGEABLE)) {
		vm_flags_set(vma, VM_MERGEABLE);
		mlkd_attr_map(attrs, start, end, mlkd_attr_drop_mergeable,
			      GFP_KERNEL | __GFP_NOFAIL);
	}
	return 0;
}

static int flag_all(struct request *request)
{
	struct mlkd_space *space = request->space;
	struct mm_struct *mm = space->mm;

	/* A range is of no matter for what is mapped later. */
	if (!request->range) {
		if (mmap_write_lock_killable(mm))
			return -EINTR;
		/* The mmu notifier munlocks what is unmapped after it has lost VM_LOCKED. */
		if (!request->task)
			set_bit(MLKD_SPACE_MUNLOCKING, &space->flags);
		mlkd_target_def_flags(space);
		mmap_write_unlock(mm);
	}

	request->unmapped_to = 0;
	if (request->task && !(request->mode.flags & MEMLOCKD_CURRENT))
		return 0;
	return change_mappings(request, flag_mapping);
}

/*
 * Munlocks the pages of [start, end), in one chunk, of a mapping that is not VM_LOCKED
 * any more.  What is mapped and pinned is left to who drops the pin.  Returns the
 * address to go on at, which over a hole in the page tables is beyond @end.
 */
static unsigned long munlock_range(struct mlkd_pins *pins, struct vm_area_struct *vma,
				   unsigned long start, unsigned long end)
{
	/* Missing page tables that are looked at in one go. */
	enum { MAX_HOLES = 1024 };
	unsigned long other_end, next;
	unsigned int holes = 0;

	start = mlkd_pins_next_other(pins, start, end, &other_end);
	if (start >= end)
		return end;

	/* As far as missing page tables reach there is nothing. */
	while (mlkd_pgtable_level(vma->vm_mm, start, &next) == MLKD_PGTABLE_NONE) {
		start = min(next, vma->vm_end);
		if (start == vma->vm_end || ++holes == MAX_HOLES)
			return start;
	}
	if (holes)
		return start;

	do {
		mlkd_munlock_mapped(vma->vm_mm, start, other_end, false);
		start = mlkd_pins_next_other(pins, other_end, end, &other_end);
	} while (start < end);
	return end;
}

/* Gives back what nobody wants of a part of a mapping. */
static int trim_step(struct mlkd_walk *walk, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, unsigned long *next)
{
	struct mlkd_space *space = walk->space;
	unsigned long part_end = vma->vm_end;
	struct mlkd_want want;
	u32 attr;

	attr = mlkd_attr_get(&space->attrs, start, &part_end);
	want = mlkd_space_want(space, vma, attr);
	if (locked(vma) || !mlkd_vma_lockable(vma) || !(attr & MLKD_GOING)) {
		*next = want.pinned ? part_end :
				      mlkd_pins_drop_chunk(&space->pins, start, part_end);
		if (*next > end)
			walk->spared = (end - start) >> PAGE_SHIFT;
		return 0;
	}

	/* Pages that are pinned are munlocked when their pins are dropped. */
	end = min(end, part_end);
	*next = mlkd_pins_huge_end(&space->pins, start, part_end);
	if (*next > start)
		walk->spared = (end - start) >> PAGE_SHIFT;
	else
		*next = min(munlock_range(&space->pins, vma, start, end), part_end);
	if (!want.pinned)
		mlkd_pins_drop(&space->pins, start, *next, true);
	return 0;
}

/* The target has moved about while it was trimmed: drops the pins of no mapping. */
static void drop_stray_pins(struct mlkd_space *space)
{
	unsigned long start = 0, end = ULONG_MAX;

	while (start < ULONG_MAX) {
		u32 attr = mlkd_attr_get(&space->attrs, start, &end);

		if (!(attr & MLKD_OURS))
			mlkd_pins_drop(&space->pins, start, end, true);
		start = end;
		end = ULONG_MAX;
	}
}

static int trim(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct mlkd_walk walk = {
		.space = space,
		.start = start,
		.end = end == ULONG_MAX ? 0 : end,
	};

	return mlkd_walk(&walk, trim_step);
}

/* All mappings that we took VM_MERGEABLE from have it again. */
static int leave_ksm(struct mlkd_space *space)
{
	if (!space->ksm_kept)
		return 0;
	if (mmap_write_lock_killable(space->mm))
		return -EINTR;
	mlkd_space_leave_ksm(space);
	mmap_write_unlock(space->mm);
	return 0;
}

/* Steps 3 and 5, for what is MLKD_GOING, all of which is in the part that the rest is for. */
static int give_back(struct mlkd_space *space)
{
	struct mlkd_later *later = &space->later;
	struct request request = { .space = space, .start = later->start, .end = later->end };
	bool all = !later->start && later->end == ULONG_MAX;
	int err;

	err = flag_all(&request);
	later->from = min(later->from, request.start);
	later->to = max(later->to, request.end);
	if (!err)
		err = trim(space, later->from, later->to);
	if (err)
		return err;
	clear_bit(MLKD_SPACE_MUNLOCKING, &space->flags);
	if (space->in_force.state != MEMLOCKD_STATE_SUPERLOCKED)
		err = leave_ksm(space);
	if (err)
		return err;
	if (all && space->in_force.state == MEMLOCKD_STATE_UNLOCKED)
		drop_stray_pins(space);
	return map_noted(space, later->from, later->to, attr_drop_going);
}

/* Does the rest of a request; what the caller is killed over is done when the claim ends. */
static void finish(struct mlkd_space *space, int (*run)(struct mlkd_space *space),
		   unsigned long start, unsigned long end)
{
	struct mlkd_later *later = &space->later;

	later->run = run;
	later->start = start;
	later->end = end;
	later->from = start;
	later->to = end;
	mlkd_space_finish(space);
}

/* Sets the mode that notifiers, probes and walks go by from now on. */
static void set_in_force(struct mlkd_space *space, struct mlkd_mode mode)
{
	if (mode.state == MEMLOCKD_STATE_SUPERLOCKED)
		mlkd_numa_scan_stop(space);
	else
		mlkd_numa_scan_resume(space);
	WRITE_ONCE(space->in_force, mode);
}

/* The limit is raised as long as a lock asks for that. */
static void leave_raised(struct mlkd_space *space)
{
	if (!(space->promised.flags & MEMLOCKD_OVER_RAISE))
		mlkd_limit_restore(space);
}

static void tell_promised(struct mlkd_space *space, struct mlkd_mode mode)
{
	const struct memlockd_event out = {
		.kind = mode.state == MEMLOCKD_STATE_UNLOCKED ? MEMLOCKD_EVENT_UNLOCKED :
								MEMLOCKD_EVENT_LOCKED,
		.flags = mode.flags,
		.state = mode.state,
	};

	mlkd_feed_tell(space->mm, space->pid, &out);
}

/* RLIMIT_MEMLOCK is what it was when no lock that is promised has it raised any more. */
static void set_promised(struct mlkd_space *space, struct mlkd_mode mode)
{
	struct mlkd_mode old = space->promised;

	spin_lock(&space->lock);
	space->promised = mode;
	spin_unlock(&space->lock);
	mlkd_guard_set(space, mode.state == MEMLOCKD_STATE_SUPERLOCKED);
	leave_raised(space);
	if (mode.state != old.state || mode.flags != old.flags)
		tell_promised(space, mode);
}

/* Notes what was mapped when the lock still covered the future. */
static int note_locked(struct request *request, struct vm_area_struct *vma,
		       unsigned long start, unsigned long end)
{
	if (!locked(vma) && mlkd_vma_lockable(vma))
		return 0;
	return mlkd_attr_note(&request->space->attrs, start, end, GFP_KERNEL | __GFP_NOFAIL);
}

/*
 * The lock does not cover the future any more.  What is mapped from now on is not
 * locked, so what is locked, or cannot be, was there before, and stays covered.
 */
static int drop_future(struct mlkd_space *space)
{
	struct request request = { .space = space, .end = ULONG_MAX };
	struct mlkd_attrs *attrs = &space->attrs;
	struct mm_struct *mm = space->mm;
	u32 rest = attrs->rest;
	int err;

	if (!(rest & MLKD_BY_WHOLE))
		return 0;
	if (!(rest & MLKD_OWN)) {
		if (mmap_write_lock_killable(mm))
			return -EINTR;
		mm->def_flags &= ~VM_LOCKED;
		mmap_write_unlock(mm);
	}
	err = visit_mappings(&request, note_locked);
	if (err)
		return err;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	attrs->rest &= ~MLKD_BY_WHOLE;
	mlkd_target_def_flags(space);
	mmap_write_unlock(mm);
	return 0;
}

/* Gives up what @mode, which is promised now, does not ask for. */
static int lower(struct mlkd_space *space, struct mlkd_mode mode)
{
	struct mlkd_mode old = space->promised;
	struct request request = { .space = space, .end = ULONG_MAX };
	int err = 0;

	if (!(mode.flags & MEMLOCKD_FUTURE))
		err = drop_future(space);
	if (err)
		return err;
	set_in_force(space, mode);
	if (old.state == MEMLOCKD_STATE_UNLOCKED)
		return 0;
	if (old.state == MEMLOCKD_STATE_SUPERLOCKED && mode.state != old.state) {
		err = change_mappings(&request, flag_mapping);
		if (!err)
			err = leave_ksm(space);
	}
	if (err)
		return err;
	mlkd_wired_recount(space);
	return trim(space, 0, ULONG_MAX);
}

/* The process itself may have called mlockall(2) while the rest was another. */
static int restore_def_flags(struct mlkd_space *space)
{
	if (mmap_write_lock_killable(space->mm))
		return -EINTR;
	mlkd_target_def_flags(space);
	mmap_write_unlock(space->mm);
	return 0;
}

/*
 * Steps 2 to 4.  When this fails, undo() is to be called, unless it is tried once more.
 */
static int lock_request(struct request *request, bool *flagged)
{
	struct mlkd_space *space = request->space;
	struct mlkd_mode in_force = request->range ? space->promised :
				    mlkd_mode_join(space->promised, request->mode);
	bool ask = !request->range || request->recount;
	unsigned long counted = request->counted;
	int err;

	*flagged = false;
	if (ask)
		mlkd_wired_ask(space);
	set_in_force(space, in_force);
	err = mlkd_wired_reserve_range(space, counted, request->limit);
	if (!err) {
		err = note_request(request);
		mlkd_wired_noted(counted);
		/* Should it be tried once more, these are in the count. */
		request->counted = 0;
	}
	if (!err && ask)
		err = mlkd_wired_reserve(space, request->limit);
	if (err)
		return err;
	*flagged = true;
	err = flag_all(request);
	if (err || !(request->mode.flags & MEMLOCKD_CURRENT))
		return err;
	return mlkd_populate(space, request->task, request->start,
			     request->end == ULONG_MAX ? 0 : request->end);
}

/* A request has failed that has flagged mappings. */
static int undo_flagged(struct mlkd_space *space)
{
	struct mlkd_later *later = &space->later;
	int err = map_noted(space, later->start, later->end, attr_undo_new);

	if (!err)
		err = give_back(space);
	if (err)
		return err;
	mlkd_wired_recount(space);
	leave_raised(space);
	return 0;
}

/* A request has failed that has noted something. */
static int undo_noted(struct mlkd_space *space)
{
	struct mlkd_later *later = &space->later;
	int err = map_noted(space, later->start, later->end, attr_drop_new);

	if (!err && !later->start && later->end == ULONG_MAX)
		err = restore_def_flags(space);
	if (err)
		return err;
	mlkd_wired_answered(space);
	leave_raised(space);
	return 0;
}

static void undo(struct request *request, bool flagged)
{
	set_in_force(request->space, request->space->promised);
	finish(request->space, flagged ? undo_flagged : undo_noted, request->start,
	       request->end);
}

/* How far the main stack is to be grown for the request; 0 if not at all. */
static int stack_floor(const struct request *request, u64 reserve,
		       unsigned long *floor, unsigned long *pages)
{
	struct mm_struct *mm = request->space->mm;

	*floor = 0;
	*pages = 0;
	if (request->mode.state != MEMLOCKD_STATE_SUPERLOCKED ||
	    reserve == MEMLOCKD_STACK_RESERVE_NONE)
		return 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	*floor = mlkd_stack_floor(mm, request->task, reserve ?: MEMLOCKD_STACK_RESERVE_DEFAULT);
	if (*floor)
		*pages = (find_vma(mm, *floor)->vm_start - *floor) >> PAGE_SHIFT;
	mmap_read_unlock(mm);
	return 0;
}

/*
 * Cuts a reserve that nobody has asked for to the room below RLIMIT_MEMLOCK: where that is
 * enough for mlockall(2), it is enough for a lock.
 */
static void cut_reserve(struct request *request, unsigned long *floor, unsigned long *pages)
{
	unsigned long limit, room, total;

	total = READ_ONCE(request->space->mm->locked_vm) + request->new;
	request->cut = mlkd_target_over_limit(request->task, total + *pages, &limit);
	if (!request->cut)
		return;
	limit >>= PAGE_SHIFT;
	room = limit - min(total, limit);
	*floor = room ? *floor + ((*pages - room) << PAGE_SHIFT) : 0;
	*pages = room;
}

/*
 * Step 1.  The stack is grown by an access, as nothing else can: it is not locked yet.
 * It grows as far as it can; another mapping may be in the way.
 */
static int prepare(struct request *request, u64 stack_reserve)
{
	unsigned long floor, pages;
	int err;

	err = mlkd_probes_arm(request->space, request->mode.flags & MEMLOCKD_OVER_UNLOCKED);
	if (err)
		return err;
	if (!request->range && request->mode.state == MEMLOCKD_STATE_SUPERLOCKED)
		err = mlkd_guard_arm(request->space);
	if (!err)
		err = survey(request);
	if (err)
		return err;
	/* For shared memory; what has come since the survey can do without. */
	if (request->largest || !request->range) {
		request->scratch = kmalloc_array(MLKD_CHUNK_PAGES, sizeof(*request->scratch),
						 GFP_KERNEL_ACCOUNT);
		if (!request->scratch)
			return -ENOMEM;
	}
	if (request->range)
		return check_range_limits(request);
	err = stack_floor(request, stack_reserve, &floor, &pages);
	if (!err && floor && !stack_reserve)
		cut_reserve(request, &floor, &pages);
	if (!err)
		err = check_limits(request, pages);
	if (!err)
		assign_bit(MLKD_SPACE_STACK_OVER, &request->space->flags, request->fit &&
			   !mlkd_target_has_room(request->task, request->space->mm, 0));
	if (!err && floor)
		err = mlkd_stack_grow(request->space->mm, floor);
	return err;
}

/* A request, once more if what it has met may have been out of date. */
static int run(struct request *request, u64 stack_reserve)
{
	bool flagged = false;
	int err;

	err = prepare(request, stack_reserve);
	if (!err) {
		err = lock_request(request, &flagged);
		/* The second try may note again what the first has noted. */
		if (err && !flagged && mlkd_wired_again(request->limit))
			err = lock_request(request, &flagged);
		if (err)
			undo(request, flagged);
	}
	kfree(request->scratch);
	request->scratch = NULL;
	return populate_limit(request, err);
}

/* A request has succeeded: the space is brought down to the mode that it asks for. */
static int commit_whole(struct mlkd_space *space)
{
	struct mlkd_mode mode = space->later.mode;
	int err;

	/* Memory that was mapped before stays locked as long as there is any lock. */
	mode.flags |= space->promised.flags & MEMLOCKD_CURRENT;
	err = lower(space, mode);
	if (!err)
		err = map_all(space, attr_commit);
	if (err)
		return err;
	set_promised(space, mode);
	return 0;
}

/**
 * mlkd_lock - bring an address space to exactly @mode
 * @space: the space; its claim is held
 * @task: the process
 * @mode: the mode; its state is not MEMLOCKD_STATE_UNLOCKED
 * @bypass: the process's RLIMIT_MEMLOCK is not applied
 * @fit: what has no room below it stays as it is
 * @again: it is @mode already; what has come since is to be locked
 * @stack_reserve: as in &memlockd_lock.stack_reserve
 * @limit: set when a limit is met
 *
 * Return: 0; or -ENOMEM, -EINTR, -ESRCH, and nothing has changed.
 */
int mlkd_lock(struct mlkd_space *space, struct task_struct *task,
	      struct mlkd_mode mode, bool bypass, bool fit, bool again, u64 stack_reserve,
	      struct mlkd_limit *limit)
{
	struct request request = {
		.space = space,
		.task = task,
		.mode = mode,
		.end = ULONG_MAX,
		.bypass = bypass || READ_ONCE(mlkd_old_mlock),
		.fit = fit,
		.again = again,
		.limit = limit,
	};
	bool lowered = false;
	int err;

	if (mode.flags & MEMLOCKD_OVER_RAISE)
		mlkd_limit_raise(space, task);
	else
		lowered = mlkd_limit_restore(space);
	err = run(&request, stack_reserve);
	if (err) {
		if (lowered)
			mlkd_limit_raise(space, task);
		else if (!space->later.run)
			leave_raised(space);
		if (err == -ENOMEM && !limit->which)
			limit->which = MEMLOCKD_LIMIT_MEMORY;
		return err;
	}
	space->stack_reserve = stack_reserve;
	assign_bit(MLKD_SPACE_STACK_CUT, &space->flags, request.cut);
	space->later.mode = mode;
	finish(space, commit_whole, 0, ULONG_MAX);
	return 0;
}

/**
 * mlkd_sync_future - populate what an address space that is locked for the future has mapped
 * @space: the space; its claim is held
 * @task: the process
 * @limit: set when a limit is met
 *
 * Return: 0; or -ENOMEM, -EINTR, -ESRCH, and some of it may be populated.
 */
int mlkd_sync_future(struct mlkd_space *space, struct task_struct *task,
		     struct mlkd_limit *limit)
{
	struct request request = { .space = space, .task = task, .limit = limit };

	return populate_limit(&request, mlkd_populate(space, task, 0, 0));
}

/**
 * mlkd_lower - give up what @mode does not ask for
 * @space: the space; its claim is held, and it is locked
 * @mode: no more than it has
 */
void mlkd_lower(struct mlkd_space *space, struct mlkd_mode mode)
{
	space->later.mode = mode;
	finish(space, commit_whole, 0, ULONG_MAX);
}

static int unlock_whole(struct mlkd_space *space)
{
	int err = map_all(space, attr_undo_whole);

	if (!err)
		err = give_back(space);
	if (err)
		return err;
	mlkd_wired_recount(space);
	set_promised(space, (struct mlkd_mode){});
	return 0;
}

/**
 * mlkd_unlock - undo the locks of the whole address space
 * @space: the space; its claim is held, and it is locked
 */
void mlkd_unlock(struct mlkd_space *space)
{
	set_in_force(space, (struct mlkd_mode){});
	finish(space, unlock_whole, 0, ULONG_MAX);
}

static int commit_range(struct mlkd_space *space)
{
	struct mlkd_later *later = &space->later;
	int err = map_noted(space, later->start, later->end, attr_commit);

	/* Memory that was mapped anew meanwhile is not in the range, but may have been pinned. */
	if (!err && (later->trims || !mlkd_attr_all(&space->attrs, later->start, later->end,
						    MLKD_BY_RANGE)))
		err = trim(space, later->start, later->end);
	return err;
}

/**
 * mlkd_lock_range - lock a part of an address space
 * @space: the space; its claim is held
 * @task: the process
 * @state: &enum memlockd_state; not MEMLOCKD_STATE_UNLOCKED
 * @start: first address, of a page
 * @end: address behind the last, of a page; beyond @start
 * @limit: set when a limit is met
 *
 * Return: 0; or -ENOMEM, -EOPNOTSUPP, -EINTR, -ESRCH, and nothing has changed.
 */
int mlkd_lock_range(struct mlkd_space *space, struct task_struct *task, u32 state,
		    unsigned long start, unsigned long end,
		    struct mlkd_limit *limit)
{
	struct request request = {
		.space = space,
		.task = task,
		.mode = { .state = state, .flags = MEMLOCKD_CURRENT | MEMLOCKD_COPY_TEXT },
		.start = start,
		.end = end,
		.range = true,
		.bypass = READ_ONCE(mlkd_old_mlock),
		.limit = limit,
	};
	int err;

	space->later.trims = state != MEMLOCKD_STATE_SUPERLOCKED &&
			     mlkd_attr_any(&space->attrs, start, end, MLKD_RANGE_SUPER);
	err = run(&request, MEMLOCKD_STACK_RESERVE_NONE);

	if (!err)
		finish(space, commit_range, start, end);
	if (err == -ENOMEM && !limit->which && !request.hole)
		limit->which = MEMLOCKD_LIMIT_MEMORY;
	return err;
}

/*
 * Is it of no matter for the count of all that is locked that [start, *end) loses its range?
 * *@end is cut to what there has been time for.
 */
static bool all_counted_without_range(struct mlkd_turn *turn, unsigned long start,
				      unsigned long *end, u32 attr)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	if (attr & MLKD_COUNTED)
		return true;
	vma_iter_init(&vmi, turn->mm, start);
	for_each_vma_range(vmi, vma, *end) {
		if (!counted_without_range(vma, attr))
			return false;
		if (mlkd_turn_over(turn, MLKD_COST_VMA)) {
			*end = min(*end, vma->vm_end);
			break;
		}
	}
	return true;
}

static int forget_in_turns(struct mlkd_space *space, struct mlkd_turn *turn)
{
	struct mlkd_attrs *attrs = &space->attrs;
	struct mlkd_later *later = &space->later;
	mlkd_attr_fn undo = later->whole ? attr_except : attr_undo_range;
	unsigned long next, addr = later->start;
	bool more;
	u32 attr;

	do {
		if (mlkd_turn_begin(turn))
			return -EINTR;
		more = false;
		next = later->end;
		while (!more && mlkd_attr_next(attrs, &addr, &next, &attr)) {
			if ((attr & MLKD_BY_RANGE) && !later->recount)
				later->recount = !all_counted_without_range(turn, addr, &next,
									    attr);
			mlkd_attr_set(attrs, addr, next, undo(attr), GFP_KERNEL | __GFP_NOFAIL);
			addr = next;
			next = later->end;
			more = mlkd_turn_over(turn, MLKD_COST_VMA);
		}
		mlkd_turn_end(turn);
	} while (more);
	return 0;
}

/*
 * Takes the attributes of a locked range away.  May be called once more.  What has been moved
 * out of it by then keeps them.
 */
static int forget_range(struct mlkd_space *space)
{
	struct chase chase = { .space = space };
	struct mlkd_turn turn;
	int err;

	do {
		turn = chase_begin(&chase);
		err = forget_in_turns(space, &turn);
	} while (!err && chase_on(&chase, &turn));
	return err;
}

static int unlock_range(struct mlkd_space *space)
{
	int err = forget_range(space);

	if (!err)
		err = give_back(space);
	if (err)
		return err;
	if (space->later.recount)
		mlkd_wired_recount(space);
	else if (space->later.whole)
		WRITE_ONCE(space->wired.stale, true);
	mlkd_holders_note_self(space);
	return 0;
}

static int mapped_on(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		     void *mapped_to)
{
	unsigned long *to = mapped_to;

	if (start > *to)
		return 1;
	*to = end;
	return 0;
}

/**
 * mlkd_mapped_end - find how far an address space is mapped without a hole
 * @mm: the address space, of which the caller holds a user
 * @start: first address
 * @end: address behind the last
 *
 * Return: the address behind the last that is mapped so; @start if it is not mapped.
 */
unsigned long mlkd_mapped_end(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mlkd_turn turn = { .mm = mm };

	/* A caller that is killed does not use the result. */
	mlkd_turns(&turn, start, end, mapped_on, &start);
	return start;
}

/**
 * mlkd_unlock_range - undo mlkd_lock_range()
 * @space: the space; its claim is held
 * @start: first address, of a page
 * @end: address behind the last, of a page; beyond @start
 * @whole: it is excepted from the lock of the whole address space, too
 *
 * Return: 0; -ENOENT when no part of it is locked so; -EINTR, -ENOMEM, and nothing has
 * changed.
 */
int mlkd_unlock_range(struct mlkd_space *space, unsigned long start, unsigned long end,
		      bool whole)
{
	struct request request = { .space = space, .start = start, .end = end };
	struct mlkd_attrs *attrs = &space->attrs;
	int err = 0;

	if (!whole && !mlkd_attrs_have_ranges(attrs))
		return -ENOENT;
	if (!mlkd_attr_any(attrs, start, end, whole ? MLKD_OURS : MLKD_BY_RANGE))
		return -ENOENT;
	/* Only what is mapped now is unlocked: later mappings there are like all new ones. */
	if (whole)
		err = visit_mappings(&request, note_rest);
	if (err)
		return err;
	space->later.whole = whole;
	space->later.recount = false;
	finish(space, unlock_range, start, end);
	return 0;
}
