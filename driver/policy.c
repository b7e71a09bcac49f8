// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each state asks of each kind of mapping.
 *
 *		LOCKED|MOVABLE	LOCKED			SUPERLOCKED
 * private, w	VM_LOCKED	VM_LOCKED + pin		VM_LOCKED + pin
 * private, r/o	VM_LOCKED	VM_LOCKED		VM_LOCKED + own copy, pin
 * shared memory	VM_LOCKED	VM_LOCKED		VM_LOCKED + pin, held
 * shared files	VM_LOCKED	VM_LOCKED		VM_LOCKED
 * hugetlb	present		present, private w: pin	present + pin
 * PROT_NONE	VM_LOCKED, nothing made present, in every state
 * vdso, vvar	present, in every state
 * device	nothing (no pages), or present as after mlockall(2)
 *
 * VM_LOCKED alone keeps reclaim away from a page and from its page-table entry;
 * a pin alone does not (a shared page is unmapped before the pin is looked at).
 * Under OVER_UNLOCKED a stack that grows has a pin, in each state, and no VM_LOCKED, for
 * which the core kernel would end the process with SIGSEGV at the limit.
 * A pin keeps a private page where it is and out of copy-on-write.  On a shared
 * page it does harm by itself: compaction unmaps it, fails to move it, and comes back.  So
 * what is shared and pinned is held as well, which is what hold.c is about.
 */
#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>

#include "compat.h"
#include "pgtable.h"
#include "policy.h"

/* Says whether @mode allows that mappings made later stay unlocked. */
static bool may_leave_unlocked(struct mlkd_mode mode)
{
	return !(mode.flags & MEMLOCKD_FUTURE) || (mode.flags & MEMLOCKD_OVER_UNLOCKED);
}

/*
 * Returns the mode that gives both @a and @b what they ask for: the stronger state, the
 * flags of either, and MEMLOCKD_MOVABLE and MEMLOCKD_OVER_UNLOCKED if neither asks for
 * more.
 */
struct mlkd_mode mlkd_mode_join(struct mlkd_mode a, struct mlkd_mode b)
{
	const u32 either = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE | MEMLOCKD_HEAL |
			   MEMLOCKD_OVER_RAISE;
	struct mlkd_mode mode;

	if (a.state == MEMLOCKD_STATE_UNLOCKED)
		return b;
	mode.state = max(a.state, b.state);
	mode.flags = (a.flags | b.flags) & either;
	mode.flags |= a.flags & b.flags & MEMLOCKD_MOVABLE;
	if (may_leave_unlocked(a) && may_leave_unlocked(b))
		mode.flags |= (a.flags | b.flags) & MEMLOCKD_OVER_UNLOCKED;
	return mode;
}

/* Says whether a page of @vma that the process writes to becomes its own copy. */
bool mlkd_vma_private(struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE));
}

