// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libmemlockd-preload.so - the device's lock for programs that call mlockall(2)
 *
 * Takes the place of mlockall, munlockall, mlock, mlock2 and munlock of a program
 * that knows nothing of memlockd, and of syscall(2) with their numbers; see
 * libmemlockd-preload(7).  Where the device is missing, or refuses the caller, the
 * kernel's own call is made as ever.
 *
 * Uses neither stdio nor malloc(3): a program may call these anywhere.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"

#define EXPORT	__attribute__((visibility("default")))

/* The real syscall(2), for all that the program asks of it. */
static long (*libc_syscall)(long number, ...);

static __attribute__((constructor)) void find_syscall(void)
{
	*(void **)&libc_syscall = dlsym(RTLD_NEXT, "syscall");
}

/* The kernel's call; a program may come here before our constructor has run. */
static long kernel(long number, unsigned long a, unsigned long b, unsigned long c)
{
	if (!libc_syscall)
		find_syscall();
	return libc_syscall(number, a, b, c);
}

/* 0 or -1 with errno, as the calls that we stand for. */
static int result(int err)
{
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

/* The process has called the kernel's mlockall(2). */
static atomic_bool kernels_own;

/* It takes the place of a lock of ours, where it locks all that there is. */
static int kernels_lock_all(int flags)
{
	int ret = kernel(SYS_mlockall, flags, 0, 0);

	if (ret)
		return ret;
	atomic_store(&kernels_own, true);
	if ((flags & MCL_CURRENT) && !device_unlock())
		ret = kernel(SYS_mlockall, flags, 0, 0);
	return ret;
}

static int lock_all(int flags)
{
	const int known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
	int err;

	/* MCL_ONFAULT is for what is not to be present at once; what is wrong the kernel tells. */
	if ((flags & ~known) || !(flags & (MCL_CURRENT | MCL_FUTURE)) || (flags & MCL_ONFAULT))
		return kernels_lock_all(flags);
	err = device_lock(flags & MCL_CURRENT, flags & MCL_FUTURE);
	if (device_declines(err)) {
		device_tell("mlockall", "the kernel's own lock is what there is", err);
		return kernels_lock_all(flags);
	}
	/* What the kernel's own has left is what it would be after this one. */
	if (!err && atomic_load(&kernels_own))
		kernel(SYS_mlockall, flags, 0, 0);
	return result(err);
}

static int unlock_all(void)
{
	atomic_store(&kernels_own, false);
	device_unlock();
	device_unlock_ranges();
	return kernel(SYS_munlockall, 0, 0, 0);
}

/*
 * The kernel's lock comes first: it splits mappings, accounts and judges.  What
 * the device adds are pins; without them the range is locked as it always was.
 */
static int lock_range(unsigned long addr, size_t len, long number, unsigned int flags)
{
	int ret = kernel(number, addr, len, flags), err;

	if (!ret && !flags) {
		err = device_lock_range(addr, len);
		if (err)
			device_tell("mlock", "the range is locked by the kernel, and not pinned",
				    err);
	}
	return ret;
}

static int unlock_range(unsigned long addr, size_t len)
{
	device_unlock_range(addr, len);
	return kernel(SYS_munlock, addr, len, 0);
}

EXPORT int mlockall(int flags)
{
	return lock_all(flags);
}

EXPORT int munlockall(void)
{
	return unlock_all();
}

EXPORT int mlock(const void *addr, size_t len)
{
	return lock_range((unsigned long)addr, len, SYS_mlock, 0);
}

EXPORT int mlock2(const void *addr, size_t len, unsigned int flags)
{
	return lock_range((unsigned long)addr, len, SYS_mlock2, flags);
}

EXPORT int munlock(const void *addr, size_t len)
{
	return unlock_range((unsigned long)addr, len);
}

EXPORT long syscall(long number, ...)
{
	long args[6];
	va_list list;
	int i;

	/* As libc does: all six, whether they are there or not. */
	va_start(list, number);
	for (i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);

	switch (number) {
	case SYS_mlockall:
		return lock_all(args[0]);
	case SYS_munlockall:
		return unlock_all();
	case SYS_mlock:
		return lock_range(args[0], args[1], SYS_mlock, 0);
	case SYS_mlock2:
		return lock_range(args[0], args[1], SYS_mlock2, args[2]);
	case SYS_munlock:
		return unlock_range(args[0], args[1]);
	default:
		if (!libc_syscall)
			find_syscall();
		return libc_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	}
}
