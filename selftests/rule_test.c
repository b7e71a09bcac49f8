// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules: what a program or a child gets before its first instruction, which processes a rule
 * is for, what happens when it cannot be obeyed, and that a rule takes along what it gave.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "first.h"
#include "kselftest_harness.h"
#include "memlockd_test.h"

#define U	MEMLOCKD_STATE_UNLOCKED

/* The programs beside this one, and files of them; -1 where one was not built. */
static char first_path[PATH_MAX], first32_path[PATH_MAX];
static int first_fd = -1, first32_fd = -1;

static int find_program(char *path, const char *name)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len < 0)
		return -1;
	path[len] = '\0';
	dirname(path);
	strcat(path, "/");
	strcat(path, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool rule_row(int fd, uint64_t id, struct memlockd_rule_row *row)
{
	static struct memlockd_rule_row rows[MEMLOCKD_MAX_RULES];
	int i, nr = rules_read(fd, rows, MEMLOCKD_MAX_RULES);

	for (i = 0; i < nr; i++) {
		if (rows[i].id == id) {
			*row = rows[i];
			printf("# matched %llu, failed %llu (errno %u, limit %u), missed %llu\n",
			       (unsigned long long)row->matched, (unsigned long long)row->failed,
			       row->last_error, row->last_limit, (unsigned long long)row->missed);
			return true;
		}
	}
	return false;
}

/**
 * struct child - a process that is about to run a program
 * @pid: its process ID
 * @go: it goes on when it can read from this
 * @in: file 0 of it
 * @out: file 1 of it
 * @perf: counts the page faults that it takes in user space, from execve(2) on
 */
struct child {
	pid_t pid;
	int go, in, out, perf;
};

/* How it comes to run the program. */
typedef void (*exec_fn)(char *const *argv);

static void plain_exec(char *const *argv)
{
	execv(argv[-1], argv);
}

/* Counts page faults of user space alone: not what the kernel takes while it makes the image. */
static int count_faults(pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.disabled = 1,
		.enable_on_exec = 1,
		.exclude_kernel = 1,
		.inherit = 1,
	};

	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static long faults_counted(int perf)
{
	uint64_t count;

	return read(perf, &count, sizeof(count)) == sizeof(count) ? (long)count : -1;
}

/*
 * Has a child run the program at @path with one argument or none, by @exec, after it has called
 * @prepare, if there is one.
 */
static bool child_start(struct child *child, const char *path, const char *argument,
			exec_fn exec, void (*prepare)(void))
{
	char *const argv[] = { (char *)path, (char *)path, (char *)argument, NULL };
	int go[2], in[2], out[2];
	char byte;

	if (pipe2(go, O_CLOEXEC) || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return false;
	child->pid = fork_child();
	if (!child->pid) {
		close(go[1]);
		dup2(in[0], 0);
		dup2(out[1], 1);
		if (read(go[0], &byte, 1) != 1)
			_exit(99);
		if (prepare)
			prepare();
		exec(argv + 1);
		_exit(98);
	}
	close(go[0]);
	close(in[0]);
	close(out[1]);
	child->go = go[1];
	child->in = in[1];
	child->out = out[0];
	child->perf = count_faults(child->pid);
	return child->pid > 0 && child->perf >= 0;
}

static void child_go(struct child *child)
{
	/* Children that are made later have this end as well until they run their program. */
	if (write(child->go, "", 1) != 1)
		ksft_perror("write");
	close(child->go);
}

/* What it says of itself; false if it ends before. */
static bool child_says(struct child *child, struct first *first)
{
	return read(child->out, first, sizeof(*first)) == sizeof(*first);
}

/* Its wait status. */
static int child_end(struct child *child)
{
	int status = -1;

	close(child->in);
	waitpid(child->pid, &status, 0);
	close(child->out);
	close(child->perf);
	return status;
}

/* What a program has said, and its page faults as perf counts them; -1: it did not get there. */
struct seen {
	struct first first;
	long counted;
	int status;
};

/* Where a process that waits has taken the last page fault in spite of its lock. */
static void print_fault(int fd, pid_t pid)
{
	struct memlockd_status status;
	struct memlockd_mapping *rows;
	long i, nr;

	if (status_pid(fd, pid, &status))
		return;
	printf("# process %d: %llu real faults, the last of 0x%llx by 0x%llx\n", pid,
	       (unsigned long long)status.out_real_minor_faults,
	       (unsigned long long)status.out_fault_address,
	       (unsigned long long)status.out_fault_ip);
	nr = mappings_pid(fd, pid, 64, &rows);
	for (i = 0; i < nr; i++)
		row_print(&rows[i]);
	free(rows);
}

static struct seen run(const char *path, const char *argument, exec_fn exec, void (*prepare)(void))
{
	struct seen seen = { .counted = -1 };
	struct child child;

	if (!child_start(&child, path, argument, exec, prepare))
		return seen;
	child_go(&child);
	if (!child_says(&child, &seen.first))
		seen.first.faults = -1;
	close(child.in);
	waitpid(child.pid, &seen.status, 0);
	seen.counted = faults_counted(child.perf);
	close(child.out);
	close(child.perf);
	printf("# %s: by its own count %d faults, its child %d, again %d; ",
	       argument ?: "first", seen.first.faults, seen.first.child, seen.first.again);
	printf("%ld in user space since execve, status %#x\n", seen.counted, seen.status);
	return seen;
}

FIXTURE(rule)
{
	struct counters start;
	int fd;
};

FIXTURE_SETUP(rule)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	first_fd = find_program(first_path, "first");
	first32_fd = find_program(first32_path, "first32");
	if (first_fd < 0)
		SKIP(return, "first was not built");
	counters_start(&self->start);
}

FIXTURE_TEARDOWN(rule)
{
	if (first_fd < 0)
		return;
	if (read_number(KNOB("default_state")))
		write_number(KNOB("default_state"), 0);
	EXPECT_EQ(0, rules_clear(self->fd));
	close(self->fd);
	EXPECT_TRUE(counters_back(&self->start));
}

/* For the program of @fd. */
static struct memlockd_rule for_program(int fd, unsigned int events, unsigned int state,
					unsigned int flags)
{
	struct memlockd_rule rule = {
		.match = MEMLOCKD_MATCH_EXECUTABLE,
		.events = events,
		.state = state,
		.lock_flags = flags,
		.executable = fd,
	};

	return rule;
}

static struct memlockd_rule superlock_first(void)
{
	return for_program(first_fd, MEMLOCKD_RULE_EXEC, S, CURRENT_FUTURE);
}

/* A rule is there for as long as these tests want it. */
#define ADD(rule)	ASSERT_EQ(0, rule_add(self->fd, &(rule)))
#define DEL(rule)	EXPECT_EQ(0, rule_del(self->fd, (rule).out_id))

#define EXPECT_NO_FAULT(seen)				\
	do {						\
		EXPECT_EQ(0, (seen).first.faults);	\
		EXPECT_EQ(0, (seen).first.again);	\
		EXPECT_EQ(0, (seen).counted);		\
		EXPECT_EQ(0, (seen).status);		\
	} while (0)

/* A program that comes to run by @exec is superlocked before its first instruction. */
static void check_no_fault(struct __test_metadata *_metadata, FIXTURE_DATA(rule) *self,
			   exec_fn exec)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	ADD(rule);
	seen = run(first_path, NULL, exec, NULL);
	EXPECT_NO_FAULT(seen);
	DEL(rule);
}

