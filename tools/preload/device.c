// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device, as the preload shim uses it.
 *
 * It stays open from the first use on, so that the lock is this process's own and
 * no other client of its user undoes it.  A program may close all descriptors that
 * it does not know, and get the number for a file of its own; so each use looks
 * whether it is still the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/memlockd.h>

#include "device.h"

#define DEVICE	"/dev/memlockd"

/* Out of the way of programs that count on the next number. */
#define LOW_FD	200

static atomic_int device = -1;
static _Atomic dev_t number;	/* of the device, once it has been opened */

enum wish { MOVABLE, LOCKED, SUPERLOCKED };

/* MEMLOCKD_PRELOAD_STATE=superlocked|locked|movable */
static enum wish wish(void)
{
	const char *word = secure_getenv("MEMLOCKD_PRELOAD_STATE");

	if (word && (!strcmp(word, "locked") || !strcmp(word, "lock")))
		return LOCKED;
	if (word && !strcmp(word, "movable"))
		return MOVABLE;
	return SUPERLOCKED;
}

static bool is_device(int fd)
{
	struct stat file;

	return fd >= 0 && !fstat(fd, &file) && S_ISCHR(file.st_mode) &&
	       file.st_rdev == atomic_load(&number);
}

static int get_device(void)
{
	int fd = atomic_load(&device), high, expected = fd;
	struct stat file;

	if (is_device(fd))
		return fd;
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &file))
		atomic_store(&number, file.st_rdev);
	high = fcntl(fd, F_DUPFD_CLOEXEC, LOW_FD);
	if (high >= 0) {
		close(fd);
		fd = high;
	}
	/* Another thread may have been first. */
	if (!atomic_compare_exchange_strong(&device, &expected, fd)) {
		close(fd);
		fd = expected;
	}
	return fd;
}

/* errno is for the caller's caller only. */
static int call(unsigned long cmd, void *arg)
{
	int before = errno, fd = get_device(), err;

	err = fd < 0 ? fd : ioctl(fd, cmd, arg) < 0 ? -errno : 0;
	errno = before;
	return err;
}

bool device_declines(int err)
{
	switch (-err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case EACCES:
	case EPERM:
	case ENOTTY:
	case EMFILE:
	case ENFILE:
	case EINVAL:
	case E2BIG:
		return true;
	default:
		return false;
	}
}

/* Why the device cannot be had; the rest is as strerror(3) has it. */
static const char *reason(int err)
{
	switch (-err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "there is no " DEVICE;
	case EACCES:
		return "this user may not open " DEVICE;
	case EPERM:
		return "it takes CAP_IPC_LOCK, or unprivileged_mlock and a RLIMIT_MEMLOCK";
	case ENOTTY:
	case EINVAL:
	case E2BIG:
		return "the memlockd module that is loaded does not know this call";
	case EMFILE:
	case ENFILE:
		return "there is no file descriptor left";
	default:
		return strerrordesc_np(-err);
	}
}

/* Write all that is there, and leave it at that: nobody could be told of an error. */
static void put(const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t nr = write(STDERR_FILENO, text, len);

		if (nr <= 0)
			return;
		text += nr;
		len -= nr;
	}
}

void device_tell(const char *call, const char *instead, int err)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	const char *verbose = secure_getenv("MEMLOCKD_PRELOAD_VERBOSE");
	const char *why = reason(err);
	int before = errno;

	if (!verbose || !*verbose || !strcmp(verbose, "0"))
		return;
	if (atomic_flag_test_and_set(&told))
		return;
	put("libmemlockd-preload: ");
	put(call);
	put(": ");
	put(instead);
	put(": ");
	put(why ? why : "unknown error");
	put("\n");
	errno = before;
}

int device_lock(bool current, bool future)
{
	struct memlockd_lock lock = {
		.size = sizeof(lock),
		.flags = (current ? MEMLOCKD_CURRENT : 0) | (future ? MEMLOCKD_FUTURE : 0),
		.state = MEMLOCKD_STATE_LOCKED,
	};
	int err;

	/* Half of an address space can be locked, not superlocked. */
	if (wish() == SUPERLOCKED && current && future)
		lock.state = MEMLOCKD_STATE_SUPERLOCKED;
	else if (wish() == MOVABLE)
		lock.flags |= MEMLOCKD_MOVABLE;
	err = call(MEMLOCKD_IOC_LOCK, &lock);
	if (err != -ENOMEM)
		return err;
	/* POSIX: ENOMEM is for limits, EAGAIN for memory. */
	if (lock.out_limit == MEMLOCKD_LIMIT_MEMORY)
		return -EAGAIN;
	/* And EPERM is for who may lock nothing at all. */
	if ((lock.out_limit == MEMLOCKD_LIMIT_RLIMIT_MEMLOCK ||
	     lock.out_limit == MEMLOCKD_LIMIT_FUTURE) && !lock.out_allowed)
		return -EPERM;
	return err;
}

int device_unlock(void)
{
	struct memlockd_unlock unlock = { .size = sizeof(unlock) };

	return call(MEMLOCKD_IOC_UNLOCK, &unlock);
}

static int range(unsigned long cmd, unsigned int flags, unsigned int state,
		 unsigned long addr, size_t len)
{
	struct memlockd_range range = {
		.size = sizeof(range),
		.flags = flags,
		.state = state,
		.addr = addr,
		.len = len,
	};

	return call(cmd, &range);
}

int device_lock_range(unsigned long addr, size_t len)
{
	/* Without a pin it is what mlock(2) has done already. */
	if (wish() == MOVABLE)
		return 0;
	return range(MEMLOCKD_IOC_LOCK_RANGE, 0, wish() == SUPERLOCKED ?
		     MEMLOCKD_STATE_SUPERLOCKED : MEMLOCKD_STATE_LOCKED, addr, len);
}

int device_unlock_range(unsigned long addr, size_t len)
{
	return range(MEMLOCKD_IOC_UNLOCK_RANGE, MEMLOCKD_RANGE_WHOLE, MEMLOCKD_STATE_UNLOCKED,
		     addr, len);
}

/* All addresses that a process can have, of any kernel. */
#define ALL	(SIZE_MAX / 2)

int device_unlock_ranges(void)
{
	return range(MEMLOCKD_IOC_UNLOCK_RANGE, 0, MEMLOCKD_STATE_UNLOCKED, 0, ALL);
}
