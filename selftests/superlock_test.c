// SPDX-License-Identifier: GPL-2.0-only
/*
 * What SUPERLOCKED does beyond locking and pinning: the stack is grown beforehand,
 * no memory is offered for merging, and none is scanned for NUMA balancing.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(16 * PAGE)
#define LARGE	(160 * MIB)
#define SCANS	5
#define ROUNDS	20000
#define FORK_ROUNDS	5

/* The first switches balancing on; with the others it begins soon, and does it often. */
static const struct {
	const char *path;
	long value;
} balancing[] = {
	{ "/proc/sys/kernel/numa_balancing", 1 },
	{ "/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", 10 },
	{ "/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms", 10 },
	{ "/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms", 100 },
};

FIXTURE(superlock)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(superlock)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(superlock)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static int lock_with_stack(int fd, pid_t pid, int state, uint64_t reserve,
			   struct memlockd_lock *out)
{
	*out = (struct memlockd_lock) {
		.size = sizeof(*out),
		.flags = CURRENT_FUTURE,
		.target = pid,
		.state = state,
		.stack_reserve = reserve,
	};
	return device_call(fd, MEMLOCKD_IOC_LOCK, out);
}

static unsigned long stack_size(pid_t pid)
{
	struct vma vma;

	return vma_find(pid, "[stack]", "rw", &vma) ? vma.end - vma.start : 0;
}

/* What lies above the beginning of a stack: arguments and environment. */
#define ABOVE	(64 * KIB)

static void check_descent(struct __test_metadata *_metadata, FIXTURE_DATA(superlock) *self,
			  unsigned long reserve, unsigned long at_least, unsigned long depth)
{
	pid_t pid = self->target.pid;
	unsigned long before = stack_size(pid), size;
	struct memlockd_lock lock;

	ASSERT_EQ(0, lock_with_stack(self->fd, pid, S, reserve, &lock));
	size = stack_size(pid);
	TH_LOG("stack of %lu kB, after the lock of %lu kB", before / KIB, size / KIB);
	EXPECT_LE(at_least, size);
	EXPECT_GE(at_least + ABOVE, size);
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	EXPECT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
	EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
	ASSERT_EQ(0, target_call(&self->target, do_descend, depth, 0, 0));
	TH_LOG("%lu kB down: %ld minor, %ld major faults", depth / KIB, self->target.minflt,
	       self->target.majflt);
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	/* It does not shrink. */
	EXPECT_EQ(size, stack_size(pid));
}

TEST_F(superlock, stack_of_a_mebibyte_by_default)
{
	ASSERT_GT(MEMLOCKD_STACK_RESERVE_DEFAULT, stack_size(self->target.pid));
	check_descent(_metadata, self, 0, MEMLOCKD_STACK_RESERVE_DEFAULT, 900 * KIB);
}

TEST_F(superlock, stack_as_large_as_asked_for)
{
	/* Rounded up to a page. */
	check_descent(_metadata, self, 3 * MIB - 1, 3 * MIB, 3 * MIB - 100 * KIB);
}

TEST_F(superlock, stack_left_as_it_is)
{
	unsigned long before = stack_size(self->target.pid);

	check_descent(_metadata, self, MEMLOCKD_STACK_RESERVE_NONE, before, PAGE);
	/* Less than there is changes nothing, either. */
	check_descent(_metadata, self, PAGE, before, PAGE);
}

static long do_fork_for_ever(long a, long b, long c)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, fork_for_ever, NULL);
}

