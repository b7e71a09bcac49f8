// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every kind of mapping, under every lock: all of it is present and pinned as the
 * contract says, its row says so or says why not, touching it faults no more, and
 * after the unlock nothing is left.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>
#include <time.h>

#include "kselftest_harness.h"
#include "maps.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif

#define PAGES		64
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define THP_ENABLED	"/sys/kernel/mm/transparent_hugepage/enabled"

/* COPIED: SUPERLOCKED, with MEMLOCKD_COPY_TEXT. */
enum mode { MOVABLE, LOCKED, SUPERLOCKED, MODES, COPIED = MODES };

enum part {
	NOTHING,
	IN_FILE,	/* the pages of a mapping that its file has */
	ALL,
	WHATEVER,	/* the contract does not say */
};

/* What the contract promises about a mapping. */
struct promise {
	enum part resident;
	enum part pinned;
	unsigned int state;
	unsigned int reason;
};

#define U	MEMLOCKD_STATE_UNLOCKED
#define R(name)	MEMLOCKD_REASON_##name

static const struct promise private_writable[MODES] = {
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, ALL, L, R(NONE) },
	{ ALL, ALL, S, R(NONE) },
};

static const struct promise private_read_only[MODES] = {
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, ALL, S, R(NONE) },
};

/* Others map it, too: what is pinned of it is held as well, see hold_test. */
static const struct promise shared[MODES] = {
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, ALL, S, R(NONE) },
};

static const struct promise shared_file_writable[MODES] = {
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, NOTHING, L, R(WRITEBACK) },
};

/* Cannot be pinned, but no more can it be moved. */
static const struct promise secret[MODES] = {
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, NOTHING, L, R(NONE) },
	{ ALL, NOTHING, S, R(NONE) },
};

static const struct promise no_access[MODES] = {
	{ NOTHING, NOTHING, L, R(NO_ACCESS) },
	{ NOTHING, NOTHING, L, R(NO_ACCESS) },
	{ NOTHING, NOTHING, L, R(NO_ACCESS) },
};

static const struct promise device[MODES] = {
	{ NOTHING, NOTHING, U, R(DEVICE) },
	{ NOTHING, NOTHING, U, R(DEVICE) },
	{ NOTHING, NOTHING, U, R(DEVICE) },
};

/* Always in memory, so that it is as good as locked. */
static const struct promise kernel_pages[MODES] = {
	{ WHATEVER, NOTHING, L, R(KERNEL) },
	{ WHATEVER, NOTHING, L, R(KERNEL) },
	{ WHATEVER, NOTHING, L, R(KERNEL) },
};

static const struct promise droppable[MODES] = {
	{ WHATEVER, NOTHING, U, R(DROPPABLE) },
	{ WHATEVER, NOTHING, U, R(DROPPABLE) },
	{ WHATEVER, NOTHING, U, R(DROPPABLE) },
};

static const struct promise userfault[MODES] = {
	{ WHATEVER, WHATEVER, U, R(USERFAULTFD) },
	{ WHATEVER, WHATEVER, U, R(USERFAULTFD) },
	{ WHATEVER, WHATEVER, U, R(USERFAULTFD) },
};

static const struct promise beyond_file_private[MODES] = {
	{ IN_FILE, NOTHING, L, R(END_OF_FILE) },
	{ IN_FILE, IN_FILE, L, R(END_OF_FILE) },
	{ IN_FILE, IN_FILE, S, R(END_OF_FILE) },
};

static const struct promise beyond_file_shared[MODES] = {
	{ IN_FILE, NOTHING, L, R(END_OF_FILE) },
	{ IN_FILE, NOTHING, L, R(END_OF_FILE) },
	{ IN_FILE, NOTHING, L, R(END_OF_FILE) },
};

/* How a target touches its mapping. */
enum touch { READ, WRITE, CLOCK, NOT };

struct request {
	unsigned long len;
	int prot;
	int flags;
};

/* ---- what the target runs ---- */

/* The first half is missing for good: nobody answers. */
static long register_userfault(long addr, long len, long c)
{
	int fd = userfault_register(addr, len, UFFDIO_REGISTER_MODE_MISSING, 0);

	return fd < 0 ? fd : 0;
}

