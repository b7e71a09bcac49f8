// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events for who reads the device.
 *
 * An open file that has subscribed has a feed: a ring of events between those that post,
 * in any context, and one reader at a time.  Whoever posts goes through all feeds, and puts
 * the event into each that wants it.  He never waits: where a ring is full, the event is
 * lost, and that is counted.
 *
 * Who may see what is decided when a file subscribes, as far as it can be.  A process can
 * change its user later, so that this is looked at again with each event.
 */
#include <linux/cred.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "feed.h"
#include "target.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define RING	1024	/* a power of two */

/* Each event is offered to all feeds.  Beyond so many, a user needs CAP_IPC_LOCK to add one. */
#define MAX_FEEDS	256

/**
 * struct mlkd_feed - the events of one open file
 * @node: in the list of all feeds, from the first subscription on
 * @owner: the real user ID of who has subscribed first
 * @lock: protects all up to @lost; raw, as probes post.  No other lock is taken under it
 * @mm: the address space that is subscribed to, with mm_count held; NULL for all
 * @ns: the PID namespace of the subscriber, with a reference
 * @uid: his real user ID
 * @trusted: he may look at processes of other users
 * @addresses: he may see addresses
 * @kinds: &enum memlockd_event_kind
 * @head: how many events have been put into the ring; changed by who posts
 * @tail: how many have been taken out; changed by the reader
 * @lost: how many have found no room since
 * @event_size: how far apart the reader wants them; 0 before the first subscription
 * @reader: held by the one who reads.  A copy to user space runs under it, which may
 *	wait for a server: so it is waited for interruptibly
 * @wait: readers that wait for an event
 * @wake: wakes them, as who posts may not
 * @ring: the events
 *
 * Lifetime.  It is its client's, and goes with the last reference to the file, when there
 * is no reader.  Who posts finds it under RCU.
 */
struct mlkd_feed {
	struct list_head node;
	kuid_t owner;
	raw_spinlock_t lock;	/* @mm to @lost */
	struct mm_struct *mm;
	struct pid_namespace *ns;
	kuid_t uid;
	bool trusted;
	bool addresses;
	u32 kinds;
	unsigned int head;
	unsigned int tail;
	u64 lost;
	u32 event_size;
	struct mutex reader;	/* who reads */
	wait_queue_head_t wait;
	struct irq_work wake;
	struct memlockd_event ring[RING];
};

static LIST_HEAD(feeds);
static DEFINE_MUTEX(feeds_mutex);	/* who changes the list */

/* False if nobody reads or traces, so that nothing need be gathered. */
bool mlkd_feeds_want(void)
{
	return !list_empty(&feeds) || trace_fault_enabled() || trace_lock_enabled() ||
	       trace_unlock_enabled() || trace_end_enabled() || trace_limit_enabled() ||
	       trace_rule_enabled();
}

static bool ready(struct mlkd_feed *feed)
{
	return READ_ONCE(feed->head) != READ_ONCE(feed->tail) || READ_ONCE(feed->lost);
}

static void wake_readers(struct irq_work *work)
{
	struct mlkd_feed *feed = container_of(work, struct mlkd_feed, wake);

	wake_up_interruptible_poll(&feed->wait, EPOLLIN | EPOLLRDNORM);
}

static void put(struct mlkd_feed *feed, const struct memlockd_event *out)
{
	feed->ring[feed->head % RING] = *out;
	WRITE_ONCE(feed->head, feed->head + 1);
}

static bool wants(const struct mlkd_feed *feed, const struct mlkd_feed_event *event)
{
	if (!(feed->kinds & event->out.kind) || (feed->mm && feed->mm != event->mm))
		return false;
	if (!feed->trusted && !uid_eq(feed->uid, event->uid))
		return false;
	return pid_nr_ns(event->process, feed->ns);
}

/* There is one event more for @feed, which wants it. */
static void add(struct mlkd_feed *feed, const struct mlkd_feed_event *event)
{
	unsigned int room = RING - (feed->head - READ_ONCE(feed->tail));
	struct memlockd_event out = event->out;

	if (room < 1 + !!feed->lost) {
		feed->lost++;
		return;
	}
	if (feed->lost) {
		put(feed, &(struct memlockd_event) {
			.time_ns = out.time_ns,
			.kind = MEMLOCKD_EVENT_LOST,
			.count = feed->lost,
		});
		feed->lost = 0;
	}
	out.pid = pid_nr_ns(event->process, feed->ns);
	out.tid = event->by ? pid_nr_ns(event->by, feed->ns) : 0;
	if (out.kind == MEMLOCKD_EVENT_FAULT && !feed->addresses) {
		out.address = 0;
		out.ip = 0;
		out.flags |= MEMLOCKD_FAULT_HIDDEN;
	}
	put(feed, &out);
}