/* Else the test would see nothing. */
TEST_F(rule, without_one_there_are_faults)
{
	struct seen seen = run(first_path, NULL, plain_exec, NULL);

	EXPECT_LT(100, seen.first.faults);
	EXPECT_LT(100, seen.counted);
	EXPECT_EQ(0, seen.status);
}

TEST_F(rule, superlocked_before_the_first_instruction)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_rule_row row;
	struct seen seen;

	ADD(rule);
	EXPECT_LT(0, rule.out_id);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_NO_FAULT(seen);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(1, row.matched);
	EXPECT_EQ(0, row.failed);
	EXPECT_EQ(0, row.missed);
	DEL(rule);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
}

TEST_F(rule, locked_movable_before_the_first_instruction)
{
	struct memlockd_rule rule = for_program(first_fd, MEMLOCKD_RULE_EXEC, L, LIKE_MLOCKALL);
	struct child child;
	struct first first;

	ADD(rule);
	ASSERT_TRUE(child_start(&child, first_path, "wait", plain_exec, NULL));
	child_go(&child);
	ASSERT_TRUE(child_says(&child, &first));
	printf("# %d faults\n", first.faults);
	/* Its stack grows by as much as it uses. */
	EXPECT_GE(FIRST_BYTES / (int)PAGE + 2, first.faults);
	EXPECT_EQ(L, state_of(self->fd, child.pid));
	EXPECT_EQ(vmas_locked(child.pid), status_bytes(child.pid, "VmLck"));
	EXPECT_EQ(0, child_end(&child));
	DEL(rule);
}

TEST_F(rule, program_of_32_bits)
{
	struct memlockd_rule rule = for_program(first32_fd, MEMLOCKD_RULE_EXEC, S, CURRENT_FUTURE);
	struct seen seen;

	if (first32_fd < 0)
		SKIP(return, "first32 was not built: the compiler makes no 32-bit x86 programs");
	ADD(rule);
	seen = run(first32_path, NULL, plain_exec, NULL);
	EXPECT_NO_FAULT(seen);
	DEL(rule);
}

TEST_F(rule, proc_self_exe)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_rule_row row;
	struct seen seen;

	ADD(rule);
	seen = run(first_path, "again", plain_exec, NULL);
	EXPECT_NO_FAULT(seen);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(2, row.matched);
	DEL(rule);
}

static void script_exec(char *const *argv)
{
	char name[] = "/tmp/rule_test.XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || dprintf(fd, "#!%s\n", argv[0]) < 0 || fchmod(fd, 0700))
		_exit(97);
	close(fd);
	execl(name, name, NULL);
}

TEST_F(rule, script_runs_its_interpreter)
{
	check_no_fault(_metadata, self, script_exec);
}

static void fexecve_exec(char *const *argv)
{
	fexecve(first_fd, argv, environ);
}

TEST_F(rule, fexecve)
{
	check_no_fault(_metadata, self, fexecve_exec);
}

static void *thread_main(void *argv)
{
	plain_exec(argv);
	_exit(96);
}

/* Threads that exec ends. */
static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void thread_exec(char *const *argv)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wait_for_ever, NULL);
	pthread_create(&thread, NULL, thread_main, (void *)argv);
	pthread_join(thread, NULL);
}

TEST_F(rule, exec_by_a_thread)
{
	check_no_fault(_metadata, self, thread_exec);
}

/* The child takes the place of this one for who waits. */
static void wait_for(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 95);
}

static void vfork_exec(char *const *argv)
{
	pid_t pid = vfork();

	if (!pid) {
		execv(argv[-1], argv);
		_exit(94);
	}
	wait_for(pid);
}

static void spawn_exec(char *const *argv)
{
	pid_t pid;

	if (posix_spawn(&pid, argv[-1], NULL, NULL, argv, environ))
		_exit(93);
	wait_for(pid);
}

TEST_F(rule, vfork_and_posix_spawn)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	ADD(rule);
	/* The counter is switched on by execve of who opened it, and does not see these. */
	seen = run(first_path, NULL, vfork_exec, NULL);
	EXPECT_EQ(0, seen.first.faults);
	EXPECT_EQ(0, seen.status);
	seen = run(first_path, NULL, spawn_exec, NULL);
	EXPECT_EQ(0, seen.first.faults);
	EXPECT_EQ(0, seen.status);
	DEL(rule);
}

