// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of locked address spaces, and references to them.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "arch.h"
#include "compat.h"
#include "space.h"
#include "target.h"

DEFINE_HASHTABLE(mlkd_spaces, MLKD_SPACES_BITS);
static DEFINE_SPINLOCK(spaces_lock);
static unsigned int nr_spaces;		/* without those that linger */
static unsigned int nr_lingering;
static atomic_t nr_alive;		/* not freed yet */
/* The function of &mlkd_space.close_work. */
work_func_t mlkd_space_close_fn;

static struct workqueue_struct *reaper;
static struct workqueue_struct *finisher;

int __init mlkd_spaces_init(void)
{
	reaper = alloc_workqueue("memlockd_reap", WQ_UNBOUND, 0);
	if (!reaper)
		return -ENOMEM;
	finisher = alloc_workqueue("memlockd_finish", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!finisher)
		destroy_workqueue(reaper);
	return finisher ? 0 : -ENOMEM;
}

/* Nothing is locked, or the module would be in use; the last reap may still be running. */
void mlkd_spaces_exit(void)
{
	destroy_workqueue(finisher);
	destroy_workqueue(reaper);
}

/* Does what is left to be done before the claim of @space ends, unless current is killed. */
void mlkd_space_finish(struct mlkd_space *space)
{
	if (space->later.run && !space->later.run(space))
		space->later.run = NULL;
}

/* Has a worker do that, with the caller's claim. */
void mlkd_space_finish_later(struct mlkd_space *space)
{
	queue_work(finisher, &space->later.work);
}

/* The address space has ended: @space->reap takes the space apart. */
void mlkd_space_reap_later(struct mlkd_space *space)
{
	queue_work(reaper, &space->reap);
}

/* Waits until the spaces that have ended so far are gone. */
void mlkd_spaces_flush(void)
{
	flush_workqueue(reaper);
}

/* Waits until all are freed. */
bool mlkd_spaces_wait(unsigned long timeout)
{
	return wait_var_event_timeout(&nr_alive, !atomic_read(&nr_alive), timeout);
}

unsigned int mlkd_spaces_count(void)
{
	return READ_ONCE(nr_spaces);
}

struct mlkd_mode mlkd_space_promised(struct mlkd_space *space)
{
	struct mlkd_mode mode;

	spin_lock(&space->lock);
	mode = space->promised;
	spin_unlock(&space->lock);
	return mode;
}

/**
 * mlkd_space_mode_of - find the mode that all of a mapping is to have
 * @space: the space; mmap_lock is held
 * @vma: the mapping
 * @whole: the mode that the locks of the whole address space ask for
 *
 * Return: the mode of the part with the least state.
 */
struct mlkd_mode mlkd_space_mode_of(struct mlkd_space *space, struct vm_area_struct *vma,
				    struct mlkd_mode whole)
{
	unsigned long addr = vma->vm_start, end = vma->vm_end;
	u32 attr = mlkd_attr_get(&space->attrs, addr, &end);
	struct mlkd_mode mode = mlkd_attr_mode(attr, whole), least = mode;

	while (end < vma->vm_end && least.state != MEMLOCKD_STATE_UNLOCKED) {
		addr = end;
		end = vma->vm_end;
		attr = mlkd_attr_get(&space->attrs, addr, &end);
		mode = mlkd_attr_mode(attr, whole);
		if (mode.state < least.state)
			least = mode;
	}
	return least;
}

/* Says whether @vma is a stack that @mode leaves to pins, and has no room below the limit. */
bool mlkd_space_stack_over(struct mlkd_space *space, struct vm_area_struct *vma,
			   struct mlkd_mode mode)
{
	return test_bit(MLKD_SPACE_STACK_OVER, &space->flags) &&
	       !(vma->vm_flags & VM_LOCKED) && mlkd_stack_by_pins(vma, mode);
}

