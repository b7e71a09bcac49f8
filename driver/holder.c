// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds the locks of a process.
 *
 * A process has what its holders ask for taken together, and is unlocked when the
 * last of them goes.  A holder is an open file of the device.  When that is
 * closed, a lock with MEMLOCKD_OWNED goes, by a worker, as it may have to wait for
 * another request, and who closes the file may be dying.  Any other lock then is
 * its user's.
 */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/memlockd.h>
#include <linux/pid_namespace.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "holder.h"
#include "lock.h"
#include "space.h"
#include "target.h"

/**
 * struct mlkd_client - an open file of the device
 * @ref: one for the file, one for each holder, one for the work
 * @holders: the locks that it holds
 * @work: gives them up, once the file is closed
 * @done: that has been done
 */
struct mlkd_client {
	refcount_t ref;
	struct list_head holders;
	struct work_struct work;
	struct completion done;
};

static DEFINE_SPINLOCK(holders_lock);
static DEFINE_XARRAY(all);		/* by their number */
static atomic64_t last_id;
static struct workqueue_struct *closer;

static void client_put(struct mlkd_client *client)
{
	if (client && refcount_dec_and_test(&client->ref))
		kfree(client);
}

/* Its user's from now on. */
static void detach(struct mlkd_holder *holder)
{
	lockdep_assert_held(&holders_lock);
	list_del_init(&holder->in_client);
	client_put(holder->client);
	holder->client = NULL;
}

/* Gives up what is left of the client's. */
static void close_work(struct work_struct *work)
{
	struct mlkd_client *client = container_of(work, struct mlkd_client, work);
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	while ((holder = list_first_entry_or_null(&client->holders,
						  struct mlkd_holder, in_client))) {
		struct mlkd_space *space = holder->space;

		/* Somebody is about to free it. */
		if (!space) {
			detach(holder);
			continue;
		}
		refcount_inc(&space->ref);
		spin_unlock(&holders_lock);
		if (mlkd_space_claim_again(space)) {
			mlkd_holders_leave(space, client, INVALID_UID, false);
			mlkd_space_release(space);
		} else {
			mlkd_holders_drop(space);
		}
		mlkd_space_put(space);
		spin_lock(&holders_lock);
	}
	spin_unlock(&holders_lock);
	complete_all(&client->done);
	client_put(client);
}

struct mlkd_client *mlkd_client_new(void)
{
	struct mlkd_client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (!client)
		return NULL;
	refcount_set(&client->ref, 1);
	INIT_LIST_HEAD(&client->holders);
	INIT_WORK(&client->work, close_work);
	init_completion(&client->done);
	return client;
}

/* Nobody has the file any more. */
void mlkd_client_close(struct mlkd_client *client)
{
	struct mlkd_holder *holder, *next;
	bool owned;

	spin_lock(&holders_lock);
	list_for_each_entry_safe(holder, next, &client->holders, in_client)
		if (!(holder->mode.flags & MEMLOCKD_OWNED))
			detach(holder);
	owned = !list_empty(&client->holders);
	spin_unlock(&holders_lock);

	if (owned) {
		refcount_inc(&client->ref);
		queue_work(closer, &client->work);
		/*
		 * So that close(2) has done it; the dying do not wait, nor those who
		 * close the files of others.
		 */
		if (!(current->flags & (PF_EXITING | PF_KTHREAD)))
			wait_for_completion_killable(&client->done);
	}
	client_put(client);
}

/**
 * mlkd_holder_new - prepare a lock
 * @task: leader of the process
 * @mode: what is asked for
 *
 * Return: a holder that nobody can find yet; or NULL.
 */
struct mlkd_holder *mlkd_holder_new(struct task_struct *task,
				    struct mlkd_mode mode)
{
	struct mlkd_holder *holder = kzalloc(sizeof(*holder), GFP_KERNEL_ACCOUNT);