/* In a PID namespace of its own, and a user namespace where it has no user. */
static void container_exec(char *const *argv)
{
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
		_exit(92);
	pid = fork();
	if (!pid) {
		plain_exec(argv);
		_exit(91);
	}
	wait_for(pid);
}

static void limit_all(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &limit);
}

TEST_F(rule, container)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	ADD(rule);
	seen = run(first_path, NULL, container_exec, limit_all);
	if (WEXITSTATUS(seen.status) == 92)
		SKIP(goto out, "no user namespaces");
	EXPECT_EQ(0, seen.first.faults);
	EXPECT_EQ(0, seen.status);
out:
	DEL(rule);
}

static void become_fifo(void)
{
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 10 });
}

static void become_deadline(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {
		.size = 48,
		.policy = 6,		/* SCHED_DEADLINE */
		.runtime = 1000000,
		.deadline = 10000000,
		.period = 10000000,
	};

	if (syscall(SYS_sched_setattr, 0, &attr, 0))
		_exit(90);
}

TEST_F(rule, realtime_classes)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	ADD(rule);
	seen = run(first_path, NULL, plain_exec, become_fifo);
	EXPECT_NO_FAULT(seen);
	seen = run(first_path, NULL, plain_exec, become_deadline);
	if (WEXITSTATUS(seen.status) != 90)
		EXPECT_NO_FAULT(seen);
	DEL(rule);
}

/* A signal that stops it comes while it is in execve(2), or before. */
TEST_F(rule, signal_is_pending)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_rule_row row;
	struct child child;
	struct first first;
	int i, status;

	ADD(rule);
	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(child_start(&child, first_path, NULL, plain_exec, NULL));
		child_go(&child);
		for (status = 0; status < i * 20; status++)
			sched_yield();
		kill(child.pid, SIGSTOP);
		ASSERT_EQ(child.pid, waitpid(child.pid, &status, WUNTRACED));
		kill(child.pid, SIGCONT);
		ASSERT_TRUE(child_says(&child, &first));
		EXPECT_EQ(0, first.faults);
		EXPECT_EQ(0, faults_counted(child.perf));
		if (WIFSTOPPED(status))
			EXPECT_EQ(0, child_end(&child));
	}
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(20, row.matched);
	EXPECT_EQ(0, row.failed);
	DEL(rule);
}

