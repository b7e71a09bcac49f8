// SPDX-License-Identifier: GPL-2.0-only
/*
 * The promises of the ABI itself: structures that can grow, no byte of the kernel
 * in padding or short writes, the same layout for every kind of caller.
 */
#include <libgen.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "kselftest_harness.h"
#include "compat32.h"
#include "memlockd_test.h"

/* The largest structure, and room behind it. */
#define ROOM		256U
#define NR_ROWS		512U

/* Every ioctl, and a valid call of it. */
static const struct ioctl {
	const char *name;
	unsigned int cmd;
	unsigned int size;
} ioctls[] = {
	{ "INFO", MEMLOCKD_IOC_INFO, sizeof(struct memlockd_info) },
	{ "LOCK", MEMLOCKD_IOC_LOCK, sizeof(struct memlockd_lock) },
	{ "SYNC", MEMLOCKD_IOC_SYNC, sizeof(struct memlockd_sync) },
	{ "STATUS", MEMLOCKD_IOC_STATUS, sizeof(struct memlockd_status) },
	{ "MAPPINGS", MEMLOCKD_IOC_MAPPINGS, sizeof(struct memlockd_mappings) },
	{ "LIST", MEMLOCKD_IOC_LIST, sizeof(struct memlockd_list) },
	{ "LOCK_RANGE", MEMLOCKD_IOC_LOCK_RANGE, sizeof(struct memlockd_range) },
	{ "UNLOCK_RANGE", MEMLOCKD_IOC_UNLOCK_RANGE, sizeof(struct memlockd_range) },
	{ "SUBSCRIBE", MEMLOCKD_IOC_SUBSCRIBE, sizeof(struct memlockd_subscribe) },
	/* It comes last, as the others want a locked process. */
	{ "UNLOCK", MEMLOCKD_IOC_UNLOCK, sizeof(struct memlockd_unlock) },
};

/* Of the first version of its structure. */
static unsigned int first_size(const struct ioctl *ioctl)
{
	return ioctl->cmd == MEMLOCKD_IOC_STATUS ?
	       offsetof(struct memlockd_status, out_real_minor_faults) : ioctl->size;
}

static struct memlockd_mapping rows[NR_ROWS];
static struct memlockd_holder holders[16];

/* Fill in the inputs of a valid call; leave the rest of @arg as it is. */
static void fill(unsigned int cmd, void *arg, unsigned int size, pid_t pid)
{
	struct memlockd_mappings *mappings = arg;
	struct memlockd_unlock *any = arg;
	struct memlockd_lock *lock = arg;
	struct memlockd_list *list = arg;
	struct memlockd_range *range = arg;
	struct memlockd_subscribe *subscribe = arg;

	any->size = size;
	any->flags = 0;
	/* INFO and LIST have no target. */
	any->target_type = MEMLOCKD_TARGET_PID;
	any->target = pid;
	switch (cmd) {
	case MEMLOCKD_IOC_LOCK:
		lock->flags = CURRENT_FUTURE;
		lock->state = MEMLOCKD_STATE_LOCKED;
		lock->reserved = 0;
		lock->stack_reserve = 0;
		break;
	case MEMLOCKD_IOC_MAPPINGS:
		mappings->start = 0;
		mappings->rows = (uintptr_t)rows;
		mappings->nr_rows = NR_ROWS;
		mappings->row_size = sizeof(rows[0]);
		break;
	case MEMLOCKD_IOC_LIST:
		list->start = 0;
		list->rows = (uintptr_t)holders;
		list->nr_rows = ARRAY_SIZE(holders);
		list->row_size = sizeof(holders[0]);
		break;
	case MEMLOCKD_IOC_LOCK_RANGE:
	case MEMLOCKD_IOC_UNLOCK_RANGE:
		range->state = cmd == MEMLOCKD_IOC_LOCK_RANGE ? MEMLOCKD_STATE_LOCKED :
			       MEMLOCKD_STATE_UNLOCKED;
		range->reserved = 0;
		range->addr = 0;
		range->len = 0;
		break;
	case MEMLOCKD_IOC_SUBSCRIBE:
		subscribe->kinds = MEMLOCKD_EVENT_LOCKED;
		subscribe->event_size = sizeof(struct memlockd_event);
		break;
	}
}

FIXTURE(abi)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(abi)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(abi)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(abi, device_is_for_root_only)
{
	struct stat st;

	ASSERT_EQ(0, stat(DEVICE, &st));
	TH_LOG("mode %o, owner %u", st.st_mode & 07777, st.st_uid);
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
}