/**
 * mlkd_space_want - find what a part of a mapping is to have now
 * @space: the space; mmap_lock is held
 * @vma: the mapping
 * @attr: the attribute of the part
 *
 * A mapping that is to be VM_LOCKED and is not is left alone: it is older than a lock
 * of the future alone, the process has taken it from us, or it is over the limit.  Where
 * a range covers a part of a mapping, nothing but pins can hold that.
 */
struct mlkd_want mlkd_space_want(struct mlkd_space *space, struct vm_area_struct *vma,
				 u32 attr)
{
	struct mlkd_mode mode = mlkd_attr_mode(attr, mlkd_space_in_force(space));
	struct mlkd_want want;

	want = mlkd_want(vma, mode);
	if (!(attr & MLKD_BY_RANGE) &&
	    ((want.locked && !(vma->vm_flags & VM_LOCKED)) ||
	     mlkd_space_stack_over(space, vma, mode)))
		want = (struct mlkd_want){};
	return want;
}

void mlkd_silent_add(struct mlkd_silent *silent, dev_t dev)
{
	unsigned int i;

	for (i = 0; i < silent->nr; i++)
		if (silent->dev[i] == dev)
			return;
	if (i == MLKD_SILENT)
		return;
	WRITE_ONCE(silent->dev[i], dev);
	/* Reports see the device before they see that there is one. */
	smp_store_release(&silent->nr, i + 1);
}

/* Says whether the file system of @vma, a mapping of a file, has not answered. */
bool mlkd_silent_has(const struct mlkd_silent *silent, struct vm_area_struct *vma)
{
	dev_t dev = mlkd_vma_dev(vma);
	unsigned int i, nr;

	/* As mlkd_silent_add() has it. */
	nr = smp_load_acquire(&silent->nr);

	for (i = 0; i < nr; i++)
		if (READ_ONCE(silent->dev[i]) == dev)
			return true;
	return nr == MLKD_SILENT;
}

/* Are what pins keep and what is VM_LOCKED together beyond RLIMIT_MEMLOCK? */
bool mlkd_space_keeps_too_much(struct mlkd_space *space)
{
	long kept = atomic_long_read(&space->pins.nr_kept);

	return kept > 0 && !READ_ONCE(mlkd_old_mlock) &&
	       mlkd_mm_over_limit(space->mm, READ_ONCE(space->mm->locked_vm) + kept);
}

/**
 * mlkd_space_let_go - hold what pins keep beside their pages to the limit
 * @space: the space
 * @start: where pins have been added or dropped
 * @end: the end of that
 *
 * A pin on a part of a large folio keeps the rest as well, which VM_LOCKED does not count.
 * As long as both are within RLIMIT_MEMLOCK, the part stays pinned.  Beyond that it is
 * let go: it is VM_LOCKED and present as before, but not pinned, until a SYNC or the like
 * finds room, or finds that the core kernel has split the folio.  It can have a fault then.
 * The other way would be to have an munmap(2) fail, for which no program is prepared.
 *
 * The part that has just been changed is let go first.  That may not be enough, because more
 * is VM_LOCKED now or the limit is lower; then all other parts are let go, too, and no pin
 * keeps more than its pages until there has been room again.
 *
 * A part of a mapping that a range covers is not VM_LOCKED, and what is let go of that is
 * held by nothing.  So a request that would let it go fails (populate.c), and this happens
 * only where the process unmaps the rest of a folio, or has its limit lowered.
 *
 * Mmu notifiers call this, where they may sleep.
 */
void mlkd_space_let_go(struct mlkd_space *space, unsigned long start, unsigned long end)
{
	struct mlkd_pins *pins = &space->pins;

	if (start < end && mlkd_space_keeps_too_much(space)) {
		mlkd_pins_let_go(pins, start, start + 1);
		mlkd_pins_let_go(pins, end - 1, end);
	}
	if (mlkd_space_keeps_too_much(space))
		mlkd_pins_let_go(pins, 0, ULONG_MAX);
}

/*
 * [vdso], which has no pages that could be merged, gets VM_MERGEABLE, or loses it;
 * mmap_lock is held for writing.
 */
