// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that memory fails under, and pages that are to be taken out of use before it does:
 * a locked process meets what mlockall(2) by itself would have it meet.
 *
 * Each page that is poisoned here is lost until the machine is booted anew, unless
 * hwpoison-inject is loaded; so there are few.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON		100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"
#define LEN		(4 * PAGE)

enum kind { PRIVATE, SHARED, FILE_WRITABLE, FILE_SHARED, NR_KINDS };

static const char *const kinds[] = {
	"private memory", "shared memory", "private file", "shared file",
};

/* In the target: memory of a kind, of which each page is there and has been written to. */
static long do_map_kind(long kind, long b, long c)
{
	bool file = kind == FILE_WRITABLE || kind == FILE_SHARED;
	int flags = kind == SHARED || kind == FILE_SHARED ? MAP_SHARED : MAP_PRIVATE;
	int fd = file ? disk_file(LEN) : -1;
	char *p;

	if (file && fd < 0)
		return -errno;
	p = mmap(NULL, LEN, RW, flags | (file ? 0 : MAP_ANONYMOUS), fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	if (file)
		close(fd);
	return do_write((long)p, LEN, PAGE) ?: (long)p;
}

static sigjmp_buf back;
static volatile sig_atomic_t touching, code;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	code = info->si_code;
	if (touching)
		siglongjmp(back, 1);
}

/* What becomes of a page: the errno of madvise(2), si_code of SIGBUS at the call, at a touch. */
struct outcome {
	int err;
	int at_once;
	int at_touch;
};

static long pack(struct outcome outcome)
{
	return (long)outcome.err << 32 | outcome.at_once << 16 | outcome.at_touch;
}

static struct outcome unpack(long packed)
{
	return (struct outcome){ packed >> 32, packed >> 16 & 0xffff, packed & 0xffff };
}

/* In the target. */
static long do_advise_and_touch(long addr, long advice, long c)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	volatile char *p = (char *)addr;
	struct outcome outcome = {};

	sigaction(SIGBUS, &action, NULL);
	touching = 0;
	code = 0;
	if (madvise((void *)addr, PAGE, advice))
		outcome.err = errno;
	outcome.at_once = code;
	code = 0;
	if (!sigsetjmp(back, 1)) {
		touching = 1;
		*p = *p + 1;
	}
	touching = 0;
	outcome.at_touch = code;
	return pack(outcome);
}

/* The page frame at @addr; 0 when it is not there. */
static unsigned long frame_of(pid_t pid, unsigned long addr)
{
	char path[64];
	uint64_t entry = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, 8, addr / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* A kernel without CONFIG_MEMORY_FAILURE does not know the advice, which is EINVAL. */
static bool memory_can_fail(void)
{
	static int can = -1;

	if (can < 0) {
		void *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		/* Without access there is no page that could be poisoned. */
		can = madvise(p, PAGE, MADV_HWPOISON) && errno != EINVAL;
		munmap(p, PAGE);
	}
	return can;
}

FIXTURE(hwpoison)
{
	struct counters start;
	struct target target;
	unsigned long frames[NR_KINDS];
	int fd;
};

FIXTURE_VARIANT(hwpoison)
{
	int state;
	int flags;
};

/* By the process itself: mlockall(2). */
FIXTURE_VARIANT_ADD(hwpoison, mlockall) { 0, 0 };
FIXTURE_VARIANT_ADD(hwpoison, movable) { L, LIKE_MLOCKALL };
FIXTURE_VARIANT_ADD(hwpoison, locked) { L, CURRENT_FUTURE };
FIXTURE_VARIANT_ADD(hwpoison, superlocked) { S, CURRENT_FUTURE };

FIXTURE_SETUP(hwpoison)
{
	if (!memory_can_fail())
		SKIP(return, "this kernel has no CONFIG_MEMORY_FAILURE");
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

static void unpoison(unsigned long frame)
{
	if (frame)
		write_number(UNPOISON, frame);
}

FIXTURE_TEARDOWN(hwpoison)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
	for (int kind = 0; kind < NR_KINDS; kind++)
		unpoison(self->frames[kind]);
}

static int lock(FIXTURE_DATA(hwpoison) *self, const FIXTURE_VARIANT(hwpoison) *variant)
{
	if (!variant->state)
		return target_call(&self->target, do_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0);
	return lock_pid(self->fd, self->target.pid, variant->state, variant->flags, NULL);
}

static int unlock(FIXTURE_DATA(hwpoison) *self, const FIXTURE_VARIANT(hwpoison) *variant)
{
	if (!variant->state)
		return target_call(&self->target, do_mlockall, 0, 0, 0);
	return unlock_pid(self->fd, self->target.pid);
}

static void nothing_left(struct __test_metadata *_metadata, FIXTURE_DATA(hwpoison) *self, long addr)
{
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmPin"));
	EXPECT_EQ(0, stuck_pages(self->target.pid, addr, addr + LEN));
}

/* Has the second page of @kind advised; what becomes of it. */
static struct outcome advise(FIXTURE_DATA(hwpoison) *self, long addr, enum kind kind, int advice)
{
	struct outcome outcome;

	self->frames[kind] = frame_of(self->target.pid, addr + PAGE);
	outcome = unpack(target_call(&self->target, do_advise_and_touch, addr + PAGE, advice, 0));
	printf("# %s: madvise %s, SIGBUS %d at once, %d at the touch (%d: MCEERR_AR)\n",
	       kinds[kind], outcome.err ? strerrorname_np(outcome.err) : "0",
	       outcome.at_once, outcome.at_touch, BUS_MCEERR_AR);
	return outcome;
}

TEST_F(hwpoison, failed_page_is_sigbus_and_nothing_is_left)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		long addr = target_call(&self->target, do_map_kind, kind, 0, 0);
		struct outcome outcome;

		ASSERT_LT(0, addr);
		ASSERT_EQ(0, lock(self, variant));
		outcome = advise(self, addr, kind, MADV_HWPOISON);
		EXPECT_EQ(BUS_MCEERR_AR, outcome.at_touch);
		/* What is beside it is as it was, and held. */
		EXPECT_EQ(0, target_call(&self->target, do_write, addr, PAGE, PAGE));
		EXPECT_EQ(0, target_call(&self->target, do_write, addr + 2 * PAGE, 2 * PAGE, PAGE));
		EXPECT_EQ(LEN - PAGE, present_bytes(self->target.pid, addr, addr + LEN));
		ASSERT_EQ(0, unlock(self, variant));
		nothing_left(_metadata, self, addr);
	}
}

