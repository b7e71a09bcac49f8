// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page faults that a superlocked process takes all the same.
 *
 * Two tracepoints tell of each page fault of the machine when it begins: one of those that
 * user space takes, one of those that the kernel takes, as copy_to_user() does.  GUP, by
 * which mmap(2) and locks populate memory, calls the handler of faults without one, and is
 * not seen.  The tracepoints are registered while anything is superlocked, and for some
 * time after that.  All processes run through the probe then, so that it first looks for
 * their address space in a table, and does no more where that has nothing.
 *
 * When a fault begins, nobody knows yet what becomes of it.  An access to what is not mapped
 * ends in a signal or in EFAULT, and the kernel counts it in no statistics.  So a call is
 * queued (task_call.c) that runs in the thread before it goes on in user space: it compares
 * the thread's own counters of faults with what they were.  Within one system call the
 * kernel may take many faults: each of them ends where the next one begins.  If the last of
 * them was in vain, and something is populated in the same system call after that, it counts.
 *
 * The probe runs in any context: raw spinlocks and RCU only.
 */
#include <linux/memlockd.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>

#include "arch.h"
#include "compat.h"
#include "feed.h"
#include "guard.h"
#include "linger.h"
#include "space.h"
#include "task_call.h"
#include "tracepoint.h"

static const char *const names[] = { MLKD_FAULT_TRACEPOINTS };
static struct tracepoint *points[ARRAY_SIZE(names)];
static bool has_points;		/* all of them */

static DEFINE_MUTEX(guard_mutex);	/* nr_armed and registered */
static unsigned int nr_armed;
static bool registered;

/* Current has begun a fault. */
static void begin(struct mlkd_fault *fault, unsigned long address, struct pt_regs *regs,
		  unsigned long error)
{
	fault->task = current;
	fault->min_flt = current->min_flt;
	fault->maj_flt = current->maj_flt;
	fault->time = ktime_get_boottime_ns();
	fault->address = address;
	fault->flags = 0;
	if (mlkd_fault_writes(error))
		fault->flags |= MEMLOCKD_FAULT_WRITE;
	if (mlkd_fault_fetches(error))
		fault->flags |= MEMLOCKD_FAULT_EXEC;
	if (!user_mode(regs))
		fault->flags |= MEMLOCKD_FAULT_KERNEL;
	fault->ip = instruction_pointer(user_mode(regs) ? regs : task_pt_regs(current));
}

/*
 * Counts @fault, which current has begun, and which is over, if it has resolved anything;
 * returns whether it has.
 */
static bool count(struct mlkd_guard *guard, struct mlkd_fault *fault)
{
	bool major = current->maj_flt != fault->maj_flt;

	lockdep_assert_held(&guard->lock);
	if (!major && current->min_flt == fault->min_flt)
		return false;
	if (major)
		fault->flags |= MEMLOCKD_FAULT_MAJOR;
	guard->minor += !major;
	guard->major += major;
	guard->last = (struct mlkd_last_fault) {
		.time = fault->time,
		.address = fault->address,
		.ip = fault->ip,
		.tid = task_pid_nr(current),
		.flags = fault->flags,
	};
	return true;
}

/* Tells of @fault, which has been counted. */
static void tell(struct mlkd_space *space, const struct mlkd_fault *fault)
{
	struct mlkd_feed_event event = {
		.mm = space->mm,
		.process = task_tgid(current),
		.by = task_pid(current),
		.uid = current_uid(),
		.out = {
			.time_ns = fault->time,
			.kind = MEMLOCKD_EVENT_FAULT,
			.flags = fault->flags,
			.address = fault->address,
			.ip = fault->ip,
		},
	};

	if (!mlkd_feeds_want())
		return;
	/* The kernel goes on after its fault, and nobody sees when. */
	if (!(fault->flags & MEMLOCKD_FAULT_KERNEL))
		event.out.duration_ns = ktime_get_boottime_ns() - fault->time;
	mlkd_feed_post(&event);
}

static int compare(const void *task, const struct rb_node *node)
{
	const struct task_struct *other = rb_entry(node, struct mlkd_fault, node)->task;

	return (task > (const void *)other) - (task < (const void *)other);
}

