// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of /dev/memlockd: what is asked, by whom, of whom; and the answers.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/memlockd.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "client.h"
#include "compat.h"
#include "holder.h"
#include "ioctl.h"
#include "life.h"
#include "limit.h"
#include "lock.h"
#include "populate.h"
#include "report.h"
#include "space.h"
#include "target.h"
#include "wired.h"

#define LOCK_FLAGS	(MEMLOCKD_CURRENT | MEMLOCKD_FUTURE |	\
			 MEMLOCKD_MOVABLE | MEMLOCKD_HEAL |	\
			 MLKD_HOLDER_FLAGS)

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
	struct memlockd_list list;
	struct memlockd_range range;
};

static u64 bytes(unsigned long pages)
{
	return (u64)pages << PAGE_SHIFT;
}

static int do_info(struct mlkd_client *client, union ioctl_args *args)
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
	info->out_pinned = bytes(mlkd_pins_total());
	info->out_wired = bytes(mlkd_wired_now());
	info->out_wired_peak = bytes(mlkd_wired_peak());
	info->out_max_wired = min_t(u64, READ_ONCE(mlkd_max_wired),
				    U64_MAX >> PAGE_SHIFT) << PAGE_SHIFT;
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
		return (lock->flags & (both | MEMLOCKD_MOVABLE)) == both ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* The result of a lock, mapping by mapping. */
