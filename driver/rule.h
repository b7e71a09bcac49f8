/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules: what processes get without being asked for one by one.
 */
#ifndef _MEMLOCKD_RULE_H
#define _MEMLOCKD_RULE_H

#include <linux/memlockd.h>

struct mlkd_client;

#define MLKD_RULE_EVENTS	(MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK | MEMLOCKD_RULE_NOW | \
				 MEMLOCKD_RULE_SETSCHEDULER | MEMLOCKD_RULE_IO)
#define MLKD_MATCHES	(MEMLOCKD_MATCH_EXECUTABLE | MEMLOCKD_MATCH_CGROUP | \
			 MEMLOCKD_MATCH_USER | MEMLOCKD_MATCH_REALTIME | MEMLOCKD_MATCH_IO)

void mlkd_rules_init(void);
void mlkd_rules_exit(void);

int mlkd_rule_add(struct memlockd_rule *args, struct mlkd_client *owner);
int mlkd_rule_del(u64 id);
void mlkd_rules_close(struct mlkd_client *owner);
bool mlkd_rules_next(u64 id, struct memlockd_rule_row *row);

int mlkd_default_state(void);
int mlkd_default_state_set(int state);

#endif /* _MEMLOCKD_RULE_H */