static bool before(struct rb_node *node, const struct rb_node *other)
{
	return compare(rb_entry(node, struct mlkd_fault, node)->task, other) < 0;
}

/* The fault that current has begun and that has not been counted yet, or NULL. */
static struct mlkd_fault *find_open(struct mlkd_guard *guard)
{
	struct rb_node *node;

	lockdep_assert_held(&guard->lock);
	node = rb_find(current, &guard->open, compare);
	return node ? rb_entry(node, struct mlkd_fault, node) : NULL;
}

/* Returns false when current has no call on its way, which would count this fault. */
static bool note_next(struct mlkd_space *space, unsigned long address, struct pt_regs *regs,
		      unsigned long error)
{
	struct mlkd_guard *guard = &space->guard;
	struct mlkd_fault *fault, last;
	bool real = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&guard->lock, flags);
	fault = find_open(guard);
	if (fault) {
		real = count(guard, fault);
		last = *fault;
		begin(fault, address, regs, error);
	}
	raw_spin_unlock_irqrestore(&guard->lock, flags);
	if (real)
		tell(space, &last);
	return fault;
}

static void note_fault(struct mlkd_space *space, unsigned long address, struct pt_regs *regs,
		       unsigned long error)
{
	struct mlkd_guard *guard = &space->guard;
	struct mlkd_call *call;
	unsigned long flags;
	bool gone;

	/* Where faults are switched off, an access that would need one fails. */
	if (address >= TASK_SIZE_MAX || in_interrupt() || pagefault_disabled())
		return;
	/* These do not return to user space, and are not what the process waits for. */
	if (current->flags & (PF_KTHREAD | MLKD_PF_USER_WORKER))
		return;
	if (note_next(space, address, regs, error))
		return;
	/* There are enough for all threads, or the space has ended. */
	call = mlkd_call_get(space, &gone);
	if (!call)
		return;
	call->event = MLKD_CALL_FAULT;
	begin(&call->fault, address, regs, error);
	raw_spin_lock_irqsave(&guard->lock, flags);
	rb_add(&call->fault.node, &guard->open, before);
	raw_spin_unlock_irqrestore(&guard->lock, flags);
	mlkd_call_queue(call);
}

/* @mm may be superlocked. */
static noinline void look(struct mm_struct *mm, unsigned long address, struct pt_regs *regs,
			  unsigned long error)
{
	struct mlkd_space *space;

	/* Not each kernel has its tracepoints under RCU. */
	rcu_read_lock();
	space = mlkd_space_find_rcu(mm);
	if (space && READ_ONCE(space->guard.on))
		note_fault(space, address, regs, error);
	rcu_read_unlock();
}

/* A page fault begins, of any process.  Most have nothing locked. */
static void on_fault(void *data, unsigned long address, struct pt_regs *regs,
		     unsigned long error)
{
	struct mm_struct *mm = current->mm;

	if (unlikely(mlkd_space_likely(mm)))
		look(mm, address, regs, error);
}

/* Current is about to go on in user space, or has ended, after the last fault of @call. */
void mlkd_guard_resolved(struct mlkd_call *call)
{
	struct mlkd_guard *guard = &call->space->guard;
	bool real = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&guard->lock, flags);
	rb_erase(&call->fault.node, &guard->open);
	if (call->fault.task == current)
		real = count(guard, &call->fault);
	raw_spin_unlock_irqrestore(&guard->lock, flags);
	if (real)
		tell(call->space, &call->fault);
}

static void unregister_points(unsigned int nr)
{
	while (nr--)
		mlkd_tracepoint_unregister(points[nr], (void *)on_fault);
}

static int register_points(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		err = mlkd_tracepoint_register(points[i], (void *)on_fault);
		if (err) {
			unregister_points(i);
			return err;
		}
	}
	return 0;
}

static void guard_linger_work(struct work_struct *work)
{
	mutex_lock(&guard_mutex);
	if (!nr_armed && registered) {
		unregister_points(ARRAY_SIZE(names));
		registered = false;
	}
	mutex_unlock(&guard_mutex);
}

