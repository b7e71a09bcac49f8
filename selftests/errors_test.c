// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every errno that the contract's DOC blocks name, and that a call which fails
 * changes nothing.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define NO_SUCH_CMD	_IO(MEMLOCKD_IOC_MAGIC, 0x7f)

FIXTURE(errors)
{
	struct counters start;
	struct target target;
	struct target client;
	int fd;
};

FIXTURE_SETUP(errors)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	target_start_with(&self->client, self->fd);
}

FIXTURE_TEARDOWN(errors)
{
	/* No test here locks the target for good. */
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmPin"));
	target_stop(&self->client);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* LOCK with these three fields. */
static int try_lock(int fd, pid_t pid, unsigned int flags, unsigned int state,
		    unsigned int reserved)
{
	struct memlockd_lock arg = {
		.size = sizeof(arg),
		.flags = flags,
		.target = pid,
		.state = state,
		.reserved = reserved,
	};

	return device_call(fd, MEMLOCKD_IOC_LOCK, &arg);
}

/* What the two ioctls that look at a target say about this one; -1 if they differ. */
static int try_look(int fd, unsigned int type, int target)
{
	struct memlockd_status status = {
		.size = sizeof(status), .target_type = type, .target = target,
	};
	struct memlockd_mappings mappings = {
		.size = sizeof(mappings), .target_type = type, .target = target,
		.row_size = sizeof(struct memlockd_mapping),
	};
	int err[2] = {
		device_call(fd, MEMLOCKD_IOC_STATUS, &status),
		device_call(fd, MEMLOCKD_IOC_MAPPINGS, &mappings),
	};

	if (err[0] == err[1])
		return err[0];
	printf("# STATUS %d, MAPPINGS %d\n", err[0], err[1]);
	return -1;
}

/*
 * What the five ioctls with a target say about this one; -1 if they differ. Those that
 * look may succeed where the caller may not lock.
 */
static int try_target(int fd, unsigned int type, int target)
{
	struct memlockd_lock lock = {
		.size = sizeof(lock),
		.flags = CURRENT_FUTURE,
		.target_type = type,
		.target = target,
		.state = MEMLOCKD_STATE_LOCKED,
	};
	struct memlockd_unlock unlock = {
		.size = sizeof(unlock), .target_type = type, .target = target,
	};
	struct memlockd_sync sync = {
		.size = sizeof(sync), .target_type = type, .target = target,
	};
	int err[4] = {
		device_call(fd, MEMLOCKD_IOC_LOCK, &lock),
		device_call(fd, MEMLOCKD_IOC_SYNC, &sync),
		device_call(fd, MEMLOCKD_IOC_UNLOCK, &unlock),
		try_look(fd, type, target),
	};

	if (err[0] == err[1] && err[0] == err[2] && (err[0] == err[3] || err[0] == -EPERM))
		return err[0];
	printf("# LOCK %d, SYNC %d, UNLOCK %d, STATUS and MAPPINGS %d\n", err[0], err[1], err[2],
	       err[3]);
	return -1;
}

/* The same, to run in a client. */
static long do_try_target(long fd, long type, long target)
{
	return try_target(fd, type, target);
}

static long do_try_look(long fd, long type, long target)
{
	return try_look(fd, type, target);
}

static long do_open(long a, long b, long c)
{
	return device_open();
}

static long do_info(long fd, long b, long c)
{
	struct memlockd_info info = { .size = sizeof(info) };

	return device_call(fd, MEMLOCKD_IOC_INFO, &info);
}

TEST_F(errors, unknown_ioctl_is_ENOTTY)
{
	__u32 size = sizeof(size);

	EXPECT_EQ(-ENOTTY, device_call(self->fd, NO_SUCH_CMD, &size));
	EXPECT_EQ(-ENOTTY, device_call(self->fd, _IO(MEMLOCKD_IOC_MAGIC, 0), &size));
	EXPECT_EQ(-ENOTTY, device_call(self->fd, _IO(0xb8, MEMLOCKD_CMD_INFO), &size));
	/* The numbers carry no size. */
	EXPECT_EQ(-ENOTTY, device_call(self->fd, _IOWR(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_INFO,
						       struct memlockd_info), &size));
}

TEST_F(errors, unknown_flags_are_EINVAL)
{
	struct memlockd_info info = { .size = sizeof(info) };
	struct memlockd_unlock unlock = { .size = sizeof(unlock), .target = self->target.pid };
	struct memlockd_status status = { .size = sizeof(status), .target = self->target.pid };
	struct memlockd_mappings mappings = {
		.size = sizeof(mappings), .target = self->target.pid,
		.row_size = sizeof(struct memlockd_mapping),
	};
	struct memlockd_sync sync = { .size = sizeof(sync), .target = self->target.pid };
	unsigned int bit, known;

	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	known = info.out_lock_flags;
	for (bit = 0; bit < 32; bit++) {
		info.flags = 1U << bit;
		unlock.flags = 1U << bit;
		status.flags = 1U << bit;
		mappings.flags = 1U << bit;
		sync.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
		EXPECT_EQ(-EINVAL, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
		if (unlock.flags != MEMLOCKD_UNLOCK_FORCE)
			EXPECT_EQ(-EINVAL, device_call(self->fd, MEMLOCKD_IOC_UNLOCK, &unlock));
		EXPECT_EQ(-EINVAL, device_call(self->fd, MEMLOCKD_IOC_STATUS, &status));
		EXPECT_EQ(-EINVAL, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &mappings));
		if (known & 1U << bit)
			continue;
		EXPECT_EQ(-EINVAL, try_lock(self->fd, self->target.pid,
					    CURRENT_FUTURE | 1U << bit, MEMLOCKD_STATE_LOCKED, 0));
	}
}

TEST_F(errors, bad_lock_arguments_are_EINVAL)
{
	const int superlocked = MEMLOCKD_STATE_SUPERLOCKED;
	const int locked = MEMLOCKD_STATE_LOCKED;
	const struct {
		const char *what;
		unsigned int flags, state, reserved;
	} bad[] = {
		{ "neither CURRENT nor FUTURE", 0, locked, 0 },
		{ "MOVABLE alone", MEMLOCKD_MOVABLE, locked, 0 },
		{ "MOVABLE and SUPERLOCKED", LIKE_MLOCKALL, superlocked, 0 },
		{ "SUPERLOCKED without FUTURE", MEMLOCKD_CURRENT, superlocked, 0 },
		{ "SUPERLOCKED without CURRENT", MEMLOCKD_FUTURE, superlocked, 0 },
		{ "SUPERLOCKED without both", 0, superlocked, 0 },
		{ "state UNLOCKED", CURRENT_FUTURE, MEMLOCKD_STATE_UNLOCKED, 0 },
		{ "state 3", CURRENT_FUTURE, 3, 0 },
		{ "state ~0", CURRENT_FUTURE, ~0U, 0 },
		{ "reserved 1", CURRENT_FUTURE, locked, 1 },
		{ "reserved ~0", CURRENT_FUTURE, locked, ~0U },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, try_lock(self->fd, self->target.pid, bad[i].flags, bad[i].state,
					    bad[i].reserved)) {
			TH_LOG("%s", bad[i].what);
		}
	}
}

