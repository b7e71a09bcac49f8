// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins on what a locked process maps later.
 *
 * The core kernel makes new mappings present by itself, as def_flags has
 * VM_LOCKED.  To pin them before the system call returns, two functions are
 * probed that every new piece of address space comes through, while anything is
 * locked that wants it:
 *
 * - perf_event_mmap(): mmap, brk, shmat, mprotect, growth of a stack;
 * - mremap(2), which the former does not see; or, where a system call cannot be
 *   told from its symbol, vm_stat_account(), which munmap comes through as well.
 *
 * The process's own mlock(2) and its kin are probed, too, as they would undo ours,
 * or ours them, and mremap(2) moves what is its own: see target_calls.c.
 *
 * And a new thread or child, as that brings a scan for NUMA balancing back that was
 * put off.
 *
 * The probe only looks whether the process is one of ours, and queues a call, which
 * runs in that process on its way back to user space (task_call.c).  For threads that
 * never go there, a worker pins a moment later.
 *
 * A new mapping may have been merged with its neighbours.  Looking at all of that
 * again would make N calls cost N^2, so the arguments of the system call say what
 * is new, and where there is none the pins that are there do.
 *
 * If a probe is missed, the mapping has what LOCKED promises; the report says
 * NOT_PINNED, and locking again pins it.
 *
 * The probes run with preemption off: raw spinlocks and RCU only.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/syscall.h>

#include "task_call.h"
#include "compat.h"
#include "probe.h"
#include "populate.h"
#include "target_calls.h"
#include "scan.h"
#include "space.h"

/*
 * Registering and unregistering patch code that all processes run, which takes
 * its time and is no harmless thing: so the probes stay for a while after the
 * last unlock, in case that there is a next lock.
 */
#define LINGER	(30 * HZ)

static struct workqueue_struct *pinner;
static DEFINE_MUTEX(arm_mutex);		/* nr_armed and nr_registered */
static unsigned int nr_armed;
static unsigned int nr_registered;	/* the first of the probes */

/* New mappings that their own process could not pin on its way to user space. */
static void pin_work(struct work_struct *work)
{
	struct mlkd_space *space = container_of(work, struct mlkd_space, pin_work);

	clear_bit(MLKD_SPACE_PINNING, &space->flags);
	if (mmget_not_zero(space->mm)) {
		mlkd_populate_future(space, 0, 0);
		if (test_and_clear_bit(MLKD_SPACE_SOFT_DIRTY, &space->flags))
			mlkd_populate_writable(space);
		mmput(space->mm);
	}
	mlkd_space_put(space);
}

/* Called from probes, under RCU. */
static void pin_later(struct mlkd_space *space)
{
	if (test_and_set_bit(MLKD_SPACE_PINNING, &space->flags))
		return;
	if (mlkd_space_tryget(space))
		queue_work(pinner, &space->pin_work);
}

void mlkd_probes_setup(struct mlkd_space *space)
{
	INIT_WORK(&space->pin_work, pin_work);
}

/* Which part of the address space is new. */
static void new_range(struct mlkd_call *call, unsigned long *start, unsigned long *end)
{
	struct mlkd_pins *pins = &call->space->pins;
	unsigned long *args = call->args;
	unsigned long ret;

	*start = call->start;
	*end = call->end;
	if (mlkd_compat_syscall())
		return;		/* other numbers: all of the mapping */

	ret = syscall_get_return_value(current, task_pt_regs(current));
	switch (call->nr) {
	case __NR_mmap:
		*start = ret;
		/* A huge page may be more than was asked for. */
		*end = min(call->end, ALIGN(ret + args[1], MLKD_CHUNK_SIZE));
		break;
	case __NR_mremap:
		*start = ret;
		*end = ret + PAGE_ALIGN(args[2]);
		break;
	case __NR_mprotect:
	case __NR_pkey_mprotect:
		/* One call for each mapping in the range. */
		*start = max(args[0], call->start);
		*end = min(args[0] + PAGE_ALIGN(args[1]), call->end);
		break;
	case __NR_brk:
		/* At its end; so far it was pinned to here. */
		*start = mlkd_pins_last_end(pins, call->start, call->end);
		break;
	case -1:
		/* A fault: a stack has grown down to the first pin. */
		*end = mlkd_pins_first(pins, call->start, call->end);
		break;
	default:
		break;
	}
}

/* Has current's system call done once more. */
static void do_again(struct pt_regs *regs)
{
#ifdef CONFIG_X86
	/* As for -ERESTARTNOINTR, which only the handling of signals looks for. */
	regs->ax = regs->orig_ax;
	regs->ip -= 2;
#endif
}

/* current has called mremap(2). */
static void run_mremap(struct mlkd_call *call)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct mlkd_space *space = call->space;
	unsigned long start = syscall_get_return_value(current, regs);
	bool failed = syscall_get_error(current, regs);

	mlkd_target_moved(space, call->args, start, failed);
	if (!failed)
		mlkd_populate_future(space, start, start + PAGE_ALIGN(call->args[2]));
}

