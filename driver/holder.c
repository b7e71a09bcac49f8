// SPDX-License-Identifier: GPL-2.0-only
/*
 * The holders of the locks of a process.
 *
 * A process is locked as its holders ask for together, and unlocked when the last
 * of them goes.  A holder is an open file of the device (client.c), or, when
 * that has been closed, the user who had it open, or a rule (rule.c).  This file keeps the
 * lists, and changes no lock.
 *
 * All lists are under one spinlock.  MEMLOCKD_MAX_HOLDERS bounds what one user has in that
 * of a space.  Lists that nothing bounds are passed with the lock given up now and then.
 */
#include <linux/cred.h>
#include <linux/memlockd.h>
#include <linux/pid_namespace.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "compat.h"
#include "holder.h"
#include "space.h"

static DEFINE_SPINLOCK(holders_lock);
static DEFINE_XARRAY(all_holders);	/* number -> holder */
static atomic64_t last_id;

/* Gives a reference to @client back; NULL is allowed. */
void mlkd_client_put(struct mlkd_client *client)
{
	if (client && refcount_dec_and_test(&client->ref))
		kfree(client);
}

/* From now on the lock belongs to the user, and not to the client. */
static void detach(struct mlkd_holder *holder)
{
	struct mlkd_client *client = holder->client;

	lockdep_assert_held(&holders_lock);
	list_del_init(&holder->in_client);
	if (client && client->closed && list_empty(&client->holders) &&
	    list_empty(&client->owned))
		complete_all(&client->done);
	mlkd_client_put(client);
	holder->client = NULL;
}

/**
 * mlkd_holders_close - the open file of some locks is closed
 * @client: the open file
 * @closer: the workqueue for &mlkd_space.close_work
 *
 * The locks without MEMLOCKD_OWNED belong to the user from now on.  The others are given
 * up, each by a work of its own space, as a space may be claimed for a long time.
 *
 * Return: whether there are such locks, so that @client->done is going to be completed.
 */
bool mlkd_holders_close(struct mlkd_client *client, struct workqueue_struct *closer)
{
	struct mlkd_holder *holder;
	bool owned;

	spin_lock(&holders_lock);
	while ((holder = list_first_entry_or_null(&client->holders, struct mlkd_holder,
						  in_client))) {
		detach(holder);
		cond_resched_lock(&holders_lock);
	}
	client->closed = true;
	while ((holder = list_first_entry_or_null(&client->owned, struct mlkd_holder,
						  in_client))) {
		struct mlkd_space *space = holder->space;

		if (space) {
			list_move_tail(&holder->in_client, &client->holders);
			mlkd_space_get(space);
			if (!queue_work(closer, &space->close_work))
				mlkd_space_put(space);
		} else {
			detach(holder);		/* another task is about to free it */
		}
		cond_resched_lock(&holders_lock);
	}
	owned = !list_empty(&client->holders);
	spin_unlock(&holders_lock);
	return owned;
}

/* Returns a client that is closed and holds a lock of @space, with a reference; or NULL. */
struct mlkd_client *mlkd_holders_closed(struct mlkd_space *space)
{
	struct mlkd_client *client = NULL;
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space) {
		if (!holder->client || !holder->client->closed)
			continue;
		client = holder->client;
		refcount_inc(&client->ref);
		break;
	}
	spin_unlock(&holders_lock);
	return client;
}

/**
 * mlkd_holder_new - prepare a lock
 * @task: leader of the process
 * @mode: the mode that is asked for
 * @locker: the process that has asked for it
 * @uid: the real user ID of that
 *
 * Return: a holder that nobody can find yet; or NULL.
 */
struct mlkd_holder *mlkd_holder_new(struct task_struct *task, struct mlkd_mode mode,
				    struct pid *locker, kuid_t uid)
{
	struct mlkd_holder *holder = kzalloc(sizeof(*holder), GFP_KERNEL_ACCOUNT);

