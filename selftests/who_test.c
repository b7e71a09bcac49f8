// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may lock whom: asked at each call, of the caller, and of the target as it
 * is then. errors_test has the plain cases of CAP_IPC_LOCK and CAP_SYS_PTRACE.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define SOMEBODY	12345
#define LEN		(64 * PAGE)

#define KNOB_UNPRIVILEGED	KNOB("unprivileged_mlock")

FIXTURE(who)
{
	struct counters start;
	struct target target;	/* root's */
	struct target nobody;	/* another user's, dumpable */
	struct target client;	/* has self->fd open */
	long unprivileged_mlock;
	int fd;
};

FIXTURE_SETUP(who)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->unprivileged_mlock = read_number(KNOB_UNPRIVILEGED);
	counters_start(&self->start);
	target_start(&self->target);
	target_start(&self->nobody);
	ASSERT_EQ(0, target_call(&self->nobody, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, target_call(&self->nobody, do_set_dumpable, 1, 0, 0));
	set_limit(self->nobody.pid, RLIM_INFINITY);
	target_start_with(&self->client, self->fd);
}

FIXTURE_TEARDOWN(who)
{
	write_number(KNOB_UNPRIVILEGED, self->unprivileged_mlock);
	target_stop(&self->client);
	target_stop(&self->nobody);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* What do_look() answers, if it may look. */
#define SHOWN	0
#define HIDDEN	1

/* The calls that only look at their target: both say the same, or it is -EXDEV. */
static long do_look(long fd, long type, long target)
{
	struct memlockd_status status = {
		.size = sizeof(status), .target_type = type, .target = target,
	};
	struct memlockd_mappings mappings = {
		.size = sizeof(mappings), .target_type = type, .target = target,
		.row_size = sizeof(struct memlockd_mapping),
	};
	int err = device_call(fd, MEMLOCKD_IOC_STATUS, &status);

	if (device_call(fd, MEMLOCKD_IOC_MAPPINGS, &mappings) != err)
		return -EXDEV;
	return err ? err : mappings.out_flags & MEMLOCKD_MAPPINGS_HIDDEN ? HIDDEN : SHOWN;
}

/*
 * All calls that have a target, with this one: what all of them say, or -EXDEV. Who may
 * not lock may still look: that is for do_look().
 */
static long do_all(long fd, long type, long target)
{
	struct memlockd_lock lock = {
		.size = sizeof(lock), .flags = CURRENT_FUTURE, .target_type = type,
		.target = target, .state = L,
	};
	struct memlockd_unlock unlock = {
		.size = sizeof(unlock), .target_type = type, .target = target,
	};
	struct memlockd_sync sync = {
		.size = sizeof(sync), .target_type = type, .target = target,
	};
	/* Of nothing, which is fine. */
	struct memlockd_range range = {
		.size = sizeof(range), .target_type = type, .target = target, .state = L,
	};
	long look, err[] = {
		device_call(fd, MEMLOCKD_IOC_LOCK, &lock),
		device_call(fd, MEMLOCKD_IOC_SYNC, &sync),
		device_call(fd, MEMLOCKD_IOC_LOCK_RANGE, &range),
		device_call(fd, MEMLOCKD_IOC_UNLOCK, &unlock),
	};
	unsigned int i, same = 0;

	for (i = 0; i < ARRAY_SIZE(err); i++)
		same += err[i] == err[0];
	look = do_look(fd, type, target);
	if (err[0] != -EPERM && err[0] != (look > 0 ? 0 : look))
		return -EXDEV;
	return same == ARRAY_SIZE(err) ? err[0] : -EXDEV;
}

#define client_all(type, target)	target_call(&self->client, do_all, self->fd, type, target)
#define client_pid(pid)			client_all(MEMLOCKD_TARGET_PID, pid)
#define client_look(pid)		target_call(&self->client, do_look, self->fd, \
						    MEMLOCKD_TARGET_PID, pid)

/* What the client has then is what the user has: nothing but its own. */
static void client_becomes(struct __test_metadata *_metadata, struct target *client, long uid)
{
	ASSERT_EQ(0, target_call(client, do_setuid, uid, 0, 0));
	ASSERT_EQ(0, target_call(client, do_set_dumpable, 1, 0, 0));
	set_limit(client->pid, RLIM_INFINITY);
}

static int open_mem(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static long do_open_mem(long pid, long b, long c)
{
	return open_mem(pid);
}

static long do_pidfd(long pid, long b, long c)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

/* ---- unprivileged_mlock ---- */

TEST_F(who, unprivileged_locks_its_own_when_allowed)
{
	long pidfd;

	client_becomes(_metadata, &self->client, NOBODY);
	pidfd = target_call(&self->client, do_pidfd, self->nobody.pid, 0, 0);
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(-EPERM, client_pid(self->nobody.pid));
	EXPECT_EQ(-EPERM, client_pid(0));
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	EXPECT_EQ(0, client_pid(self->nobody.pid));
	EXPECT_EQ(0, client_all(MEMLOCKD_TARGET_PIDFD, pidfd));
	EXPECT_EQ(0, client_pid(0));
	EXPECT_EQ(-EPERM, client_pid(self->target.pid));
	EXPECT_EQ(-EPERM, client_pid(getpid()));
	/* Asked at each call. */
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 0));
	EXPECT_EQ(-EPERM, client_pid(self->nobody.pid));
	EXPECT_EQ(-EPERM, client_pid(0));
}