/* In current, which has made a system call, and is done with it. */
static void run_call(struct mlkd_call *call)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct mlkd_space *space = call->space;
	unsigned long start, end;

	if (call->event == MLKD_CALL_SOFT_DIRTY) {
		if (mmget_not_zero(space->mm)) {
			mlkd_populate_writable(space);
			mmput(space->mm);
		}
		return;
	}
	/* It may have left that address space by execve() or exit(). */
	if (current->mm != space->mm)
		goto out;

	switch (call->event) {
	case MLKD_CALL_MMAP:
		new_range(call, &start, &end);
		if (start < end || !end)
			mlkd_populate_future(space, start, end);
		break;
	case MLKD_CALL_MREMAP:
		run_mremap(call);
		break;
	default:
		if (mlkd_target_called(space, call->event, call->args, call->locked_vm,
				       syscall_get_error(current, regs)))
			do_again(regs);
		break;
	}
out:
	if (call->event == MLKD_CALL_MREMAP)
		mlkd_space_move_end(space, &call->move);
}

/* Is there a way back to user space for current, with user registers? */
static bool returns_to_user(void)
{
	return !(current->flags & (PF_KTHREAD | PF_IO_WORKER));
}

static bool queue_call(struct mlkd_space *space, enum mlkd_event event,
		       unsigned long start, unsigned long end)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct mlkd_call *call;

	if (!returns_to_user())
		return false;
	call = mlkd_call_get();
	if (!call)
		return false;
	if (!mlkd_space_tryget(space)) {
		mlkd_call_put(call);
		return true;		/* just unlocked */
	}
	call->space = space;
	call->event = event;
	/* A signal handler may be in these registers when the call is done. */
	call->nr = syscall_get_nr(current, regs);
	syscall_get_arguments(current, regs, call->args);
	call->locked_vm = READ_ONCE(space->mm->locked_vm);
	if (event == MLKD_CALL_MREMAP)
		mlkd_space_move_begin(space, &call->move);
	call->start = start;
	call->end = end;
	mlkd_call_queue(call);
	return true;
}

/* @mm, current's, has got something new. */
static void mapped(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mlkd_space *space;

	if (mm != current->mm)
		return;
	space = mlkd_space_find_rcu(mm);
	if (space)
		WRITE_ONCE(space->wired.stale, true);
	if (!space || !READ_ONCE(space->armed) ||
	    !mlkd_mode_pins_future(mlkd_space_in_force(space)))
		return;
	if (!queue_call(space, MLKD_CALL_MMAP, start, end))
		pin_later(space);
}

/*
 * The soft-dirty bits of @space are being cleared, by current: before that returns
 * to user space, nothing is write-protected any more.
 */
void mlkd_probe_soft_dirty(struct mlkd_space *space)
{
	if (mlkd_space_in_force(space).state != MEMLOCKD_STATE_SUPERLOCKED)
		return;
	if (!queue_call(space, MLKD_CALL_SOFT_DIRTY, 0, 0)) {
		set_bit(MLKD_SPACE_SOFT_DIRTY, &space->flags);
		pin_later(space);
	}
}

static int on_perf_event_mmap(struct kprobe *probe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = (void *)regs_get_kernel_argument(regs, 0);

	mapped(vma->vm_mm, vma->vm_start, vma->vm_end);
	return 0;
}

#ifndef CONFIG_X86_64
static int on_vm_stat_account(struct kprobe *probe, struct pt_regs *regs)
{
	struct mm_struct *mm = (void *)regs_get_kernel_argument(regs, 0);
	long npages = regs_get_kernel_argument(regs, 2);

	/* All but mremap comes by perf_event_mmap() as well. */
	if (npages > 0 && current->mm == mm && !(current->flags & PF_KTHREAD) &&
	    (mlkd_compat_syscall() ||
	     syscall_get_nr(current, task_pt_regs(current)) == __NR_mremap))
		mapped(mm, 0, 0);
	return 0;
}
NOKPROBE_SYMBOL(on_vm_stat_account);
#endif

#ifdef CONFIG_NUMA_BALANCING
/* Current has a new thread or child.  If it was its only thread, it is to be scanned. */
static int on_wake_up_new_task(struct kprobe *probe, struct pt_regs *regs)
{
	struct mlkd_space *space = NULL;

	if (current->mm)
		space = mlkd_space_find_rcu(current->mm);
	if (space)
		mlkd_numa_scan_stop_again(space);
	return 0;
}
NOKPROBE_SYMBOL(on_wake_up_new_task);
#endif

struct probe {
	struct kprobe kprobe;
	enum mlkd_event event;		/* of on_syscall() */
};

/* At the entry of the system call; the work looks at what has become of it. */
static int on_syscall(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct probe *probe = container_of(kprobe, struct probe, kprobe);
	struct mlkd_space *space;

	if (!current->mm)
		return 0;
	space = mlkd_space_find_rcu(current->mm);
	if (!space || !READ_ONCE(space->armed))
		return 0;
	/* The worker may be there before mremap() has moved anything; then SYNC is left. */
	if (!queue_call(space, probe->event, 0, 0) && probe->event == MLKD_CALL_MREMAP)
		pin_later(space);
	return 0;
}
NOKPROBE_SYMBOL(on_syscall);
NOKPROBE_SYMBOL(on_perf_event_mmap);

