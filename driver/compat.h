/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that memlockd builds for.  No other file
 * tests a kernel's version: they are written for the newest interface, and this
 * one makes older kernels look like it.
 */
#ifndef _MEMLOCKD_COMPAT_H
#define _MEMLOCKD_COMPAT_H

#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/sched/coredump.h>
#include <linux/sysctl.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "memlockd needs Linux 6.1 or newer"
#endif

#ifndef CONFIG_MMU_NOTIFIER
#error "memlockd needs a kernel with CONFIG_MMU_NOTIFIER"
#endif

#ifndef CONFIG_HMM_MIRROR
#error "memlockd needs a kernel with CONFIG_HMM_MIRROR, for hmm_range_fault()"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	lockdep_assert_held_write(&vma->vm_mm->mmap_lock);
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	lockdep_assert_held_write(&vma->vm_mm->mmap_lock);
	vma->vm_flags &= ~flags;
}
#endif

/* Is @mm, which @task has, no image of a set-user-ID program or the like? */
static inline bool mlkd_dumpable(struct task_struct *task, struct mm_struct *mm)
{
	return get_dumpable(mm) == SUID_DUMP_USER;
}

/* Handlers of sysctls, and where their tables end. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define mlkd_ctl_table		struct ctl_table
#define MLKD_CTL_TABLE_END	{}
#else
#define mlkd_ctl_table		const struct ctl_table
#define MLKD_CTL_TABLE_END
#endif

/* Is current in a system call with another table of numbers? */
static inline bool mlkd_compat_syscall(void)
{
#ifdef CONFIG_COMPAT
	return in_compat_syscall();
#else
	return false;
#endif
}

/*
 * The remote GUP calls.  None of our callers wants the VMAs.
 *
 * Before 6.5 a long-term pin must not drop mmap_lock.  Ours never do on any
 * kernel: they find what is there (FOLL_NOFAULT), and faulting is done apart.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
static inline long mlkd_pin_remote(struct mm_struct *mm, unsigned long start,
				   unsigned long nr, unsigned int gup_flags,
				   struct page **pages)
{
	return pin_user_pages_remote(mm, start, nr, gup_flags, pages, NULL, NULL);
}

static inline long mlkd_gup_remote(struct mm_struct *mm, unsigned long start,
				   unsigned long nr, unsigned int gup_flags,
				   struct page **pages, int *locked)
{
	return get_user_pages_remote(mm, start, nr, gup_flags, pages, NULL, locked);
}
#else
static inline long mlkd_pin_remote(struct mm_struct *mm, unsigned long start,
				   unsigned long nr, unsigned int gup_flags,
				   struct page **pages)
{
	return pin_user_pages_remote(mm, start, nr, gup_flags, pages, NULL);
}

static inline long mlkd_gup_remote(struct mm_struct *mm, unsigned long start,
				   unsigned long nr, unsigned int gup_flags,
				   struct page **pages, int *locked)
{
	return get_user_pages_remote(mm, start, nr, gup_flags, pages, locked);
}
#endif

#endif /* _MEMLOCKD_COMPAT_H */
