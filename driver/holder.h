/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The holders of the locks of a process.
 */
#ifndef _MEMLOCKD_HOLDER_H
#define _MEMLOCKD_HOLDER_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "policy.h"

struct memlockd_holder;
struct memlockd_status;
struct mlkd_feed;
struct mlkd_space;

/* These flags of a lock are about its holder, not about the memory. */
#define MLKD_HOLDER_FLAGS	(MEMLOCKD_OWNED | MEMLOCKD_BYPASS | MEMLOCKD_NEED_PROBES)

/**
 * struct mlkd_holder - one lock of one process
 * @in_space: in the list of its space
 * @in_client: in the list of its client
 * @space: the space, once the holder is in its list.  This is no reference, as the
 *	holder ends with the space
 * @client: the open file or the rule that holds it, with a reference; NULL for its user
 * @id: its number
 * @mode: the mode that it asks for, with MLKD_HOLDER_FLAGS
 * @target: the process that was locked
 * @locker: the process that has asked for the lock
 * @uid: the real user ID of @locker
 * @locked_at: when the lock was complete, in ns of CLOCK_BOOTTIME
 * @duration: how long the locking call took, in ns
 * @minor_faults: how many faults the process had taken when it was locked
 * @major_faults: likewise
 *
 * The lists, and @space and @client, are protected by a spinlock of holder.c, which
 * is a leaf.  The rest does not change once the holder is in the lists.  Holders come
 * and go under the claim of their space, or when the space has ended; a client goes
 * without a claim.
 */
struct mlkd_holder {
	struct list_head in_space;
	struct list_head in_client;
	struct mlkd_space *space;
	struct mlkd_client *client;
	u64 id;
	struct mlkd_mode mode;
	struct pid *target;
	struct pid *locker;
	kuid_t uid;
	u64 locked_at;
	u64 duration;
	u64 minor_faults;
	u64 major_faults;
};

/**
 * struct mlkd_client - an open file of the device, or a rule, as the holder of locks
 * @ref: one for the file or the rule, one for each holder
 * @rule: number of the rule; 0 of a file
 * @holders: the locks that it holds; the list is protected as in &struct mlkd_holder
 * @owned: likewise, those with MEMLOCKD_OWNED
 * @closed: the file is closed, or the rule gone: what is still in the lists is to be given up
 * @done: completed when it has been
 * @feed: what it reads; NULL until it subscribes.  It goes with the file
 */
struct mlkd_client {
	refcount_t ref;
	u64 rule;
	struct list_head holders;
	struct list_head owned;
	bool closed;
	struct completion done;
	struct mlkd_feed *feed;
};

void mlkd_client_put(struct mlkd_client *client);
bool mlkd_holders_close(struct mlkd_client *client, struct workqueue_struct *closer);
struct mlkd_client *mlkd_holders_closed(struct mlkd_space *space);

struct mlkd_holder *mlkd_holder_new(struct task_struct *task, struct mlkd_mode mode,
				    struct pid *locker, kuid_t uid);
void mlkd_holder_free(struct mlkd_holder *holder);
void mlkd_holder_add(struct mlkd_holder *holder, struct mlkd_space *space,
		     struct mlkd_client *client);

int mlkd_holders_take(struct mlkd_space *space, struct mlkd_client *client,
		      kuid_t uid, bool force, struct list_head *taken);
bool mlkd_holders_full(struct mlkd_space *space, kuid_t uid);
void mlkd_holders_put_back(struct mlkd_space *space, struct list_head *taken);
void mlkd_holders_free(struct list_head *taken);
struct mlkd_mode mlkd_holders_mode(struct mlkd_space *space,
				   struct mlkd_mode mode);
bool mlkd_holders_are_self(struct mlkd_space *space);
bool mlkd_holders_bypass(struct mlkd_space *space);
bool mlkd_holders_have(struct mlkd_space *space, const struct mlkd_client *client);
void mlkd_holders_note_self(struct mlkd_space *space);
void mlkd_holders_drop(struct mlkd_space *space);

pid_t mlkd_live_pid(struct pid *pid);
void mlkd_holders_status(struct mlkd_space *space,
			 struct memlockd_status *status, u64 minor_faults,
			 u64 major_faults);
bool mlkd_holders_next(unsigned long *id, struct memlockd_holder *row);

#endif /* _MEMLOCKD_HOLDER_H */