TEST_F(rule, child_before_its_first_instruction)
{
	struct memlockd_rule rule = for_program(first_fd, MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK,
						S, CURRENT_FUTURE);
	struct memlockd_rule_row row;
	struct seen seen;

	/* Neither the child nor the parent may fault, nor the parent after it. */
	ADD(rule);
	seen = run(first_path, "fork", plain_exec, NULL);
	EXPECT_NO_FAULT(seen);
	EXPECT_EQ(0, seen.first.child);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(2, row.matched);
	EXPECT_EQ(0, row.failed);
	DEL(rule);

	/* Of a parent without a lock, whose pages fork(2) does not copy at once. */
	seen = run(first_path, "fork", plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	EXPECT_LT(100, seen.first.child);
	rule = for_program(first_fd, MEMLOCKD_RULE_FORK, S, CURRENT_FUTURE);
	ADD(rule);
	seen = run(first_path, "fork", plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	EXPECT_EQ(0, seen.first.child);
	DEL(rule);
}

TEST_F(rule, is_for_one_program_only)
{
	struct memlockd_rule rule = superlock_first();
	char cat[] = "/bin/cat";
	struct child child;

	ADD(rule);
	ASSERT_TRUE(child_start(&child, cat, NULL, plain_exec, NULL));
	child_go(&child);
	ASSERT_EQ(1, write(child.in, "x", 1));
	ASSERT_EQ(1, read(child.out, &cat[0], 1));
	EXPECT_EQ(U, state_of(self->fd, child.pid));
	child_end(&child);
	DEL(rule);
}

static void become_nobody(void)
{
	limit_all();
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		_exit(89);
	/* The counter and the pipes are open already; it dies with the test again. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

TEST_F(rule, is_for_one_user_only)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	rule.match |= MEMLOCKD_MATCH_USER;
	rule.uid = NOBODY;
	ADD(rule);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	seen = run(first_path, NULL, plain_exec, become_nobody);
	if (seen.first.faults < 0)
		SKIP(goto out, "nobody may not run first");
	EXPECT_EQ(0, seen.first.faults);
out:
	DEL(rule);
}

#define CGROUP	"/sys/fs/cgroup/rule_test"

static void enter_cgroup(void)
{
	write_number(CGROUP "/below/cgroup.procs", getpid());
}

TEST_F(rule, is_for_one_cgroup_and_those_below)
{
	struct memlockd_rule rule = {
		.match = MEMLOCKD_MATCH_CGROUP,
		.events = MEMLOCKD_RULE_EXEC,
		.state = S,
		.lock_flags = CURRENT_FUTURE,
	};
	struct memlockd_rule_row row;
	struct seen seen;
	struct stat stat;

	if (mkdir(CGROUP, 0755) || mkdir(CGROUP "/below", 0755))
		SKIP(return, "no cgroup2 file system at /sys/fs/cgroup");
	rule.cgroup = open(CGROUP, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fstat(rule.cgroup, &stat));
	ADD(rule);
	close(rule.cgroup);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	seen = run(first_path, NULL, plain_exec, enter_cgroup);
	EXPECT_NO_FAULT(seen);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(1, row.matched);
	EXPECT_EQ(stat.st_ino, row.cgroup);
	DEL(rule);
	EXPECT_EQ(0, rmdir(CGROUP "/below"));
	EXPECT_EQ(0, rmdir(CGROUP));
}

TEST_F(rule, is_for_all)
{
	struct memlockd_rule rule = {
		.events = MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK,
		.state = S,
		.lock_flags = CURRENT_FUTURE,
	};
	struct seen seen;

	ADD(rule);
	seen = run(first_path, "fork", plain_exec, NULL);
	DEL(rule);
	EXPECT_NO_FAULT(seen);
	EXPECT_EQ(0, seen.first.child);
}

TEST_F(rule, the_first_one_wins)
{
	struct memlockd_rule rule = superlock_first(), exception = rule;
	struct memlockd_rule_row row;
	struct seen seen;

	exception.priority = -1;
	exception.state = U;
	exception.lock_flags = 0;
	ADD(rule);
	ADD(exception);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(0, row.matched);
	ASSERT_TRUE(rule_row(self->fd, exception.out_id, &row));
	EXPECT_EQ(1, row.matched);
	EXPECT_EQ(-1, row.priority);
	DEL(exception);
	/* Of two with the same priority the older one. */
	exception.priority = 0;
	ADD(exception);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_NO_FAULT(seen);
	DEL(exception);
	DEL(rule);
}

TEST_F(rule, holds_its_locks_and_takes_them_along)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_holder *rows;
	struct child child;
	struct first first;
	long i, nr, found = 0;

	ADD(rule);
	ASSERT_TRUE(child_start(&child, first_path, "wait", plain_exec, NULL));
	child_go(&child);
	ASSERT_TRUE(child_says(&child, &first));
	EXPECT_EQ(S, state_of(self->fd, child.pid));
	nr = list_all(self->fd, 16, &rows);
	for (i = 0; i < nr; i++) {
		if (rows[i].target != child.pid)
			continue;
		found++;
		EXPECT_EQ(MEMLOCKD_HOLDER_RULE, rows[i].kind);
		EXPECT_EQ(rule.out_id, rows[i].rule);
		EXPECT_EQ(getpid(), rows[i].pid);
		EXPECT_EQ(S, rows[i].state);
		EXPECT_EQ(CURRENT_FUTURE, rows[i].flags);
	}
	EXPECT_EQ(1, found);
	free(rows);
	/* It is nobody else's to give up. */
	EXPECT_EQ(-EPERM, unlock_pid(self->fd, child.pid));
	DEL(rule);
	EXPECT_EQ(U, state_of(self->fd, child.pid));
	EXPECT_EQ(0, status_bytes(child.pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(child.pid, "VmPin"));
	EXPECT_EQ(-ENOENT, rule_del(self->fd, rule.out_id));
	EXPECT_EQ(0, child_end(&child));
}

TEST_F(rule, other_holders_stay)
{
	struct memlockd_rule rule = superlock_first();
	struct child child;
	struct first first;

	ADD(rule);
	ASSERT_TRUE(child_start(&child, first_path, "wait", plain_exec, NULL));
	child_go(&child);
	ASSERT_TRUE(child_says(&child, &first));
	EXPECT_EQ(0, lock_pid(self->fd, child.pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(S, state_of(self->fd, child.pid));
	DEL(rule);
	EXPECT_EQ(L, state_of(self->fd, child.pid));
	EXPECT_EQ(0, child_end(&child));
}

TEST_F(rule, owned_goes_with_its_file)
{
	struct memlockd_rule rule = superlock_first();
	int fd = device_open();
	struct child child;
	struct first first;

	rule.flags = MEMLOCKD_RULE_OWNED;
	ASSERT_EQ(0, rule_add(fd, &rule));
	ASSERT_TRUE(child_start(&child, first_path, "wait", plain_exec, NULL));
	child_go(&child);
	ASSERT_TRUE(child_says(&child, &first));
	EXPECT_EQ(S, state_of(self->fd, child.pid));
	close(fd);
	EXPECT_EQ(U, state_of(self->fd, child.pid));
	EXPECT_EQ(-ENOENT, rule_del(self->fd, rule.out_id));
	EXPECT_EQ(0, child_end(&child));
}

TEST_F(rule, now_is_for_what_runs_already)
{
	struct memlockd_rule rule = for_program(first_fd, MEMLOCKD_RULE_NOW, S, CURRENT_FUTURE);
	struct child child[3];
	struct first first;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(child_start(&child[i], first_path, "wait", plain_exec, NULL));
		child_go(&child[i]);
		ASSERT_TRUE(child_says(&child[i], &first));
	}
	ADD(rule);
	EXPECT_EQ(3, rule.out_matched);
	EXPECT_EQ(0, rule.out_failed);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(S, state_of(self->fd, child[i].pid));
	DEL(rule);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(U, state_of(self->fd, child[i].pid));
		EXPECT_EQ(0, child_end(&child[i]));
	}
}

/* So many processes run first until @go is closed; they say what they have seen in @said. */
struct crowd {
	int go, said;
	int nr;
	pid_t *pids;
};

static bool crowd_start(struct crowd *crowd, int nr)
{
	char *const argv[] = { first_path, (char *)"wait", NULL };
	posix_spawn_file_actions_t actions;
	int go[2], said[2];
	struct first first;

	crowd->nr = 0;
	crowd->pids = calloc(nr, sizeof(*crowd->pids));
	if (!crowd->pids || pipe2(go, O_CLOEXEC) || pipe2(said, O_CLOEXEC))
		return false;
	crowd->go = go[1];
	crowd->said = said[0];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, go[0], 0);
	posix_spawn_file_actions_adddup2(&actions, said[1], 1);
	while (crowd->nr < nr && !posix_spawn(&crowd->pids[crowd->nr], first_path, &actions, NULL,
					      argv, NULL) &&
	       read(crowd->said, &first, sizeof(first)) == sizeof(first))
		crowd->nr++;
	posix_spawn_file_actions_destroy(&actions);
	close(go[0]);
	close(said[1]);
	return crowd->nr == nr;
}

static void crowd_end(struct crowd *crowd)
{
	close(crowd->go);
	while (crowd->nr)
		waitpid(crowd->pids[--crowd->nr], NULL, 0);
	close(crowd->said);
	free(crowd->pids);
}

static unsigned int locked_processes(int fd)
{
	struct memlockd_info info = { .size = sizeof(info) };

	return device_call(fd, MEMLOCKD_IOC_INFO, &info) ? 0 : info.out_locked_processes;
}

/* Processes that have ended are locked until the driver has let go of them, which it does. */
static unsigned int locked_in_the_end(int fd, unsigned int expected)
{
	unsigned int tries, locked = locked_processes(fd);

	for (tries = 0; locked != expected && tries < 3000; tries++) {
		usleep(10000);
		locked = locked_processes(fd);
	}
	return locked;
}

/* Adds @rule in a process of its own; what becomes of that is its exit status. */
static pid_t add_elsewhere(struct memlockd_rule *rule)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(rule_add(device_open(), rule) ? 1 : 0);
	return pid;
}

