// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAPPINGS tells the whole address space, mapping by mapping, however few rows
 * the caller has room for.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

FIXTURE(mappings)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(mappings)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(mappings)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static unsigned int prot_of(const char *perms)
{
	return (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
	       (perms[2] == 'x' ? PROT_EXEC : 0);
}

TEST_F(mappings, rows_are_proc_pid_maps)
{
	struct memlockd_mapping *rows;
	struct vma *vmas;
	long nr, nr_vmas, i;

	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	nr_vmas = vmas_read(self->target.pid, &vmas);
	TH_LOG("%ld rows, %ld lines", nr, nr_vmas);
	ASSERT_EQ(nr_vmas, nr);
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(vmas[i].start, rows[i].start);
		EXPECT_EQ(vmas[i].end, rows[i].end);
		EXPECT_EQ(prot_of(vmas[i].perms), rows[i].prot);
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, rows[i].state);
		EXPECT_EQ(MEMLOCKD_REASON_NOT_COVERED, rows[i].reason);
		EXPECT_EQ(0, rows[i].pinned);
		EXPECT_EQ(present_bytes(self->target.pid, rows[i].start, rows[i].end),
			  rows[i].resident);
	}
	free(rows);
	free(vmas);
}

TEST_F(mappings, few_rows_at_a_time_give_the_same)
{
	const unsigned int sizes[] = { 1, 2, 3, 7, 64 };
	struct memlockd_mapping *all, *some;
	unsigned int i;
	long nr, got;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	nr = mappings_pid(self->fd, self->target.pid, 4096, &all);
	ASSERT_LT(0, nr);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		got = mappings_pid(self->fd, self->target.pid, sizes[i], &some);
		TH_LOG("%u at a time: %ld rows of %ld", sizes[i], got, nr);
		ASSERT_EQ(nr, got);
		EXPECT_EQ(0, memcmp(all, some, nr * sizeof(*all)));
		free(some);
	}
	free(all);
}

TEST_F(mappings, start_within_a_mapping_gives_it_whole)
{
	struct memlockd_mapping row;
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = self->target.pid,
		.rows = (uintptr_t)&row,
		.nr_rows = 1,
		.row_size = sizeof(row),
	};
	long addr, len = 16 * PAGE;

	/* With holes on both sides. */
	addr = target_call(&self->target, do_map, 3 * len, PROT_READ, MAP_SHARED);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, len, 0));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr + 2 * len, len, 0));
	arg.start = addr + len + 5 * PAGE + 123;
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	ASSERT_EQ(1, arg.out_rows);
	EXPECT_EQ(addr + len, row.start);
	EXPECT_EQ(addr + 2 * len, row.end);
	EXPECT_LE(row.end, arg.out_next);

	/* In the hole before it: the next one up. */
	arg.start = addr + PAGE;
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	EXPECT_EQ(addr + len, row.start);

	/* The last byte is its own, the one behind is not. */
	arg.start = addr + 2 * len - 1;
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	EXPECT_EQ(addr + len, row.start);
	arg.start = addr + 2 * len;
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_MAPPINGS, &arg));
	EXPECT_LE(addr + 3 * len, row.start);
}

/* Counted page by page, not by what is at both ends. */
TEST_F(mappings, every_second_page_of_a_mapping_is_half_of_it)
{
	unsigned long len = 1024 * PAGE;
	struct memlockd_mapping *rows, *row;
	long addr, nr;

	addr = target_call(&self->target, do_map_small, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, 2 * PAGE));
	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(present_bytes(self->target.pid, row->start, row->end), row->resident);
	EXPECT_LE(len / 2, row->resident);
	free(rows);
}

/* In the target. */
static long do_map_shared_file(long a, long b, long c)
{
	int fd = disk_file(PAGE);
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	return p == MAP_FAILED ? -errno : (long)p;
}

TEST_F(mappings, lock_says_how_many_fall_short)
{
	struct memlockd_mapping *rows;
	struct memlockd_lock lock;
	unsigned int incomplete;
	const int states[] = { L, S };
	unsigned int i;
	long nr, j;

	if (target_call(&self->target, do_map_shared_file, 0, 0, 0) < 0)
		SKIP(return, "no file on a disk");
	/* A guard does not, as nothing can be missing there. */
	ASSERT_LT(0, target_call(&self->target, do_map, PAGE, PROT_NONE, MAP_PRIVATE));
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, states[i], CURRENT_FUTURE,
				      &lock));
		nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
		for (incomplete = 0, j = 0; j < nr; j++) {
			incomplete += row_incomplete(&rows[j]);
			if (rows[j].reason != MEMLOCKD_REASON_NONE)
				row_print(&rows[j]);
		}
		TH_LOG("%s: %u of %u incomplete", state_name(states[i]), lock.out_incomplete,
		       lock.out_mappings);
		EXPECT_EQ(nr, lock.out_mappings);
		EXPECT_EQ(incomplete, lock.out_incomplete);
		/* A file that is mapped shared is no more than locked. */
		EXPECT_EQ(states[i] == S, incomplete > 0);
		EXPECT_EQ(0, rows_wrong(rows, nr, states[i]));
		free(rows);
	}
}

