/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the library share.
 */
#ifndef LIBMEMLOCKD_INTERNAL_H
#define LIBMEMLOCKD_INTERNAL_H

#include "libmemlockd.h"

#define DEVICE		"/dev/memlockd"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct memlockd {
	int fd;
	char error[512];
};

/* What a structure of the device says about the limit that was met. */
struct limit {
	uint32_t which;
	uint64_t needed;
	uint64_t allowed;
};

/* An ioctl with a structure of @size bytes at @arg; 0 or -errno, and no sentence. */
int memlockd_ioctl(struct memlockd *m, unsigned long cmd, void *arg, size_t size);

/*
 * ---- error.c: each of these stores a sentence and returns @err.  With @err 0 it
 * is the empty one.
 */
int fail(struct memlockd *m, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int fail_open(struct memlockd *m, int err);
int fail_call(struct memlockd *m, int err, struct memlockd_process process, unsigned long cmd,
	      const struct limit *limit);

/* ---- process.c: who that is ---- */

/* Its process ID; 0 when that cannot be told. */
pid_t process_pid(struct memlockd_process process);
/* "redis-server (PID 812)" */
void process_name(struct memlockd_process process, char *buf, size_t room);
/* No memory of its own: a kernel thread, or a zombie. */
int process_is_kernel_thread(pid_t pid);
int process_is_zombie(pid_t pid);

#endif /* LIBMEMLOCKD_INTERNAL_H */