/*
 * However many processes there are, nobody waits until they are locked: other rules can be looked
 * at, this one is obeyed, and who adds it can be killed, which takes it away again.
 */
TEST_F(rule, now_is_for_many_processes)
{
	struct memlockd_rule rule = for_program(first_fd, MEMLOCKD_RULE_NOW | MEMLOCKD_RULE_EXEC,
						S, CURRENT_FUTURE);
	const char *env = getenv("MEMLOCKD_PROCESSES");
	int nr = env ? atoi(env) : 200, tries = 0, status, meanwhile;
	unsigned int before = locked_processes(self->fd), locked;
	struct memlockd_rule_row row;
	struct timespec start, end;
	struct crowd crowd;
	struct child child;
	struct first first;
	pid_t pid;

	/* As much as first needs, and not more: there are many of them. */
	rule.stack_reserve = FIRST_BYTES + 64 * KIB;
	ASSERT_TRUE(crowd_start(&crowd, nr));

	/* Where the machine is busy, all of them may be locked before it is killed. */
	do {
		EXPECT_LE(0, rules_clear(self->fd));
		pid = add_elsewhere(&rule);
		do {
			locked = locked_processes(self->fd) - before;
		} while (!locked && !waitpid(pid, &status, WNOHANG));
		EXPECT_EQ(1, rules_read(self->fd, &row, 1));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	} while (!WIFSIGNALED(status) && ++tries < 20);
	TH_LOG("killed when %u of %d processes had been locked, try %d", locked, nr, tries + 1);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, rules_read(self->fd, &row, 1));
	EXPECT_EQ(before, locked_in_the_end(self->fd, before));

	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = add_elsewhere(&rule);
	for (meanwhile = 0; !waitpid(pid, &status, WNOHANG); meanwhile++) {
		if (rules_read(self->fd, &row, 1) != 1)
			continue;
		EXPECT_TRUE(child_start(&child, first_path, "wait", plain_exec, NULL));
		child_go(&child);
		EXPECT_TRUE(child_says(&child, &first));
		EXPECT_EQ(0, first.faults) {
			print_fault(self->fd, child.pid);
		}
		EXPECT_EQ(0, child_end(&child));
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	TH_LOG("%d processes in %.1f s, others were let in %d times", nr,
	       end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9, meanwhile);
	EXPECT_EQ(0, status);
	EXPECT_EQ(before + nr, locked_in_the_end(self->fd, before + nr));
	EXPECT_EQ(1, rules_read(self->fd, &row, 1));
	EXPECT_EQ(0, row.failed);
	EXPECT_EQ(1, rules_clear(self->fd));
	EXPECT_EQ(before, locked_in_the_end(self->fd, before));
	crowd_end(&crowd);
}

/* Without CAP_IPC_LOCK the limit holds. */
static void become_limited(void)
{
	struct rlimit limit = { 64 * KIB, 64 * KIB };

	become_nobody();
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

TEST_F(rule, over_the_limit_it_goes_on_or_is_killed)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_rule_row row;
	struct seen seen;

	ADD(rule);
	seen = run(first_path, NULL, plain_exec, become_limited);
	if (WEXITSTATUS(seen.status) == 98)
		SKIP(goto out, "nobody may not run first");
	EXPECT_LT(100, seen.first.faults);
	EXPECT_EQ(0, seen.status);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(1, row.matched);
	EXPECT_EQ(1, row.failed);
	EXPECT_EQ(ENOMEM, row.last_error);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, row.last_limit);
	DEL(rule);

	rule = superlock_first();
	rule.flags = MEMLOCKD_RULE_KILL;
	ADD(rule);
	seen = run(first_path, NULL, plain_exec, become_limited);
	EXPECT_TRUE(WIFSIGNALED(seen.status));
	EXPECT_EQ(SIGKILL, WTERMSIG(seen.status));
	/* It did not get anywhere. */
	EXPECT_EQ(-1, seen.first.faults);
	EXPECT_EQ(0, seen.counted);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(1, row.failed);
out:
	DEL(rule);
}

TEST_F(rule, over_max_wired_it_goes_on)
{
	struct memlockd_rule rule = superlock_first();
	long max_wired = read_number(KNOB("max_wired"));
	struct memlockd_rule_row row;
	struct seen seen;

	ASSERT_LT(0, max_wired);
	ADD(rule);
	ASSERT_TRUE(write_number(KNOB("max_wired"), 1));
	seen = run(first_path, NULL, plain_exec, NULL);
	ASSERT_TRUE(write_number(KNOB("max_wired"), max_wired));
	EXPECT_LT(100, seen.first.faults);
	EXPECT_EQ(0, seen.status);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(1, row.matched);
	EXPECT_EQ(1, row.failed);
	EXPECT_EQ(ENOMEM, row.last_error);
	EXPECT_EQ(MEMLOCKD_LIMIT_MAX_WIRED, row.last_limit);
	DEL(rule);
}