TEST_F(abi, too_small_is_EINVAL)
{
	unsigned char arg[ROOM];
	unsigned int i, size;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		unsigned int first = first_size(&ioctls[i]);

		for (size = 0; size < first; size++) {
			memset(arg, 0, sizeof(arg));
			fill(ioctls[i].cmd, arg, size, self->target.pid);
			ASSERT_EQ(-EINVAL, device_call(self->fd, ioctls[i].cmd, arg)) {
				TH_LOG("%s with size %u", ioctls[i].name, size);
			}
		}
		TH_LOG("%s: sizes 0 to %u refused", ioctls[i].name, size - 1);
	}
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
}

/* A program that was compiled with an older header. */
TEST_F(abi, first_versions_are_accepted)
{
	unsigned char arg[ROOM];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		unsigned int first = first_size(&ioctls[i]);

		if (first == ioctls[i].size)
			continue;
		memset(arg, 0xa5, sizeof(arg));
		fill(ioctls[i].cmd, arg, first, self->target.pid);
		ASSERT_EQ(0, device_call(self->fd, ioctls[i].cmd, arg));
		for (j = first; j < ROOM; j++)
			ASSERT_EQ(0xa5, arg[j]);
		TH_LOG("%s: %u of %u bytes are enough", ioctls[i].name, first,
		       ioctls[i].size);
	}
}

TEST_F(abi, larger_with_zeros_is_accepted)
{
	unsigned char arg[ROOM];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		memset(arg, 0, sizeof(arg));
		fill(ioctls[i].cmd, arg, sizeof(arg), self->target.pid);
		ASSERT_EQ(0, device_call(self->fd, ioctls[i].cmd, arg)) {
			TH_LOG("%s with size %u", ioctls[i].name, ROOM);
		}
		for (j = ioctls[i].size; j < sizeof(arg); j++)
			ASSERT_EQ(0, arg[j]);
	}
}

TEST_F(abi, larger_with_more_is_E2BIG)
{
	unsigned char arg[ROOM];
	unsigned int i, where;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		/* The first and the last byte that the driver does not know. */
		for (where = ioctls[i].size; where < ROOM; where += ROOM - 1 - ioctls[i].size) {
			memset(arg, 0, sizeof(arg));
			fill(ioctls[i].cmd, arg, sizeof(arg), self->target.pid);
			arg[where] = 1;
			ASSERT_EQ(-E2BIG, device_call(self->fd, ioctls[i].cmd, arg)) {
				TH_LOG("%s with byte %u set", ioctls[i].name, where);
			}
		}
	}
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
}

TEST_F(abi, larger_than_a_page_is_E2BIG)
{
	unsigned char *arg = calloc(2, PAGE);
	unsigned int i;

	ASSERT_NE(NULL, arg);
	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		fill(ioctls[i].cmd, arg, PAGE + 1, self->target.pid);
		ASSERT_EQ(-E2BIG, device_call(self->fd, ioctls[i].cmd, arg)) {
			TH_LOG("%s", ioctls[i].name);
		}
		memset(arg, 0, PAGE);
	}
	free(arg);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
}

/*
 * What memory there is for a fork changes from one call to the next.  A pattern is
 * more than there can be.
 */
static void same_room(struct __test_metadata *_metadata, const struct memlockd_lock *first,
		      struct memlockd_lock *second)
{
	unsigned long ram = sysconf(_SC_PHYS_PAGES) * PAGE;

	EXPECT_GE(ram, first->out_fork_room);
	EXPECT_GE(ram, second->out_fork_room);
	second->out_fork_room = first->out_fork_room;
}

/*
 * Call twice, over memory of two different patterns: what the driver leaves out
 * differs, and so does what it takes from the kernel's stack.
 */