/* Becomes @uid, and keeps @cap; its memory is as readable as before. */
static long do_setuid_with(long uid, long cap, long c)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_SET_KEEPCAPS, 1) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	data[CAP_TO_INDEX(cap)].permitted = CAP_TO_MASK(cap);
	if (syscall(SYS_capset, &header, data) || prctl(PR_SET_DUMPABLE, 1))
		return -errno;
	return 0;
}

static long do_drop_all_caps(long a, long b, long c)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(who, process_with_a_capability_more_is_not_the_users)
{
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	ASSERT_EQ(0, target_call(&self->target, do_setuid_with, NOBODY, CAP_SYS_NICE, 0));
	set_limit(self->target.pid, RLIM_INFINITY);
	EXPECT_EQ(-EPERM, client_pid(self->target.pid));
	ASSERT_EQ(0, target_call(&self->target, do_drop_all_caps, 0, 0, 0));
	ASSERT_EQ(0, target_call(&self->target, do_set_dumpable, 1, 0, 0));
	EXPECT_EQ(0, client_pid(self->target.pid));
}

TEST_F(who, unprivileged_is_held_to_the_limit)
{
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	set_limit(self->nobody.pid, PAGE);
	EXPECT_EQ(-ENOMEM, target_call(&self->client, do_lock, self->fd, self->nobody.pid,
				       STATE_FLAGS(S, CURRENT_FUTURE)));
	set_limit(self->nobody.pid, RLIM_INFINITY);
	EXPECT_EQ(0, target_call(&self->client, do_lock, self->fd, self->nobody.pid,
				 STATE_FLAGS(S, CURRENT_FUTURE)));
	EXPECT_EQ(S, state_of(self->fd, self->nobody.pid));
}

TEST_F(who, undumpable_needs_CAP_SYS_PTRACE)
{
	ASSERT_EQ(0, target_call(&self->nobody, do_set_dumpable, 0, 0, 0));
	/* With both capabilities. */
	EXPECT_EQ(0, client_pid(self->nobody.pid));
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	EXPECT_EQ(-EPERM, client_pid(self->nobody.pid));
	ASSERT_EQ(0, target_call(&self->nobody, do_set_dumpable, 1, 0, 0));
	EXPECT_EQ(0, client_pid(self->nobody.pid));
	/* The own process is no exception. */
	ASSERT_EQ(0, target_call(&self->client, do_set_dumpable, 0, 0, 0));
	EXPECT_EQ(-EPERM, client_pid(0));
}

TEST_F(who, undumpable_of_the_same_user_needs_CAP_SYS_PTRACE)
{
	ASSERT_EQ(0, target_call(&self->target, do_set_dumpable, 0, 0, 0));
	EXPECT_EQ(0, client_pid(self->target.pid));
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_SYS_PTRACE, 0, 0));
	EXPECT_EQ(-EPERM, client_pid(self->target.pid));
	/* But with CAP_IPC_LOCK the own process is. */
	ASSERT_EQ(0, target_call(&self->client, do_set_dumpable, 0, 0, 0));
	EXPECT_EQ(0, client_pid(0));
}

static long do_setids(long what, long b, long c)
{
	switch (what) {
	case 0:
		return setresuid(SOMEBODY, -1, -1) ? -errno : 0;
	case 1:
		return setresuid(-1, SOMEBODY, -1) ? -errno : 0;
	case 2:
		return setresuid(-1, -1, SOMEBODY) ? -errno : 0;
	case 3:
		return setresgid(SOMEBODY, -1, -1) ? -errno : 0;
	case 4:
		return setresgid(-1, SOMEBODY, -1) ? -errno : 0;
	default:
		return setresgid(-1, -1, SOMEBODY) ? -errno : 0;
	}
}

/* Each of the six IDs has to be the caller's. */
TEST_F(who, one_foreign_id_is_enough)
{
	static const char *const names[] = { "uid", "euid", "suid", "gid", "egid", "sgid" };
	struct target t;
	unsigned int i;

	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_SYS_PTRACE, 0, 0));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		target_start(&t);
		EXPECT_EQ(0, client_pid(t.pid));
		ASSERT_EQ(0, target_call(&t, do_setids, i, 0, 0));
		ASSERT_EQ(0, target_call(&t, do_set_dumpable, 1, 0, 0));
		TH_LOG("another %s: %ld", names[i], client_pid(t.pid));
		EXPECT_EQ(-EPERM, client_pid(t.pid));
		target_stop(&t);
	}
}

