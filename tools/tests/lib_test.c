// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libmemlockd.h promises beyond what the driver does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libmemlockd.h>

#include "kselftest_harness.h"

/* For what hangs, on a busy machine. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

#define PAGE	((unsigned long)getpagesize())
#define S	MEMLOCKD_STATE_SUPERLOCKED
#define L	MEMLOCKD_STATE_LOCKED

FIXTURE(lib)
{
	struct memlockd *m;
	pid_t child;
};

FIXTURE_SETUP(lib)
{
	int err = memlockd_open(&self->m);

	if (err)
		SKIP(return, "%s", memlockd_error(self->m));
	self->child = fork();
	ASSERT_LE(0, self->child);
	if (!self->child) {
		pause();
		_exit(0);
	}
}

FIXTURE_TEARDOWN(lib)
{
	memlockd_close(self->m);
	kill(self->child, SIGKILL);
	waitpid(self->child, NULL, 0);
}

/* A line of /proc/PID/status, in bytes. */
static unsigned long status_bytes(pid_t pid, const char *field)
{
	char path[64], line[256], format[64];
	unsigned long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(format, sizeof(format), "%s: %%lu", field);
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, format, &kib) == 1)
			break;
	}
	fclose(file);
	return kib * 1024;
}

static int state_of(struct memlockd *m, struct memlockd_process process)
{
	struct memlockd_status status;
	int err = memlockd_read_status(m, process, &status, sizeof(status));

	return err ? err : (int)status.out_state;
}

TEST_F(lib, superlock_of_a_process_and_back)
{
	EXPECT_EQ(0, memlockd_superlock(self->m, memlockd_pid(self->child)));
	EXPECT_STREQ("", memlockd_error(self->m));
	EXPECT_EQ(S, state_of(self->m, memlockd_pid(self->child)));
	EXPECT_LT(0, status_bytes(self->child, "VmPin"));
	EXPECT_EQ(0, memlockd_unlock_process(self->m, memlockd_pid(self->child), 0));
	EXPECT_EQ(0, status_bytes(self->child, "VmLck"));
	EXPECT_EQ(-ENOENT, memlockd_unlock_process(self->m, memlockd_pid(self->child), 0));
	EXPECT_NE(NULL, strstr(memlockd_error(self->m), "is not locked"));
}

TEST_F(lib, superlock_of_oneself)
{
	EXPECT_EQ(0, memlockd_superlock(self->m, memlockd_self()));
	EXPECT_EQ(S, state_of(self->m, memlockd_pid(getpid())));
	EXPECT_EQ(0, memlockd_unlock_process(self->m, memlockd_self(), 0));
}

TEST_F(lib, pidfds_name_processes)
{
	int pidfd = syscall(SYS_pidfd_open, self->child, 0);
	char name[32];

	ASSERT_LE(0, pidfd);
	snprintf(name, sizeof(name), "(PID %d)", self->child);
	EXPECT_EQ(0, memlockd_superlock(self->m, memlockd_pidfd(pidfd)));
	EXPECT_EQ(S, state_of(self->m, memlockd_pid(self->child)));
	EXPECT_EQ(0, memlockd_unlock_process(self->m, memlockd_pidfd(pidfd), 0));
	EXPECT_EQ(-ENOENT, memlockd_unlock_process(self->m, memlockd_pidfd(pidfd), 0));
	/* The sentence has the process, not the descriptor. */
	EXPECT_NE(NULL, strstr(memlockd_error(self->m), name));
	kill(self->child, SIGKILL);
	waitpid(self->child, NULL, 0);
	EXPECT_EQ(-ESRCH, memlockd_superlock(self->m, memlockd_pidfd(pidfd)));
	EXPECT_STREQ("the process has ended", memlockd_error(self->m));
	EXPECT_EQ(-EBADF, memlockd_superlock(self->m, memlockd_pidfd(-1)));
	close(pidfd);
}

TEST_F(lib, files_of_proc_name_address_spaces)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", self->child);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, memlockd_superlock(self->m, memlockd_proc_mem(fd)))
		TH_LOG("%s", memlockd_error(self->m));
	EXPECT_EQ(S, state_of(self->m, memlockd_pid(self->child)));
	EXPECT_EQ(0, memlockd_unlock_process(self->m, memlockd_proc_mem(fd), 0));
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, memlockd_superlock(self->m, memlockd_proc_mem(fd)));
	close(fd);
}