static long read_clock(long a, long b, long c)
{
	struct timespec now;
	int i;

	for (i = 0; i < 100; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	return 0;
}

/* Touch every other page of the second half, reading and writing by turns. */
static long touch_some(long addr, long len, long write)
{
	long i;

	for (i = len / 2; i < len; i += 4 * PAGE) {
		do_read(addr + i, PAGE, PAGE);
		if (write)
			do_write(addr + i + 2 * PAGE, PAGE, PAGE);
	}
	return 0;
}

FIXTURE(kind)
{
	struct counters start;
	struct target target;
	unsigned long addr, len;
	unsigned long locked_before;
	long hugepages;
	bool skipped;
	int fd;
};

FIXTURE_VARIANT(kind)
{
	/* Either made by a function of the target ... */
	target_fn map;
	int flags;
	/* ... or found there, by name and permissions. */
	const char *name;
	const char *perms;
	int prot;
	enum touch touch;
	unsigned int kind;
	const struct promise *promises;
	bool huge;
	bool userfault;
	bool not_charged;
	bool short_file;
	/* Unevictable even without a lock, as secretmem is. */
	bool always_unevictable;
	/* Writes may fault, as the file system wants to know of them. */
	bool writes_fault;
};

FIXTURE_VARIANT_ADD(kind, anonymous) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, anonymous_huge_page) {
	.map = do_map_huge, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE, .huge = true,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, anonymous_read_only) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = PROT_READ, .touch = READ,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_read_only,
};

FIXTURE_VARIANT_ADD(kind, anonymous_executable) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW | PROT_EXEC, .touch = WRITE,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, file_private_writable) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, file_private_read_only) {
	.map = map_disk_file, .flags = MAP_PRIVATE, .prot = PROT_READ, .touch = READ,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = private_read_only,
};

FIXTURE_VARIANT_ADD(kind, library_text) {
	.name = "/libc.so", .perms = "r-xp", .prot = PROT_READ | PROT_EXEC, .touch = READ,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = private_read_only,
};

FIXTURE_VARIANT_ADD(kind, library_data) {
	.name = "/libc.so", .perms = "rw-p", .prot = RW, .touch = READ,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, shared_anonymous) {
	.map = do_map, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_SHMEM, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, memfd) {
	.map = map_memfd, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_SHMEM, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, tmpfs_file) {
	.map = map_tmpfs_file, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_SHMEM, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, tmpfs_file_private) {
	.map = map_tmpfs_file, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, system_v) {
	.map = map_sysv, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_SHMEM, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, hugetlb_private) {
	.map = map_hugetlb, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE, .huge = true,
	.kind = MEMLOCKD_KIND_HUGETLB, .promises = private_writable, .not_charged = true,
};

FIXTURE_VARIANT_ADD(kind, hugetlb_shared) {
	.map = map_hugetlb, .flags = MAP_SHARED, .prot = RW, .touch = WRITE, .huge = true,
	.kind = MEMLOCKD_KIND_HUGETLB, .promises = shared, .not_charged = true,
};

FIXTURE_VARIANT_ADD(kind, file_shared_read_only) {
	.map = map_disk_file, .flags = MAP_SHARED, .prot = PROT_READ, .touch = READ,
	.kind = MEMLOCKD_KIND_FILE_SHARED, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, file_shared_writable) {
	.map = map_disk_file, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_FILE_SHARED, .promises = shared_file_writable, .writes_fault = true,
};

FIXTURE_VARIANT_ADD(kind, disk_shared) {
	.map = map_disk, .flags = MAP_SHARED, .prot = PROT_READ, .touch = READ,
	.kind = MEMLOCKD_KIND_FILE_SHARED, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, disk_private) {
	.map = map_disk, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, zero_private) {
	.map = map_zero, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, zero_shared) {
	.map = map_zero, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_SHMEM, .promises = shared,
};

FIXTURE_VARIANT_ADD(kind, stack) {
	.name = "[stack]", .perms = "rw", .prot = RW, .touch = READ,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, heap) {
	.map = map_heap, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, grows_down) {
	.map = map_growsdown, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_ANON, .promises = private_writable,
};

FIXTURE_VARIANT_ADD(kind, vdso) {
	.name = "[vdso]", .perms = "r-x", .prot = PROT_READ | PROT_EXEC, .touch = CLOCK,
	.kind = MEMLOCKD_KIND_SPECIAL, .promises = kernel_pages, .not_charged = true,
};

FIXTURE_VARIANT_ADD(kind, vvar) {
	.name = "[vvar]", .perms = "r--", .prot = PROT_READ, .touch = CLOCK,
	.kind = MEMLOCKD_KIND_SPECIAL, .promises = kernel_pages, .not_charged = true,
};