/* ---- looking is not locking ---- */

TEST_F(who, user_looks_at_its_own_without_privilege)
{
	client_becomes(_metadata, &self->client, NOBODY);
	EXPECT_EQ(-EPERM, client_pid(self->nobody.pid));
	EXPECT_EQ(SHOWN, client_look(self->nobody.pid));
	EXPECT_EQ(SHOWN, client_look(0));
	EXPECT_EQ(-EPERM, client_look(self->target.pid));
	EXPECT_EQ(-EPERM, client_look(getpid()));
	/* What it sees is what root has locked. */
	ASSERT_EQ(0, lock_pid(self->fd, self->nobody.pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(S, target_call(&self->client, do_state, self->fd, self->nobody.pid, 0));
	EXPECT_EQ(SHOWN, client_look(self->nobody.pid));
	/* ptrace(2) would not show where its memory lies. */
	ASSERT_EQ(0, target_call(&self->nobody, do_set_dumpable, 0, 0, 0));
	EXPECT_EQ(HIDDEN, client_look(self->nobody.pid));
	EXPECT_EQ(S, target_call(&self->client, do_state, self->fd, self->nobody.pid, 0));
	/* That of the own process it knows. */
	ASSERT_EQ(0, target_call(&self->client, do_set_dumpable, 0, 0, 0));
	EXPECT_EQ(SHOWN, client_look(0));
}

/* For good: it is not to be had again. */
static long do_lose_cap(long cap, long b, long c)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	data[CAP_TO_INDEX(cap)].permitted &= ~CAP_TO_MASK(cap);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(who, one_capability_is_enough_to_look)
{
	struct target both;

	/* CAP_IPC_LOCK alone does not show addresses, CAP_SYS_PTRACE does. */
	target_start_with(&both, self->fd);
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_SYS_PTRACE, 0, 0));
	ASSERT_EQ(0, target_call(&both, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	EXPECT_EQ(HIDDEN, client_look(self->nobody.pid));
	EXPECT_EQ(SHOWN, target_call(&both, do_look, self->fd, MEMLOCKD_TARGET_PID,
				     self->nobody.pid));
	EXPECT_EQ(-EPERM, target_call(&both, do_all, self->fd, MEMLOCKD_TARGET_PID,
				      self->nobody.pid));
	/* One that has a capability more than the looker, though of the same user. */
	EXPECT_EQ(HIDDEN, client_look(self->target.pid));
	ASSERT_EQ(0, target_call(&self->target, do_lose_cap, CAP_SYS_PTRACE, 0, 0));
	EXPECT_EQ(SHOWN, client_look(self->target.pid));
	/* Without both it is a user as any other. */
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	EXPECT_EQ(-EPERM, client_look(self->nobody.pid));
	target_stop(&both);
}

/* All rows that the caller gets, @per_call at once; the number of them, or -errno. */
static long look_rows(int fd, pid_t pid, unsigned int per_call, struct memlockd_mapping *rows,
		      long room)
{
	struct memlockd_mappings mappings = {
		.size = sizeof(mappings), .target = pid, .row_size = sizeof(*rows),
	};
	long nr = 0;
	int err;

	do {
		mappings.rows = (uintptr_t)(rows + nr);
		mappings.nr_rows = nr + per_call < room ? per_call : room - nr;
		err = device_call(fd, MEMLOCKD_IOC_MAPPINGS, &mappings);
		if (err || (!mappings.out_rows && mappings.out_next))
			return err ? err : -ENOSPC;
		nr += mappings.out_rows;
		mappings.start = mappings.out_next;
	} while (mappings.out_next);
	return nr;
}

#define MAX_ROWS	256

/* Shared with the client, so that the test has what it was given. */
static struct {
	struct memlockd_mapping rows[MAX_ROWS];
	struct memlockd_mapping one;
} *seen;

static long do_rows(long fd, long pid, long per_call)
{
	return look_rows(fd, pid, per_call, seen->rows, MAX_ROWS);
}

/* The one row that has @start. */
static long do_row_at(long fd, long pid, long start)
{
	struct memlockd_mappings mappings = {
		.size = sizeof(mappings), .target = pid, .start = start,
		.rows = (uintptr_t)&seen->one, .nr_rows = 1, .row_size = sizeof(seen->one),
	};

	return device_call(fd, MEMLOCKD_IOC_MAPPINGS, &mappings) ?: (long)mappings.out_rows;
}

/* Without addresses: all that root sees, row by row, but for where it lies. */
TEST_F(who, hidden_rows_tell_all_but_the_addresses)
{
	static const int steps[] = { MAX_ROWS, 1, 3 };
	struct memlockd_mapping real[MAX_ROWS];
	unsigned long at = 0;
	unsigned int step;
	long nr, i;

	seen = mmap(NULL, sizeof(*seen), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)seen);
	target_stop(&self->client);
	target_start_with(&self->client, self->fd);
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_EQ(0, target_call(&self->nobody, do_set_dumpable, 0, 0, 0));
	ASSERT_EQ(0, lock_pid(self->fd, self->nobody.pid, S, CURRENT_FUTURE, NULL));
	nr = look_rows(self->fd, self->nobody.pid, MAX_ROWS, real, MAX_ROWS);
	ASSERT_LT(0, nr);
	for (step = 0; step < ARRAY_SIZE(steps); step++) {
		memset(seen, 0, sizeof(*seen));
		ASSERT_EQ(nr, target_call(&self->client, do_rows, self->fd, self->nobody.pid,
					  steps[step]));
		for (i = 0, at = PAGE; i < nr; i++) {
			const struct memlockd_mapping *row = &seen->rows[i];

			EXPECT_EQ(at, row->start);
			EXPECT_EQ(real[i].end - real[i].start, row->end - row->start);
			EXPECT_EQ(0, memcmp(&real[i].resident, &row->resident,
					    sizeof(*row) - offsetof(struct memlockd_mapping,
								    resident)));
			at = row->end;
		}
	}
	TH_LOG("%ld rows, %lu bytes, from %#llx to %#llx for root", nr, at - PAGE,
	       (unsigned long long)real[0].start, (unsigned long long)real[nr - 1].end);
	/* They can be begun at, as the addresses can: the row is whole. */
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(1, target_call(&self->client, do_row_at, self->fd, self->nobody.pid,
					 seen->rows[i].end - 1));
		EXPECT_EQ(0, memcmp(&seen->rows[i], &seen->one, sizeof(seen->one)));
	}
	EXPECT_EQ(0, target_call(&self->client, do_row_at, self->fd, self->nobody.pid, at));
	EXPECT_EQ(0, target_call(&self->client, do_row_at, self->fd, self->nobody.pid,
				 real[0].start));
	EXPECT_EQ(0, unlock_pid(self->fd, self->nobody.pid));
	munmap(seen, sizeof(*seen));
}

