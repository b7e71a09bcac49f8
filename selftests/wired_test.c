// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm.memlockd.max_wired: unique physical pages, each once, however many mappings
 * and processes have it locked; never over the limit, and nothing left behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define PAGES	64
#define LEN	(PAGES * PAGE)

#define MAX_WIRED	KNOB("max_wired")
#define HUGEPAGES	"/proc/sys/vm/nr_hugepages"

#define NR	3

static int device = -1;

static unsigned long wired(void)
{
	return wired_exactly(device);
}

FIXTURE(wired)
{
	struct counters start;
	struct target t[NR];
	long max_wired;
	char *shared;
	int fd;
};

FIXTURE_VARIANT(wired)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(wired, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(wired, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(wired, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

FIXTURE_SETUP(wired)
{
	int i;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->max_wired = read_number(MAX_WIRED);
	ASSERT_LT(0, self->max_wired);
	counters_start(&self->start);
	/* They all inherit it. */
	self->shared = mmap(NULL, LEN, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	for (i = 0; i < NR; i++)
		target_start(&self->t[i]);
}

FIXTURE_TEARDOWN(wired)
{
	int i;

	write_number(MAX_WIRED, self->max_wired);
	for (i = 0; i < NR; i++)
		target_stop(&self->t[i]);
	EXPECT_TRUE(counters_back(&self->start));
}

#define lock_target(i) \
	lock_pid(self->fd, self->t[i].pid, variant->state, variant->flags, NULL)
#define unlock_target(i)	unlock_pid(self->fd, self->t[i].pid)

/* What changes in a target has to change the count by this. */
#define expect_change(before, by) do { \
	unsigned long now_ = wired(); \
	TH_LOG("wired %lu -> %lu", (before), now_); \
	EXPECT_EQ((before) + (by), now_); \
} while (0)

/* ---- what the kernel itself says of it ---- */

struct pages {
	uint64_t *pfn;
	size_t nr, room;
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void add_page(struct pages *pages, uint64_t pfn)
{
	if (pages->nr == pages->room) {
		pages->room = pages->room ? 2 * pages->room : 4096;
		pages->pfn = reallocarray(pages->pfn, pages->room, 8);
		if (!pages->pfn)
			_exit(KSFT_FAIL);
	}
	pages->pfn[pages->nr++] = pfn;
}

#define PM_FILE		(1ULL << 61)
#define PM_PFN		((1ULL << 55) - 1)

/*
 * All pages that the locked mappings of a process have; hugetlbfs does not count.
 * What a fork(2) has left to two processes, and neither can write, counts for each:
 * an anonymous page is marked with its process.
 */
static void add_process(struct pages *pages, pid_t pid)
{
	char path[64];
	struct vma *vmas;
	long i, nr = vmas_read(pid, &vmas);
	unsigned long at;
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < nr; i++) {
		if (!vma_has(&vmas[i], "lo") || vma_has(&vmas[i], "ht"))
			continue;
		for (at = vmas[i].start; at < vmas[i].end; at += PAGE) {
			if (pread(fd, &entry, 8, at / PAGE * 8) != 8 || !(entry >> 63))
				continue;
			add_page(pages, (entry & PM_PFN) |
				 (entry & PM_FILE ? 0 : (uint64_t)pid << 40));
		}
	}
	close(fd);
	free(vmas);
}

/* Different pages that these processes have locked. */
static unsigned long unique_pages(const struct target *t, int nr)
{
	struct pages pages = {};
	unsigned long unique = 0;
	size_t i;

	while (nr--)
		add_process(&pages, t[nr].pid);
	qsort(pages.pfn, pages.nr, 8, compare);
	for (i = 0; i < pages.nr; i++)
		unique += !i || pages.pfn[i] != pages.pfn[i - 1];
	printf("# %zu pages mapped, %lu of them different\n", pages.nr, unique);
	free(pages.pfn);
	return unique;
}

TEST_F(wired, is_the_number_of_different_pages)
{
	int i;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, lock_target(i));
		EXPECT_EQ(unique_pages(self->t, i + 1), wired() - self->start.wired);
	}
	while (i--) {
		ASSERT_EQ(0, unlock_target(i));
		EXPECT_EQ(i ? unique_pages(self->t, i) : 0, wired() - self->start.wired);
	}
}

/* /bin/cat as often, with nothing in common but files. */
TEST_F(wired, programs_share_the_pages_of_their_files)
{
	unsigned long unique, one = 0, now;
	char byte = 'x';
	int i;

	for (i = 0; i < NR; i++) {
		target_post(&self->t[i], do_exec, 0, 0, 0);
		ASSERT_EQ(1, write(self->t[i].sock, &byte, 1));
		ASSERT_EQ(1, read(self->t[i].sock, &byte, 1));
		ASSERT_EQ(0, lock_target(i));
		unique = unique_pages(self->t, i + 1);
		now = wired() - self->start.wired;
		TH_LOG("%d programs: %lu wired, %lu different pages", i + 1, now, unique);
		EXPECT_EQ(unique, now);
		if (!i)
			one = now;
	}
	EXPECT_LE(now, (NR - 1) * one);
}

/* A superlock may leave private copies of the text, which a weaker one then locks. */
TEST_F(wired, copies_of_an_earlier_superlock_count)
{
	int i;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, lock_pid(self->fd, self->t[i].pid, S,
				      CURRENT_FUTURE | MEMLOCKD_COPY_TEXT, NULL));
		ASSERT_EQ(0, lock_target(i));
	}
	EXPECT_EQ(unique_pages(self->t, NR), wired() - self->start.wired);
	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, unlock_target(i));
	EXPECT_EQ(self->start.wired, wired());
}