/* What would lock later mappings is switched off. */
TEST_F(rule, without_the_probes_that_it_needs_it_goes_on)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_rule_row row;
	struct seen seen;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	rule.lock_flags |= MEMLOCKD_NEED_PROBES;
	ADD(rule);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_NO_FAULT(seen);
	if (!write_number(KPROBES "enabled", 0))
		SKIP(goto out, "kprobes cannot be switched off here");
	seen = run(first_path, NULL, plain_exec, NULL);
	ASSERT_TRUE(write_number(KPROBES "enabled", 1));
	EXPECT_LT(100, seen.first.faults);
	EXPECT_EQ(0, seen.status);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(2, row.matched);
	EXPECT_EQ(1, row.failed);
	EXPECT_EQ(EOPNOTSUPP, row.last_error);
	EXPECT_EQ(MEMLOCKD_LIMIT_NONE, row.last_limit);
out:
	DEL(rule);
}

static long add_killing(long fd, long b, long c)
{
	struct memlockd_rule rule = superlock_first();

	rule.flags = MEMLOCKD_RULE_KILL;
	return rule_add(fd, &rule);
}

static long do_rules_read(long fd, long b, long c)
{
	struct memlockd_rule_row row;

	return rules_read(fd, &row, 1);
}

static long do_rule_del(long fd, long id, long c)
{
	return rule_del(fd, id);
}

/* What @fn returns to who has all capabilities but one. */
static long without(struct __test_metadata *_metadata, int fd, int cap,
		    long (*fn)(long, long, long), long id)
{
	struct target target;
	long ret;

	target_start_with(&target, fd);
	EXPECT_EQ(0, target_call(&target, do_drop_cap, cap, 0, 0));
	ret = target_call(&target, fn, fd, id, 0);
	target_stop(&target);
	return ret;
}

TEST_F(rule, needs_privilege)
{
	struct memlockd_rule rule = superlock_first();

	EXPECT_EQ(-EPERM, without(_metadata, self->fd, CAP_IPC_LOCK, add_killing, 0));
	EXPECT_EQ(-EPERM, without(_metadata, self->fd, CAP_SYS_PTRACE, add_killing, 0));
	EXPECT_EQ(-EPERM, without(_metadata, self->fd, CAP_KILL, add_killing, 0));
	ADD(rule);
	EXPECT_EQ(-EPERM, without(_metadata, self->fd, CAP_IPC_LOCK, do_rule_del, rule.out_id));
	EXPECT_EQ(-EPERM, without(_metadata, self->fd, CAP_SYS_PTRACE, do_rule_del,
				  rule.out_id));
	EXPECT_EQ(0, without(_metadata, self->fd, CAP_KILL, do_rule_del, rule.out_id));
	EXPECT_EQ(-ENOENT, rule_del(self->fd, rule.out_id));
}

static long drop_both_and_read(long fd, long b, long c)
{
	return do_drop_cap(CAP_SYS_PTRACE, 0, 0) ?: do_rules_read(fd, 0, 0);
}

TEST_F(rule, one_capability_is_enough_to_see_them)
{
	struct memlockd_rule rule = superlock_first();

	ADD(rule);
	EXPECT_EQ(1, without(_metadata, self->fd, CAP_IPC_LOCK, do_rules_read, 0));
	EXPECT_EQ(1, without(_metadata, self->fd, CAP_SYS_PTRACE, do_rules_read, 0));
	EXPECT_EQ(-EPERM, without(_metadata, self->fd, CAP_IPC_LOCK, drop_both_and_read, 0));
	DEL(rule);
}

/* ---- events ---- */

static int subscribe_rules(int fd)
{
	struct memlockd_subscribe arg = {
		.size = sizeof(arg),
		.flags = MEMLOCKD_SUBSCRIBE_ALL,
		.kinds = MEMLOCKD_EVENT_RULE_MATCHED | MEMLOCKD_EVENT_RULE_FAILED,
		.event_size = sizeof(struct memlockd_event),
	};

	return device_call(fd, MEMLOCKD_IOC_SUBSCRIBE, &arg);
}

TEST_F(rule, tells_of_it)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_event e[4];
	struct child child;
	struct first first;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, subscribe_rules(self->fd));
	ADD(rule);
	ASSERT_TRUE(child_start(&child, first_path, NULL, plain_exec, NULL));
	child_go(&child);
	ASSERT_TRUE(child_says(&child, &first));
	EXPECT_EQ(0, child_end(&child));
	ASSERT_EQ(sizeof(e[0]), read(self->fd, e, sizeof(e)));
	EXPECT_EQ(MEMLOCKD_EVENT_RULE_MATCHED, e[0].kind);
	EXPECT_EQ(child.pid, e[0].pid);
	EXPECT_EQ(rule.out_id, e[0].count);
	EXPECT_EQ(S, e[0].state);
	EXPECT_EQ(CURRENT_FUTURE, e[0].flags);
	EXPECT_EQ(0, e[0].tid);
	EXPECT_NE(0, e[0].time_ns);

	/* It cannot be obeyed. */
	ASSERT_TRUE(child_start(&child, first_path, NULL, plain_exec, become_limited));
	child_go(&child);
	if (!child_says(&child, &first))
		SKIP(goto out, "nobody may not run first");
	EXPECT_LT(100, first.faults);
	ASSERT_EQ(2 * sizeof(e[0]), read(self->fd, e, sizeof(e)));
	EXPECT_EQ(MEMLOCKD_EVENT_RULE_MATCHED, e[0].kind);
	EXPECT_EQ(MEMLOCKD_EVENT_RULE_FAILED, e[1].kind);
	EXPECT_EQ(child.pid, e[1].pid);
	EXPECT_EQ(rule.out_id, e[1].count);
	EXPECT_EQ(ENOMEM, e[1].flags);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, e[1].limit);
	EXPECT_EQ(0, e[1].state);