/* ---- set-user-ID programs ---- */

/* /bin/cat under a name of its own, on a file system that honours such bits. */
static int copy_of_cat(char *path, mode_t mode)
{
	char buf[65536];
	ssize_t nr;
	int from, to;

	strcpy(path, "/var/tmp/memlockd-XXXXXX");
	to = mkstemp(path);
	from = open("/bin/cat", O_RDONLY | O_CLOEXEC);
	if (to < 0 || from < 0)
		return -errno;
	while ((nr = read(from, buf, sizeof(buf))) > 0) {
		if (write(to, buf, nr) != nr)
			return -EIO;
	}
	close(from);
	if (fchmod(to, mode))
		return -errno;
	close(to);
	return 0;
}

static const char *program;

/* It answers what it is sent, as do_exec(). */
static long do_exec_program(long sock, long b, long c)
{
	int i;

	/* The socket that we are called through is the only one open. */
	for (i = 3; i < 64; i++) {
		struct stat st;

		if (!fstat(i, &st) && S_ISSOCK(st.st_mode)) {
			dup2(i, 0);
			dup2(i, 1);
		}
	}
	execl(program, program, NULL);
	return -errno;
}

/* One of the four of "Uid:" in /proc/PID/status. */
static long uid_of(pid_t pid, int which)
{
	long ids[4] = { -1, -1, -1, -1 };
	char path[32], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Uid: %ld %ld %ld %ld", &ids[0], &ids[1], &ids[2], &ids[3]);
	if (file)
		fclose(file);
	return ids[which];
}

static void check_exec_is_refused(struct __test_metadata *_metadata, struct target *client, int fd,
				  struct target *t, int root_fd)
{
	long mem, pidfd;

