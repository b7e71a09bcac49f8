// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why a call has failed, in a sentence that says what to do about it.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

const char *memlockd_error(const struct memlockd *m)
{
	return m ? m->error : "out of memory";
}

int fail(struct memlockd *m, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->error, sizeof(m->error), format, args);
	va_end(args);
	return err;
}

int fail_open(struct memlockd *m, int err)
{
	switch (-err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return fail(m, err, "there is no " DEVICE ": load the module (modprobe memlockd)");
	case EACCES:
	case EPERM:
		return fail(m, err, DEVICE " may not be opened by this user: be root, or a member of the group that it belongs to (memlock)");
	default:
		return fail(m, err, DEVICE ": %s", strerror(-err));
	}
}

static int have_capability(unsigned int cap)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap) ? 1 : 0;
}

/* To look is not to lock: <linux/memlockd.h> says who may do what. */
static int fail_look(struct memlockd *m, int err, const char *name)
{
	return fail(m, err, "%s is another user's, and to look at what it has locked needs CAP_SYS_PTRACE or CAP_IPC_LOCK: run this as root, or as that user",
		    name);
}

static int fail_permission(struct memlockd *m, int err, const char *name, unsigned long cmd)
{
	const char *verb = cmd == MEMLOCKD_IOC_UNLOCK || cmd == MEMLOCKD_IOC_UNLOCK_RANGE ?
			   "unlocked" : "locked";

	if (cmd == MEMLOCKD_IOC_LIST)
		return fail(m, err, "what is locked may not be listed by this user");
	if (cmd == MEMLOCKD_IOC_RULES)
		return fail(m, err, "to see the rules needs CAP_IPC_LOCK or CAP_SYS_PTRACE: run this as root");
	if (cmd == MEMLOCKD_IOC_STATUS || cmd == MEMLOCKD_IOC_MAPPINGS ||
	    cmd == MEMLOCKD_IOC_SUBSCRIBE)
		return fail_look(m, err, name);
	if (!have_capability(CAP_IPC_LOCK))
		return fail(m, err, "%s may not be %s without CAP_IPC_LOCK: run this as root, or set vm.memlockd.unprivileged_mlock for processes of one's own",
			    name, verb);
	if (!have_capability(CAP_SYS_PTRACE))
		return fail(m, err, "%s is another user's, or not dumpable: to have it %s needs CAP_SYS_PTRACE beside CAP_IPC_LOCK",
			    name, verb);
	if (cmd == MEMLOCKD_IOC_UNLOCK)
		return fail(m, err, "%s is locked by others only: they can unlock it, or force it with MEMLOCKD_UNLOCK_FORCE",
			    name);
	return fail(m, err, "%s may not be %s from this user namespace", name, verb);
}

static int fail_limit(struct memlockd *m, int err, const char *name, const struct limit *limit)
{
	char needed[16], allowed[16];

	memlockd_format_size(needed, sizeof(needed), limit->needed);
	memlockd_format_size(allowed, sizeof(allowed), limit->allowed);
	switch (limit->which) {
	case MEMLOCKD_LIMIT_RLIMIT_MEMLOCK:
		return fail(m, err, "%s needs %s locked, its RLIMIT_MEMLOCK is %s", name, needed,
			    allowed);
	case MEMLOCKD_LIMIT_FUTURE:
		return fail(m, err, "%s would have %s locked, and its RLIMIT_MEMLOCK of %s would make its later mappings fail",
			    name, needed, allowed);
	case MEMLOCKD_LIMIT_RAM:
		return fail(m, err, "%s needs %s locked, the machine has %s of memory", name,
			    needed, allowed);
	case MEMLOCKD_LIMIT_MAX_WIRED:
		return fail(m, err, "with %s, %s would be locked on this machine; vm.memlockd.max_wired allows %s",
			    name, needed, allowed);
	case MEMLOCKD_LIMIT_MEMORY:
		return fail(m, err, "memory ran out while %s was locked", name);
	case MEMLOCKD_LIMIT_CGROUP:
		return fail(m, err, "%s needs a memory cgroup of %s, and has one of %s", name,
			    needed, allowed);
	default:
		return fail(m, err, "the range has parts that %s has not mapped", name);
	}
}

static int fail_gone(struct memlockd *m, int err, struct memlockd_process process,
		     const char *name)
{
	pid_t pid = process_pid(process);

	if (!pid)
		return fail(m, err, "the process has ended");
	if (kill(pid, 0) && errno == ESRCH)
		return fail(m, err, "there is no process %d", pid);
	if (process_is_kernel_thread(pid))
		return fail(m, err, "%s is a kernel thread: its memory is never paged", name);
	if (process_is_zombie(pid))
		return fail(m, err, "%s has exited", name);
	return fail(m, err, "%s exits, or executes another program right now", name);
}

int fail_call(struct memlockd *m, int err, struct memlockd_process process, unsigned long cmd,
	      const struct limit *limit)
{
	char name[128];

	if (!err)
		return fail(m, 0, "%s", "");
	/* These are about no process. */
	if (cmd == MEMLOCKD_IOC_LIST || cmd == MEMLOCKD_IOC_INFO || cmd == MEMLOCKD_IOC_RULES ||
	    cmd == MEMLOCKD_IOC_RULE_ADD || cmd == MEMLOCKD_IOC_RULE_DEL)
		snprintf(name, sizeof(name), DEVICE);
	else
		process_name(process, name, sizeof(name));
	switch (-err) {
	case EPERM:
		return fail_permission(m, err, name, cmd);
	case ESRCH:
		return fail_gone(m, err, process, name);
	case ENOMEM:
		if (limit)
			return fail_limit(m, err, name, limit);
		return fail(m, err, "%s: out of memory", name);
	case ENOENT:
		return fail(m, err, cmd == MEMLOCKD_IOC_UNLOCK_RANGE ?
			    "%s has no locked range there" : "%s is not locked", name);
	case ENOTTY:
		return fail(m, err, "the memlockd module that is loaded is too old for this: unlock all, then modprobe -r memlockd and modprobe memlockd");
	case E2BIG:
		return fail(m, err, "%s: the memlockd module that is loaded is too old for this option",
			    name);
	case EINVAL:
		return fail(m, err, "%s: the memlockd module refuses this combination of options, or does not know one of them",
			    name);
	case EOPNOTSUPP:
		if (cmd == MEMLOCKD_IOC_LOCK)
			return fail(m, err, "%s has not been locked: the kernel's probes are off (kernel.ftrace_enabled, /sys/kernel/debug/kprobes/enabled), and what it maps later would not be pinned",
				    name);
		return fail(m, err, "a part of a shared mapping of %s cannot be locked from outside: lock all of it, or let the process do it",
			    name);
	case EINTR:
		return fail(m, err, "%s: interrupted; nothing has changed", name);
	case EDQUOT:
		if (cmd == MEMLOCKD_IOC_SUBSCRIBE)
			return fail(m, err, "this user has as many subscriptions as there can be (%d): end some",
				    MEMLOCKD_MAX_SUBSCRIPTIONS);
		return fail(m, err, "%s has as many locks of this user as there can be (%d): unlock some",
			    name, MEMLOCKD_MAX_HOLDERS);
	case EBADF:
		return fail(m, err, "the file descriptor that names the process is not open");
	default:
		return fail(m, err, "%s: %s", name, strerror(-err));
	}
}