/* Each fork write-protects what is not pinned yet. */
TEST_F(superlock, process_that_forks_all_the_time_is_pinned_whole)
{
	long addr = target_call(&self->target, do_map_small, 4 * MIB, RW, MAP_PRIVATE);
	pid_t pid = self->target.pid;

	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, 4 * MIB, PAGE));
	ASSERT_EQ(0, target_call(&self->target, do_fork_for_ever, 0, 0, 0));
	for (int i = 0; i < FORK_ROUNDS; i++) {
		struct memlockd_mapping *rows, *row;
		long nr;

		ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
		nr = mappings_pid(self->fd, pid, 64, &rows);
		ASSERT_LT(0, nr);
		row = row_at(rows, nr, addr);
		ASSERT_NE(NULL, row);
		TH_LOG("%llu of %llu kB pinned", row->pinned / KIB, (row->end - row->start) / KIB);
		EXPECT_EQ(row->end - row->start, row->pinned);
		EXPECT_EQ(S, row->state);
		free(rows);
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
	}
}

TEST_F(superlock, stack_no_larger_than_RLIMIT_STACK)
{
	struct rlimit limit = { 512 * KIB, RLIM_INFINITY };

	ASSERT_EQ(0, prlimit(self->target.pid, RLIMIT_STACK, &limit, NULL));
	check_descent(_metadata, self, 0, 512 * KIB - ABOVE, 400 * KIB);
	EXPECT_GE(512 * KIB, stack_size(self->target.pid));
}

TEST_F(superlock, stack_limit_is_the_targets_own)
{
	struct rlimit own, limit = { 256 * KIB, RLIM_INFINITY };

	ASSERT_EQ(0, getrlimit(RLIMIT_STACK, &own));
	limit.rlim_max = own.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_STACK, &limit));
	check_descent(_metadata, self, 2 * MIB, 2 * MIB, 2 * MIB - 100 * KIB);
	setrlimit(RLIMIT_STACK, &own);
}

TEST_F(superlock, stack_counts_for_RLIMIT_MEMLOCK)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned long needed, stack = stack_size(pid);

	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	ASSERT_EQ(0, lock_with_stack(self->fd, pid, S, MEMLOCKD_STACK_RESERVE_NONE, &lock));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	limit.rlim_cur = lock.out_locked;
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	EXPECT_EQ(-ENOMEM, lock_with_stack(self->fd, pid, S, 4 * MIB, &lock));
	needed = lock.out_needed;
	TH_LOG("needs %lu, allowed %llu", needed, (unsigned long long)lock.out_allowed);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, lock.out_limit);
	EXPECT_LE(limit.rlim_cur + 4 * MIB - stack, needed);
	EXPECT_GE(limit.rlim_cur + 4 * MIB - stack + ABOVE, needed);

	limit.rlim_cur = needed - PAGE;
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	EXPECT_EQ(-ENOMEM, lock_with_stack(self->fd, pid, S, 4 * MIB, &lock));
	EXPECT_EQ(needed, lock.out_needed);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(stack, stack_size(pid));

	limit.rlim_cur = needed;
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	EXPECT_EQ(0, lock_with_stack(self->fd, pid, S, 4 * MIB, &lock));
	EXPECT_EQ(needed, lock.out_locked);
}

/* What is enough for mlockall(2) is enough for a lock, to the page. */
TEST_F(superlock, default_stack_reserve_takes_what_room_there_is)
{
	const unsigned long rooms[] = { 0, PAGE, 100 * KIB, 4 * MIB };
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned long before, needed, grown;
	struct memlockd_status status;
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i, warning;

	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		limit.rlim_cur = RLIM_INFINITY;
		ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
		ASSERT_EQ(0, lock_with_stack(self->fd, pid, S, MEMLOCKD_STACK_RESERVE_NONE, &lock));
		EXPECT_EQ(0, lock.out_warnings & MEMLOCKD_WARNING_STACK);
		needed = lock.out_locked;
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
		before = stack_size(pid);

		limit.rlim_cur = needed - PAGE;
		ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
		EXPECT_EQ(-ENOMEM, lock_with_stack(self->fd, pid, S, 0, &lock));
		EXPECT_EQ(needed, lock.out_needed);
		EXPECT_EQ(before, stack_size(pid));

		limit.rlim_cur = needed + rooms[i];
		ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
		ASSERT_EQ(0, lock_with_stack(self->fd, pid, S, 0, &lock));
		grown = stack_size(pid) - before;
		TH_LOG("room for %lu kB more: the stack of %lu kB has grown by %lu kB, warnings %#x",
		       rooms[i] / KIB, before / KIB, grown / KIB, lock.out_warnings);
		warning = i + 1 < ARRAY_SIZE(rooms) ? MEMLOCKD_WARNING_STACK : 0;
		if (warning)
			EXPECT_EQ(rooms[i], grown);
		EXPECT_EQ(warning, lock.out_warnings & MEMLOCKD_WARNING_STACK);
		EXPECT_EQ(needed + grown, lock.out_locked);
		EXPECT_EQ(needed + grown, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, status_pid(self->fd, pid, &status));
		EXPECT_EQ(warning, status.out_warnings & MEMLOCKD_WARNING_STACK);
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
	}
	/* The last had room for all of it. */
	EXPECT_LE(MEMLOCKD_STACK_RESERVE_DEFAULT, stack_size(pid));
}