TEST_F(lib, failed_lock_says_how_much_is_needed)
{
	struct memlockd_lock lock = { .state = S };
	struct rlimit limit = { 64 * 1024, 64 * 1024 };
	char sentence[128], byte;
	int ends[2];

	/* The limit does not hold a process with CAP_IPC_LOCK. */
	kill(self->child, SIGKILL);
	waitpid(self->child, NULL, 0);
	ASSERT_EQ(0, pipe(ends));
	self->child = fork();
	if (!self->child) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(65534) ||
		    write(ends[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	close(ends[1]);
	ASSERT_EQ(1, read(ends[0], &byte, 1));
	close(ends[0]);
	snprintf(sentence, sizeof(sentence), "(PID %d) needs ", self->child);
	EXPECT_EQ(-ENOMEM, memlockd_lock_process(self->m, memlockd_pid(self->child), &lock,
						 sizeof(lock)));
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
	EXPECT_EQ(65536, lock.out_allowed);
	EXPECT_LT(65536, lock.out_needed);
	TH_LOG("%s", memlockd_error(self->m));
	EXPECT_NE(NULL, strstr(memlockd_error(self->m), sentence));
	EXPECT_NE(NULL, strstr(memlockd_error(self->m), "its RLIMIT_MEMLOCK is 64 KiB"));
}

TEST_F(lib, limit_is_raised_and_restored)
{
	struct rlimit limit = { 1 << 20, 2 << 20 }, now;
	struct memlockd_memlock old;

	ASSERT_EQ(0, prlimit(self->child, RLIMIT_MEMLOCK, &limit, NULL));
	EXPECT_EQ(1, memlockd_raise_limit(self->m, self->child, 3 << 20, &old));
	prlimit(self->child, RLIMIT_MEMLOCK, NULL, &now);
	EXPECT_EQ(3 << 20, now.rlim_cur);
	EXPECT_EQ(3 << 20, now.rlim_max);
	EXPECT_EQ(0, memlockd_raise_limit(self->m, self->child, 1 << 20, NULL));
	prlimit(self->child, RLIMIT_MEMLOCK, NULL, &now);
	EXPECT_EQ(3 << 20, now.rlim_cur);
	EXPECT_EQ(1, memlockd_raise_limit(self->m, self->child, MEMLOCKD_NO_LIMIT, NULL));
	prlimit(self->child, RLIMIT_MEMLOCK, NULL, &now);
	EXPECT_EQ(RLIM_INFINITY, now.rlim_cur);
	EXPECT_EQ(0, memlockd_restore_limit(self->m, self->child, &old));
	prlimit(self->child, RLIMIT_MEMLOCK, NULL, &now);
	EXPECT_EQ(1 << 20, now.rlim_cur);
	EXPECT_EQ(2 << 20, now.rlim_max);
	EXPECT_EQ(-ESRCH, memlockd_raise_limit(self->m, INT_MAX, 1 << 20, NULL));
}

/* More mappings than the library asks for at once. */
TEST_F(lib, all_mappings_are_read)
{
	const unsigned int nr = 1500;
	struct memlockd_mapping *rows;
	ssize_t ret, i, before;
	unsigned int n;
	char *p;

	before = memlockd_read_mappings(self->m, memlockd_self(), &rows, sizeof(*rows));
	ASSERT_LT(0, before);
	free(rows);
	p = mmap(NULL, nr * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (n = 0; n < nr; n += 2)
		ASSERT_EQ(0, mprotect(p + n * PAGE, PAGE, PROT_READ | PROT_WRITE));
	ret = memlockd_read_mappings(self->m, memlockd_self(), &rows, sizeof(*rows));
	TH_LOG("%zd mappings, %zd before", ret, before);
	ASSERT_LE(before + nr, ret);
	for (i = 1; i < ret; i++)
		ASSERT_LE(rows[i - 1].end, rows[i].start);
	free(rows);
	munmap(p, nr * PAGE);
}

TEST_F(lib, range_of_oneself_is_exactly_the_pages_asked_for)
{
	unsigned long locked = status_bytes(getpid(), "VmLck");
	char *p = mmap(NULL, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in_memory[9];
	int err;

	ASSERT_NE(MAP_FAILED, p);
	/* Three pages have a part of it. */
	err = memlockd_lock_range(self->m, memlockd_self(), (uintptr_t)p + 3 * PAGE + 100,
				  2 * PAGE, S);
	if (err == -ENOTTY)
		SKIP(return, "the driver has no LOCK_RANGE");
	EXPECT_EQ(0, err) TH_LOG("%s", memlockd_error(self->m));
	EXPECT_EQ(locked + 3 * PAGE, status_bytes(getpid(), "VmLck"));
	EXPECT_EQ(3 * PAGE, status_bytes(getpid(), "VmPin"));
	ASSERT_EQ(0, mincore(p, 9 * PAGE, in_memory));
	EXPECT_FALSE(in_memory[2] & 1);
	EXPECT_TRUE(in_memory[3] & in_memory[4] & in_memory[5] & 1);
	EXPECT_FALSE(in_memory[6] & 1);
	EXPECT_EQ(0, memlockd_unlock_range(self->m, memlockd_self(), (uintptr_t)p, 9 * PAGE));
	EXPECT_EQ(locked, status_bytes(getpid(), "VmLck"));
	EXPECT_EQ(0, status_bytes(getpid(), "VmPin"));
	EXPECT_EQ(-ENOENT, memlockd_unlock_range(self->m, memlockd_self(), (uintptr_t)p,
						 9 * PAGE));
	munmap(p, 9 * PAGE);
}

TEST_F(lib, bad_ranges_are_refused)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	munmap(p + PAGE, PAGE);
	EXPECT_EQ(-ENOMEM, memlockd_lock_range(self->m, memlockd_self(), (uintptr_t)p,
					       3 * PAGE, S));
	EXPECT_EQ(-EINVAL, memlockd_lock_range(self->m, memlockd_self(), (uintptr_t)p, PAGE, 0));
	EXPECT_EQ(-EINVAL, memlockd_lock_range(self->m, memlockd_self(), (uintptr_t)p, PAGE, 3));
	EXPECT_EQ(-EINVAL, memlockd_lock_range(self->m, memlockd_self(), ~0ULL - PAGE,
					       2 * PAGE, S));
	EXPECT_NE(NULL, strstr(memlockd_error(self->m), "wraps around"));
	munmap(p, PAGE);
	munmap(p + 2 * PAGE, PAGE);
}

TEST_F(lib, holders_are_listed)
{
	struct memlockd_holder *rows = NULL;
	ssize_t nr, i, found = 0;

	ASSERT_EQ(0, memlockd_superlock(self->m, memlockd_pid(self->child)));
	nr = memlockd_read_holders(self->m, &rows, sizeof(*rows), NULL);
	if (nr == -ENOTTY)
		SKIP(return, "the driver has no LIST");
	ASSERT_LT(0, nr);
	for (i = 0; i < nr; i++) {
		if (rows[i].target != self->child)
			continue;
		found++;
		EXPECT_EQ(getpid(), rows[i].pid);
		EXPECT_EQ(S, rows[i].state);
		EXPECT_EQ(MEMLOCKD_HOLDER_FILE, rows[i].kind);
	}
	EXPECT_EQ(1, found);
	free(rows);
}

TEST_F(lib, warnings_are_those_of_all_locks)
{
	struct memlockd_holder *rows;
	unsigned int warnings;
	ssize_t nr;
	int fd;

	ASSERT_EQ(0, memlockd_superlock(self->m, memlockd_pid(self->child)));
	nr = memlockd_read_holders(self->m, &rows, sizeof(*rows), &warnings);
	if (nr == -ENOTTY)
		SKIP(return, "the driver has no LIST");
	ASSERT_LT(0, nr);
	EXPECT_EQ(0, warnings);
	free(rows);
	fd = open("/proc/sys/kernel/ftrace_enabled", O_WRONLY | O_CLOEXEC);
	/* Linux 7.3 refuses that here. */
	if (fd < 0 || write(fd, "0", 1) != 1)
		SKIP(return, "probes cannot be switched off in this way");
	nr = memlockd_read_holders(self->m, &rows, sizeof(*rows), &warnings);
	ASSERT_EQ(1, write(fd, "1", 1));
	close(fd);
	ASSERT_LT(0, nr);
	free(rows);
	EXPECT_EQ(MEMLOCKD_WARNING_NO_PROBES, warnings);
}

/* A caller of tomorrow, with structures that are larger than today's. */
TEST_F(lib, larger_structures_are_accepted)
{
	struct {
		struct memlockd_status status;
		char more[64];
	} larger;

	memset(&larger, 0xff, sizeof(larger));
	EXPECT_EQ(0, memlockd_read_status(self->m, memlockd_pid(self->child), &larger.status,
					  sizeof(larger)));
	EXPECT_EQ(0, larger.more[0]);
}

TEST(handle_without_a_device_fails_everywhere)
{
	struct memlockd_mapping *rows;
	struct memlockd_info info;
	struct memlockd *m;
	struct rlimit none = { 0, 0 }, before;

	/* No descriptor is left to open anything with. */
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, memlockd_open(&m));
	setrlimit(RLIMIT_NOFILE, &before);
	ASSERT_NE(NULL, m);
	EXPECT_NE(NULL, strstr(memlockd_error(m), "Too many open files"));
	EXPECT_EQ(-EBADF, memlockd_read_info(m, &info, sizeof(info)));
	EXPECT_EQ(-EBADF, memlockd_superlock(m, memlockd_self()));
	EXPECT_EQ(-EBADF, memlockd_read_mappings(m, memlockd_self(), &rows, sizeof(*rows)));
	EXPECT_EQ(NULL, rows);
	EXPECT_EQ(-EBADF, memlockd_lock_range(m, memlockd_self(), 0, 1, S));
	memlockd_close(m);
	memlockd_close(NULL);
}

TEST(sizes_read_well)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1 KiB" }, { 65536, "64 KiB" },
		{ 1 << 20, "1 MiB" }, { 3 << 19, "1.5 MiB" }, { 8ULL << 40, "8 TiB" },
		{ MEMLOCKD_NO_LIMIT, "unlimited" }, { MEMLOCKD_NO_LIMIT - 1, "16 EiB" },
	};
	unsigned int i;
	char buf[16];

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_STREQ(cases[i].text, memlockd_format_size(buf, sizeof(buf), cases[i].bytes));
}

