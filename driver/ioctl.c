// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of /dev/memlockd.
 *
 * Each has a row in ioctl_ops, which says what all calls have in common: how long the
 * structure is, which flags there are and who may use them, whether a process is looked
 * for, and whether its space is claimed.  run_op() does all that in the same order for
 * each, so that the errors of bad input come in the same order, too.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/memlockd.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "cgroup.h"
#include "client.h"
#include "compat.h"
#include "feed.h"
#include "guard.h"
#include "holder.h"
#include "ioctl.h"
#include "life.h"
#include "limit.h"
#include "lock.h"
#include "probe.h"
#include "report.h"
#include "rule.h"
#include "space.h"
#include "target.h"
#include "turn.h"
#include "wired.h"

#define LOCK_FLAGS	(MEMLOCKD_CURRENT | MEMLOCKD_FUTURE |	\
			 MEMLOCKD_MOVABLE | MEMLOCKD_HEAL |	\
			 MEMLOCKD_OVER_RAISE | MEMLOCKD_OVER_UNLOCKED |	\
			 MEMLOCKD_COPY_TEXT | MLKD_HOLDER_FLAGS)

/* Rows that MAPPINGS gathers before it copies them out. */
#define ROWS_AT_ONCE	16

/* How the structure of each call begins. */
struct header {
	u32 size;
	u32 flags;
	/* Only of a call that has a target. */
	u32 target_type;
	s32 target;
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
	struct memlockd_subscribe subscribe;
	struct memlockd_rule rule;
	struct memlockd_rule_del rule_del;
	struct memlockd_rules rules;
};

/**
 * enum subject - what a call is about
 * @ABOUT_MACHINE: no process
 * @ABOUT_PROCESS: a process, at which the call looks
 * @ABOUT_LOCKED: the space of a process, which the call claims; it must be there
 * @ABOUT_SPACE: likewise, and the space is made if it is not there
 */
enum subject {
	ABOUT_MACHINE,
	ABOUT_PROCESS,
	ABOUT_LOCKED,
	ABOUT_SPACE,
};

/**
 * struct call - a call that is being made
 * @args: the caller's structure, with all outputs zero at the beginning
 * @client: the open file that the caller has used
 * @target: the process, unless the call is about the machine
 * @space: its space, as long as the call has the claim
 * @start: of UNLOCK_RANGE and LOCK_RANGE: the first address, of a page
 * @end: likewise: the address behind the last page
 * @limit: the limit that the call has met
 */
struct call {
	union ioctl_args *args;
	struct mlkd_client *client;
	struct mlkd_target target;
	struct mlkd_space *space;
	unsigned long start;
	unsigned long end;
	struct mlkd_limit limit;
};

/* From here on other requests may change the space. */
static void end_claim(struct call *call)
{
	if (call->space)
		mlkd_space_unclaim(call->space);
	call->space = NULL;
}

static u64 bytes(unsigned long pages)
{
	return (u64)pages << PAGE_SHIFT;
}

