// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAPPINGS tells which pages would fault: what it says of a page is compared with the faults
 * that an access to it takes, page by page, for each kind of mapping, under each lock.
 *
 * Each page is made a mapping of its own, so that there is a row for it: by a flag that has
 * to do with core dumps only, on every other page.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "maps.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#define UNITS		12	/* base pages, or huge pages */
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define WRITEBACK_TIME	"/proc/sys/vm/dirty_writeback_centisecs"
#define KSM(name)	"/sys/kernel/mm/ksm/" name

/* ---- what the target runs ---- */

static sigjmp_buf caught;

static void on_signal(int sig)
{
	siglongjmp(caught, sig);
}

/* What an access has taken. */
struct taken {
	unsigned int faults;
	unsigned int signal;
};

static struct taken touch(volatile char *at, bool write)
{
	struct rusage before, after;
	struct taken taken;

	getrusage(RUSAGE_THREAD, &before);
	taken.signal = sigsetjmp(caught, 1);
	if (!taken.signal) {
		if (write)
			__atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
		else
			(void)*at;
	}
	getrusage(RUSAGE_THREAD, &after);
	taken.faults = after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt;
	return taken;
}

static long do_touch(long addr, long write, long nowhere)
{
	static char somewhere;
	struct taken taken;

	signal(SIGSEGV, on_signal);
	signal(SIGBUS, on_signal);
	/* Once before, for all that an access and a signal need themselves. */
	touch(&somewhere, true);
	touch((volatile char *)nowhere, write);
	taken = touch((volatile char *)addr, write);
	return (long)taken.signal << 32 | taken.faults;
}

/* madvise(2) of every other unit, which gives each an advice by which they are mappings apart. */
static long advise_odd(long addr, long len, long unit, int advice)
{
	long i;

	for (i = unit; i < len; i += 2 * unit) {
		if (madvise((void *)(addr + i), unit, advice))
			return -errno;
	}
	return 0;
}

static long do_split(long addr, long len, long unit)
{
	return advise_odd(addr, len, unit, MADV_DONTDUMP);
}

/* For what never is in a core dump. */
static long do_split_secret(long addr, long len, long unit)
{
	return advise_odd(addr, len, unit, MADV_DONTFORK);
}

static long do_advise_odd(long addr, long len, long advice)
{
	return advise_odd(addr, len, PAGE, advice);
}

static long do_sync(long addr, long len, long c)
{
	return msync((void *)addr, len, MS_SYNC) ? -errno : 0;
}

static long do_fill(long addr, long len, long byte)
{
	memset((void *)addr, byte, len);
	return 0;
}

static void *answer(void *arg)
{
	int fd = (long)arg;
	struct uffd_msg msg;

	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		uint64_t at = msg.arg.pagefault.address & -PAGE;
		struct uffdio_writeprotect writable = { .range = { at, PAGE } };
		struct uffdio_zeropage zero = { .range = { at, PAGE } };

		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			ioctl(fd, UFFDIO_WRITEPROTECT, &writable);
		else
			ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

/* A monitor that answers. */
static int watch(long addr, long len, unsigned long mode, unsigned long features)
{
	int fd = userfault_register(addr, len, mode, features);
	pthread_t thread;

	if (fd >= 0 && pthread_create(&thread, NULL, answer, (void *)(long)fd))
		return -ENOMEM;
	return fd;
}

static long do_watch_missing(long addr, long len, long c)
{
	int fd = watch(addr, len, UFFDIO_REGISTER_MODE_MISSING, 0);

	return fd < 0 ? fd : 0;
}

static long do_watch_writes(long addr, long len, long c)
{
	int fd = watch(addr, len, UFFDIO_REGISTER_MODE_WP, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	struct uffdio_writeprotect protect = {
		.range = { addr, len },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (fd < 0)
		return fd;
	return ioctl(fd, UFFDIO_WRITEPROTECT, &protect) ? -errno : 0;
}

static long do_read_clock(long a, long b, long c)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now);
}

/* ---- the test ---- */

FIXTURE(audit)
{
	struct counters start;
	struct target target;
	unsigned long addr, len, unit;
	long nowhere;		/* where nobody may go */
	long child;
	long hugepages;
	long writeback;
	unsigned int right, faulted, signals, not_to_be_read;
	unsigned long causes;	/* that were given, as bits */
	int fd;
};

/* What becomes of the mapping once it is locked. */
enum event {
	NOTHING,
	FORK,
	WRITEBACK,
	SOFT_DIRTY,
	MERGE,
	ADVISE,		/* every other page, the target itself */
	PROTECT,
};

FIXTURE_VARIANT(audit)
{
	/* Either made by a function of the target ... */
	target_fn map;
	int flags;
	int prot;
	/* ... or found there. */
	const char *name;
	/* Run by the target before the lock, with the address and the length. */
	target_fn before;
	enum event event;
	long event_arg;
	/* Why something has to fault, unless the process is superlocked. */
	unsigned int cause;
	bool huge;
	bool whole;		/* cannot be split */
	bool filled;		/* all of it is written to before */
};

#define C(name)	MEMLOCKD_CAUSE_##name

FIXTURE_VARIANT_ADD(audit, anonymous) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, anonymous_read_only) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = PROT_READ, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, huge_pages) {
	.map = do_map_huge, .flags = MAP_PRIVATE, .prot = RW, .cause = C(NOT_MAPPED),
	.huge = true,
};

