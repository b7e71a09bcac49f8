// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lock through the lives and deaths of its target and its client: exit, kill,
 * exec, fork, two clients at once, and a module that somebody wants to unload.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

/* Untouched memory that takes a while to lock. */
#define LARGE	(160 * MIB)
/* A file that takes a while to unlock. */
#define CACHED	(32 * MIB)
#define ROUNDS	10

FIXTURE(life)
{
	struct counters start;
	struct target target;
	struct target client;
	int fd;
};

FIXTURE_SETUP(life)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	target_start_with(&self->client, self->fd);
}

static void check_nothing_left(struct __test_metadata *_metadata, const struct counters *start)
{
	struct memlockd_info info = { .size = sizeof(info) };
	int fd = device_open();

	EXPECT_TRUE(counters_back(start));
	ASSERT_EQ(0, device_call(fd, MEMLOCKD_IOC_INFO, &info));
	EXPECT_EQ(0, info.out_locked_processes);
	EXPECT_EQ(0, info.out_pinned);
	close(fd);
}

FIXTURE_TEARDOWN(life)
{
	target_stop(&self->client);
	target_stop(&self->target);
	check_nothing_left(_metadata, &self->start);
}

FIXTURE_VARIANT(life)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(life, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(life, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(life, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

/* Some memory of every sort that matters here. */
static void map_some(struct __test_metadata *_metadata, struct target *t)
{
	ASSERT_LT(0, target_call(t, do_map, 64 * PAGE, RW, MAP_PRIVATE));
	ASSERT_LT(0, target_call(t, do_map, 64 * PAGE, RW, MAP_SHARED));
	ASSERT_LT(0, target_call(t, do_map, 64 * PAGE, PROT_READ, MAP_PRIVATE));
}

static void check_unlocked(struct __test_metadata *_metadata, int fd, pid_t pid)
{
	struct memlockd_mapping *rows;
	long nr;

	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_EQ(0, vmas_locked(pid));
	nr = mappings_pid(fd, pid, 256, &rows);
	EXPECT_LT(0, nr);
	EXPECT_EQ(0, rows_wrong(rows, nr, MEMLOCKD_STATE_UNLOCKED));
	EXPECT_EQ(0, rows_pinned(rows, nr));
	free(rows);
}

static long do_exit(long code, long b, long c)
{
	_exit(code);
}

TEST_F(life, exit_ends_the_lock)
{
	map_some(_metadata, &self->target);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, variant->state, variant->flags, NULL));
	target_post(&self->target, do_exit, 3, 0, 0);
	EXPECT_EQ(3 << 8, target_reap(&self->target));
}

TEST_F(life, kill_ends_the_lock)
{
	map_some(_metadata, &self->target);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(SIGKILL, target_stop(&self->target));
}

TEST_F(life, exec_ends_the_lock)
{
	pid_t pid = self->target.pid;

	map_some(_metadata, &self->target);
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, pid));
	EXPECT_TRUE(counters_back(&self->start));
	/* It can be locked like any other. */
	EXPECT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(variant->state, state_of(self->fd, pid));
}

TEST_F(life, fork_child_inherits_nothing)
{
	long child;

	map_some(_metadata, &self->target);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, variant->state, variant->flags, NULL));
	child = target_call(&self->target, do_fork, 0, 0, 0);
	ASSERT_LT(0, child);
	check_unlocked(_metadata, self->fd, child);
	EXPECT_EQ(variant->state, state_of(self->fd, self->target.pid));
	/* The child is locked and unlocked by itself. */
	ASSERT_EQ(0, lock_pid(self->fd, child, variant->state, variant->flags, NULL));
	ASSERT_EQ(0, unlock_pid(self->fd, child));
	check_unlocked(_metadata, self->fd, child);
	EXPECT_EQ(variant->state, state_of(self->fd, self->target.pid));
	EXPECT_EQ(vmas_locked(self->target.pid), status_bytes(self->target.pid, "VmLck"));
	EXPECT_EQ(0, target_call(&self->target, do_reap, child, 0, 0));
}

TEST_F(life, child_outlives_its_locked_parent)
{
	int pidfd;
	long child;

	map_some(_metadata, &self->target);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, variant->state, variant->flags, NULL));
	child = target_call(&self->target, do_fork, 0, 0, 0);
	ASSERT_LT(0, child);
	pidfd = syscall(SYS_pidfd_open, child, 0);
	/* The child dies with it, by its own signal: after it. */
	target_stop(&self->target);
	ASSERT_EQ(1, poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, -1));
	close(pidfd);
}