TEST(every_number_has_a_name)
{
	unsigned int i;

	for (i = 0; i <= MEMLOCKD_REASON_SERVER; i++) {
		EXPECT_STRNE("unknown", memlockd_reason_name(i));
		EXPECT_STRNE("unknown", memlockd_reason_text(i));
	}
	for (i = 0; i <= MEMLOCKD_CAUSE_FLAGS; i++) {
		EXPECT_STRNE("unknown", memlockd_cause_name(i));
		EXPECT_STRNE("unknown", memlockd_cause_text(i));
	}
	for (i = 0; i <= MEMLOCKD_KIND_SPECIAL; i++)
		EXPECT_STRNE("unknown", memlockd_kind_name(i));
	for (i = 0; i <= MEMLOCKD_LIMIT_CGROUP; i++)
		EXPECT_STRNE("unknown", memlockd_limit_name(i));
	for (i = 0; i <= MEMLOCKD_STATE_SUPERLOCKED; i++)
		EXPECT_STRNE("unknown", memlockd_state_name(i));
	EXPECT_STREQ("capability", memlockd_warning_name(MEMLOCKD_WARNING_CAPABILITY));
	EXPECT_STREQ("fork", memlockd_warning_name(MEMLOCKD_WARNING_FORK));
	EXPECT_STREQ("stack", memlockd_warning_name(MEMLOCKD_WARNING_STACK));
	EXPECT_STREQ("unknown", memlockd_warning_name(0));
	EXPECT_STREQ("unknown", memlockd_reason_name(~0U));
	EXPECT_STREQ("unknown", memlockd_cause_name(~0U));
	EXPECT_STREQ("unknown", memlockd_kind_name(~0U));
	EXPECT_STREQ("unknown", memlockd_flag_name(1U << 31));
}

/* Programs that were linked with it go on finding what they were linked with. */
TEST(symbols_have_versions)
{
	EXPECT_NE(NULL, dlvsym(RTLD_DEFAULT, "memlockd_superlock", "LIBMEMLOCKD_1"));
	EXPECT_EQ(NULL, dlsym(RTLD_DEFAULT, "memlockd_ioctl"));
	EXPECT_EQ(NULL, dlsym(RTLD_DEFAULT, "process_name"));
}

TEST_HARNESS_MAIN