	mem = target_call(client, do_open_mem, t->pid, 0, 0);
	pidfd = target_call(client, do_pidfd, t->pid, 0, 0);
	ASSERT_LE(0, mem);
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(0, target_call(client, do_all, fd, MEMLOCKD_TARGET_PID, t->pid));
	EXPECT_EQ(0, target_call(client, do_all, fd, MEMLOCKD_TARGET_PIDFD, pidfd));
	EXPECT_EQ(0, target_call(client, do_all, fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	drain_batches();
	ASSERT_EQ(0, target_call(client, do_lock, fd, t->pid, STATE_FLAGS(S, CURRENT_FUTURE)));
	drain_batches();
	target_post(t, do_exec_program, 0, 0, 0);
	ASSERT_TRUE(target_echoes(t));
	TH_LOG("the target is now uid %ld, euid %ld", uid_of(t->pid, 0), uid_of(t->pid, 1));
	EXPECT_EQ(-EPERM, target_call(client, do_all, fd, MEMLOCKD_TARGET_PID, t->pid));
	EXPECT_EQ(-EPERM, target_call(client, do_all, fd, MEMLOCKD_TARGET_PIDFD, pidfd));
	EXPECT_EQ(-ESRCH, target_call(client, do_all, fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	/* Its user may look at what it has, but not see where that is. */
	EXPECT_EQ(HIDDEN, target_call(client, do_look, fd, MEMLOCKD_TARGET_PID, t->pid));
	/* The lock of before went with the old program. */
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(root_fd, t->pid));
	EXPECT_EQ(0, status_bytes(t->pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(t->pid, "VmPin"));
}

TEST_F(who, set_user_id_program_is_not_the_users)
{
	char path[64];

	program = path;
	ASSERT_EQ(0, copy_of_cat(path, 04755));
	target_stop(&self->nobody);
	target_start(&self->nobody);
	client_becomes(_metadata, &self->nobody, NOBODY);
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	check_exec_is_refused(_metadata, &self->client, self->fd, &self->nobody, self->fd);
	unlink(path);
	if (uid_of(self->nobody.pid, 1))
		SKIP(return, "/var/tmp does not honour set-user-ID bits");
	EXPECT_EQ(NOBODY, uid_of(self->nobody.pid, 0));
	/* Root may. */
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PID, self->nobody.pid));
}

TEST_F(who, program_with_file_capabilities_is_not_the_users)
{
	struct vfs_cap_data caps = {
		.magic_etc = htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data[0].permitted = htole32(1 << CAP_NET_RAW),
	};
	char path[64];

	program = path;
	ASSERT_EQ(0, copy_of_cat(path, 0755));
	if (setxattr(path, "security.capability", &caps, sizeof(caps), 0)) {
		unlink(path);
		SKIP(return, "no file capabilities in /var/tmp: %s", strerror(errno));
	}
	target_stop(&self->nobody);
	target_start(&self->nobody);
	client_becomes(_metadata, &self->nobody, NOBODY);
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	check_exec_is_refused(_metadata, &self->client, self->fd, &self->nobody, self->fd);
	unlink(path);
}

TEST_F(who, program_that_the_user_cannot_read_is_not_the_users)
{
	char path[64];

	program = path;
	ASSERT_EQ(0, copy_of_cat(path, 0711));
	target_stop(&self->nobody);
	target_start(&self->nobody);
	client_becomes(_metadata, &self->nobody, NOBODY);
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	check_exec_is_refused(_metadata, &self->client, self->fd, &self->nobody, self->fd);
	unlink(path);
}

/* A client with CAP_IPC_LOCK, but not CAP_SYS_PTRACE, and a target that gains privilege. */
TEST_F(who, set_user_id_program_needs_CAP_SYS_PTRACE)
{
	char path[64];

	program = path;
	ASSERT_EQ(0, copy_of_cat(path, 04755));
	ASSERT_EQ(0, chown(path, SOMEBODY, 0) | chmod(path, 04755));
	target_stop(&self->target);
	target_start(&self->target);
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_SYS_PTRACE, 0, 0));
	EXPECT_EQ(0, client_pid(self->target.pid));
	target_post(&self->target, do_exec_program, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	unlink(path);
	if (uid_of(self->target.pid, 1) != SOMEBODY)
		SKIP(return, "/var/tmp does not honour set-user-ID bits");
	EXPECT_EQ(-EPERM, client_pid(self->target.pid));
}

/* Lock on and on, until it is refused; how often it was not. */
static long do_lock_until_refused(long fd, long pid, long c)
{
	long locked = 0;
	int err, tries;

	for (tries = 0; tries < 100000; tries++) {
		err = lock_pid(fd, pid, L, CURRENT_FUTURE, NULL);
		if (err == -EPERM)
			return locked;
		if (!err)
			locked++;
		else if (err != -ESRCH)
			return err;
	}
	return -ETIME;
}

/* However close the two come: what was locked is the old program, never the new one. */
TEST_F(who, race_with_a_set_user_id_exec)
{
	char path[64];
	long locked, sum = 0;
	struct target t;
	int i;

	program = path;
	ASSERT_EQ(0, copy_of_cat(path, 04755));
	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	for (i = 0; i < 20; i++) {
		target_start(&t);
		client_becomes(_metadata, &t, NOBODY);
		target_post(&self->client, do_lock_until_refused, self->fd, t.pid, 0);
		/* Let it begin. */
		while (!i && state_of(self->fd, t.pid) == MEMLOCKD_STATE_UNLOCKED)
			sched_yield();
		target_post(&t, do_exec_program, 0, 0, 0);
		ASSERT_TRUE(target_echoes(&t));
		if (uid_of(t.pid, 1)) {
			target_stop(&self->client);
			target_stop(&t);
			unlink(path);
			SKIP(return, "/var/tmp does not honour set-user-ID bits");
		}
		ASSERT_TRUE(target_result(&self->client, &locked));
		EXPECT_LE(0, locked);
		sum += locked;
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, t.pid));
		EXPECT_EQ(0, status_bytes(t.pid, "VmLck"));
		EXPECT_EQ(0, status_bytes(t.pid, "VmPin"));
		target_stop(&t);
	}
	TH_LOG("%d programs replaced, locked %ld times before", i, sum);
	unlink(path);

	/* Known, and not understood yet: docs/testing.md, "Known to fail". */
	if (!counters_back(&self->start)) {
		target_start(&t);
		EXPECT_EQ(0, lock_pid(self->fd, t.pid, L, CURRENT_FUTURE, NULL));
		EXPECT_EQ(0, unlock_pid(self->fd, t.pid));
		target_stop(&t);
		SKIP(return, "known to fail: pages of libraries have stayed mlocked");
	}
}

