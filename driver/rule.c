// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules: what processes get without being asked for one by one.
 *
 * The list of rules has an order, and the first one that is for a process and has the event
 * that has happened to it (hook.c) says what the process gets.  The process locks itself, as if
 * it had asked for that, before it goes on in user space; the rule holds the lock, as an open
 * file of the device does (client.c).  When the rule goes, its client is closed, and with it
 * go the locks.
 *
 * A process that is of a realtime class, or has signals pending, waits for a thread that locks
 * it instead: SCHED_DEADLINE would give it its milliseconds only, and the core kernel does not
 * register an mmu notifier for who has a signal pending.
 *
 * Rules are read under RCU, by probes, and changed under a mutex.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/syscall.h>

#include "arch.h"
#include "cgroup.h"
#include "client.h"
#include "compat.h"
#include "errand.h"
#include "feed.h"
#include "holder.h"
#include "hook.h"
#include "life.h"
#include "limit.h"
#include "rule.h"
#include "target.h"

/**
 * struct rule - a rule
 * @node: in the list of rules, until @dead
 * @ref: one for the list, and one for each process that it is about to lock
 * @dead: it has been taken away, and locks nobody any more
 * @id: its number
 * @args: what it says, as it was asked for; the files are not open any more
 * @mode: what processes get
 * @dev: the device of the program that they run
 * @ino: its inode there
 * @generation: likewise
 * @cgroup: the cgroup that they are in, with a reference
 * @uid: the user that they belong to
 * @client: holds their locks, with a reference
 * @owner: the open file that it goes with, or NULL
 * @adder: the process that has added it
 * @adder_uid: the real user ID of that
 * @matched: how often it was the first one
 * @failed: how often it could not be obeyed
 * @missed: how often it was late
 * @last_error: of the last failure
 * @last_limit: likewise
 * @rcu: frees it
 *
 * All but the counts and @dead stays as it is.  Each rule holds a reference to the module.
 */
struct rule {
	struct list_head node;
	refcount_t ref;
	bool dead;
	u64 id;
	struct memlockd_rule args;
	struct mlkd_mode mode;
	dev_t dev;
	unsigned long ino;
	u32 generation;
	struct cgroup *cgroup;
	kuid_t uid;
	struct mlkd_client *client;
	struct mlkd_client *owner;
	struct pid *adder;
	kuid_t adder_uid;
	atomic64_t matched;
	atomic64_t failed;
	atomic64_t missed;
	int last_error;
	u32 last_limit;
	struct rcu_head rcu;
};

static DEFINE_MUTEX(rules_mutex);	/* changes of @rules, and all of @nr_rules and @last_id */
static LIST_HEAD(rules);
static unsigned int nr_rules;
static u64 last_id;

static void put_rule(struct rule *rule)
{
	if (!refcount_dec_and_test(&rule->ref))
		return;
	mlkd_client_put(rule->client);
	mlkd_cgroup_put(rule->cgroup);
	put_pid(rule->adder);
	kfree_rcu(rule, rcu);
	module_put(THIS_MODULE);
}

/* Does a process with @mm run the program of @rule? */
static bool runs(const struct rule *rule, struct mm_struct *mm)
{
	struct file *file = rcu_dereference(mm->exe_file);
	struct inode *inode;

	if (!file)
		return false;
	inode = file_inode(file);
	return inode->i_ino == rule->ino && inode->i_sb->s_dev == rule->dev &&
	       inode->i_generation == rule->generation;
}

static bool is_realtime(struct task_struct *task)
{
	return task->policy == SCHED_FIFO || task->policy == SCHED_RR ||
	       task->policy == SCHED_DEADLINE;
}

/* Is that true of @task, or, if the whole process is looked at, of one of its threads? */
static bool is_thread(struct task_struct *task, u32 event, bool (*is)(struct task_struct *task))
{
	struct task_struct *t;

	if (event != MEMLOCKD_RULE_NOW)
		return is(task);
	for_each_thread(task, t) {
		if (is(t))
			return true;
	}
	return false;
}