FIXTURE_VARIANT_ADD(kind, no_access) {
	.map = do_map, .flags = MAP_PRIVATE, .prot = PROT_NONE, .touch = NOT,
	.kind = MEMLOCKD_KIND_ANON, .promises = no_access,
};

FIXTURE_VARIANT_ADD(kind, device_memory) {
	.map = map_bios, .flags = MAP_SHARED, .prot = PROT_READ, .touch = READ,
	.kind = MEMLOCKD_KIND_SPECIAL, .promises = device, .not_charged = true,
};

FIXTURE_VARIANT_ADD(kind, secret_memory) {
	.map = map_secret, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_SECRETMEM, .promises = secret, .always_unevictable = true,
};

FIXTURE_VARIANT_ADD(kind, droppable) {
	.map = do_map, .flags = MAP_DROPPABLE, .prot = RW, .touch = NOT,
	.kind = MEMLOCKD_KIND_ANON, .promises = droppable, .not_charged = true,
};

FIXTURE_VARIANT_ADD(kind, userfaultfd) {
	.map = do_map_small, .flags = MAP_PRIVATE, .prot = RW, .touch = NOT, .userfault = true,
	.kind = MEMLOCKD_KIND_ANON, .promises = userfault,
};

FIXTURE_VARIANT_ADD(kind, beyond_file_private) {
	.map = map_short_disk_file, .flags = MAP_PRIVATE, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_FILE_PRIVATE, .promises = beyond_file_private, .short_file = true,
};

FIXTURE_VARIANT_ADD(kind, beyond_file_shared) {
	.map = map_short_disk_file, .flags = MAP_SHARED, .prot = RW, .touch = WRITE,
	.kind = MEMLOCKD_KIND_FILE_SHARED, .promises = beyond_file_shared, .short_file = true,
	.writes_fault = true,
};

static unsigned long huge_page_size(void)
{
	return read_field("/proc/meminfo", "Hugepagesize") * KIB;
}

static bool thp_is_on(void)
{
	char mode[64] = "";
	FILE *file = fopen(THP_ENABLED, "re");

	if (!file)
		return false;
	if (!fgets(mode, sizeof(mode), file))
		mode[0] = 0;
	fclose(file);
	return *mode && !strstr(mode, "[never]");
}

static long made_or_found(struct target *t, const FIXTURE_VARIANT(kind) *variant,
			  unsigned long *len)
{
	struct vma vma;

	if (variant->map)
		return target_call(t, variant->map, *len, variant->prot, variant->flags);
	if (!vma_find(t->pid, variant->name, variant->perms, &vma))
		return -ENOENT;
	*len = vma.end - vma.start;
	return vma.start;
}

static const char *why_not(long err)
{
	switch (err) {
	case -ENOTBLK:
		return "no disk's file system in TMPDIR or /var/tmp";
	case -ENOSYS:
	case -EINVAL:
		return "this kernel has none";
	case -EPERM:
	case -EACCES:
		return "this kernel allows none";
	}
	return strerror(-err);
}

FIXTURE_SETUP(kind)
{
	long addr;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->hugepages = -1;
	self->len = PAGES * PAGE;
	if (variant->huge) {
		self->len = 2 * huge_page_size();
		if (variant->map != map_hugetlb && !thp_is_on()) {
			self->skipped = true;
			SKIP(return, "transparent huge pages are off");
		}
		if (variant->map == map_hugetlb) {
			self->hugepages = read_number(NR_HUGEPAGES);
			write_number(NR_HUGEPAGES, self->hugepages + 2);
			if (read_number(NR_HUGEPAGES) != self->hugepages + 2) {
				self->skipped = true;
				SKIP(return, "no huge pages to be had");
			}
		}
	}
	counters_start(&self->start);
	target_start(&self->target);
	addr = made_or_found(&self->target, variant, &self->len);
	if (addr < 0) {
		self->skipped = true;
		SKIP(return, "%s", why_not(addr));
	}
	self->addr = addr;
	if (variant->touch == READ || variant->touch == WRITE || variant->userfault) {
		if (!variant->name && !variant->short_file) {
			target_call(&self->target, touch_some, addr, self->len,
				    variant->prot & PROT_WRITE);
		}
	}
	if (variant->userfault) {
		addr = target_call(&self->target, register_userfault, addr, self->len, 0);
		if (addr) {
			self->skipped = true;
			SKIP(return, "userfaultfd: %s", why_not(addr));
		}
	}
}