/* ---- /proc/PID/mem ---- */

TEST_F(who, proc_mem_proves_it)
{
	long mem = target_call(&self->client, do_open_mem, self->nobody.pid, 0, 0);

	ASSERT_LE(0, mem);
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_SYS_PTRACE, 0, 0));
	EXPECT_EQ(-EPERM, client_pid(self->nobody.pid));
	EXPECT_EQ(0, client_all(MEMLOCKD_TARGET_PROC_MEM, mem));
	/* It proves who the target may be, not that the caller may lock; but it may look. */
	ASSERT_EQ(0, target_call(&self->client, do_drop_cap, CAP_IPC_LOCK, 0, 0));
	EXPECT_EQ(-EPERM, client_all(MEMLOCKD_TARGET_PROC_MEM, mem));
	EXPECT_EQ(-EPERM, client_look(self->nobody.pid));
	EXPECT_EQ(SHOWN, target_call(&self->client, do_look, self->fd, MEMLOCKD_TARGET_PROC_MEM,
				     mem));
}

TEST_F(who, proc_mem_of_ones_own_is_no_more_than_its_number)
{
	long mem;

	client_becomes(_metadata, &self->client, NOBODY);
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	mem = target_call(&self->client, do_open_mem, self->nobody.pid, 0, 0);
	ASSERT_LE(0, mem);
	EXPECT_EQ(0, client_all(MEMLOCKD_TARGET_PROC_MEM, mem));
	ASSERT_EQ(0, target_call(&self->nobody, do_set_dumpable, 0, 0, 0));
	EXPECT_EQ(-EPERM, client_all(MEMLOCKD_TARGET_PROC_MEM, mem));
}

TEST_F(who, other_descriptors_are_no_proc_mem)
{
	const char *const names[] = { "maps", "pagemap", "status", "clear_refs", "" };
	int fds[ARRAY_SIZE(names) + 4], mem = open_mem(self->target.pid);
	char path[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", self->target.pid, names[i]);
		fds[i] = open(path, strcmp(names[i], "clear_refs") ? O_RDONLY : O_WRONLY);
	}
	fds[i++] = open("/dev/null", O_RDWR);
	fds[i++] = memfd_create("mem", 0);
	fds[i++] = dup(self->target.pidfd);
	fds[i++] = dup(self->fd);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, fds[i])) {
			TH_LOG("descriptor %u", i);
		}
		close(fds[i]);
	}
	EXPECT_EQ(-EBADF, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, -1));
	EXPECT_EQ(-EBADF, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, 1000));
	EXPECT_EQ(-EINVAL, do_all(self->fd, MEMLOCKD_TARGET_PIDFD, mem));
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	/* Of a process and of a thread alike. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", self->target.pid, self->target.pid);
	fds[0] = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, fds[0]));
	close(fds[0]);
	/* A path is not an open file. */
	snprintf(path, sizeof(path), "/proc/%d/mem", self->target.pid);
	fds[0] = open(path, O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EBADF, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, fds[0]));
	close(fds[0]);
	close(mem);
}

TEST_F(who, proc_mem_names_the_address_space_and_no_other)
{
	int mem = open_mem(self->target.pid), pidfd = dup(self->target.pidfd);
	pid_t pid = self->target.pid, again;

	ASSERT_LE(0, mem);
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	EXPECT_EQ(-ESRCH, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PIDFD, pidfd));
	close(mem);

	mem = open_mem(pid);
	ASSERT_LE(0, mem);
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	kill(pid, SIGKILL);
	ASSERT_EQ(0, waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT));
	EXPECT_EQ(-ESRCH, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	target_stop(&self->target);
	EXPECT_EQ(-ESRCH, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));

	again = fork_with_pid(pid);
	if (again < 0)
		SKIP(return, "cannot choose a process ID: %s", strerror(errno));
	EXPECT_EQ(-ESRCH, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	EXPECT_EQ(-ESRCH, do_all(self->fd, MEMLOCKD_TARGET_PIDFD, pidfd));
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PID, pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(mem);
	close(pidfd);
}

static int sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return 0;
}

/* Another process in the same address space, on a stack of its own. */
static long do_clone_vm(long a, long b, long c)
{
	static char stack[16384] __attribute__((aligned(16)));
	int pid = clone(sleep_for_ever, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);

	return pid < 0 ? -errno : pid;
}

