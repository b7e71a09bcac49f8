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
 * - mremap(2), which the former does not see.
 *
 * The process's own mlock(2) and its kin are probed, too, as they would undo ours,
 * or ours them, and mremap(2) moves what is its own: see target_calls.c.  So are
 * madvise(2) and what else a lock would have fail: see target_advice.c.  And copy_vma(), which
 * tells where mremap(2) moves what.
 *
 * For a lock with MEMLOCKD_OVER_UNLOCKED, do_mmap(), and get_unmapped_area() for brk(2), are
 * probed as well: both run with mmap_lock held for writing, before the core kernel looks at
 * def_flags.
 *
 * And a new thread or child: a thread needs calls of its own, and either brings a scan for
 * NUMA balancing back that was put off.
 *
 * And memory_failure(), which leaves pages alone that are held (hold.c): there the page is
 * given back, whoever has it.
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
 * NOT_PINNED, and locking again pins it.  If there is no call to be had for a munlock(2), as
 * there was no memory for one, a worker looks for what is to be locked again.
 *
 * The probes run with preemption off: raw spinlocks and RCU only.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/syscall.h>

#include "task_call.h"
#include "arch.h"
#include "canary.h"
#include "cgroup.h"
#include "compat.h"
#include "guard.h"
#include "hold.h"
#include "linger.h"
#include "probe.h"
#include "populate.h"
#include "target_calls.h"
#include "scan.h"
#include "space.h"
#include "target.h"
#include "task_work.h"

/* So long a munlock(2) is looked for that has been missed, at least. */
#define MISSED_FOR	(16 * HZ)

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
		struct mem_cgroup *before = mlkd_cgroup_charge(space->mm);

		mlkd_populate_future(space, 0, 0);
		if (test_and_clear_bit(MLKD_SPACE_REPLACED, &space->flags))
			mlkd_populate_again(space, 0, 0);
		if (test_and_clear_bit(MLKD_SPACE_SOFT_DIRTY, &space->flags))
			mlkd_populate_writable(space);
		mlkd_cgroup_charge_end(before);
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

/*
 * Locks again what the process has unlocked without a call.  Nothing tells when its system
 * call is done: it is looked for again and again, at growing intervals.
 */
static void relock_missed_work(struct work_struct *work)
{
	struct mlkd_missed *missed = container_of(to_delayed_work(work), struct mlkd_missed, work);
	struct mlkd_space *space = container_of(missed, struct mlkd_space, missed);
	unsigned long delay = READ_ONCE(missed->delay), next = 0;

	if (READ_ONCE(space->armed) && mmget_not_zero(space->mm)) {
		struct mem_cgroup *before = mlkd_cgroup_charge(space->mm);

		mlkd_target_lock_again(space, READ_ONCE(missed->locked_vm));
		mlkd_cgroup_charge_end(before);
		mmput(space->mm);
		next = delay < MISSED_FOR ? 2 * delay : 0;
	}
	/* Something has been missed since this has begun. */
	if (cmpxchg(&missed->delay, delay, next) != delay)
		next = 1;
	if (next)
		queue_delayed_work(pinner, &missed->work, next);
	else
		mlkd_space_put(space);
}

/* Called from probes, under RCU, before the process unlocks something. */
static void lock_again_later(struct mlkd_space *space)
{
	struct mlkd_missed *missed = &space->missed;
	unsigned long locked_vm = READ_ONCE(space->mm->locked_vm);

	/* If a call was missed before, the worker has yet to lock again what that has unlocked. */
	if (READ_ONCE(missed->delay))
		locked_vm = max(locked_vm, READ_ONCE(missed->locked_vm));
	WRITE_ONCE(missed->locked_vm, locked_vm);
	if (!xchg(&missed->delay, 1) && mlkd_space_tryget(space))
		queue_delayed_work(pinner, &missed->work, 1);
}