TEST_F(abi, every_out_byte_is_written)
{
	unsigned char first[ROOM], second[ROOM];
	unsigned int i, j;
	size_t nr;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, MEMLOCKD_STATE_LOCKED, CURRENT_FUTURE,
			      NULL));
	for (i = 0; i < ARRAY_SIZE(ioctls) - 1; i++) {
		memset(first, 0xa5, sizeof(first));
		memset(rows, 0xa5, sizeof(rows));
		fill(ioctls[i].cmd, first, ioctls[i].size, self->target.pid);
		ASSERT_EQ(0, device_call(self->fd, ioctls[i].cmd, first));
		nr = ((struct memlockd_mappings *)first)->out_rows;
		if (ioctls[i].cmd == MEMLOCKD_IOC_MAPPINGS) {
			struct memlockd_mapping *copy = malloc(nr * sizeof(rows[0]));

			ASSERT_LE(nr, NR_ROWS - 1);
			memcpy(copy, rows, nr * sizeof(rows[0]));
			for (j = 0; j < sizeof(rows[0]); j++)
				ASSERT_EQ(0xa5, ((unsigned char *)&rows[nr])[j]);
			memset(rows, 0x5a, sizeof(rows));
			memset(second, 0x5a, sizeof(second));
			fill(ioctls[i].cmd, second, ioctls[i].size, self->target.pid);
			ASSERT_EQ(0, device_call(self->fd, ioctls[i].cmd, second));
			EXPECT_EQ(0, memcmp(copy, rows, nr * sizeof(rows[0])));
			free(copy);
		} else {
			memset(second, 0x5a, sizeof(second));
			fill(ioctls[i].cmd, second, ioctls[i].size, self->target.pid);
			ASSERT_EQ(0, device_call(self->fd, ioctls[i].cmd, second));
		}
		if (ioctls[i].cmd == MEMLOCKD_IOC_LOCK)
			same_room(_metadata, (void *)first, (void *)second);
		for (j = 0; j < ioctls[i].size; j++) {
			EXPECT_EQ(first[j], second[j]) {
				TH_LOG("%s: byte %u is not defined", ioctls[i].name, j);
			}
		}
		for (; j < ROOM; j++) {
			ASSERT_EQ(0xa5, first[j]) {
				TH_LOG("%s: byte %u, behind size, was written", ioctls[i].name, j);
			}
		}
		TH_LOG("%s: %u bytes defined, none behind touched", ioctls[i].name, ioctls[i].size);
	}
}

TEST_F(abi, out_fields_are_written_on_ENOMEM)
{
	const size_t out = offsetof(struct memlockd_lock, out_limit);
	struct memlockd_lock first, second;

	ASSERT_EQ(0, target_call(&self->target, do_setuid, 65534, 0, 0));
	ASSERT_EQ(0, prlimit(self->target.pid, RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 }, NULL));
	memset(&first, 0xa5, sizeof(first));
	fill(MEMLOCKD_IOC_LOCK, &first, sizeof(first), self->target.pid);
	ASSERT_EQ(-ENOMEM, device_call(self->fd, MEMLOCKD_IOC_LOCK, &first));
	memset(&second, 0x5a, sizeof(second));
	fill(MEMLOCKD_IOC_LOCK, &second, sizeof(second), self->target.pid);
	ASSERT_EQ(-ENOMEM, device_call(self->fd, MEMLOCKD_IOC_LOCK, &second));
	EXPECT_EQ(0, memcmp((char *)&first + out, (char *)&second + out, sizeof(first) - out));
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, first.out_limit);
	TH_LOG("needed %llu, allowed %llu", (unsigned long long)first.out_needed,
	       (unsigned long long)first.out_allowed);
}

TEST_F(abi, larger_rows_are_filled_with_zeros)
{
	struct wide {
		struct memlockd_mapping row;
		unsigned char more[24];
	} wide[NR_ROWS];
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.rows = (uintptr_t)wide,
		.nr_rows = NR_ROWS,
		.row_size = sizeof(wide[0]),
	};
	unsigned int i, j;

	memset(wide, 0xa5, sizeof(wide));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	TH_LOG("%u rows", arg.out_rows);
	ASSERT_LT(10, arg.out_rows);
	ASSERT_GT(NR_ROWS, arg.out_rows);
	for (i = 0; i < arg.out_rows; i++) {
		EXPECT_LT(wide[i].row.start, wide[i].row.end);
		for (j = 0; j < sizeof(wide[i].more); j++)
			ASSERT_EQ(0, wide[i].more[j]);
	}
	EXPECT_EQ(0xa5, wide[i].more[0]);

	arg.start = 0;
	arg.row_size = offsetof(struct memlockd_mapping, read_faults) - 1;
	EXPECT_EQ(-EINVAL, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
}