static void set_vdso_mergeable(struct mlkd_space *space, bool on)
{
	unsigned long start = mlkd_vdso_start(space->mm);
	struct vm_area_struct *vma = start ? find_vma(space->mm, start) : NULL;

	if (!vma || vma->vm_start != start || vma->anon_vma || !mlkd_vma_kernel(vma))
		return;
	if (on)
		vm_flags_set(vma, VM_MERGEABLE);
	else
		vm_flags_clear(vma, VM_MERGEABLE);
	space->ksm_kept = on;
}

/**
 * mlkd_space_keep_ksm - KSM is to come back to this process
 * @space: the space; its mmap_lock is held for writing
 *
 * Superlocked mappings lose VM_MERGEABLE.  An address space in which KSM finds no
 * mapping with that flag is dropped from its list, and nothing but another call of
 * madvise(2) on a mapping without it would bring that back.
 */
void mlkd_space_keep_ksm(struct mlkd_space *space)
{
	if (!space->ksm_kept)
		set_vdso_mergeable(space, true);
}

/* The mappings have VM_MERGEABLE again; mmap_lock is held for writing. */
void mlkd_space_leave_ksm(struct mlkd_space *space)
{
	if (space->ksm_kept)
		set_vdso_mergeable(space, false);
	space->ksm_kept = false;
}

/* Called from a probe, when current is about to move memory. */
void mlkd_space_move_begin(struct mlkd_space *space, struct mlkd_move *move, bool stays)
{
	unsigned long flags;

	*move = (struct mlkd_move){ .task = current, .stays = stays };
	raw_spin_lock_irqsave(&space->moves_lock, flags);
	list_add(&move->node, &space->moves);
	raw_spin_unlock_irqrestore(&space->moves_lock, flags);
}

void mlkd_space_move_end(struct mlkd_space *space, struct mlkd_move *move)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&space->moves_lock, flags);
	list_del(&move->node);
	raw_spin_unlock_irqrestore(&space->moves_lock, flags);
}

/* Returns what current has given to mlkd_space_move_begin(), and not yet ended; or NULL. */
struct mlkd_move *mlkd_space_moving(struct mlkd_space *space)
{
	struct mlkd_move *move, *found = NULL;
	unsigned long flags;

	if (list_empty_careful(&space->moves))
		return NULL;
	raw_spin_lock_irqsave(&space->moves_lock, flags);
	list_for_each_entry(move, &space->moves, node)
		if (move->task == current)
			found = move;
	raw_spin_unlock_irqrestore(&space->moves_lock, flags);
	return found;
}

static struct mlkd_space *lookup(struct mm_struct *mm)
{
	struct mlkd_space *space;

	lockdep_assert_held(&spaces_lock);
	hash_for_each_possible(mlkd_spaces, space, node, (unsigned long)mm)
		if (space->mm == mm)
			return space;
	return NULL;
}

/* @space has been allocated; mlkd_space_put() undoes this. */
void mlkd_space_begin(struct mlkd_space *space)
{
	__module_get(THIS_MODULE);
	atomic_inc(&nr_alive);
}

void mlkd_space_put(struct mlkd_space *space)
{
	bool lingers;

	if (!refcount_dec_and_test(&space->ref))
		return;
	lingers = space->lingers;
	mlkd_pins_destroy(&space->pins);
	mlkd_attrs_destroy(&space->attrs);
	put_pid(space->pid);
	mmdrop(space->mm);
	kfree_rcu(space, rcu);
	if (!lingers)
		module_put(THIS_MODULE);
	if (atomic_dec_and_test(&nr_alive))
		wake_up_var(&nr_alive);
}

/**
 * mlkd_space_set_lingering - a space in which nothing is locked stays, or is used again
 * @space: the space; its claim is held, with a user of its mm
 * @on: it stays
 *
 * While it lingers it does not count as locked, and does not keep the module loaded.
 */
void mlkd_space_set_lingering(struct mlkd_space *space, bool on)
{
	spin_lock(&spaces_lock);
	space->lingers = on;
	space->lingers_since = jiffies;
	nr_spaces += on ? -1 : 1;
	nr_lingering += on ? 1 : -1;
	spin_unlock(&spaces_lock);
	if (on)
		module_put(THIS_MODULE);
	else
		__module_get(THIS_MODULE);
}