void mlkd_probes_setup(struct mlkd_space *space)
{
	INIT_WORK(&space->pin_work, pin_work);
	INIT_DELAYED_WORK(&space->missed.work, relock_missed_work);
	mlkd_calls_setup(&space->calls);
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

/* Does the call unmap what has attributes that stay? */
static bool moves(enum mlkd_event event)
{
	return event == MLKD_CALL_MREMAP || event == MLKD_CALL_REMAP_PAGES;
}

/* current has called mremap(2). */
static void run_mremap(struct mlkd_call *call)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct mlkd_space *space = call->space;
	unsigned long start = syscall_get_return_value(current, regs);
	bool failed = syscall_get_error(current, regs);

	mlkd_target_moved(space, &call->move, call->args, start, failed);
	if (!failed)
		mlkd_populate_future(space, start, start + PAGE_ALIGN(call->args[2]));
}

/* Is it the number of a system call, or of the one that 32-bit callers have for it? */
static bool is_nr(int nr, int wanted, int compat)
{
	return nr == (mlkd_compat_syscall() ? compat : wanted);
}

/* Is it the system call itself that has come to do_madvise()? */
static bool is_madvise(const struct mlkd_call *call)
{
	return is_nr(call->nr, __NR_madvise, MLKD_COMPAT_NR_MADVISE);
}

/* current has called madvise(2). */
static void run_madvise(struct mlkd_call *call)
{
	struct pt_regs *regs = task_pt_regs(current);
	bool syscall = is_madvise(call);
	long before = syscall_get_return_value(current, regs), result = before;

	if (mlkd_advice_end(call->space, &call->advice, syscall, &result))
		mlkd_do_again(regs);
	else if (syscall && result != before)
		syscall_set_return_value(current, regs, result, 0);
}

/* In current, which has made a system call, and is done with it. */
static void run_call(struct mlkd_call *call)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct mlkd_space *space = call->space;
	unsigned long start, end;

	if (call->event == MLKD_CALL_FAULT) {
		mlkd_guard_resolved(call);
		return;
	}
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
	/* If there is no memory for more calls now, the next call tries again. */
	mlkd_calls_grow(space);

	switch (call->event) {
	case MLKD_CALL_MMAP:
		if (call->mergeable)
			mlkd_target_take_mergeable(space, call->start, call->end);
		new_range(call, &start, &end);
		if (is_nr(call->nr, __NR_mmap, MLKD_COMPAT_NR_MMAP2) &&
		    (call->args[3] & MAP_LOCKED))
			mlkd_target_mapped_locked(space, syscall_get_return_value(current, regs),
						  call->args[1]);
		if (start < end || !end)
			mlkd_populate_future(space, start, end);
		break;
	case MLKD_CALL_MREMAP:
		run_mremap(call);
		break;
	case MLKD_CALL_REMAP_PAGES:
		mlkd_target_remapped(space, call->args);
		break;
	case MLKD_CALL_MADVISE:
		run_madvise(call);
		break;
	case MLKD_CALL_MSYNC:
		mlkd_set_third_argument(regs, call->args[2], mlkd_compat_syscall());
		break;
	case MLKD_CALL_THREAD:
		break;
	case MLKD_CALL_PRCTL:
		if (!syscall_get_error(current, regs))
			mlkd_target_merged(space, call->args[1]);
		break;
	default:
		if (mlkd_target_called(space, call->event, call->args, call->locked_vm,
				       syscall_get_error(current, regs)))
			mlkd_do_again(regs);
		break;
	}
out:
	if (moves(call->event))
		mlkd_space_move_end(space, &call->move);
}

/* Is there a way back to user space for current, with user registers? */
static bool returns_to_user(void)
{
	return !(current->flags & (PF_KTHREAD | PF_IO_WORKER));
}

/*
 * A call for current's system call, not queued yet; NULL if there is none to be had, or
 * none needed, and then *@gone is set.
 */
static struct mlkd_call *get_call(struct mlkd_space *space, enum mlkd_event event,
				  bool *gone)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct mlkd_call *call;

	*gone = false;
	if (!returns_to_user())
		return NULL;
	call = mlkd_call_get(space, gone);
	if (!call)
		return NULL;
	call->event = event;
	call->mergeable = false;
	/* A signal handler may be in these registers when the call is done. */
	call->nr = syscall_get_nr(current, regs);
	syscall_get_arguments(current, regs, call->args);
	call->locked_vm = READ_ONCE(space->mm->locked_vm);
	return call;
}

