// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shared file that is written to is write-protected by each writeback. The row
 * says so, and HEAL makes its pages writable again, mostly before the process
 * comes to them.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(256 * PAGE)
#define ROUNDS	5

/* Map a file of a disk; tmpfs has no writeback. */
static long do_map_file(long a, long b, long c)
{
	int fd = disk_file(LEN);
	struct statfs fs;
	void *p;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) || fs.f_type == 0x01021994)
		return -EXDEV;
	p = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? -errno : (long)p;
}

static long do_writeback(long addr, long len, long c)
{
	return msync((void *)addr, len, MS_SYNC) ? -errno : 0;
}

FIXTURE(heal)
{
	struct counters start;
	struct target target;
	long addr;
	int fd;
};

FIXTURE_SETUP(heal)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	self->addr = target_call(&self->target, do_map_file, 0, 0, 0);
	if (self->addr == -EXDEV)
		SKIP(return, "/var/tmp is not on a disk");
	ASSERT_LT(0, self->addr);
	target_call(&self->target, do_write, self->addr, LEN, PAGE);
}

FIXTURE_TEARDOWN(heal)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static void check_row(struct __test_metadata *_metadata, FIXTURE_DATA(heal) *self)
{
	struct memlockd_mapping *rows, *row;
	long nr = mappings_pid(self->fd, self->target.pid, 64, &rows);

	ASSERT_LT(0, nr);
	row = row_at(rows, nr, self->addr);
	ASSERT_NE(NULL, row);
	EXPECT_EQ(MEMLOCKD_STATE_LOCKED, row->state);
	EXPECT_EQ(MEMLOCKD_REASON_WRITEBACK, row->reason);
	EXPECT_EQ(LEN, row->resident);
	free(rows);
}

static unsigned long healed(int fd, pid_t pid)
{
	struct memlockd_status status;

	return status_pid(fd, pid, &status) ? 0 : status.out_healed;
}

/* A worker heals, and nothing tells when it is done but its count. */
static void wait_healed(int fd, pid_t pid, unsigned long count)
{
	int tries;

	for (tries = 0; tries < 5000 && healed(fd, pid) < count; tries++)
		usleep(1000);
}

/* Faults of writing to all of it after writeback, over some rounds. */
static long faults(FIXTURE_DATA(heal) *self, bool heal)
{
	struct target *t = &self->target;
	long total = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		unsigned long before = healed(self->fd, t->pid);

		target_call(t, do_writeback, self->addr, LEN, 0);
		if (heal)
			wait_healed(self->fd, t->pid, before + LEN / PAGE);
		target_call(t, do_write, self->addr, LEN, PAGE);
		total += t->minflt + t->majflt;
	}
	return total;
}

TEST_F(heal, writeback_costs_a_fault_a_page_and_the_row_says_so)
{
	long seen;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	check_row(_metadata, self);
	seen = faults(self, false);
	TH_LOG("%ld faults in %d rounds of %ld pages, %lu healed", seen, ROUNDS,
	       (long)(LEN / PAGE), healed(self->fd, self->target.pid));
	EXPECT_LE(ROUNDS * LEN / PAGE / 2, seen);
	EXPECT_EQ(0, healed(self->fd, self->target.pid));
}

TEST_F(heal, healed_pages_cost_none)
{
	long seen;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE | MEMLOCKD_HEAL,
			      NULL));
	check_row(_metadata, self);
	seen = faults(self, true);
	TH_LOG("%ld faults in %d rounds of %ld pages, %lu healed", seen, ROUNDS,
	       (long)(LEN / PAGE), healed(self->fd, self->target.pid));
	/* It is a race that the worker may lose now and then. */
	EXPECT_GT(ROUNDS * LEN / PAGE / 4, seen);
	EXPECT_LE(LEN / PAGE, healed(self->fd, self->target.pid));
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
	/* Healing ends with the lock. */
	seen = faults(self, false);
	TH_LOG("unlocked: %ld faults", seen);
	EXPECT_LE(ROUNDS * LEN / PAGE / 2, seen);
}

/* The file system of the tests' files, if nothing else depends on it; -1 otherwise. */
static int open_disk(void)
{
	const char *dir = disk_dir();
	struct stat disk, root;

	if (stat(dir, &disk) || stat("/", &root) || disk.st_dev == root.st_dev)
		return -1;
	return open(dir, O_RDONLY | O_DIRECTORY);
}

static long do_remap(long times, long b, long c)
{
	while (times--)
		munmap(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
	return 0;
}

/* If they are stopped after all, this thaws it after a minute. */
static pid_t thaw_later(int disk)
{
	pid_t pid = fork_child();

	if (pid)
		return pid;
	sleep(60);
	ioctl(disk, FITHAW, 0);
	_exit(0);
}

/* Whether it is still frozen. */
static bool thaw(int disk, pid_t later)
{
	bool frozen = !ioctl(disk, FITHAW, 0);

	kill(later, SIGKILL);
	waitpid(later, NULL, 0);
	close(disk);
	return frozen;
}

/* Its pages are written back first, and nobody can make them writable until it is thawed. */
TEST_F(heal, frozen_file_system_stops_nobody)
{
	int disk = open_disk();
	pid_t later;

	if (disk < 0)
		SKIP(return, "the tests' files are not on a disk of their own");
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE | MEMLOCKD_HEAL,
			      NULL));
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	ASSERT_EQ(0, ioctl(disk, FIFREEZE, 0));
	later = thaw_later(disk);
	EXPECT_EQ(0, target_call(&self->target, do_remap, 2000, 0, 0));
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
	TH_LOG("%lu pages healed", healed(self->fd, self->target.pid));
	EXPECT_TRUE(thaw(disk, later));
}

/* The lock would make its pages writable, and does without that. */
TEST_F(heal, file_system_frozen_before_the_lock_stops_nobody)
{
	int disk = open_disk();
	pid_t later;

	if (disk < 0)
		SKIP(return, "the tests' files are not on a disk of their own");
	ASSERT_EQ(0, target_call(&self->target, do_writeback, self->addr, LEN, 0));
	ASSERT_EQ(0, ioctl(disk, FIFREEZE, 0));
	later = thaw_later(disk);
	EXPECT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE | MEMLOCKD_HEAL,
			      NULL));
	check_row(_metadata, self);
	EXPECT_EQ(0, target_call(&self->target, do_remap, 100, 0, 0));
	EXPECT_TRUE(thaw(disk, later));
	EXPECT_EQ(0, unlock_pid(self->fd, self->target.pid));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
