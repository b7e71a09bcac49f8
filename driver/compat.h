/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that memlockd builds for.  No other file
 * tests a kernel's version: they are written for the newest interface, and this
 * one makes older kernels look like it.
 */
#ifndef _MEMLOCKD_COMPAT_H
#define _MEMLOCKD_COMPAT_H

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/magic.h>
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

#ifdef MEMLOCKD_EXEC_STATE
#include <linux/sched/exec_state.h>
#endif

#ifdef MEMLOCKD_FOLIO_BATCH
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

#ifndef MEMLOCKD_DFL_WQ
#define system_dfl_wq		system_unbound_wq
#define system_percpu_wq	system_wq
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

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/* All page faults are under mmap_lock. */
static inline void vma_start_write(struct vm_area_struct *vma) {}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
/* Older kernels map nothing by a huge entry that has no struct page. */
static inline bool pmd_special(pmd_t pmd)
{
	return false;
}
#endif

/* The marks that MADV_GUARD_INSTALL leaves in page tables. */
#ifdef MEMLOCKD_LEAFOPS
#include <linux/leafops.h>
#else
#include <linux/swap.h>
#include <linux/swapops.h>
#endif
#define MLKD_MADV_GUARD_INSTALL	102
#define MLKD_MADV_GUARD_REMOVE	103

/*
 * Unmaps what is private, in a part of one mapping, under mmap_lock held for reading.  Not
 * each kernel has that for modules.
 */
#if defined(MEMLOCKD_ZAP_VMA_RANGE) || defined(MEMLOCKD_ZAP_PAGE_RANGE_SINGLE) || \
	defined(MEMLOCKD_ZAP_PAGE_RANGE)
#define MLKD_HAS_ZAP	1
#else
#define MLKD_HAS_ZAP	0
#endif
static inline void mlkd_zap(struct vm_area_struct *vma, unsigned long start,
			    unsigned long size)
{
#if defined(MEMLOCKD_ZAP_VMA_RANGE)
	zap_vma_range(vma, start, size);
#elif defined(MEMLOCKD_ZAP_PAGE_RANGE_SINGLE)
	zap_page_range_single(vma, start, size, NULL);
#elif defined(MEMLOCKD_ZAP_PAGE_RANGE)
	zap_page_range(vma, start, size);
#endif
}

/*
 * Has the flags of @vma to itself, with mmap_lock held for writing.  A fault that reads a file
 * holds a lock of @vma alone, where a kernel tries faults again under that.  Returns -EINTR
 * when current is killed meanwhile.
 */
static inline int mlkd_vma_lock_killable(struct vm_area_struct *vma)
{
#ifdef MEMLOCKD_VMA_KILLABLE
	return vma_start_write_killable(vma);
#else
	return 0;
#endif
}

/* Has mseal(2) sealed it? */
static inline bool mlkd_vma_sealed(struct vm_area_struct *vma)
{
#ifdef VM_SEALED
	return vma->vm_flags & VM_SEALED;
#else
	return false;
#endif
}

/* PR_SET_MEMORY_MERGE, which is younger than Linux 6.1. */
#define MLKD_PR_SET_MEMORY_MERGE	67

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define MLKD_HAS_GUARDS	1
static inline bool mlkd_pte_guard(pte_t pte)
{
#ifdef MEMLOCKD_LEAFOPS
	return !pte_present(pte) && softleaf_is_guard_marker(softleaf_from_pte(pte));
#else
	return is_swap_pte(pte) && is_guard_swp_entry(pte_to_swp_entry(pte));
#endif
}
#else
#define MLKD_HAS_GUARDS	0
static inline bool mlkd_pte_guard(pte_t pte)
{
	return false;
}
#endif

/* Says whether @pte, which is neither none nor present, stands for a page in swap space. */
static inline bool mlkd_pte_swapped(pte_t pte)
{
#ifdef MEMLOCKD_LEAFOPS
	return softleaf_is_swap(softleaf_from_pte(pte));
#else
	return !non_swap_entry(pte_to_swp_entry(pte));
#endif
}

