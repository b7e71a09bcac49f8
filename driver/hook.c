// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rules are for: a program that begins, a child that is made, a thread that becomes one of
 * a realtime class, a process that gets I/O privileges.
 *
 * Two tracepoints tell of the first two: sched_process_exec, when execve(2) has succeeded, and
 * sched_process_fork, when the child is complete and has not been woken yet.  They are
 * registered while there are rules for them, and for some time after that.  The probe asks
 * the rules whether one is for the process, and if so, queues an occasion, which runs in the
 * process itself before its first instruction in user space.
 *
 * The others have kprobes, at the entry of something that may fail yet; the occasion looks at
 * what has become of it.  __sched_setscheduler() may be called for another process, whose
 * address space a probe cannot look at: so the rules are asked by the occasion.
 * security_locked_down() is called, whether there is a lockdown or not, after the check of
 * CAP_SYS_RAWIO, by all that gives I/O privileges but the mapping of what a driver has opened;
 * that comes to perf_event_mmap(), as every mapping does.
 *
 * A probe cannot allocate, so occasions are made beforehand.  Each makes those anew that have
 * been used, as the first thing that it does: so they run out only where more than SPARE
 * processes stand between the probe and the way back to user space.  Then the rules are told
 * that they have missed something.
 *
 * Where a child cannot be reached by task_work_add(), its occasion waits in a list until the
 * child itself comes to calculate_sigpending(), which is probed; each child does, first thing.
 *
 * The probes run with preemption off: raw spinlocks and RCU only.
 */
#include <linux/kprobes.h>
#include <linux/memlockd.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <uapi/linux/sched/types.h>

#include "canary.h"
#include "compat.h"
#include "hook.h"
#include "linger.h"
#include "task_work.h"
#include "tracepoint.h"

/* So many occasions are free, at least, when nothing is on its way. */
#define SPARE	128

/**
 * struct occasion - a process that a rule is for, on its way to user space
 * @work: runs in it
 * @next: in the list of free ones, or in that of children
 * @task: in the list of children: the child.  Where @data is NULL: the thread that it is about,
 *	with a reference, and one to the module
 * @data: what the rules have returned; NULL if they have not been asked yet
 * @event: what has happened
 */
struct occasion {
	struct mlkd_task_work work;
	struct occasion *next;
	struct task_struct *task;
	void *data;
	u32 event;
};

static const struct mlkd_hook_ops *ops;

/* All of these are under @lock, which is raw, as probes take it. */
static DEFINE_RAW_SPINLOCK(lock);
static struct occasion *free_occasions;
static unsigned int nr_free;
static struct occasion *children;	/* not reached yet */

/* For what there are rules: &enum memlockd_rule_event. */
static u32 wanted;

