// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process to be locked: it runs our functions when told to, in its own memory,
 * and counts the page faults that it takes meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "memlockd_test.h"

struct call {
	target_fn fn;
	long a, b, c;
};

struct reply {
	long ret;
	long minflt, majflt;
};

/* The socket of the target that we are, for do_exec(). */
static int own_sock;

static void fail(const char *what)
{
	ksft_perror(what);
	_exit(KSFT_FAIL);
}

static void __attribute__((noreturn)) serve(int sock)
{
	struct rusage before, after;
	struct reply reply;
	struct call call;

	while (read(sock, &call, sizeof(call)) == sizeof(call)) {
		getrusage(RUSAGE_SELF, &before);
		reply.ret = call.fn(call.a, call.b, call.c);
		getrusage(RUSAGE_SELF, &after);
		reply.minflt = after.ru_minflt - before.ru_minflt;
		reply.majflt = after.ru_majflt - before.ru_majflt;
		if (write(sock, &reply, sizeof(reply)) != sizeof(reply))
			break;
	}
	_exit(0);
}

pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* 0: it is there, outside of our namespace. */
	if (getppid() != parent && getppid() != 0)
		_exit(KSFT_FAIL);
	return 0;
}

void *fork_for_ever(void *arg)
{
	for (;;) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

pid_t fork_with_pid(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};

	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid)
		return pid;
	/* No fork_child(), but it has no more to wait for than our end. */
	close(1);
	close(2);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() != 1)
		pause();
	_exit(0);
}

int send_fd(int sock, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int receive_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -errno;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

static void close_range_of(unsigned int first, unsigned int last)
{
	if (first <= last)
		syscall(SYS_close_range, first, last, 0);
}

/*
 * Whoever waits for the end of a test's output must not have to wait for a target
 * that the test has left behind.
 */
static void close_all_but(unsigned int a, unsigned int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close_range_of(3, low - 1);
	close_range_of(low + 1, high - 1);
	close_range_of(high + 1, ~0U);
}

void target_start_with(struct target *t, int fd)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		fail("socketpair");
	t->pid = fork_child();
	if (t->pid < 0)
		fail("fork");
	if (!t->pid) {
		close_all_but(socks[1], fd < 0 ? socks[1] : fd);
		own_sock = socks[1];
		serve(own_sock);
	}
	close(socks[1]);
	t->sock = socks[0];
	t->pidfd = syscall(SYS_pidfd_open, t->pid, 0);
	if (t->pidfd < 0)
		fail("pidfd_open");
	/* Once it has answered, it has set itself up. */
	target_call(t, do_nothing, 0, 0, 0);
}

void target_start(struct target *t)
{
	target_start_with(t, -1);
}

int target_start_sharing(struct target *t, long len, long *addr)
{
	int fd = memfd_create("memlockd", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, len))
		fail("memfd_create");
	target_start_with(t, fd);
	*addr = target_call(t, do_map_fd, fd, len, MAP_SHARED);
	if (*addr < 0)
		fail("mmap");
	return fd;
}

int target_reap(struct target *t)
{
	int status = -1;

	if (!t->pid)
		return status;
	waitpid(t->pid, &status, 0);
	t->pid = 0;
	close(t->pidfd);
	close(t->sock);
	return status;
}

int target_stop(struct target *t)
{
	if (t->pid)
		kill(t->pid, SIGKILL);
	return target_reap(t);
}

void target_post(struct target *t, target_fn fn, long a, long b, long c)
{
	struct call call = { .fn = fn, .a = a, .b = b, .c = c };

	if (send(t->sock, &call, sizeof(call), MSG_NOSIGNAL) != sizeof(call))
		fail("the target is gone");
}

bool target_result(struct target *t, long *ret)
{
	struct reply reply;

	if (recv(t->sock, &reply, sizeof(reply), MSG_WAITALL) != sizeof(reply))
		return false;
	t->minflt = reply.minflt;
	t->majflt = reply.majflt;
	*ret = reply.ret;
	return true;
}

bool target_echoes(struct target *t)
{
	char byte = 'x';

	return write(t->sock, &byte, 1) == 1 && read(t->sock, &byte, 1) == 1 && byte == 'x';
}

long target_call(struct target *t, target_fn fn, long a, long b, long c)
{
	long ret;

	target_post(t, fn, a, b, c);
	if (!target_result(t, &ret)) {
		errno = ECHILD;
		fail("the target died");
	}
	return ret;
}

const char *disk_dir(void)
{
	return getenv("TMPDIR") ?: "/var/tmp";
}

int disk_file(long size)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/memlockd-XXXXXX", disk_dir());
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	unlink(path);
	if (ftruncate(fd, size)) {
		close(fd);
		return -1;
	}
	return fd;
}

long do_nothing(long a, long b, long c)
{
	return a + b + c;
}

long do_map(long len, long prot, long flags)
{
	void *addr = mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0);

	return addr == MAP_FAILED ? -errno : (long)addr;
}

