// SPDX-License-Identifier: GPL-2.0-only
/*
 * All or nothing: fail each allocation of each call in turn, and look whether
 * anything has changed. Needs a kernel with CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC
 * and CONFIG_FAULT_INJECTION_DEBUG_FS.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define L		MEMLOCKD_STATE_LOCKED
#define S		MEMLOCKD_STATE_SUPERLOCKED
#define FAIL_NTH	"/proc/self/fail-nth"
#define DEBUGFS		"/sys/kernel/debug/"
#define LEN		(64 * PAGE)
#define MOST		5000

/*
 * Allocations that may sleep are let off by default; and each failure would be a
 * call trace on the console.
 */
static const struct {
	const char *path, *during, *after;
} knobs[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N", "Y" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N", "Y" },
	{ DEBUGFS "failslab/verbose", "0", "2" },
	{ DEBUGFS "fail_page_alloc/verbose", "0", "2" },
	{ DEBUGFS "fail_usercopy/verbose", "0", "2" },
};

FIXTURE(inject)
{
	struct counters start;
	struct target target;
	int fd;
};

static void set_knobs(bool during)
{
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		fd = open(knobs[i].path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, during ? knobs[i].during : knobs[i].after, 1) != 1)
			ksft_perror(knobs[i].path);
		close(fd);
	}
}

FIXTURE_SETUP(inject)
{
	if (access(FAIL_NTH, W_OK))
		SKIP(return, "this kernel injects no faults");
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_SHARED));
	set_knobs(true);
}

FIXTURE_TEARDOWN(inject)
{
	if (!self->target.pid)
		return;
	set_knobs(false);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* The next @nth allocation of ours fails; 0 ends it. */
static void inject(int nth)
{
	char text[16];
	int fd = open(FAIL_NTH, O_WRONLY | O_CLOEXEC), len;

	len = snprintf(text, sizeof(text), "%d", nth);
	if (fd < 0 || write(fd, text, len) != len)
		ksft_perror(FAIL_NTH);
	close(fd);
}

/* True when the call had fewer allocations than that. */
static bool injected_none(void)
{
	long left = read_number(FAIL_NTH);

	inject(0);
	return left > 0;
}

static bool good(int err)
{
	return !err || err == -ENOMEM || err == -EFAULT;
}

/* A call may have done its work before it could not say so: with EFAULT only. */
static bool good_state(int err, int state, int before, int after)
{
	if (err == -EFAULT)
		return state == before || state == after;
	return state == (err ? before : after);
}

TEST_F_TIMEOUT(inject, lock_that_fails_changes_nothing, TEST_TIMEOUT_DEFAULT)
{
	const struct {
		int state, flags;
	} modes[] = { { L, LIKE_MLOCKALL }, { L, CURRENT_FUTURE }, { S, CURRENT_FUTURE } };
	pid_t pid = self->target.pid;
	unsigned int i, failed;
	bool none;
	int nth, err, state;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (nth = 1, failed = 0, none = false; !none && nth < MOST; nth++) {
			inject(nth);
			err = lock_pid(self->fd, pid, modes[i].state, modes[i].flags, NULL);
			none = injected_none();
			ASSERT_TRUE(good(err)) {
				TH_LOG("allocation %d: %d", nth, err);
			}
			failed += !!err;
			state = state_of(self->fd, pid);
			ASSERT_TRUE(good_state(err, state, MEMLOCKD_STATE_UNLOCKED,
					       modes[i].state)) {
				TH_LOG("allocation %d: %d, %s", nth, err, state_name(state));
			}
			if (state != MEMLOCKD_STATE_UNLOCKED)
				ASSERT_EQ(0, unlock_pid(self->fd, pid));
			ASSERT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
			ASSERT_EQ(0, status_bytes(pid, "VmLck"));
			ASSERT_EQ(0, status_bytes(pid, "VmPin"));
		}
		TH_LOG("%s: %d allocations, %u of them fatal", state_name(modes[i].state), nth - 1,
		       failed);
		EXPECT_TRUE(none);
		EXPECT_TRUE(counters_back(&self->start));
	}
}

TEST_F_TIMEOUT(inject, relock_that_fails_leaves_the_old_lock, TEST_TIMEOUT_DEFAULT)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock old;
	bool none = false;
	unsigned int failed = 0;
	int nth, err, state;

	for (nth = 1; !none && nth < MOST; nth++) {
		ASSERT_EQ(0, lock_pid(self->fd, pid, L, CURRENT_FUTURE, &old));
		inject(nth);
		err = lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL);
		none = injected_none();
		ASSERT_TRUE(good(err)) {
			TH_LOG("allocation %d: %d", nth, err);
		}
		failed += !!err;
		state = state_of(self->fd, pid);
		ASSERT_TRUE(good_state(err, state, L, S)) {
			TH_LOG("allocation %d: %d, %s", nth, err, state_name(state));
		}
		ASSERT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
		if (state == L)
			ASSERT_EQ(old.out_pinned, status_bytes(pid, "VmPin"));
		ASSERT_EQ(0, unlock_pid(self->fd, pid));
	}
	TH_LOG("%d allocations, %u of them fatal", nth - 1, failed);
	EXPECT_TRUE(none);
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F_TIMEOUT(inject, unlock_never_fails, TEST_TIMEOUT_DEFAULT)
{
	pid_t pid = self->target.pid;
	bool none = false;
	int nth, err, state;

	for (nth = 1; !none && nth < MOST; nth++) {
		ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
		inject(nth);
		err = unlock_pid(self->fd, pid);
		none = injected_none();
		/* One that could not even begin leaves the lock. */
		ASSERT_TRUE(good(err));
		state = state_of(self->fd, pid);
		ASSERT_TRUE(good_state(err, state, S, MEMLOCKD_STATE_UNLOCKED)) {
			TH_LOG("allocation %d: %d, %s", nth, err, state_name(state));
		}
		if (state != MEMLOCKD_STATE_UNLOCKED)
			ASSERT_EQ(0, unlock_pid(self->fd, pid));
		ASSERT_EQ(0, status_bytes(pid, "VmLck"));
		ASSERT_EQ(0, status_bytes(pid, "VmPin"));
	}
	TH_LOG("%d allocations", nth - 1);
	EXPECT_TRUE(none);
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F_TIMEOUT(inject, report_that_fails_leaves_the_lock, TEST_TIMEOUT_DEFAULT)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows;
	struct memlockd_lock lock;
	bool none = false;
	long nr;
	int nth;

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, &lock));
	for (nth = 1; !none && nth < MOST; nth++) {
		inject(nth);
		nr = mappings_pid(self->fd, pid, 256, &rows);
		none = injected_none();
		ASSERT_TRUE(nr > 0 || good(nr));
		free(rows);
		ASSERT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
		ASSERT_EQ(lock.out_locked, status_bytes(pid, "VmLck"));
	}
	TH_LOG("%d allocations", nth - 1);
	EXPECT_TRUE(none);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