static bool is_for(const struct rule *rule, struct task_struct *task, struct mm_struct *mm,
		   u32 event)
{
	u32 match = rule->args.match;

	if (is_global_init(task) && !(rule->args.flags & MEMLOCKD_RULE_INIT))
		return false;
	if ((match & MEMLOCKD_MATCH_USER) && !uid_eq(task_uid(task), rule->uid))
		return false;
	if ((match & MEMLOCKD_MATCH_CGROUP) && !mlkd_cgroup_has(rule->cgroup, task))
		return false;
	if ((match & MEMLOCKD_MATCH_REALTIME) && !is_thread(task, event, is_realtime))
		return false;
	/* At MEMLOCKD_RULE_IO, the process is only about to get its privileges. */
	if ((match & MEMLOCKD_MATCH_IO) && event != MEMLOCKD_RULE_IO &&
	    !is_thread(task, event, mlkd_has_io_ports))
		return false;
	return !(match & MEMLOCKD_MATCH_EXECUTABLE) || runs(rule, mm);
}

/* Returns the first rule that has @event and is for @task, which has @mm; or NULL.  Under RCU. */
static struct rule *find_rule(struct task_struct *task, struct mm_struct *mm, u32 event)
{
	struct rule *rule;

	list_for_each_entry_rcu(rule, &rules, node) {
		if ((rule->args.events & event) && is_for(rule, task, mm, event))
			return rule;
	}
	return NULL;
}

/* @rule is the first one that is for @task, which has @mm.  Under RCU. */
static void matched(struct rule *rule, struct task_struct *task, struct mm_struct *mm)
{
	const struct memlockd_event out = {
		.kind = MEMLOCKD_EVENT_RULE_MATCHED,
		.flags = rule->args.lock_flags,
		.state = rule->args.state,
		.count = rule->id,
	};

	atomic64_inc(&rule->matched);
	mlkd_feed_tell(mm, task_tgid(task), &out);
}

/* Something has happened to @task: returns its rule, with a reference, if that locks it. */
static void *match(struct task_struct *task, struct mm_struct *mm, u32 event)
{
	struct rule *rule = find_rule(task, mm, event);

	if (!rule)
		return NULL;
	matched(rule, task, mm);
	if (rule->mode.state == MEMLOCKD_STATE_UNLOCKED || !refcount_inc_not_zero(&rule->ref))
		return NULL;
	return rule;
}

static int lock_target(struct rule *rule, struct mlkd_target *target, struct mlkd_limit *limit)
{
	struct mlkd_space *space;
	int err = 0;

	if (READ_ONCE(rule->dead))
		return 0;
	space = mlkd_space_claim(target, true);
	if (IS_ERR(space)) {
		if (PTR_ERR(space) == -ENOMEM)
			limit->which = MEMLOCKD_LIMIT_MEMORY;
		return PTR_ERR(space);
	}
	if (!mlkd_holders_have(space, rule->client))
		err = mlkd_client_enter(space, rule->client, target, rule->adder,
					rule->adder_uid, rule->mode, rule->args.stack_reserve,
					limit);
	/* The rule's client may have been closed before it had this lock, which ends here then. */
	if (READ_ONCE(rule->dead))
		mlkd_client_leave(space, rule->client, INVALID_UID, false);
	mlkd_space_unclaim(space);
	return err;
}

/**
 * struct rule_errand - a process waits for a thread that locks it
 * @errand: the errand
 * @rule: the rule
 * @target: the process
 * @limit: the limit that was met
 * @err: what has become of it
 */
struct rule_errand {
	struct mlkd_errand errand;
	struct rule *rule;
	struct mlkd_target *target;
	struct mlkd_limit limit;
	int err;
};