TEST_F(errors, bad_target_type_is_EINVAL)
{
	EXPECT_EQ(-EINVAL, try_target(self->fd, 3, self->target.pid));
	EXPECT_EQ(-EINVAL, try_target(self->fd, ~0U, self->target.pid));
}

TEST_F(errors, bad_pointer_is_EFAULT)
{
	const unsigned int cmds[] = {
		MEMLOCKD_IOC_INFO, MEMLOCKD_IOC_LOCK, MEMLOCKD_IOC_UNLOCK, MEMLOCKD_IOC_STATUS,
		MEMLOCKD_IOC_MAPPINGS, MEMLOCKD_IOC_SYNC,
	};
	const unsigned long bad[] = { 0, 8, ULONG_MAX, ULONG_MAX - 3, LONG_MAX - 3 };
	struct memlockd_unlock *edge;
	unsigned int i, j, room;
	char *page;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			EXPECT_EQ(-EFAULT, device_call(self->fd, cmds[i], (void *)bad[j])) {
				TH_LOG("ioctl %#x with pointer %#lx", cmds[i], bad[j]);
			}
		}
	}

	/* A structure of which only the first bytes are mapped, size and all. */
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + PAGE, PAGE, PROT_NONE));
	for (room = 4; room < sizeof(*edge); room += 4) {
		edge = (struct memlockd_unlock *)(page + PAGE - room);
		/* As large as the largest, with zeros at its end. */
		edge->size = sizeof(struct memlockd_status);
		for (i = 1; i < ARRAY_SIZE(cmds); i++) {
			EXPECT_EQ(-EFAULT, device_call(self->fd, cmds[i], edge)) {
				TH_LOG("ioctl %#x with %u bytes mapped", cmds[i], room);
			}
		}
	}
}

TEST_F(errors, result_in_read_only_memory_is_EFAULT)
{
	struct memlockd_info *info;

	info = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, info);
	info->size = sizeof(*info);
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, info));
	ASSERT_EQ(0, mprotect(info, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, device_call(self->fd, MEMLOCKD_IOC_INFO, info));
}