/* Returns false when a worker has to do it. */
static bool queue_call(struct mlkd_space *space, enum mlkd_event event,
		       unsigned long start, unsigned long end, bool mergeable)
{
	bool gone;
	struct mlkd_call *call = get_call(space, event, &gone);

	if (!call)
		return gone;
	call->start = start;
	call->end = end;
	call->mergeable = mergeable;
	if (moves(event))
		mlkd_space_move_begin(space, &call->move, event == MLKD_CALL_REMAP_PAGES);
	mlkd_call_queue(call);
	return true;
}

/* Does current call mmap(2) with MAP_LOCKED?  Then what it maps is its own. */
static bool maps_locked(void)
{
	struct pt_regs *regs = task_pt_regs(current);
	unsigned long args[6];

	if (!returns_to_user() ||
	    !is_nr(syscall_get_nr(current, regs), __NR_mmap, MLKD_COMPAT_NR_MMAP2))
		return false;
	syscall_get_arguments(current, regs, args);
	return args[3] & MAP_LOCKED;
}

/* @vma has got something new. */
static void mapped(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mlkd_space *space;

	if (mm != current->mm)
		return;
	space = mlkd_space_find_rcu(mm);
	if (space)
		WRITE_ONCE(space->wired.stale, true);
	if (!space || !READ_ONCE(space->armed) ||
	    !(mlkd_mode_pins_future(mlkd_space_in_force(space)) || maps_locked()))
		return;
	if (mlkd_stack_by_pins(vma, mlkd_space_in_force(space)) &&
	    !mlkd_target_has_room(current, mm, 0))
		set_bit(MLKD_SPACE_STACK_OVER, &space->flags);
	if (!mlkd_call_extend(space, MLKD_CALL_MMAP, vma->vm_start, vma->vm_end,
			      vma->vm_flags & VM_MERGEABLE) &&
	    !queue_call(space, MLKD_CALL_MMAP, vma->vm_start, vma->vm_end,
			vma->vm_flags & VM_MERGEABLE))
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
	if (!queue_call(space, MLKD_CALL_SOFT_DIRTY, 0, 0, false)) {
		set_bit(MLKD_SPACE_SOFT_DIRTY, &space->flags);
		pin_later(space);
	}
}

static int on_perf_event_mmap(struct kprobe *probe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = (void *)regs_get_kernel_argument(regs, 0);

	mapped(vma);
	return 0;
}

/* Current has a new thread or child.  If it was its only thread, it is to be scanned. */
static int on_wake_up_new_task(struct kprobe *probe, struct pt_regs *regs)
{
	struct mlkd_space *space = NULL;

	if (current->mm)
		space = mlkd_space_find_rcu(current->mm);
	if (!space)
		return 0;
	mlkd_numa_scan_stop_again(space);
	if (READ_ONCE(space->armed) && mlkd_calls_short(space))
		queue_call(space, MLKD_CALL_THREAD, 0, 0, false);
	return 0;
}
NOKPROBE_SYMBOL(on_wake_up_new_task);

struct probe {
	struct kprobe kprobe;
	enum mlkd_event event;		/* of on_syscall() */
};

/* The space of current, if it has one and wants probes. */
static struct mlkd_space *current_space(void)
{
	struct mlkd_space *space = NULL;

	if (current->mm)
		space = mlkd_space_find_rcu(current->mm);
	return space && READ_ONCE(space->armed) ? space : NULL;
}

/* At the entry of the system call; the work looks at what has become of it. */
static int on_syscall(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct probe *probe = container_of(kprobe, struct probe, kprobe);
	struct mlkd_space *space = current_space();

	if (!space || queue_call(space, probe->event, 0, 0, false))
		return 0;
	switch (probe->event) {
	case MLKD_CALL_MREMAP:
		/* The worker may be there before anything has moved; then SYNC is left. */
		pin_later(space);
		break;
	case MLKD_CALL_MUNLOCK:
	case MLKD_CALL_MUNLOCKALL:
	case MLKD_CALL_MLOCKALL:
		lock_again_later(space);
		break;
	default:
		break;
	}
	return 0;
}
NOKPROBE_SYMBOL(on_syscall);