static void errand_run(struct mlkd_errand *errand)
{
	struct rule_errand *job = container_of(errand, struct rule_errand, errand);
	struct mem_cgroup *before = mlkd_cgroup_charge(errand->mm);

	job->err = lock_target(job->rule, job->target, &job->limit);
	mlkd_cgroup_charge_end(before);
}

static bool errand_useless(struct mlkd_errand *errand)
{
	return mlkd_mm_killed(errand->mm);
}

static void errand_free(struct mlkd_errand *errand)
{
	kfree(container_of(errand, struct rule_errand, errand));
}

/* Has a thread lock @target. */
static int lock_by_thread(struct rule *rule, struct mlkd_target *target, struct mlkd_limit *limit)
{
	struct rule_errand *job = kzalloc(sizeof(*job), GFP_KERNEL);
	int err;

	if (!job)
		return -ENOMEM;
	job->errand = (struct mlkd_errand) {
		.run = errand_run,
		.free = errand_free,
		.useless = errand_useless,
		.mm = target->mm,
	};
	job->rule = rule;
	job->target = target;
	/* With one user alone, the address space would look as if it had been left. */
	if (!mmget_not_zero(target->mm)) {
		kfree(job);
		return -ESRCH;
	}
	err = mlkd_errand_start(&job->errand);
	if (err) {
		kfree(job);
	} else {
		/* It waits for nobody itself, so that it is done when this returns. */
		err = mlkd_errand_wait(&job->errand) ?: job->err;
		*limit = job->limit;
		mlkd_errand_put(&job->errand);
	}
	mmput(target->mm);
	return err;
}

/* Counts what has become of @target, and tells of it; returns whether it could not be locked. */
static bool has_failed(struct rule *rule, const struct mlkd_target *target, int err,
		       const struct mlkd_limit *limit)
{
	const struct memlockd_event out = {
		.kind = MEMLOCKD_EVENT_RULE_FAILED,
		.flags = -err,
		.limit = limit->which,
		.count = rule->id,
	};
	struct pid *pid;

	/* It has ended, or is about to. */
	if (!err || err == -ESRCH || err == -EINTR)
		return false;
	atomic64_inc(&rule->failed);
	WRITE_ONCE(rule->last_error, -err);
	WRITE_ONCE(rule->last_limit, limit->which);
	pid = get_task_pid(target->task, PIDTYPE_TGID);
	if (pid)
		mlkd_feed_tell(target->mm, pid, &out);
	put_pid(pid);
	return true;
}

static void kill_for(const struct rule *rule, struct task_struct *task)
{
	if ((rule->args.flags & MEMLOCKD_RULE_KILL) && !is_global_init(task))
		send_sig(SIGKILL, task, 1);
}

/* Has the system call failed from which current returns to user space? */
static bool call_failed(void)
{
	return syscall_get_error(current, task_pt_regs(current));
}

/* Locks @target, which may be current; returns whether that has failed. */
static bool lock_task(struct rule *rule, struct mlkd_target *target)
{
	struct mlkd_limit limit = {};
	int err = -ERESTARTNOINTR;

	if (!is_realtime(current) && !signal_pending(current))
		err = lock_target(rule, target, &limit);
	/* Nothing has happened yet. */
	if (err == -ERESTARTNOINTR)
		err = lock_by_thread(rule, target, &limit);
	return has_failed(rule, target, err, &limit);
}

/* Current is on its way to user space, and @data the rule that is for it. */
static void run(void *data, u32 event)
{
	struct mlkd_target target;
	struct rule *rule = data;

	if (current->mm && !(current->flags & PF_KTHREAD) &&
	    !(event == MEMLOCKD_RULE_IO && call_failed()) && !mlkd_target_of(&target, current)) {
		if (lock_task(rule, &target))
			kill_for(rule, current);
		mlkd_target_put(&target);
	}
	put_rule(rule);
}

