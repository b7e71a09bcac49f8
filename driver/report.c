// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report of what a process has locked, mapping by mapping.
 *
 * Nothing is remembered for this.  The page tables are read, as they say what an access
 * would find.  So the report tells the state as it is now, whatever has happened to
 * the process since the lock.
 */
#include <linux/dax.h>
#include <linux/hugetlb.h>
#include <linux/memlockd.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "pgtable.h"
#include "report.h"
#include "space.h"
#include "turn.h"

/**
 * struct mlkd_report - a report in the making
 * @mm: the address space; a user of it is held
 * @space: its space; NULL if it is not locked
 * @mode: the mode that it has been promised
 * @fresh: it has just been locked, so that what has been pinned is what is mapped
 * @audit: what would fault is of interest, too
 * @guarded: bytes of the mapping at hand that are guard pages: nothing can be present
 *	there, as where there is no access
 * @told: where the last mapping ended.  What has been merged with that meanwhile is
 *	reported from here on
 * @turn: its turns at mmap_lock
 * @pace: their pace
 */
struct mlkd_report {
	struct mm_struct *mm;
	struct mlkd_space *space;
	struct mlkd_mode mode;
	bool fresh;
	bool audit;
	unsigned long guarded;
	unsigned long told;
	struct mlkd_turn turn;
	struct mlkd_pace pace;
};

/**
 * mlkd_report_begin - begin a report of a process
 * @mm: its address space
 * @fresh: as in &mlkd_report.fresh
 *
 * Return: the report, or ERR_PTR(): -ESRCH, -ENOMEM.
 */
struct mlkd_report *mlkd_report_begin(struct mm_struct *mm, bool fresh)
{
	struct mlkd_report *report = kzalloc(sizeof(*report), GFP_KERNEL_ACCOUNT);

	if (!report)
		return ERR_PTR(-ENOMEM);
	if (!mmget_not_zero(mm)) {
		kfree(report);
		return ERR_PTR(-ESRCH);
	}
	report->mm = mm;
	report->turn.mm = mm;
	report->turn.pace = &report->pace;
	report->fresh = fresh;
	report->space = mlkd_space_find(report->mm);
	if (report->space)
		report->mode = mlkd_space_promised(report->space);
	return report;
}

void mlkd_report_end(struct mlkd_report *report)
{
	if (report->space)
		mlkd_space_put(report->space);
	mmput(report->mm);
	kfree(report);
}

/* Says whether @vma has pages that an access could find. */
static bool readable(struct vm_area_struct *vma)
{
	return vma_is_accessible(vma) && !(vma->vm_flags & (VM_IO | VM_PFNMAP));
}

/* These things are known of a mapping without a look at its page tables. */
struct facts {
	struct mlkd_mode mode;		/* the mode that it has been promised */
	struct mlkd_want want;
	enum memlockd_reason reason;	/* why mappings of its kind have less */
	enum memlockd_cause cause;	/* why its pages fault, where its kind says it; or NONE */
	enum memlockd_cause not_mapped;	/* else what it means that they are not mapped */
	enum memlockd_cause protected;	/* and that they are write-protected */
	unsigned long file_end;
	bool readable;
	bool covered;
	bool armed;			/* a userfaultfd monitor has some of it in its hands */
	bool silent;			/* its server has not answered */
	bool clockless;			/* it is [vvar], and the clocks are not mapped there */
};

static enum memlockd_reason kind_reason(struct mlkd_mode mode,
					struct vm_area_struct *vma)
{
	bool superlocked = mode.state == MEMLOCKD_STATE_SUPERLOCKED;

	if (mlkd_vma_kernel(vma))
		return MEMLOCKD_REASON_KERNEL;
	if (!vma_is_accessible(vma))
		return MEMLOCKD_REASON_NO_ACCESS;
	if (mlkd_kind(vma) == MEMLOCKD_KIND_SPECIAL)
		return MEMLOCKD_REASON_DEVICE;
	if (vma_is_dax(vma))
		return MEMLOCKD_REASON_DAX;
	if (mlkd_vma_droppable(vma))
		return MEMLOCKD_REASON_DROPPABLE;
	if (!superlocked || mlkd_want(vma, mode).pinned ||
	    mlkd_kind(vma) == MEMLOCKD_KIND_SECRETMEM)
		return MEMLOCKD_REASON_NONE;
	if (mlkd_vma_writeback(vma))
		return MEMLOCKD_REASON_WRITEBACK;
	return MEMLOCKD_REASON_SHARED;
}

/*
 * Says whether the next look at a clock faults.  The core kernel unmaps all of [vvar] from a
 * process that enters another time namespace; and a worker can map only its own namespace's.
 */