TEST_F(wired, private_memory_counts_page_by_page)
{
	unsigned long before;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	expect_change(before, PAGES);
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, PAGE, 0));
	expect_change(before, PAGES - 1);
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr + PAGE, LEN - PAGE, 0));
	expect_change(before, 0);
}

TEST_F(wired, memory_without_access_does_not_count_until_it_has)
{
	unsigned long before;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map, LEN, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	expect_change(before, 0);
	ASSERT_EQ(0, target_call(&self->t[0], do_protect, addr, LEN / 2, RW));
	expect_change(before, PAGES / 2);
	/* What it had stays. */
	ASSERT_EQ(0, target_call(&self->t[0], do_protect, addr, LEN, PROT_NONE));
	TH_LOG("without access again: wired %lu -> %lu", before, wired());
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, LEN, 0));
	expect_change(before, 0);
}

TEST_F(wired, page_mapped_twice_counts_once)
{
	unsigned long before;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map_same, PAGES, PAGES, 0);
	ASSERT_LT(0, addr);
	expect_change(before, 1);
	EXPECT_EQ(vmas_locked(self->t[0].pid), status_bytes(self->t[0].pid, "VmLck"));
	/* Until its last mapping goes. */
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, LEN - PAGE, 0));
	expect_change(before, 1);
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr + LEN - PAGE, PAGE, 0));
	expect_change(before, 0);
	/* Mapped privately and written, there is a page for each. */
	addr = target_call(&self->t[0], do_map_same, PAGES, 0, 0);
	ASSERT_LT(0, addr);
	expect_change(before, PAGES);
}

TEST_F(wired, page_of_many_processes_counts_once)
{
	unsigned long addr = (unsigned long)self->shared, before;
	int i;

	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, lock_target(i));
	before = wired();
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(LEN, present_bytes(self->t[i].pid, addr, addr + LEN));
		ASSERT_EQ(0, target_call(&self->t[i], do_unmap, addr, LEN, 0));
		expect_change(before, i < NR - 1 ? 0UL : -PAGES);
	}
}

TEST_F(wired, parts_of_a_file_that_overlap_count_once)
{
	unsigned long addr = (unsigned long)self->shared, before;
	int i;

	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, lock_target(i));
	before = wired();
	/* 0: [0, 32), 1: [16, 48), 2: [32, 64): all of it still. */
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr + LEN / 2, LEN / 2, 0));
	ASSERT_EQ(0, target_call(&self->t[1], do_unmap, addr, LEN / 4, 0));
	ASSERT_EQ(0, target_call(&self->t[1], do_unmap, addr + 3 * LEN / 4, LEN / 4, 0));
	ASSERT_EQ(0, target_call(&self->t[2], do_unmap, addr, LEN / 2, 0));
	expect_change(before, 0);
	/* Without 0: [16, 64). */
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, LEN / 2, 0));
	expect_change(before, -PAGES / 4);
	/* Without 1: [32, 64). */
	ASSERT_EQ(0, target_call(&self->t[1], do_unmap, addr + LEN / 4, LEN / 2, 0));
	expect_change(before, -PAGES / 2);
}