/* The tracepoint of each kind of event. */
static void trace_it(pid_t process, const struct memlockd_event *out)
{
	switch (out->kind) {
	case MEMLOCKD_EVENT_FAULT:
		trace_fault(process, out);
		break;
	case MEMLOCKD_EVENT_LOCKED:
		trace_lock(process, out);
		break;
	case MEMLOCKD_EVENT_UNLOCKED:
		trace_unlock(process, out);
		break;
	case MEMLOCKD_EVENT_LIMIT:
		trace_limit(process, out);
		break;
	case MEMLOCKD_EVENT_RULE_MATCHED:
	case MEMLOCKD_EVENT_RULE_FAILED:
		trace_rule(process, out);
		break;
	default:
		trace_end(process, out);
	}
}

/**
 * mlkd_feed_post - tell all that want to know
 * @event: what has happened
 *
 * Called in any context but an NMI.
 */
void mlkd_feed_post(const struct mlkd_feed_event *event)
{
	struct mlkd_feed *feed;
	unsigned long flags;
	bool wanted;

	trace_it(pid_nr(event->process), &event->out);
	rcu_read_lock();
	list_for_each_entry_rcu(feed, &feeds, node) {
		raw_spin_lock_irqsave(&feed->lock, flags);
		wanted = wants(feed, event);
		if (wanted)
			add(feed, event);
		raw_spin_unlock_irqrestore(&feed->lock, flags);
		if (wanted && wq_has_sleeper(&feed->wait))
			irq_work_queue(&feed->wake);
	}
	rcu_read_unlock();
}

/* The real user ID of a process; of none, if it is gone. */
static kuid_t uid_of(struct pid *pid)
{
	struct task_struct *task;
	kuid_t uid = INVALID_UID;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	if (task)
		uid = task_uid(task);
	rcu_read_unlock();
	return uid;
}

/* Events that come of a request of somebody. */
#define ASKED	(MEMLOCKD_EVENT_LOCKED | MEMLOCKD_EVENT_UNLOCKED | MEMLOCKD_EVENT_LIMIT)

/**
 * mlkd_feed_tell - tell what has become of a process
 * @mm: its address space
 * @process: the process
 * @out: what has become of it; @out->time_ns is filled in here
 *
 * If somebody has asked for that, it is current, or nobody if that is a kernel thread.
 * Called in any context but an NMI.
 */
void mlkd_feed_tell(struct mm_struct *mm, struct pid *process,
		    const struct memlockd_event *out)
{
	bool asked = (out->kind & ASKED) && !(current->flags & PF_KTHREAD);
	struct mlkd_feed_event event = {
		.mm = mm,
		.process = process,
		.by = asked ? task_tgid(current) : NULL,
		.out = *out,
	};

	if (!mlkd_feeds_want())
		return;
	event.uid = uid_of(process);
	event.out.time_ns = ktime_get_boottime_ns();
	mlkd_feed_post(&event);
}

/* Returns a feed that nobody posts to yet; or NULL. */
struct mlkd_feed *mlkd_feed_new(void)
{
	struct mlkd_feed *feed = kvzalloc(sizeof(*feed), GFP_KERNEL_ACCOUNT);

	if (!feed)
		return NULL;
	INIT_LIST_HEAD(&feed->node);
	raw_spin_lock_init(&feed->lock);
	mutex_init(&feed->reader);
	init_waitqueue_head(&feed->wait);
	init_irq_work(&feed->wake, wake_readers);
	return feed;
}

/* Nobody reads it any more.  NULL is allowed. */
void mlkd_feed_free(struct mlkd_feed *feed)
{
	if (!feed)
		return;
	if (!list_empty(&feed->node)) {
		mutex_lock(&feeds_mutex);
		list_del_rcu(&feed->node);
		mutex_unlock(&feeds_mutex);
		synchronize_rcu();
		irq_work_sync(&feed->wake);
	}
	if (feed->mm)
		mmdrop(feed->mm);
	if (feed->ns)
		put_pid_ns(feed->ns);
	kvfree(feed);
}

/* Are there as many feeds as there may be, of current's user or in all? */
static bool full(void)
{
	struct mlkd_feed *feed;
	unsigned int nr = 0, own = 0;

	lockdep_assert_held(&feeds_mutex);
	list_for_each_entry(feed, &feeds, node) {
		nr++;
		own += uid_eq(feed->owner, current_uid());
	}
	return own >= MEMLOCKD_MAX_SUBSCRIPTIONS || nr >= MAX_FEEDS;
}

/* @feed gets its first subscription. */
static int enter(struct mlkd_feed *feed)
{
	int err = 0;

	if (mutex_lock_killable(&feeds_mutex))
		return -EINTR;
	if (list_empty(&feed->node)) {
		if (full() && !capable(CAP_IPC_LOCK)) {
			err = -EDQUOT;
		} else {
			feed->owner = current_uid();
			list_add_tail_rcu(&feed->node, &feeds);
		}
	}
	mutex_unlock(&feeds_mutex);
	return err;
}

