// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Locks of a part of an address space.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static int is_self(struct memlockd_process process)
{
	return process.type == MEMLOCKD_TARGET_PID && (!process.id || process.id == getpid());
}

/* What a pointer of this process cannot say, it has not mapped either. */
static int is_address(uint64_t addr, uint64_t len)
{
	return addr <= UINTPTR_MAX && len <= SIZE_MAX && addr + len >= addr;
}

static int range(struct memlockd *m, struct memlockd_process process, unsigned long cmd,
		 struct memlockd_range *range)
{
	struct limit limit;
	int err;

	range->target_type = process.type;
	range->target = process.id;
	err = memlockd_ioctl(m, cmd, range, sizeof(*range));
	limit.which = range->out_limit;
	limit.needed = range->out_needed;
	limit.allowed = range->out_allowed;
	return fail_call(m, err, process, cmd, &limit);
}

int memlockd_lock_range(struct memlockd *m, struct memlockd_process process,
			uint64_t addr, uint64_t len, unsigned int state)
{
	struct memlockd_range call = { .state = state, .addr = addr, .len = len };

	if (state != MEMLOCKD_STATE_LOCKED && state != MEMLOCKD_STATE_SUPERLOCKED)
		return fail(m, -EINVAL, "a range can be locked or superlocked, nothing else");
	if (addr + len < addr)
		return fail(m, -EINVAL, "the range wraps around the end of the addresses");
	if (m->fd < 0)
		return fail_call(m, -EBADF, process, MEMLOCKD_IOC_LOCK_RANGE, NULL);
	if (is_self(process)) {
		if (!is_address(addr, len))
			return fail(m, -ENOMEM, "the range has parts that are not mapped");
		if (mlock((void *)(uintptr_t)addr, len))
			return fail(m, -errno, "mlock(2) of the range failed: %s", strerror(errno));
	}
	return range(m, process, MEMLOCKD_IOC_LOCK_RANGE, &call);
}

int memlockd_unlock_range(struct memlockd *m, struct memlockd_process process,
			  uint64_t addr, uint64_t len)
{
	struct memlockd_range call = {
		.state = MEMLOCKD_STATE_UNLOCKED,
		.addr = addr,
		.len = len,
	};
	int err = range(m, process, MEMLOCKD_IOC_UNLOCK_RANGE, &call);

	if (err || !is_self(process))
		return err;
	if (munlock((void *)(uintptr_t)addr, len))
		return fail(m, -errno, "munlock(2) of the range failed: %s", strerror(errno));
	return 0;
}
