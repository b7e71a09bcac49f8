// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The RLIMIT_MEMLOCK of a process.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "internal.h"

/* The kernel's "no limit" and ours are the same number where rlim_t has 64 bits. */
static uint64_t from_rlim(rlim_t value)
{
	return value == RLIM_INFINITY ? MEMLOCKD_NO_LIMIT : value;
}

static rlim_t to_rlim(uint64_t value)
{
	return value == MEMLOCKD_NO_LIMIT ? RLIM_INFINITY : (rlim_t)value;
}

static int set_limit(struct memlockd *m, pid_t pid, uint64_t soft, uint64_t hard,
		     struct memlockd_memlock *old)
{
	struct rlimit limit = { to_rlim(soft), to_rlim(hard) }, was;
	char name[64];
	int err;

	if (prlimit(pid, RLIMIT_MEMLOCK, &limit, &was)) {
		err = errno;
		process_name(memlockd_pid(pid), name, sizeof(name));
		if (err == EPERM)
			return fail(m, -err, "%s's RLIMIT_MEMLOCK cannot be raised without CAP_SYS_RESOURCE: run this as root",
				    name);
		return fail(m, -err, "%s's RLIMIT_MEMLOCK cannot be changed: %s", name,
			    strerror(err));
	}
	if (old) {
		old->soft = from_rlim(was.rlim_cur);
		old->hard = from_rlim(was.rlim_max);
	}
	return 0;
}

int memlockd_raise_limit(struct memlockd *m, pid_t pid, uint64_t bytes,
			 struct memlockd_memlock *old)
{
	struct memlockd_memlock was;
	struct rlimit limit;
	char name[64];
	int err;

	if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit)) {
		err = errno;
		process_name(memlockd_pid(pid), name, sizeof(name));
		return fail(m, -err, "%s's RLIMIT_MEMLOCK cannot be read: %s", name, strerror(err));
	}
	was.soft = from_rlim(limit.rlim_cur);
	was.hard = from_rlim(limit.rlim_max);
	if (old)
		*old = was;
	if (was.soft >= bytes)
		return fail(m, 0, "%s", "");
	err = set_limit(m, pid, bytes, was.hard > bytes ? was.hard : bytes, old);
	return err ? err : 1;
}

int memlockd_restore_limit(struct memlockd *m, pid_t pid, const struct memlockd_memlock *old)
{
	return set_limit(m, pid, old->soft, old->hard, NULL);
}