/* At the entry of do_mmap(file, addr, len, prot, flags, ...). */
static int on_do_mmap(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct mlkd_space *space = current_space();

	if (space)
		mlkd_target_maps(space, regs_get_kernel_argument(regs, 2),
				 regs_get_kernel_argument(regs, 4) & MAP_GROWSDOWN);
	return 0;
}
NOKPROBE_SYMBOL(on_do_mmap);

/* At the entry of get_unmapped_area(file, addr, len, ...). */
static int on_get_unmapped_area(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct mlkd_space *space = current_space();

	/* do_mmap() has been seen already, and knows more. */
	if (space && is_nr(syscall_get_nr(current, task_pt_regs(current)), __NR_brk,
			   MLKD_COMPAT_NR_BRK))
		mlkd_target_maps(space, regs_get_kernel_argument(regs, 2), false);
	return 0;
}
NOKPROBE_SYMBOL(on_get_unmapped_area);

/*
 * At the entry of copy_vma(vma, addr, len, pgoff, ...), which makes the new mapping for
 * mremap(2), with mmap_lock held for writing.  The call may have begun before the lock.
 */
static int on_copy_vma(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = *(struct vm_area_struct **)regs_get_kernel_argument(regs, 0);
	unsigned long pages = regs_get_kernel_argument(regs, 3) - vma->vm_pgoff;
	struct mlkd_space *space = current_space();

	if (!space || space->mm != vma->vm_mm)
		return 0;
	if (!mlkd_space_moving(space))
		queue_call(space, MLKD_CALL_MREMAP, 0, 0, false);
	mlkd_target_moves(space, vma->vm_start + (pages << PAGE_SHIFT),
			  regs_get_kernel_argument(regs, 1), regs_get_kernel_argument(regs, 2));
	return 0;
}
NOKPROBE_SYMBOL(on_copy_vma);

/*
 * At the entry of do_madvise(mm, start, len, advice), to which madvise(2) comes, and
 * io_uring, whose workers have no way back to user space, and up to Linux 6.12
 * process_madvise(2), by others.
 */
static int on_madvise(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct mm_struct *mm = (void *)regs_get_kernel_argument(regs, 0);
	struct mlkd_space *space = mm ? mlkd_space_find_rcu(mm) : NULL;
	struct mlkd_advice advice = {
		.start = regs_get_kernel_argument(regs, 1),
		.len = regs_get_kernel_argument(regs, 2),
		.advice = regs_get_kernel_argument(regs, 3),
	};
	struct mlkd_call *call;
	bool gone;

	if (!space || !READ_ONCE(space->armed))
		return 0;
	if (mm != current->mm) {
		mlkd_advice_hint(space, &advice);
		goto out;
	}
	if (!mlkd_advice_begin(space, &advice))
		return 0;
	call = get_call(space, MLKD_CALL_MADVISE, &gone);
	if (gone)
		return 0;
	if (call) {
		if (is_madvise(call))
			mlkd_advice_syscall(space, &advice);
		call->advice = advice;
		mlkd_call_queue(call);
	} else {
		set_bit(MLKD_SPACE_REPLACED, &space->flags);
		pin_later(space);
		if (advice.instead == advice.advice)
			mlkd_advice_hint(space, &advice);
	}
out:
	mlkd_set_kernel_argument(regs, 2, advice.nr);
	mlkd_set_kernel_argument(regs, 3, advice.instead);
	return 0;
}
NOKPROBE_SYMBOL(on_madvise);

/* At the entry of msync(start, len, flags). */
static int on_msync(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct pt_regs *user = task_pt_regs(current);
	struct mlkd_space *space = current_space();
	unsigned long args[6];

	if (!space)
		return 0;
	syscall_get_arguments(current, user, args);
	if (!(args[2] & MS_INVALIDATE) || !mlkd_sync_only_ours(space, args[0], args[1]))
		return 0;
	if (queue_call(space, MLKD_CALL_MSYNC, 0, 0, false))
		mlkd_set_third_argument(user, args[2] & ~MS_INVALIDATE,
					mlkd_compat_syscall());
	return 0;
}
NOKPROBE_SYMBOL(on_msync);