/* A program that was compiled when rows ended so has what it had. */
TEST_F(abi, rows_of_the_first_version_have_its_fields)
{
	const unsigned int size = offsetof(struct memlockd_mapping, read_faults);
	unsigned char old[NR_ROWS * size];
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.rows = (uintptr_t)rows,
		.nr_rows = NR_ROWS,
		.row_size = sizeof(rows[0]),
	};
	unsigned int i;

	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	memset(old, 0xa5, sizeof(old));
	arg.rows = (uintptr_t)old;
	arg.row_size = size;
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	TH_LOG("%u rows of %u bytes", arg.out_rows, size);
	ASSERT_LT(10, arg.out_rows);
	for (i = 0; i < arg.out_rows; i++)
		EXPECT_EQ(0, memcmp(&old[i * size], &rows[i], size));
	for (i *= size; i < sizeof(old); i++)
		ASSERT_EQ(0xa5, old[i]);
}

TEST_F(abi, info_tells_what_is_locked)
{
	struct memlockd_info before = { .size = sizeof(before) }, locked = before, after = before;
	struct memlockd_lock lock;

	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &before));
	TH_LOG("version %u.%u.%u, page size %u, flags %#x, %u locked, %llu pinned",
	       before.out_version >> 16, before.out_version >> 8 & 0xff, before.out_version & 0xff,
	       before.out_page_size, before.out_lock_flags, before.out_locked_processes,
	       (unsigned long long)before.out_pinned);
	EXPECT_NE(0, before.out_version);
	EXPECT_EQ(PAGE, before.out_page_size);
	EXPECT_EQ(LIKE_MLOCKALL, before.out_lock_flags & LIKE_MLOCKALL);

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, MEMLOCKD_STATE_SUPERLOCKED,
			      CURRENT_FUTURE, &lock));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &locked));
	EXPECT_EQ(before.out_locked_processes + 1, locked.out_locked_processes);
	EXPECT_LT(0, lock.out_pinned);
	EXPECT_EQ(before.out_pinned + lock.out_pinned, locked.out_pinned);

	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &after));
	EXPECT_EQ(before.out_locked_processes, after.out_locked_processes);
	EXPECT_EQ(before.out_pinned, after.out_pinned);
}

static bool all_zero(const void *from, size_t len)
{
	const char *p = from;

	while (len--) {
		if (p[len])
			return false;
	}
	return true;
}

TEST_F(abi, status_tells_the_lock)
{
	const size_t from = offsetof(struct memlockd_status, out_lock_flags);
	const size_t to = offsetof(struct memlockd_status, out_locked);
	struct memlockd_status status;
	struct timespec before, after;
	struct memlockd_lock lock;
	struct rlimit limit;

	ASSERT_EQ(0, prlimit(self->target.pid, RLIMIT_MEMLOCK, NULL, &limit));
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, status.out_state);
	EXPECT_TRUE(all_zero((char *)&status + from, to - from));
	EXPECT_EQ(0, status.out_locked);
	EXPECT_EQ(0, status.out_pinned);
	EXPECT_EQ(limit.rlim_cur, status.out_memlock_limit);

	clock_gettime(CLOCK_BOOTTIME, &before);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, MEMLOCKD_STATE_SUPERLOCKED,
			      CURRENT_FUTURE, &lock));
	clock_gettime(CLOCK_BOOTTIME, &after);
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
	EXPECT_EQ(MEMLOCKD_STATE_SUPERLOCKED, status.out_state);
	EXPECT_EQ(CURRENT_FUTURE, status.out_lock_flags);
	EXPECT_EQ(getpid(), status.out_locker_pid);
	EXPECT_EQ(0, status.out_locker_uid);
	EXPECT_LE(before.tv_sec * 1000000000LL + before.tv_nsec, status.out_lock_time_ns);
	EXPECT_GE(after.tv_sec * 1000000000LL + after.tv_nsec, status.out_lock_time_ns);
	EXPECT_LT(0, status.out_lock_duration_ns);
	EXPECT_EQ(lock.out_locked, status.out_locked);
	EXPECT_EQ(lock.out_pinned, status.out_pinned);
	EXPECT_LT(0, status.out_bookkeeping);
	TH_LOG("locked %llu, pinned %llu, %llu ns, %llu bytes to remember it",
	       (unsigned long long)status.out_locked, (unsigned long long)status.out_pinned,
	       (unsigned long long)status.out_lock_duration_ns,
	       (unsigned long long)status.out_bookkeeping);
}