TEST_F(superlock, stack_reserve_is_for_superlocked_only)
{
	const uint64_t reserves[] = { 1, PAGE, MIB, MEMLOCKD_STACK_RESERVE_NONE };
	struct memlockd_lock lock;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reserves); i++)
		EXPECT_EQ(-EINVAL, lock_with_stack(self->fd, self->target.pid, L, reserves[i],
						   &lock));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->target.pid));
}

TEST_F(superlock, absurd_stack_reserve_is_no_harm)
{
	const uint64_t reserves[] = { 1ULL << 47, 1ULL << 62, ~0ULL - 1, ~0ULL - PAGE };
	struct rlimit limit = { 2 * MIB, RLIM_INFINITY };
	struct memlockd_lock lock;
	unsigned int i;

	ASSERT_EQ(0, prlimit(self->target.pid, RLIMIT_STACK, &limit, NULL));
	for (i = 0; i < ARRAY_SIZE(reserves); i++) {
		EXPECT_EQ(0, lock_with_stack(self->fd, self->target.pid, S, reserves[i], &lock));
		EXPECT_GE(2 * MIB, stack_size(self->target.pid));
		EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
	}
}

TEST_F(superlock, stack_reserve_is_8_MiB_at_most)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct memlockd_lock lock;

	ASSERT_EQ(0, prlimit(self->target.pid, RLIMIT_STACK, &limit, NULL));
	EXPECT_EQ(0, lock_with_stack(self->fd, self->target.pid, S, 64 * MIB, &lock));
	TH_LOG("stack %lu kB", stack_size(self->target.pid) / KIB);
	EXPECT_EQ(8 * MIB, stack_size(self->target.pid));
}

FIXTURE(balanced)
{
	struct counters start;
	struct target target, control;
	long before[ARRAY_SIZE(balancing)];
	int fd;
};

FIXTURE_SETUP(balanced)
{
	unsigned int i;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	for (i = 0; i < ARRAY_SIZE(balancing); i++) {
		self->before[i] = read_number(balancing[i].path);
		write_number(balancing[i].path, balancing[i].value);
	}
	/* Behind that, as they learn of it when they begin. */
	target_start(&self->target);
	target_start(&self->control);
	if (self->before[0] < 0)
		SKIP(return, "this kernel balances no nodes");
}

FIXTURE_TEARDOWN(balanced)
{
	unsigned int i;

	target_stop(&self->target);
	target_stop(&self->control);
	for (i = 0; i < ARRAY_SIZE(balancing); i++)
		write_number(balancing[i].path, self->before[i]);
	EXPECT_TRUE(counters_back(&self->start));
}

/* How many times all memory of a process was made to fault, since it last forked; or -1. */
static long scans(pid_t pid)
{
	char path[32], line[128];
	long nr = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/sched", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "mm->numa_scan_seq : %ld", &nr);
	if (file)
		fclose(file);
	return nr;
}

