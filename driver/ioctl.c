// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of /dev/memlockd: what is asked, by whom, of whom; and the answers.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/memlockd.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "ioctl.h"
#include "lock.h"
#include "populate.h"
#include "report.h"
#include "space.h"
#include "target.h"

#define LOCK_FLAGS	(MEMLOCKD_CURRENT | MEMLOCKD_FUTURE |	\
			 MEMLOCKD_MOVABLE | MEMLOCKD_HEAL)

/* Rows that MAPPINGS gathers before it copies them out. */
#define ROWS_AT_ONCE	16

/* Each structure begins so. */
struct header {
	u32 size;
	u32 flags;
};

union ioctl_args {
	struct header header;
	struct memlockd_info info;
	struct memlockd_lock lock;
	struct memlockd_unlock unlock;
	struct memlockd_status status;
	struct memlockd_sync sync;
	struct memlockd_mappings mappings;
};

static struct task_struct *get_target(u32 type, s32 id)
{
	struct task_struct *task = mlkd_target_get(type, id);
	int err;

	if (IS_ERR(task))
		return task;
	err = mlkd_target_permitted(task);
	if (err) {
		put_task_struct(task);
		return ERR_PTR(err);
	}
	return task;
}

static int do_info(union ioctl_args *args)
{
	struct memlockd_info *info = &args->info;
	unsigned int major = 0, minor = 0, patch = 0;

	if (info->flags)
		return -EINVAL;
	if (sscanf(MEMLOCKD_VERSION, "%u.%u.%u", &major, &minor, &patch) < 2)
		return -EINVAL;
	info->out_version = major << 16 | minor << 8 | patch;
	info->out_page_size = PAGE_SIZE;
	info->out_lock_flags = LOCK_FLAGS;
	info->out_locked_processes = mlkd_spaces_count();
	info->out_pinned = (u64)mlkd_pins_total() << PAGE_SHIFT;
	return 0;
}

