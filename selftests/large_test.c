// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces of unusual size and shape: huge reserves, thousands of mappings,
 * one page many times, huge pages in halves, the ends of the address space.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define TIB		(1UL << 40)
#define NR_MAPPINGS	10000
#define NR_TIMES	1000

FIXTURE(large)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_VARIANT(large)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(large, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(large, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(large, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

FIXTURE_SETUP(large)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(large)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

static void check_unlocked(struct __test_metadata *_metadata, int fd, pid_t pid)
{
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_EQ(0, vmas_locked(pid));
}

TEST_F(large, reserve_of_a_tebibyte_costs_nothing)
{
	pid_t pid = self->target.pid;
	unsigned long rss, tables;
	struct memlockd_status status;
	struct memlockd_lock lock;
	long addr;

	addr = target_call(&self->target, do_map, TIB, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
	if (addr < 0)
		SKIP(return, "cannot reserve a tebibyte: %s", strerror(-addr));
	rss = status_bytes(pid, "VmRSS");
	tables = status_bytes(pid, "VmPTE");
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	ASSERT_EQ(0, status_pid(self->fd, pid, &status));
	TH_LOG("locked %llu MB, RSS %lu -> %lu kB, page tables %lu -> %lu kB, bookkeeping %llu B",
	       (unsigned long long)lock.out_locked / MIB, rss / KIB,
	       status_bytes(pid, "VmRSS") / KIB, tables / KIB, status_bytes(pid, "VmPTE") / KIB,
	       (unsigned long long)status.out_bookkeeping);
	/* Charged by its size, as by mlock(2); but nothing is allocated for it. */
	EXPECT_LE(TIB, lock.out_locked);
	EXPECT_EQ(vmas_locked(pid), lock.out_locked);
	EXPECT_GT(16 * MIB, status_bytes(pid, "VmRSS"));
	EXPECT_GT(MIB, status_bytes(pid, "VmPTE"));
	EXPECT_GT(MIB, status.out_bookkeeping);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
}

TEST_F(large, more_than_the_machine_has_is_refused)
{
	unsigned long total = read_field("/proc/meminfo", "MemTotal") * KIB;
	const int prots[] = { RW, PROT_READ };
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	unsigned int i;
	long addr;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		addr = target_call(&self->target, do_map, TIB, prots[i],
				   MAP_PRIVATE | MAP_NORESERVE);
		if (addr < 0)
			SKIP(return, "cannot map a tebibyte: %s", strerror(-addr));
		EXPECT_EQ(-ENOMEM, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
		TH_LOG("needed %llu MB, allowed %llu MB, the machine has %lu MB",
		       (unsigned long long)lock.out_needed / MIB,
		       (unsigned long long)lock.out_allowed / MIB, total / MIB);
		EXPECT_EQ(MEMLOCKD_LIMIT_RAM, lock.out_limit);
		EXPECT_LE(TIB, lock.out_needed);
		EXPECT_GE(total, lock.out_allowed);
		EXPECT_LT(0, lock.out_allowed);
		check_unlocked(_metadata, self->fd, pid);
		EXPECT_GT(16 * MIB, status_bytes(pid, "VmRSS"));
		ASSERT_EQ(0, target_call(&self->target, do_unmap, addr, TIB, 0));
	}
}

/* Mappings of a page each, no two neighbours alike. */
static long do_alternate(long addr, long pages, long prot)
{
	long i;

	for (i = 0; i < pages; i += 2) {
		if (mprotect((void *)(addr + i * PAGE), PAGE, prot))
			return -errno;
	}
	return 0;
}

TEST_F(large, ten_thousand_mappings_are_locked_and_told)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *all, *some;
	struct memlockd_lock lock;
	long addr, nr, nr_vmas, i;
	struct vma *vmas;
	int wrong = 0;

	addr = target_call(&self->target, do_map, NR_MAPPINGS * PAGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_alternate, addr, NR_MAPPINGS, PROT_READ));
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	nr = mappings_pid(self->fd, pid, 2 * NR_MAPPINGS, &all);
	TH_LOG("%ld rows, %llu kB locked, %llu kB pinned", nr,
	       (unsigned long long)lock.out_locked / KIB,
	       (unsigned long long)lock.out_pinned / KIB);
	ASSERT_LT(NR_MAPPINGS, nr);
	EXPECT_EQ(nr, lock.out_mappings);
	ASSERT_EQ(nr, mappings_pid(self->fd, pid, 100, &some));
	EXPECT_EQ(0, memcmp(all, some, nr * sizeof(*all)));
	EXPECT_EQ(0, rows_wrong(all, nr, variant->state));
	EXPECT_EQ(lock.out_pinned, rows_pinned(all, nr));
	nr_vmas = vmas_read(pid, &vmas);
	ASSERT_EQ(nr_vmas, nr);
	for (i = 0; i < nr; i++)
		wrong += vmas[i].start != all[i].start || vmas[i].end != all[i].end;
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(lock.out_locked, vmas_locked(pid));
	ASSERT_EQ(0, target_call(&self->target, do_read, addr, NR_MAPPINGS * PAGE, PAGE));
	TH_LOG("reading all: %ld faults", self->target.minflt + self->target.majflt);
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_TRUE(counters_back(&self->start));
	free(all);
	free(some);
	free(vmas);
}

TEST_F(large, one_page_mapped_many_times)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows;
	unsigned long resident = 0, pinned = 0, expected, vmpin;
	struct memlockd_lock lock;
	long addr, nr, i;

	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	vmpin = lock.out_pinned;
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	addr = target_call(&self->target, do_map_same, NR_TIMES, NR_TIMES / 2, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	nr = mappings_pid(self->fd, pid, 4096, &rows);
	ASSERT_LE(NR_TIMES, nr);
	for (i = 0; i < nr; i++) {
		if (rows[i].start < addr || rows[i].start >= addr + NR_TIMES * PAGE)
			continue;
		resident += rows[i].resident;
		pinned += rows[i].pinned;
	}
	TH_LOG("%d mappings: %lu pages resident, %lu pinned", NR_TIMES, resident / PAGE,
	       pinned / PAGE);
	EXPECT_EQ(NR_TIMES * PAGE, resident);
	/* The private ones have pages of their own, the shared one a pin for each mapping. */
	expected = variant->flags & MEMLOCKD_MOVABLE ? 0 : NR_TIMES / 2;
	if (variant->state == S)
		expected = NR_TIMES;
	EXPECT_EQ(expected * PAGE, pinned);
	EXPECT_EQ(vmpin + pinned, lock.out_pinned);
	EXPECT_EQ(vmpin + pinned, status_bytes(pid, "VmPin"));
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, NR_TIMES * PAGE, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_TRUE(counters_back(&self->start));
	free(rows);
}

/* Huge pages on both sides of a mapping's ends, of which half is given up. */
static long do_map_halves(long huge, long b, long c)
{
	long addr = do_map(4 * huge, RW, MAP_PRIVATE), start;

	if (addr < 0)
		return addr;
	start = (addr + huge - 1) & -huge;
	if (madvise((void *)start, 3 * huge, MADV_HUGEPAGE))
		return -errno;
	do_write(start, 3 * huge, huge);
	/* From the middle of the first to the middle of the last. */
	munmap((void *)addr, start + huge / 2 - addr);
	munmap((void *)(start + 5 * huge / 2), addr + 4 * huge - (start + 5 * huge / 2));
	return start + huge / 2;
}

/* A pin on a half keeps the whole. */
TEST_F(large, halves_of_huge_pages_are_counted_as_wholes)
{
	pid_t pid = self->target.pid;
	unsigned long huge = 2 * MIB, pins, kept;
	struct memlockd_mapping *rows, *row;
	struct memlockd_lock lock;
	long addr, nr;

	addr = target_call(&self->target, do_map_halves, huge, 0, 0);
	if (addr < 0)
		SKIP(return, "no transparent huge pages: %s", strerror(-addr));
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	pins = variant->flags & MEMLOCKD_MOVABLE ? 0 : 2 * huge;
	kept = pins / 2;
	EXPECT_EQ(2 * huge, row->resident);
	EXPECT_EQ(pins, row->pinned);
	EXPECT_EQ(lock.out_pinned, rows_pinned(rows, nr) + kept);
	EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	free(rows);

	/* And a quarter of one goes while it is locked. */
	ASSERT_EQ(0, target_call(&self->target, do_unmap, addr + huge / 2, huge / 4, 0));
	EXPECT_EQ(vmas_locked(pid), status_bytes(pid, "VmLck"));
	EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
	ASSERT_EQ(0, target_call(&self->target, do_write, addr + huge, huge, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_TRUE(counters_back(&self->start));
}

/* The first and the last page that a process can have. */
TEST_F(large, both_ends_of_the_address_space)
{
	const unsigned long last = (1UL << 47) - 2 * PAGE;
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows;
	struct memlockd_lock lock;
	long nr;

#ifndef __x86_64__
	SKIP(return, "where the address space ends is known for x86-64 only");
#endif
	if (target_call(&self->target, do_map_at, 0, PAGE, RW) ||
	    target_call(&self->target, do_map_at, last, PAGE, RW) != last)
		SKIP(return, "cannot map the first or the last page");
	ASSERT_EQ(0, lock_pid(self->fd, pid, variant->state, variant->flags, &lock));
	nr = mappings_pid(self->fd, pid, 1, &rows);
	ASSERT_LT(2, nr);
	EXPECT_EQ(nr, lock.out_mappings);
	row_print(&rows[0]);
	row_print(&rows[nr - 1]);
	EXPECT_EQ(0, rows[0].start);
	EXPECT_EQ(PAGE, rows[0].resident);
	EXPECT_EQ(last, rows[nr - 1].start);
	EXPECT_EQ(last + PAGE, rows[nr - 1].end);
	EXPECT_EQ(PAGE, rows[nr - 1].resident);
	EXPECT_EQ(0, rows_wrong(rows, nr, variant->state));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
	free(rows);
}

TEST_F(large, kill_of_a_client_that_locks_a_large_range_is_heeded)
{
	unsigned long len = read_field("/proc/meminfo", "MemAvailable") * KIB / 2, before, rss;
	pid_t pid = self->target.pid;
	struct target client;
	int tries;
	long addr;

	/* Enough to be in the middle of, whatever the machine has. */
	len = (len > 512 * MIB ? 512 * MIB : len) & -PAGE;
	addr = target_call(&self->target, do_map, len, RW, MAP_PRIVATE | MAP_NORESERVE);
	ASSERT_LT(0, addr);
	target_start_with(&client, self->fd);
	before = status_bytes(pid, "VmRSS");
	target_post(&client, do_lock, self->fd, pid, STATE_FLAGS(variant->state, variant->flags));
	for (tries = 0; tries < 100000 && status_bytes(pid, "VmRSS") <= before + 4 * MIB; tries++)
		sched_yield();
	EXPECT_EQ(SIGKILL, target_stop(&client));
	rss = status_bytes(pid, "VmRSS") - before;
	TH_LOG("killed with %lu of %lu MB done", rss / MIB, len / MIB);
	EXPECT_GT(len, rss);
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_TRUE(counters_back(&self->start));
}

/* The client is in the pass that marks the mappings, before it makes anything present. */
TEST_F(large, kill_of_a_client_that_locks_many_shared_mappings_is_heeded)
{
	const unsigned long nr = 10000;
	pid_t pid = self->target.pid;
	unsigned long locked = 0;
	struct target client;
	int tries;
	long addr;

	addr = target_call(&self->target, do_map_same, nr, nr, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->target, do_read, addr, nr * PAGE, PAGE));
	target_start_with(&client, self->fd);
	target_post(&client, do_lock, self->fd, pid, STATE_FLAGS(variant->state, variant->flags));
	for (tries = 0; tries < 100000 && !locked; tries++) {
		sched_yield();
		locked = status_bytes(pid, "VmLck");
	}
	EXPECT_EQ(SIGKILL, target_stop(&client));
	TH_LOG("killed with %lu kB VM_LOCKED of %lu mappings, %lu kB are left", locked / KIB, nr,
	       status_bytes(pid, "VmLck") / KIB);
	/* It may have been done before. */
	if (state_of(self->fd, pid) != MEMLOCKD_STATE_UNLOCKED)
		EXPECT_EQ(0, unlock_pid(self->fd, pid));
	check_unlocked(_metadata, self->fd, pid);
	EXPECT_TRUE(counters_back(&self->start));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
