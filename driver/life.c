// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a locked address space: claims, what its mmu notifier hears, its end.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "feed.h"
#include "guard.h"
#include "heal.h"
#include "holder.h"
#include "life.h"
#include "limit.h"
#include "munlock.h"
#include "probe.h"
#include "space.h"
#include "target.h"
#include "target_calls.h"
#include "wired.h"

/* The address space has ended, and its notifier with it. */
static void reap_space(struct work_struct *work)
{
	struct mlkd_space *space = container_of(work, struct mlkd_space, reap);

	mlkd_holders_drop(space);
	mlkd_wired_drop(space);
	mlkd_guard_disarm(space);
	mlkd_probes_disarm(space);
	mmu_notifier_unregister(&space->notifier, space->mm);
	mlkd_space_put(space);
}

/* Has the process left @mm, which ends now, for another one? */
static bool has_execed(struct mlkd_space *space)
{
	struct task_struct *task;
	struct mm_struct *mm;
	bool execed = false;

	rcu_read_lock();
	task = pid_task(space->pid, PIDTYPE_TGID);
	if (task) {
		mm = READ_ONCE(task->mm);
		execed = mm && mm != space->mm;
	}
	rcu_read_unlock();
	return execed;
}

static void tell_end(struct mlkd_space *space)
{
	struct memlockd_event out = { .kind = MEMLOCKD_EVENT_EXITED };

	if (mlkd_space_promised(space).state == MEMLOCKD_STATE_UNLOCKED)
		return;
	if (has_execed(space))
		out.kind = MEMLOCKD_EVENT_EXECED;
	mlkd_feed_tell(space->mm, space->pid, &out);
}

/*
 * The last user of the address space has gone, and its pages are about to be freed.
 * This runs in the task that has dropped the last reference, which may be our mmput().
 */
static void notifier_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct mlkd_space *space = container_of(notifier, struct mlkd_space, notifier);

	if (!mlkd_space_leave(space))
		return;		/* an unlock is unregistering the notifier */
	mlkd_pins_drop(&space->pins, 0, ULONG_MAX, false);
	tell_end(space);
	/* The process may go on with another program. */
	mlkd_limit_restore(space);
	mlkd_space_reap_later(space);
}

/*
 * The core kernel munlocks a page that it unmaps, if VM_LOCKED is set.  In the middle of
 * an unlock the flag is gone, but the page is still mlocked, as the unlock has not got
 * there yet.  So it is munlocked here.
 */
static int notifier_start(struct mmu_notifier *notifier,
			  const struct mmu_notifier_range *range)
{
	struct mlkd_space *space = container_of(notifier, struct mlkd_space, notifier);

	if ((READ_ONCE(space->flags) & (BIT(MLKD_SPACE_MUNLOCKING) | BIT(MLKD_SPACE_GUARDING))) &&
	    (range->event == MMU_NOTIFY_UNMAP || range->event == MMU_NOTIFY_CLEAR))
		mlkd_munlock_mapped(range->mm, range->start, range->end,
				    mmu_notifier_range_blockable(range));
	return 0;
}

/* A part of a huge page may have been taken away, of which the rest is pinned. */
static void drop_zapped(struct mlkd_space *space, const struct mmu_notifier_range *range)
{
	bool may_wait = mmu_notifier_range_blockable(range);
	struct mlkd_pins *pins = &space->pins;
	long kept = atomic_long_read(&pins->nr_kept);

	mlkd_pins_drop_zapped(pins, range->start, range->end, may_wait);
	if (!may_wait || atomic_long_read(&pins->nr_kept) <= kept)
		return;
	WRITE_ONCE(space->wired.stale, true);
	mlkd_space_let_go(space, range->start, range->end);
}

/*
 * MMU_NOTIFY_UNMAP drops the pins of all that is unmapped.  MMU_NOTIFY_CLEAR need not say
 * that: reclaim, migration and KSM send it by the million, for pages that they then leave
 * in place.  So it is looked which pages are gone.
 */
static void notifier_end(struct mmu_notifier *notifier,
			 const struct mmu_notifier_range *range)
{
	struct mlkd_space *space = container_of(notifier, struct mlkd_space, notifier);

	if (range->event == MMU_NOTIFY_PROTECTION_PAGE &&
	    (mlkd_space_in_force(space).flags & MEMLOCKD_HEAL))
		mlkd_heal_later(space, range->start, range->end);

	if (range->event == MMU_NOTIFY_SOFT_DIRTY)
		mlkd_probe_soft_dirty(space);

	if (range->event == MMU_NOTIFY_CLEAR && atomic_long_read(&space->pins.nr_pages))
		drop_zapped(space, range);

	if (range->event != MMU_NOTIFY_UNMAP)
		return;
	WRITE_ONCE(space->wired.stale, true);
	/* The OOM reaper wants the memory; ->release does the rest. */
	if (!mmu_notifier_range_blockable(range)) {
		mlkd_pins_reap(&space->pins, range->start, range->end);
		return;
	}
	mlkd_pins_drop(&space->pins, range->start, range->end, false);
	mlkd_space_let_go(space, range->start, range->end);
	mlkd_target_unmapped(space, range->start, range->end);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = notifier_release,
	.invalidate_range_start = notifier_start,
	.invalidate_range_end = notifier_end,
};