FIXTURE_VARIANT_ADD(audit, no_access) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = PROT_NONE,
};

FIXTURE_VARIANT_ADD(audit, shared_anonymous) {
	.map = do_map, .flags = MAP_SHARED, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, memfd_private) {
	.map = map_memfd, .flags = MAP_PRIVATE, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, tmpfs_file) {
	.map = map_tmpfs_file, .flags = MAP_SHARED, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, file_private) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, file_private_read_only) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = PROT_READ, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, file_shared) {
	.map = map_disk_file, .flags = MAP_SHARED, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, file_shared_read_only) {
	.map = map_disk_file, .flags = MAP_SHARED, .prot = PROT_READ, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, beyond_file_private) {
	.map = map_short_disk_file, .flags = MAP_PRIVATE, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, beyond_file_shared) {
	.map = map_short_disk_file, .flags = MAP_SHARED, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, hugetlb_private) {
	.map = map_hugetlb, .flags = MAP_PRIVATE, .prot = RW, .cause = C(NOT_MAPPED),
	.huge = true,
};

FIXTURE_VARIANT_ADD(audit, hugetlb_shared) {
	.map = map_hugetlb, .flags = MAP_SHARED, .prot = RW, .cause = C(NOT_MAPPED),
	.huge = true,
};

FIXTURE_VARIANT_ADD(audit, secret_memory) {
	.map = map_secret, .flags = MAP_SHARED, .prot = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, device_memory) {
	.map = map_bios, .flags = MAP_SHARED, .prot = PROT_READ, .whole = true,
};

FIXTURE_VARIANT_ADD(audit, vdso) {
	.name = "[vdso]", .prot = PROT_READ, .whole = true,
};

FIXTURE_VARIANT_ADD(audit, vvar) {
	.name = "[vvar]", .prot = PROT_READ, .before = do_read_clock, .whole = true,
};

FIXTURE_VARIANT_ADD(audit, userfaultfd_missing) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .before = do_watch_missing,
	.cause = C(USERFAULTFD),
};

FIXTURE_VARIANT_ADD(audit, userfaultfd_write_protected) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .before = do_watch_writes,
	.cause = C(USERFAULTFD), .filled = true,
};

FIXTURE_VARIANT_ADD(audit, swapped) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .filled = true,
	.event = ADVISE, .event_arg = MADV_PAGEOUT, .cause = C(SWAPPED),
};

FIXTURE_VARIANT_ADD(audit, shared_swapped) {
	.map = do_map, .flags = MAP_SHARED, .prot = RW, .filled = true,
	.event = ADVISE, .event_arg = MADV_PAGEOUT, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, given_up) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .filled = true,
	.event = ADVISE, .event_arg = MADV_DONTNEED, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, guard_pages) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW,
	.event = ADVISE, .event_arg = MADV_GUARD_INSTALL, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, guard_pages_of_a_file) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = RW,
	.event = ADVISE, .event_arg = MADV_GUARD_INSTALL, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, after_fork) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .filled = true,
	.event = FORK, .cause = C(COPY_ON_WRITE),
};