/* Says whether it stands for a page that is being migrated. */
static inline bool mlkd_pte_migrates(pte_t pte)
{
#ifdef MEMLOCKD_LEAFOPS
	return softleaf_is_migration(softleaf_from_pte(pte));
#else
	return is_migration_entry(pte_to_swp_entry(pte));
#endif
}

/*
 * mlkd_dumpable() is false if @mm, which @task has, is the image of a set-user-ID program
 * or the like.  mlkd_mm_capable() says whether the caller has @cap over it.
 */
#ifdef MEMLOCKD_EXEC_STATE
static inline bool mlkd_dumpable(struct task_struct *task, struct mm_struct *mm)
{
	struct task_exec_state *state;
	bool ret;

	rcu_read_lock();
	state = rcu_dereference(task->exec_state);
	ret = state && READ_ONCE(state->dumpable) == TASK_DUMPABLE_OWNER;
	rcu_read_unlock();
	return ret;
}

static inline bool mlkd_mm_capable(struct task_struct *task, struct mm_struct *mm,
				   int cap)
{
	struct task_exec_state *state;
	bool ret;

	rcu_read_lock();
	state = rcu_dereference(task->exec_state);
	ret = state && ns_capable(state->user_ns, cap);
	rcu_read_unlock();
	return ret;
}
#else
static inline bool mlkd_dumpable(struct task_struct *task, struct mm_struct *mm)
{
	return get_dumpable(mm) == SUID_DUMP_USER;
}

static inline bool mlkd_mm_capable(struct task_struct *task, struct mm_struct *mm,
				   int cap)
{
	return ns_capable(mm->user_ns, cap);
}
#endif

/* The handlers of sysctls get constant tables since 6.11, which need no last entry. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define mlkd_ctl_table		struct ctl_table
#define MLKD_CTL_TABLE_END	{}
#else
#define mlkd_ctl_table		const struct ctl_table
#define MLKD_CTL_TABLE_END
#endif

/*
 * Returns the process that a pidfd stands for, or NULL if @file is no pidfd.  A pidfd lies
 * in a file system of its own since 6.9.  Before, it was an anonymous file with that name,
 * which nobody but the kernel can give to a file.
 */
static inline struct pid *mlkd_pidfd_pid(struct file *file)
{
	struct inode *inode = file_inode(file);

#ifdef PID_FS_MAGIC
	if (inode->i_sb->s_magic == PID_FS_MAGIC)
		return inode->i_private;
#endif
	if (inode->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	    !strcmp(file->f_path.dentry->d_name.name, "[pidfd]"))
		return file->private_data;
	return NULL;
}

/* Threads of a process that run in the kernel only.  Before 6.4 there were only io_uring's. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define MLKD_PF_USER_WORKER	PF_IO_WORKER
#else
#define MLKD_PF_USER_WORKER	PF_USER_WORKER
#endif

/* Says whether current is in a system call of 32 bits, which has other numbers. */
static inline bool mlkd_compat_syscall(void)
{
#ifdef CONFIG_COMPAT
	return in_compat_syscall();
#else
	return false;
#endif
}

/* This function finds an address for a mapping.  brk(2) calls it before it looks at limits. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define MLKD_GET_UNMAPPED_AREA	"get_unmapped_area"
#else
#define MLKD_GET_UNMAPPED_AREA	"__get_unmapped_area"
#endif

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

/*
 * Pins what is mapped at @start of current's address space, without a lock, up to
 * the first page that is not, or may not be written to, or is not for the long
 * term; returns how many pages.  Three times as fast as the remote call, on
 * kernels that have it for modules.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
static inline long mlkd_pin_fast(unsigned long start, unsigned long nr,
				 unsigned int gup_flags, struct page **pages)
{
	return pin_user_pages_fast_only(start, nr, gup_flags, pages);
}
#else
static inline long mlkd_pin_fast(unsigned long start, unsigned long nr,
				 unsigned int gup_flags, struct page **pages)
{
	return 0;
}
#endif

#endif /* _MEMLOCKD_COMPAT_H */