TEST_F(life, lock_outlives_its_client)
{
	pid_t pid = self->target.pid;
	struct memlockd_status status;

	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, pid,
				 STATE_FLAGS(variant->state, variant->flags)));
	ASSERT_EQ(0, status_pid(self->fd, pid, &status));
	EXPECT_EQ(self->client.pid, status.out_locker_pid);
	target_stop(&self->client);
	ASSERT_EQ(0, status_pid(self->fd, pid, &status));
	EXPECT_EQ(variant->state, status.out_state);
	EXPECT_EQ(0, status.out_locker_pid);
	EXPECT_EQ(0, status.out_locker_uid);
	EXPECT_EQ(status.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(status.out_pinned, status_bytes(pid, "VmPin"));
	EXPECT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
}

TEST_F(life, process_can_lock_itself)
{
	pid_t pid = self->client.pid;

	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, 0,
				 STATE_FLAGS(variant->state, variant->flags)));
	EXPECT_EQ(variant->state, state_of(self->fd, pid));
	EXPECT_EQ(variant->state, target_call(&self->client, do_state, self->fd, 0, 0));
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, target_call(&self->client, do_unlock, self->fd, 0, 0));
	check_unlocked(_metadata, self->fd, pid);
}

TEST_F(life, kill_of_the_client_undoes_what_it_did)
{
	pid_t pid = self->target.pid;
	unsigned long rss, before;
	int status;
	long addr;

	addr = target_call(&self->target, do_map_small, LARGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	before = status_bytes(pid, "VmRSS");
	target_post(&self->client, do_lock, self->fd, pid,
		    STATE_FLAGS(variant->state, variant->flags));
	ASSERT_TRUE(wait_rss(pid, before + LARGE / 16));
	status = target_stop(&self->client);
	rss = status_bytes(pid, "VmRSS") - before;
	TH_LOG("killed with %lu of %lu MB done", rss / MIB, LARGE / MIB);
	EXPECT_EQ(SIGKILL, status);
	/* It did not go on to the end first. */
	EXPECT_GT(LARGE, rss);
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_TRUE(counters_back(&self->start));
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, pid));
}

/* What a lock of the future alone does not cover, a failed one does not, either. */
TEST_F(life, kill_of_the_client_leaves_what_is_the_targets)
{
	pid_t pid = self->target.pid;
	unsigned long rss, own, other;
	long addr;

	addr = target_call(&self->target, do_map_small, LARGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	own = target_call(&self->target, do_map_small, MIB, RW, MAP_PRIVATE);
	other = target_call(&self->target, do_map_small, MIB, RW, MAP_SHARED);
	ASSERT_EQ(0, target_call(&self->target, do_mlock, own, MIB, 0));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_FUTURE, NULL));
	rss = status_bytes(pid, "VmRSS");
	target_post(&self->client, do_lock, self->fd, pid,
		    STATE_FLAGS(variant->state, variant->flags));
	ASSERT_TRUE(wait_rss(pid, rss + LARGE / 16));
	EXPECT_EQ(SIGKILL, target_stop(&self->client));
	EXPECT_EQ(MIB, status_bytes(pid, "VmLck"));
	EXPECT_EQ(L, state_of(self->fd, pid));

	ASSERT_EQ(0, target_call(&self->target, do_munlock, own, MIB, 0));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, target_call(&self->target, do_mlock, other, MIB, 0));
	ASSERT_EQ(0, target_call(&self->target, do_munlock, other, MIB, 0));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
}

