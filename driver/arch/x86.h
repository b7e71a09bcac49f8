/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between processors, for x86-64: how system calls are named and called, what
 * tells of page faults, and what the processor notes in page tables.
 */
#ifndef _MEMLOCKD_ARCH_X86_H
#define _MEMLOCKD_ARCH_X86_H

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <asm/mmu.h>
#include <asm/trap_pf.h>

/* The wrapper of a system call, of 64-bit and of 32-bit callers. */
#define MLKD_SYSCALL(name)	"__x64_sys_" #name
#ifdef CONFIG_IA32_EMULATION
#define MLKD_COMPAT_SYSCALL(name)	"__ia32_sys_" #name
#endif

/* The numbers of madvise(2), mmap2(2) and brk(2) of 32-bit callers. */
#define MLKD_COMPAT_NR_MADVISE	219
#define MLKD_COMPAT_NR_MMAP2	192
#define MLKD_COMPAT_NR_BRK	45

/* An argument of the function that a kprobe stands at the entry of. */
static inline void mlkd_set_kernel_argument(struct pt_regs *regs, unsigned int nr,
					    unsigned long value)
{
	switch (nr) {
	case 2:
		regs->dx = value;
		break;
	case 3:
		regs->cx = value;
		break;
	default:
		WARN_ON_ONCE(1);
	}
}

/* The third argument of the system call that @regs, those of user space, have made. */
static inline void mlkd_set_third_argument(struct pt_regs *regs, unsigned long value,
					   bool compat)
{
	regs->dx = value;
}

/*
 * Has the system call done once more, as for -ERESTARTNOINTR, which only the handling
 * of signals looks for.
 */
static inline void mlkd_do_again(struct pt_regs *regs)
{
	regs->ax = regs->orig_ax;
	regs->ip -= 2;
}

/*
 * The tracepoints of the page faults that user space takes, and that the kernel takes.  A
 * processor that has none leaves this empty.
 */
#define MLKD_FAULT_TRACEPOINTS	"page_fault_user", "page_fault_kernel"

/* Does a page fault write?  @error is the last argument of its tracepoint. */
static inline bool mlkd_fault_writes(unsigned long error)
{
	return error & X86_PF_WRITE;
}

static inline bool mlkd_fault_fetches(unsigned long error)
{
	return error & X86_PF_INSTR;
}

/* Says whether @task, a thread, may access I/O ports. */
static inline bool mlkd_has_io_ports(struct task_struct *task)
{
#ifdef CONFIG_X86_IOPL_IOPERM
	return READ_ONCE(task->thread.io_bitmap) || READ_ONCE(task->thread.iopl_emul) == 3;
#else
	return false;
#endif
}

/* Where [vdso] of @mm begins; 0 if it has none. */
static inline unsigned long mlkd_vdso_start(struct mm_struct *mm)
{
	return (unsigned long)mm->context.vdso;
}

/*
 * Does each processor set the flags in a page-table entry that say that its page has been
 * accessed and written to?  One that does not takes a fault instead.
 */
static inline bool mlkd_cpu_sets_flags(void)
{
	return true;
}

#endif /* _MEMLOCKD_ARCH_X86_H */
