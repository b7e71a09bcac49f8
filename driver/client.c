// SPDX-License-Identifier: GPL-2.0-only
/*
 * An open file of the device, the locks that it holds, and the events that it reads.  A rule
 * (rule.c) holds its locks as a client of its own does.
 *
 * When the file is closed, a lock with MEMLOCKD_OWNED ends.  A worker ends it, one for
 * each space, as that may have to wait for another request, and the process that closes the
 * file may be dying.  Any other lock belongs to its user then.
 */
#include <linux/cred.h>
#include <linux/memlockd.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "client.h"
#include "compat.h"
#include "feed.h"
#include "holder.h"
#include "life.h"
#include "limit.h"
#include "lock.h"
#include "probe.h"
#include "space.h"
#include "target.h"

static struct workqueue_struct *closer;

/* Gives up what closed files hold of a space, to which @work has a reference. */
static void close_work(struct work_struct *work)
{
	struct mlkd_space *space = container_of(work, struct mlkd_space, close_work);
	struct mlkd_client *client;

	while ((client = mlkd_holders_closed(space))) {
		if (mlkd_space_claim_again(space)) {
			mlkd_client_leave(space, client, INVALID_UID, false);
			mlkd_space_unclaim(space);
		} else {
			mlkd_holders_drop(space);
		}
		mlkd_client_put(client);
	}
	mlkd_space_put(space);
}

struct mlkd_client *mlkd_client_new(void)
{
	struct mlkd_client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (!client)
		return NULL;
	refcount_set(&client->ref, 1);
	INIT_LIST_HEAD(&client->holders);
	INIT_LIST_HEAD(&client->owned);
	init_completion(&client->done);
	return client;
}

/* The last reference to the client's file has gone. */
void mlkd_client_close(struct mlkd_client *client)
{
	mlkd_feed_free(client->feed);
	/*
	 * This wait is there so that the locks have ended when close(2) returns.  A dying
	 * process does not wait, nor does a kernel thread, which closes the files of others.
	 */
	if (mlkd_holders_close(client, closer) &&
	    !(current->flags & (PF_EXITING | PF_KTHREAD)))
		wait_for_completion_killable(&client->done);
	mlkd_client_put(client);
}

/* Returns the feed of @client, which is made if there is none; NULL for want of memory. */
struct mlkd_feed *mlkd_client_feed(struct mlkd_client *client)
{
	struct mlkd_feed *feed = READ_ONCE(client->feed), *new;

	if (feed)
		return feed;
	new = mlkd_feed_new();
	if (!new)
		return NULL;
	/* Another thread may have made one meanwhile. */
	feed = cmpxchg(&client->feed, NULL, new);
	if (feed)
		mlkd_feed_free(new);
	return feed ?: new;
}

ssize_t mlkd_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct mlkd_client *client = file->private_data;
	struct mlkd_feed *feed = READ_ONCE(client->feed);

	return feed ? mlkd_feed_read(feed, buf, len, file->f_flags & O_NONBLOCK) : -EINVAL;
}

__poll_t mlkd_poll(struct file *file, poll_table *wait)
{
	struct mlkd_client *client = file->private_data;
	struct mlkd_feed *feed = READ_ONCE(client->feed);

	return feed ? mlkd_feed_poll(feed, file, wait) : EPOLLERR;
}

/* If @mode is not to be had without probes, are there any? */
static int check_probes(struct mlkd_space *space, struct mlkd_mode mode)
{
	int err;

	if (!(mode.flags & MEMLOCKD_NEED_PROBES))
		return 0;
	err = mlkd_probes_arm(space, false);
	if (err)
		return err;
	return mlkd_probes_fire() ? 0 : -EOPNOTSUPP;
}

/* Locks the space for @holder, which takes the place of what @client held before. */
static int enter(struct mlkd_space *space, struct mlkd_client *client,
		 struct task_struct *task, struct mlkd_holder *holder, u64 stack_reserve,
		 struct mlkd_limit *limit)
{
	bool bypass = holder->mode.flags & MEMLOCKD_BYPASS;
	/* Nobody is there who could be told of a limit. */
	bool fit = client->rule && (holder->mode.flags & MEMLOCKD_OVER_UNLOCKED);
	u64 begin = ktime_get_boottime_ns();
	struct mlkd_mode mode;
	LIST_HEAD(former);
	int err;

	/* A superlock of another holder keeps the stack reserve that it was given. */
	if (holder->mode.state != MEMLOCKD_STATE_SUPERLOCKED)
		stack_reserve = space->stack_reserve;
	mlkd_holders_take(space, client, client->rule ? INVALID_UID : holder->uid, false,
			  &former);
	mode = mlkd_holders_mode(space, holder->mode);
	err = mlkd_holders_full(space, holder->uid) ? -EDQUOT : check_probes(space, holder->mode);
	if (!err)
		err = mlkd_lock(space, task, mode, bypass, fit, false, stack_reserve, limit);
	if (err) {
		mlkd_holders_put_back(space, &former);
		return err;
	}
	mlkd_holders_free(&former);
	holder->locked_at = ktime_get_boottime_ns();
	holder->duration = holder->locked_at - begin;
	mlkd_target_faults(task, &holder->minor_faults, &holder->major_faults);
	mlkd_holder_add(holder, space, client);
	mlkd_holders_note_self(space);
	return 0;
}

/**
 * mlkd_client_enter - lock a space for a client
 * @space: the space; its claim is held
 * @client: the client, whose lock of @space this is from now on
 * @target: the process
 * @locker: the process that has asked for it
 * @uid: the real user ID of that
 * @mode: what it has asked for
 * @stack_reserve: likewise, as in &memlockd_lock.stack_reserve
 * @limit: set when a limit is met
 *
 * Return: 0; or an error, and nothing has changed.
 */
int mlkd_client_enter(struct mlkd_space *space, struct mlkd_client *client,
		      const struct mlkd_target *target, struct pid *locker, kuid_t uid,
		      struct mlkd_mode mode, u64 stack_reserve, struct mlkd_limit *limit)
{
	struct mlkd_holder *holder = mlkd_holder_new(target->task, mode, locker, uid);
	int err;

	if (!holder) {
		limit->which = MEMLOCKD_LIMIT_MEMORY;
		return -ENOMEM;
	}
	err = enter(space, client, target->task, holder, stack_reserve, limit);
	if (err)
		mlkd_holder_free(holder);
	return err;
}

/**
 * mlkd_client_leave - give up what @client holds of @space
 * @space: the space; its claim is held
 * @client: as for mlkd_holders_take()
 * @uid: likewise
 * @force: give up all
 *
 * Return: 0; -EPERM, -ENOENT as mlkd_holders_take().
 */
int mlkd_client_leave(struct mlkd_space *space, struct mlkd_client *client,
		      kuid_t uid, bool force)
{
	struct mlkd_mode mode;
	LIST_HEAD(taken);
	int err;

	err = mlkd_holders_take(space, client, uid, force, &taken);
	if (err)
		return err;
	mode = mlkd_holders_mode(space, (struct mlkd_mode){});
	if (mode.state == MEMLOCKD_STATE_UNLOCKED)
		mlkd_unlock(space);
	else
		mlkd_lower(space, mode);
	mlkd_holders_free(&taken);
	mlkd_holders_note_self(space);
	return 0;
}

int __init mlkd_clients_init(void)
{
	mlkd_space_close_fn = close_work;
	closer = alloc_workqueue("memlockd_close", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return closer ? 0 : -ENOMEM;
}

void mlkd_clients_exit(void)
{
	destroy_workqueue(closer);
}