/* Two processes with one address space: a lock of the one is a lock of the other. */
TEST_F(who, address_space_of_two_processes_is_locked_once)
{
	long other = target_call(&self->target, do_clone_vm, 0, 0, 0);
	int mem;

	ASSERT_LT(0, other);
	ASSERT_EQ(0, lock_pid(self->fd, other, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(L, state_of(self->fd, self->target.pid));
	mem = open_mem(other);
	ASSERT_LE(0, mem);
	kill(other, SIGKILL);
	ASSERT_EQ(0, target_call(&self->target, do_reap, other, 0, 0));
	EXPECT_EQ(L, state_of(self->fd, self->target.pid));
	/* The address space is still there. */
	EXPECT_EQ(0, do_all(self->fd, MEMLOCKD_TARGET_PROC_MEM, mem));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
	close(mem);
}

/* ---- the file goes from hand to hand ---- */

static int pass[2];

static long do_send_fd(long fd, long b, long c)
{
	return send_fd(pass[0], fd);
}

static long do_receive_fd(long b, long c, long d)
{
	return receive_fd(pass[1]);
}

static long do_open_device(long a, long b, long c)
{
	return device_open();
}

/* It has the receiving end, and nothing else. */
static void start_receiver(struct target *t)
{
	target_start_with(t, pass[1]);
}

TEST_F(who, file_of_root_gives_nobody_nothing)
{
	struct target receiver;
	long fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pass));
	start_receiver(&receiver);
	client_becomes(_metadata, &receiver, NOBODY);
	ASSERT_EQ(0, do_send_fd(self->fd, 0, 0));
	fd = target_call(&receiver, do_receive_fd, 0, 0, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, target_call(&receiver, do_all, fd, MEMLOCKD_TARGET_PID, 0));
	EXPECT_EQ(-EPERM, target_call(&receiver, do_all, fd, MEMLOCKD_TARGET_PID,
				      self->nobody.pid));
	EXPECT_EQ(-EPERM, target_call(&receiver, do_all, fd, MEMLOCKD_TARGET_PID,
				      self->target.pid));
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	EXPECT_EQ(0, target_call(&receiver, do_all, fd, MEMLOCKD_TARGET_PID, self->nobody.pid));
	EXPECT_EQ(-EPERM, target_call(&receiver, do_all, fd, MEMLOCKD_TARGET_PID,
				      self->target.pid));
	/* Root's lock through the same file: the caller may not touch that process. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(-EPERM, target_call(&receiver, do_unlock, fd, self->target.pid, 0));
	EXPECT_EQ(L, state_of(self->fd, self->target.pid));
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
	target_stop(&receiver);
}

TEST_F(who, file_of_nobody_gives_root_all)
{
	struct target sender;
	struct stat st;
	long theirs, fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pass));
	target_start_with(&sender, pass[0]);
	client_becomes(_metadata, &sender, NOBODY);
	/* For as long as it takes to open it. */
	ASSERT_EQ(0, stat(DEVICE, &st));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
	theirs = target_call(&sender, do_open_device, 0, 0, 0);
	EXPECT_EQ(0, chmod(DEVICE, st.st_mode & 07777));
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, target_call(&sender, do_send_fd, theirs, 0, 0));
	fd = do_receive_fd(0, 0, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, do_all(fd, MEMLOCKD_TARGET_PID, self->nobody.pid));
	EXPECT_EQ(0, do_all(fd, MEMLOCKD_TARGET_PID, self->target.pid));
	/* And its opener still nothing. */
	EXPECT_EQ(-EPERM, target_call(&sender, do_all, theirs, MEMLOCKD_TARGET_PID, 0));
	close(fd);
	target_stop(&sender);
}

/* ---- user namespaces ---- */

TEST_F(who, root_of_a_user_namespace_has_no_privilege)
{
	long ret;

	client_becomes(_metadata, &self->client, NOBODY);
	ret = target_call(&self->client, do_new_userns, 0, 0, 0);
	if (ret)
		SKIP(return, "no user namespaces here: %s", strerror(-ret));
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	/* Its own process, as any user; but it has CAP_IPC_LOCK in there only. */
	EXPECT_EQ(0, client_pid(0));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_lock, self->fd, 0,
				      STATE_FLAGS(L, MEMLOCKD_CURRENT | MEMLOCKD_BYPASS)));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_unlock_all, self->fd, 0, 0));
	EXPECT_EQ(-EPERM, client_pid(self->target.pid));
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 0));
	EXPECT_EQ(-EPERM, client_pid(0));
	EXPECT_EQ(-EPERM, client_pid(self->nobody.pid));
}

/* ---- PID namespaces ---- */