static DECLARE_DELAYED_WORK(linger, guard_linger_work);

/* Says whether faults can be watched on this kernel. */
bool mlkd_guards_watch(void)
{
	return has_points;
}

void mlkd_guard_setup(struct mlkd_guard *guard)
{
	raw_spin_lock_init(&guard->lock);
	guard->open = RB_ROOT;
}

/**
 * mlkd_guard_arm - have the tracepoints in place for @space, which is to be superlocked
 * @space: its claim is held
 *
 * Return: 0, also where this kernel has none; or -ENOMEM.
 */
int mlkd_guard_arm(struct mlkd_space *space)
{
	int err = 0;

	if (space->guard.armed || !has_points)
		return 0;
	mutex_lock(&guard_mutex);
	if (!registered)
		err = register_points();
	if (!err) {
		registered = true;
		space->guard.armed = true;
		nr_armed++;
	}
	mutex_unlock(&guard_mutex);
	return err;
}

/**
 * mlkd_guard_disarm - @space, which is not superlocked, does not need the tracepoints
 * @space: its claim is held, or it has ended
 */
void mlkd_guard_disarm(struct mlkd_space *space)
{
	if (!space->guard.armed)
		return;
	space->guard.armed = false;
	mutex_lock(&guard_mutex);
	if (!--nr_armed)
		mlkd_linger(&linger);
	mutex_unlock(&guard_mutex);
}

/**
 * mlkd_guard_set - say whether a fault breaks a promise from now on
 * @space: the space; its claim is held
 * @on: it is superlocked
 */
void mlkd_guard_set(struct mlkd_space *space, bool on)
{
	struct mlkd_guard *guard = &space->guard;
	unsigned long flags;

	raw_spin_lock_irqsave(&guard->lock, flags);
	if (on && !guard->on) {
		guard->minor = 0;
		guard->major = 0;
		guard->last = (struct mlkd_last_fault) {};
	}
	WRITE_ONCE(guard->on, on);
	raw_spin_unlock_irqrestore(&guard->lock, flags);
}

/* The number of a thread that has @mm, as the caller sees it; 0 if it is gone. */
static pid_t live_tid(pid_t nr, struct mm_struct *mm)
{
	struct task_struct *task;
	pid_t tid = 0;

	rcu_read_lock();
	task = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_PID);
	if (task && READ_ONCE(task->mm) == mm)
		tid = task_pid_vnr(task);
	rcu_read_unlock();
	return tid;
}

/**
 * mlkd_guard_status - fill in what STATUS says of real faults
 * @space: the space
 * @addresses: the caller may see where its memory lies
 * @status: the answer
 */
void mlkd_guard_status(struct mlkd_space *space, bool addresses,
		       struct memlockd_status *status)
{
	struct mlkd_guard *guard = &space->guard;
	struct mlkd_last_fault last;
	unsigned long flags;

	raw_spin_lock_irqsave(&guard->lock, flags);
	status->out_real_minor_faults = guard->minor;
	status->out_real_major_faults = guard->major;
	last = guard->last;
	raw_spin_unlock_irqrestore(&guard->lock, flags);
	if (!last.time)
		return;
	status->out_fault_time_ns = last.time;
	status->out_fault_tid = live_tid(last.tid, space->mm);
	status->out_fault_flags = last.flags;
	if (addresses) {
		status->out_fault_address = last.address;
		status->out_fault_ip = last.ip;
	} else {
		status->out_fault_flags |= MEMLOCKD_FAULT_HIDDEN;
	}
}

void __init mlkd_guards_init(void)
{
	unsigned int i;

	has_points = ARRAY_SIZE(names);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		points[i] = mlkd_tracepoint_find(names[i]);
		has_points &= !!points[i];
	}
	if (!has_points)
		pr_info("memlockd: no tracepoints of page faults: real ones are not counted\n");
}

/* Nothing is locked any more. */
void mlkd_guards_exit(void)
{
	mlkd_linger_end(&linger);
	tracepoint_synchronize_unregister();
}
