// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYNC locks what has appeared since the lock unnoticed, tells how much that was,
 * and nothing else.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(16 * PAGE)
#define PIECES	4		/* of a huge page */
#define FILE_LEN (4 * HUGE)

#define KHUGEPAGED(name)	"/sys/kernel/mm/transparent_hugepage/khugepaged/" name

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

FIXTURE(sync)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(sync)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(sync)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static int sync_pid(int fd, pid_t pid, struct memlockd_sync *out)
{
	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	out->target = pid;
	return device_call(fd, MEMLOCKD_IOC_SYNC, out);
}

static void check_sync(struct __test_metadata *_metadata, FIXTURE_DATA(sync) *self,
		       unsigned long locked, unsigned long pinned)
{
	pid_t pid = self->target.pid;
	struct memlockd_sync sync;

	ASSERT_EQ(0, sync_pid(self->fd, pid, &sync));
	TH_LOG("%llu bytes newly locked, %llu pinned", (unsigned long long)sync.out_locked,
	       (unsigned long long)sync.out_pinned);
	EXPECT_EQ(locked, sync.out_locked);
	EXPECT_EQ(pinned, sync.out_pinned);
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
}

static void check_row(struct __test_metadata *_metadata, FIXTURE_DATA(sync) *self,
		      unsigned long addr, int state, int reason, unsigned long pinned)
{
	struct memlockd_mapping *rows, *row;
	long nr;

	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_STREQ(state_name(state), state_name(row->state));
	EXPECT_STREQ(reason_name(reason), reason_name(row->reason));
	EXPECT_EQ(pinned, row->pinned);
	EXPECT_EQ(rows_pinned(rows, nr), status_bytes(self->target.pid, "VmPin"));
	free(rows);
}

TEST_F(sync, unlocked_process_is_ENOENT)
{
	struct memlockd_sync sync;

	EXPECT_EQ(-ENOENT, sync_pid(self->fd, self->target.pid, &sync));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(0, sync_pid(self->fd, self->target.pid, &sync));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	EXPECT_EQ(-ENOENT, sync_pid(self->fd, self->target.pid, &sync));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmLck"));
}

TEST_F(sync, nothing_new_is_nothing_done)
{
	struct memlockd_status before, after;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &before));
	check_sync(_metadata, self, 0, 0);
	check_sync(_metadata, self, 0, 0);
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &after));
	EXPECT_EQ(before.out_state, after.out_state);
	EXPECT_EQ(before.out_lock_flags, after.out_lock_flags);
	EXPECT_EQ(before.out_locked, after.out_locked);
	EXPECT_EQ(before.out_pinned, after.out_pinned);
	EXPECT_EQ(before.out_bookkeeping, after.out_bookkeeping);
}

TEST_F(sync, state_and_flags_stay)
{
	const struct {
		int state, flags;
	} modes[] = {
		{ L, LIKE_MLOCKALL }, { L, CURRENT_FUTURE }, { L, MEMLOCKD_CURRENT },
		{ L, MEMLOCKD_FUTURE }, { S, CURRENT_FUTURE },
	};
	struct memlockd_status status;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, modes[i].state, modes[i].flags,
				      NULL));
		check_sync(_metadata, self, 0, 0);
		ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
		EXPECT_EQ(modes[i].state, status.out_state);
		EXPECT_EQ(modes[i].flags, status.out_lock_flags);
		ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	}
}

static long map_file(long fd, long flags, long prot)
{
	void *addr = mmap(NULL, LEN, prot, flags, fd, 0);

	return addr == MAP_FAILED ? -errno : (long)addr;
}

/* A target with a mapping of LEN bytes of a file that has a quarter of them. */
static long short_file(struct __test_metadata *_metadata, FIXTURE_DATA(sync) *self, int flags,
		       int *file)
{
	long addr;

	*file = disk_file(LEN / 4);
	ASSERT_LE(0, *file);
	target_stop(&self->target);
	target_start_with(&self->target, *file);
	addr = target_call(&self->target, map_file, *file, flags, RW);
	ASSERT_LT(0, addr);
	return addr;
}

TEST_F(sync, what_a_file_has_grown_by_is_pinned)
{
	long addr;
	int file;

	addr = short_file(_metadata, self, MAP_PRIVATE, &file);
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	check_row(_metadata, self, addr, S, MEMLOCKD_REASON_END_OF_FILE, LEN / 4);
	ASSERT_EQ(0, ftruncate(file, LEN));
	check_row(_metadata, self, addr, MEMLOCKD_STATE_UNLOCKED, MEMLOCKD_REASON_NOT_PRESENT,
		  LEN / 4);
	/* VmLck counts addresses, and there are no more of them. */
	check_sync(_metadata, self, 0, LEN - LEN / 4);
	check_row(_metadata, self, addr, S, MEMLOCKD_REASON_NONE, LEN);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, LEN, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	check_sync(_metadata, self, 0, 0);
	close(file);
}