FIXTURE_TEARDOWN(kind)
{
	target_stop(&self->target);
	if (self->hugepages >= 0)
		write_number(NR_HUGEPAGES, self->hugepages);
	if (!self->skipped)
		EXPECT_TRUE(counters_back(&self->start));
}

static unsigned long bytes_of(enum part part, const struct memlockd_mapping *row)
{
	switch (part) {
	case NOTHING:
		return 0;
	case IN_FILE:
		return FILE_PAGES * PAGE;
	default:
		return row->end - row->start;
	}
}

static void check_row(struct __test_metadata *_metadata, const FIXTURE_VARIANT(kind) *variant,
		      FIXTURE_DATA(kind) *self, enum mode mode,
		      const struct memlockd_mapping *row)
{
	const struct promise *promise = &variant->promises[mode == COPIED ? SUPERLOCKED : mode];

	row_print(row);
	EXPECT_STREQ(kind_name(variant->kind), kind_name(row->kind));
	EXPECT_EQ(variant->prot, row->prot);
	EXPECT_STREQ(state_name(promise->state), state_name(row->state));
	EXPECT_STREQ(reason_name(promise->reason), reason_name(row->reason));
	/* The row tells the truth, and the truth is what was promised. */
	EXPECT_EQ(present_bytes(self->target.pid, row->start, row->end), row->resident);
	if (promise->resident != WHATEVER)
		EXPECT_EQ(bytes_of(promise->resident, row), row->resident);
	if (promise->pinned != WHATEVER)
		EXPECT_EQ(bytes_of(promise->pinned, row), row->pinned);
}

/*
 * A page that the process has for itself is out of reach of what happens to the
 * file: SUPERLOCKED makes one of each page of a private mapping, if it is asked for.  Else
 * read-only pages stay those of the file, for all to share, before the unlock and after it.
 */
static void check_copies(struct __test_metadata *_metadata, const FIXTURE_VARIANT(kind) *variant,
			 FIXTURE_DATA(kind) *self, enum mode mode,
			 const struct memlockd_mapping *row)
{
	unsigned long of_file = file_bytes(self->target.pid, row->start, row->end);

	if (variant->kind != MEMLOCKD_KIND_FILE_PRIVATE)
		return;
	TH_LOG("%lu of %llu pages are the file's", of_file / PAGE,
	       (unsigned long long)row->resident / PAGE);
	if (variant->prot & PROT_WRITE) {
		if (mode >= SUPERLOCKED)
			EXPECT_EQ(0, of_file);
	} else {
		EXPECT_EQ(mode == COPIED ? 0 : row->resident, of_file);
	}
}

static void check_sums(struct __test_metadata *_metadata, FIXTURE_DATA(kind) *self,
		       const struct memlockd_lock *lock, const struct memlockd_mapping *rows,
		       long nr)
{
	unsigned long vmlck = status_bytes(self->target.pid, "VmLck");
	unsigned long vmpin = status_bytes(self->target.pid, "VmPin");
	unsigned int incomplete = 0;
	long i;

	for (i = 0; i < nr; i++)
		incomplete += row_incomplete(&rows[i]);
	TH_LOG("VmLck %lu kB, VmPin %lu kB, %u of %u mappings incomplete", vmlck / KIB,
	       vmpin / KIB, lock->out_incomplete, lock->out_mappings);
	EXPECT_EQ(vmas_locked(self->target.pid), vmlck);
	EXPECT_EQ(lock->out_locked, vmlck);
	EXPECT_EQ(lock->out_pinned, vmpin);
	EXPECT_EQ(rows_pinned(rows, nr), vmpin);
	EXPECT_EQ(nr, lock->out_mappings);
	EXPECT_EQ(incomplete, lock->out_incomplete);
}

/*
 * Where a page is not pinned, compaction leaves it alone only when it is on the
 * list of unevictable pages; so it has to be there from the start.
 */
static void check_unevictable(struct __test_metadata *_metadata, FIXTURE_DATA(kind) *self,
			      const struct memlockd_mapping *row)
{
	unsigned long pages;

	/* Some may wait in a batch of their CPU. */
	counters_read(&(struct counters){});
	pages = stuck_pages(self->target.pid, row->start, row->end);
	TH_LOG("%lu of %llu pages are unevictable", pages,
	       (unsigned long long)row->resident / PAGE);
	EXPECT_EQ(row->resident / PAGE, pages);
}