#define PROBE(symbol, handler, what)			\
	{						\
		.kprobe.symbol_name = (symbol),		\
		.kprobe.pre_handler = (handler),	\
		.event = (what),			\
	}

static struct probe probes[] = {
	PROBE("perf_event_mmap", on_perf_event_mmap, MLKD_CALL_MMAP),
#ifndef CONFIG_X86_64
	PROBE("vm_stat_account", on_vm_stat_account, MLKD_CALL_MMAP),
#endif
#ifdef CONFIG_NUMA_BALANCING
	PROBE("wake_up_new_task", on_wake_up_new_task, 0),
#endif
	/* The wrappers: what is behind them has no symbol. */
#ifdef CONFIG_X86_64
	PROBE("__x64_sys_mlock", on_syscall, MLKD_CALL_MLOCK),
	PROBE("__x64_sys_mlock2", on_syscall, MLKD_CALL_MLOCK),
	PROBE("__x64_sys_munlock", on_syscall, MLKD_CALL_MUNLOCK),
	PROBE("__x64_sys_mlockall", on_syscall, MLKD_CALL_MLOCKALL),
	PROBE("__x64_sys_munlockall", on_syscall, MLKD_CALL_MUNLOCKALL),
	PROBE("__x64_sys_mremap", on_syscall, MLKD_CALL_MREMAP),
#endif
#ifdef CONFIG_IA32_EMULATION
	PROBE("__ia32_sys_mlock", on_syscall, MLKD_CALL_MLOCK),
	PROBE("__ia32_sys_mlock2", on_syscall, MLKD_CALL_MLOCK),
	PROBE("__ia32_sys_munlock", on_syscall, MLKD_CALL_MUNLOCK),
	PROBE("__ia32_sys_mlockall", on_syscall, MLKD_CALL_MLOCKALL),
	PROBE("__ia32_sys_munlockall", on_syscall, MLKD_CALL_MUNLOCKALL),
	PROBE("__ia32_sys_mremap", on_syscall, MLKD_CALL_MREMAP),
#endif
};

static void reset(struct kprobe *kprobe)
{
	kprobe->addr = NULL;
	kprobe->flags = 0;
}

static int register_probes(void)
{
	while (nr_registered < ARRAY_SIZE(probes)) {
		struct kprobe *kprobe = &probes[nr_registered].kprobe;
		int err = register_kprobe(kprobe);

		if (err) {
			reset(kprobe);
			return err;
		}
		nr_registered++;
	}
	return 0;
}

/*
 * A worker does this: it has to allocate, and where that fails, as it may for a
 * task that is being killed for want of memory, the probe stays, unnoticed.
 */
static void linger_work(struct work_struct *work)
{
	mutex_lock(&arm_mutex);
	while (!nr_armed && nr_registered) {
		struct kprobe *kprobe = &probes[--nr_registered].kprobe;

		unregister_kprobe(kprobe);
		reset(kprobe);
	}
	mutex_unlock(&arm_mutex);
}

static DECLARE_DELAYED_WORK(linger, linger_work);

/**
 * mlkd_probes_arm - have the probes in place for @space
 * @space: its claim is held
 *
 * If this kernel has them not, @space does without: its new mappings are locked,
 * but not pinned, and its own munlock() undoes our lock.
 *
 * Return: 0 or -ENOMEM.
 */
int mlkd_probes_arm(struct mlkd_space *space)
{
	int err;

	if (space->armed)
		return 0;
	mutex_lock(&arm_mutex);
	err = register_probes();
	if (!err) {
		nr_armed++;
		space->armed = true;
	} else {
		if (err != -ENOMEM)
			pr_warn_once("memlockd: no kprobe on %s (%d): new mappings are not pinned\n",
				     probes[nr_registered].kprobe.symbol_name, err);
		/* What there is of them goes as if it had been in use. */
		if (!nr_armed)
			mod_delayed_work(system_percpu_wq, &linger, LINGER);
	}
	mutex_unlock(&arm_mutex);
	return err == -ENOMEM ? err : 0;
}

/**
 * mlkd_probes_disarm - @space does not need the probes any more
 * @space: its claim is held, or it has ended
 */
void mlkd_probes_disarm(struct mlkd_space *space)
{
	if (!space->armed)
		return;
	space->armed = false;
	mutex_lock(&arm_mutex);
	if (!--nr_armed)
		mod_delayed_work(system_percpu_wq, &linger, LINGER);
	mutex_unlock(&arm_mutex);
}

int __init mlkd_probes_init(void)
{
	int err;

	pinner = alloc_workqueue("memlockd_pin", WQ_UNBOUND, 0);
	if (!pinner)
		return -ENOMEM;
	err = mlkd_calls_init(run_call);
	if (err)
		destroy_workqueue(pinner);
	return err;
}

/* Nothing is locked any more. */
void mlkd_probes_exit(void)
{
	mod_delayed_work(system_percpu_wq, &linger, 0);
	flush_delayed_work(&linger);
	mlkd_calls_exit();
	destroy_workqueue(pinner);
}