static int memfd;

static long do_map_memfd(long len, long flags, long c)
{
	memfd = memfd_create("memlockd", 0);
	if (memfd < 0 || ftruncate(memfd, len))
		return -errno;
	return (long)mmap(NULL, len, RW, flags, memfd, 0);
}

static long do_truncate(long len, long b, long c)
{
	return ftruncate(memfd, len) ? -errno : 0;
}

static long do_punch(long at, long len, long c)
{
	return fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len) ? -errno : 0;
}

TEST_F(wired, truncation_frees_it)
{
	unsigned long before;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map_memfd, LEN, MAP_SHARED, 0);
	ASSERT_LT(0, addr);
	expect_change(before, PAGES);
	ASSERT_EQ(0, target_call(&self->t[0], do_truncate, LEN / 2, 0, 0));
	EXPECT_EQ(LEN / 2, present_bytes(self->t[0].pid, addr, addr + LEN));
	expect_change(before, PAGES / 2);
	/* And grown again: nothing there until it is touched. */
	ASSERT_EQ(0, target_call(&self->t[0], do_truncate, LEN, 0, 0));
	ASSERT_EQ(0, target_call(&self->t[0], do_write, addr, LEN, PAGE));
	expect_change(before, PAGES);
	ASSERT_EQ(0, target_call(&self->t[0], do_truncate, 0, 0, 0));
	expect_change(before, 0);
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, LEN, 0));
	expect_change(before, 0);
}

TEST_F(wired, hole_in_a_file_is_printed)
{
	unsigned long before;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map_memfd, LEN, MAP_SHARED, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->t[0], do_punch, 0, LEN / 2, 0));
	/* The count may keep a place in a file that the next touch fills again. */
	TH_LOG("%d pages, half of them punched out: %lu wired", PAGES, wired() - before);
	EXPECT_GE(before + PAGES, wired());
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, LEN, 0));
	expect_change(before, 0);
}

TEST_F(wired, end_of_a_process_frees_it)
{
	unsigned long before = wired();
	char byte = 'x';

	ASSERT_EQ(0, lock_target(0));
	EXPECT_LT(before, wired());
	target_stop(&self->t[0]);
	/* Its memory may be looked at for a moment yet: counters_back() waits. */
	EXPECT_TRUE(counters_back(&self->start));
	ASSERT_EQ(0, lock_target(1));
	EXPECT_LT(before, wired());
	target_post(&self->t[1], do_exec, 0, 0, 0);
	ASSERT_EQ(1, write(self->t[1].sock, &byte, 1));
	ASSERT_EQ(1, read(self->t[1].sock, &byte, 1));
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(wired, second_holder_counts_nothing)
{
	unsigned long before;
	int other = device_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, lock_target(0));
	before = wired();
	ASSERT_EQ(0, lock_pid(other, self->t[0].pid, variant->state, variant->flags, NULL));
	expect_change(before, 0);
	ASSERT_EQ(0, unlock_target(0));
	expect_change(before, 0);
	ASSERT_EQ(0, unlock_pid(other, self->t[0].pid));
	EXPECT_EQ(self->start.wired, wired());
	close(other);
}

/* A part that is locked by itself counts, and once when the whole is locked as well. */
TEST_F(wired, range_counts_once)
{
	pid_t pid = self->t[0].pid;
	unsigned long whole;
	long addr;

	addr = target_call(&self->t[0], do_map_small, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_target(0));
	whole = wired();
	ASSERT_EQ(0, unlock_target(0));
	ASSERT_EQ(0, lock_range(self->fd, pid, variant->state, addr, LEN / 2, NULL));
	EXPECT_EQ(self->start.wired + PAGES / 2, wired());
	ASSERT_EQ(0, lock_target(0));
	expect_change(whole, 0);
	ASSERT_EQ(0, unlock_target(0));
	EXPECT_EQ(self->start.wired + PAGES / 2, wired());
	ASSERT_EQ(0, unlock_range(self->fd, pid, addr, LEN / 2));
	EXPECT_EQ(self->start.wired, wired());
	/* The limit is the same. */
	ASSERT_TRUE(write_number(MAX_WIRED, self->start.wired + PAGES / 2 - 1));
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, variant->state, addr, LEN / 2, NULL));
	ASSERT_TRUE(write_number(MAX_WIRED, self->start.wired + PAGES / 2));
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr, LEN / 2, NULL));
	EXPECT_EQ(0, unlock_range(self->fd, pid, addr, LEN / 2));
	EXPECT_EQ(self->start.wired, wired());
}

