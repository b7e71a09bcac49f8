// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raising the RLIMIT_MEMLOCK of a locked process, for as long as the lock lasts.
 *
 * The core kernel applies the limit before anybody could raise it as far as a new mapping
 * needs, so there is none at all meanwhile.
 */
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "limit.h"
#include "space.h"

static bool unlimited(const struct rlimit *limit)
{
	return limit->rlim_cur == RLIM_INFINITY && limit->rlim_max == RLIM_INFINITY;
}

/*
 * Sets the limit of @task to @new, if it is unlimited now or is not, as @was says.  The
 * lock is that of do_prlimit(), which is not exported.
 */
static bool change_limit(struct task_struct *task, bool was, const struct rlimit *new,
			 struct rlimit *old)
{
	struct rlimit *limit = &task->signal->rlim[RLIMIT_MEMLOCK];
	struct task_struct *leader;
	bool change;

	rcu_read_lock();
	leader = READ_ONCE(task->group_leader);
	task_lock(leader);
	change = unlimited(limit) == was;
	if (change) {
		*old = *limit;
		WRITE_ONCE(limit->rlim_max, new->rlim_max);
		WRITE_ONCE(limit->rlim_cur, new->rlim_cur);
	}
	task_unlock(leader);
	rcu_read_unlock();
	return change;
}

/**
 * mlkd_limit_raise - let a process lock as much as it maps
 * @space: its space; the claim is held
 * @task: the process
 */
void mlkd_limit_raise(struct mlkd_space *space, struct task_struct *task)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	if (space->raised || !change_limit(task, false, &none, &space->raised_from))
		return;
	space->raised = get_task_pid(task, PIDTYPE_TGID);
}

/**
 * mlkd_limit_restore - undo mlkd_limit_raise()
 * @space: the space; its claim is held, or it has ended
 *
 * A limit that somebody has set meanwhile stays.
 *
 * Return: whether that has changed the process's RLIMIT_MEMLOCK.
 */
bool mlkd_limit_restore(struct mlkd_space *space)
{
	/* An unlock may meet the end of the space here. */
	struct pid *raised = xchg(&space->raised, NULL);
	struct task_struct *task;
	bool changed = false;
	struct rlimit old;

	if (!raised)
		return false;
	task = get_pid_task(raised, PIDTYPE_TGID);
	if (task) {
		changed = change_limit(task, true, &space->raised_from, &old);
		put_task_struct(task);
	}
	put_pid(raised);
	return changed;
}