/* @event has happened to @task, a thread: the rules are asked, and obeyed. */
static void look(struct task_struct *task, u32 event)
{
	struct mlkd_target target;
	struct rule *rule;

	/* It may have been refused. */
	if (event == MEMLOCKD_RULE_SETSCHEDULER && !is_realtime(task))
		return;
	if (mlkd_target_of(&target, task))
		return;
	rcu_read_lock();
	rule = match(task, target.mm, event);
	rcu_read_unlock();
	if (rule) {
		if (lock_task(rule, &target))
			kill_for(rule, task);
		put_rule(rule);
	}
	mlkd_target_put(&target);
}

#define MAX_MISSED	256

/* The threads that have been missed, with a reference to their rule, or to the module. */
static struct missed {
	struct task_struct *task;
	struct rule *rule;
	u32 event;
} missed[MAX_MISSED];
static unsigned int nr_missed;
static DEFINE_RAW_SPINLOCK(missed_lock);

static bool take_missed(struct missed *one)
{
	bool some;

	raw_spin_lock_irq(&missed_lock);
	some = nr_missed;
	if (some)
		*one = missed[--nr_missed];
	raw_spin_unlock_irq(&missed_lock);
	return some;
}

/* Locks processes that have not been able to do so themselves. */
static void lock_missed_work(struct work_struct *work)
{
	struct mlkd_target target;
	struct missed one;

	while (take_missed(&one)) {
		if (!one.rule) {
			look(one.task, one.event);
			module_put(THIS_MODULE);
		} else {
			if (!mlkd_target_of(&target, one.task)) {
				if (lock_task(one.rule, &target))
					kill_for(one.rule, one.task);
				mlkd_target_put(&target);
			}
			put_rule(one.rule);
		}
		put_task_struct(one.task);
	}
}

static DECLARE_WORK(missed_later, lock_missed_work);

/* There was no memory to have @task lock itself. */
static bool miss(void *data, struct task_struct *task, u32 event)
{
	struct rule *rule = data;
	unsigned long flags;
	bool noted;

	if (rule)
		atomic64_inc(&rule->missed);
	raw_spin_lock_irqsave(&missed_lock, flags);
	noted = nr_missed < MAX_MISSED;
	if (noted)
		missed[nr_missed++] = (struct missed){ get_task_struct(task), rule, event };
	raw_spin_unlock_irqrestore(&missed_lock, flags);
	if (noted)
		queue_work(system_dfl_wq, &missed_later);
	else if (rule)
		refcount_dec(&rule->ref);	/* never the last one: see remove() */
	return noted;
}

/* All processes that there are now; the caller gives the references up, and frees the array. */
static struct pid **all_processes(unsigned int *nr)
{
	struct task_struct *task;
	unsigned int room = 0;
	struct pid **pids;

	rcu_read_lock();
	for_each_process(task)
		room++;
	rcu_read_unlock();
	/* A process that is made meanwhile has a parent that has been looked at, or will be. */
	room += room / 8 + 64;
	pids = kvmalloc_array(room, sizeof(*pids), GFP_KERNEL_ACCOUNT);
	if (!pids)
		return NULL;
	*nr = 0;
	rcu_read_lock();
	for_each_process(task) {
		if (*nr == room)
			break;
		if (task->flags & PF_KTHREAD)
			continue;
		pids[(*nr)++] = get_pid(task_tgid(task));
	}
	rcu_read_unlock();
	return pids;
}

/* Applies @rule, which has just been added, to a process that runs already. */
static void apply_to(struct rule *rule, struct pid *pid, struct memlockd_rule *args)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_TGID);
	struct mlkd_target target;
	bool first;

	if (!task)
		return;
	if (!mlkd_target_of(&target, task)) {
		rcu_read_lock();
		first = find_rule(task, target.mm, MEMLOCKD_RULE_NOW) == rule;
		if (first)
			matched(rule, task, target.mm);
		rcu_read_unlock();
		args->out_matched += first;
		if (first && rule->mode.state != MEMLOCKD_STATE_UNLOCKED)
			args->out_failed += lock_task(rule, &target);
		mlkd_target_put(&target);
	}
	put_task_struct(task);
}