long do_map_small(long len, long prot, long flags)
{
	long addr = do_map(len, prot, flags);

	/* A kernel without huge pages refuses, which is as good. */
	if (addr > 0)
		madvise((void *)addr, len, MADV_NOHUGEPAGE);
	return addr;
}

long do_map_huge(long len, long prot, long flags)
{
	long addr = do_map(len + HUGE, prot, flags), start;

	if (addr < 0)
		return addr;
	start = (addr + HUGE - 1) & -HUGE;
	do_unmap(addr, start - addr, 0);
	do_unmap(start + len, addr + HUGE - start, 0);
	return madvise((void *)start, len, MADV_HUGEPAGE) ? -errno : start;
}

long do_map_at(long addr, long len, long prot)
{
	void *at = mmap((void *)addr, len, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return at == MAP_FAILED ? -errno : (long)at;
}

long do_map_same(long times, long shared, long c)
{
	char *addr = mmap(NULL, times * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("memlockd", 0);
	long i;

	if (addr == MAP_FAILED || ftruncate(fd, PAGE))
		return -errno;
	for (i = 0; i < times; i++) {
		if (mmap(addr + i * PAGE, PAGE, RW,
			 (i < shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			return -errno;
	}
	close(fd);
	return (long)addr;
}

long do_map_fd(long fd, long len, long flags)
{
	void *p = mmap(NULL, len, RW, flags, fd, 0);

	return p == MAP_FAILED ? -errno : (long)p;
}

int userfault_register(unsigned long addr, unsigned long len, uint64_t mode, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register range = {
		.range = { .start = addr, .len = len },
		.mode = mode,
	};
	int err, fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &range))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

long do_unmap(long addr, long len, long c)
{
	return munmap((void *)addr, len) ? -errno : 0;
}

long do_protect(long addr, long len, long prot)
{
	return mprotect((void *)addr, len, prot) ? -errno : 0;
}

long do_move(long addr, long len, long to)
{
	void *at = mremap((void *)addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to);

	return at == MAP_FAILED ? -errno : (long)at;
}

long do_resize(long addr, long len, long new_len)
{
	void *at = mremap((void *)addr, len, new_len, MREMAP_MAYMOVE);

	return at == MAP_FAILED ? -errno : (long)at;
}

long do_advise(long addr, long len, long advice)
{
	return madvise((void *)addr, len, advice) ? -errno : 0;
}

long do_read(long addr, long len, long step)
{
	volatile const char *p = (const char *)addr;
	long i, sum = 0;

	for (i = 0; i < len; i += step)
		sum += p[i];
	return sum & 0;
}

/* In one access: one that reads first gets the page of zeros, which is no huge page afterwards. */
long do_write(long addr, long len, long step)
{
	char *p = (char *)addr;
	long i;

	for (i = 0; i < len; i += step)
		__atomic_fetch_add(p + i, 1, __ATOMIC_RELAXED);
	return 0;
}

/* A frame of @len bytes. */
__attribute__((noinline)) long do_descend(long len, long b, long c)
{
	volatile char *room = __builtin_alloca(len);
	long i;

	for (i = len - 1; i >= 0; i -= PAGE)
		room[i] = 1;
	return room[0] & 0;
}

long do_mlock(long addr, long len, long flags)
{
	return mlock2((void *)addr, len, flags) ? -errno : 0;
}

long do_munlock(long addr, long len, long c)
{
	return munlock((void *)addr, len) ? -errno : 0;
}

long do_mlockall(long flags, long b, long c)
{
	return (flags ? mlockall(flags) : munlockall()) ? -errno : 0;
}

long do_setuid(long uid, long b, long c)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	/* A change of user clears it. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) ? -errno : 0;
}

long do_set_dumpable(long dumpable, long b, long c)
{
	return prctl(PR_SET_DUMPABLE, dumpable) ? -errno : 0;
}

long do_drop_cap(long cap, long b, long c)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

long do_new_userns(long a, long b, long c)
{
	return unshare(CLONE_NEWUSER) ? -errno : 0;
}

long do_fork(long a, long b, long c)
{
	pid_t pid = fork_child();

	while (!pid)
		pause();
	return pid < 0 ? -errno : pid;
}

long do_reap(long pid, long b, long c)
{
	kill(pid, SIGKILL);
	return waitpid(pid, NULL, 0) < 0 ? -errno : 0;
}

long do_exec(long a, long b, long c)
{
	dup2(own_sock, 0);
	dup2(own_sock, 1);
	execl("/bin/cat", "cat", NULL);
	return -errno;
}

long do_lock(long fd, long pid, long state_flags)
{
	return lock_pid(fd, pid, state_flags >> 8, state_flags & 0xff, NULL);
}

long do_unlock(long fd, long pid, long c)
{
	return unlock_pid(fd, pid);
}

long do_unlock_all(long fd, long pid, long c)
{
	return unlock_all(fd, pid);
}

long do_state(long fd, long pid, long c)
{
	return state_of(fd, pid);
}