FIXTURE_VARIANT_ADD(audit, huge_pages_after_fork) {
	.map = do_map_huge, .flags = MAP_PRIVATE, .prot = RW, .filled = true, .huge = true,
	.event = FORK, .cause = C(COPY_ON_WRITE),
};

FIXTURE_VARIANT_ADD(audit, file_after_fork) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = RW, .filled = true,
	.event = FORK, .cause = C(COPY_ON_WRITE),
};

FIXTURE_VARIANT_ADD(audit, after_writeback) {
	.map = map_disk_file, .flags = MAP_SHARED, .prot = RW, .filled = true,
	.event = WRITEBACK, .cause = C(WRITEBACK),
};

FIXTURE_VARIANT_ADD(audit, soft_dirty_cleared) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .filled = true,
	.event = SOFT_DIRTY, .cause = C(COPY_ON_WRITE),
};

FIXTURE_VARIANT_ADD(audit, shared_soft_dirty_cleared) {
	.map = do_map, .flags = MAP_SHARED, .prot = RW, .filled = true,
	.event = SOFT_DIRTY, .cause = C(WRITE_PROTECTED),
};

FIXTURE_VARIANT_ADD(audit, merged) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .filled = true,
	.event = MERGE, .cause = C(COPY_ON_WRITE),
};

FIXTURE_VARIANT_ADD(audit, made_read_only) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW,
	.event = PROTECT, .event_arg = PROT_READ, .cause = C(NOT_MAPPED),
};

FIXTURE_VARIANT_ADD(audit, made_inaccessible) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW,
	.event = PROTECT, .event_arg = PROT_NONE,
};

FIXTURE_VARIANT_ADD(audit, made_writable) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = PROT_READ,
	.event = PROTECT, .event_arg = RW, .cause = C(NOT_MAPPED),
};

FIXTURE_SETUP(audit)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->hugepages = -1;
	/* A page is written back when the test says so. */
	self->writeback = read_number(WRITEBACK_TIME);
	write_number(WRITEBACK_TIME, 0);
	if (variant->map == map_hugetlb) {
		self->hugepages = read_number(NR_HUGEPAGES);
		write_number(NR_HUGEPAGES, self->hugepages + UNITS);
	}
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(audit)
{
	if (self->child > 0)
		target_call(&self->target, do_reap, self->child, 0, 0);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
	if (self->hugepages >= 0)
		write_number(NR_HUGEPAGES, self->hugepages);
	write_number(WRITEBACK_TIME, self->writeback);
	TH_LOG("%u predictions were right: %u of faults, %u of none, of which %u ended in a signal",
	       self->right, self->faulted, self->right - self->faulted, self->signals);
}

/* Maps it, between two holes, so that it has no neighbours to be merged with; false: skipped. */
static bool make_mapping(struct __test_metadata *_metadata, const FIXTURE_VARIANT(audit) *variant,
			 FIXTURE_DATA(audit) *self)
{
	struct target *t = &self->target;
	struct vma vma;
	long addr;

	self->unit = variant->huge ? HUGE : PAGE;
	self->len = UNITS * self->unit;
	self->nowhere = target_call(t, do_map, PAGE, PROT_NONE, MAP_SHARED);
	EXPECT_LT(0, self->nowhere);
	if (variant->name) {
		EXPECT_TRUE(vma_find(t->pid, variant->name, "r", &vma));
		self->addr = vma.start;
		self->len = vma.end - vma.start;
		return true;
	}
	addr = target_call(t, variant->map, self->len, variant->prot, variant->flags);
	if (addr < 0) {
		TH_LOG("it cannot be mapped here: %s", strerror(-addr));
		return false;
	}
	EXPECT_LT(0, target_call(t, do_map, PAGE, PROT_NONE, MAP_SHARED));
	self->addr = addr;
	if (!variant->whole)
		EXPECT_EQ(0, target_call(t, variant->map == map_secret ? do_split_secret : do_split,
					 addr, self->len, self->unit));
	return true;
}

/* Units by threes: one that is not touched, one that is read, one that is written to. */
static void touch_some(struct __test_metadata *_metadata, const FIXTURE_VARIANT(audit) *variant,
		       FIXTURE_DATA(audit) *self)
{
	unsigned long i;

	if (variant->filled) {
		ASSERT_EQ(0, target_call(&self->target, do_fill, self->addr, self->len, 0x5a));
		return;
	}
	for (i = 0; i < self->len / self->unit; i++) {
		if (i / 2 % 3)
			target_call(&self->target, do_touch, self->addr + i * self->unit,
				    i / 2 % 3 == 2, self->nowhere);
	}
}

