// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device, and its calls about whole processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

int memlockd_open(struct memlockd **handle)
{
	struct memlockd *m = calloc(1, sizeof(*m));

	*handle = m;
	if (!m)
		return -ENOMEM;
	m->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	return m->fd < 0 ? fail_open(m, -errno) : 0;
}

void memlockd_close(struct memlockd *m)
{
	if (m && m->fd >= 0)
		close(m->fd);
	free(m);
}

int memlockd_fd(const struct memlockd *m)
{
	return m->fd;
}

int memlockd_ioctl(struct memlockd *m, unsigned long cmd, void *arg, size_t size)
{
	/* Each structure begins with its size. */
	uint32_t known = size;

	memcpy(arg, &known, sizeof(known));
	return ioctl(m->fd, cmd, arg) < 0 ? -errno : 0;
}

int memlockd_superlock(struct memlockd *m, struct memlockd_process process)
{
	struct memlockd_lock lock = { .state = MEMLOCKD_STATE_SUPERLOCKED };

	return memlockd_lock_process(m, process, &lock, sizeof(lock));
}

int memlockd_lock_process(struct memlockd *m, struct memlockd_process process,
			  struct memlockd_lock *lock, size_t size)
{
	struct limit limit;
	int err;

	if (!(lock->flags & (MEMLOCKD_CURRENT | MEMLOCKD_FUTURE)))
		lock->flags |= MEMLOCKD_CURRENT | MEMLOCKD_FUTURE;
	lock->target_type = process.type;
	lock->target = process.id;
	lock->reserved = 0;
	err = memlockd_ioctl(m, MEMLOCKD_IOC_LOCK, lock, size);
	limit.which = lock->out_limit;
	limit.needed = lock->out_needed;
	limit.allowed = lock->out_allowed;
	return fail_call(m, err, process, MEMLOCKD_IOC_LOCK, &limit);
}

int memlockd_unlock_process(struct memlockd *m, struct memlockd_process process,
			    unsigned int flags)
{
	struct memlockd_unlock unlock = {
		.flags = flags,
		.target_type = process.type,
		.target = process.id,
	};
	int err = memlockd_ioctl(m, MEMLOCKD_IOC_UNLOCK, &unlock, sizeof(unlock));

	return fail_call(m, err, process, MEMLOCKD_IOC_UNLOCK, NULL);
}

int memlockd_sync_process(struct memlockd *m, struct memlockd_process process,
			  struct memlockd_sync *sync, size_t size)
{
	struct memlockd_sync own;
	int err;

	if (!sync) {
		sync = &own;
		size = sizeof(own);
	}
	memset(sync, 0, size);
	sync->target_type = process.type;
	sync->target = process.id;
	err = memlockd_ioctl(m, MEMLOCKD_IOC_SYNC, sync, size);
	return fail_call(m, err, process, MEMLOCKD_IOC_SYNC, NULL);
}

int memlockd_read_status(struct memlockd *m, struct memlockd_process process,
			 struct memlockd_status *status, size_t size)
{
	int err;

	memset(status, 0, size);
	status->target_type = process.type;
	status->target = process.id;
	err = memlockd_ioctl(m, MEMLOCKD_IOC_STATUS, status, size);
	return fail_call(m, err, process, MEMLOCKD_IOC_STATUS, NULL);
}

int memlockd_read_info(struct memlockd *m, struct memlockd_info *info, size_t size)
{
	int err;

	memset(info, 0, size);
	err = memlockd_ioctl(m, MEMLOCKD_IOC_INFO, info, size);
	return fail_call(m, err, memlockd_self(), MEMLOCKD_IOC_INFO, NULL);
}