/* Nor does it keep a lock from succeeding, or from being brought up to date. */
TEST_F(hwpoison, lock_passes_over_failed_page)
{
	long addr = target_call(&self->target, do_map_kind, PRIVATE, 0, 0);
	struct outcome outcome;

	ASSERT_LT(0, addr);
	outcome = advise(self, addr, PRIVATE, MADV_HWPOISON);
	EXPECT_EQ(BUS_MCEERR_AR, outcome.at_touch);
	ASSERT_EQ(0, lock(self, variant));
	if (variant->state) {
		struct memlockd_sync sync = {
			.size = sizeof(sync), .target_type = MEMLOCKD_TARGET_PID,
			.target = self->target.pid,
		};

		EXPECT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	}
	EXPECT_EQ(LEN - PAGE, present_bytes(self->target.pid, addr, addr + LEN));
	ASSERT_EQ(0, unlock(self, variant));
	nothing_left(_metadata, self, addr);
}

/* The process ends while it has such a page, and is locked. */
TEST_F(hwpoison, exit_with_failed_page_leaves_nothing)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		long addr = target_call(&self->target, do_map_kind, kind, 0, 0);

		ASSERT_LT(0, addr);
		ASSERT_EQ(0, lock(self, variant));
		EXPECT_EQ(BUS_MCEERR_AR, advise(self, addr, kind, MADV_HWPOISON).at_touch);
	}
}

/* The kernel splits a huge page first, which a pin would not let it. */
TEST_F(hwpoison, failed_page_of_a_huge_page_is_sigbus_and_the_rest_is_held)
{
	long addr = target_call(&self->target, do_map_huge, HUGE, RW, MAP_PRIVATE);
	unsigned long pinned;

	if (addr < 0)
		SKIP(return, "no transparent huge pages here");
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, HUGE, PAGE));
	ASSERT_EQ(0, lock(self, variant));
	pinned = status_bytes(self->target.pid, "VmPin");
	EXPECT_EQ(BUS_MCEERR_AR, advise(self, addr, PRIVATE, MADV_HWPOISON).at_touch);
	TH_LOG("VmPin %lu -> %lu", pinned, status_bytes(self->target.pid, "VmPin"));
	if (pinned)
		EXPECT_EQ(pinned - PAGE, status_bytes(self->target.pid, "VmPin"));
	EXPECT_EQ(0, target_call(&self->target, do_write, addr, PAGE, PAGE));
	EXPECT_EQ(0, target_call(&self->target, do_write, addr + 2 * PAGE, HUGE - 2 * PAGE, PAGE));
	EXPECT_EQ(HUGE - PAGE, present_bytes(self->target.pid, addr, addr + HUGE));
	ASSERT_EQ(0, unlock(self, variant));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmPin"));
}

/* Another page takes its place, and is held as it was. */
TEST_F(hwpoison, page_taken_out_of_use_is_replaced)
{
	long addr = target_call(&self->target, do_map_kind, PRIVATE, 0, 0);
	unsigned long before, after;
	struct outcome outcome;
	unsigned long pinned;

	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock(self, variant));
	pinned = status_bytes(self->target.pid, "VmPin");
	outcome = advise(self, addr, PRIVATE, MADV_SOFT_OFFLINE);
	before = self->frames[PRIVATE];
	after = frame_of(self->target.pid, addr + PAGE);
	TH_LOG("page frame %#lx -> %#lx, VmPin %lu -> %lu", before, after, pinned,
	       status_bytes(self->target.pid, "VmPin"));
	EXPECT_EQ(0, outcome.err);
	EXPECT_NE(before, after);
	EXPECT_EQ(0, outcome.at_once);
	EXPECT_EQ(0, outcome.at_touch);
	EXPECT_EQ(pinned, status_bytes(self->target.pid, "VmPin"));
	EXPECT_EQ(LEN, present_bytes(self->target.pid, addr, addr + LEN));
	ASSERT_EQ(0, unlock(self, variant));
	nothing_left(_metadata, self, addr);
}

/* Who may not have pages taken out of use is told so, and keeps what is locked. */
TEST_F(hwpoison, without_privilege_it_is_EPERM)
{
	long addr = target_call(&self->target, do_map_kind, PRIVATE, 0, 0);
	struct outcome outcome;
	unsigned long pinned;

	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_drop_cap, CAP_SYS_ADMIN, 0, 0));
	ASSERT_EQ(0, lock(self, variant));
	pinned = status_bytes(self->target.pid, "VmPin");
	outcome = advise(self, addr, PRIVATE, MADV_HWPOISON);
	self->frames[PRIVATE] = 0;
	EXPECT_EQ(EPERM, outcome.err);
	EXPECT_EQ(0, outcome.at_touch);
	EXPECT_EQ(pinned, status_bytes(self->target.pid, "VmPin"));
	ASSERT_EQ(0, unlock(self, variant));
	nothing_left(_metadata, self, addr);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