/* The name that the kernel has given @vma, or "". */
static const char *special_name(struct vm_area_struct *vma)
{
	const char *name = NULL;

	if (!vma->vm_file && vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	return name ?: "";
}

/*
 * Says whether @vma is the clocks' data, which depends on the time namespace, or what belongs
 * to that: a newer kernel has the clocks of hypervisors in [vvar_vclock].
 */
bool mlkd_vma_vvar(struct vm_area_struct *vma)
{
	return strstarts(special_name(vma), "[vvar");
}

/* Says whether @vma is the clocks' data itself, of which each machine has some. */
bool mlkd_vma_clocks(struct vm_area_struct *vma)
{
	return !strcmp(special_name(vma), "[vvar]");
}

/* Says whether @vma is [vdso] or [vvar], which the kernel puts into each process. */
bool mlkd_vma_kernel(struct vm_area_struct *vma)
{
	return strstarts(special_name(vma), "[vdso") || mlkd_vma_vvar(vma);
}

/* vma_is_secretmem() is not exported. */
static bool vma_secretmem(struct vm_area_struct *vma)
{
	return vma->vm_file &&
	       file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC;
}

/* Says whether each writeback write-protects the pages of @vma, which can be written to. */
bool mlkd_vma_writeback(struct vm_area_struct *vma)
{
	return !mlkd_vma_private(vma) && (vma->vm_flags & VM_WRITE) &&
	       vma->vm_ops && vma->vm_ops->page_mkwrite;
}

/*
 * Says whether a server has the pages of @vma: where it makes a page writable, it may wait
 * for that with mmap_lock held.
 */
bool mlkd_vma_served(struct vm_area_struct *vma)
{
	if (!vma->vm_file)
		return false;
	switch (vma->vm_file->f_mapping->host->i_sb->s_magic) {
	case FUSE_SUPER_MAGIC:
	case NFS_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case V9FS_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CODA_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/*
 * Says whether a program has the pages of @vma: it may take them out of memory at any time,
 * and not give them back.
 */
bool mlkd_vma_fuse(struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_file->f_mapping->host->i_sb->s_magic == FUSE_SUPER_MAGIC;
}

bool mlkd_vma_droppable(struct vm_area_struct *vma)
{
#ifdef VM_DROPPABLE
	return vma->vm_flags & VM_DROPPABLE;
#else
	return false;
#endif
}

/* Says whether @vma is a stack of return addresses, which user space writes by calls only. */
static bool shadow_stack(struct vm_area_struct *vma)
{
#ifdef VM_SHADOW_STACK
	return vma->vm_flags & VM_SHADOW_STACK;
#else
	return false;
#endif
}

enum memlockd_kind mlkd_kind(struct vm_area_struct *vma)
{
	if (is_vm_hugetlb_page(vma))
		return MEMLOCKD_KIND_HUGETLB;
	if (vma->vm_flags & VM_SPECIAL)
		return MEMLOCKD_KIND_SPECIAL;
	if (vma_secretmem(vma))
		return MEMLOCKD_KIND_SECRETMEM;
	/* A private mapping of /dev/zero keeps its file, but has none of its pages. */
	if (!vma->vm_file || vma_is_anonymous(vma))
		return MEMLOCKD_KIND_ANON;
	if (mlkd_vma_private(vma))
		return MEMLOCKD_KIND_FILE_PRIVATE;
	/* The mapping's inode is asked, as a device's node may lie in a tmpfs as well. */
	if (vma->vm_file->f_mapping->host->i_sb->s_magic == TMPFS_MAGIC)
		return MEMLOCKD_KIND_SHMEM;
	return MEMLOCKD_KIND_FILE_SHARED;
}

/* Returns the inode whose size says where the file behind @vma ends, or NULL. */
static struct inode *sized_inode(struct vm_area_struct *vma)
{
	struct inode *inode;

	if (!vma->vm_file || vma_is_anonymous(vma) || (vma->vm_flags & VM_SPECIAL))
		return NULL;
	/* The inode of a block device is not the one that was opened. */
	inode = vma->vm_file->f_mapping->host;
	if (inode->i_sb->s_magic == ANON_INODE_FS_MAGIC)
		return NULL;
	return S_ISREG(inode->i_mode) || S_ISBLK(inode->i_mode) ? inode : NULL;
}

/* Returns the address at which the file behind @vma ends: nothing can be present there. */
unsigned long mlkd_vma_file_end(struct vm_area_struct *vma)
{
	struct inode *inode = sized_inode(vma);
	unsigned long pages;

	if (!inode)
		return vma->vm_end;

	pages = DIV_ROUND_UP_ULL(i_size_read(inode), PAGE_SIZE);
	if (pages <= vma->vm_pgoff)
		return vma->vm_start;
	pages -= vma->vm_pgoff;
	if (pages >= vma_pages(vma))
		return vma->vm_end;
	return vma->vm_start + (pages << PAGE_SHIFT);
}

/* Says whether pins alone keep @vma, which is a stack, in memory under @mode. */
bool mlkd_stack_by_pins(struct vm_area_struct *vma, struct mlkd_mode mode)
{
	return (mode.flags & MEMLOCKD_OVER_UNLOCKED) && (vma->vm_flags & VM_GROWSDOWN) &&
	       mlkd_vma_private(vma);
}

/* Returns the device of the file system that has the pages of @vma; 0 where there is none. */
dev_t mlkd_vma_dev(struct vm_area_struct *vma)
{
	return vma->vm_file ? vma->vm_file->f_mapping->host->i_sb->s_dev : 0;
}

/**
 * mlkd_want - what @mode asks of @vma
 * @vma: the mapping; mmap_lock is held
 * @mode: the mode
 *
 * No other function decides this: requests, walks and reports all ask here.  VM_LOCKED
 * is for the mappings that mlock_fixup() sets it on.
 */
struct mlkd_want mlkd_want(struct vm_area_struct *vma, struct mlkd_mode mode)
{
	enum memlockd_kind kind = mlkd_kind(vma);
	bool write = vma->vm_flags & VM_WRITE;
	bool private = mlkd_vma_private(vma);
	struct mlkd_want want = {};

	if (mode.state == MEMLOCKD_STATE_UNLOCKED)
		return want;

	switch (kind) {
	case MEMLOCKD_KIND_SPECIAL:
		/*
		 * prefault_vvar() takes care of vvar.  Other special mappings
		 * get the pages that their device has, as after mlockall(2).
		 */
		want.present = vma_is_accessible(vma) && !mlkd_vma_vvar(vma) &&
			       !(vma->vm_flags & (VM_IO | VM_PFNMAP));
		return want;
	case MEMLOCKD_KIND_SECRETMEM:
		/* The kernel has locked it from the beginning, but not made it present. */
		want.fault = true;
		want.present = vma_is_accessible(vma);
		return want;
	default:
		break;
	}
	if (vma_is_dax(vma) || mlkd_vma_droppable(vma))
		return want;

	want.locked = kind != MEMLOCKD_KIND_HUGETLB && !mlkd_stack_by_pins(vma, mode);
	if (!vma_is_accessible(vma))
		return want;

	want.present = true;
	if (!want.locked && kind != MEMLOCKD_KIND_HUGETLB)
		want.pinned = true;
	else if (mode.state == MEMLOCKD_STATE_SUPERLOCKED)
		want.pinned = private || kind == MEMLOCKD_KIND_HUGETLB ||
			      kind == MEMLOCKD_KIND_SHMEM;
	else if (!(mode.flags & MEMLOCKD_MOVABLE))
		want.pinned = private && write;
	want.held = want.pinned && kind == MEMLOCKD_KIND_SHMEM;

	if (private && write)
		/* To a shadow stack GUP writes only by force. */
		want.gup_flags = FOLL_WRITE | (shadow_stack(vma) ? FOLL_FORCE : 0);
	else if (want.pinned && private && kind != MEMLOCKD_KIND_HUGETLB)
		/* A private copy instead of the page cache's page. */
		want.gup_flags = FOLL_WRITE | FOLL_FORCE;
	else if (want.held && write)
		want.gup_flags = FOLL_WRITE;
	else if ((mode.flags & MEMLOCKD_HEAL) && mlkd_vma_writeback(vma) &&
		 !mlkd_vma_served(vma))
		want.gup_flags = FOLL_WRITE;
	else if (write && mlkd_faults_for_flags() && kind != MEMLOCKD_KIND_HUGETLB &&
		 !mlkd_vma_writeback(vma))
		/* Nothing write-protects it, but what has only been read is not marked as dirty. */
		want.gup_flags = FOLL_WRITE;
	else if (!(vma->vm_flags & VM_READ))
		want.gup_flags = FOLL_FORCE;
	return want;
}

/* Says whether @mode pins memory that is mapped later. */
bool mlkd_mode_pins_future(struct mlkd_mode mode)
{
	return mode.state != MEMLOCKD_STATE_UNLOCKED &&
	       (mode.flags & MEMLOCKD_FUTURE) &&
	       (!(mode.flags & MEMLOCKD_MOVABLE) || (mode.flags & MEMLOCKD_OVER_UNLOCKED));
}

/* Says whether @vma can be VM_LOCKED. */
bool mlkd_vma_lockable(struct vm_area_struct *vma)
{
	struct mlkd_mode mode = { .state = MEMLOCKD_STATE_LOCKED };

	return mlkd_want(vma, mode).locked;
}
