// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flags of page-table entries: a page has been accessed, and written to.  Some processors
 * set neither, and fault instead when a page is accessed, or written to, for the first time.
 * A superlocked process does not fault for that either.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)

FIXTURE(flags)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(flags)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(flags)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
	close(self->fd);
}

static long addr_or_error(void *addr)
{
	return addr == MAP_FAILED ? -errno : (long)addr;
}

static long map_small(int flags, int fd)
{
	void *addr = mmap(NULL, LEN, RW, flags, fd, 0);

	if (addr != MAP_FAILED)
		madvise(addr, LEN, MADV_NOHUGEPAGE);
	return addr_or_error(addr);
}

/* Each makes a mapping, in the target. */

static long shared_anon(long a, long b, long c)
{
	return map_small(MAP_SHARED | MAP_ANONYMOUS, -1);
}

static long memfd(long a, long b, long c)
{
	int fd = memfd_create("flags", MFD_CLOEXEC);
	long addr;

	if (fd < 0 || ftruncate(fd, LEN))
		return -errno;
	addr = map_small(MAP_SHARED, fd);
	close(fd);
	return addr;
}

static long private_file(long a, long b, long c)
{
	int fd = disk_file(LEN);
	long addr;

	if (fd < 0)
		return -errno;
	addr = map_small(MAP_PRIVATE, fd);
	close(fd);
	return addr;
}

static long private_anon(long a, long b, long c)
{
	return map_small(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static long huge(long a, long b, long c)
{
	return do_map_huge(HUGE, RW, MAP_PRIVATE);
}

/* What has been swapped out, if there is where to. */
static long swapped(long a, long b, long c)
{
	long addr = private_anon(0, 0, 0);

	if (addr < 0)
		return addr;
	memset((void *)addr, 1, LEN);
	madvise((void *)addr, LEN, MADV_PAGEOUT);
	return addr;
}

/* What may only be read as yet. */
static long read_only(long a, long b, long c)
{
	long addr = shared_anon(0, 0, 0);

	return addr < 0 ? addr : do_protect(addr, LEN, PROT_READ) ?: addr;
}

FIXTURE_VARIANT(flags)
{
	target_fn map;
	bool protected;
};

FIXTURE_VARIANT_ADD(flags, private_anon) { .map = private_anon };
FIXTURE_VARIANT_ADD(flags, huge) { .map = huge };
FIXTURE_VARIANT_ADD(flags, swapped) { .map = swapped };
FIXTURE_VARIANT_ADD(flags, private_file) { .map = private_file };
FIXTURE_VARIANT_ADD(flags, shared_anon) { .map = shared_anon };
FIXTURE_VARIANT_ADD(flags, memfd) { .map = memfd };
FIXTURE_VARIANT_ADD(flags, made_writable) { .map = read_only, .protected = true };

static long faults(struct target *target)
{
	return target->minflt + target->majflt;
}

/* Faults of a write to each page of what has only been read so far. */
static long write_faults(struct target *target, long addr)
{
	return target_call(target, do_write, addr, LEN, PAGE) ? -1 : faults(target);
}

/* What has been mapped, and read, before the lock. */
TEST_F(flags, first_write_after_the_lock_does_not_fault)
{
	struct target *target = &self->target;
	struct target without;
	long addr;

	target_start(&without);
	addr = target_call(&without, variant->map, 0, 0, 0);
	if (addr < 0) {
		target_stop(&without);
		SKIP(return, "it cannot be mapped here: %s", strerror(-addr));
	}
	ASSERT_EQ(0, target_call(&without, do_read, addr, LEN, PAGE));
	if (variant->protected)
		ASSERT_EQ(0, target_call(&without, do_protect, addr, LEN, RW));
	TH_LOG("without a lock: %ld faults in %ld pages", write_faults(&without, addr), LEN / PAGE);
	target_stop(&without);

	addr = target_call(target, variant->map, 0, 0, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(target, do_read, addr, LEN, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, target->pid, S, CURRENT_FUTURE, NULL));
	if (variant->protected)
		ASSERT_EQ(0, target_call(target, do_protect, addr, LEN, RW));
	ASSERT_EQ(0, target_call(target, do_read, addr, LEN, PAGE));
	EXPECT_EQ(0, faults(target));
	EXPECT_EQ(0, write_faults(target, addr));
	EXPECT_EQ(0, write_faults(target, addr));
}

/* What is mapped after it. */
TEST_F(flags, first_write_to_new_memory_does_not_fault)
{
	struct target *target = &self->target;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, target->pid, S, CURRENT_FUTURE, NULL));
	addr = target_call(target, variant->map, 0, 0, 0);
	if (addr < 0)
		SKIP(return, "it cannot be mapped here: %s", strerror(-addr));
	if (variant->protected)
		ASSERT_EQ(0, target_call(target, do_protect, addr, LEN, RW));
	EXPECT_EQ(0, write_faults(target, addr));
}

/* Nothing tells that somebody has cleared them. */
TEST_F(flags, sync_sets_what_has_been_cleared)
{
	struct target *target = &self->target;
	struct memlockd_sync sync = { .size = sizeof(sync), .target = target->pid };
	char path[64];
	long addr;

	addr = target_call(target, variant->map, 0, 0, 0);
	if (addr < 0)
		SKIP(return, "it cannot be mapped here: %s", strerror(-addr));
	ASSERT_EQ(0, lock_pid(self->fd, target->pid, S, CURRENT_FUTURE, NULL));
	snprintf(path, sizeof(path), "/proc/%d/clear_refs", target->pid);
	ASSERT_TRUE(write_number(path, 1));
	ASSERT_EQ(0, target_call(target, do_read, addr, LEN, PAGE));
	TH_LOG("before it: %ld faults", faults(target));
	ASSERT_TRUE(write_number(path, 1));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	ASSERT_EQ(0, target_call(target, do_read, addr, LEN, PAGE));
	EXPECT_EQ(0, faults(target));
	if (variant->protected)
		ASSERT_EQ(0, target_call(target, do_protect, addr, LEN, RW));
	EXPECT_EQ(0, write_faults(target, addr));
}

TEST_HARNESS_MAIN