static struct occasion *take(void)
{
	struct occasion *occasion;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	occasion = free_occasions;
	if (occasion) {
		free_occasions = occasion->next;
		nr_free--;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return occasion;
}

static void give_back(struct occasion *occasion)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	occasion->next = free_occasions;
	free_occasions = occasion;
	nr_free++;
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void run_occasion(struct mlkd_task_work *work);

/* Has SPARE occasions free.  Returns 0; -ENOMEM and the like. */
static int grow(void)
{
	while (READ_ONCE(nr_free) < SPARE) {
		struct occasion *occasion = kzalloc(sizeof(*occasion), GFP_KERNEL);
		int err;

		if (!occasion)
			return -ENOMEM;
		err = mlkd_task_work_init(&occasion->work, run_occasion);
		if (err) {
			kfree(occasion);
			return err;
		}
		give_back(occasion);
	}
	return 0;
}

static void run_occasion(struct mlkd_task_work *work)
{
	struct occasion *occasion = container_of(work, struct occasion, work);
	struct task_struct *task = occasion->task;
	void *data = occasion->data;
	u32 event = occasion->event;

	/* No more than SPARE occasions are kept; those that were made for a rush are freed. */
	if (READ_ONCE(nr_free) >= SPARE || mlkd_task_work_init(work, run_occasion))
		kfree(occasion);
	else
		give_back(occasion);
	grow();
	/* From here on nothing but @data, or @task's reference, keeps the module loaded. */
	if (data) {
		ops->run(data, event);
	} else {
		ops->look(task, event);
		put_task_struct(task);
		module_put(THIS_MODULE);
	}
}

/* A process that a rule may be for: current, or its child. */
static void happened(struct task_struct *task, struct mm_struct *mm, u32 event)
{
	struct occasion *occasion;
	unsigned long flags;
	void *data;

	data = ops->match(task, mm, event);
	if (!data)
		return;
	occasion = take();
	if (!occasion) {
		ops->miss(data, task, event);
		return;
	}
	occasion->data = data;
	occasion->event = event;
	if (task == current) {
		mlkd_task_work_queue(&occasion->work);
	} else if (!mlkd_task_work_queue_child(task, &occasion->work)) {
		occasion->task = task;
		raw_spin_lock_irqsave(&lock, flags);
		occasion->next = children;
		children = occasion;
		raw_spin_unlock_irqrestore(&lock, flags);
	}
}

/* Current is a child that has just begun to run, in the kernel. */
static int on_child(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct occasion **link, *occasion = NULL;
	unsigned long flags;

	if (!READ_ONCE(children))
		return 0;
	raw_spin_lock_irqsave(&lock, flags);
	for (link = &children; *link; link = &(*link)->next) {
		if ((*link)->task == current) {
			occasion = *link;
			*link = occasion->next;
			break;
		}
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (occasion)
		mlkd_task_work_queue(&occasion->work);
	return 0;
}
NOKPROBE_SYMBOL(on_child);

static struct kprobe child_probe = {
	.symbol_name = "calculate_sigpending",
	.pre_handler = on_child,
};

/* Is there a way back to user space for current? */
static bool returns_to_user(void)
{
	return current->mm && !(current->flags & (PF_KTHREAD | MLKD_PF_USER_WORKER));
}

/* At the entry of __sched_setscheduler(task, attr, user, pi). */
static int on_setscheduler(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct task_struct *task = (void *)regs_get_kernel_argument(regs, 0);
	const struct sched_attr *attr = (void *)regs_get_kernel_argument(regs, 1);
	struct occasion *occasion;

	if ((attr->sched_policy != SCHED_FIFO && attr->sched_policy != SCHED_RR &&
	     attr->sched_policy != SCHED_DEADLINE) ||
	    (task->flags & PF_KTHREAD))
		return 0;
	/* It may linger only, and the module be about to go. */
	if (!(READ_ONCE(wanted) & MEMLOCKD_RULE_SETSCHEDULER) || !try_module_get(THIS_MODULE))
		return 0;
	occasion = returns_to_user() ? take() : NULL;
	if (occasion) {
		occasion->task = get_task_struct(task);
		occasion->data = NULL;
		occasion->event = MEMLOCKD_RULE_SETSCHEDULER;
		mlkd_task_work_queue(&occasion->work);
	} else if (!ops->miss(NULL, task, MEMLOCKD_RULE_SETSCHEDULER)) {
		module_put(THIS_MODULE);
	}
	return 0;
}
NOKPROBE_SYMBOL(on_setscheduler);

static void got_io(void)
{
	if (!returns_to_user())
		return;
	rcu_read_lock();
	happened(current, current->mm, MEMLOCKD_RULE_IO);
	rcu_read_unlock();
}

/* At the entry of security_locked_down(what). */
static int on_locked_down(struct kprobe *kprobe, struct pt_regs *regs)
{
	switch (regs_get_kernel_argument(regs, 0)) {
	case LOCKDOWN_IOPORT:
	case LOCKDOWN_DEV_MEM:
	case LOCKDOWN_PCI_ACCESS:
		got_io();
		break;
	default:
		break;
	}
	return 0;
}
NOKPROBE_SYMBOL(on_locked_down);

/* At the entry of perf_event_mmap(vma). */
static int on_map(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = (void *)regs_get_kernel_argument(regs, 0);

	/* The kernel's own pages have no file. */
	if ((vma->vm_flags & (VM_IO | VM_PFNMAP)) && vma->vm_file && vma->vm_mm == current->mm)
		got_io();
	return 0;
}
NOKPROBE_SYMBOL(on_map);

struct linux_binprm;

/* Current runs another program. */
static void on_exec(void *data, struct task_struct *task, pid_t old_pid,
		    struct linux_binprm *bprm)
{
	rcu_read_lock();
	if (task == current && task->mm)
		happened(task, task->mm, MEMLOCKD_RULE_EXEC);
	rcu_read_unlock();
}

/* Current has a child, which may be a thread, or share its address space. */
static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	if (!child->mm || child->mm == current->mm || (child->flags & PF_KTHREAD))
		return;
	rcu_read_lock();
	happened(child, child->mm, MEMLOCKD_RULE_FORK);
	rcu_read_unlock();
}

/**
 * struct hook - where something is seen
 * @name: of the tracepoint, or of the function
 * @event: what is seen there
 * @probe: for a tracepoint: what it calls
 * @point: likewise, the tracepoint; NULL if the kernel has it not
 * @handler: for a kprobe: what it calls
 * @kprobe: likewise
 * @registered: it is in place
 */
struct hook {
	const char *name;
	u32 event;
	void *probe;
	struct tracepoint *point;
	kprobe_pre_handler_t handler;
	struct kprobe kprobe;
	bool registered;
};

static DEFINE_MUTEX(hooks_mutex);	/* @probes_children, @hooks, and who changes @wanted */
static bool probes_children;
static struct hook hooks[] = {
	{ .name = "sched_process_exec", .event = MEMLOCKD_RULE_EXEC, .probe = on_exec },
	{ .name = "sched_process_fork", .event = MEMLOCKD_RULE_FORK, .probe = on_fork },
	{ .name = "__sched_setscheduler", .event = MEMLOCKD_RULE_SETSCHEDULER,
	  .handler = on_setscheduler },
	{ .name = "security_locked_down", .event = MEMLOCKD_RULE_IO, .handler = on_locked_down },
	{ .name = "perf_event_mmap", .event = MEMLOCKD_RULE_IO, .handler = on_map },
};

static int register_children(void)
{
	int err;

	lockdep_assert_held(&hooks_mutex);
	if (MLKD_REACHES_CHILDREN || probes_children)
		return 0;
	err = mlkd_kprobe_register(&child_probe);
	probes_children = !err;
	return err;
}

/* A child in the list is about to run, and cannot be killed before it does. */
static void unregister_children(void)
{
	lockdep_assert_held(&hooks_mutex);
	if (probes_children && !READ_ONCE(children))
		probes_children = !mlkd_kprobe_unregister(&child_probe);
}

static int register_hook(struct hook *hook)
{
	if (hook->probe)
		return mlkd_tracepoint_register(hook->point, hook->probe);
	hook->kprobe.symbol_name = hook->name;
	hook->kprobe.pre_handler = hook->handler;
	return mlkd_kprobe_register(&hook->kprobe);
}

/* Returns whether it has gone. */
static bool unregister_hook(struct hook *hook)
{
	if (!hook->probe)
		return mlkd_kprobe_unregister(&hook->kprobe);
	mlkd_tracepoint_unregister(hook->point, hook->probe);
	return true;
}

/* Has probes for @events in place; there may be more. */
static int register_events(u32 events)
{
	int i, err = 0;

	lockdep_assert_held(&hooks_mutex);
	/* From the first child on that is in the list. */
	if (events & MEMLOCKD_RULE_FORK)
		err = register_children();
	for (i = 0; i < ARRAY_SIZE(hooks) && !err; i++) {
		if (hooks[i].registered || !(events & hooks[i].event))
			continue;
		err = register_hook(&hooks[i]);
		hooks[i].registered = !err;
	}
	return err && err != -ENOMEM ? -EOPNOTSUPP : err;
}

/* Returns whether there is something left that is not wanted. */
static bool unregister_extra(void)
{
	bool left = false;
	int i;

	mutex_lock(&hooks_mutex);
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (!hooks[i].registered || (wanted & hooks[i].event))
			continue;
		hooks[i].registered = !unregister_hook(&hooks[i]);
		left |= hooks[i].registered;
	}
	tracepoint_synchronize_unregister();
	if (!(wanted & MEMLOCKD_RULE_FORK)) {
		unregister_children();
		left |= probes_children;
	}
	mutex_unlock(&hooks_mutex);
	return left;
}