/* All pages but one of each content are merged; false when there is no KSM here. */
static bool merge(struct __test_metadata *_metadata, FIXTURE_DATA(audit) *self)
{
	long pages = read_number(KSM("pages_to_scan")), time = read_number(KSM("sleep_millisecs"));
	long scans, i;

	if (access(KSM("run"), F_OK))
		return false;
	EXPECT_EQ(0, target_call(&self->target, do_advise, self->addr, self->len, MADV_MERGEABLE));
	write_number(KSM("pages_to_scan"), 1000);
	write_number(KSM("sleep_millisecs"), 10);
	write_number(KSM("run"), 1);
	/* It merges what has not changed between two scans. */
	scans = read_number(KSM("full_scans"));
	for (i = 0; i < 6000 && read_number(KSM("full_scans")) < scans + 4; i++)
		usleep(10000);
	/* What is merged stays so; it has ended its scan when this returns. */
	write_number(KSM("run"), 0);
	write_number(KSM("pages_to_scan"), pages);
	write_number(KSM("sleep_millisecs"), time);
	return true;
}

/* Whoever clears soft-dirty bits does not wait until a superlock has set them again. */
static void sync_target(struct __test_metadata *_metadata, FIXTURE_DATA(audit) *self)
{
	struct memlockd_sync sync = { .size = sizeof(sync), .target = self->target.pid };

	if (state_of(self->fd, self->target.pid) != MEMLOCKD_STATE_UNLOCKED)
		ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
}

/* False when this kernel has nothing of the kind. */
static bool make_event(struct __test_metadata *_metadata, const FIXTURE_VARIANT(audit) *variant,
		       FIXTURE_DATA(audit) *self)
{
	struct target *t = &self->target;
	char path[64];
	long ret;

	switch (variant->event) {
	case NOTHING:
		return true;
	case FORK:
		self->child = target_call(t, do_fork, 0, 0, 0);
		EXPECT_LT(0, self->child);
		return true;
	case WRITEBACK:
		EXPECT_EQ(0, target_call(t, do_sync, self->addr, self->len, 0));
		return true;
	case SOFT_DIRTY:
		snprintf(path, sizeof(path), "/proc/%d/clear_refs", t->pid);
		if (!write_number(path, 4))
			return false;
		sync_target(_metadata, self);
		return true;
	case MERGE:
		return merge(_metadata, self);
	case ADVISE:
		ret = target_call(t, do_advise_odd, self->addr, self->len, variant->event_arg);
		if (variant->event_arg == MADV_GUARD_INSTALL && ret == -EINVAL)
			return false;
		EXPECT_EQ(0, ret);
		return true;
	case PROTECT:
		EXPECT_EQ(0, target_call(t, do_protect, self->addr, self->len,
					 variant->event_arg));
		return true;
	}
	return false;
}

static void read_row(struct __test_metadata *_metadata, FIXTURE_DATA(audit) *self,
		     unsigned long addr, struct memlockd_mapping *row)
{
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.start = addr,
		.rows = (uintptr_t)row,
		.nr_rows = 1,
		.row_size = sizeof(*row),
	};

	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	ASSERT_EQ(1, arg.out_rows);
	ASSERT_LE(row->start, addr);
	ASSERT_LT(addr, row->end);
	EXPECT_LE(row->read_faults, row->end - row->start);
	EXPECT_LE(row->write_faults, row->end - row->start);
	EXPECT_EQ(0, row->reserved);
	/* What faults has a cause, and nothing else has. */
	EXPECT_EQ(row->read_faults || row->write_faults, row->cause != C(NONE));
	/* What has no page for a read has none for a write. */
	EXPECT_TRUE(row->read_faults <= row->write_faults || !(row->prot & PROT_WRITE));
	EXPECT_TRUE(!row->write_faults || (row->prot & PROT_WRITE));
}