/* At the entry of prctl(option, ...). */
static int on_prctl(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct mlkd_space *space = current_space();
	unsigned long args[6];

	if (!space)
		return 0;
	syscall_get_arguments(current, task_pt_regs(current), args);
	if (args[0] == MLKD_PR_SET_MEMORY_MERGE)
		queue_call(space, MLKD_CALL_PRCTL, 0, 0, false);
	return 0;
}
NOKPROBE_SYMBOL(on_prctl);
NOKPROBE_SYMBOL(on_perf_event_mmap);

/* At the entry of memory_failure(pfn, ...). */
static int __maybe_unused on_memory_failure(struct kprobe *kprobe, struct pt_regs *regs)
{
	mlkd_hold_poisoned(regs_get_kernel_argument(regs, 0));
	return 0;
}
NOKPROBE_SYMBOL(on_memory_failure);

#define PROBE(symbol, handler, what)			\
	{						\
		.kprobe.symbol_name = (symbol),		\
		.kprobe.pre_handler = (handler),	\
		.event = (what),			\
	}

static struct probe probes[] = {
	PROBE("perf_event_mmap", on_perf_event_mmap, MLKD_CALL_MMAP),
	PROBE("do_madvise", on_madvise, MLKD_CALL_MADVISE),
	PROBE("wake_up_new_task", on_wake_up_new_task, 0),
	PROBE("copy_vma", on_copy_vma, 0),
	/* The wrappers: what is behind them has no symbol. */
	PROBE(MLKD_SYSCALL(mlock), on_syscall, MLKD_CALL_MLOCK),
	PROBE(MLKD_SYSCALL(mlock2), on_syscall, MLKD_CALL_MLOCK),
	PROBE(MLKD_SYSCALL(munlock), on_syscall, MLKD_CALL_MUNLOCK),
	PROBE(MLKD_SYSCALL(mlockall), on_syscall, MLKD_CALL_MLOCKALL),
	PROBE(MLKD_SYSCALL(munlockall), on_syscall, MLKD_CALL_MUNLOCKALL),
	PROBE(MLKD_SYSCALL(mremap), on_syscall, MLKD_CALL_MREMAP),
	PROBE(MLKD_SYSCALL(remap_file_pages), on_syscall, MLKD_CALL_REMAP_PAGES),
	PROBE(MLKD_SYSCALL(msync), on_msync, MLKD_CALL_MSYNC),
	PROBE(MLKD_SYSCALL(prctl), on_prctl, MLKD_CALL_PRCTL),
#ifdef MLKD_COMPAT_SYSCALL
	PROBE(MLKD_COMPAT_SYSCALL(mlock), on_syscall, MLKD_CALL_MLOCK),
	PROBE(MLKD_COMPAT_SYSCALL(mlock2), on_syscall, MLKD_CALL_MLOCK),
	PROBE(MLKD_COMPAT_SYSCALL(munlock), on_syscall, MLKD_CALL_MUNLOCK),
	PROBE(MLKD_COMPAT_SYSCALL(mlockall), on_syscall, MLKD_CALL_MLOCKALL),
	PROBE(MLKD_COMPAT_SYSCALL(munlockall), on_syscall, MLKD_CALL_MUNLOCKALL),
	PROBE(MLKD_COMPAT_SYSCALL(mremap), on_syscall, MLKD_CALL_MREMAP),
	PROBE(MLKD_COMPAT_SYSCALL(remap_file_pages), on_syscall, MLKD_CALL_REMAP_PAGES),
	PROBE(MLKD_COMPAT_SYSCALL(msync), on_msync, MLKD_CALL_MSYNC),
	PROBE(MLKD_COMPAT_SYSCALL(prctl), on_prctl, MLKD_CALL_PRCTL),
#endif
#ifdef CONFIG_MEMORY_FAILURE
	PROBE("memory_failure", on_memory_failure, 0),
#endif
	/* From here on, for locks with MEMLOCKD_OVER_UNLOCKED only: each mmap() pays for them. */
	PROBE("do_mmap", on_do_mmap, 0),
	PROBE(MLKD_GET_UNMAPPED_AREA, on_get_unmapped_area, 0),
};