	if (!holder)
		return NULL;
	holder->id = atomic64_inc_return(&last_id);
	if (xa_insert(&all_holders, holder->id, holder, GFP_KERNEL_ACCOUNT)) {
		kfree(holder);
		return NULL;
	}
	holder->mode = mode;
	holder->target = get_task_pid(task, PIDTYPE_TGID);
	holder->locker = get_pid(locker);
	holder->uid = uid;
	INIT_LIST_HEAD(&holder->in_space);
	INIT_LIST_HEAD(&holder->in_client);
	return holder;
}

/* Frees a holder that is in no list of a space. */
void mlkd_holder_free(struct mlkd_holder *holder)
{
	spin_lock(&holders_lock);
	detach(holder);
	xa_erase(&all_holders, holder->id);
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

/* The space is locked: from now on @client holds that lock. */
void mlkd_holder_add(struct mlkd_holder *holder, struct mlkd_space *space,
		     struct mlkd_client *client)
{
	refcount_inc(&client->ref);
	spin_lock(&holders_lock);
	holder->space = space;
	holder->client = client;
	list_add_tail(&holder->in_space, &space->holders);
	list_add_tail(&holder->in_client, holder->mode.flags & MEMLOCKD_OWNED ?
					  &client->owned : &client->holders);
	spin_unlock(&holders_lock);
}

/**
 * mlkd_holders_take - take holders off a space
 * @space: the space; its claim is held
 * @client: its holders are taken
 * @uid: if @client has none, those are taken that belong to this user
 * @force: all holders are taken
 * @taken: an empty list, which gets the holders
 *
 * Return: 0; -EPERM when the space has only other holders; -ENOENT when it has none.
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

/* Says whether @uid can have no more locks of @space, whose claim is held. */
bool mlkd_holders_full(struct mlkd_space *space, kuid_t uid)
{
	struct mlkd_holder *holder;
	unsigned int nr = 0;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		nr += uid_eq(holder->uid, uid);
	spin_unlock(&holders_lock);
	return nr >= MEMLOCKD_MAX_HOLDERS;
}

/*
 * Gives @space its holders back, as its lock stays what it was.  What has been taken with
 * @force never comes back: the unlock that follows cannot fail.
 */
void mlkd_holders_put_back(struct mlkd_space *space, struct list_head *taken)
{
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, taken, in_space)
		holder->space = space;
	list_splice_tail_init(taken, &space->holders);
	spin_unlock(&holders_lock);
}

/* Returns the mode that the holders of @space ask for together, and @mode with them. */
struct mlkd_mode mlkd_holders_mode(struct mlkd_space *space,
				   struct mlkd_mode mode)
{
	struct mlkd_holder *holder;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		mode = mlkd_mode_join(mode, holder->mode);
	spin_unlock(&holders_lock);
	mode.flags &= ~MLKD_HOLDER_FLAGS;
	return mode;
}

/* Says whether the process itself has asked for that lock.  What it has by a rule, it has not. */
static bool is_self(const struct mlkd_holder *holder)
{
	return holder->locker == holder->target && !(holder->client && holder->client->rule);
}

/**
 * mlkd_holders_note_self - note whether the process has asked for a lock itself
 * @space: the space; its claim is held
 *
 * A lock of a range has no holder: who has asked for one itself stays noted until no
 * range is left.
 */
void mlkd_holders_note_self(struct mlkd_space *space)
{
	struct mlkd_holder *holder;
	bool self = false;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		self |= is_self(holder);
	spin_unlock(&holders_lock);
	if (self)
		set_bit(MLKD_SPACE_SELF, &space->flags);
	else if (!mlkd_attrs_have_ranges(&space->attrs))
		clear_bit(MLKD_SPACE_SELF, &space->flags);
}

/* Says whether @space has holders, and the process itself has asked for the locks of all. */
bool mlkd_holders_are_self(struct mlkd_space *space)
{
	struct mlkd_holder *holder;
	bool self;

	spin_lock(&holders_lock);
	self = !list_empty(&space->holders);
	list_for_each_entry(holder, &space->holders, in_space)
		self &= is_self(holder);
	spin_unlock(&holders_lock);
	return self;
}

/* Says whether a holder of @space has bypassed RLIMIT_MEMLOCK. */
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