/* Applies @rule to all that runs already.  Returns 0; -ENOMEM, -EINTR. */
static int apply(struct rule *rule, struct memlockd_rule *args)
{
	unsigned int i, nr;
	struct pid **pids = all_processes(&nr);
	int err = 0;

	if (!pids)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		if (fatal_signal_pending(current))
			err = -EINTR;
		if (!err)
			apply_to(rule, pids[i], args);
		put_pid(pids[i]);
		cond_resched();
	}
	kvfree(pids);
	return err;
}

static int take_executable(struct rule *rule, int fd)
{
	struct file *file = fget(fd);
	struct inode *inode;
	int err = 0;

	if (!file)
		return -EBADF;
	inode = file_inode(file);
	if (S_ISREG(inode->i_mode)) {
		rule->dev = inode->i_sb->s_dev;
		rule->ino = inode->i_ino;
		rule->generation = inode->i_generation;
	} else {
		err = -EINVAL;
	}
	fput(file);
	return err;
}

static int take_cgroup(struct rule *rule, int fd)
{
	struct cgroup *cgroup = mlkd_cgroup_of_fd(fd);
	struct file *file;

	if (!IS_ERR(cgroup)) {
		rule->cgroup = cgroup;
		return 0;
	}
	if (PTR_ERR(cgroup) == -EOPNOTSUPP)
		return -EOPNOTSUPP;
	file = fget(fd);
	if (!file)
		return -EBADF;
	fput(file);
	return -EINVAL;
}

static int take_matches(struct rule *rule, const struct memlockd_rule *args)
{
	int err = 0;

	if (args->match & MEMLOCKD_MATCH_USER) {
		rule->uid = make_kuid(current_user_ns(), args->uid);
		if (!uid_valid(rule->uid))
			return -EINVAL;
	}
	if (args->match & MEMLOCKD_MATCH_EXECUTABLE)
		err = take_executable(rule, args->executable);
	if (!err && (args->match & MEMLOCKD_MATCH_CGROUP))
		err = take_cgroup(rule, args->cgroup);
	return err;
}

/* Returns a rule that is in no list yet; or an ERR_PTR(). */
static struct rule *new_rule(const struct memlockd_rule *args, struct mlkd_client *owner)
{
	struct rule *rule;
	int err;

	/* vm.memlockd.default_state may be written while the module is being unloaded. */
	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	rule = kzalloc(sizeof(*rule), GFP_KERNEL_ACCOUNT);
	if (!rule) {
		module_put(THIS_MODULE);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&rule->ref, 1);
	rule->args = *args;
	rule->mode.state = args->state;
	/* The locks go when the rule's client is closed. */
	rule->mode.flags = args->lock_flags | MEMLOCKD_OWNED;
	rule->owner = args->flags & MEMLOCKD_RULE_OWNED ? owner : NULL;
	rule->adder = get_task_pid(current, PIDTYPE_TGID);
	rule->adder_uid = current_uid();
	rule->client = mlkd_client_new();
	err = rule->client ? take_matches(rule, args) : -ENOMEM;
	if (err) {
		put_rule(rule);
		return ERR_PTR(err);
	}
	return rule;
}

static u32 all_events(void)
{
	struct rule *rule;
	u32 events = 0;

	lockdep_assert_held(&rules_mutex);
	list_for_each_entry(rule, &rules, node)
		events |= rule->args.events;
	return events;
}

static bool is_default(const struct rule *rule)
{
	return rule->args.flags & MEMLOCKD_RULE_DEFAULT;
}

/* Does @rule come before @other, which is older? */
static bool comes_before(const struct rule *rule, const struct rule *other)
{
	if (is_default(rule) || is_default(other))
		return is_default(other);
	return rule->args.priority < other->args.priority;
}