bool mlkd_spaces_linger(void)
{
	return READ_ONCE(nr_lingering);
}

/**
 * mlkd_space_claim_lingering - claim a space that lingers, to end it
 * @age: one that does so for that long, in jiffies
 *
 * Return: the space with a reference, but without a user of its mm; or NULL.
 */
struct mlkd_space *mlkd_space_claim_lingering(unsigned long age)
{
	struct mlkd_space *space, *found = NULL;
	int bucket;

	spin_lock(&spaces_lock);
	hash_for_each(mlkd_spaces, bucket, space, node) {
		if (!space->lingers || space->busy ||
		    time_before(jiffies, space->lingers_since + age))
			continue;
		found = space;
		found->busy = true;
		mlkd_space_get(found);
		break;
	}
	spin_unlock(&spaces_lock);
	return found;
}

/**
 * mlkd_space_enter - put a new space into the table
 * @space: the space, claimed
 *
 * Return: false when the table has a space of that address space already.
 */
bool mlkd_space_enter(struct mlkd_space *space)
{
	bool exists;

	spin_lock(&spaces_lock);
	exists = lookup(space->mm);
	if (!exists) {
		hash_add_rcu(mlkd_spaces, &space->node, (unsigned long)space->mm);
		nr_spaces++;
	}
	spin_unlock(&spaces_lock);
	return !exists;
}

/* Takes the space out of the table.  Returns false when that has been done. */
bool mlkd_space_leave(struct mlkd_space *space)
{
	bool was_there;

	spin_lock(&spaces_lock);
	was_there = !space->gone;
	if (was_there) {
		space->gone = true;
		hash_del_rcu(&space->node);
		if (space->lingers)
			nr_lingering--;
		else
			nr_spaces--;
	}
	spin_unlock(&spaces_lock);
	return was_there;
}

/* Returns the space of @mm with a reference, and claimed if it was not busy; or NULL. */
struct mlkd_space *mlkd_space_find_idle(struct mm_struct *mm, bool *claimed)
{
	struct mlkd_space *space;

	spin_lock(&spaces_lock);
	space = lookup(mm);
	if (space) {
		mlkd_space_get(space);
		*claimed = !space->busy;
		space->busy = true;
	}
	spin_unlock(&spaces_lock);
	return space;
}

/* Claims @space, and takes a reference, unless it is busy or has ended. */
bool mlkd_space_set_busy(struct mlkd_space *space)
{
	bool claimed;

	spin_lock(&spaces_lock);
	claimed = !space->gone && !space->busy;
	if (claimed) {
		space->busy = true;
		mlkd_space_get(space);
	}
	spin_unlock(&spaces_lock);
	return claimed;
}

/* Ends a claim. */
void mlkd_space_set_idle(struct mlkd_space *space)
{
	spin_lock(&spaces_lock);
	space->busy = false;
	spin_unlock(&spaces_lock);
	wake_up_all(&space->wait);
}

/**
 * mlkd_space_find - look at a space, without changing it
 * @mm: the address space
 *
 * Return: the space with a reference, to be given to mlkd_space_put(), or NULL.
 */
struct mlkd_space *mlkd_space_find(struct mm_struct *mm)
{
	struct mlkd_space *space;

	spin_lock(&spaces_lock);
	space = lookup(mm);
	if (space)
		mlkd_space_get(space);
	spin_unlock(&spaces_lock);
	return space;
}

/**
 * mlkd_space_find_rcu - mlkd_space_find() for probes
 * @mm: the address space
 *
 * Return: the space, valid under RCU, maybe about to end; or NULL.
 */
struct mlkd_space *mlkd_space_find_rcu(struct mm_struct *mm)
{
	struct mlkd_space *space;

	hash_for_each_possible_rcu(mlkd_spaces, space, node, (unsigned long)mm)
		if (space->mm == mm)
			return space;
	return NULL;
}