static void check_touch(struct __test_metadata *_metadata, const FIXTURE_VARIANT(kind) *variant,
			FIXTURE_DATA(kind) *self, enum mode mode)
{
	unsigned long len = variant->short_file ? FILE_PAGES * PAGE : self->len;
	struct target *t = &self->target;

	switch (variant->touch) {
	case READ:
		target_call(t, do_read, self->addr, len, PAGE);
		break;
	case WRITE:
		target_call(t, do_write, self->addr, len, PAGE);
		break;
	case CLOCK:
		target_call(t, read_clock, 0, 0, 0);
		break;
	case NOT:
		return;
	}
	TH_LOG("touching %lu pages: %ld minor, %ld major faults", len / PAGE, t->minflt,
	       t->majflt);
	EXPECT_EQ(0, t->majflt);
	if (mode >= SUPERLOCKED && !variant->writes_fault)
		EXPECT_EQ(0, t->minflt);
}

static void check_unlocked(struct __test_metadata *_metadata, const FIXTURE_VARIANT(kind) *variant,
			   FIXTURE_DATA(kind) *self)
{
	pid_t pid = self->target.pid;
	struct memlockd_mapping *rows, *row;
	unsigned long stuck;
	long nr;

	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(self->locked_before, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	nr = mappings_pid(self->fd, pid, 256, &rows);
	ASSERT_LT(0, nr);
	EXPECT_EQ(0, rows_pinned(rows, nr));
	row = row_at(rows, nr, self->addr);
	ASSERT_NE(NULL, row);
	if (!variant->always_unevictable) {
		EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row->state);
		EXPECT_EQ(MEMLOCKD_REASON_NOT_COVERED, row->reason);
	}
	free(rows);
	/* What waits in the batches of the CPUs is counted by now. */
	counters_read(&(struct counters){});
	stuck = stuck_pages(pid, self->addr, self->addr + self->len);
	TH_LOG("after the unlock %lu of %lu pages are still unevictable", stuck,
	       self->len / PAGE);
	if (!variant->always_unevictable)
		EXPECT_EQ(0, stuck);
}

static const unsigned int lock_flags[] = {
	[MOVABLE] = LIKE_MLOCKALL,
	[LOCKED] = CURRENT_FUTURE,
	[SUPERLOCKED] = CURRENT_FUTURE,
	[COPIED] = CURRENT_FUTURE | MEMLOCKD_COPY_TEXT,
};

static void check_kind(struct __test_metadata *_metadata, const FIXTURE_VARIANT(kind) *variant,
		       FIXTURE_DATA(kind) *self, enum mode mode)
{
	struct memlockd_mapping *rows, *row;
	struct memlockd_lock lock;
	struct vma *vmas;
	long nr, i, nr_vmas;

	self->locked_before = status_bytes(self->target.pid, "VmLck");
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, mode >= SUPERLOCKED ? S : L,
			      lock_flags[mode], &lock));
	nr = mappings_pid(self->fd, self->target.pid, 256, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, self->addr);
	ASSERT_NE(NULL, row);
	check_row(_metadata, variant, self, mode, row);
	check_copies(_metadata, variant, self, mode, row);
	if (row->reason == MEMLOCKD_REASON_SHARED)
		check_unevictable(_metadata, self, row);
	EXPECT_EQ(0, rows_wrong(rows, nr, mode >= SUPERLOCKED ? S : L));
	check_sums(_metadata, self, &lock, rows, nr);
	free(rows);

	nr_vmas = vmas_read(self->target.pid, &vmas);
	for (i = 0; i < nr_vmas && vmas[i].end <= self->addr; i++)
		;
	ASSERT_LT(i, nr_vmas);
	/* Secret memory may be locked from birth, or may not. */
	if (!variant->always_unevictable)
		EXPECT_EQ(!variant->not_charged, vma_has(&vmas[i], "lo"));
	free(vmas);

	check_touch(_metadata, variant, self, mode);
	check_unlocked(_metadata, variant, self);
}

TEST_F(kind, movable)
{
	check_kind(_metadata, variant, self, MOVABLE);
}

TEST_F(kind, locked)
{
	check_kind(_metadata, variant, self, LOCKED);
}

TEST_F(kind, superlocked)
{
	check_kind(_metadata, variant, self, SUPERLOCKED);
}

TEST_F(kind, superlocked_and_copied)
{
	if (variant->kind != MEMLOCKD_KIND_FILE_PRIVATE)
		SKIP(return, "of files that are mapped privately");
	check_kind(_metadata, variant, self, COPIED);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