/* The row that has @addr, by a call of its own. */
static struct memlockd_mapping fresh_row(int fd, pid_t pid, unsigned long addr)
{
	struct memlockd_mapping row = {};
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = pid,
		.start = addr,
		.rows = (uintptr_t)&row,
		.nr_rows = 1,
		.row_size = sizeof(row),
	};

	if (device_call(fd, MEMLOCKD_IOC_MAPPINGS, &arg))
		memset(&row, 0xff, sizeof(row));
	row_print(&row);
	return row;
}

static long map_private_file(long fd, long len, long c)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	return addr == MAP_FAILED ? -errno : (long)addr;
}

TEST_F(mappings, dropped_pages_show_as_missing)
{
	struct memlockd_mapping row;
	long addr, len = 16 * PAGE;
	unsigned long vmpin;
	pid_t pid;
	int file;

	file = disk_file(len);
	if (file < 0)
		SKIP(return, "no file on a disk: %s", strerror(errno));
	target_stop(&self->target);
	target_start_with(&self->target, file);
	pid = self->target.pid;
	addr = target_call(&self->target, map_private_file, file, len, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	/* What the process drops itself is there again when its call returns ... */
	EXPECT_EQ(0, target_call(&self->target, do_advise, addr, len, MADV_DONTNEED));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(MEMLOCKD_REASON_NONE, row.reason);
	EXPECT_EQ(len, row.pinned);
	/* ... but of a file that another truncates nothing is. */
	vmpin = status_bytes(pid, "VmPin");
	ASSERT_EQ(0, ftruncate(file, 0));
	ASSERT_EQ(0, ftruncate(file, len));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_GT(S, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_NOT_PRESENT, row.reason);
	EXPECT_EQ(present_bytes(pid, row.start, row.end), row.resident);
	EXPECT_EQ(row.resident, row.pinned);
	/* No pin keeps what nobody can see any more. */
	TH_LOG("VmPin %lu kB, of which a file that was cut has taken %lu", vmpin / KIB,
	       (vmpin - status_bytes(pid, "VmPin")) / KIB);
	EXPECT_EQ(vmpin - len, status_bytes(pid, "VmPin"));
	/* Touched again they are there, but not pinned. */
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(L, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_NOT_PINNED, row.reason);
	EXPECT_EQ(row.end - row.start, row.resident);
	EXPECT_EQ(row.resident - len, row.pinned);
	close(file);
	/* Locking again mends it. */
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(S, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_NONE, row.reason);
	EXPECT_EQ(row.end - row.start, row.resident);
	EXPECT_EQ(row.end - row.start, row.pinned);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	EXPECT_EQ(0, self->target.minflt);
}

TEST_F(mappings, new_mapping_lacks_pins_until_locked_again)
{
	pid_t pid = self->target.pid;
	long addr, len = 16 * PAGE;
	struct memlockd_mapping row;

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	/* Of a protection that nothing else has. */
	addr = target_call(&self->target, do_map, len, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE);
	ASSERT_LT(0, addr);
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(len, row.resident);
	/* The driver may have pinned it already; if it has not, it says so. */
	if (row.pinned < len) {
		EXPECT_EQ(L, row.state);
		EXPECT_EQ(MEMLOCKD_REASON_NOT_PINNED, row.reason);
	}
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, len, PAGE));
	TH_LOG("%ld faults in what was mapped after the lock", self->target.minflt);
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(S, row.state);
	EXPECT_EQ(len, row.pinned);
}

TEST_F(mappings, unmapped_memory_is_unpinned)
{
	pid_t pid = self->target.pid;
	long addr, len = 16 * PAGE;
	struct memlockd_status before, after;

	addr = target_call(&self->target, do_map, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, status_pid(self->fd, pid, &before));
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr + len / 4, len / 2, 0));
	ASSERT_EQ(0, status_pid(self->fd, pid, &after));
	TH_LOG("pinned %llu, after unmapping %lu: %llu", (unsigned long long)before.out_pinned,
	       len / 2, (unsigned long long)after.out_pinned);
	EXPECT_EQ(before.out_pinned - len / 2, after.out_pinned);
	EXPECT_EQ(after.out_pinned, status_bytes(pid, "VmPin"));
	EXPECT_EQ(before.out_locked - len / 2, after.out_locked);
}

