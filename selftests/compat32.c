// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit client: superlocks itself and hands all that it got to abi_test.
 */
#include "compat32.h"
#include "syscall32.h"

#define O_RDWR	2

static struct compat32 result;

void _start(void)
{
	struct memlockd_unlock unlock = { .size = sizeof(unlock) };
	int fd = call3(__NR_open, (long)"/dev/memlockd", O_RDWR, 0);

	if (fd < 0)
		leave(1);
	result.info.size = sizeof(result.info);
	result.results[0] = call3(__NR_ioctl, fd, MEMLOCKD_IOC_INFO, (long)&result.info);

	result.lock.size = sizeof(result.lock);
	result.lock.flags = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE;
	result.lock.state = MEMLOCKD_STATE_SUPERLOCKED;
	result.results[1] = call3(__NR_ioctl, fd, MEMLOCKD_IOC_LOCK, (long)&result.lock);

	result.status.size = sizeof(result.status);
	result.results[2] = call3(__NR_ioctl, fd, MEMLOCKD_IOC_STATUS, (long)&result.status);

	result.mappings.size = sizeof(result.mappings);
	result.mappings.rows = (unsigned long)result.rows;
	result.mappings.nr_rows = COMPAT32_ROWS;
	result.mappings.row_size = sizeof(result.rows[0]);
	result.results[3] = call3(__NR_ioctl, fd, MEMLOCKD_IOC_MAPPINGS, (long)&result.mappings);

	result.results[4] = call3(__NR_ioctl, fd, MEMLOCKD_IOC_UNLOCK, (long)&unlock);
	result.results[5] = call3(__NR_ioctl, fd, MEMLOCKD_IOC_UNLOCK, (long)&unlock);

	/* More than a pipe holds would need a loop. */
	if (call3(__NR_write, 1, (long)&result, sizeof(result)) != sizeof(result))
		leave(2);
	leave(0);
}