static void finish_claim(struct work_struct *work);

static struct mlkd_space *alloc_space(struct mlkd_target *target)
{
	struct mm_struct *mm = target->mm;
	struct mlkd_space *space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);

	if (!space)
		return NULL;
	mlkd_space_begin(space);
	space->notifier.ops = &notifier_ops;
	space->mm = mm;
	space->pid = get_task_pid(target->task, PIDTYPE_TGID);
	mmgrab(mm);
	space->busy = true;
	refcount_set(&space->ref, 2);
	init_waitqueue_head(&space->wait);
	INIT_WORK(&space->reap, reap_space);
	INIT_WORK(&space->later.work, finish_claim);
	INIT_WORK(&space->close_work, mlkd_space_close_fn);
	mlkd_probes_setup(space);
	mlkd_guard_setup(&space->guard);
	spin_lock_init(&space->lock);
	INIT_LIST_HEAD(&space->holders);
	mlkd_wired_setup(&space->wired);
	mlkd_attrs_setup(&space->attrs);
	raw_spin_lock_init(&space->moves_lock);
	INIT_LIST_HEAD(&space->moves);
	mlkd_pins_setup(&space->pins, mm);
	mlkd_heal_setup(&space->heal);
	return space;
}

/* Ends a space that holds no lock, and that the caller has claimed. */
static void end_space(struct mlkd_space *space, bool registered)
{
	mlkd_space_leave(space);
	wake_up_all(&space->wait);
	/* An unlock that has met the target moving about may have left some. */
	mlkd_pins_drop(&space->pins, 0, ULONG_MAX, false);
	mlkd_wired_drop(space);
	mlkd_probes_disarm(space);
	if (registered)
		mmu_notifier_unregister(&space->notifier, space->mm);
	mlkd_space_put(space);		/* the table's */
	mlkd_space_put(space);		/* the claim's */
}

/* How long a space stays in which the process itself has locked something, and unlocked it. */
#define LINGER		(10 * HZ)

/* Ends the spaces that have lingered for @age. */
static void end_lingering(unsigned long age)
{
	struct mlkd_space *space;

	while ((space = mlkd_space_claim_lingering(age))) {
		/* If it has left already, the address space has just ended, and is reaped. */
		bool ends = mlkd_space_leave(space);

		wake_up_all(&space->wait);
		if (ends) {
			mlkd_wired_drop(space);
			mlkd_probes_disarm(space);
			mmu_notifier_unregister(&space->notifier, space->mm);
			mlkd_space_put(space);		/* the table's */
		}
		mlkd_space_put(space);		/* the claim's */
	}
}

static void spaces_linger_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(linger, spaces_linger_work);

static void spaces_linger_work(struct work_struct *work)
{
	end_lingering(LINGER);
	if (mlkd_spaces_linger())
		queue_delayed_work(system_dfl_wq, &linger, LINGER);
}

/*
 * Nothing is locked of @space any more, and the process itself has unlocked the last: it
 * may be about to lock again.  To make a space, and to end it, takes a hundred times as
 * long as mlock(2).
 */
static void begin_to_linger(struct mlkd_space *space)
{
	/* An unlock that has met the target moving about may have left some. */
	mlkd_pins_drop(&space->pins, 0, ULONG_MAX, false);
	mlkd_wired_idle(space);
	mlkd_probes_rest(space);
	mlkd_space_set_lingering(space, true);
	mlkd_space_set_idle(space);
	mlkd_space_put(space);
	queue_delayed_work(system_dfl_wq, &linger, LINGER);
}

/* @space, which is claimed, may have lingered: it is to be as if it were new. */
static void use_again(struct mlkd_space *space)
{
	WRITE_ONCE(space->pace.owed, 0);
	space->chased = (struct mlkd_chased){};
	if (!space->lingers)
		return;
	mlkd_space_set_lingering(space, false);
	/* The process's own mlock() and munlock() were not noted while the space lingered. */
	mlkd_attrs_clear(&space->attrs);
	clear_bit(MLKD_SPACE_SELF, &space->flags);
	atomic_long_set(&space->heal.healed, 0);
	WRITE_ONCE(space->silent.nr, 0);
	space->stack_reserve = 0;
}

/* Nothing is locked, and the module is about to go. */
void mlkd_life_exit(void)
{
	cancel_delayed_work_sync(&linger);
	/* An address space that ends at the same time is reaped. */
	do
		end_lingering(0);
	while (!mlkd_spaces_wait(HZ / 10));
}

/* Makes a space of @target's mm, with a claim; -EEXIST if there is one already. */
static struct mlkd_space *new_space(struct mlkd_target *target)
{
	struct mlkd_space *space = alloc_space(target);
	struct mm_struct *mm = target->mm;
	int err;

	if (!space)
		return ERR_PTR(-ENOMEM);
	if (!mlkd_space_enter(space)) {
		refcount_set(&space->ref, 1);
		mlkd_space_put(space);
		return ERR_PTR(-EEXIST);
	}