/* In a namespace of its own: how many rows of LIST it sees, and of which process. */
static long do_list_in_pidns(long fd, long outside, long b)
{
	struct memlockd_holder *rows;
	int wait_status;
	long nr;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -errno;
	pid = fork_child();
	if (!pid) {
		/* Nothing of what is outside, by number or by list. */
		nr = list_all(fd, 4, &rows);
		if (nr != 0 || state_of(fd, outside) != -ESRCH ||
		    lock_pid(fd, outside, L, CURRENT_FUTURE, NULL) != -ESRCH)
			_exit(1);
		if (lock_pid(fd, 1, L, CURRENT_FUTURE, NULL))
			_exit(2);
		nr = list_all(fd, 4, &rows);
		if (nr != 1 || rows[0].target != 1 || rows[0].pid != 1 || rows[0].state != L)
			_exit(3);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &wait_status, 0) != pid || !WIFEXITED(wait_status))
		return -ECHILD;
	return WEXITSTATUS(wait_status);
}

TEST_F(who, pid_namespace_sees_only_its_own)
{
	struct memlockd_holder *rows;
	long ret;

	/* An ID that no process of the new namespace will have. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, CURRENT_FUTURE, NULL));
	ret = target_call(&self->client, do_list_in_pidns, self->fd, self->target.pid, 0);
	if (ret == -EPERM || ret == -EINVAL)
		SKIP(return, "no namespaces for process IDs");
	EXPECT_EQ(0, ret);
	EXPECT_EQ(1, list_all(self->fd, 4, &rows));
	EXPECT_EQ(self->target.pid, rows[0].target);
	free(rows);
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
}

/* ---- LIST ---- */

/* How many rows there are; and all of them are of @target, unless that is 0. */
static long do_list(long fd, long target, long c)
{
	struct memlockd_holder *rows;
	long nr = list_all(fd, 1, &rows), i;

	for (i = 0; i < nr; i++) {
		if (target && rows[i].target != target)
			return -EXDEV;
	}
	free(rows);
	return nr;
}

#define client_list(target)	target_call(&self->client, do_list, self->fd, target, 0)

TEST_F(who, users_see_their_own_locks_and_processes_only)
{
	client_becomes(_metadata, &self->client, NOBODY);
	EXPECT_EQ(0, client_list(0));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(0, client_list(0));
	/* Root's lock of a process of the user. */
	ASSERT_EQ(0, lock_pid(self->fd, self->nobody.pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(1, client_list(self->nobody.pid));
	EXPECT_EQ(0, unlock_pid(self->fd, self->nobody.pid));
	/* The user's own. */
	ASSERT_TRUE(write_number(KNOB_UNPRIVILEGED, 1));
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, self->nobody.pid,
				 STATE_FLAGS(L, CURRENT_FUTURE)));
	EXPECT_EQ(1, client_list(self->nobody.pid));
	ASSERT_EQ(0, unlock_all(self->fd, self->nobody.pid));
	EXPECT_EQ(0, client_list(0));
	EXPECT_EQ(1, do_list(self->fd, self->target.pid, 0));
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
}

TEST_F(who, one_capability_is_enough_to_list)
{
	static const int caps[] = { CAP_IPC_LOCK, CAP_SYS_PTRACE };
	struct target client;
	unsigned int i;

	ASSERT_EQ(0, lock_pid(self->fd, self->nobody.pid, L, CURRENT_FUTURE, NULL));
	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		target_start_with(&client, self->fd);
		/* Not by being who holds it. */
		ASSERT_EQ(0, target_call(&client, do_setids, 0, 0, 0));
		ASSERT_EQ(0, target_call(&client, do_drop_cap, caps[i], 0, 0));
		EXPECT_EQ(1, target_call(&client, do_list, self->fd, self->nobody.pid, 0));
		ASSERT_EQ(0, target_call(&client, do_drop_cap, caps[!i], 0, 0));
		EXPECT_EQ(0, target_call(&client, do_list, self->fd, 0, 0));
		target_stop(&client);
	}
	EXPECT_EQ(0, unlock_pid(self->fd, self->nobody.pid));
}

/* Maps a file that the process may not write to, and that others use. */
static long do_map_program(long len, long b, long c)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *addr = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	return addr == MAP_FAILED ? -errno : (long)addr;
}

TEST_F(who, lock_of_a_file_takes_no_page_from_others)
{
	long theirs = target_call(&self->target, do_map_program, LEN / 4, 0, 0);
	long ours = target_call(&self->nobody, do_map_program, LEN / 4, 0, 0);

	ASSERT_LT(0, theirs);
	ASSERT_LT(0, ours);
	ASSERT_EQ(0, target_call(&self->target, do_read, theirs, LEN / 4, PAGE));
	ASSERT_EQ(0, target_call(&self->nobody, do_read, ours, LEN / 4, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, self->nobody.pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_read, theirs, LEN / 4, PAGE));
	TH_LOG("%ld faults in %lu pages of another process", self->target.minflt,
	       LEN / 4 / PAGE);
	EXPECT_EQ(0, self->target.minflt);
	EXPECT_EQ(0, self->target.majflt);
	EXPECT_EQ(0, unlock_pid(self->fd, self->nobody.pid));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
