// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's probes are switched off by an administrator: all that stands on them says so, and
 * is as before once they are on again.
 */
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"
#include "probe.h"

#define FTRACE	"/proc/sys/kernel/ftrace_enabled"

/* The two ways to switch probes off. */
static const char *const switches[] = { FTRACE, KPROBES "enabled" };

FIXTURE(probes)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_VARIANT(probes)
{
	int state;
};

FIXTURE_VARIANT_ADD(probes, locked) {
	.state = L,
};

FIXTURE_VARIANT_ADD(probes, superlocked) {
	.state = S,
};

FIXTURE_SETUP(probes)
{
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(probes)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* They are off before the lock: it stands, and all that tell of it tell that, too. */
TEST_F(probes, probes_that_are_switched_off_are_told)
{
	struct memlockd_list list = { .size = sizeof(list) };
	struct memlockd_holder row;
	struct memlockd_status status;
	struct memlockd_lock lock;
	unsigned int i, tried = 0;

	for (i = 0; i < ARRAY_SIZE(switches); i++) {
		pid_t pid = self->target.pid;
		int err, told;

		if (!write_number(switches[i], 0))
			continue;
		tried++;
		err = lock_pid(self->fd, pid, variant->state, CURRENT_FUTURE | MEMLOCKD_NEED_PROBES,
			       NULL);
		EXPECT_EQ(-EOPNOTSUPP, err);
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
		EXPECT_EQ(0, lock_pid(self->fd, pid, variant->state, CURRENT_FUTURE, &lock));
		told = status_pid(self->fd, pid, &status) ? 0 : status.out_warnings;
		list.rows = (uintptr_t)&row;
		list.nr_rows = 1;
		list.row_size = sizeof(row);
		EXPECT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_LIST, &list));
		EXPECT_TRUE(write_number(switches[i], 1));
		TH_LOG("%s is 0: with NEED_PROBES %s; LOCK %#x, STATUS %#x, LIST %#x", switches[i],
		       strerror(-err), lock.out_warnings, told, list.out_warnings);
		EXPECT_NE(0, lock.out_warnings & MEMLOCKD_WARNING_NO_PROBES);
		EXPECT_NE(0, told & MEMLOCKD_WARNING_NO_PROBES);
		EXPECT_NE(0, list.out_warnings & MEMLOCKD_WARNING_NO_PROBES);
		/* And that they are on again. */
		ASSERT_EQ(0, status_pid(self->fd, pid, &status));
		EXPECT_EQ(0, status.out_warnings & MEMLOCKD_WARNING_NO_PROBES);
		EXPECT_EQ(0, lock_pid(self->fd, pid, variant->state,
				      CURRENT_FUTURE | MEMLOCKD_NEED_PROBES, &lock));
		EXPECT_EQ(0, lock.out_warnings & MEMLOCKD_WARNING_NO_PROBES);
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
	}
	if (!tried)
		SKIP(return, "probes cannot be switched off here");
}

/* How many functions of the kernel are probed; -1 if that cannot be told. */
static int nr_probed(void)
{
	FILE *file = fopen(KPROBES "list", "re");
	char line[256];
	int nr = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		nr += !strstr(line, "memlockd");
	fclose(file);
	return nr;
}

/* So many seconds the probes stay after the last unlock, and some more. */
#define LINGERS	40

/* Waits until nothing is probed, or for as long as it takes; says how many are. */
static int wait_not_probed(void)
{
	int tries = LINGERS * 10, nr;

	while ((nr = nr_probed()) > 0 && tries--)
		usleep(100000);
	return nr;
}

/*
 * They are off when nobody needs them any more, and longer than they stay.  Where one is
 * unregistered meanwhile, Linux 6.1 warns when the last probe of the machine goes, and has no
 * probes any more until it is booted again.
 */
TEST(what_is_off_when_the_last_lock_ends_works_once_it_is_on)
{
	struct memlockd_lock lock;
	struct target target;
	int fd, on, off;
	pid_t pid;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (nr_probed() < 0)
		SKIP(return, "there is no list of probes");
	fd = device_open();
	ASSERT_LE(0, fd);
	target_start(&target);
	pid = target.pid;
	ASSERT_EQ(0, lock_pid(fd, pid, S, CURRENT_FUTURE | MEMLOCKD_NEED_PROBES, &lock));
	if (!write_number(FTRACE, 0)) {
		target_stop(&target);
		close(fd);
		SKIP(return, "probes cannot be switched off in this way");
	}
	on = nr_probed();
	EXPECT_LT(0, on);
	EXPECT_EQ(0, unlock_pid(fd, pid));
	off = wait_not_probed();
	ASSERT_TRUE(write_number(FTRACE, 1));

	EXPECT_TRUE(probe_in_passing());
	TH_LOG("%d functions probed, %d of them once probes have been off for a while, %d now", on,
	       off, nr_probed());
	EXPECT_EQ(0, lock_pid(fd, pid, S, CURRENT_FUTURE | MEMLOCKD_NEED_PROBES, &lock));
	EXPECT_EQ(0, lock.out_warnings & MEMLOCKD_WARNING_NO_PROBES);
	EXPECT_EQ(0, unlock_pid(fd, pid));
	target_stop(&target);
	close(fd);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
