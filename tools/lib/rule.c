// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rules: what processes get without being asked for one by one.
 */
#include <errno.h>

#include "internal.h"

static int fail_rule(struct memlockd *m, int err, unsigned long cmd)
{
	switch (-err) {
	case EPERM:
		return fail(m, err, "rules reach every process of the machine, which needs CAP_IPC_LOCK and CAP_SYS_PTRACE, and CAP_KILL to kill: run this as root");
	case ENOENT:
		return fail(m, err, "there is no such rule");
	case EDQUOT:
		return fail(m, err, "there are as many rules as there can be (%d): take some away",
			    MEMLOCKD_MAX_RULES);
	case EOPNOTSUPP:
		return fail(m, err, "the kernel has no probes for the events of this rule, or no control groups");
	case EBADF:
		return fail(m, err, "a file descriptor of the rule is not open");
	case EINVAL:
		return fail(m, err, "the memlockd module refuses this rule, or does not know a part of it: the program has to be a file, the control group a directory of version 2");
	default:
		return fail_call(m, err, memlockd_self(), cmd, NULL);
	}
}

int memlockd_rule_add(struct memlockd *m, struct memlockd_rule *rule, size_t size)
{
	return fail_rule(m, memlockd_ioctl(m, MEMLOCKD_IOC_RULE_ADD, rule, size),
			 MEMLOCKD_IOC_RULE_ADD);
}

int memlockd_rule_del(struct memlockd *m, uint64_t id)
{
	struct memlockd_rule_del del = { .id = id };

	return fail_rule(m, memlockd_ioctl(m, MEMLOCKD_IOC_RULE_DEL, &del, sizeof(del)),
			 MEMLOCKD_IOC_RULE_DEL);
}