TEST_F(abi, status_counts_faults_since_the_lock)
{
	struct memlockd_status before, after;
	long addr;

	/* Without FUTURE a new mapping faults. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, MEMLOCKD_STATE_LOCKED, MEMLOCKD_CURRENT,
			      NULL));
	addr = target_call(&self->target, do_map_small, 64 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &before));
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, 64 * PAGE, PAGE));
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &after));
	TH_LOG("%llu faults before, %llu after touching 64 pages",
	       (unsigned long long)before.out_lock_minor_faults,
	       (unsigned long long)after.out_lock_minor_faults);
	/* At least one a page; two where a read comes first. */
	EXPECT_LE(before.out_lock_minor_faults + 64, after.out_lock_minor_faults);
	EXPECT_GE(before.out_lock_minor_faults + 2 * 64 + 8, after.out_lock_minor_faults);
	EXPECT_EQ(before.out_lock_major_faults, after.out_lock_major_faults);
}

TEST_F(abi, pidfd_is_as_good_as_pid)
{
	struct memlockd_status status = {
		.size = sizeof(status),
		.target_type = MEMLOCKD_TARGET_PIDFD,
		.target = self->target.pidfd,
	};
	struct memlockd_unlock unlock = {
		.size = sizeof(unlock),
		.target_type = MEMLOCKD_TARGET_PIDFD,
		.target = self->target.pidfd,
	};
	struct memlockd_lock lock = {
		.size = sizeof(lock),
		.flags = CURRENT_FUTURE,
		.target_type = MEMLOCKD_TARGET_PIDFD,
		.target = self->target.pidfd,
		.state = MEMLOCKD_STATE_LOCKED,
	};

	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_LOCK, &lock));
	EXPECT_EQ(MEMLOCKD_STATE_LOCKED, state_of(self->fd, self->target.pid));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_STATUS, &status));
	EXPECT_EQ(MEMLOCKD_STATE_LOCKED, status.out_state);
	EXPECT_EQ(lock.out_locked, status_bytes(self->target.pid, "VmLck"));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_UNLOCK, &unlock));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
}

TEST_F(abi, a_32_bit_caller_gets_the_same)
{
	char path[PATH_MAX] = "";
	struct compat32 got;
	int pipes[2], status;
	unsigned int i;
	pid_t pid;

	ASSERT_LT(0, readlink("/proc/self/exe", path, sizeof(path) - 10));
	strcat(dirname(path), "/compat32");
	if (access(path, X_OK))
		SKIP(return, "compat32 was not built: the compiler makes no 32-bit x86 programs");
	ASSERT_EQ(0, pipe(pipes));
	pid = fork_child();
	ASSERT_LE(0, pid);
	if (!pid) {
		dup2(pipes[1], 1);
		execl(path, "compat32", NULL);
		_exit(errno == ENOEXEC ? 100 : 101);
	}
	close(pipes[1]);
	for (i = 0; i < sizeof(got); ) {
		ssize_t nr = read(pipes[0], (char *)&got + i, sizeof(got) - i);

		if (nr <= 0)
			break;
		i += nr;
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
		SKIP(return, "this kernel runs no 32-bit programs");
	ASSERT_EQ(0, status);
	ASSERT_EQ(sizeof(got), i);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(0, got.results[i]) {
			TH_LOG("call %u", i);
		}
	}
	EXPECT_EQ(-ENOENT, got.results[5]);

	EXPECT_EQ(PAGE, got.info.out_page_size);
	EXPECT_LT(0, got.lock.out_pinned);
	EXPECT_EQ(pid, got.status.out_locker_pid);
	EXPECT_EQ(MEMLOCKD_STATE_SUPERLOCKED, got.status.out_state);
	EXPECT_EQ(got.lock.out_locked, got.status.out_locked);
	EXPECT_EQ(got.lock.out_pinned, got.status.out_pinned);
	EXPECT_EQ(got.lock.out_mappings, got.mappings.out_rows);
	EXPECT_EQ(0, got.mappings.out_next);
	ASSERT_GE(COMPAT32_ROWS, got.mappings.out_rows);
	for (i = 0; i < got.mappings.out_rows; i++) {
		row_print(&got.rows[i]);
		EXPECT_GE(1ULL << 32, got.rows[i].end);
	}
	EXPECT_EQ(0, rows_wrong(got.rows, got.mappings.out_rows, MEMLOCKD_STATE_SUPERLOCKED));
	EXPECT_EQ(got.lock.out_pinned, rows_pinned(got.rows, got.mappings.out_rows));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
