// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: who wants which, and reading them.
 */
#include <errno.h>
#include <unistd.h>

#include "internal.h"

static int subscribe(struct memlockd *m, struct memlockd_process process, unsigned int flags,
		     unsigned int kinds, size_t event_size)
{
	struct memlockd_subscribe subscribe = {
		.flags = flags,
		.target_type = process.type,
		.target = process.id,
		.kinds = kinds,
		.event_size = event_size,
	};
	int err = memlockd_ioctl(m, MEMLOCKD_IOC_SUBSCRIBE, &subscribe, sizeof(subscribe));

	return fail_call(m, err, process, MEMLOCKD_IOC_SUBSCRIBE, NULL);
}

int memlockd_subscribe(struct memlockd *m, struct memlockd_process process, unsigned int kinds,
		       size_t event_size)
{
	return subscribe(m, process, 0, kinds, event_size);
}

int memlockd_subscribe_all(struct memlockd *m, unsigned int kinds, size_t event_size)
{
	return subscribe(m, memlockd_self(), MEMLOCKD_SUBSCRIBE_ALL, kinds, event_size);
}

ssize_t memlockd_read_events(struct memlockd *m, struct memlockd_event *events, size_t nr,
			     size_t event_size)
{
	ssize_t got = read(m->fd, events, nr * event_size);

	if (got < 0 && errno == EINVAL)
		return fail(m, -EINVAL, "no events have been subscribed to");
	if (got < 0)
		return fail(m, -errno, "events cannot be read: %m");
	fail(m, 0, "%s", "");
	return got / event_size;
}
