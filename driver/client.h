/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file of the device, and the locks that it holds.
 */
#ifndef _MEMLOCKD_CLIENT_H
#define _MEMLOCKD_CLIENT_H

#include <linux/poll.h>
#include <linux/uidgid.h>

#include "policy.h"

struct file;
struct mlkd_client;
struct mlkd_feed;
struct mlkd_limit;
struct mlkd_space;
struct mlkd_target;
struct pid;

int mlkd_clients_init(void);
void mlkd_clients_exit(void);

struct mlkd_client *mlkd_client_new(void);
void mlkd_client_close(struct mlkd_client *client);
struct mlkd_feed *mlkd_client_feed(struct mlkd_client *client);
ssize_t mlkd_read(struct file *file, char __user *buf, size_t len, loff_t *pos);
__poll_t mlkd_poll(struct file *file, poll_table *wait);
int mlkd_client_enter(struct mlkd_space *space, struct mlkd_client *client,
		      const struct mlkd_target *target, struct pid *locker, kuid_t uid,
		      struct mlkd_mode mode, u64 stack_reserve, struct mlkd_limit *limit);
int mlkd_client_leave(struct mlkd_space *space, struct mlkd_client *client,
		      kuid_t uid, bool force);

#endif /* _MEMLOCKD_CLIENT_H */
