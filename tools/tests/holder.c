// SPDX-License-Identifier: GPL-2.0-only
/*
 * holder - hold a lock of its own of another process, until it is killed
 *
 * holder PID: prints a line when the lock is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libmemlockd.h>

int main(int argc, char **argv)
{
	struct memlockd_lock lock = {
		.state = MEMLOCKD_STATE_LOCKED,
		.flags = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE | MEMLOCKD_MOVABLE | MEMLOCKD_OWNED,
	};
	struct memlockd *m;
	int err;

	err = memlockd_open(&m);
	if (!err)
		err = memlockd_lock_process(m, memlockd_pid(argc > 1 ? atoi(argv[1]) : 0), &lock,
					    sizeof(lock));
	if (err) {
		fprintf(stderr, "holder: %s\n", memlockd_error(m));
		return 1;
	}
	puts("locked");
	fflush(stdout);
	pause();
	return 0;
}