	/*
	 * mmu_notifier_register() would wait for mmap_lock unkillably.  Both walk over all
	 * mappings under it, in mm_take_all_locks(): this hold of mmap_lock grows with their
	 * number.
	 */
	err = mmap_write_lock_killable(mm);
	if (!err) {
		err = __mmu_notifier_register(&space->notifier, mm);
		mmap_write_unlock(mm);
	}
	if (err) {
		end_space(space, false);
		/* Any signal makes it give up; nothing has happened yet. */
		return ERR_PTR(err == -EINTR ? -ERESTARTNOINTR : err);
	}
	return space;
}

/**
 * mlkd_space_claim - claim a process's address space, to change its lock
 * @target: the process
 * @create: make a space if there is none
 *
 * Return: the space, with a user of its mm held, to be given to
 * mlkd_space_unclaim(); or an ERR_PTR(): -ESRCH when the address space has ended,
 * -ENOENT when it is not locked, -ENOMEM, -EINTR.
 */
struct mlkd_space *mlkd_space_claim(struct mlkd_target *target, bool create)
{
	struct mm_struct *mm = target->mm;
	struct mlkd_space *space;
	bool claimed = false;
	int err;

	for (;;) {
		if (!mmget_not_zero(mm))
			return ERR_PTR(-ESRCH);
		space = mlkd_space_find_idle(mm, &claimed);
		if (claimed) {
			use_again(space);
			space->by_self = current->mm == mm;
			return space;
		}
		if (!space) {
			space = create ? new_space(target) : ERR_PTR(-ENOENT);
			if (!IS_ERR(space)) {
				space->by_self = current->mm == mm;
				return space;
			}
			mmput(mm);
			if (PTR_ERR(space) != -EEXIST)
				return space;
			continue;
		}
		mmput(mm);
		err = wait_event_killable(space->wait,
					  !READ_ONCE(space->busy) ||
					  READ_ONCE(space->gone));
		mlkd_space_put(space);
		if (err)
			return ERR_PTR(-EINTR);
	}
}

/**
 * mlkd_space_claim_again - claim a space that is known already
 * @space: the space; the caller, a worker, has a reference
 *
 * Return: true with the claim, a reference more, and a user of its mm; false when
 * it has ended.
 */
bool mlkd_space_claim_again(struct mlkd_space *space)
{
	for (;;) {
		if (!mmget_not_zero(space->mm))
			return false;
		if (mlkd_space_set_busy(space)) {
			use_again(space);
			space->by_self = false;
			return true;
		}
		mmput(space->mm);
		if (READ_ONCE(space->gone))
			return false;
		wait_event_idle(space->wait,
				!READ_ONCE(space->busy) || READ_ONCE(space->gone));
	}
}

/*
 * A space that lingers does not keep the module loaded.  So none does that a call of the
 * process still uses, or a work: who unloads the module would wait for it, for as long as
 * the process likes to stay in a system call.
 */
static bool may_linger(struct mlkd_space *space)
{
	/* One reference is the table's, and one the claim's. */
	return space->by_self && refcount_read(&space->ref) == 2;
}

/* Ends a claim, and the space if it is not locked now. */
static void end_claim(struct mlkd_space *space)
{
	struct mm_struct *mm = space->mm;

	WRITE_ONCE(space->later.nr, space->later.nr + 1);
	if (space->promised.state != MEMLOCKD_STATE_SUPERLOCKED)
		mlkd_guard_disarm(space);
	if (space->promised.state == MEMLOCKD_STATE_UNLOCKED &&
	    !mlkd_attrs_have_ranges(&space->attrs)) {
		if (may_linger(space))
			begin_to_linger(space);
		else
			end_space(space, true);
	} else {
		mlkd_space_set_idle(space);
		mlkd_space_put(space);
	}
	mmput(mm);
}

/* Does what is left, which no signal ends in a worker. */
static void finish_claim(struct work_struct *work)
{
	struct mlkd_space *space = container_of(work, struct mlkd_space, later.work);

	mlkd_space_finish(space);
	/*
	 * A space that the process had locked itself need not linger: the process has been
	 * killed, and does not lock again.  And while a space begins to linger, nothing but the
	 * open file of a caller keeps the module loaded, and a worker has none.
	 */
	space->by_self = false;
	end_claim(space);
}

/**
 * mlkd_space_unclaim - end a claim, and the space if it is not locked now
 * @space: the space, claimed
 *
 * If the caller was killed, a part of the request may be left to be done before.  That needs
 * mmap_lock, which the process may keep from us for ever.  So a worker does it, and the
 * caller waits for a moment only.
 */
void mlkd_space_unclaim(struct mlkd_space *space)
{
	unsigned int before = space->later.nr;

	if (!space->later.run) {
		end_claim(space);
		return;
	}
	mlkd_space_get(space);
	mlkd_space_finish_later(space);
	wait_event_timeout(space->wait, READ_ONCE(space->later.nr) != before, HZ);
	mlkd_space_put(space);
}