TEST_F(life, kill_of_the_target_ends_its_lock_in_the_middle)
{
	unsigned long before;
	long ret, addr;

	addr = target_call(&self->target, do_map_small, LARGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	before = status_bytes(self->target.pid, "VmRSS");
	target_post(&self->client, do_lock, self->fd, self->target.pid,
		    STATE_FLAGS(variant->state, variant->flags));
	ASSERT_TRUE(wait_rss(self->target.pid, before + LARGE / 16));
	EXPECT_EQ(SIGKILL, target_stop(&self->target));
	ASSERT_TRUE(target_result(&self->client, &ret));
	TH_LOG("the lock of a process that was killed: %ld", ret);
	EXPECT_EQ(-ESRCH, ret);
}

/* While the pages are locked they come back, so that one of the calls meets the unlock. */
static long do_drop_until_gone(long addr, long len, long c)
{
	do {
		if (madvise((void *)addr, len, MADV_DONTNEED))
			return -errno;
	} while (present_bytes(getpid(), addr, addr + len));
	return 0;
}

static long do_map_file(long fd, long len, long flags)
{
	void *p = mmap(NULL, len, PROT_READ, flags, fd, 0);

	return p == MAP_FAILED ? -errno : (long)p;
}

/* The pages live on, in the page cache, so that a mark stays. */
static void check_drop(struct __test_metadata *_metadata, const FIXTURE_VARIANT(life) *variant,
		       FIXTURE_DATA(life) *self, int file, int flags)
{
	pid_t pid = self->target.pid;
	long addr, ret;
	int i;

	addr = target_call(&self->target, do_map_file, file, CACHED, flags);
	ASSERT_LT(0, addr);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
		/* Not all, where khugepaged makes huge pages of it meanwhile. */
		EXPECT_LT(0, present_bytes(pid, addr, addr + CACHED));
		target_post(&self->target, do_drop_until_gone, addr, CACHED, 0);
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
		ASSERT_TRUE(target_result(&self->target, &ret));
		EXPECT_EQ(0, ret);
		EXPECT_EQ(0, present_bytes(pid, addr, addr + CACHED));
		EXPECT_TRUE(counters_back(&self->start));
	}
}

TEST_F(life, what_is_unmapped_in_the_middle_of_the_unlock_is_unlocked)
{
	int file = disk_file(CACHED);

	ASSERT_LE(0, file);
	target_stop(&self->target);
	target_start_with(&self->target, file);
	check_drop(_metadata, variant, self, file, MAP_PRIVATE);
	check_drop(_metadata, variant, self, file, MAP_SHARED);
	close(file);
}

/* The result of a lock of the target, which calls execve(2) once that is under way. */
static long lock_until_exec(struct __test_metadata *_metadata,
			    const FIXTURE_VARIANT(life) *variant, FIXTURE_DATA(life) *self)
{
	pid_t pid = self->target.pid;
	unsigned long before;
	long ret = 0, addr;

	addr = target_call(&self->target, do_map_small, LARGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	before = status_bytes(pid, "VmRSS");
	target_post(&self->client, do_lock, self->fd, pid,
		    STATE_FLAGS(variant->state, variant->flags));
	ASSERT_TRUE(wait_rss(pid, before + LARGE / 16));
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	ASSERT_TRUE(target_result(&self->client, &ret));
	check_unlocked(_metadata, self->fd, pid);
	return ret;
}

TEST_F(life, exec_of_the_target_ends_its_lock_in_the_middle)
{
	int tries = 1;
	long ret;

	/* The lock may be the first to get to its end. */
	while (!(ret = lock_until_exec(_metadata, variant, self)) && tries++ < 10) {
		target_stop(&self->target);
		target_start(&self->target);
	}
	TH_LOG("the lock of a process that called execve(2): %ld at try %d", ret, tries);
	EXPECT_EQ(-ESRCH, ret);
}

struct loop {
	pid_t pid;
	int fd;
	int state, flags;
	unsigned int failed;
};

static void *lock_loop(void *arg)
{
	struct loop *loop = arg;
	int i, err;

	for (i = 0; i < ROUNDS; i++) {
		err = lock_pid(loop->fd, loop->pid, loop->state, loop->flags, NULL);
		loop->failed += !!err;
		err = unlock_pid(loop->fd, loop->pid);
		/* The other one may have been faster. */
		loop->failed += err && err != -ENOENT;
	}
	return NULL;
}

TEST_F(life, two_clients_do_not_get_in_each_others_way)
{
	struct loop loops[2] = {
		{ self->target.pid, self->fd, variant->state, variant->flags, 0 },
		{ self->target.pid, self->fd, L, LIKE_MLOCKALL, 0 },
	};
	pthread_t threads[2];

	map_some(_metadata, &self->target);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, lock_loop, &loops[0]));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, lock_loop, &loops[1]));
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	TH_LOG("%d rounds each, %u and %u failed", ROUNDS, loops[0].failed, loops[1].failed);
	EXPECT_EQ(0, loops[0].failed);
	EXPECT_EQ(0, loops[1].failed);
	unlock_pid(self->fd, self->target.pid);
	check_unlocked(_metadata, self->fd, self->target.pid);
	EXPECT_TRUE(counters_back(&self->start));
}