/* A file of @pages, mapped twice: shared and private. */
static long map_file_twice(long pages, long fd, long c)
{
	long len = pages * PAGE;
	char *addr = mmap(NULL, 3 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED ||
	    mmap(addr, len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    mmap(addr + 2 * len, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
		 0) == MAP_FAILED)
		return -errno;
	return (long)addr;
}

TEST_F(mappings, truncated_file_is_told_and_undone)
{
	struct memlockd_mapping row;
	long addr, len = 16 * PAGE;
	pid_t pid;
	int file;

	file = disk_file(len);
	if (file < 0)
		SKIP(return, "no file on a disk: %s", strerror(errno));
	target_stop(&self->target);
	target_start_with(&self->target, file);
	pid = self->target.pid;
	addr = target_call(&self->target, map_file_twice, 16, file, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(MEMLOCKD_REASON_SHARED, row.reason);
	row = fresh_row(self->fd, pid, addr + 2 * len);
	EXPECT_EQ(S, row.state);

	/* It takes the private copies away as well. */
	ASSERT_EQ(0, ftruncate(file, len / 4));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(MEMLOCKD_REASON_END_OF_FILE, row.reason);
	EXPECT_EQ(len / 4, row.resident);
	row = fresh_row(self->fd, pid, addr + 2 * len);
	EXPECT_EQ(MEMLOCKD_REASON_END_OF_FILE, row.reason);
	EXPECT_EQ(len / 4, row.resident);

	/* The same size again, with a hole. */
	ASSERT_EQ(0, ftruncate(file, len));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_SHARED, row.reason);
	EXPECT_EQ(len / 4, row.resident);
	row = fresh_row(self->fd, pid, addr + 2 * len);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row.state);
	EXPECT_EQ(MEMLOCKD_REASON_NOT_PRESENT, row.reason);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	row = fresh_row(self->fd, pid, addr);
	EXPECT_EQ(MEMLOCKD_REASON_SHARED, row.reason);
	EXPECT_EQ(len, row.resident);
	row = fresh_row(self->fd, pid, addr + 2 * len);
	EXPECT_EQ(S, row.state);
	EXPECT_EQ(len, row.pinned);

	ASSERT_EQ(0, fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, len));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	close(file);
}

/* ---- clocks ---- */

/* Enters a time namespace of its own, which unshare(2) makes for children only. */
static long do_enter_time(long a, long b, long c)
{
	int fd;

	if (unshare(CLONE_NEWTIME))
		return -errno;
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME))
		return -errno;
	return close(fd);
}

static long do_look_at_clock(long a, long b, long c)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now) ? -errno : 0;
}

/* What MAPPINGS says of [vvar]. */
static void check_clocks(struct __test_metadata *_metadata, FIXTURE_DATA(mappings) *self,
			 unsigned int state, unsigned int reason)
{
	struct memlockd_mapping *rows, *row = NULL;
	struct vma *vmas;
	long i, nr, nr_vmas = vmas_read(self->target.pid, &vmas);

	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	for (i = 0; i < nr_vmas; i++)
		if (!strcmp(vmas[i].name, "[vvar]"))
			row = row_at(rows, nr, vmas[i].start);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(state, row->state);
	EXPECT_EQ(reason, row->reason);
	free(rows);
	free(vmas);
}

TEST_F(mappings, clocks_that_are_unmapped_are_told)
{
	struct memlockd_lock lock;
	unsigned long complete;
	long err;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, &lock));
	complete = lock.out_incomplete;
	check_clocks(_metadata, self, L, MEMLOCKD_REASON_KERNEL);
	target_call(&self->target, do_look_at_clock, 0, 0, 0);
	EXPECT_EQ(0, self->target.minflt);

	err = target_call(&self->target, do_enter_time, 0, 0, 0);
	if (err)
		SKIP(return, "no time namespaces: %s", strerror(-err));
	check_clocks(_metadata, self, MEMLOCKD_STATE_UNLOCKED, MEMLOCKD_REASON_NOT_PRESENT);
	/* No worker is in that namespace. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, &lock));
	EXPECT_EQ(complete + 1, lock.out_incomplete);
	check_clocks(_metadata, self, MEMLOCKD_STATE_UNLOCKED, MEMLOCKD_REASON_NOT_PRESENT);

	target_call(&self->target, do_look_at_clock, 0, 0, 0);
	TH_LOG("%ld minor faults at the first look at a clock", self->target.minflt);
	EXPECT_EQ(1, self->target.minflt);
	check_clocks(_metadata, self, L, MEMLOCKD_REASON_KERNEL);
	target_call(&self->target, do_look_at_clock, 0, 0, 0);
	EXPECT_EQ(0, self->target.minflt);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
