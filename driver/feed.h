/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events for who reads the device.
 */
#ifndef _MEMLOCKD_FEED_H
#define _MEMLOCKD_FEED_H

#include <linux/memlockd.h>
#include <linux/poll.h>
#include <linux/uidgid.h>

struct file;
struct mlkd_feed;
struct mlkd_target;
struct mm_struct;
struct pid;

#define MLKD_EVENT_KINDS	(2 * MEMLOCKD_EVENT_RULE_FAILED - 1)

/**
 * struct mlkd_feed_event - something that has happened
 * @mm: the address space that it has happened to
 * @process: its process, which the caller keeps
 * @by: the thread or process that has done it; or NULL
 * @uid: the real user ID of @process
 * @out: what the reader gets, but for the numbers of processes
 */
struct mlkd_feed_event {
	struct mm_struct *mm;
	struct pid *process;
	struct pid *by;
	kuid_t uid;
	struct memlockd_event out;
};

struct mlkd_feed *mlkd_feed_new(void);
void mlkd_feed_free(struct mlkd_feed *feed);
int mlkd_feed_subscribe(struct mlkd_feed *feed, struct mlkd_target *target, bool trusted,
			const struct memlockd_subscribe *subscribe);
ssize_t mlkd_feed_read(struct mlkd_feed *feed, char __user *buf, size_t len, bool nonblock);
__poll_t mlkd_feed_poll(struct mlkd_feed *feed, struct file *file, poll_table *wait);

bool mlkd_feeds_want(void);
void mlkd_feed_post(const struct mlkd_feed_event *event);
void mlkd_feed_tell(struct mm_struct *mm, struct pid *process,
		    const struct memlockd_event *out);

#endif /* _MEMLOCKD_FEED_H */