/* Nothing tells that a file has been cut: whoever is at the limit looks. */
TEST_F(wired, room_that_has_become_free_is_found)
{
	pid_t pid = self->t[1].pid;
	long addr;

	addr = target_call(&self->t[1], do_map_small, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_LT(0, target_call(&self->t[0], do_map_memfd, LEN, MAP_SHARED, 0));
	ASSERT_EQ(0, lock_target(0));
	ASSERT_TRUE(write_number(MAX_WIRED, wired()));
	EXPECT_EQ(-ENOMEM, lock_range(self->fd, pid, variant->state, addr, LEN, NULL));
	ASSERT_EQ(0, target_call(&self->t[0], do_truncate, 0, 0, 0));
	EXPECT_EQ(0, lock_range(self->fd, pid, variant->state, addr, LEN, NULL));
	EXPECT_EQ(0, unlock_range(self->fd, pid, addr, LEN));
	ASSERT_EQ(0, unlock_target(0));
	EXPECT_EQ(self->start.wired, wired());
}

TEST_F(wired, own_mlock_does_not_count)
{
	long addr;

	addr = target_call(&self->t[0], do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->t[0], do_mlock, addr, LEN, 0));
	EXPECT_EQ(self->start.wired, wired());
	ASSERT_EQ(0, lock_target(0));
	ASSERT_EQ(0, unlock_target(0));
	EXPECT_EQ(self->start.wired, wired());
	EXPECT_EQ(LEN, status_bytes(self->t[0].pid, "VmLck"));
}

TEST_F(wired, hugetlb_does_not_count)
{
	unsigned long size = read_field("/proc/meminfo", "Hugepagesize") * KIB, before;
	long had = read_number(HUGEPAGES), addr;

	if (!write_number(HUGEPAGES, had + 1) || read_number(HUGEPAGES) < had + 1) {
		write_number(HUGEPAGES, had);
		SKIP(return, "no pages for hugetlbfs");
	}
	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map, size, RW, MAP_PRIVATE | MAP_HUGETLB);
	EXPECT_LT(0, addr);
	expect_change(before, 0);
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, size, 0));
	write_number(HUGEPAGES, had);
}

TEST_F(wired, huge_page_counts_as_its_pages)
{
	unsigned long before;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	before = wired();
	addr = target_call(&self->t[0], do_map_huge, HUGE, RW, MAP_PRIVATE);
	if (addr < 0)
		SKIP(return, "no transparent huge pages: %s", strerror(-addr));
	ASSERT_EQ(0, target_call(&self->t[0], do_write, addr, HUGE, HUGE));
	expect_change(before, HUGE / PAGE);
	ASSERT_EQ(0, target_call(&self->t[0], do_unmap, addr, HUGE / 2, 0));
	expect_change(before, (HUGE / 2 + kept_bytes(self->fd, self->t[0].pid)) / PAGE);
}

/* ---- the limit ---- */

