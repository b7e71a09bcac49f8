/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file of the device, and the locks that it holds.
 */
#ifndef _MEMLOCKD_CLIENT_H
#define _MEMLOCKD_CLIENT_H

#include <linux/uidgid.h>

struct mlkd_client;
struct mlkd_space;

int mlkd_clients_init(void);
void mlkd_clients_exit(void);

struct mlkd_client *mlkd_client_new(void);
void mlkd_client_close(struct mlkd_client *client);
int mlkd_client_leave(struct mlkd_space *space, struct mlkd_client *client,
		      kuid_t uid, bool force);

#endif /* _MEMLOCKD_CLIENT_H */