static bool clockless(struct vm_area_struct *vma)
{
	unsigned long end;
	bool used;

	if (!mlkd_vma_clocks(vma))
		return false;
	end = mlkd_pgtable_run(vma->vm_mm, vma->vm_start, vma->vm_end, MLKD_USED, &used);
	return !used && end >= vma->vm_end;
}

/* Why pages of @vma fault, whatever their entries say; NONE where these do. */
static enum memlockd_cause kind_cause(struct vm_area_struct *vma, bool clocks_missing)
{
	if (mlkd_vma_kernel(vma))
		return clocks_missing ? MEMLOCKD_CAUSE_NOT_MAPPED : MEMLOCKD_CAUSE_KERNEL;
	return readable(vma) ? MEMLOCKD_CAUSE_NONE : MEMLOCKD_CAUSE_DEVICE;
}

/* A monitor can have asked to be told of what is not there, and of what is protected. */
static bool monitor_of_absent(struct vm_area_struct *vma)
{
	return userfaultfd_missing(vma) || userfaultfd_minor(vma);
}

static bool monitor_of_protected(struct vm_area_struct *vma)
{
	return userfaultfd_wp(vma) || (userfaultfd_armed(vma) && !monitor_of_absent(vma));
}

static enum memlockd_cause protected_cause(struct vm_area_struct *vma)
{
	if (monitor_of_protected(vma))
		return MEMLOCKD_CAUSE_USERFAULTFD;
	if (mlkd_vma_private(vma))
		return MEMLOCKD_CAUSE_COPY_ON_WRITE;
	return mlkd_vma_writeback(vma) ? MEMLOCKD_CAUSE_WRITEBACK :
					 MEMLOCKD_CAUSE_WRITE_PROTECTED;
}

static void gather_facts(struct mlkd_report *report, struct vm_area_struct *vma,
			 struct facts *facts)
{
	bool clocks_missing;

	facts->mode = (struct mlkd_mode){};
	if (report->space)
		facts->mode = mlkd_space_mode_of(report->space, vma, report->mode);
	facts->want = mlkd_want(vma, facts->mode);
	facts->file_end = mlkd_vma_file_end(vma);
	facts->reason = kind_reason(facts->mode, vma);
	facts->covered = facts->mode.state != MEMLOCKD_STATE_UNLOCKED;
	facts->armed = userfaultfd_armed(vma);
	facts->silent = report->space && vma->vm_file &&
			mlkd_silent_has(&report->space->silent, vma);
	facts->readable = readable(vma);
	clocks_missing = (facts->covered || report->audit) && clockless(vma);
	facts->clockless = facts->covered && clocks_missing;
	if (report->audit) {
		facts->cause = kind_cause(vma, clocks_missing);
		facts->not_mapped = monitor_of_absent(vma) ? MEMLOCKD_CAUSE_USERFAULTFD :
							     MEMLOCKD_CAUSE_NOT_MAPPED;
		facts->protected = protected_cause(vma);
	}

	if (!facts->covered) {
		facts->reason = MEMLOCKD_REASON_NOT_COVERED;
	} else if ((facts->want.locked && !(vma->vm_flags & VM_LOCKED)) ||
		   mlkd_space_stack_over(report->space, vma, facts->mode)) {
		facts->covered = false;
		facts->reason = facts->mode.flags & MEMLOCKD_OVER_UNLOCKED ?
				MEMLOCKD_REASON_LIMIT : MEMLOCKD_REASON_DROPPED;
	}
}