TEST_F(errors, lock_that_cannot_report_does_not_lock)
{
	struct memlockd_lock *arg;

	arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	arg->size = sizeof(*arg);
	arg->target = self->target.pid;
	arg->flags = CURRENT_FUTURE;
	arg->state = MEMLOCKD_STATE_SUPERLOCKED;
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	/* "A call that fails changes nothing": the teardown looks. */
	EXPECT_EQ(-EFAULT, device_call(self->fd, MEMLOCKD_IOC_LOCK, arg));
}

TEST_F(errors, bad_rows_are_EFAULT)
{
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.nr_rows = 16,
		.row_size = sizeof(struct memlockd_mapping),
	};
	const unsigned long bad[] = { 0, 16, ULONG_MAX - 7, LONG_MAX - 7 };
	unsigned int i;
	char *page;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		arg.rows = bad[i];
		EXPECT_EQ(-EFAULT, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg)) {
			TH_LOG("rows at %#lx", bad[i]);
		}
	}

	/* Room for three and a half rows of sixteen. */
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + PAGE, PAGE, PROT_NONE));
	arg.rows = (uintptr_t)(page + PAGE - 7 * sizeof(struct memlockd_mapping) / 2);
	EXPECT_EQ(-EFAULT, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));

	/* As many rows as can be named, and more bytes than there are. */
	arg.nr_rows = ~0U;
	EXPECT_EQ(-EFAULT, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	arg.rows = ULONG_MAX - 4095;
	EXPECT_EQ(-EFAULT, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
}

TEST_F(errors, no_rows_wanted_is_fine)
{
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.row_size = sizeof(struct memlockd_mapping),
	};

	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	EXPECT_EQ(0, arg.out_rows);
	EXPECT_NE(0, arg.out_next);
}

TEST_F(errors, start_behind_everything_gives_no_rows)
{
	const unsigned long starts[] = { ULONG_MAX, ULONG_MAX - PAGE + 1, 1UL << 63, LONG_MAX };
	struct memlockd_mapping row;
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.rows = (uintptr_t)&row,
		.nr_rows = 1,
		.row_size = sizeof(row),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		arg.start = starts[i];
		EXPECT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
		EXPECT_EQ(0, arg.out_rows);
		EXPECT_EQ(0, arg.out_next);
	}
}

TEST_F(errors, no_such_process_is_ESRCH)
{
	const int none[] = { -1, INT_MIN, INT_MAX, 4194304 };
	struct target gone;
	pid_t pid;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PID, none[i])) {
			TH_LOG("process ID %d", none[i]);
		}
	}
	target_start(&gone);
	pid = gone.pid;
	target_stop(&gone);
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PID, pid));
}

TEST_F(errors, zombie_is_ESRCH)
{
	struct target gone;
	siginfo_t info;

	target_start(&gone);
	kill(gone.pid, SIGKILL);
	ASSERT_EQ(0, waitid(P_PID, gone.pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PID, gone.pid));
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, gone.pidfd));
	target_stop(&gone);
}

TEST_F(errors, pidfd_of_a_reaped_process_is_ESRCH)
{
	struct target gone;
	int pidfd;

	target_start(&gone);
	pidfd = dup(gone.pidfd);
	ASSERT_LE(0, pidfd);
	target_stop(&gone);
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, pidfd));
}

TEST_F(errors, kernel_thread_is_ESRCH)
{
	char exe[16];
	int pidfd;

	/* Anyone else than a kernel thread has a program. */
	if (access("/proc/2/stat", R_OK) || readlink("/proc/2/exe", exe, sizeof(exe)) >= 0)
		SKIP(return, "process 2 is no kernel thread here");
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PID, 2));
	pidfd = syscall(SYS_pidfd_open, 2, 0);
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, pidfd));
}

static void *thread_main(void *arg)
{
	volatile pid_t *tid = arg;

	*tid = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

/* Start a thread; its ID. */
static long do_thread(long a, long b, long c)
{
	static volatile pid_t tid;
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, (void *)&tid))
		return -EAGAIN;
	while (!tid)
		sched_yield();
	return tid;
}

TEST_F(errors, thread_that_is_no_process_is_ESRCH)
{
	long tid = target_call(&self->target, do_thread, 0, 0, 0);

	ASSERT_LT(0, tid);
	EXPECT_EQ(-ESRCH, try_target(self->fd, MEMLOCKD_TARGET_PID, tid));
}