static void hooks_linger_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(linger, hooks_linger_work);

static void hooks_linger_work(struct work_struct *work)
{
	if (unregister_extra())
		mlkd_linger(&linger);
}

/**
 * mlkd_hooks_add - have probes for some events
 * @events: &enum memlockd_rule_event
 *
 * Return: 0; -ENOMEM; -EOPNOTSUPP when the kernel has no such probe.
 */
int mlkd_hooks_add(u32 events)
{
	int err;

	if (!(events & MLKD_HOOKED))
		return 0;
	err = grow();
	if (err)
		return err;
	mutex_lock(&hooks_mutex);
	err = register_events(events);
	if (!err)
		WRITE_ONCE(wanted, wanted | events);
	mutex_unlock(&hooks_mutex);
	/* The probes that were registered go later, as if they had been in use. */
	if (err)
		mlkd_linger(&linger);
	return err;
}

/* Only @events need probes any more, which there are; the others go soon. */
void mlkd_hooks_keep(u32 events)
{
	mutex_lock(&hooks_mutex);
	WRITE_ONCE(wanted, events);
	mutex_unlock(&hooks_mutex);
	mlkd_linger(&linger);
}

void __init mlkd_hooks_init(const struct mlkd_hook_ops *what)
{
	int i;

	ops = what;
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].probe)
			hooks[i].point = mlkd_tracepoint_find(hooks[i].name);
	}
}

struct free_work {
	struct work_struct work;
};

static void free_work(struct work_struct *work)
{
	struct occasion *occasion;

	while ((occasion = take())) {
		mlkd_task_work_end(&occasion->work);
		kfree(occasion);
	}
}

/* There are no rules any more, and none of their works is on its way. */
void mlkd_hooks_exit(void)
{
	struct free_work work = {};

	cancel_delayed_work_sync(&linger);
	while (unregister_extra())
		schedule_timeout_uninterruptible(1);
	mlkd_task_works_end(&work.work, free_work);
}