static void *serve_forever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

/* Leave a thread behind and end the first one. */
static long do_leave_leader(long a, long b, long c)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve_forever, NULL))
		return -EAGAIN;
	pthread_exit(NULL);
}

static char state_letter(pid_t pid)
{
	char path[32], letter = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%*[^)]) %c", &letter) != 1)
		letter = 0;
	fclose(file);
	return letter;
}

TEST_F(life, process_whose_first_thread_is_gone_can_be_locked)
{
	pid_t pid = self->target.pid;
	char task[32];
	int tries;

	target_post(&self->target, do_leave_leader, 0, 0, 0);
	/* Nothing tells of the end of a thread either. */
	for (tries = 0; tries < 100000 && state_letter(pid) != 'Z'; tries++)
		sched_yield();
	ASSERT_EQ('Z', state_letter(pid));
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(variant->state, state_of(self->fd, pid));
	/* /proc/PID shows the memory of its first thread; look at the other. */
	snprintf(task, sizeof(task), "/proc/%d/task", pid);
	EXPECT_EQ(0, access(task, R_OK));
	EXPECT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	EXPECT_TRUE(counters_back(&self->start));
}

static long do_write_two(long a, long b, long len)
{
	do_write(a, len, PAGE);
	return do_write(b, len, PAGE);
}

/* What fork(2) costs a superlocked process later: nothing. */
TEST_F(life, parent_writes_without_a_fault_after_fork)
{
	long heap, area, child, len = 256 * PAGE;

	heap = target_call(&self->target, do_map, len, RW, MAP_PRIVATE);
	area = target_call(&self->target, do_map, len, RW, MAP_PRIVATE | MAP_POPULATE);
	ASSERT_LT(0, heap);
	ASSERT_LT(0, area);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, variant->state, variant->flags, NULL));
	child = target_call(&self->target, do_fork, 0, 0, 0);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, target_call(&self->target, do_write_two, heap, area, len));
	TH_LOG("%s: %ld minor, %ld major faults in %ld pages", state_name(variant->state),
	       self->target.minflt, self->target.majflt, 2 * len / PAGE);
	EXPECT_EQ(0, self->target.majflt);
	/* Pinned memory is copied for the child at once; movable memory is not. */
	EXPECT_EQ(!!(variant->flags & MEMLOCKD_MOVABLE), self->target.minflt > 0);
	ASSERT_EQ(0, target_call(&self->target, do_reap, child, 0, 0));
}

/* Memory that two processes share, and only one of them is unlocked. */
TEST_F(life, shared_memory_stays_with_the_other_process)
{
	unsigned long addr, len = 64 * PAGE;
	struct target other;
	char *shared;
	int i;

	shared = mmap(NULL, len, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	addr = (unsigned long)shared;
	target_stop(&self->target);
	target_start(&self->target);
	target_start(&other);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	for (i = 0; i < 3; i++) {
		/* It has not touched all of it, the first time. */
		ASSERT_EQ(0, target_call(&other, do_read, addr, len / 2, 2 * PAGE));
		ASSERT_EQ(0, lock_pid(self->fd, other.pid, variant->state, variant->flags, NULL));
		EXPECT_EQ(len, present_bytes(self->target.pid, addr, addr + len));
		EXPECT_EQ(len, present_bytes(other.pid, addr, addr + len));
		ASSERT_EQ(0, unlock_pid(self->fd, other.pid));
		EXPECT_EQ(len, present_bytes(self->target.pid, addr, addr + len));
		ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
		TH_LOG("round %d: %ld minor, %ld major faults", i, self->target.minflt,
		       self->target.majflt);
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	}
	target_stop(&other);
	munmap(shared, len);
}

/*
 * In a namespace of its own for process IDs, a client's child is process 1 and
 * locks "process 1". It ends with the state that our own process 1 is in, times
 * 16, and the state of the child, which only the number in the namespace names.
 */
static long do_lock_in_pidns(long fd, long state_flags, long b)
{
	struct memlockd_status status = {};
	int wait_status;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -errno;
	pid = fork_child();
	if (!pid) {
		if (getpid() != 1 || lock_pid(fd, 1, state_flags >> 8, state_flags & 0xff, NULL) ||
		    status_pid(fd, 0, &status) || status.out_locker_pid != 1)
			_exit(99);
		_exit(status.out_state);
	}
	if (pid < 0 || waitpid(pid, &wait_status, 0) != pid || !WIFEXITED(wait_status))
		return -ECHILD;
	/* Our namespace is still the outer one. */
	return state_of(fd, 1) << 4 | WEXITSTATUS(wait_status);
}

TEST_F(life, process_ids_are_those_of_the_caller)
{
	long ret = target_call(&self->client, do_lock_in_pidns, self->fd,
			       STATE_FLAGS(variant->state, variant->flags), 0);

	if (ret == -EPERM || ret == -EINVAL)
		SKIP(return, "no namespaces for process IDs");
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED << 4 | variant->state, ret);
}

