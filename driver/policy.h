/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each state asks of each kind of mapping.
 */
#ifndef _MEMLOCKD_POLICY_H
#define _MEMLOCKD_POLICY_H

#include <linux/mm_types.h>
#include <linux/memlockd.h>

/**
 * struct mlkd_mode - what a client asks for, or what a process has
 * @state: &enum memlockd_state
 * @flags: &enum memlockd_lock_flags
 */
struct mlkd_mode {
	u32 state;
	u32 flags;
};

/**
 * struct mlkd_want - what a mode asks of one mapping
 * @locked: VM_LOCKED, and so counted against RLIMIT_MEMLOCK
 * @present: its pages are faulted in
 * @pinned: and pinned
 * @held: and held, as others may map them, too; only with @pinned
 * @fault: made present by plain faults, as GUP refuses it
 * @gup_flags: how to fault them in, and to pin them
 */
struct mlkd_want {
	bool locked;
	bool present;
	bool pinned;
	bool held;
	bool fault;
	unsigned int gup_flags;
};

struct mlkd_mode mlkd_mode_join(struct mlkd_mode a, struct mlkd_mode b);
bool mlkd_mode_pins_future(struct mlkd_mode mode);
bool mlkd_stack_by_pins(struct vm_area_struct *vma, struct mlkd_mode mode);
struct mlkd_want mlkd_want(struct vm_area_struct *vma, struct mlkd_mode mode);

bool mlkd_vma_lockable(struct vm_area_struct *vma);
enum memlockd_kind mlkd_kind(struct vm_area_struct *vma);
bool mlkd_vma_private(struct vm_area_struct *vma);
bool mlkd_vma_kernel(struct vm_area_struct *vma);
bool mlkd_vma_vvar(struct vm_area_struct *vma);
bool mlkd_vma_clocks(struct vm_area_struct *vma);
bool mlkd_vma_writeback(struct vm_area_struct *vma);
bool mlkd_vma_served(struct vm_area_struct *vma);
bool mlkd_vma_fuse(struct vm_area_struct *vma);
bool mlkd_vma_droppable(struct vm_area_struct *vma);
unsigned long mlkd_vma_file_end(struct vm_area_struct *vma);
dev_t mlkd_vma_dev(struct vm_area_struct *vma);

#endif /* _MEMLOCKD_POLICY_H */