/* One access, and what had been said of it. */
static void check_access(struct __test_metadata *_metadata,
			 const FIXTURE_VARIANT(audit) *variant, FIXTURE_DATA(audit) *self,
			 unsigned long addr, bool write)
{
	struct memlockd_mapping row, after;
	bool predicted, faulted, right;
	unsigned long bytes, left;
	struct taken taken;
	long ret;

	read_row(_metadata, self, addr, &row);
	self->causes |= 1UL << row.cause;
	ret = target_call(&self->target, do_touch, addr, write, self->nowhere);
	taken = (struct taken){ .faults = ret & 0xffffffff, .signal = ret >> 32 };
	read_row(_metadata, self, addr, &after);
	bytes = write ? row.write_faults : row.read_faults;
	left = write ? after.write_faults : after.read_faults;
	faulted = taken.faults;
	if (!variant->whole) {
		ASSERT_EQ(addr, row.start);
		ASSERT_EQ(addr + self->unit, row.end);
	}
	predicted = bytes;
	/* In a row of which only some pages would fault, a fault makes these less. */
	if (bytes != row.end - row.start)
		predicted = left < bytes;
	right = predicted == faulted && (!faulted || left < bytes);
	EXPECT_TRUE(right) {
		TH_LOG("unit %lu, a %s: %s was predicted (%lu bytes, %s), and there were %u faults and signal %u; then %lu bytes",
		       (addr - self->addr) / self->unit, write ? "write" : "read",
		       predicted ? "a fault" : "none", bytes, cause_name(row.cause), taken.faults,
		       taken.signal, left);
		row_print(&row);
	}
	self->right += right;
	self->faulted += right && faulted;
	self->signals += !!taken.signal;
	self->not_to_be_read += !write && taken.signal == SIGBUS;
}

/* When all of a row has been read that can be, nothing is left that would fault. */
static void check_rest(struct __test_metadata *_metadata, FIXTURE_DATA(audit) *self)
{
	struct memlockd_mapping row;

	read_row(_metadata, self, self->addr, &row);
	/* Each page has been read twice. */
	EXPECT_EQ(self->not_to_be_read / 2 * PAGE, row.read_faults);
}

static void check_audit(struct __test_metadata *_metadata, const FIXTURE_VARIANT(audit) *variant,
			FIXTURE_DATA(audit) *self, unsigned int state)
{
	unsigned long i, at;

	if (!make_mapping(_metadata, variant, self))
		SKIP(return, "there is nothing to map");
	touch_some(_metadata, variant, self);
	if (variant->before) {
		long ret = target_call(&self->target, variant->before, self->addr, self->len, 0);

		if (ret)
			SKIP(return, "not on this kernel: %s", strerror(-ret));
	}
	if (state != MEMLOCKD_STATE_UNLOCKED)
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, state, CURRENT_FUTURE, NULL));
	if (!make_event(_metadata, variant, self))
		SKIP(return, "not on this kernel");

	for (i = 0; i < self->len / self->unit; i++) {
		at = self->addr + i * self->unit;
		/* By turns, as the one that comes first decides what the other one finds. */
		check_access(_metadata, variant, self, at, i % 2);
		check_access(_metadata, variant, self, at, i % 2);
		check_access(_metadata, variant, self, at, !(i % 2));
		check_access(_metadata, variant, self, at, !(i % 2));
	}
	if (variant->whole)
		check_rest(_metadata, self);
	for (i = 1; i <= C(FLAGS); i++) {
		if (self->causes & 1UL << i)
			TH_LOG("a cause: %s", cause_name(i));
	}
	/* Else nothing has been shown. */
	EXPECT_LT(0, self->right);
	if (variant->cause && state == MEMLOCKD_STATE_UNLOCKED) {
		EXPECT_LT(0, self->faulted);
		EXPECT_TRUE(self->causes & 1UL << variant->cause);
	}
	/* The exceptions are those that the state itself has. */
	if (state == MEMLOCKD_STATE_SUPERLOCKED && variant->cause != C(USERFAULTFD) &&
	    variant->map != map_disk_file && variant->map != map_short_disk_file)
		EXPECT_EQ(0, self->faulted);
}

TEST_F(audit, unlocked)
{
	check_audit(_metadata, variant, self, MEMLOCKD_STATE_UNLOCKED);
}

TEST_F(audit, locked)
{
	check_audit(_metadata, variant, self, L);
}

TEST_F(audit, superlocked)
{
	check_audit(_metadata, variant, self, S);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