out:
	child_end(&child);
	DEL(rule);
}

/* ---- a thread that becomes realtime, a process that gets I/O privileges ---- */

/* For this program, of which the targets are. */
static struct memlockd_rule superlock_us(unsigned int events)
{
	struct memlockd_rule rule = for_program(open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
						events, S, CURRENT_FUTURE);

	rule.stack_reserve = MEMLOCKD_STACK_RESERVE_NONE;
	return rule;
}

/* What was open before the rule; -1: nothing. */
static int mem_fd = -1;

static long set_scheduler(long pid, long policy, long c)
{
	struct sched_param param = { .sched_priority = policy == SCHED_OTHER ? 0 : 10 };

	return sched_setscheduler(pid, policy, &param) ? -errno : 0;
}

static long set_deadline(long a, long b, long c)
{
	become_deadline();
	return 0;
}

static void *fifo_thread(void *arg)
{
	*(long *)arg = set_scheduler(0, SCHED_FIFO, 0);
	return NULL;
}

static long set_thread(long a, long b, long c)
{
	pthread_t thread;
	long err = -EAGAIN;

	if (!pthread_create(&thread, NULL, fifo_thread, &err))
		pthread_join(thread, NULL);
	return err;
}

static long set_refused(long a, long b, long c)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_RTPRIO, &none);
	return do_setuid(NOBODY, 0, 0) ?: set_scheduler(0, SCHED_FIFO, 0);
}

#define EXPECT_STATE(wanted, wanted_ret, fn, a, b)			\
	do {								\
		struct target t;					\
									\
		target_start_with(&t, mem_fd);				\
		EXPECT_EQ(U, state_of(self->fd, t.pid));		\
		EXPECT_EQ(wanted_ret, target_call(&t, fn, a, b, 0));	\
		EXPECT_EQ(wanted, state_of(self->fd, t.pid));		\
		target_stop(&t);					\
	} while (0)

TEST_F(rule, who_becomes_realtime_is_locked)
{
	struct memlockd_rule rule = superlock_us(MEMLOCKD_RULE_SETSCHEDULER);
	struct memlockd_rule_row row;
	struct target t;

	ADD(rule);
	EXPECT_STATE(S, 0, set_scheduler, 0, SCHED_FIFO);
	EXPECT_STATE(S, 0, set_scheduler, 0, SCHED_RR);
	EXPECT_STATE(S, 0, set_deadline, 0, 0);
	EXPECT_STATE(S, 0, set_thread, 0, 0);
	EXPECT_STATE(U, 0, set_scheduler, 0, SCHED_OTHER);
	EXPECT_STATE(U, -EPERM, set_refused, 0, 0);
	/* Somebody else does it. */
	target_start(&t);
	EXPECT_EQ(0, set_scheduler(t.pid, SCHED_FIFO, 0));
	EXPECT_EQ(S, state_of(self->fd, t.pid));
	target_stop(&t);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(5, row.matched);
	EXPECT_EQ(0, row.failed);
	EXPECT_EQ(0, row.missed);
	DEL(rule);
	EXPECT_STATE(U, 0, set_scheduler, 0, SCHED_FIFO);
}

TEST_F(rule, is_for_realtime_processes_only)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	rule.match |= MEMLOCKD_MATCH_REALTIME;
	ADD(rule);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	seen = run(first_path, NULL, plain_exec, become_fifo);
	EXPECT_NO_FAULT(seen);
	DEL(rule);
}

#ifdef __x86_64__
#include <sys/io.h>

static long get_ports(long a, long b, long c)
{
	return ioperm(0x80, 1, 1) ? -errno : 0;
}

static long get_level(long level, long b, long c)
{
	return iopl(level) ? -errno : 0;
}

static long get_ports_as_nobody(long a, long b, long c)
{
	return do_setuid(NOBODY, 0, 0) ?: get_ports(0, 0, 0);
}

static long open_mem(long a, long b, long c)
{
	return open("/dev/mem", O_RDONLY | O_CLOEXEC) < 0 ? -errno : 0;
}

static long map_mem(long a, long b, long c)
{
	/* The BIOS, which may be looked at. */
	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, mem_fd, 0xf0000) == MAP_FAILED ? -errno : 0;
}

TEST_F(rule, who_gets_io_privileges_is_locked)
{
	struct memlockd_rule rule = superlock_us(MEMLOCKD_RULE_IO);
	struct memlockd_rule_row row;
	int err;

	mem_fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	err = rule_add(self->fd, &rule);
	if (err == -EOPNOTSUPP)
		SKIP(return, "this kernel is built without CONFIG_SECURITY");
	ASSERT_EQ(0, err);
	EXPECT_STATE(S, 0, get_ports, 0, 0);
	EXPECT_STATE(S, 0, get_level, 3, 0);
	EXPECT_STATE(U, 0, get_level, 0, 0);
	EXPECT_STATE(U, -EPERM, get_ports_as_nobody, 0, 0);
	if (mem_fd >= 0) {
		EXPECT_STATE(S, 0, open_mem, 0, 0);
		EXPECT_STATE(S, 0, map_mem, 0, 0);
		close(mem_fd);
		mem_fd = -1;
	}
	EXPECT_STATE(U, 0, do_nothing, 0, 0);
	ASSERT_TRUE(rule_row(self->fd, rule.out_id, &row));
	EXPECT_EQ(0, row.failed);
	DEL(rule);
}

static void become_io(void)
{
	ioperm(0x80, 1, 1);
}

TEST_F(rule, is_for_who_may_access_ports_only)
{
	struct memlockd_rule rule = superlock_first();
	struct seen seen;

	rule.match |= MEMLOCKD_MATCH_IO;
	ADD(rule);
	seen = run(first_path, NULL, plain_exec, NULL);
	EXPECT_LT(100, seen.first.faults);
	seen = run(first_path, NULL, plain_exec, become_io);
	EXPECT_NO_FAULT(seen);
	DEL(rule);
}
#endif