/* Puts @rule behind those that come before it. */
static void insert(struct rule *rule)
{
	struct list_head *before = &rules;
	struct rule *other;

	lockdep_assert_held(&rules_mutex);
	list_for_each_entry(other, &rules, node) {
		if (comes_before(rule, other))
			break;
		before = &other->node;
	}
	rule->id = ++last_id;
	rule->client->rule = rule->id;
	list_add_rcu(&rule->node, before);
	nr_rules++;
}

/* Takes @rule out of the list, which is the first half of its end. */
static void remove(struct rule *rule)
{
	lockdep_assert_held(&rules_mutex);
	WRITE_ONCE(rule->dead, true);
	list_del_rcu(&rule->node);
	nr_rules--;
	mlkd_hooks_keep(all_events());
	/* A probe that has found the rule does not give up the last reference to it. */
	synchronize_rcu();
}

/* Gives up the locks of @rule, which is in no list any more, and the reference of the list. */
static void end(struct rule *rule)
{
	/* Another process may be about to lock itself by it. */
	refcount_inc(&rule->client->ref);
	mlkd_client_close(rule->client);
	put_rule(rule);
}

static struct rule *rule_of(u64 id)
{
	struct rule *rule;

	lockdep_assert_held(&rules_mutex);
	list_for_each_entry(rule, &rules, node) {
		if (rule->id == id)
			return rule;
	}
	return NULL;
}

/* Takes a rule away; one with MEMLOCKD_RULE_DEFAULT if @any. */
static int del_rule(u64 id, bool any)
{
	struct rule *rule;
	int err = -ENOENT;

	mutex_lock(&rules_mutex);
	rule = rule_of(id);
	if (rule && (any || !is_default(rule))) {
		remove(rule);
		err = 0;
	} else if (rule) {
		err = -EPERM;
	}
	mutex_unlock(&rules_mutex);
	if (!err)
		end(rule);
	return err;
}

/* Takes a rule away.  Returns 0; -ENOENT, or -EPERM for vm.memlockd.default_state's. */
int mlkd_rule_del(u64 id)
{
	return del_rule(id, false);
}

/**
 * mlkd_rule_add - add a rule, and apply it to what runs already if it says so
 * @args: what it says, which has been checked; its outputs are filled in
 * @owner: the open file that it is added through
 *
 * Return: 0; or an error, and there is no such rule.
 */
int mlkd_rule_add(struct memlockd_rule *args, struct mlkd_client *owner)
{
	struct rule *rule = new_rule(args, owner);
	int err;

	if (IS_ERR(rule))
		return PTR_ERR(rule);
	err = mutex_lock_killable(&rules_mutex);
	if (err) {
		put_rule(rule);
		return err;
	}
	err = nr_rules < MEMLOCKD_MAX_RULES ? 0 : -EDQUOT;
	if (!err)
		err = mlkd_hooks_add(args->events);
	if (err) {
		mutex_unlock(&rules_mutex);
		put_rule(rule);
		return err;
	}
	insert(rule);
	args->out_id = rule->id;
	/* Somebody else may take it away, now that it has a number. */
	refcount_inc(&rule->ref);
	mutex_unlock(&rules_mutex);
	if (args->events & MEMLOCKD_RULE_NOW)
		err = apply(rule, args);
	if (err) {
		del_rule(rule->id, true);
		args->out_matched = 0;
		args->out_failed = 0;
		args->out_id = 0;
	}
	put_rule(rule);
	return err;
}

static struct rule *rule_owned_by(const struct mlkd_client *owner)
{
	struct rule *rule;

	lockdep_assert_held(&rules_mutex);
	list_for_each_entry(rule, &rules, node) {
		if (rule->owner == owner)
			return rule;
	}
	return NULL;
}

