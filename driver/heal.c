// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making pages writable again that writeback has write-protected.
 *
 * A file system wants to know when a page that it has written back gets dirty
 * again, so that each writeback of a shared mapping costs a fault per page.  That
 * cannot be prevented, but with MEMLOCKD_HEAL a worker takes the fault before the
 * process does.  The price: the pages are dirty from then on, and each writeback
 * writes all of them.  It is a race, too, which a process that writes all the
 * time sometimes wins.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "heal.h"
#include "policy.h"
#include "populate.h"
#include "shared.h"
#include "space.h"
#include "target.h"
#include "turn.h"

static struct workqueue_struct *healer;

/*
 * Heals pages from *@addr on, which it sets to where it has come to, and ends @turn.  Who
 * is tried for the second time, as *@again says, is passed over if that fails, too.
 */
static void heal_some(struct mlkd_space *space, struct mlkd_turn *turn, unsigned long *addr,
		      unsigned long end, bool *again)
{
	do {
		struct vm_area_struct *vma = find_vma(space->mm, *addr);
		struct file *file = NULL;
		int held = 1;

		if (!vma || !(mlkd_space_in_force(space).flags & MEMLOCKD_HEAL)) {
			*addr = end;
			break;
		}
		*addr = max(*addr, vma->vm_start);
		/* fork() write-protects private mappings, which are not for us. */
		if (mlkd_vma_writeback(vma) && *addr < min(end, mlkd_vma_file_end(vma)))
			file = mlkd_shared_write_begin(vma);
		if (!file) {
			*addr = vma->vm_end;
			continue;
		}
		if (!mlkd_fault_page(vma, *addr, FAULT_FLAG_WRITE | FAULT_FLAG_ALLOW_RETRY, &held))
			atomic_long_inc(&space->heal.healed);
		mlkd_shared_write_end(file);
		if (held || *again)
			*addr += PAGE_SIZE;
		*again = !held && !*again;
		if (!held)
			return;
	} while (*addr < end && !mlkd_turn_over(turn, MLKD_COST_FAULT));
	mlkd_turn_end(turn);
}

static void heal_range(struct mlkd_space *space, unsigned long addr, unsigned long end)
{
	struct mlkd_turn turn = { .mm = space->mm };
	bool again = false;

	while (addr < end && !mlkd_mm_killed(space->mm) && !mlkd_turn_begin(&turn)) {
		heal_some(space, &turn, &addr, end, &again);
		cond_resched();
	}
}

static void heal_work(struct work_struct *work)
{
	struct mlkd_heal *heal = container_of(work, struct mlkd_heal, work);
	struct mlkd_space *space = container_of(heal, struct mlkd_space, heal);
	bool alive = mmget_not_zero(space->mm);

	for (;;) {
		unsigned long start = 0, end = ULONG_MAX;

		spin_lock(&heal->lock);
		if (heal->overflow) {
			heal->overflow = false;
			heal->nr = 0;
		} else if (heal->nr) {
			start = heal->ranges[--heal->nr].start;
			end = heal->ranges[heal->nr].end;
		} else {
			heal->queued = false;
			spin_unlock(&heal->lock);
			break;
		}
		spin_unlock(&heal->lock);
		if (alive)
			heal_range(space, start, end);
	}
	if (alive)
		mmput(space->mm);
	mlkd_space_put(space);
}

/* Called from an mmu notifier: [@start, @end) has been write-protected. */
void mlkd_heal_later(struct mlkd_space *space, unsigned long start,
		     unsigned long end)
{
	struct mlkd_heal *heal = &space->heal;

	spin_lock(&heal->lock);
	/* Writeback goes from one page to the next. */
	if (heal->nr && heal->ranges[heal->nr - 1].end == start)
		heal->ranges[heal->nr - 1].end = end;
	else if (heal->nr == MLKD_HEAL_RANGES)
		heal->overflow = true;
	else
		heal->ranges[heal->nr++] = (typeof(heal->ranges[0])){ start, end };

	if (!heal->queued && mlkd_space_tryget(space)) {
		heal->queued = true;
		queue_work(healer, &heal->work);
	}
	spin_unlock(&heal->lock);
}

void mlkd_heal_setup(struct mlkd_heal *heal)
{
	spin_lock_init(&heal->lock);
	INIT_WORK(&heal->work, heal_work);
}

int __init mlkd_heal_init(void)
{
	healer = alloc_workqueue("memlockd_heal", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return healer ? 0 : -ENOMEM;
}

void mlkd_heal_exit(void)
{
	destroy_workqueue(healer);
}