	if (!holder)
		return NULL;
	holder->id = atomic64_inc_return(&last_id);
	if (xa_insert(&all, holder->id, holder, GFP_KERNEL_ACCOUNT)) {
		kfree(holder);
		return NULL;
	}
	holder->mode = mode;
	holder->target = get_task_pid(task, PIDTYPE_TGID);
	holder->locker = get_task_pid(current, PIDTYPE_TGID);
	holder->uid = current_uid();
	INIT_LIST_HEAD(&holder->in_space);
	INIT_LIST_HEAD(&holder->in_client);
	return holder;
}

/* It is in no list of a space. */
void mlkd_holder_free(struct mlkd_holder *holder)
{
	spin_lock(&holders_lock);
	detach(holder);
	xa_erase(&all, holder->id);
	spin_unlock(&holders_lock);
	put_pid(holder->target);
	put_pid(holder->locker);
	kfree(holder);
}

void mlkd_holders_free(struct list_head *taken)
{
	struct mlkd_holder *holder, *next;

	list_for_each_entry_safe(holder, next, taken, in_space)
		mlkd_holder_free(holder);
	INIT_LIST_HEAD(taken);
}

/* The lock is there: @client holds it. */
void mlkd_holder_add(struct mlkd_holder *holder, struct mlkd_space *space,
		     struct mlkd_client *client)
{
	refcount_inc(&client->ref);
	spin_lock(&holders_lock);
	holder->space = space;
	holder->client = client;
	list_add_tail(&holder->in_space, &space->holders);
	list_add_tail(&holder->in_client, &client->holders);
	spin_unlock(&holders_lock);
}

/**
 * mlkd_holders_take - take holders off a space
 * @space: the space; its claim is held
 * @client: what it holds is taken, or else
 * @uid: what this user holds
 * @force: all are taken
 * @taken: an empty list, to take them
 *
 * Return: 0; -EPERM when there are only others; -ENOENT when there are none.
 */
int mlkd_holders_take(struct mlkd_space *space, struct mlkd_client *client,
		      kuid_t uid, bool force, struct list_head *taken)
{
	struct mlkd_holder *holder, *next;
	bool has_own = false;
	int err = -ENOENT;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		has_own |= holder->client == client;
	list_for_each_entry_safe(holder, next, &space->holders, in_space) {
		bool mine = has_own ? holder->client == client :
			    !holder->client && uid_eq(holder->uid, uid);

		if (mine || force) {
			holder->space = NULL;
			list_move_tail(&holder->in_space, taken);
			err = 0;
		} else if (err) {
			err = -EPERM;
		}
	}
	spin_unlock(&holders_lock);
	return err;
}

/* Nothing has become of it. Not after @force. */
void mlkd_holders_put_back(struct mlkd_space *space, struct list_head *taken)
{
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, taken, in_space)
		holder->space = space;
	list_splice_tail_init(taken, &space->holders);
	spin_unlock(&holders_lock);
}

/* What is asked for by both. */
static struct mlkd_mode together(struct mlkd_mode a, struct mlkd_mode b)
{
	const u32 either = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE | MEMLOCKD_HEAL;
	struct mlkd_mode mode;

	if (a.state == MEMLOCKD_STATE_UNLOCKED)
		return b;
	mode.state = max(a.state, b.state);
	mode.flags = (a.flags | b.flags) & either;
	mode.flags |= a.flags & b.flags & MEMLOCKD_MOVABLE;
	return mode;
}

/* What the holders of @space ask for together with @mode. */
struct mlkd_mode mlkd_holders_mode(struct mlkd_space *space,
				   struct mlkd_mode mode)
{
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		mode = together(mode, holder->mode);
	spin_unlock(&holders_lock);
	mode.flags &= ~MLKD_HOLDER_FLAGS;
	return mode;
}

/* Has a privileged caller had RLIMIT_MEMLOCK bypassed? */
bool mlkd_holders_bypass(struct mlkd_space *space)
{
	struct mlkd_holder *holder;
	bool bypass = false;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		bypass |= holder->mode.flags & MEMLOCKD_BYPASS;
	spin_unlock(&holders_lock);
	return bypass;
}