TEST_F(sync, what_a_shared_file_has_grown_by_is_present)
{
	pid_t pid;
	long addr;
	int file;

	addr = short_file(_metadata, self, MAP_SHARED, &file);
	pid = self->target.pid;
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(LEN / 4, present_bytes(pid, addr, addr + LEN));
	ASSERT_EQ(0, ftruncate(file, LEN));
	check_sync(_metadata, self, 0, 0);
	EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
	check_row(_metadata, self, addr, L, MEMLOCKD_REASON_NONE, 0);
	close(file);
}

TEST_F(sync, dropped_pages_come_back)
{
	pid_t pid = self->target.pid;
	struct memlockd_sync sync;
	long addr;

	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	if (target_call(&self->target, do_advise, addr, LEN, MADV_DONTNEED_LOCKED))
		SKIP(return, "this kernel has no MADV_DONTNEED_LOCKED");
	ASSERT_EQ(0, sync_pid(self->fd, pid, &sync));
	EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
	EXPECT_EQ(S, state_of(self->fd, pid));
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, LEN, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	/* What is pinned are the new pages: they survive a fork. */
	addr = target_call(&self->target, do_fork, 0, 0, 0);
	ASSERT_LT(0, addr);
	check_sync(_metadata, self, 0, 0);
	ASSERT_EQ(0, target_call(&self->target, do_reap, addr, 0, 0));
}

/*
 * A pin holds the page that was there. Its successor is mlocked as it is faulted in,
 * and an unlock has to find it, though there is a pin in its place.
 */
static void check_successors(struct __test_metadata *_metadata, FIXTURE_DATA(sync) *self,
			     int state, unsigned long len)
{
	pid_t pid = self->target.pid;
	struct counters now;
	unsigned long stuck;
	long addr;

	addr = target_call(&self->target, len < HUGE ? do_map : do_map_huge, len, RW, MAP_PRIVATE);
	if (addr == -EINVAL && len == HUGE)
		SKIP(return, "this kernel has no transparent huge pages");
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, pid, state, CURRENT_FUTURE, NULL));
	/* Its successors are base pages, so that each is one to be found. */
	if (len == HUGE)
		ASSERT_EQ(0, target_call(&self->target, do_advise, addr, len, MADV_NOHUGEPAGE));
	if (target_call(&self->target, do_advise, addr, len, MADV_DONTNEED_LOCKED))
		SKIP(return, "this kernel has no MADV_DONTNEED_LOCKED");
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	counters_read(&now);
	stuck = stuck_pages(pid, addr, addr + len);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_TRUE(counters_back(&self->start));
	TH_LOG("%lu of %lu pages were mlocked, %lu still are after the unlock", stuck, len / PAGE,
	       stuck_pages(pid, addr, addr + len));
	EXPECT_EQ(len / PAGE, stuck);
	EXPECT_EQ(0, stuck_pages(pid, addr, addr + len));
}

TEST_F(sync, what_took_the_place_of_pinned_pages_is_unlocked)
{
	check_successors(_metadata, self, S, LEN);
	check_successors(_metadata, self, L, LEN);
}

TEST_F(sync, what_took_the_place_of_pinned_huge_pages_is_unlocked)
{
	check_successors(_metadata, self, S, HUGE);
	check_successors(_metadata, self, L, HUGE);
}

/* A huge page has one pin, which has to stay as long as a part of it is mapped. */
static void check_pieces(struct __test_metadata *_metadata, FIXTURE_DATA(sync) *self,
			 int state, bool replace)
{
	pid_t pid = self->target.pid;
	struct counters whole, now;
	struct memlockd_sync sync;
	unsigned long pinned, i;
	long addr;

	addr = target_call(&self->target, do_map_huge, HUGE, RW, MAP_PRIVATE);
	if (addr == -EINVAL)
		SKIP(return, "this kernel has no transparent huge pages");
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, HUGE, PAGE));
	ASSERT_EQ(0, lock_pid(self->fd, pid, state, CURRENT_FUTURE, NULL));
	pinned = status_bytes(pid, "VmPin");
	counters_read(&whole);
	for (i = 0; i < PIECES; i++) {
		unsigned long piece = addr + i * HUGE / PIECES, rest;

		if (!replace) {
			ASSERT_EQ(0, target_call(&self->target, do_unmap, piece, HUGE / PIECES, 0));
			/* All of it counts as long as it is there. */
			if (i == PIECES - 1)
				pinned -= HUGE;
		} else if (target_call(&self->target, do_advise, piece, HUGE / PIECES,
				       MADV_DONTNEED_LOCKED)) {
			SKIP(return, "this kernel has no MADV_DONTNEED_LOCKED");
		} else {
			ASSERT_EQ(0, sync_pid(self->fd, pid, &sync));
			/* Beside what has taken the place of its pieces. */
			pinned += i == PIECES - 1 ? HUGE / PIECES - HUGE : HUGE / PIECES;
		}
		EXPECT_EQ(pinned, status_bytes(pid, "VmPin"));
		if (i == PIECES - 1)
			break;
		/* The rest is what it was. */
		piece += HUGE / PIECES;
		rest = addr + HUGE - piece;
		ASSERT_EQ(0, target_call(&self->target, do_write, piece, rest, PAGE));
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	}
	counters_read(&now);
	TH_LOG("pins of the machine: %ld with the huge page, %ld without it", whole.pins, now.pins);
	EXPECT_EQ(replace ? whole.pins - 1 + (long)(HUGE / PAGE) : whole.pins - 1, now.pins);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(sync, pin_of_a_huge_page_goes_with_its_last_piece)
{
	check_pieces(_metadata, self, S, false);
	check_pieces(_metadata, self, L, false);
}