/* Locked from outside: whoever did it has no number in the target's namespace. */
static long do_status_in_pidns(long fd, long b, long c)
{
	int ready[2], go[2], wait_status;
	struct memlockd_status status;
	char byte = 0;
	pid_t pid;

	if (unshare(CLONE_NEWPID) || pipe(ready) || pipe(go))
		return -errno;
	pid = fork_child();
	if (!pid) {
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1 ||
		    status_pid(fd, 0, &status))
			_exit(99);
		_exit(status.out_state << 4 | (status.out_locker_pid != 0));
	}
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		return -ECHILD;
	if (lock_pid(fd, pid, MEMLOCKD_STATE_LOCKED, CURRENT_FUTURE, NULL))
		return -EIO;
	if (write(go[1], &byte, 1) != 1 || waitpid(pid, &wait_status, 0) != pid)
		return -ECHILD;
	return WEXITSTATUS(wait_status);
}

TEST_F(life, locker_outside_the_namespace_has_no_number_there)
{
	long ret = target_call(&self->client, do_status_in_pidns, self->fd, 0, 0);

	if (ret == -EPERM || ret == -EINVAL)
		SKIP(return, "no namespaces for process IDs");
	EXPECT_EQ(MEMLOCKD_STATE_LOCKED << 4, ret);
}

TEST_F(life, next_process_of_that_id_is_not_locked)
{
	pid_t pid = self->target.pid, again;
	int pidfd = dup(self->target.pidfd);
	struct memlockd_status status = {
		.size = sizeof(status),
		.target_type = MEMLOCKD_TARGET_PIDFD,
		.target = pidfd,
	};

	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
	target_stop(&self->target);
	again = fork_with_pid(pid);
	if (again < 0)
		SKIP(return, "cannot choose a process ID: %s", strerror(errno));
	EXPECT_EQ(pid, again);
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, pid));
	EXPECT_EQ(-ESRCH, device_call(self->fd, MEMLOCKD_IOC_STATUS, &status));
	close(pidfd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A client forks: whoever closes what, nothing is accounted twice or to the wrong one. */
TEST_F(life, device_closed_by_another_process_changes_nothing)
{
	unsigned long before = status_bytes(getpid(), "VmLck");
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, NULL));
	/* The client has the same open file; when it dies it closes it. */
	target_stop(&self->client);
	EXPECT_EQ(variant->state, state_of(self->fd, pid));
	target_start_with(&self->client, self->fd);
	close(self->fd);
	EXPECT_EQ(0, target_call(&self->client, do_unlock, self->fd, pid, 0));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, target_call(&self->client, do_state, self->fd, pid, 0));
	EXPECT_EQ(before, status_bytes(getpid(), "VmLck"));
	EXPECT_EQ(0, status_bytes(self->client.pid, "VmLck"));
}

/* Lock on fault, touch, lock: pages come straight from the batches of their CPU. */
TEST_F(life, pages_fresh_from_the_mlock_batch_can_be_locked)
{
	long addr, len = 32 * PAGE;
	int i;

	for (i = 0; i < 40; i++) {
		addr = target_call(&self->target, do_map, len, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		ASSERT_EQ(0, target_call(&self->target, do_mlock, addr, len, MLOCK_ONFAULT));
		ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, variant->state, variant->flags,
				      NULL));
		ASSERT_EQ(0, target_call(&self->target, do_munlock, addr, len, 0));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, len, 0));
		ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	}
	check_unlocked(_metadata, self->fd, self->target.pid);
	EXPECT_TRUE(counters_back(&self->start));
}

FIXTURE(module)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(module)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(module)
{
	target_stop(&self->target);
	check_nothing_left(_metadata, &self->start);
}