/**
 * mlkd_feed_subscribe - say which events are wanted from now on
 * @feed: the feed
 * @target: the process; NULL for all
 * @trusted: current may look at it, or at all, whatever user it is of
 * @subscribe: the kinds, and how far apart the reader wants them
 *
 * Return: 0; -EDQUOT; -EINTR.
 */
int mlkd_feed_subscribe(struct mlkd_feed *feed, struct mlkd_target *target, bool trusted,
			const struct memlockd_subscribe *subscribe)
{
	struct pid_namespace *ns = get_pid_ns(task_active_pid_ns(current));
	struct mm_struct *mm = target ? target->mm : NULL;
	bool addresses = target ? target->addresses : capable(CAP_SYS_PTRACE);
	unsigned long flags;
	int err = enter(feed);

	if (err) {
		put_pid_ns(ns);
		return err;
	}
	if (mm)
		mmgrab(mm);
	raw_spin_lock_irqsave(&feed->lock, flags);
	swap(feed->mm, mm);
	swap(feed->ns, ns);
	feed->uid = current_uid();
	feed->trusted = trusted;
	feed->addresses = addresses;
	feed->kinds = subscribe->kinds;
	raw_spin_unlock_irqrestore(&feed->lock, flags);
	WRITE_ONCE(feed->event_size, subscribe->event_size);
	if (mm)
		mmdrop(mm);
	if (ns)
		put_pid_ns(ns);
	return 0;
}

/* The next event, which stays where it is; false if there is none. */
static bool peek(struct mlkd_feed *feed, struct memlockd_event *event)
{
	unsigned long flags;
	bool found = true;

	raw_spin_lock_irqsave(&feed->lock, flags);
	if (feed->head != feed->tail)
		*event = feed->ring[feed->tail % RING];
	else if (feed->lost)
		*event = (struct memlockd_event) {
			.time_ns = ktime_get_boottime_ns(),
			.kind = MEMLOCKD_EVENT_LOST,
			.count = feed->lost,
		};
	else
		found = false;
	raw_spin_unlock_irqrestore(&feed->lock, flags);
	return found;
}

/* @event, which is what peek() has found, has been read. */
static void take(struct mlkd_feed *feed, const struct memlockd_event *event)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&feed->lock, flags);
	/* The count of lost events comes after those in the ring, which only the reader empties. */
	if (feed->head != feed->tail)
		WRITE_ONCE(feed->tail, feed->tail + 1);
	else
		feed->lost -= event->count;
	raw_spin_unlock_irqrestore(&feed->lock, flags);
}

/* Copies one event out, @size bytes long. */
static int copy_event(char __user *buf, const struct memlockd_event *event, size_t size)
{
	size_t known = min(size, sizeof(*event));

	if (copy_to_user(buf, event, known) || clear_user(buf + known, size - known))
		return -EFAULT;
	return 0;
}

/* Copies as many events out as there are and as there is room for; returns how many bytes. */
static ssize_t read_events(struct mlkd_feed *feed, char __user *buf, size_t len, size_t size)
{
	struct memlockd_event event;
	size_t done = 0;

	while (len - done >= size && peek(feed, &event)) {
		if (copy_event(buf + done, &event, size))
			return done ?: -EFAULT;
		take(feed, &event);
		done += size;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

/**
 * mlkd_feed_read - read(2) of an open file
 * @feed: its feed
 * @buf: where the events go
 * @len: room there
 * @nonblock: if there is none, do not wait for one
 *
 * Return: how many bytes; -EINVAL; -EAGAIN; -EFAULT; -ERESTARTSYS.
 */
ssize_t mlkd_feed_read(struct mlkd_feed *feed, char __user *buf, size_t len, bool nonblock)
{
	size_t size = READ_ONCE(feed->event_size);
	ssize_t ret;

	if (!size || len < size)
		return -EINVAL;
	for (;;) {
		if (nonblock) {
			if (!mutex_trylock(&feed->reader))
				return -EAGAIN;
		} else if (mutex_lock_interruptible(&feed->reader)) {
			return -ERESTARTSYS;
		}
		ret = read_events(feed, buf, len, size);
		mutex_unlock(&feed->reader);
		if (ret)
			return ret;
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(feed->wait, ready(feed)))
			return -ERESTARTSYS;
	}
}

__poll_t mlkd_feed_poll(struct mlkd_feed *feed, struct file *file, poll_table *wait)
{
	poll_wait(file, &feed->wait, wait);
	/* Pairs with wq_has_sleeper(): who posts sees the waiter, or he is seen here. */
	smp_mb();
	return ready(feed) ? EPOLLIN | EPOLLRDNORM : 0;
}