/* The scheduler sets the time of the next scan anew then. */
TEST_F(balanced, is_not_scanned_after_a_fork)
{
	struct target *targets[] = { &self->target, &self->control };
	long addr[2], child, before;
	int i, round;

	if (scans(self->target.pid) < 0)
		SKIP(return, "this kernel does not tell of scans");
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	for (i = 0; i < 2; i++) {
		addr[i] = target_call(targets[i], do_map, MIB, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr[i]);
		child = target_call(targets[i], do_fork, 0, 0, 0);
		ASSERT_LT(0, child);
		ASSERT_EQ(0, target_call(targets[i], do_reap, child, 0, 0));
	}
	before = scans(self->target.pid);
	for (round = 0; round < ROUNDS && scans(self->control.pid) < SCANS; round++)
		for (i = 0; i < 2; i++)
			target_call(targets[i], do_write, addr[i], MIB, 1);
	TH_LOG("%d rounds: scanned %ld times, then %ld; without a lock %ld", round, before,
	       scans(self->target.pid), scans(self->control.pid));
	ASSERT_LE(SCANS, scans(self->control.pid));
	EXPECT_EQ(before, scans(self->target.pid));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	for (round = 0; round < ROUNDS && scans(self->target.pid) == before; round++)
		target_call(&self->target, do_write, addr[0], MIB, 1);
	TH_LOG("%d rounds unlocked: %ld times", round, scans(self->target.pid));
	EXPECT_LT(before, scans(self->target.pid));
}

FIXTURE(merging)
{
	struct counters start;
	struct target target;
	unsigned long addr;
	int fd;
};

FIXTURE_SETUP(merging)
{
	long addr;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	addr = target_call(&self->target, do_map, 3 * LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	self->addr = addr + LEN;
	if (target_call(&self->target, do_advise, self->addr, LEN, MADV_MERGEABLE))
		SKIP(return, "this kernel merges no pages");
}

FIXTURE_TEARDOWN(merging)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* How many bytes the kernel may merge; [vdso], which has the flag for KSM's sake, is none. */
static unsigned long mergeable(pid_t pid)
{
	unsigned long sum = 0;
	struct vma *vmas;
	long i, nr = vmas_read(pid, &vmas);

	for (i = 0; i < nr; i++) {
		if (vma_has(&vmas[i], "mg") && strcmp(vmas[i].name, "[vdso]"))
			sum += vmas[i].end - vmas[i].start;
	}
	free(vmas);
	return sum;
}

TEST_F(merging, is_off_while_superlocked)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(LEN, mergeable(pid));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(0, mergeable(pid));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(0, mergeable(pid));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(LEN, mergeable(pid));
}

TEST_F(merging, is_on_again_when_only_locked)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_pid(self->fd, pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(LEN, mergeable(pid));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(0, mergeable(pid));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, LIKE_MLOCKALL, NULL));
	EXPECT_EQ(LEN, mergeable(pid));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(LEN, mergeable(pid));
}

TEST_F(merging, is_as_before_after_a_lock_that_fails)
{
	struct rlimit limit = { PAGE, RLIM_INFINITY };
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL));
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(LEN, mergeable(pid));
}

TEST_F(merging, is_as_before_after_a_lock_that_is_killed)
{
	pid_t pid = self->target.pid;
	struct target client;
	unsigned long rss;

	ASSERT_LT(0, target_call(&self->target, do_map_small, LARGE, RW, MAP_PRIVATE));
	target_start_with(&client, self->fd);
	rss = status_bytes(pid, "VmRSS");
	target_post(&client, do_lock, self->fd, pid, STATE_FLAGS(S, CURRENT_FUTURE));
	wait_rss(pid, rss + LARGE / 16);
	EXPECT_EQ(SIGKILL, target_stop(&client));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	EXPECT_EQ(LEN, mergeable(pid));
}

TEST_F(merging, is_not_inherited_by_what_takes_its_place)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr, LEN, 0));
	ASSERT_EQ(self->addr, target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, mergeable(pid));
}

TEST_F(merging, of_a_part_stays_with_that_part)
{
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, self->addr, LEN / 4, 0));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(LEN - LEN / 4, mergeable(pid));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
