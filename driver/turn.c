// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns at the mmap_lock of a target.
 *
 * Whoever passes over all mappings of a process needs its mmap_lock for a time that grows
 * with their number.  The process waits for that lock when it maps or unmaps something,
 * and when it takes a page fault.  So each such pass is made in turns.  A turn takes the
 * lock, works until it is over, and gives the lock back.  The next one goes on at the
 * address where it has stopped.  The caller can be killed between turns.
 *
 * A turn is over after its share of the time, which is SHORT_TURN as a rule, if somebody
 * waits for the lock, or for the processor; and after LONG_TURN, or its share if that is
 * longer, if nobody does.  A turn cannot end in the middle of what its caller does at
 * once, such as a page fault or a look at one mapping.
 *
 * A process can be so busy with its address space that each turn has to wait for the lock
 * far longer than it has it.  Then a pass of many short turns would take as long as the
 * process likes.  So the waits are added up, and the turns are taken off; an eighth of
 * what remains is the share of the next turn.  The longer the process keeps a request
 * waiting, the longer is it held off in turn, up to LONGEST_TURN.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "turn.h"

#define SHORT_TURN	(NSEC_PER_MSEC / 4)
#define LONG_TURN	(2 * NSEC_PER_MSEC)
#define LONGEST_TURN	(64 * NSEC_PER_MSEC)

/* To take a lock that is free takes less than this. */
#define SHORT_WAIT	(2 * NSEC_PER_USEC)

/* The clock is looked at after work that has cost so much, which takes 50 us or so. */
#define COST_OF_LOOK	128

/* Nanoseconds since @when.  The clocks of two processors may differ a little. */
static u64 since(u64 when)
{
	u64 now = local_clock();

	return now > when ? now - when : 0;
}

static int take(struct mlkd_turn *turn)
{
	return turn->write ? mmap_write_lock_killable(turn->mm) :
			     mmap_read_lock_killable(turn->mm);
}

/**
 * mlkd_turn_begin - take mmap_lock for a turn
 * @turn: of which @mm to @pace are set
 *
 * Return: 0; -EINTR when current is killed while it waits, -EAGAIN when @turn->tries is set
 * and it would have to wait: then no turn has begun.
 */
int mlkd_turn_begin(struct mlkd_turn *turn)
{
	struct mlkd_pace *pace = turn->pace;
	u64 owed = pace ? READ_ONCE(pace->owed) : 0;

	turn->begun = local_clock();
	/* Not each kernel can try to take it for writing. */
	if (turn->write || !mmap_read_trylock(turn->mm)) {
		u64 waited;

		if (turn->tries)
			return -EAGAIN;
		if (take(turn))
			return -EINTR;
		waited = since(turn->begun);
		if (waited > SHORT_WAIT) {
			turn->begun += waited;
			owed += waited;
			if (pace)
				WRITE_ONCE(pace->owed, owed);
		}
	}
	turn->nr++;
	turn->share = SHORT_TURN;
	if (pace)
		turn->share = clamp_t(u64, owed / 8, SHORT_TURN, LONGEST_TURN);
	turn->cost = 0;
	turn->over = false;
	return 0;
}

/**
 * mlkd_turn_over - say whether a turn is to end
 * @turn: the turn
 * @cost: of what has been done since the last call
 *
 * To be called after a part of the work, never before the first.
 *
 * Return: whether mlkd_turn_end() is to be called; from then on always true.
 */
bool mlkd_turn_over(struct mlkd_turn *turn, unsigned long cost)
{
	u64 lasted;

	turn->cost += cost;
	if (turn->over || turn->cost < COST_OF_LOOK)
		return turn->over;
	turn->cost = 0;
	if (turn->endless) {
		cond_resched();
		return false;
	}
	lasted = since(turn->begun);
	if (lasted >= turn->share)
		turn->over = lasted >= LONG_TURN || mmap_lock_is_contended(turn->mm) ||
			     need_resched();
	return turn->over;
}

/**
 * mlkd_turn_end - give mmap_lock back
 * @turn: a turn that has begun
 *
 * A turn of which something else has given up mmap_lock, such as a fault that has to wait
 * for a disk, ends without this.
 */
void mlkd_turn_end(struct mlkd_turn *turn)
{
	struct mlkd_pace *pace = turn->pace;

	if (pace && READ_ONCE(pace->owed)) {
		u64 owed = READ_ONCE(pace->owed);

		WRITE_ONCE(pace->owed, owed - min(owed, since(turn->begun)));
	}
	if (turn->write)
		mmap_write_unlock(turn->mm);
	else
		mmap_read_unlock(turn->mm);
	cond_resched();
}

/**
 * mlkd_turns - do something with each mapping of a range, in turns
 * @turn: of which @mm to @pace are set
 * @start: first address
 * @end: address behind the last
 * @fn: called with mmap_lock held for the part of each mapping that is in the range
 * @data: its argument
 *
 * Return: 0; what @fn has returned, unless that is 0; or as mlkd_turn_begin(), and -EINTR
 * when current is killed between two turns.
 */
int mlkd_turns(struct mlkd_turn *turn, unsigned long start, unsigned long end,
	       mlkd_turn_fn fn, void *data)
{
	bool more;
	int ret;

	do {
		struct vm_area_struct *vma;
		struct vma_iterator vmi;

		ret = mlkd_turn_begin(turn);
		if (ret)
			return ret;
		more = false;
		vma_iter_init(&vmi, turn->mm, start);
		for_each_vma_range(vmi, vma, end) {
			unsigned long from = max(start, vma->vm_start);

			start = min(end, vma->vm_end);
			ret = fn(vma, from, start, data);
			if (ret)
				break;
			more = mlkd_turn_over(turn, MLKD_COST_VMA);
			if (more)
				break;
		}
		mlkd_turn_end(turn);
		if (more && fatal_signal_pending(current))
			ret = -EINTR;
	} while (more && !ret);
	return ret;
}