/* The file of @owner is closed. */
void mlkd_rules_close(struct mlkd_client *owner)
{
	struct rule *rule;

	/* Those of @owner are in the count. */
	if (!READ_ONCE(nr_rules))
		return;
	do {
		mutex_lock(&rules_mutex);
		rule = rule_owned_by(owner);
		if (rule)
			remove(rule);
		mutex_unlock(&rules_mutex);
		if (rule)
			end(rule);
	} while (rule);
}

static void fill_row(struct memlockd_rule_row *row, struct rule *rule)
{
	*row = (struct memlockd_rule_row) {
		.id = rule->id,
		.matched = atomic64_read(&rule->matched),
		.failed = atomic64_read(&rule->failed),
		.missed = atomic64_read(&rule->missed),
		.stack_reserve = rule->args.stack_reserve,
		.inode = rule->ino,
		.cgroup = mlkd_cgroup_id(rule->cgroup),
		.priority = rule->args.priority,
		.flags = rule->args.flags,
		.match = rule->args.match,
		.events = rule->args.events,
		.state = rule->args.state,
		.lock_flags = rule->args.lock_flags,
		.dev_major = MAJOR(rule->dev),
		.dev_minor = MINOR(rule->dev),
		.pid = mlkd_live_pid(rule->adder),
		.adder_uid = from_kuid_munged(current_user_ns(), rule->adder_uid),
		.last_error = READ_ONCE(rule->last_error),
		.last_limit = READ_ONCE(rule->last_limit),
	};
	if (row->match & MEMLOCKD_MATCH_USER)
		row->uid = from_kuid_munged(current_user_ns(), rule->uid);
}

/**
 * mlkd_rules_next - report the next rule
 * @id: number to begin at
 * @row: to be filled in
 *
 * Return: false when there is none, or the caller is killed.
 */
bool mlkd_rules_next(u64 id, struct memlockd_rule_row *row)
{
	struct rule *rule, *next = NULL;

	if (mutex_lock_killable(&rules_mutex))
		return false;
	list_for_each_entry(rule, &rules, node) {
		if (rule->id >= id && (!next || rule->id < next->id))
			next = rule;
	}
	if (next)
		fill_row(row, next);
	mutex_unlock(&rules_mutex);
	return next;
}

static DEFINE_MUTEX(default_mutex);	/* these; outside of rules_mutex */
static int default_state;
static u64 default_id;

/* vm.memlockd.default_state: what QNX Neutrino's procnto -m has for all memory. */
int mlkd_default_state(void)
{
	return READ_ONCE(default_state);
}

/**
 * mlkd_default_state_set - change what processes get for which there is no other rule
 * @state: &enum memlockd_state; LOCKED is as mlockall(2) has it
 *
 * Return: 0; or an error, and it is as before.
 */
int mlkd_default_state_set(int state)
{
	struct memlockd_rule args = {
		.flags = MEMLOCKD_RULE_DEFAULT,
		.events = MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK | MEMLOCKD_RULE_NOW,
		.state = state,
		.lock_flags = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE | MEMLOCKD_OVER_UNLOCKED,
	};
	int err;

	if (state == MEMLOCKD_STATE_LOCKED)
		args.lock_flags |= MEMLOCKD_MOVABLE;
	err = mutex_lock_killable(&default_mutex);
	if (err)
		return err;
	if (state == default_state)
		goto out;
	/* The newer one wins at once. */
	if (state != MEMLOCKD_STATE_UNLOCKED)
		err = mlkd_rule_add(&args, NULL);
	if (err)
		goto out;
	if (default_id)
		del_rule(default_id, true);
	default_id = args.out_id;
	WRITE_ONCE(default_state, state);
out:
	mutex_unlock(&default_mutex);
	return err;
}

static const struct mlkd_hook_ops hook_ops = {
	.match = match,
	.run = run,
	.look = look,
	.miss = miss,
};

void __init mlkd_rules_init(void)
{
	mlkd_hooks_init(&hook_ops);
}

/* There are no rules any more. */
void mlkd_rules_exit(void)
{
	flush_work(&missed_later);
	mlkd_hooks_exit();
}