TEST_F(wired, limit_is_exact)
{
	unsigned long need, start = wired();
	pid_t pid = self->t[0].pid;
	struct memlockd_lock lock;
	struct counters before, after;

	/* The first superlock makes private copies. */
	ASSERT_EQ(0, lock_target(0));
	ASSERT_EQ(0, unlock_target(0));
	ASSERT_EQ(0, lock_target(0));
	need = wired();
	ASSERT_EQ(0, unlock_target(0));
	counters_read(&before);

	ASSERT_TRUE(write_number(MAX_WIRED, need));
	EXPECT_EQ(0, lock_target(0));
	EXPECT_EQ(need, wired());
	/* Again: it has no more of it then. */
	EXPECT_EQ(0, lock_target(0));
	EXPECT_EQ(need, wired());
	EXPECT_EQ(0, unlock_target(0));

	ASSERT_TRUE(write_number(MAX_WIRED, need - 1));
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	TH_LOG("%lu pages wired before, a lock needs %llu KiB of %llu KiB allowed", start,
	       (unsigned long long)lock.out_needed / KIB,
	       (unsigned long long)lock.out_allowed / KIB);
	EXPECT_EQ(MEMLOCKD_LIMIT_MAX_WIRED, lock.out_limit);
	EXPECT_EQ(need * PAGE, lock.out_needed);
	EXPECT_EQ((need - 1) * PAGE, lock.out_allowed);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_EQ(start, wired());
	counters_read(&after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

/* Memory that is locked already needs no room, whoever asks for it. */
TEST_F(wired, what_is_shared_fits_below_the_limit)
{
	unsigned long first, second;

	ASSERT_EQ(0, lock_target(0));
	ASSERT_EQ(0, lock_target(1));
	second = wired();
	ASSERT_EQ(0, unlock_target(0));
	ASSERT_EQ(0, unlock_target(1));
	ASSERT_EQ(0, lock_target(0));
	first = wired();
	/* Room for what the second does not share. */
	ASSERT_TRUE(write_number(MAX_WIRED, second));
	EXPECT_EQ(0, lock_target(1));
	ASSERT_EQ(0, unlock_target(1));
	ASSERT_TRUE(write_number(MAX_WIRED, second - 1));
	EXPECT_EQ(-ENOMEM, lock_target(1));
	EXPECT_EQ(first, wired());
	TH_LOG("one process: %lu, two: %lu", first, second);
}

TEST_F(wired, lowered_below_the_use_refuses_new_and_breaks_none)
{
	struct memlockd_status before, after;
	struct memlockd_lock lock;
	unsigned long use;
	long addr;

	ASSERT_EQ(0, lock_target(0));
	use = wired();
	ASSERT_EQ(0, status_pid(self->fd, self->t[0].pid, &before));
	ASSERT_TRUE(write_number(MAX_WIRED, 1));
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, self->t[1].pid, variant->state, variant->flags,
				    &lock));
	EXPECT_EQ(MEMLOCKD_LIMIT_MAX_WIRED, lock.out_limit);
	EXPECT_EQ(PAGE, lock.out_allowed);
	ASSERT_EQ(0, status_pid(self->fd, self->t[0].pid, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(use, wired());
	EXPECT_EQ(before.out_locked, status_bytes(self->t[0].pid, "VmLck"));
	EXPECT_EQ(vmas_locked(self->t[0].pid), before.out_locked);
	/* It lives on. */
	addr = target_call(&self->t[0], do_map, LEN, RW, MAP_PRIVATE);
	TH_LOG("mmap(2) of a locked process over the limit: %s",
	       addr > 0 ? "done" : strerror(-addr));
	EXPECT_LT(0, addr);
	EXPECT_EQ(0, target_call(&self->t[0], do_unmap, addr, LEN, 0));
	/* A weaker lock needs nothing, and an unlock neither. */
	EXPECT_EQ(0, lock_pid(self->fd, self->t[0].pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(0, unlock_target(0));
	EXPECT_EQ(self->start.wired, wired());
	EXPECT_EQ(-ENOMEM, lock_target(0));
	ASSERT_TRUE(write_number(MAX_WIRED, self->max_wired));
	EXPECT_EQ(0, lock_target(0));
}

TEST_F(wired, failing_a_hundred_times_leaves_nothing)
{
	struct counters before, after;
	unsigned int i, failed = 0;

	/* The first superlock makes private copies. */
	ASSERT_EQ(0, lock_target(0));
	ASSERT_EQ(0, unlock_target(0));
	counters_read(&before);
	for (i = 0; i < 100; i++) {
		ASSERT_TRUE(write_number(MAX_WIRED, i));
		failed += lock_target(0) == -ENOMEM;
	}
	counters_read(&after);
	TH_LOG("%u of %u failed", failed, i);
	EXPECT_EQ(i, failed);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->t[0].pid));
	EXPECT_EQ(0, status_bytes(self->t[0].pid, "VmLck"));
}

/* ---- many clients at the limit ---- */

#define CLIENTS	6
#define ROUNDS	60

struct crowd {
	pthread_t thread;
	pid_t pid[NR];
	int state, flags;
	unsigned int number, locked, refused, wrong;
};

static void *lock_and_unlock(void *arg)
{
	struct crowd *crowd = arg;
	struct memlockd_lock lock;
	int fd = device_open(), i, err;

	for (i = 0; i < ROUNDS; i++) {
		pid_t pid = crowd->pid[(i + crowd->number) % NR];

		err = lock_pid(fd, pid, crowd->state, crowd->flags, &lock);
		if (!err)
			crowd->locked++;
		else if (err == -ENOMEM && lock.out_limit == MEMLOCKD_LIMIT_MAX_WIRED &&
			 lock.out_needed > lock.out_allowed)
			crowd->refused++;
		else
			crowd->wrong++;
		if (!err && unlock_pid(fd, pid))
			crowd->wrong++;
	}
	close(fd);
	return NULL;
}

TEST_F(wired, sum_never_exceeds_the_limit)
{
	unsigned int samples = 0, locked = 0, refused = 0, wrong = 0, over = 0;
	unsigned long limit, now, most = 0;
	struct crowd crowd[CLIENTS] = {};
	struct memlockd_info info = { .size = sizeof(info) };
	int i, j;

	for (i = 0; i < NR; i++) {
		/* So that each has some of its own. */
		ASSERT_LT(0, target_call(&self->t[i], do_map_small, 4 * LEN, RW, MAP_PRIVATE));
		ASSERT_EQ(0, lock_target(i));
	}
	/* All but one of them fit, to the page. */
	ASSERT_EQ(0, unlock_target(NR - 1));
	limit = wired();
	for (i = 0; i < NR - 1; i++)
		ASSERT_EQ(0, unlock_target(i));
	ASSERT_TRUE(write_number(MAX_WIRED, limit));
	for (i = 0; i < CLIENTS; i++) {
		crowd[i].number = i;
		crowd[i].state = variant->state;
		crowd[i].flags = variant->flags;
		for (j = 0; j < NR; j++)
			crowd[i].pid[j] = self->t[j].pid;
		ASSERT_EQ(0, pthread_create(&crowd[i].thread, NULL, lock_and_unlock, &crowd[i]));
	}
	do {
		now = wired();
		over += now > limit;
		most = now > most ? now : most;
		device_call(self->fd, MEMLOCKD_IOC_INFO, &info);
		over += info.out_wired / PAGE > limit;
		samples++;
	} while (pthread_tryjoin_np(crowd[0].thread, NULL));
	for (i = 0; i < CLIENTS; i++) {
		if (i)
			pthread_join(crowd[i].thread, NULL);
		locked += crowd[i].locked;
		refused += crowd[i].refused;
		wrong += crowd[i].wrong;
	}
	TH_LOG("limit %lu, at most %lu seen in %u samples; %u locks, %u refused, %u wrong", limit,
	       most, samples, locked, refused, wrong);
	EXPECT_EQ(0, over);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(CLIENTS * ROUNDS, locked + refused);
	EXPECT_LT(0, locked);
	EXPECT_LT(0, refused);
	EXPECT_EQ(self->start.wired, wired());
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->fd, self->t[i].pid));
		EXPECT_EQ(0, status_bytes(self->t[i].pid, "VmLck"));
	}
}

