/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between processors, for arm64: how system calls are named and called, and what
 * the processor notes in page tables.
 */
#ifndef _MEMLOCKD_ARCH_ARM64_H
#define _MEMLOCKD_ARCH_ARM64_H

#include <linux/ptrace.h>
#include <asm/cpufeature.h>
#include <asm/mmu.h>

/*
 * The wrapper of a system call.  32-bit callers come to the same one for all that is probed
 * by this name, as they pass the same arguments.
 */
#define MLKD_SYSCALL(name)	"__arm64_sys_" #name

/* The numbers of madvise(2), mmap2(2) and brk(2) of 32-bit callers. */
#define MLKD_COMPAT_NR_MADVISE	220
#define MLKD_COMPAT_NR_MMAP2	192
#define MLKD_COMPAT_NR_BRK	45

/* An argument of the function that a kprobe stands at the entry of. */
static inline void mlkd_set_kernel_argument(struct pt_regs *regs, unsigned int nr,
					    unsigned long value)
{
	regs->regs[nr] = value;
}

/* The third argument of the system call that @regs, those of user space, have made. */
static inline void mlkd_set_third_argument(struct pt_regs *regs, unsigned long value,
					   bool compat)
{
	regs->regs[2] = value;
}

/*
 * Has the system call done once more, as for -ERESTARTNOINTR, which only the handling
 * of signals looks for.  The register with its number is as it was.
 */
static inline void mlkd_do_again(struct pt_regs *regs)
{
	regs->regs[0] = regs->orig_x0;
	regs->pc -= compat_thumb_mode(regs) ? 2 : 4;
}

/* No tracepoints tell of page faults there. */
#define MLKD_FAULT_TRACEPOINTS

/* Does a page fault write?  @error is the last argument of its tracepoint. */
static inline bool mlkd_fault_writes(unsigned long error)
{
	return false;
}

static inline bool mlkd_fault_fetches(unsigned long error)
{
	return false;
}

/* Says whether @task, a thread, may access I/O ports.  There are none. */
static inline bool mlkd_has_io_ports(struct task_struct *task)
{
	return false;
}

/* Where [vdso] of @mm begins; 0 if it has none. */
static inline unsigned long mlkd_vdso_start(struct mm_struct *mm)
{
	return (unsigned long)mm->context.vdso;
}

/*
 * Does each processor set the flags in a page-table entry that say that its page has been
 * accessed and written to?  One that does not takes a fault instead.  HAFDBS, the lowest four
 * bits, is 1 for the access flag and 2 for both; here it is the least of all processors'.
 */
static inline bool mlkd_cpu_sets_flags(void)
{
	return IS_ENABLED(CONFIG_ARM64_HW_AFDBM) && cpus_have_cap(ARM64_HW_DBM) &&
	       (read_sanitised_ftr_reg(SYS_ID_AA64MMFR1_EL1) & 0xf) >= 2;
}

#endif /* _MEMLOCKD_ARCH_ARM64_H */