TEST_F(errors, descriptor_that_is_not_open_is_EBADF)
{
	EXPECT_EQ(-EBADF, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, -1));
	EXPECT_EQ(-EBADF, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, 1000));
	EXPECT_EQ(-EBADF, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, INT_MAX));
	EXPECT_EQ(-EBADF, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, INT_MIN));
}

TEST_F(errors, descriptor_that_is_no_pidfd_is_EINVAL)
{
	char path[] = "/dev/shm/memlockd-XXXXXX";
	char proc[32];
	int fds[6], dir;
	unsigned int i;

	snprintf(proc, sizeof(proc), "/proc/%d", self->target.pid);
	fds[0] = open("/dev/null", O_RDWR);
	fds[1] = eventfd(0, 0);
	/* Files whose names look like a pidfd's. */
	fds[2] = memfd_create("[pidfd]", 0);
	ASSERT_NE(NULL, mkdtemp(path));
	dir = open(path, O_RDONLY);
	fds[3] = openat(dir, "[pidfd]", O_RDWR | O_CREAT, 0600);
	unlinkat(dir, "[pidfd]", 0);
	close(dir);
	rmdir(path);
	fds[4] = open(proc, O_RDONLY | O_DIRECTORY);
	fds[5] = dup(self->fd);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, try_target(self->fd, MEMLOCKD_TARGET_PIDFD, fds[i])) {
			TH_LOG("descriptor %u", i);
		}
		close(fds[i]);
	}
}

TEST_F(errors, unlock_of_an_unlocked_process_is_ENOENT)
{
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->target.pid));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, MEMLOCKD_STATE_LOCKED, CURRENT_FUTURE,
			      NULL));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, MEMLOCKD_STATE_LOCKED, CURRENT_FUTURE,
			      NULL));
	/* Locks do not nest. */
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->target.pid));
	/* Its own mlockall(2) is not ours. Else the kernel may count its pages twice. */
	drain_batches();
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, MCL_CURRENT, 0, 0));
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->target.pid));
	EXPECT_LT(0, status_bytes(self->target.pid, "VmLck"));
	ASSERT_EQ(0, target_call(&self->target, do_mlockall, 0, 0, 0));
}

TEST_F(errors, open_needs_the_device_mode)
{
	ASSERT_EQ(0, target_call(&self->client, do_setuid, NOBODY, 0, 0));
	EXPECT_EQ(-EACCES, target_call(&self->client, do_open, 0, 0, 0));
}

TEST_F(errors, without_CAP_IPC_LOCK_is_EPERM)
{
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, self->target.pid));
	/* Itself neither. */
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, 0));
	/* To look at what is its own it needs none. */
	EXPECT_EQ(0, target_call(&self->client, do_try_look, self->fd, MEMLOCKD_TARGET_PID,
				 self->target.pid));
	EXPECT_EQ(0, target_call(&self->client, do_try_look, self->fd, MEMLOCKD_TARGET_PID, 0));
	EXPECT_EQ(0, target_call(&self->client, do_info, self->fd, 0, 0));
}

TEST_F(errors, opened_as_root_and_used_as_nobody_is_EPERM)
{
	ASSERT_EQ(0, target_call(&self->client, do_setuid, NOBODY, 0, 0));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, self->target.pid));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, 0));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_look, self->fd,
				      MEMLOCKD_TARGET_PID, self->target.pid));
	EXPECT_EQ(0, target_call(&self->client, do_try_look, self->fd, MEMLOCKD_TARGET_PID, 0));
	EXPECT_EQ(0, target_call(&self->client, do_info, self->fd, 0, 0));
}

TEST_F(errors, another_users_process_needs_CAP_SYS_PTRACE)
{
	struct target nobody;

	target_start(&nobody);
	ASSERT_EQ(0, target_call(&nobody, do_setuid, NOBODY, 0, 0));
	/* With both capabilities. */
	EXPECT_EQ(0, target_call(&self->client, do_try_target, self->fd, MEMLOCKD_TARGET_PID,
				 nobody.pid));
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_SYS_PTRACE, 0, 0));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, nobody.pid));
	/* A process of the same user does not need it. */
	EXPECT_EQ(0, target_call(&self->client, do_try_target, self->fd, MEMLOCKD_TARGET_PID,
				 self->target.pid));
	target_stop(&nobody);
}

TEST_F(errors, root_of_a_user_namespace_is_EPERM)
{
	long ret = target_call(&self->client, do_new_userns, 0, 0, 0);

	if (ret)
		SKIP(return, "no user namespaces here: %s", strerror(-ret));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, self->target.pid));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_try_target, self->fd,
				      MEMLOCKD_TARGET_PID, 0));
	EXPECT_EQ(0, target_call(&self->client, do_info, self->fd, 0, 0));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