static void *lock_in_vain(void *arg)
{
	struct crowd *crowd = arg;
	int fd = device_open(), i;

	for (i = 0; i < 5 * ROUNDS; i++)
		crowd->refused += lock_pid(fd, crowd->pid[0], crowd->state, crowd->flags,
					   NULL) == -ENOMEM;
	close(fd);
	return NULL;
}

/* What is refused has never been wired, not for a moment. */
TEST_F(wired, refused_lock_is_never_in_the_count)
{
	struct crowd crowd[2] = {};
	unsigned int samples = 0, other = 0;
	unsigned long limit, now, most = 0;
	int i;

	ASSERT_EQ(0, lock_target(0));
	limit = wired();
	ASSERT_TRUE(write_number(MAX_WIRED, limit));
	for (i = 0; i < 2; i++) {
		crowd[i].state = variant->state;
		crowd[i].flags = variant->flags;
		crowd[i].pid[0] = self->t[i + 1].pid;
		ASSERT_EQ(0, pthread_create(&crowd[i].thread, NULL, lock_in_vain, &crowd[i]));
	}
	do {
		now = wired();
		other += now != limit;
		most = now > most ? now : most;
		samples++;
	} while (pthread_tryjoin_np(crowd[0].thread, NULL));
	pthread_join(crowd[1].thread, NULL);
	TH_LOG("limit %lu, at most %lu seen in %u samples, %u of them not the limit; %u refused",
	       limit, most, samples, other, crowd[0].refused + crowd[1].refused);
	EXPECT_EQ(0, other);
	EXPECT_EQ(2 * 5 * ROUNDS, crowd[0].refused + crowd[1].refused);
	ASSERT_EQ(0, unlock_target(0));
}

