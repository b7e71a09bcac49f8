// SPDX-License-Identifier: GPL-2.0-only
/*
 * A debugger at a locked process: it may stop it, write to its text and probe it,
 * as ever; and what it writes stays in the process.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>

#include "kselftest_harness.h"
#include "probe.h"

FIXTURE(debug)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(debug)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(debug)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* Nothing of a lock is left to the target itself to do. */
TEST_F(debug, stopped_process_is_locked_and_unlocked)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	siginfo_t info;
	long addr;

	addr = target_call(&self->target, do_map, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	kill(pid, SIGSTOP);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, &lock));
	EXPECT_EQ(64 * PAGE, present_bytes(pid, addr, addr + 64 * PAGE));
	EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
	kill(pid, SIGCONT);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, 64 * PAGE, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	kill(pid, SIGSTOP);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

TEST_F(debug, traced_process_is_locked_and_killed)
{
	pid_t pid = self->target.pid;
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(S, state_of(self->fd, pid));
}

/*
 * Memory of the target, as a debugger writes it: whatever the protection, which
 * newer kernels let nobody else do.
 */
static bool poke(pid_t pid, unsigned long addr, char value)
{
	char path[32];
	bool good;
	int fd;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, 0) != pid)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	good = fd >= 0 && pwrite(fd, &value, 1, addr) == 1;
	close(fd);
	return !ptrace(PTRACE_DETACH, pid, NULL, NULL) && good;
}

static long do_peek(long addr, long b, long c)
{
	return *(volatile unsigned char *)addr;
}

static long map_file_read_only(long len, long fd, long c)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return addr == MAP_FAILED ? -errno : (long)addr;
}

/* A breakpoint in superlocked text, and what must never happen: that the file gets it. */
TEST_F(debug, writes_to_the_copy_and_never_to_the_file)
{
	unsigned long i, len = 16 * PAGE;
	char byte;
	long addr;
	pid_t pid;
	int file;

	file = disk_file(len);
	if (file < 0)
		SKIP(return, "no file on a disk: %s", strerror(errno));
	target_stop(&self->target);
	target_start_with(&self->target, file);
	pid = self->target.pid;
	addr = target_call(&self->target, map_file_read_only, len, file, 0);
	ASSERT_LT(0, addr);

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	ASSERT_TRUE(poke(pid, addr + PAGE, 0x11));
	EXPECT_EQ(0x11, target_call(&self->target, do_peek, addr + PAGE, 0, 0));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	ASSERT_TRUE(poke(pid, addr + 2 * PAGE, 0x22));
	EXPECT_EQ(0x22, target_call(&self->target, do_peek, addr + 2 * PAGE, 0, 0));
	EXPECT_EQ(0x11, target_call(&self->target, do_peek, addr + PAGE, 0, 0));
	for (i = 0; i < len; i += PAGE) {
		ASSERT_EQ(1, pread(file, &byte, 1, i));
		EXPECT_EQ(0, byte);
	}
	close(file);
}

/* "FILE EVENT HITS MISSED" */
static long uprobe_hits(void)
{
	FILE *file = fopen(TRACING "uprobe_profile", "re");
	char line[PATH_MAX + 128];
	long hits = -1;

	while (file && hits < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s probed %ld", &hits) != 1)
			hits = -1;
	}
	if (file)
		fclose(file);
	return hits;
}

TEST_F(debug, uprobe_in_superlocked_text)
{
	long hits;
	int i;

	ASSERT_EQ(2, target_call(&self->target, do_probed, 1, 0, 0));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	if (!probe_add())
		SKIP(return, "no uprobes here: %s", strerror(errno));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(probe_enable(true));
		drain_batches();
		EXPECT_EQ(3, target_call(&self->target, do_probed, 2, 0, 0));
		TH_LOG("probed: %ld faults", self->target.minflt + self->target.majflt);
		ASSERT_TRUE(probe_enable(false));
		drain_batches();
		EXPECT_EQ(4, target_call(&self->target, do_probed, 3, 0, 0));
		TH_LOG("no longer: %ld faults", self->target.minflt + self->target.majflt);
		/* The kernel has put other pages there: lock those, too. */
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
		EXPECT_EQ(5, target_call(&self->target, do_probed, 4, 0, 0));
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
		drain_batches();
	}
	hits = uprobe_hits();
	TH_LOG("%ld hits", hits);
	EXPECT_EQ(3, hits);
	/* And once more, to be unlocked as they are. */
	ASSERT_TRUE(probe_enable(true));
	ASSERT_TRUE(probe_enable(false));
	EXPECT_TRUE(probe_remove());
	EXPECT_EQ(5, target_call(&self->target, do_probed, 4, 0, 0));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmPin"));
	EXPECT_TRUE(counters_back(&self->start));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