static int count_mappings(struct mm_struct *mm, struct memlockd_lock *lock)
{
	struct mlkd_report *report = mlkd_report_begin(mm, true);
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

/* Locks @space, for @holder, which takes the place of what @client held before. */
static int lock_for(struct mlkd_space *space, struct mlkd_client *client,
		    struct mlkd_holder *holder, struct mlkd_target *target,
		    u64 stack_reserve, struct mlkd_limit *limit)
{
	bool bypass = holder->mode.flags & MEMLOCKD_BYPASS;
	u64 begin = ktime_get_boottime_ns();
	struct mlkd_mode mode;
	LIST_HEAD(former);
	int err;

	/* Of another holder's SUPERLOCKED, the stack has what that has asked for. */
	if (holder->mode.state != MEMLOCKD_STATE_SUPERLOCKED)
		stack_reserve = space->stack_reserve;
	mlkd_holders_take(space, client, current_uid(), false, &former);
	mode = mlkd_holders_mode(space, holder->mode);
	err = mlkd_lock(space, target->task, mode, bypass, stack_reserve, limit);
	if (err) {
		mlkd_holders_put_back(space, &former);
		return err;
	}
	mlkd_holders_free(&former);
	holder->locked_at = ktime_get_boottime_ns();
	holder->duration = holder->locked_at - begin;
	mlkd_target_faults(target->task, &holder->minor_faults,
			   &holder->major_faults);
	mlkd_holder_add(holder, space, client);
	return 0;
}

static int do_lock(struct mlkd_client *client, union ioctl_args *args)
{
	struct memlockd_lock *lock = &args->lock;
	struct mlkd_mode mode = { .state = lock->state, .flags = lock->flags };
	struct mlkd_holder *holder = NULL;
	struct mlkd_limit limit = {};
	struct mlkd_target target;
	struct mlkd_space *space;
	int err;

	err = check_mode(lock);
	if (err)
		return err;
	if ((lock->flags & MEMLOCKD_BYPASS) && !capable(CAP_IPC_LOCK))
		return -EPERM;
	err = mlkd_target_get(&target, lock->target_type, lock->target,
			      MLKD_TO_LOCK);
	if (err)
		return err;
	holder = mlkd_holder_new(target.task, mode);
	space = holder ? mlkd_space_claim(&target, true) : ERR_PTR(-ENOMEM);
	if (IS_ERR(space)) {
		err = PTR_ERR(space);
		if (err == -ENOMEM)
			limit.which = MEMLOCKD_LIMIT_MEMORY;
		goto out;
	}

	err = lock_for(space, client, holder, &target, lock->stack_reserve, &limit);
	lock->out_locked = bytes(READ_ONCE(space->mm->locked_vm));
	lock->out_pinned = bytes(atomic_long_read(&space->pins.nr_pages));
	mlkd_space_release(space);
	/* The lock stands; who is killed or gone does not miss the numbers. */
	if (!err)
		count_mappings(target.mm, lock);
out:
	if (err && holder)
		mlkd_holder_free(holder);
	lock->out_limit = limit.which;
	lock->out_needed = limit.needed;
	lock->out_allowed = limit.allowed;
	mlkd_target_put(&target);
	return err;
}

static int do_unlock(struct mlkd_client *client, union ioctl_args *args)
{
	struct memlockd_unlock *unlock = &args->unlock;
	bool force = unlock->flags & MEMLOCKD_UNLOCK_FORCE;
	struct mlkd_target target;
	struct mlkd_space *space;
	int err;

	if (unlock->flags & ~MEMLOCKD_UNLOCK_FORCE)
		return -EINVAL;
	if (force && !capable(CAP_IPC_LOCK))
		return -EPERM;
	err = mlkd_target_get(&target, unlock->target_type, unlock->target,
			      MLKD_TO_LOCK);
	if (err)
		return err;
	space = mlkd_space_claim(&target, false);
	err = PTR_ERR_OR_ZERO(space);
	if (!err) {
		err = mlkd_client_leave(space, client, current_uid(), force);
		mlkd_space_release(space);
	}
	mlkd_target_put(&target);
	return err;
}

static int do_sync(struct mlkd_client *client, union ioctl_args *args)
{
	struct memlockd_sync *sync = &args->sync;
	struct mlkd_limit limit = {};
	struct mlkd_target target;
	struct mlkd_space *space;
	unsigned long locked, pinned;
	bool bypass;
	int err;

	if (sync->flags)
		return -EINVAL;
	err = mlkd_target_get(&target, sync->target_type, sync->target,
			      MLKD_TO_LOCK);
	if (err)
		return err;
	space = mlkd_space_claim(&target, false);
	err = PTR_ERR_OR_ZERO(space);
	if (err)
		goto out;
	err = -ENOENT;
	if (space->promised.state == MEMLOCKD_STATE_UNLOCKED)
		goto out_space;

	err = 0;
	locked = READ_ONCE(space->mm->locked_vm);
	pinned = atomic_long_read(&space->pins.nr_pages);
	/* A bypass goes on for a caller who could ask for it, and for nobody else. */
	bypass = mlkd_holders_bypass(space) && capable(CAP_IPC_LOCK);
	if (space->promised.flags & MEMLOCKD_CURRENT)
		err = mlkd_lock(space, target.task, space->promised, bypass,
				space->stack_reserve, &limit);
	else
		mlkd_populate_future(space, 0, 0);
	if (err)
		goto out_space;
	/* It runs meanwhile, and may have unmapped more than it has mapped. */
	locked = max(READ_ONCE(space->mm->locked_vm), locked) - locked;
	pinned = max_t(unsigned long, atomic_long_read(&space->pins.nr_pages),
		       pinned) - pinned;
	sync->out_locked = bytes(locked);
	sync->out_pinned = bytes(pinned);
out_space:
	mlkd_space_release(space);
out:
	mlkd_target_put(&target);
	return err;
}

/* Bytes of the address space that ranges cover. */
static u64 range_bytes(struct mlkd_space *space)
{
	unsigned long start = 0, end = ULONG_MAX;
	u64 bytes = 0;
	u32 attr;

	while (mlkd_attr_next(&space->attrs, &start, &end, &attr)) {
		if (attr & MLKD_BY_RANGE)
			bytes += end - start;
		start = end;
		end = ULONG_MAX;
		cond_resched();
	}
	return bytes;
}

static int do_status(struct mlkd_client *client, union ioctl_args *args)
{
	struct memlockd_status *status = &args->status;
	struct mlkd_target target;
	struct mlkd_space *space;
	u64 minor, major, limit;
	struct mlkd_mode mode;
	int err;

	if (status->flags)
		return -EINVAL;
	err = mlkd_target_get(&target, status->target_type, status->target,
			      MLKD_TO_LOOK);
	if (err)
		return err;

	limit = mlkd_target_memlock_limit(target.task);
	status->out_memlock_limit = limit == RLIM_INFINITY ? U64_MAX : limit;
	status->out_locked = bytes(READ_ONCE(target.mm->locked_vm));
	mlkd_target_faults(target.task, &minor, &major);

	space = mlkd_space_find(target.mm);
	if (!space)
		goto out;
	mode = mlkd_space_promised(space);
	/* Else its first lock is on its way. */
	if (mode.state != MEMLOCKD_STATE_UNLOCKED) {
		status->out_state = mode.state;
		status->out_lock_flags = mode.flags;
		mlkd_holders_status(space, status, minor, major);
	}
	status->out_pinned = bytes(atomic_long_read(&space->pins.nr_pages));
	status->out_bookkeeping = mlkd_pins_bytes(&space->pins);
	status->out_healed = atomic_long_read(&space->heal.healed);
	status->out_ranges = range_bytes(space);
	mlkd_space_put(space);
out:
	mlkd_target_put(&target);
	return 0;
}

/* Copies rows out, each of @size bytes, to where the caller's are @row_size long. */
static int copy_rows(u64 to_rows, u32 row_size, u32 first, const void *rows,
		     size_t size, u32 nr)
{
	void __user *to = u64_to_user_ptr(to_rows) + (u64)first * row_size;
	size_t known = min_t(size_t, row_size, size);
	u32 i;

	for (i = 0; i < nr; i++, to += row_size, rows += size) {
		if (copy_to_user(to, rows, known) ||
		    clear_user(to + known, row_size - known))
			return -EFAULT;
	}
	return 0;
}

static bool bad_row_size(u32 row_size, size_t min_size)
{
	return row_size < min_size || row_size > PAGE_SIZE;
}

/* How many mappings are passed under one mmap_lock. */
#define PASS_AT_ONCE	1024

/*
 * Where the rows are hidden they lie end to end from here on: 0 would say that there
 * are none.
 */
#define HIDDEN_START	PAGE_SIZE

/**
 * struct cursor - how far MAPPINGS is
 * @addr: where the next row is looked for
 * @hidden: the caller does not see addresses
 * @shown: where that row begins for the caller, then
 */
struct cursor {
	unsigned long addr;
	bool hidden;
	u64 shown;
};

/* Passes the mappings in front of @start, which the caller counts as if hidden. */
static int pass_hidden(struct cursor *cursor, struct mm_struct *mm, u64 start)
{
	struct vm_area_struct *vma;
	int i;

	cursor->shown = HIDDEN_START;
	do {
		if (mmap_read_lock_killable(mm))
			return -EINTR;
		for (i = 0; i < PASS_AT_ONCE; i++) {
			vma = find_vma(mm, cursor->addr);
			if (!vma || start < cursor->shown + vma->vm_end - vma->vm_start)
				break;
			cursor->shown += vma->vm_end - vma->vm_start;
			cursor->addr = vma->vm_end;
		}
		mmap_read_unlock(mm);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (i == PASS_AT_ONCE);
	return 0;
}

static int next_row(struct cursor *cursor, struct mlkd_report *report,
		    struct memlockd_mapping *row)
{
	int err = mlkd_report_next(report, cursor->addr, row);

	if (err <= 0)
		return err;
	cursor->addr = row->end;
	if (cursor->hidden) {
		row->end -= row->start;
		row->start = cursor->shown;
		row->end += row->start;
		cursor->shown = row->end;
	}
	return err;
}

static int gather_rows(struct memlockd_mappings *mappings,
		       struct mlkd_report *report, struct cursor *cursor)
{
	struct memlockd_mapping rows[ROWS_AT_ONCE];
	int err = 1, copy_err;

	while (err > 0) {
		u32 nr = 0, room;

		room = min_t(u32, mappings->nr_rows - mappings->out_rows, ROWS_AT_ONCE);
		if (!room) {
			mappings->out_next = mlkd_report_peek(report, cursor->addr);
			if (mappings->out_next && cursor->hidden)
				mappings->out_next = cursor->shown;
			break;
		}
		while (nr < room) {
			err = next_row(cursor, report, &rows[nr]);
			if (err <= 0)
				break;
			nr++;
		}
		copy_err = copy_rows(mappings->rows, mappings->row_size,
				     mappings->out_rows, rows, sizeof(rows[0]), nr);
		if (copy_err)
			return copy_err;
		mappings->out_rows += nr;
	}
	return err < 0 ? err : 0;
}

static int do_mappings(struct mlkd_client *client, union ioctl_args *args)
{
	struct memlockd_mappings *mappings = &args->mappings;
	struct cursor cursor = {};
	struct mlkd_report *report;
	struct mlkd_target target;
	int err;

	if (mappings->flags ||
	    bad_row_size(mappings->row_size, sizeof(struct memlockd_mapping)))
		return -EINVAL;
	/* An address from a wider process than this one is no address of it. */
	if (mappings->start > ULONG_MAX)
		return -EINVAL;
	err = mlkd_target_get(&target, mappings->target_type, mappings->target,
			      MLKD_TO_LOOK);
	if (err)
		return err;
	report = mlkd_report_begin(target.mm, false);
	err = PTR_ERR_OR_ZERO(report);
	if (err)
		goto out;
	cursor.hidden = !target.addresses;
	if (cursor.hidden) {
		mappings->out_flags = MEMLOCKD_MAPPINGS_HIDDEN;
		err = pass_hidden(&cursor, target.mm, mappings->start);
	} else {
		cursor.addr = mappings->start;
	}
	if (!err)
		err = gather_rows(mappings, report, &cursor);
	mlkd_report_end(report);
out:
	mlkd_target_put(&target);
	return err;
}

static int do_list(struct mlkd_client *client, union ioctl_args *args)
{
	struct memlockd_list *list = &args->list;
	unsigned long id = list->start;
	struct memlockd_holder row;
	int err;

	if (list->flags || list->start > ULONG_MAX ||
	    bad_row_size(list->row_size, sizeof(row)))
		return -EINVAL;

	for (; mlkd_holders_next(&id, &row); id++) {
		if (list->out_rows == list->nr_rows) {
			list->out_next = id;
			break;
		}
		err = copy_rows(list->rows, list->row_size, list->out_rows, &row,
				sizeof(row), 1);
		if (err)
			return err;
		list->out_rows++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* All pages that the range has a part of, as mlock(2) has it. */
static int whole_pages(const struct memlockd_range *range, unsigned long *start,
		       unsigned long *end)
{
	u64 last = range->addr + range->len - 1;

	*start = 0;
	*end = 0;
	if (!range->len)
		return 0;
	if (last < range->addr || last > ULONG_MAX - PAGE_SIZE)
		return -EINVAL;
	*start = (unsigned long)range->addr & PAGE_MASK;
	*end = PAGE_ALIGN((unsigned long)last + 1);
	return 0;
}

static bool bad_range_state(u32 state, bool lock)
{
	if (!lock)
		return state != MEMLOCKD_STATE_UNLOCKED;
	return state != MEMLOCKD_STATE_LOCKED && state != MEMLOCKD_STATE_SUPERLOCKED;
}

static int do_range(struct memlockd_range *range, bool lock)
{
	struct mlkd_limit limit = {};
	struct mlkd_target target;
	struct mlkd_space *space;
	unsigned long start, end;
	int err;

	if (range->flags || range->reserved || bad_range_state(range->state, lock))
		return -EINVAL;
	err = whole_pages(range, &start, &end);
	if (err)
		return err;
	err = mlkd_target_get(&target, range->target_type, range->target,
			      MLKD_TO_LOCK);
	if (err)
		return err;
	if (start == end)
		goto out;
	space = mlkd_space_claim(&target, lock);
	err = PTR_ERR_OR_ZERO(space);
	if (!err) {
		err = lock ? mlkd_lock_range(space, target.task, range->state, start,
					     end, &limit) :
			     mlkd_unlock_range(space, start, end);
		mlkd_space_release(space);
	}
	if (err == -ENOMEM && (!lock || IS_ERR(space)))
		limit.which = MEMLOCKD_LIMIT_MEMORY;
	range->out_limit = limit.which;
	range->out_needed = limit.needed;
	range->out_allowed = limit.allowed;
out:
	mlkd_target_put(&target);
	return err;
}

static int do_lock_range(struct mlkd_client *client, union ioctl_args *args)
{
	return do_range(&args->range, true);
}

static int do_unlock_range(struct mlkd_client *client, union ioctl_args *args)
{
	return do_range(&args->range, false);
}

/**
 * struct ioctl_op - one of the calls
 * @size: of its structure, as the driver knows it
 * @min_size: of its structure's first version
 * @out_start: offset of the first of its outputs
 * @run: what it does for a client, with the outputs zero at the beginning
 */
struct ioctl_op {
	size_t size;
	size_t min_size;
	size_t out_start;
	int (*run)(struct mlkd_client *client, union ioctl_args *args);
};

#define INDEX(cmd)	((cmd) - MEMLOCKD_CMD_INFO)

static const struct ioctl_op ioctl_ops[] = {
	[INDEX(MEMLOCKD_CMD_INFO)] = {
		.size = sizeof(struct memlockd_info),
		.min_size = offsetofend(struct memlockd_info, out_max_wired),
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
		.min_size = offsetofend(struct memlockd_status, out_ranges),
		.out_start = offsetof(struct memlockd_status, out_state),
		.run = do_status,
	},
	[INDEX(MEMLOCKD_CMD_MAPPINGS)] = {
		.size = sizeof(struct memlockd_mappings),
		.min_size = offsetofend(struct memlockd_mappings, out_next),
		.out_start = offsetof(struct memlockd_mappings, out_rows),
		.run = do_mappings,
	},
	[INDEX(MEMLOCKD_CMD_LIST)] = {
		.size = sizeof(struct memlockd_list),
		.min_size = offsetofend(struct memlockd_list, out_next),
		.out_start = offsetof(struct memlockd_list, out_rows),
		.run = do_list,
	},
	[INDEX(MEMLOCKD_CMD_LOCK_RANGE)] = {
		.size = sizeof(struct memlockd_range),
		.min_size = offsetofend(struct memlockd_range, out_allowed),
		.out_start = offsetof(struct memlockd_range, out_limit),
		.run = do_lock_range,
	},
	[INDEX(MEMLOCKD_CMD_UNLOCK_RANGE)] = {
		.size = sizeof(struct memlockd_range),
		.min_size = offsetofend(struct memlockd_range, out_allowed),
		.out_start = offsetof(struct memlockd_range, out_limit),
		.run = do_unlock_range,
	},
};

int mlkd_open(struct inode *inode, struct file *file)
{
	file->private_data = mlkd_client_new();
	return file->private_data ? 0 : -ENOMEM;
}

int mlkd_release(struct inode *inode, struct file *file)
{
	mlkd_client_close(file->private_data);
	return 0;
}

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
	/* To look for zeros in gigabytes, nothing would end it. */
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&args, op->size, user, size);
	if (err)
		return err;
	memset((void *)&args + op->out_start, 0, sizeof(args) - op->out_start);

	/* Where the answer cannot be written, nothing is to be done either. */
	size = min_t(size_t, size, op->size);
	if (copy_to_user(user, &args, size))
		return -EFAULT;

	err = op->run(file->private_data, &args);

	/* MEMLOCKD_LOCK says which limit it has met. */
	if (err && err != -ENOMEM)
		return err;
	if (copy_to_user(user, &args, size))
		return -EFAULT;
	return err;
}