/* ---- the knobs ---- */

FIXTURE(knobs)
{
	struct counters start;
	int fd;
};

FIXTURE_SETUP(knobs)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
}

FIXTURE_TEARDOWN(knobs)
{
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(knobs, default_is_three_quarters_of_ram)
{
	unsigned long ram = read_field("/proc/meminfo", "MemTotal") * KIB / PAGE;
	unsigned long max = read_number(MAX_WIRED);

	/* Read when the module was loaded; the kernel may have freed its own since. */
	TH_LOG("max_wired %lu of %lu pages, %lu.%lu %%", max, ram, 100 * max / ram,
	       1000 * max / ram % 10);
	EXPECT_LE(ram * 74 / 100, max);
	EXPECT_GE(ram * 3 / 4, max);
	EXPECT_EQ(0, read_number(KNOB("unprivileged_mlock")));
	EXPECT_EQ(0, read_number(KNOB("old_mlock")));
	EXPECT_EQ(10, read_number(KNOB("server_timeout")));
}

TEST_F(knobs, info_agrees)
{
	struct memlockd_info info = { .size = sizeof(info) };
	struct target t;

	target_start(&t);
	ASSERT_EQ(0, lock_pid(self->fd, t.pid, L, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	TH_LOG("wired %llu, peak %llu, at most %llu bytes", (unsigned long long)info.out_wired,
	       (unsigned long long)info.out_wired_peak, (unsigned long long)info.out_max_wired);
	EXPECT_LT(0, info.out_wired);
	EXPECT_LE(info.out_wired, info.out_wired_peak);
	EXPECT_EQ(wired() * PAGE, info.out_wired);
	EXPECT_EQ(read_number(KNOB("wired_peak")) * PAGE, info.out_wired_peak);
	EXPECT_EQ(read_number(MAX_WIRED) * PAGE, info.out_max_wired);
	ASSERT_EQ(0, unlock_pid(self->fd, t.pid));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	EXPECT_EQ(wired() * PAGE, info.out_wired);
	target_stop(&t);
}

TEST_F(knobs, peak_is_the_most_that_there_was)
{
	unsigned long peak = read_number(KNOB("wired_peak")), now;
	struct target t;
	long addr;

	if (peak > (unsigned long)read_number(MAX_WIRED) / 2)
		SKIP(return, "more than half of the limit has been wired before");
	target_start(&t);
	/* More than ever before. */
	addr = target_call(&t, do_map, (peak + PAGES) * PAGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, t.pid, L, CURRENT_FUTURE, NULL));
	now = wired();
	EXPECT_LE(peak + PAGES, now);
	EXPECT_EQ(now, read_number(KNOB("wired_peak")));
	ASSERT_EQ(0, unlock_pid(self->fd, t.pid));
	EXPECT_GT(now, wired());
	EXPECT_EQ(now, read_number(KNOB("wired_peak")));
	TH_LOG("peak %lu -> %lu", peak, now);
	target_stop(&t);
}

/* write(2) as it is; 0 or -errno. */
static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

TEST_F(knobs, bad_values_are_refused)
{
	const struct {
		const char *path, *text;
	} bad[] = {
		{ MAX_WIRED, "-1\n" },
		{ MAX_WIRED, "many\n" },
		{ KNOB("unprivileged_mlock"), "2\n" },
		{ KNOB("unprivileged_mlock"), "-1\n" },
		{ KNOB("old_mlock"), "2\n" },
		{ KNOB("old_mlock"), "yes\n" },
		{ KNOB("server_timeout"), "0\n" },
		{ KNOB("server_timeout"), "-1\n" },
		{ KNOB("wired"), "0\n" },
		{ KNOB("wired_peak"), "0\n" },
	};
	unsigned int i;
	long before;
	int err;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		before = read_number(bad[i].path);
		EXPECT_LE(0, before);
		err = write_text(bad[i].path, bad[i].text);
		TH_LOG("%.*s to %s: %s", (int)strlen(bad[i].text) - 1, bad[i].text, bad[i].path,
		       strerror(-err));
		EXPECT_NE(0, err);
		if (strstr(bad[i].path, "/wired"))
			continue;
		EXPECT_EQ(before, read_number(bad[i].path));
		write_number(bad[i].path, before);
	}
}

/* A page of a file, which a frozen file system keeps from being written to. */
static long do_map_disk(long a, long b, long c)
{
	int fd = disk_file(PAGE);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? -errno : (long)p;
}

static void *write_byte(void *addr)
{
	int fd = open("/proc/self/mem", O_RDWR);
	char byte = 1;

	pwrite(fd, &byte, 1, (off_t)addr);
	close(fd);
	return NULL;
}

static void *map_page(void *arg)
{
	munmap(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
	return NULL;
}

/* One thread holds mmap_lock and waits for the file system, another one for mmap_lock. */
static long do_block(long addr, long b, long c)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, write_byte, (void *)addr) ?:
	       -pthread_create(&thread, NULL, map_page, NULL);
}