/* Fills in state and reason, once the counts are there. */
static void judge(const struct facts *facts, u64 guarded, struct memlockd_mapping *row)
{
	u64 size = row->end - row->start - guarded;
	u64 inside = max_t(u64, facts->file_end, row->start) - row->start - guarded;

	row->reason = facts->reason;
	if (!facts->covered) {
		row->state = MEMLOCKD_STATE_UNLOCKED;
		return;
	}

	if (facts->clockless) {
		row->state = MEMLOCKD_STATE_UNLOCKED;
		row->reason = MEMLOCKD_REASON_NOT_PRESENT;
		return;
	}

	switch (facts->reason) {
	case MEMLOCKD_REASON_DEVICE:
	case MEMLOCKD_REASON_DAX:
	case MEMLOCKD_REASON_DROPPABLE:
		row->state = MEMLOCKD_STATE_UNLOCKED;
		return;
	case MEMLOCKD_REASON_KERNEL:
	case MEMLOCKD_REASON_NO_ACCESS:
		row->state = MEMLOCKD_STATE_LOCKED;
		return;
	default:
		break;
	}

	/* The first reason that applies, in the order of the enum, but for the server. */
	if (facts->armed && row->resident < size)
		row->reason = MEMLOCKD_REASON_USERFAULTFD;
	else if (facts->silent && row->resident < inside)
		row->reason = MEMLOCKD_REASON_SERVER;
	else if (inside < size)
		row->reason = MEMLOCKD_REASON_END_OF_FILE;
	else if (row->reason != MEMLOCKD_REASON_NONE)
		;	/* WRITEBACK, SHARED */
	else if (row->resident < inside)
		row->reason = MEMLOCKD_REASON_NOT_PRESENT;
	else if (facts->want.pinned && row->pinned < inside)
		row->reason = MEMLOCKD_REASON_NOT_PINNED;

	if (row->resident < inside)
		row->state = MEMLOCKD_STATE_UNLOCKED;
	else if (facts->reason == MEMLOCKD_REASON_WRITEBACK ||
		 facts->reason == MEMLOCKD_REASON_SHARED ||
		 (facts->mode.state == MEMLOCKD_STATE_SUPERLOCKED &&
		  facts->want.pinned && row->pinned < inside))
		row->state = MEMLOCKD_STATE_LOCKED;
	else
		row->state = facts->mode.state;
}

/* Notes why an access at @addr would fault, if it is the first one of @row that would. */
static void note_cause(struct mlkd_report *report, const struct facts *facts,
		       unsigned long addr, bool write, struct memlockd_mapping *row)
{
	enum memlockd_cause cause;

	if (row->cause != MEMLOCKD_CAUSE_NONE)
		return;
	row->cause = facts->cause;
	if (row->cause != MEMLOCKD_CAUSE_NONE)
		return;
	cause = mlkd_pgtable_cause(report->mm, addr, write);
	if (cause == MEMLOCKD_CAUSE_NOT_MAPPED)
		cause = facts->not_mapped;
	else if (cause == MEMLOCKD_CAUSE_WRITE_PROTECTED ||
		 (cause == MEMLOCKD_CAUSE_NUMA &&
		  facts->protected == MEMLOCKD_CAUSE_USERFAULTFD))
		/* Some monitors have pages protected as NUMA balancing does. */
		cause = facts->protected;
	row->cause = cause;
}

/* Counts what of [addr, end) would fault in a write, though not in a read. */
static void audit_writes(struct mlkd_report *report, const struct facts *facts,
			 unsigned long addr, unsigned long end,
			 struct memlockd_mapping *row)
{
	unsigned long next;
	bool allowed;

	for (; addr < end; addr = next) {
		next = mlkd_pgtable_run(report->mm, addr, end, MLKD_STORE, &allowed);
		if (allowed)
			continue;
		row->write_faults += next - addr;
		note_cause(report, facts, addr, true, row);
	}
}

/* Counts what of [addr, end) would fault.  Behind the end of a file that is a SIGBUS instead. */
static void audit(struct mlkd_report *report, const struct facts *facts,
		  unsigned long addr, unsigned long end, struct memlockd_mapping *row)
{
	unsigned long next;
	bool allowed;

	end = min(end, facts->file_end);
	for (; addr < end; addr = next) {
		next = mlkd_pgtable_run(report->mm, addr, end, MLKD_LOAD, &allowed);
		if (!allowed) {
			row->read_faults += next - addr;
			note_cause(report, facts, addr, false, row);
		}
		if (!(row->prot & PROT_WRITE))
			continue;
		if (allowed)
			audit_writes(report, facts, addr, next, row);
		else
			row->write_faults += next - addr;
	}
}

/* Counts the pages at the start of [addr, row->end) that are alike; returns where these end. */
static unsigned long count_run(struct mlkd_report *report, const struct facts *facts,
			       unsigned long addr, struct memlockd_mapping *row)
{
	unsigned long next;
	bool present;

	next = mlkd_pgtable_run(report->mm, addr, row->end, MLKD_READ, &present);
	if (!present && mlkd_guarded(report->mm, addr, next, &next))
		report->guarded += next - addr;
	if (facts->readable) {
		if (present)
			row->resident += next - addr;
		if (report->space && !report->fresh)
			row->pinned += mlkd_pins_count_mapped(&report->space->pins, addr,
							      next) << PAGE_SHIFT;
	}
	if (report->audit)
		audit(report, facts, addr, next, row);
	return next;
}

/*
 * Makes @row that of @vma.  It may take more than one turn, after which @vma may be gone.
 * Returns 0, in a turn; or -EINTR, in none.
 */
static int report_mapping(struct mlkd_report *report, struct vm_area_struct *vma,
			  struct memlockd_mapping *row)
{
	/* Looks at each page: one for each kind of run. */
	unsigned long addr, looks = report->audit ? 3 : 1;
	struct mlkd_turn *turn = &report->turn;
	struct facts facts;
	bool walked;