TEST_F(sync, pin_of_a_huge_page_goes_with_its_last_replaced_piece)
{
	check_pieces(_metadata, self, S, true);
	check_pieces(_metadata, self, L, true);
}

/* A file of its own, where huge pages could be made of it; all of it has been read. */
static long do_map_file(long len, long flags, long c)
{
	long addr = do_map_huge(len, PROT_READ, MAP_PRIVATE);
	int fd = disk_file(len);

	if (fd < 0 || addr < 0)
		return fd < 0 ? -errno : addr;
	if (mmap((void *)addr, len, PROT_READ, flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	close(fd);
	do_read(addr, len, PAGE);
	return addr;
}

/* Three times through all processes, but not for ever where it has nothing to do. */
static void run_khugepaged(void)
{
	long pages = read_number(KHUGEPAGED("pages_to_scan"));
	long sleep = read_number(KHUGEPAGED("scan_sleep_millisecs"));
	long scans = read_number(KHUGEPAGED("full_scans")) + 3;
	int i;

	write_number(KHUGEPAGED("pages_to_scan"), 65536);
	write_number(KHUGEPAGED("scan_sleep_millisecs"), 1);
	for (i = 0; i < 10000 && read_number(KHUGEPAGED("full_scans")) < scans; i++)
		usleep(1000);
	write_number(KHUGEPAGED("pages_to_scan"), pages);
	write_number(KHUGEPAGED("scan_sleep_millisecs"), sleep);
}

/*
 * Newer kernels make huge pages of files, and do not map them: that takes a fault each.  What is
 * held is out of their reach.
 */
TEST_F(sync, no_huge_pages_are_made_of_files)
{
	const int flags[] = { MAP_SHARED, MAP_PRIVATE };
	struct memlockd_mapping *rows, *row;
	pid_t pid = self->target.pid;
	struct target control;
	long addr[2], nr, other;
	unsigned int i;

	if (read_number(KHUGEPAGED("full_scans")) < 0)
		SKIP(return, "this kernel has no transparent huge pages");
	for (i = 0; i < 2; i++) {
		addr[i] = target_call(&self->target, do_map_file, FILE_LEN, flags[i], 0);
		ASSERT_LT(0, addr[i]);
	}
	target_start(&control);
	other = target_call(&control, do_map_file, FILE_LEN, MAP_SHARED, 0);
	ASSERT_LT(0, other);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	run_khugepaged();

	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	for (i = 0; i < 2; i++) {
		row = row_at(rows, nr, addr[i]);
		ASSERT_NE(NULL, row);
		row_print(row);
		EXPECT_EQ(S, row->state);
		EXPECT_EQ(FILE_LEN, present_bytes(pid, addr[i], addr[i] + FILE_LEN));
		ASSERT_EQ(0, target_call(&self->target, do_read, addr[i], FILE_LEN, PAGE));
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	}
	free(rows);
	TH_LOG("without a lock %lu of %lu bytes are still there",
	       present_bytes(control.pid, other, other + FILE_LEN), (unsigned long)FILE_LEN);
	target_stop(&control);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(sync, mappings_after_a_lock_without_future_are_locked)
{
	pid_t pid = self->target.pid;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, NULL));
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(0, present_bytes(pid, addr, addr + LEN));
	check_sync(_metadata, self, LEN, LEN);
	EXPECT_EQ(LEN, present_bytes(pid, addr, addr + LEN));
	/* Those after it are not. */
	addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	ASSERT_LT(0, addr);
	EXPECT_EQ(0, present_bytes(pid, addr, addr + LEN));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