/* EWOULDBLOCK is what O_NONBLOCK gets from a module in use; rmmod(8) prints both alike. */
static bool refused(int err)
{
	return err == -EWOULDBLOCK || err == -EBUSY;
}

TEST_F(module, stays_while_something_is_locked)
{
	pid_t pid = self->target.pid;
	int err;

	if (access("/sys/module/memlockd/refcnt", R_OK))
		SKIP(return, "memlockd is built in, or this kernel unloads no modules");
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	/* An open device would hold the module just as well. */
	close(self->fd);
	err = module_unload();
	TH_LOG("unloading while a process is locked: %s", strerror(-err));
	EXPECT_TRUE(refused(err));
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(S, state_of(self->fd, pid));
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	/* Now it is the open device. */
	err = module_unload();
	TH_LOG("unloading while the device is open: %s", strerror(-err));
	EXPECT_TRUE(refused(err));
}

/* The module has gone, and has left nothing: it is loaded again. */
static void load_again(struct __test_metadata *_metadata, FIXTURE_DATA(module) *self,
		       const char *ko)
{
	EXPECT_EQ(-ENOENT, device_open());
	EXPECT_TRUE(counters_back(&self->start));
	ASSERT_EQ(0, module_load(ko));
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
}

TEST_F(module, can_be_unloaded_and_loaded_again)
{
	const char *ko = getenv("MEMLOCKD_KO");
	pid_t pid = self->target.pid;
	int i;

	if (!ko)
		SKIP(return, "MEMLOCKD_KO does not name the module to load again");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		close(self->fd);
		EXPECT_EQ(0, module_unload());
		load_again(_metadata, self, ko);
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	}
	/* The end of a locked process lets go of the module, too. */
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	close(self->fd);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
	EXPECT_EQ(0, module_unload_soon());
	EXPECT_EQ(-ENOENT, device_open());
	ASSERT_EQ(0, module_load(ko));
}

/* Through a device that is closed then. */
static long do_lock_and_unlock_a_page(long addr, long b, long c)
{
	int fd = device_open(), err;

	if (fd < 0)
		return fd;
	err = mlock((void *)addr, PAGE) ? -errno : 0;
	if (!err)
		err = lock_range(fd, 0, S, addr, PAGE, NULL);
	if (!err)
		err = unlock_range(fd, 0, addr, PAGE);
	if (!err && munlock((void *)addr, PAGE))
		err = -errno;
	close(fd);
	return err;
}

/* Something of it is kept, in case that it locks again, but that is no lock. */
TEST_F(module, process_that_has_unlocked_itself_is_no_longer_locked)
{
	const char *ko = getenv("MEMLOCKD_KO");
	struct memlockd_info info = { .size = sizeof(info) };
	long addr;
	int i;

	for (i = 0; i < 6; i++) {
		addr = target_call(&self->target, do_map, 4 * PAGE, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		ASSERT_EQ(0, target_call(&self->target, do_lock_and_unlock_a_page, addr, 0, 0));
		/* It locks and unlocks itself, and nobody of ours hears of that. */
		ASSERT_EQ(0, target_call(&self->target, do_mlock, addr, 2 * PAGE, 0));
		ASSERT_EQ(0, target_call(&self->target, do_munlock, addr, 2 * PAGE, 0));
		ASSERT_EQ(0, target_call(&self->target, do_lock_and_unlock_a_page, addr, 0, 0));
		check_unlocked(_metadata, self->fd, self->target.pid);
		ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
		EXPECT_EQ(0, info.out_locked_processes);
		/* What others lock of it then is theirs alone. */
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
		ASSERT_EQ(0, target_call(&self->target, do_lock_and_unlock_a_page, addr, 0, 0));
		EXPECT_EQ(vmas_locked(self->target.pid), status_bytes(self->target.pid, "VmLck"));
		ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
		check_unlocked(_metadata, self->fd, self->target.pid);
		ASSERT_EQ(0, target_call(&self->target, do_lock_and_unlock_a_page, addr, 0, 0));
		if (!ko)
			continue;
		close(self->fd);
		if (i % 2) {
			/* It ends while the module goes. */
			target_post(&self->target, do_exit, 0, 0, 0);
			EXPECT_EQ(0, module_unload_soon());
			target_reap(&self->target);
			target_start(&self->target);
		} else {
			EXPECT_EQ(0, module_unload());
		}
		load_again(_metadata, self, ko);
	}
	close(self->fd);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