TEST_F(rule, default_state_is_the_last_rule)
{
	struct memlockd_rule rule = superlock_first();
	struct memlockd_rule_row rows[8];
	struct child child;
	struct first first;
	struct target t;

	target_start(&t);
	ASSERT_EQ(0, read_number(KNOB("default_state")));
	EXPECT_FALSE(write_number(KNOB("default_state"), 3));
	ASSERT_TRUE(write_number(KNOB("default_state"), 1));
	EXPECT_EQ(L, state_of(self->fd, t.pid));
	EXPECT_EQ(U, state_of(self->fd, 1));
	/* A rule that is added later comes before it. */
	rule.priority = INT_MAX;
	ADD(rule);
	ASSERT_TRUE(child_start(&child, first_path, "wait", plain_exec, NULL));
	child_go(&child);
	ASSERT_TRUE(child_says(&child, &first));
	EXPECT_EQ(0, first.faults);
	EXPECT_EQ(S, state_of(self->fd, child.pid));
	EXPECT_EQ(0, child_end(&child));
	DEL(rule);
	ASSERT_EQ(1, rules_read(self->fd, rows, ARRAY_SIZE(rows)));
	EXPECT_EQ(MEMLOCKD_RULE_DEFAULT, rows[0].flags);
	EXPECT_EQ(-EPERM, rule_del(self->fd, rows[0].id));
	ASSERT_TRUE(write_number(KNOB("default_state"), 2));
	EXPECT_EQ(2, read_number(KNOB("default_state")));
	EXPECT_EQ(S, state_of(self->fd, t.pid));
	ASSERT_EQ(1, rules_read(self->fd, rows, ARRAY_SIZE(rows)));
	printf("# matched %llu, failed %llu\n", (unsigned long long)rows[0].matched,
	       (unsigned long long)rows[0].failed);
	ASSERT_TRUE(write_number(KNOB("default_state"), 0));
	EXPECT_EQ(0, rules_read(self->fd, rows, ARRAY_SIZE(rows)));
	EXPECT_EQ(U, state_of(self->fd, t.pid));
	target_stop(&t);
}

#define EXPECT_INVALID(field, value)					\
	do {								\
		struct memlockd_rule bad = superlock_first();		\
									\
		bad.field = (value);					\
		EXPECT_EQ(-EINVAL, rule_add(self->fd, &bad));		\
		if (!bad.out_id)					\
			break;						\
		rule_del(self->fd, bad.out_id);				\
	} while (0)

TEST_F(rule, wrong_arguments)
{
	struct memlockd_rule rule;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	EXPECT_INVALID(flags, 1U << 31);
	EXPECT_INVALID(match, 1U << 31);
	EXPECT_INVALID(events, 0);
	EXPECT_INVALID(events, 1U << 31);
	EXPECT_INVALID(state, 3);
	EXPECT_INVALID(state, U);
	EXPECT_INVALID(lock_flags, 0);
	EXPECT_INVALID(lock_flags, CURRENT_FUTURE | MEMLOCKD_OWNED);
	EXPECT_INVALID(lock_flags, LIKE_MLOCKALL);
	EXPECT_INVALID(cgroup, 1);
	EXPECT_INVALID(uid, 1);
	EXPECT_INVALID(match, 0);
	EXPECT_INVALID(executable, null);
	rule = superlock_first();
	rule.executable = 9999;
	EXPECT_EQ(-EBADF, rule_add(self->fd, &rule));
	rule = superlock_first();
	rule.match |= MEMLOCKD_MATCH_CGROUP;
	rule.cgroup = null;
	EXPECT_EQ(-EINVAL, rule_add(self->fd, &rule));
	rule.cgroup = 9999;
	EXPECT_EQ(-EBADF, rule_add(self->fd, &rule));
	EXPECT_EQ(-ENOENT, rule_del(self->fd, 0));
	close(null);
}

TEST_F(rule, as_many_as_there_can_be)
{
	static struct memlockd_rule_row rows[MEMLOCKD_MAX_RULES];
	struct memlockd_rule rule = superlock_first();
	int i;

	for (i = 0; i < MEMLOCKD_MAX_RULES; i++)
		ADD(rule);
	EXPECT_EQ(-EDQUOT, rule_add(self->fd, &rule));
	EXPECT_EQ(MEMLOCKD_MAX_RULES, rules_read(self->fd, rows, MEMLOCKD_MAX_RULES));
	for (i = 0; i < MEMLOCKD_MAX_RULES; i++)
		EXPECT_EQ(0, rule_del(self->fd, rows[i].id));
}

TEST_F(rule, keeps_the_module_loaded)
{
	struct memlockd_rule rule = superlock_first();

	ADD(rule);
	close(self->fd);
	EXPECT_GT(0, module_unload());
	self->fd = device_open();
	DEL(rule);
}

/* Rules come and go while programs begin: each of these is locked in time, or not at all. */
TEST_F(rule, comes_and_goes)
{
	struct memlockd_rule rule = superlock_first();
	struct child child[8];
	struct first first;
	int round, i;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < 8; i++)
			ASSERT_TRUE(child_start(&child[i], first_path, NULL, plain_exec, NULL));
		for (i = 0; i < 4; i++)
			child_go(&child[i]);
		ADD(rule);
		for (i = 4; i < 8; i++)
			child_go(&child[i]);
		DEL(rule);
		for (i = 0; i < 8; i++) {
			EXPECT_TRUE(child_says(&child[i], &first));
			EXPECT_EQ(0, child_end(&child[i]));
		}
	}
}

int main(int argc, char **argv)
{
	need_device();
	/*
	 * The kernel patches its own text for the first counter of page faults, and for the end of
	 * the last one.  With one that stays it does so once, and not for each program.
	 */
	count_faults(getpid());
	return test_harness_run(argc, argv);
}