#define OVER_PROBES	2

/* How many of them there are, with those for MEMLOCKD_OVER_UNLOCKED or without. */
static unsigned int nr_probes(bool over)
{
	return ARRAY_SIZE(probes) - (over ? 0 : OVER_PROBES);
}

static int register_probes(bool over)
{
	while (nr_registered < nr_probes(over)) {
		int err = mlkd_kprobe_register(&probes[nr_registered].kprobe);

		if (err)
			return err;
		nr_registered++;
	}
	return 0;
}

static void probes_linger_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(linger, probes_linger_work);

static void probes_linger_work(struct work_struct *work)
{
	mutex_lock(&arm_mutex);
	while (!nr_armed && nr_registered &&
	       mlkd_kprobe_unregister(&probes[nr_registered - 1].kprobe))
		nr_registered--;
	if (!nr_armed && nr_registered)
		mlkd_linger(&linger);
	mutex_unlock(&arm_mutex);
}

/**
 * mlkd_probes_arm - have the probes in place for @space
 * @space: its claim is held
 * @over: with those for MEMLOCKD_OVER_UNLOCKED
 *
 * If this kernel has them not, @space does without: its new mappings are locked,
 * but not pinned, and its own munlock() undoes our lock.
 *
 * Return: 0; -ENOMEM; -EOPNOTSUPP when @over cannot be had.
 */
int mlkd_probes_arm(struct mlkd_space *space, bool over)
{
	int err;

	if (mlkd_calls_grow(space))
		return -ENOMEM;
	if (space->armed && !over)
		return 0;
	mutex_lock(&arm_mutex);
	err = register_probes(over);
	if (!err) {
		nr_armed += !space->armed;
		space->armed = true;
	} else {
		if (err != -ENOMEM)
			pr_warn_once("memlockd: no kprobe on %s (%d): new mappings are not pinned\n",
				     probes[nr_registered].kprobe.symbol_name, err);
		/* The probes that were registered go later, as if they had been in use. */
		if (!nr_armed)
			mlkd_linger(&linger);
	}
	mutex_unlock(&arm_mutex);
	if (err && over)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	return err == -ENOMEM ? err : 0;
}

/**
 * mlkd_probes_fire - see whether probes are hit
 *
 * Return: false if they are not all in place, or not hit.
 */
bool mlkd_probes_fire(void)
{
	bool in_place;

	mutex_lock(&arm_mutex);
	in_place = nr_registered >= nr_probes(false);
	mutex_unlock(&arm_mutex);
	return in_place && mlkd_canary_alive();
}

/**
 * mlkd_probes_rest - @space does not need the probes for now
 * @space: its claim is held, or it has ended
 */
void mlkd_probes_rest(struct mlkd_space *space)
{
	bool armed = space->armed;

	WRITE_ONCE(space->armed, false);
	if (!armed)
		return;
	mutex_lock(&arm_mutex);
	if (!--nr_armed)
		mlkd_linger(&linger);
	mutex_unlock(&arm_mutex);
}

/**
 * mlkd_probes_disarm - @space does not need the probes any more
 * @space: its claim is held, or it has ended
 */
void mlkd_probes_disarm(struct mlkd_space *space)
{
	mlkd_probes_rest(space);
	mlkd_calls_close(space);
}

int __init mlkd_probes_init(void)
{
	pinner = alloc_workqueue("memlockd_pin", WQ_UNBOUND, 0);
	if (!pinner)
		return -ENOMEM;
	mlkd_calls_init(run_call);
	return 0;
}

/* Nothing is locked any more. */
void mlkd_probes_exit(void)
{
	mlkd_linger_end(&linger);
	mlkd_task_works_exit();
	destroy_workqueue(pinner);
}