	report->guarded = 0;
	gather_facts(report, vma, &facts);
	*row = (struct memlockd_mapping) {
		.start = max(vma->vm_start, report->told),
		.end = vma->vm_end,
		.kind = mlkd_kind(vma),
		.prot = (vma->vm_flags & VM_READ ? PROT_READ : 0) |
			(vma->vm_flags & VM_WRITE ? PROT_WRITE : 0) |
			(vma->vm_flags & VM_EXEC ? PROT_EXEC : 0),
	};
	if (report->space && (report->fresh || !facts.readable))
		row->pinned = mlkd_pins_count(&report->space->pins, row->start,
					      row->end) << PAGE_SHIFT;

	walked = facts.readable || (report->audit && vma_is_accessible(vma));
	addr = walked ? row->start : row->end;
	while (addr < row->end) {
		unsigned long next = count_run(report, &facts, addr, row);
		bool over = mlkd_turn_over(turn, MLKD_COST_VMA +
						 looks * ((next - addr) >> PAGE_SHIFT));

		addr = next;
		/* If the mapping changes meanwhile, this counts what is left of it. */
		if (over && addr < row->end) {
			mlkd_turn_end(turn);
			if (fatal_signal_pending(current) || mlkd_turn_begin(turn))
				return -EINTR;
		}
	}
	judge(&facts, report->guarded, row);
	report->told = row->end;
	return 0;
}

/**
 * mlkd_report_rows - report the next mappings
 * @report: the report
 * @addr: where to look
 * @rows: set to the mapping that contains @addr, or the next behind it, and those that follow
 * @max: how many rows there is room for
 *
 * Return: how many rows there are, with time for one turn at mmap_lock; 0 when there is no
 * further mapping; -EINTR when the caller is being killed.
 */
int mlkd_report_rows(struct mlkd_report *report, unsigned long addr,
		     struct memlockd_mapping *rows, unsigned int max)
{
	struct mlkd_turn *turn = &report->turn;
	struct vm_area_struct *vma;
	unsigned int nr = 0;
	bool over = false;

	report->audit = true;
	if (fatal_signal_pending(current) || mlkd_turn_begin(turn))
		return -EINTR;
	while (nr < max && !over) {
		vma = find_vma(report->mm, addr);
		if (!vma)
			break;
		if (report_mapping(report, vma, &rows[nr]))
			return -EINTR;
		addr = rows[nr++].end;
		over = mlkd_turn_over(turn, MLKD_COST_VMA);
	}
	mlkd_turn_end(turn);
	return nr;
}

/* Says whether the mapping has less than was asked for, in a way that could matter. */
static bool incomplete(const struct memlockd_mapping *row)
{
	switch (row->reason) {
	case MEMLOCKD_REASON_NONE:
	case MEMLOCKD_REASON_NO_ACCESS:
	case MEMLOCKD_REASON_KERNEL:
		return false;
	default:
		return true;
	}
}

/**
 * mlkd_report_sum - sum up a report of all mappings
 * @report: the report
 * @sum: all zero; set to the sum
 *
 * Return: 0; or -EINTR when the caller is being killed.
 */
int mlkd_report_sum(struct mlkd_report *report, struct mlkd_sum *sum)
{
	struct mlkd_turn *turn = &report->turn;
	struct memlockd_mapping row = {};
	struct vm_area_struct *vma;

	do {
		if (fatal_signal_pending(current) || mlkd_turn_begin(turn))
			return -EINTR;
		while ((vma = find_vma(report->mm, row.end))) {
			bool forked = vma->anon_vma;

			if (report_mapping(report, vma, &row))
				return -EINTR;
			sum->mappings++;
			sum->incomplete += incomplete(&row);
			/*
			 * fork(2) takes pages of hugetlbfs from their own pool, and copies none
			 * of a mapping that has nothing but a file's.
			 */
			if (forked && row.kind != MEMLOCKD_KIND_HUGETLB)
				sum->fork_copy += row.pinned;
			if (mlkd_turn_over(turn, MLKD_COST_VMA))
				break;
		}
		mlkd_turn_end(turn);
	} while (vma);
	return 0;
}

/* Sets *@addr to where the mapping begins that mlkd_report_rows() would report; 0 if none. */
int mlkd_report_peek(struct mlkd_report *report, unsigned long *addr)
{
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(report->mm))
		return -EINTR;
	vma = find_vma(report->mm, *addr);
	*addr = vma ? vma->vm_start : 0;
	mmap_read_unlock(report->mm);
	return 0;
}