static int check_mode(const struct memlockd_lock *lock)
{
	const u32 both = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE;

	if (lock->reserved || (lock->flags & ~LOCK_FLAGS) || !(lock->flags & both))
		return -EINVAL;
	switch (lock->state) {
	case MEMLOCKD_STATE_LOCKED:
		return lock->stack_reserve ? -EINVAL : 0;
	case MEMLOCKD_STATE_SUPERLOCKED:
		return (lock->flags & ~MEMLOCKD_HEAL) == both ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* Who has locked it, and when, for STATUS. */
static void sign(struct mlkd_space *space, struct task_struct *task, u64 begin)
{
	struct pid *pid = get_task_pid(current, PIDTYPE_TGID);
	u64 now = ktime_get_boottime_ns();

	spin_lock(&space->lock);
	swap(space->locker, pid);
	space->locker_uid = current_uid();
	space->locked_at = now;
	space->duration = now - begin;
	mlkd_target_faults(task, &space->minor_faults, &space->major_faults);
	spin_unlock(&space->lock);
	put_pid(pid);
}

/* The result of a lock, mapping by mapping. */
static int count_mappings(struct task_struct *task, struct memlockd_lock *lock)
{
	struct mlkd_report *report = mlkd_report_begin(task);
	struct memlockd_mapping row = {};
	int err;

	if (IS_ERR(report))
		return PTR_ERR(report);
	while ((err = mlkd_report_next(report, row.end, &row)) > 0) {
		lock->out_mappings++;
		lock->out_incomplete += mlkd_report_incomplete(&row);
	}
	mlkd_report_end(report);
	return err;
}

static int do_lock(union ioctl_args *args)
{
	struct memlockd_lock *lock = &args->lock;
	struct mlkd_mode mode = { .state = lock->state, .flags = lock->flags };
	u64 begin = ktime_get_boottime_ns();
	struct mlkd_limit limit = {};
	struct mlkd_space *space;
	struct task_struct *task;
	int err;

	err = check_mode(lock);
	if (err)
		return err;
	task = get_target(lock->target_type, lock->target);
	if (IS_ERR(task))
		return PTR_ERR(task);
	space = mlkd_space_claim(task, true);
	if (IS_ERR(space)) {
		err = PTR_ERR(space);
		if (err == -ENOMEM)
			limit.which = MEMLOCKD_LIMIT_MEMORY;
		goto out;
	}

	err = mlkd_lock(space, task, mode, lock->stack_reserve, &limit);
	if (!err)
		sign(space, task, begin);
	lock->out_locked = (u64)READ_ONCE(space->mm->locked_vm) << PAGE_SHIFT;
	lock->out_pinned = (u64)atomic_long_read(&space->pins.nr_pages) << PAGE_SHIFT;
	mlkd_space_release(space);
	/* The lock stands; who is killed or gone does not miss the numbers. */
	if (!err)
		count_mappings(task, lock);
out:
	lock->out_limit = limit.which;
	lock->out_needed = limit.needed;
	lock->out_allowed = limit.allowed;
	put_task_struct(task);
	return err;
}

static int do_unlock(union ioctl_args *args)
{
	struct memlockd_unlock *unlock = &args->unlock;
	struct mlkd_space *space;
	struct task_struct *task;
	int err;

	if (unlock->flags)
		return -EINVAL;
	task = get_target(unlock->target_type, unlock->target);
	if (IS_ERR(task))
		return PTR_ERR(task);
	space = mlkd_space_claim(task, false);
	err = PTR_ERR_OR_ZERO(space);
	if (!err) {
		err = mlkd_unlock(space);
		mlkd_space_release(space);
	}
	put_task_struct(task);
	return err;
}

static int do_sync(union ioctl_args *args)
{
	struct memlockd_sync *sync = &args->sync;
	struct mlkd_limit limit = {};
	struct mlkd_space *space;
	struct task_struct *task;
	unsigned long locked, pinned;
	int err;

	if (sync->flags)
		return -EINVAL;
	task = get_target(sync->target_type, sync->target);
	if (IS_ERR(task))
		return PTR_ERR(task);
	space = mlkd_space_claim(task, false);
	err = PTR_ERR_OR_ZERO(space);
	if (err)
		goto out;

	locked = READ_ONCE(space->mm->locked_vm);
	pinned = atomic_long_read(&space->pins.nr_pages);
	if (space->mode.flags & MEMLOCKD_CURRENT)
		err = mlkd_lock(space, task, space->mode, space->stack_reserve,
				&limit);
	else
		mlkd_populate_future(space, 0, 0);
	/* It runs meanwhile, and may have unmapped more than it has mapped. */
	locked = max(READ_ONCE(space->mm->locked_vm), locked) - locked;
	pinned = max_t(unsigned long, atomic_long_read(&space->pins.nr_pages),
		       pinned) - pinned;
	sync->out_locked = (u64)locked << PAGE_SHIFT;
	sync->out_pinned = (u64)pinned << PAGE_SHIFT;
	mlkd_space_release(space);
out:
	put_task_struct(task);
	return err;
}

/* Its number for the caller; 0 when the process is gone. */
static pid_t live_pid(struct pid *pid)
{
	pid_t nr;

	rcu_read_lock();
	nr = pid_task(pid, PIDTYPE_TGID) ? pid_vnr(pid) : 0;
	rcu_read_unlock();
	return nr;
}

static int do_status(union ioctl_args *args)
{
	struct memlockd_status *status = &args->status;
	struct mlkd_space *space;
	struct task_struct *task;
	u64 minor, major, limit;
	struct mm_struct *mm;

	if (status->flags)
		return -EINVAL;
	task = get_target(status->target_type, status->target);
	if (IS_ERR(task))
		return PTR_ERR(task);
	mm = mlkd_target_mm(task);
	if (!mm) {
		put_task_struct(task);
		return -ESRCH;
	}

	limit = mlkd_target_memlock_limit(task);
	status->out_memlock_limit = limit == RLIM_INFINITY ? U64_MAX : limit;
	status->out_locked = (u64)READ_ONCE(mm->locked_vm) << PAGE_SHIFT;
	mlkd_target_faults(task, &minor, &major);

	space = mlkd_space_find(mm);
	if (!space)
		goto out;
	spin_lock(&space->lock);
	/* Else its first lock is on its way. */
	if (space->mode.state != MEMLOCKD_STATE_UNLOCKED) {
		status->out_state = space->mode.state;
		status->out_lock_flags = space->mode.flags;
		status->out_locker_pid = live_pid(space->locker);
		status->out_locker_uid = from_kuid_munged(current_user_ns(),
							  space->locker_uid);
		status->out_lock_time_ns = space->locked_at;
		status->out_lock_duration_ns = space->duration;
		status->out_lock_minor_faults = minor - space->minor_faults;
		status->out_lock_major_faults = major - space->major_faults;
	}
	spin_unlock(&space->lock);
	status->out_pinned = (u64)atomic_long_read(&space->pins.nr_pages) << PAGE_SHIFT;
	status->out_bookkeeping = mlkd_pins_bytes(&space->pins);
	status->out_healed = atomic_long_read(&space->heal.healed);
	mlkd_space_put(space);
out:
	mmput(mm);
	put_task_struct(task);
	return 0;
}

static int copy_rows(struct memlockd_mappings *mappings,
		     const struct memlockd_mapping *rows, u32 nr)
{
	void __user *to = u64_to_user_ptr(mappings->rows) +
			  (u64)mappings->out_rows * mappings->row_size;
	size_t size = min_t(size_t, mappings->row_size, sizeof(*rows));
	u32 i;

	for (i = 0; i < nr; i++, to += mappings->row_size) {
		if (copy_to_user(to, &rows[i], size) ||
		    clear_user(to + size, mappings->row_size - size))
			return -EFAULT;
	}
	mappings->out_rows += nr;
	return 0;
}

static int gather_rows(struct memlockd_mappings *mappings,
		       struct mlkd_report *report)
{
	struct memlockd_mapping rows[ROWS_AT_ONCE];
	unsigned long addr = mappings->start;
	int err = 1, copy_err;

	while (err > 0) {
		u32 nr = 0, room;

		room = min_t(u32, mappings->nr_rows - mappings->out_rows, ROWS_AT_ONCE);
		if (!room) {
			mappings->out_next = mlkd_report_peek(report, addr);
			break;
		}
		while (nr < room) {
			err = mlkd_report_next(report, addr, &rows[nr]);
			if (err <= 0)
				break;
			addr = rows[nr++].end;
		}
		copy_err = copy_rows(mappings, rows, nr);
		if (copy_err)
			return copy_err;
	}
	return err < 0 ? err : 0;
}

static int do_mappings(union ioctl_args *args)
{
	struct memlockd_mappings *mappings = &args->mappings;
	struct mlkd_report *report;
	struct task_struct *task;
	int err;

	if (mappings->flags || mappings->row_size < sizeof(struct memlockd_mapping) ||
	    mappings->row_size > PAGE_SIZE)
		return -EINVAL;
	/* An address from a wider process than this one is no address of it. */
	if (mappings->start > ULONG_MAX)
		return -EINVAL;
	task = get_target(mappings->target_type, mappings->target);
	if (IS_ERR(task))
		return PTR_ERR(task);
	report = mlkd_report_begin(task);
	err = PTR_ERR_OR_ZERO(report);
	if (!err) {
		err = gather_rows(mappings, report);
		mlkd_report_end(report);
	}
	put_task_struct(task);
	return err;
}

/**
 * struct ioctl_op - one of the calls
 * @size: of its structure, as the driver knows it
 * @min_size: of its structure's first version
 * @out_start: offset of the first of its outputs
 * @run: what it does, with the outputs zero at the beginning
 */
struct ioctl_op {
	size_t size;
	size_t min_size;
	size_t out_start;
	int (*run)(union ioctl_args *args);
};

#define INDEX(cmd)	((cmd) - MEMLOCKD_CMD_INFO)

static const struct ioctl_op ioctl_ops[] = {
	[INDEX(MEMLOCKD_CMD_INFO)] = {
		.size = sizeof(struct memlockd_info),
		.min_size = offsetofend(struct memlockd_info, out_pinned),
		.out_start = offsetof(struct memlockd_info, out_version),
		.run = do_info,
	},
	[INDEX(MEMLOCKD_CMD_LOCK)] = {
		.size = sizeof(struct memlockd_lock),
		.min_size = offsetofend(struct memlockd_lock, out_pinned),
		.out_start = offsetof(struct memlockd_lock, out_limit),
		.run = do_lock,
	},
	[INDEX(MEMLOCKD_CMD_UNLOCK)] = {
		.size = sizeof(struct memlockd_unlock),
		.min_size = offsetofend(struct memlockd_unlock, target),
		.out_start = sizeof(struct memlockd_unlock),
		.run = do_unlock,
	},
	[INDEX(MEMLOCKD_CMD_SYNC)] = {
		.size = sizeof(struct memlockd_sync),
		.min_size = offsetofend(struct memlockd_sync, out_pinned),
		.out_start = offsetof(struct memlockd_sync, out_locked),
		.run = do_sync,
	},
	[INDEX(MEMLOCKD_CMD_STATUS)] = {
		.size = sizeof(struct memlockd_status),
		.min_size = offsetofend(struct memlockd_status, out_healed),
		.out_start = offsetof(struct memlockd_status, out_state),
		.run = do_status,
	},
	[INDEX(MEMLOCKD_CMD_MAPPINGS)] = {
		.size = sizeof(struct memlockd_mappings),
		.min_size = offsetofend(struct memlockd_mappings, out_next),
		.out_start = offsetof(struct memlockd_mappings, out_rows),
		.run = do_mappings,
	},
};

long mlkd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	unsigned int nr = INDEX(_IOC_NR(cmd));
	void __user *user = (void __user *)arg;
	const struct ioctl_op *op;
	union ioctl_args args = {};
	u32 size;
	int err;

	if (nr >= ARRAY_SIZE(ioctl_ops) ||
	    cmd != _IO(MEMLOCKD_IOC_MAGIC, _IOC_NR(cmd)))
		return -ENOTTY;
	op = &ioctl_ops[nr];

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	err = copy_struct_from_user(&args, op->size, user, size);
	if (err)
		return err;
	memset((void *)&args + op->out_start, 0, sizeof(args) - op->out_start);

	/* Where the answer cannot be written, nothing is to be done either. */
	size = min_t(size_t, size, op->size);
	if (copy_to_user(user, &args, size))
		return -EFAULT;

	err = op->run(&args);

	/* MEMLOCKD_LOCK says which limit it has met. */
	if (err && err != -ENOMEM)
		return err;
	if (copy_to_user(user, &args, size))
		return -EFAULT;
	return err;
}