/**
 * mlkd_holders_leave - give up what @client holds of @space
 * @space: the space; its claim is held
 * @client: as for mlkd_holders_take()
 * @uid: likewise
 * @force: give up all
 *
 * Return: 0; -EPERM, -ENOENT as mlkd_holders_take(); -ENOMEM.
 */
int mlkd_holders_leave(struct mlkd_space *space, struct mlkd_client *client,
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
		err = mlkd_lower(space, mode);
	if (err)
		mlkd_holders_put_back(space, &taken);
	else
		mlkd_holders_free(&taken);
	return err;
}

/* The address space has ended, and its locks with it. */
void mlkd_holders_drop(struct mlkd_space *space)
{
	LIST_HEAD(taken);

	mlkd_holders_take(space, NULL, INVALID_UID, true, &taken);
	mlkd_holders_free(&taken);
}

/* Its number for the caller; 0 when the process is gone. */
static pid_t live_pid(struct pid *pid)
{
	pid_t nr;

	rcu_read_lock();
	nr = pid_task(pid, PIDTYPE_TGID) ? pid_vnr(pid) : 0;
	rcu_read_unlock();
	return nr;
}

/* What STATUS says of the latest lock. The counts are those of now. */
void mlkd_holders_status(struct mlkd_space *space,
			 struct memlockd_status *status, u64 minor_faults,
			 u64 major_faults)
{
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space) {
		status->out_holders++;
		if (holder->locked_at < status->out_lock_time_ns)
			continue;
		status->out_locker_pid = live_pid(holder->locker);
		status->out_locker_uid = from_kuid_munged(current_user_ns(), holder->uid);
		status->out_lock_time_ns = holder->locked_at;
		status->out_lock_duration_ns = holder->duration;
		/* Of another process of that address space there may be fewer. */
		status->out_lock_minor_faults =
			minor_faults - min(minor_faults, holder->minor_faults);
		status->out_lock_major_faults =
			major_faults - min(major_faults, holder->major_faults);
	}
	spin_unlock(&holders_lock);
}

/* Is it a process of the caller's user? */
static bool of_user(struct pid *pid)
{
	struct task_struct *task;
	bool ret;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	ret = task && uid_eq(task_uid(task), current_uid());
	rcu_read_unlock();
	return ret;
}

/**
 * mlkd_holders_next - report the next holder
 * @id: number to begin at; set to that of @row
 * @row: to be filled in
 *
 * Return: false when there is none that the caller may see.
 */
bool mlkd_holders_next(unsigned long *id, struct memlockd_holder *row)
{
	bool all_users = capable(CAP_IPC_LOCK) || capable(CAP_SYS_PTRACE);
	bool all_pids = task_active_pid_ns(current) == &init_pid_ns;
	struct mlkd_holder *holder;
	bool found = false;

	spin_lock(&holders_lock);
	xa_for_each_start(&all, *id, holder, *id) {
		pid_t target = live_pid(holder->target);

		/* One without a process has its memory shared by another. */
		if (!holder->space || (!target && !all_pids) ||
		    (!all_users && !uid_eq(holder->uid, current_uid()) &&
		     !of_user(holder->target)))
			continue;
		*row = (struct memlockd_holder) {
			.id = holder->id,
			.lock_time_ns = holder->locked_at,
			.target = target,
			.pid = live_pid(holder->locker),
			.uid = from_kuid_munged(current_user_ns(), holder->uid),
			.kind = holder->client ? MEMLOCKD_HOLDER_FILE :
				MEMLOCKD_HOLDER_USER,
			.state = holder->mode.state,
			.flags = holder->mode.flags,
		};
		found = true;
		break;
	}
	spin_unlock(&holders_lock);
	return found;
}

int __init mlkd_holders_init(void)
{
	closer = alloc_workqueue("memlockd_close", WQ_UNBOUND, 0);
	return closer ? 0 : -ENOMEM;
}

void mlkd_holders_exit(void)
{
	destroy_workqueue(closer);
}