/* Says whether @client holds a lock of @space. */
bool mlkd_holders_have(struct mlkd_space *space, const struct mlkd_client *client)
{
	struct mlkd_holder *holder;
	bool has = false;

	spin_lock(&holders_lock);
	list_for_each_entry(holder, &space->holders, in_space)
		has |= holder->client == client;
	spin_unlock(&holders_lock);
	return has;
}

/* Frees all holders of @space, whose address space has ended. */
void mlkd_holders_drop(struct mlkd_space *space)
{
	LIST_HEAD(taken);

	mlkd_holders_take(space, NULL, INVALID_UID, true, &taken);
	mlkd_holders_free(&taken);
}

/* Returns the number of a process as the caller sees it; 0 when the process is gone. */
pid_t mlkd_live_pid(struct pid *pid)
{
	pid_t nr;

	rcu_read_lock();
	nr = pid_task(pid, PIDTYPE_TGID) ? pid_vnr(pid) : 0;
	rcu_read_unlock();
	return nr;
}

/*
 * Fills in what STATUS says of the latest lock.  @minor_faults and @major_faults are the
 * faults that the process has had up to now.
 */
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
		status->out_locker_pid = mlkd_live_pid(holder->locker);
		status->out_locker_uid = from_kuid_munged(current_user_ns(), holder->uid);
		status->out_lock_time_ns = holder->locked_at;
		status->out_lock_duration_ns = holder->duration;
		/* Another process with that address space may have had fewer. */
		status->out_lock_minor_faults =
			minor_faults - min(minor_faults, holder->minor_faults);
		status->out_lock_major_faults =
			major_faults - min(major_faults, holder->major_faults);
	}
	spin_unlock(&holders_lock);
}

/* Says whether a process belongs to the caller's user. */
static bool of_callers_user(struct pid *pid)
{
	struct task_struct *task;
	bool ret;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	ret = task && uid_eq(task_uid(task), current_uid());
	rcu_read_unlock();
	return ret;
}

/* Fills in @row, if the caller may see @holder. */
static bool fill_row(struct memlockd_holder *row, const struct mlkd_holder *holder,
		     bool all_users, bool all_pids)
{
	u64 rule = holder->client ? holder->client->rule : 0;
	pid_t target = mlkd_live_pid(holder->target);

	/* Where the process is gone, another one still has its memory. */
	if (!holder->space || (!target && !all_pids) ||
	    (!all_users && !uid_eq(holder->uid, current_uid()) &&
	     !of_callers_user(holder->target)))
		return false;
	*row = (struct memlockd_holder) {
		.id = holder->id,
		.lock_time_ns = holder->locked_at,
		.target = target,
		.pid = mlkd_live_pid(holder->locker),
		.uid = from_kuid_munged(current_user_ns(), holder->uid),
		.kind = rule ? MEMLOCKD_HOLDER_RULE :
			holder->client ? MEMLOCKD_HOLDER_FILE : MEMLOCKD_HOLDER_USER,
		.state = holder->mode.state,
		/* It goes with its rule, and not with a file. */
		.flags = rule ? holder->mode.flags & ~MEMLOCKD_OWNED : holder->mode.flags,
		.rule = rule,
	};
	return true;
}

/**
 * mlkd_holders_next - report the next holder
 * @id: number to begin at; set to that of @row
 * @row: to be filled in
 *
 * Return: false when there is none that the caller may see, or the caller is killed.
 */
bool mlkd_holders_next(unsigned long *id, struct memlockd_holder *row)
{
	bool all_users = capable(CAP_IPC_LOCK) || capable(CAP_SYS_PTRACE);
	bool all_pids = task_active_pid_ns(current) == &init_pid_ns;
	struct mlkd_holder *holder;
	bool found = false;

	spin_lock(&holders_lock);
	xa_for_each_start(&all_holders, *id, holder, *id) {
		found = fill_row(row, holder, all_users, all_pids);
		if (found || fatal_signal_pending(current))
			break;
		/* The next one is found by its number. */
		cond_resched_lock(&holders_lock);
	}
	spin_unlock(&holders_lock);
	return found;
}