static int do_info(struct call *call)
{
	struct memlockd_info *info = &call->args->info;
	unsigned int major = 0, minor = 0, patch = 0;

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

/* Do the state and the flags of a lock go together? */
static int check_mode(u32 state, u32 flags, u64 stack_reserve)
{
	const u32 both = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE;
	const u32 over = MEMLOCKD_OVER_RAISE | MEMLOCKD_OVER_UNLOCKED;

	if (!(flags & both))
		return -EINVAL;
	if ((flags & over) && (!(flags & MEMLOCKD_FUTURE) || (flags & over) == over))
		return -EINVAL;
	switch (state) {
	case MEMLOCKD_STATE_LOCKED:
		return stack_reserve || (flags & MEMLOCKD_COPY_TEXT) ? -EINVAL : 0;
	case MEMLOCKD_STATE_SUPERLOCKED:
		return (flags & (both | MEMLOCKD_MOVABLE)) == both ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int check_lock(struct call *call)
{
	const struct memlockd_lock *lock = &call->args->lock;

	if (lock->reserved)
		return -EINVAL;
	return check_mode(lock->state, lock->flags, lock->stack_reserve);
}

/* Counts the mappings of a process that has just been locked, and those that have less. */
static int count_mappings(struct mm_struct *mm, struct memlockd_lock *lock)
{
	struct mlkd_report *report = mlkd_report_begin(mm, true);
	struct mlkd_sum sum = {};
	int err;

	if (IS_ERR(report))
		return PTR_ERR(report);
	err = mlkd_report_sum(report, &sum);
	mlkd_report_end(report);
	lock->out_mappings = sum.mappings;
	lock->out_incomplete = sum.incomplete;
	lock->out_fork_copy = sum.fork_copy;
	return err;
}

/* Says what the lock that has just been made may cost the process. */
static void warn(const struct call *call, struct memlockd_lock *lock)
{
	unsigned long room;

	if ((lock->flags & MEMLOCKD_FUTURE) && !(lock->flags & MEMLOCKD_OVER_UNLOCKED) &&
	    mlkd_target_limit_waived(call->target.task, lock->out_locked >> PAGE_SHIFT))
		lock->out_warnings |= MEMLOCKD_WARNING_CAPABILITY;
	if (!lock->out_fork_copy)
		return;
	room = mlkd_cgroup_room(call->target.mm, ULONG_MAX).pages;
	lock->out_fork_room = bytes(min_t(unsigned long, si_mem_available(), room));
	if (lock->out_fork_copy > lock->out_fork_room)
		lock->out_warnings |= MEMLOCKD_WARNING_FORK;
}

/* Returns warnings of what no lock can promise as things are now. */
static u32 warnings(void)
{
	return mlkd_probes_fire() ? 0 : MEMLOCKD_WARNING_NO_PROBES;
}

/* Returns warnings of what the lock of @space, in @mode, does not promise as things are now. */
static u32 space_warnings(struct mlkd_space *space, struct mlkd_mode mode)
{
	u32 ret = warnings();

	if (mode.state != MEMLOCKD_STATE_SUPERLOCKED)
		return ret;
	if (test_bit(MLKD_SPACE_STACK_CUT, &space->flags))
		ret |= MEMLOCKD_WARNING_STACK;
	return ret | (mlkd_guards_watch() ? 0 : MEMLOCKD_WARNING_NO_GUARD);
}

static int do_lock(struct call *call)
{
	struct memlockd_lock *lock = &call->args->lock;
	struct mlkd_mode mode = { .state = lock->state, .flags = lock->flags };
	struct mlkd_space *space = call->space;
	struct pid *self = get_task_pid(current, PIDTYPE_TGID);
	int err;

	err = mlkd_client_enter(space, call->client, &call->target, self, current_uid(), mode,
				lock->stack_reserve, &call->limit);
	put_pid(self);
	if (!err)
		lock->out_warnings |= space_warnings(space, space->promised);
	lock->out_locked = bytes(READ_ONCE(space->mm->locked_vm));
	lock->out_pinned = bytes(atomic_long_read(&space->pins.nr_pages));
	/* To count takes its time, and the next request need not wait for that. */
	end_claim(call);
	/* Where this fails, the caller or the target is being killed, and the lock stands. */
	if (!err && !count_mappings(call->target.mm, lock))
		warn(call, lock);
	return err;
}

static void tell_lock_limit(union ioctl_args *args, const struct mlkd_limit *limit)
{
	args->lock.out_limit = limit->which;
	args->lock.out_needed = limit->needed;
	args->lock.out_allowed = limit->allowed;
}

static int do_unlock(struct call *call)
{
	bool force = call->args->unlock.flags & MEMLOCKD_UNLOCK_FORCE;

	return mlkd_client_leave(call->space, call->client, current_uid(), force);
}

static int do_sync(struct call *call)
{
	struct memlockd_sync *sync = &call->args->sync;
	struct mlkd_space *space = call->space;
	unsigned long locked, pinned;
	bool bypass;
	int err = 0;

	if (space->promised.state == MEMLOCKD_STATE_UNLOCKED)
		return -ENOENT;

	locked = READ_ONCE(space->mm->locked_vm);
	pinned = atomic_long_read(&space->pins.nr_pages);
	/* A bypass goes on for a caller who could ask for it, and for nobody else. */
	bypass = mlkd_holders_bypass(space) && capable(CAP_IPC_LOCK);
	if (space->promised.flags & MEMLOCKD_CURRENT)
		err = mlkd_lock(space, call->target.task, space->promised, bypass,
				space->promised.flags & MEMLOCKD_OVER_UNLOCKED, true,
				space->stack_reserve, &call->limit);
	else
		err = mlkd_sync_future(space, call->target.task, &call->limit);
	if (err)
		return err;
	/* The target runs meanwhile, and may have unmapped more than it has mapped. */
	locked = max(READ_ONCE(space->mm->locked_vm), locked) - locked;
	pinned = max_t(unsigned long, atomic_long_read(&space->pins.nr_pages),
		       pinned) - pinned;
	sync->out_locked = bytes(locked);
	sync->out_pinned = bytes(pinned);
	return 0;
}

static int do_status(struct call *call)
{
	struct memlockd_status *status = &call->args->status;
	struct mlkd_target *target = &call->target;
	struct mlkd_space *space;
	u64 minor, major, limit;
	struct mlkd_mode mode;

	limit = mlkd_target_memlock_limit(target->task);
	status->out_memlock_limit = limit == RLIM_INFINITY ? U64_MAX : limit;
	status->out_locked = bytes(READ_ONCE(target->mm->locked_vm));
	mlkd_target_faults(target->task, &minor, &major);

	space = mlkd_space_find(target->mm);
	if (!space)
		return 0;
	mode = mlkd_space_promised(space);
	/* A space without a promise has ranges alone, or its first lock is on its way. */
	if (mode.state != MEMLOCKD_STATE_UNLOCKED) {
		status->out_state = mode.state;
		status->out_lock_flags = mode.flags;
		mlkd_holders_status(space, status, minor, major);
		status->out_warnings = space_warnings(space, mode);
	}
	if (mode.state == MEMLOCKD_STATE_SUPERLOCKED)
		mlkd_guard_status(space, target->addresses, status);
	status->out_pinned = bytes(atomic_long_read(&space->pins.nr_pages));
	status->out_bookkeeping = mlkd_pins_bytes(&space->pins);
	status->out_healed = atomic_long_read(&space->heal.healed);
	status->out_ranges = bytes(atomic_long_read(&space->attrs.by_range));
	mlkd_space_put(space);
	return 0;
}

/* Copies rows of @size bytes to the caller, whose rows are @row_size bytes long. */
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

/*
 * A caller who may not see addresses gets rows that lie end to end from this address
 * on.  It is not 0, as that says in out_next that there are no more rows.
 */
#define HIDDEN_START	PAGE_SIZE

/**
 * struct cursor - how far MAPPINGS has come
 * @addr: the address from which the next row is looked for
 * @hidden: the caller does not see addresses
 * @shown: the address that the next row has for a caller who does not see its own
 */
struct cursor {
	unsigned long addr;
	bool hidden;
	u64 shown;
};

struct passing {
	struct cursor *cursor;
	u64 shown_to;
};

static int pass_mapping(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			void *data)
{
	struct passing *passing = data;
	struct cursor *cursor = passing->cursor;

	if (passing->shown_to < cursor->shown + end - start)
		return 1;
	cursor->shown += end - start;
	cursor->addr = end;
	return 0;
}

/* Passes the mappings in front of @start, an address such as hidden rows have. */
static int pass_hidden(struct cursor *cursor, struct mm_struct *mm, u64 start)
{
	struct passing passing = { .cursor = cursor, .shown_to = start };
	struct mlkd_turn turn = { .mm = mm };

	cursor->shown = HIDDEN_START;
	return min(mlkd_turns(&turn, cursor->addr, ULONG_MAX, pass_mapping, &passing), 0);
}

static int next_rows(struct cursor *cursor, struct mlkd_report *report,
		     struct memlockd_mapping *rows, u32 max)
{
	int nr = mlkd_report_rows(report, cursor->addr, rows, max), i;

	if (nr <= 0)
		return nr;
	cursor->addr = rows[nr - 1].end;
	for (i = 0; i < nr && cursor->hidden; i++) {
		rows[i].end += cursor->shown - rows[i].start;
		rows[i].start = cursor->shown;
		cursor->shown = rows[i].end;
	}
	return nr;
}

static int gather_rows(struct memlockd_mappings *mappings,
		       struct mlkd_report *report, struct cursor *cursor)
{
	struct memlockd_mapping rows[ROWS_AT_ONCE];
	int nr, err;

	for (;;) {
		u32 room;

		room = min_t(u32, mappings->nr_rows - mappings->out_rows, ROWS_AT_ONCE);
		if (!room) {
			err = mlkd_report_peek(report, &cursor->addr);
			mappings->out_next = err ? 0 : cursor->addr;
			if (mappings->out_next && cursor->hidden)
				mappings->out_next = cursor->shown;
			return err;
		}
		nr = next_rows(cursor, report, rows, room);
		if (nr <= 0)
			return nr;
		err = copy_rows(mappings->rows, mappings->row_size, mappings->out_rows, rows,
				sizeof(rows[0]), nr);
		if (err)
			return err;
		mappings->out_rows += nr;
	}
}

static int check_mappings(struct call *call)
{
	const struct memlockd_mappings *mappings = &call->args->mappings;

	if (bad_row_size(mappings->row_size, offsetofend(struct memlockd_mapping, reason)))
		return -EINVAL;
	/* A kernel of 32 bits has no mapping at an address of 64. */
	return mappings->start > ULONG_MAX ? -EINVAL : 0;
}

static int do_mappings(struct call *call)
{
	struct memlockd_mappings *mappings = &call->args->mappings;
	struct cursor cursor = { .hidden = !call->target.addresses };
	struct mm_struct *mm = call->target.mm;
	struct mlkd_report *report;
	int err = 0;

	report = mlkd_report_begin(mm, false);
	if (IS_ERR(report))
		return PTR_ERR(report);
	if (cursor.hidden) {
		mappings->out_flags = MEMLOCKD_MAPPINGS_HIDDEN;
		err = pass_hidden(&cursor, mm, mappings->start);
	} else {
		cursor.addr = mappings->start;
	}
	if (!err)
		err = gather_rows(mappings, report, &cursor);
	mlkd_report_end(report);
	return err;
}

static int check_list(struct call *call)
{
	const struct memlockd_list *list = &call->args->list;

	if (list->start > ULONG_MAX ||
	    bad_row_size(list->row_size, offsetofend(struct memlockd_holder, flags)))
		return -EINVAL;
	return 0;
}

static int do_list(struct call *call)
{
	struct memlockd_list *list = &call->args->list;
	unsigned long id = list->start;
	struct memlockd_holder row;
	int err;

	for (; mlkd_holders_next(&id, &row); id++) {
		if (!list->out_rows)
			list->out_warnings = warnings();
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

/*
 * A range stands for all pages that it has a part of, as with mlock(2).  An empty one is
 * allowed there, too.
 */
static int check_range(struct call *call)
{
	const struct memlockd_range *range = &call->args->range;
	u64 last = range->addr + range->len - 1;

	if (range->reserved)
		return -EINVAL;
	if (!range->len)
		return 0;
	if (last < range->addr || last > ULONG_MAX - PAGE_SIZE)
		return -EINVAL;
	call->start = (unsigned long)range->addr & PAGE_MASK;
	call->end = PAGE_ALIGN((unsigned long)last + 1);
	return 0;
}

static int check_lock_range(struct call *call)
{
	u32 state = call->args->range.state;

	if (state != MEMLOCKD_STATE_LOCKED && state != MEMLOCKD_STATE_SUPERLOCKED)
		return -EINVAL;
	return check_range(call);
}

static int check_unlock_range(struct call *call)
{
	return call->args->range.state == MEMLOCKD_STATE_UNLOCKED ? check_range(call) : -EINVAL;
}

static bool range_empty(const struct call *call)
{
	return call->start == call->end;
}

static int do_lock_range(struct call *call)
{
	int err = mlkd_lock_range(call->space, call->target.task, call->args->range.state,
				  call->start, call->end, &call->limit);

	if (!err && current->mm == call->space->mm)
		set_bit(MLKD_SPACE_SELF, &call->space->flags);
	return err;
}

static int do_unlock_range(struct call *call)
{
	struct mlkd_space *space = call->space;
	bool whole = false;

	if (call->args->range.flags & MEMLOCKD_RANGE_WHOLE) {
		if (current->mm != space->mm)
			return -EINVAL;
		call->end = mlkd_mapped_end(space->mm, call->start, call->end);
		if (call->end == call->start)
			return -ENOENT;
		whole = mlkd_holders_are_self(space);
	}
	return mlkd_unlock_range(space, call->start, call->end, whole);
}

static void tell_range_limit(union ioctl_args *args, const struct mlkd_limit *limit)
{
	args->range.out_limit = limit->which;
	args->range.out_needed = limit->needed;
	args->range.out_allowed = limit->allowed;
}

static int check_subscribe(struct call *call)
{
	const struct memlockd_subscribe *subscribe = &call->args->subscribe;

	if ((subscribe->kinds & ~MLKD_EVENT_KINDS) ||
	    bad_row_size(subscribe->event_size, sizeof(struct memlockd_event)))
		return -EINVAL;
	if (!(subscribe->flags & MEMLOCKD_SUBSCRIBE_ALL))
		return 0;
	return subscribe->target_type || subscribe->target ? -EINVAL : 0;
}

/* May current look at the process, whatever user it is of by then? */
static bool may_look_on(const struct memlockd_subscribe *subscribe,
			const struct mlkd_target *target)
{
	return subscribe->target_type == MEMLOCKD_TARGET_PROC_MEM ||
	       same_thread_group(target->task, current) ||
	       !uid_eq(task_uid(target->task), current_uid());
}

static int do_subscribe(struct call *call)
{
	const struct memlockd_subscribe *subscribe = &call->args->subscribe;
	bool trusted = capable(CAP_IPC_LOCK) || capable(CAP_SYS_PTRACE);
	struct mlkd_target *target = &call->target;
	struct mlkd_feed *feed;
	int err;

	feed = mlkd_client_feed(call->client);
	if (!feed)
		return -ENOMEM;
	if (subscribe->flags & MEMLOCKD_SUBSCRIBE_ALL)
		return mlkd_feed_subscribe(feed, NULL, trusted, subscribe);
	err = mlkd_target_get(target, subscribe->target_type, subscribe->target, MLKD_TO_LOOK);
	if (err)
		return err;
	trusted |= may_look_on(subscribe, target);
	err = mlkd_feed_subscribe(feed, target, trusted, subscribe);
	mlkd_target_put(target);
	return err;
}

static int check_rule_add(struct call *call)
{
	const struct memlockd_rule *rule = &call->args->rule;

	if (!rule->events || (rule->events & ~MLKD_RULE_EVENTS) || (rule->match & ~MLKD_MATCHES) ||
	    (rule->lock_flags & ~(LOCK_FLAGS & ~MEMLOCKD_OWNED)))
		return -EINVAL;
	if ((!(rule->match & MEMLOCKD_MATCH_EXECUTABLE) && rule->executable) ||
	    (!(rule->match & MEMLOCKD_MATCH_CGROUP) && rule->cgroup) ||
	    (!(rule->match & MEMLOCKD_MATCH_USER) && rule->uid))
		return -EINVAL;
	if (rule->state == MEMLOCKD_STATE_UNLOCKED)
		return rule->lock_flags || rule->stack_reserve ? -EINVAL : 0;
	return check_mode(rule->state, rule->lock_flags, rule->stack_reserve);
}

static int do_rule_add(struct call *call)
{
	struct memlockd_rule *rule = &call->args->rule;

	if ((rule->flags & MEMLOCKD_RULE_KILL) && !capable(CAP_KILL))
		return -EPERM;
	if ((rule->lock_flags & MEMLOCKD_OVER_RAISE) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return mlkd_rule_add(rule, call->client);
}

static int do_rule_del(struct call *call)
{
	return mlkd_rule_del(call->args->rule_del.id);
}

static int check_rules(struct call *call)
{
	const struct memlockd_rules *rules = &call->args->rules;

	return bad_row_size(rules->row_size, sizeof(struct memlockd_rule_row)) ? -EINVAL : 0;
}

static int do_rules(struct call *call)
{
	struct memlockd_rules *rules = &call->args->rules;
	struct memlockd_rule_row row;
	u64 id = rules->start;
	int err;

	/* To look is not to lock. */
	if (!capable(CAP_IPC_LOCK) && !capable(CAP_SYS_PTRACE))
		return -EPERM;
	for (; mlkd_rules_next(id, &row); id = row.id + 1) {
		if (rules->out_rows == rules->nr_rows) {
			rules->out_next = row.id;
			break;
		}
		err = copy_rows(rules->rows, rules->row_size, rules->out_rows, &row,
				sizeof(row), 1);
		if (err)
			return err;
		rules->out_rows++;
	}
	return 0;
}

/**
 * struct ioctl_op - one of the calls
 * @size: of its structure, as the driver knows it
 * @min_size: of its structure's first version
 * @out_start: offset of the first of its outputs
 * @flags: the flags that it knows
 * @privileged: those of @flags that need CAP_IPC_LOCK
 * @raising: those of @flags that need CAP_SYS_RESOURCE
 * @reaches_all: it is about every process, and needs CAP_IPC_LOCK and CAP_SYS_PTRACE
 * @subject: what it is about.  For a claim the caller must be allowed to lock the
 *	process, and to look at it otherwise
 * @check: whether the other inputs make sense, which is asked before the process is
 *	looked for; or NULL
 * @nothing_to_do: whether the call ends, well, once the process is found; or NULL
 * @tell_limit: fills in the outputs that say which limit was met; or NULL
 * @run: does what is asked for
 */
struct ioctl_op {
	size_t size;
	size_t min_size;
	size_t out_start;
	u32 flags;
	u32 privileged;
	u32 raising;
	bool reaches_all;
	enum subject subject;
	int (*check)(struct call *call);
	bool (*nothing_to_do)(const struct call *call);
	void (*tell_limit)(union ioctl_args *args, const struct mlkd_limit *limit);
	int (*run)(struct call *call);
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
		.min_size = offsetofend(struct memlockd_lock, out_fork_room),
		.out_start = offsetof(struct memlockd_lock, out_limit),
		.flags = LOCK_FLAGS,
		.privileged = MEMLOCKD_BYPASS,
		.raising = MEMLOCKD_OVER_RAISE,
		.subject = ABOUT_SPACE,
		.check = check_lock,
		.tell_limit = tell_lock_limit,
		.run = do_lock,
	},
	[INDEX(MEMLOCKD_CMD_UNLOCK)] = {
		.size = sizeof(struct memlockd_unlock),
		.min_size = offsetofend(struct memlockd_unlock, target),
		.out_start = sizeof(struct memlockd_unlock),
		.flags = MEMLOCKD_UNLOCK_FORCE,
		.privileged = MEMLOCKD_UNLOCK_FORCE,
		.subject = ABOUT_LOCKED,
		.run = do_unlock,
	},
	[INDEX(MEMLOCKD_CMD_SYNC)] = {
		.size = sizeof(struct memlockd_sync),
		.min_size = offsetofend(struct memlockd_sync, out_pinned),
		.out_start = offsetof(struct memlockd_sync, out_locked),
		.subject = ABOUT_LOCKED,
		.run = do_sync,
	},
	[INDEX(MEMLOCKD_CMD_STATUS)] = {
		.size = sizeof(struct memlockd_status),
		.min_size = offsetofend(struct memlockd_status, out_ranges),
		.out_start = offsetof(struct memlockd_status, out_state),
		.subject = ABOUT_PROCESS,
		.run = do_status,
	},
	[INDEX(MEMLOCKD_CMD_MAPPINGS)] = {
		.size = sizeof(struct memlockd_mappings),
		.min_size = offsetofend(struct memlockd_mappings, out_next),
		.out_start = offsetof(struct memlockd_mappings, out_rows),
		.subject = ABOUT_PROCESS,
		.check = check_mappings,
		.run = do_mappings,
	},
	[INDEX(MEMLOCKD_CMD_LIST)] = {
		.size = sizeof(struct memlockd_list),
		.min_size = offsetofend(struct memlockd_list, out_next),
		.out_start = offsetof(struct memlockd_list, out_rows),
		.check = check_list,
		.run = do_list,
	},
	[INDEX(MEMLOCKD_CMD_LOCK_RANGE)] = {
		.size = sizeof(struct memlockd_range),
		.min_size = offsetofend(struct memlockd_range, out_allowed),
		.out_start = offsetof(struct memlockd_range, out_limit),
		.subject = ABOUT_SPACE,
		.check = check_lock_range,
		.nothing_to_do = range_empty,
		.tell_limit = tell_range_limit,
		.run = do_lock_range,
	},
	[INDEX(MEMLOCKD_CMD_UNLOCK_RANGE)] = {
		.size = sizeof(struct memlockd_range),
		.min_size = offsetofend(struct memlockd_range, out_allowed),
		.out_start = offsetof(struct memlockd_range, out_limit),
		.flags = MEMLOCKD_RANGE_WHOLE,
		.subject = ABOUT_LOCKED,
		.check = check_unlock_range,
		.nothing_to_do = range_empty,
		.tell_limit = tell_range_limit,
		.run = do_unlock_range,
	},
	[INDEX(MEMLOCKD_CMD_SUBSCRIBE)] = {
		.size = sizeof(struct memlockd_subscribe),
		.min_size = offsetofend(struct memlockd_subscribe, event_size),
		.out_start = sizeof(struct memlockd_subscribe),
		.flags = MEMLOCKD_SUBSCRIBE_ALL,
		.check = check_subscribe,
		.run = do_subscribe,
	},
	[INDEX(MEMLOCKD_CMD_RULE_ADD)] = {
		.size = sizeof(struct memlockd_rule),
		.min_size = offsetofend(struct memlockd_rule, out_failed),
		.out_start = offsetof(struct memlockd_rule, out_id),
		.flags = MEMLOCKD_RULE_OWNED | MEMLOCKD_RULE_KILL | MEMLOCKD_RULE_INIT,
		.reaches_all = true,
		.check = check_rule_add,
		.run = do_rule_add,
	},
	[INDEX(MEMLOCKD_CMD_RULE_DEL)] = {
		.size = sizeof(struct memlockd_rule_del),
		.min_size = offsetofend(struct memlockd_rule_del, id),
		.out_start = sizeof(struct memlockd_rule_del),
		.reaches_all = true,
		.run = do_rule_del,
	},
	[INDEX(MEMLOCKD_CMD_RULES)] = {
		.size = sizeof(struct memlockd_rules),
		.min_size = offsetofend(struct memlockd_rules, out_next),
		.out_start = offsetof(struct memlockd_rules, out_rows),
		.check = check_rules,
		.run = do_rules,
	},
};

static int run_claimed(const struct ioctl_op *op, struct call *call)
{
	struct mlkd_space *space;
	int err;

	space = mlkd_space_claim(&call->target, op->subject == ABOUT_SPACE);
	if (IS_ERR(space)) {
		err = PTR_ERR(space);
		if (err == -ENOMEM)
			call->limit.which = MEMLOCKD_LIMIT_MEMORY;
		return err;
	}
	call->space = space;
	err = op->run(call);
	end_claim(call);
	return err;
}

/* The call has failed, as a limit was met. */
static void post_limit(const struct call *call)
{
	const struct memlockd_event out = {
		.kind = MEMLOCKD_EVENT_LIMIT,
		.limit = call->limit.which,
		.count = call->limit.needed,
	};
	struct pid *pid;

	if (!mlkd_feeds_want())
		return;
	pid = get_task_pid(call->target.task, PIDTYPE_TGID);
	mlkd_feed_tell(call->target.mm, pid, &out);
	put_pid(pid);
}

static int run_for_target(const struct ioctl_op *op, struct call *call)
{
	const struct header *header = &call->args->header;
	bool claims = op->subject != ABOUT_PROCESS;
	int err;

	err = mlkd_target_get(&call->target, header->target_type, header->target,
			      claims ? MLKD_TO_LOCK : MLKD_TO_LOOK);
	if (err)
		return err;
	if (!op->nothing_to_do || !op->nothing_to_do(call))
		err = claims ? run_claimed(op, call) : op->run(call);
	if (err == -ENOMEM && call->limit.which != MEMLOCKD_LIMIT_NONE)
		post_limit(call);
	mlkd_target_put(&call->target);
	return err;
}

/* Checks what is asked for, and does it. */
static int run_op(const struct ioctl_op *op, struct call *call)
{
	u32 flags = call->args->header.flags;
	int err;

	if (flags & ~op->flags)
		return -EINVAL;
	err = op->check ? op->check(call) : 0;
	if (err)
		return err;
	if ((flags & op->privileged) && !capable(CAP_IPC_LOCK))
		return -EPERM;
	if ((flags & op->raising) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (op->reaches_all && !(capable(CAP_IPC_LOCK) && capable(CAP_SYS_PTRACE)))
		return -EPERM;
	err = op->subject == ABOUT_MACHINE ? op->run(call) : run_for_target(op, call);
	if (op->tell_limit)
		op->tell_limit(call->args, &call->limit);
	return err;
}

int mlkd_open(struct inode *inode, struct file *file)
{
	file->private_data = mlkd_client_new();
	return file->private_data ? 0 : -ENOMEM;
}

int mlkd_release(struct inode *inode, struct file *file)
{
	mlkd_rules_close(file->private_data);
	mlkd_client_close(file->private_data);
	return 0;
}

long mlkd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	unsigned int nr = INDEX(_IOC_NR(cmd));
	void __user *user = (void __user *)arg;
	union ioctl_args args = {};
	struct call call = { .args = &args, .client = file->private_data };
	const struct ioctl_op *op;
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
	/* A search for zeros in gigabytes could not be interrupted. */
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

	err = run_op(op, &call);

	/* A call that has failed has no answer, but that a limit was met. */
	if (err && err != -ENOMEM)
		return err;
	if (copy_to_user(user, &args, size))
		return -EFAULT;
	return err;
}
