/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errands: what a kernel thread does for a caller who need not wait until it ends.
 */
#ifndef _MEMLOCKD_ERRAND_H
#define _MEMLOCKD_ERRAND_H

#include <linux/completion.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct mem_cgroup;
struct mm_struct;

/**
 * struct mlkd_errand - something that a thread does for a caller
 * @run: does it; in a thread that borrows @mm if @borrows is set
 * @free: gives up what the errand has kept, and frees it
 * @useless: says whether nobody wants it any more; the caller asks while he waits
 * @mm: an address space, of which the caller holds a user
 * @memcg: the memory cgroup that pays for what the thread allocates
 * @borrows: current->mm is @mm in the thread
 * @brief: it waits for nobody, and fails where it would have to; so the thread need not
 *	be one of its own, which costs more than a small process does otherwise
 * @work: of a brief one
 * @ref: one for the caller, one for the thread
 * @done: completed when @run is over
 * @thread: of any other, its thread, with a reference, while the caller has its reference
 *	to the errand
 * @lock: protects the rest
 * @stopped: the thread is to end soon
 * @waits: the thread waits for somebody who need not ever answer, and then for nothing
 *	that is the caller's
 * @since: since when, in jiffies
 * @needs_mm: it uses @mm during that wait, or the core kernel does
 * @left: the caller has gone on: the thread does nothing more
 * @keeps_mm: and has a user of @mm
 * @at: the address that it waits for
 * @dev: the device of the file system that it waits for
 */
struct mlkd_errand {
	void (*run)(struct mlkd_errand *errand);
	void (*free)(struct mlkd_errand *errand);
	bool (*useless)(struct mlkd_errand *errand);
	struct mm_struct *mm;
	struct mem_cgroup *memcg;
	bool borrows;
	bool brief;
	struct work_struct work;
	refcount_t ref;
	struct completion done;
	struct task_struct *thread;
	spinlock_t lock;	/* @stopped to @dev */
	bool stopped;
	bool waits;
	unsigned long since;
	bool needs_mm;
	bool left;
	bool keeps_mm;
	unsigned long at;
	dev_t dev;
};

extern int mlkd_server_timeout;

int mlkd_errand_start(struct mlkd_errand *errand);
int mlkd_errand_wait(struct mlkd_errand *errand);
void mlkd_errand_put(struct mlkd_errand *errand);

bool mlkd_errand_stopped(struct mlkd_errand *errand);
bool mlkd_errand_wait_begin(struct mlkd_errand *errand, unsigned long at, dev_t dev,
			    bool needs_mm);
bool mlkd_errand_wait_end(struct mlkd_errand *errand);

/* The thread that waits has got something: the time begins anew. */
static inline void mlkd_errand_progress(struct mlkd_errand *errand)
{
	WRITE_ONCE(errand->since, jiffies);
}

#endif /* _MEMLOCKD_ERRAND_H */