static long do_read_wired(long a, long b, long c)
{
	return read_number(KNOB("wired"));
}

/* How many threads of a process have @state in their stat; ") D ": they wait for a lock or disk. */
static int threads_in(pid_t pid, const char *state)
{
	char path[PATH_MAX], line[512];
	struct dirent *entry;
	DIR *dir;
	int nr = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		nr += fgets(line, sizeof(line), file) && strstr(line, state);
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return nr;
}

/* Anybody may read it, so it must not wait for a process, nor make one wait. */
TEST_F(knobs, reading_waits_for_no_process)
{
	struct pollfd answer = { .events = POLLIN };
	struct target blocked, reader;
	struct stat dir, root;
	long addr, seen = -1, err = -1;
	int disk, tries;

	if (stat(disk_dir(), &dir) || stat("/", &root) || dir.st_dev == root.st_dev)
		SKIP(return, "the tests' files are not on a disk of their own");
	target_start(&blocked);
	target_start(&reader);
	addr = target_call(&blocked, do_map_disk, 0, 0, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, blocked.pid, L, LIKE_MLOCKALL, NULL));
	ASSERT_LT(0, target_call(&blocked, do_map, LEN, RW, MAP_PRIVATE));
	disk = open(disk_dir(), O_RDONLY | O_DIRECTORY);
	ASSERT_EQ(0, ioctl(disk, FIFREEZE, 0));
	/* Its first thread may be kept waiting as well, before it has made the second. */
	target_post(&blocked, do_block, addr, 0, 0);
	for (tries = 0; tries < 2000 && threads_in(blocked.pid, ") D ") < 2; tries++)
		usleep(10000);
	target_post(&reader, do_read_wired, 0, 0, 0);
	answer.fd = reader.sock;
	if (poll(&answer, 1, 20000) == 1)
		EXPECT_TRUE(target_result(&reader, &seen));
	TH_LOG("%d threads wait, and a reader sees %ld", threads_in(blocked.pid, ") D "), seen);
	EXPECT_EQ(0, ioctl(disk, FITHAW, 0));
	close(disk);
	EXPECT_TRUE(target_result(&blocked, &err));
	EXPECT_EQ(0, err);
	EXPECT_LT(0, seen);
	if (tries == 2000) {
		target_stop(&blocked);
		target_stop(&reader);
		SKIP(return, "nothing has kept the process waiting");
	}
	/* What they have mapped has gone. */
	while (threads_in(blocked.pid, ")") > 1)
		usleep(10000);
	/* What it maps comes to be known, without a lock that is refused. */
	seen = wired();
	ASSERT_LT(0, target_call(&blocked, do_map, LEN, RW, MAP_PRIVATE));
	for (tries = 0; tries < 600 && read_number(KNOB("wired")) != seen + PAGES; tries++)
		usleep(100000);
	TH_LOG("%d pages mapped: %ld -> %ld", PAGES, seen, read_number(KNOB("wired")));
	EXPECT_EQ(seen + PAGES, read_number(KNOB("wired")));
	target_stop(&blocked);
	target_stop(&reader);
}

int main(int argc, char **argv)
{
	need_device();
	device = device_open();
	return test_harness_run(argc, argv);
}
