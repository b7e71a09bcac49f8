// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process gives up by madvise(2), and what else it does to its own memory, works
 * under our lock as it does without; what it has locked itself keeps the kernel's answers.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <libgen.h>
#include <limits.h>
#include <ucontext.h>

#include "kselftest_harness.h"
#include "advise32.h"
#include "memlockd_test.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#define PR_GET_MEMORY_MERGE	68
#endif
#ifndef SYS_mseal
#define SYS_mseal		462
#endif
#define DONTNEED_LOCKED		24

#define LEN	(64 * PAGE)
#define IN_FILE	5			/* each byte of the files */
#define THREADS	4
#define ROUNDS	30
#define COMINGS	200
#define HITS	3

FIXTURE(advise)
{
	struct counters start;
	struct target target;
	pid_t pid;
	unsigned long addr;		/* alone between guards */
	unsigned long vmpin;		/* once it is locked */
	unsigned long read_only;	/* bytes that LOCKED may leave unpinned when they are new */
	int fd;
};

FIXTURE_VARIANT(advise)
{
	int state;
	int flags;
};

/* What the kernel does without us: the others must be like this. */
FIXTURE_VARIANT_ADD(advise, unlocked) {
	.state = MEMLOCKD_STATE_UNLOCKED,
};

FIXTURE_VARIANT_ADD(advise, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(advise, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(advise, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

static long do_fill(long addr, long len, long byte)
{
	memset((void *)addr, byte, len);
	return 0;
}

/* How many bytes are something else. */
static long do_count_others(long addr, long len, long byte)
{
	const volatile char *p = (const char *)addr;
	long i, nr = 0;

	for (i = 0; i < len; i++)
		nr += p[i] != byte;
	return nr;
}

FIXTURE_SETUP(advise)
{
	long addr;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
	addr = target_call(&self->target, do_map_small, 3 * LEN, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	self->addr = addr + LEN;
	ASSERT_EQ(0, target_call(&self->target, do_protect, self->addr, LEN, RW));
	ASSERT_EQ(0, target_call(&self->target, do_fill, self->addr, LEN, 1));
}

FIXTURE_TEARDOWN(advise)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

#define call(fn, a, b, c)	target_call(&self->target, fn, a, b, c)

static void lock_it(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
		    const FIXTURE_VARIANT(advise) *variant)
{
	if (variant->state)
		ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, variant->flags, NULL));
	self->vmpin = status_bytes(self->pid, "VmPin");
}

static void unlock_it(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
		      const FIXTURE_VARIANT(advise) *variant)
{
	if (!variant->state)
		return;
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
	EXPECT_EQ(vmas_locked(self->pid), status_bytes(self->pid, "VmLck"));
}

static void expect_bytes(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
			 unsigned long addr, unsigned long len, int byte)
{
	long others = call(do_count_others, addr, len, byte);

	if (others)
		TH_LOG("%ld of %lu bytes are not %d", others, len, byte);
	EXPECT_EQ(0, others);
}

/*
 * After the call all of it is present and pinned again, and superlocked memory of the
 * process's own takes no fault when it is read and written. Nothing has touched it yet.
 */
static void check_held(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
		       const FIXTURE_VARIANT(advise) *variant, unsigned long addr,
		       unsigned long len)
{
	if (!variant->state)
		return;
	TH_LOG("%lu of %lu kB present, VmPin %lu kB of %lu kB",
	       present_bytes(self->pid, addr, addr + len) / KIB, len / KIB,
	       status_bytes(self->pid, "VmPin") / KIB, self->vmpin / KIB);
	EXPECT_EQ(len, present_bytes(self->pid, addr, addr + len));
	EXPECT_GE(self->vmpin, status_bytes(self->pid, "VmPin"));
	EXPECT_LE(self->vmpin - (variant->state == L && !(variant->flags & MEMLOCKD_MOVABLE) ?
				 self->read_only : 0),
		  status_bytes(self->pid, "VmPin"));
}

static void check_no_faults(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
			    const FIXTURE_VARIANT(advise) *variant, unsigned long addr,
			    unsigned long len)
{
	if (variant->state != S)
		return;
	call(do_write, addr, len, PAGE);
	TH_LOG("%ld minor and %ld major faults in %lu pages", self->target.minflt,
	       self->target.majflt, len / PAGE);
	EXPECT_EQ(0, self->target.minflt);
	EXPECT_EQ(0, self->target.majflt);
}

/* ---- MADV_DONTNEED ---- */

TEST_F(advise, dontneed_gives_zeros)
{
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, self->addr, LEN);
	check_no_faults(_metadata, self, variant, self->addr, LEN);
	EXPECT_EQ(0, call(do_fill, self->addr, LEN, 2));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_a_part_gives_zeros_there)
{
	unsigned long part = self->addr + LEN / 4;

	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, part, LEN / 2, MADV_DONTNEED));
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, part, LEN / 2, 0);
	expect_bytes(_metadata, self, self->addr, LEN / 4, 1);
	expect_bytes(_metadata, self, part + LEN / 2, LEN / 4, 1);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_what_is_mapped_later_gives_zeros)
{
	long addr;

	lock_it(_metadata, self, variant);
	addr = call(do_map_small, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	self->vmpin = status_bytes(self->pid, "VmPin");
	ASSERT_EQ(0, call(do_fill, addr, LEN, 1));
	EXPECT_EQ(0, call(do_advise, addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, addr, LEN);
	expect_bytes(_metadata, self, addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

/* As V8 does it: what cannot be accessed is given up. */
TEST_F(advise, dontneed_of_what_cannot_be_accessed_gives_zeros)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, call(do_protect, self->addr, LEN, PROT_NONE));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	ASSERT_EQ(0, call(do_protect, self->addr, LEN, RW));
	self->vmpin = status_bytes(self->pid, "VmPin");
	check_held(_metadata, self, variant, self->addr, LEN);
	check_no_faults(_metadata, self, variant, self->addr, LEN);
	ASSERT_EQ(0, call(do_fill, self->addr, LEN, 1));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_what_can_only_be_read_gives_zeros)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, call(do_protect, self->addr, LEN, PROT_READ));
	self->read_only = LEN;
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

/* The file of do_map_file() below. */
static int file = -1;

static long do_map_file(long len, long prot, long flags)
{
	char *p;

	file = memfd_create("memlockd", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, len))
		return -errno;
	p = mmap(NULL, len, RW, MAP_SHARED, file, 0);
	if (p == MAP_FAILED)
		return -errno;
	memset(p, IN_FILE, len);
	munmap(p, len);
	p = mmap(NULL, len, prot, flags, file, 0);
	return p == MAP_FAILED ? -errno : (long)p;
}

static long do_file_blocks(long a, long b, long c)
{
	struct stat stat;

	return fstat(file, &stat) ? -errno : stat.st_blocks;
}

TEST_F(advise, dontneed_of_a_private_mapping_shows_the_file)
{
	long addr = call(do_map_file, LEN, RW, MAP_PRIVATE);

	ASSERT_LT(0, addr);
	ASSERT_EQ(0, call(do_fill, addr, LEN, 1));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, addr, LEN);
	expect_bytes(_metadata, self, addr, LEN, IN_FILE);
	EXPECT_EQ(0, call(do_advise, addr, LEN, MADV_DONTNEED));
	check_no_faults(_metadata, self, variant, addr, LEN);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_a_shared_mapping_changes_no_byte)
{
	long addr = call(do_map_file, LEN, RW, MAP_SHARED);

	ASSERT_LT(0, addr);
	ASSERT_EQ(0, call(do_fill, addr, LEN, 1));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, addr, LEN);
	expect_bytes(_metadata, self, addr, LEN, 1);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_a_part_of_a_huge_page_gives_zeros_there)
{
	long addr = call(do_map_huge, HUGE, RW, MAP_PRIVATE);

	if (addr == -EINVAL)
		SKIP(return, "this kernel has no transparent huge pages");
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, call(do_fill, addr, HUGE, 1));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, addr + HUGE / 4, HUGE / 2, MADV_DONTNEED));
	if (variant->state)
		EXPECT_EQ(HUGE, present_bytes(self->pid, addr, addr + HUGE));
	expect_bytes(_metadata, self, addr + HUGE / 4, HUGE / 2, 0);
	expect_bytes(_metadata, self, addr, HUGE / 4, 1);
	expect_bytes(_metadata, self, addr + HUGE * 3 / 4, HUGE / 4, 1);
	EXPECT_EQ(0, call(do_advise, addr + HUGE / 4, HUGE / 2, MADV_DONTNEED));
	check_no_faults(_metadata, self, variant, addr, HUGE);
	EXPECT_EQ(0, call(do_advise, addr, HUGE, MADV_DONTNEED));
	check_no_faults(_metadata, self, variant, addr, HUGE);
	ASSERT_EQ(0, call(do_advise, addr, HUGE, MADV_DONTNEED));
	expect_bytes(_metadata, self, addr, HUGE, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_around_a_hole_fails_and_does_the_rest)
{
	ASSERT_EQ(0, call(do_unmap, self->addr + LEN / 4, LEN / 4, 0));
	lock_it(_metadata, self, variant);
	EXPECT_EQ(-ENOMEM, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, self->addr, LEN / 4);
	expect_bytes(_metadata, self, self->addr, LEN / 4, 0);
	expect_bytes(_metadata, self, self->addr + LEN / 2, LEN / 2, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_several_mappings_gives_zeros)
{
	int i;

	lock_it(_metadata, self, variant);
	for (i = 0; i < 8; i += 2)
		ASSERT_EQ(0, call(do_protect, self->addr + i * LEN / 8, LEN / 8, PROT_READ));
	self->read_only = LEN / 2;
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, bad_calls_fail_and_change_nothing)
{
	static const int bad[] = { 5, 77, -1 };
	int i;

	lock_it(_metadata, self, variant);
	EXPECT_EQ(-EINVAL, call(do_advise, self->addr + 1, LEN - PAGE, MADV_DONTNEED));
	EXPECT_EQ(-EINVAL, call(do_advise, self->addr, -PAGE, MADV_DONTNEED));
	EXPECT_EQ(-EINVAL, call(do_advise, self->addr, -1, MADV_DONTNEED));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EINVAL, call(do_advise, self->addr, LEN, bad[i]));
	EXPECT_EQ(0, call(do_advise, self->addr, 0, MADV_DONTNEED));
	EXPECT_EQ(-EINVAL, call(do_advise, self->addr, LEN, MADV_REMOVE));
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN, 1);
	unlock_it(_metadata, self, variant);
}

/* Up to the end of the last page, as the kernel has it. */
TEST_F(advise, dontneed_of_a_length_that_is_no_page)
{
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, self->addr, 1, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, PAGE, 0);
	expect_bytes(_metadata, self, self->addr + PAGE, LEN - PAGE, 1);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_a_range_that_we_lock_gives_zeros)
{
	if (!variant->state || variant->flags & MEMLOCKD_MOVABLE)
		SKIP(return, "a range has no such state");
	ASSERT_EQ(0, lock_range(self->fd, self->pid, variant->state, self->addr, LEN, NULL));
	self->vmpin = status_bytes(self->pid, "VmPin");
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	EXPECT_EQ(0, unlock_range(self->fd, self->pid, self->addr, LEN));
	EXPECT_EQ(0, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
}

static bool pins_private(const FIXTURE_VARIANT(advise) *variant)
{
	return variant->state && !(variant->flags & MEMLOCKD_MOVABLE);
}

/* Private memory that has been filled, and is locked then. */
static long map_filled(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
		       const FIXTURE_VARIANT(advise) *variant, unsigned long len)
{
	long addr = call(do_map_small, len, RW, MAP_PRIVATE);

	ASSERT_LT(0, addr);
	ASSERT_EQ(0, call(do_fill, addr, len, 1));
	lock_it(_metadata, self, variant);
	return addr;
}

/*
 * The faults that new pages take, whoever takes them, count for the process.  A few pages
 * may have to be replaced, as something else in the kernel has them at the moment.
 */
TEST_F(advise, dontneed_of_pinned_memory_takes_no_fault)
{
	unsigned long len = 1024 * PAGE;
	long addr, minflt;

	if (!pins_private(variant))
		SKIP(return, "nothing is pinned");
	addr = map_filled(_metadata, self, variant, len);
	EXPECT_EQ(0, call(do_advise, addr, len, MADV_DONTNEED));
	minflt = self->target.minflt;
	check_held(_metadata, self, variant, addr, len);
	call(do_write, addr, len, PAGE);
	TH_LOG("%ld faults of the call, %ld of writing to all %lu pages", minflt,
	       self->target.minflt, len / PAGE);
	EXPECT_GT(len / PAGE / 8, minflt);
	EXPECT_EQ(0, self->target.minflt);
	EXPECT_EQ(0, call(do_advise, addr, len, MADV_DONTNEED));
	expect_bytes(_metadata, self, addr, len, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, dontneed_of_what_was_protected_takes_no_fault)
{
	unsigned long len = 1024 * PAGE;
	long addr, minflt;

	if (!pins_private(variant))
		SKIP(return, "nothing is pinned");
	addr = map_filled(_metadata, self, variant, len);
	ASSERT_EQ(0, call(do_protect, addr, len, PROT_NONE));
	EXPECT_EQ(0, call(do_advise, addr, len, MADV_DONTNEED));
	minflt = self->target.minflt;
	ASSERT_EQ(0, call(do_protect, addr, len, RW));
	call(do_write, addr, len, PAGE);
	minflt += self->target.minflt;
	TH_LOG("%ld faults of the call and of writing to all %lu pages", minflt, len / PAGE);
	EXPECT_GT(len / PAGE / 8, minflt);
	EXPECT_EQ(0, call(do_advise, addr, len, MADV_DONTNEED));
	expect_bytes(_metadata, self, addr, len, 0);
	unlock_it(_metadata, self, variant);
}

/* Gives pages to a pipe, and them up; how many bytes that come out are not @byte. */
static long do_give_up_what_a_pipe_has(long addr, long len, long byte)
{
	struct iovec pages = { .iov_base = (void *)addr, .iov_len = len };
	char got[PAGE];
	long others = 0;
	int ends[2];

	if (pipe(ends) || vmsplice(ends[1], &pages, 1, 0) != len ||
	    madvise((void *)addr, len, MADV_DONTNEED))
		return -errno;
	for (; len; len -= PAGE) {
		if (read(ends[0], got, PAGE) != PAGE)
			return -errno;
		others += do_count_others((long)got, PAGE, byte);
	}
	close(ends[0]);
	close(ends[1]);
	return others;
}

TEST_F(advise, dontneed_leaves_what_a_pipe_has_been_given)
{
	unsigned long len = 8 * PAGE;
	long others;

	lock_it(_metadata, self, variant);
	others = call(do_give_up_what_a_pipe_has, self->addr, len, 1);
	TH_LOG("%ld of %lu bytes from the pipe are others", others, len);
	EXPECT_EQ(0, others);
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, len, 0);
	expect_bytes(_metadata, self, self->addr + len, LEN - len, 1);
	unlock_it(_metadata, self, variant);
}

static int do_userfaultfd = -1;

static long do_register(long addr, long len, long c)
{
	do_userfaultfd = userfault_register(addr, len, UFFDIO_REGISTER_MODE_MISSING, 0);
	return do_userfaultfd < 0 ? do_userfaultfd : 0;
}

static long do_unregister(long a, long b, long c)
{
	return close(do_userfaultfd);
}

TEST_F(advise, dontneed_of_what_has_a_monitor_is_left_to_that)
{
	unsigned long present;

	lock_it(_metadata, self, variant);
	if (call(do_register, self->addr, LEN / 2, 0))
		SKIP(return, "no userfaultfd");
	EXPECT_EQ(0, call(do_advise, self->addr, LEN / 2, MADV_DONTNEED));
	present = present_bytes(self->pid, self->addr, self->addr + LEN / 2);
	TH_LOG("%lu of %lu kB present, before the monitor has given any", present / KIB,
	       LEN / 2 / KIB);
	EXPECT_EQ(0, present);
	EXPECT_EQ(0, call(do_unregister, 0, 0, 0));
	expect_bytes(_metadata, self, self->addr, LEN / 2, 0);
	expect_bytes(_metadata, self, self->addr + LEN / 2, LEN / 2, 1);
	unlock_it(_metadata, self, variant);
}

static long do_seal(long addr, long len, long c)
{
	return syscall(SYS_mseal, addr, len, 0) ? -errno : 0;
}

TEST_F(advise, dontneed_of_what_is_sealed_and_read_only_fails)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, call(do_protect, self->addr, LEN, PROT_READ));
	if (call(do_seal, self->addr, LEN, 0))
		SKIP(return, "this kernel has no mseal(2)");
	EXPECT_EQ(-EPERM, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 1);
	unlock_it(_metadata, self, variant);
}

static bool talk(int in, int out, pid_t pid, int fd, const FIXTURE_VARIANT(advise) *variant,
		 struct advise32 *what)
{
	return read(out, what, sizeof(*what)) == sizeof(*what) &&
	       (!variant->state || !lock_pid(fd, pid, variant->state, variant->flags, NULL)) &&
	       write(in, "", 1) == 1 && read(out, what, sizeof(*what)) == sizeof(*what);
}

TEST_F(advise, dontneed_of_a_32_bit_program_gives_zeros)
{
	int in[2], out[2], status;
	struct advise32 what;
	char path[PATH_MAX];
	pid_t pid;

	ASSERT_LT(0, readlink("/proc/self/exe", path, sizeof(path) - 16));
	path[readlink("/proc/self/exe", path, sizeof(path) - 16)] = 0;
	strcat(dirname(path), "/advise32");
	if (access(path, X_OK))
		SKIP(return, "advise32 was not built: the compiler makes no 32-bit x86 programs");
	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = fork_child();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, "advise32", NULL);
		_exit(errno == ENOEXEC ? KSFT_SKIP : KSFT_FAIL);
	}
	close(in[0]);
	close(out[1]);
	if (!talk(in[1], out[0], pid, self->fd, variant, &what)) {
		close(in[1]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(KSFT_SKIP, WEXITSTATUS(status));
		SKIP(return, "this kernel runs no 32-bit programs");
	}
	TH_LOG("result %d, %u bytes that are not zero", what.result, what.stale);
	EXPECT_EQ(0, what.result);
	EXPECT_EQ(0, what.stale);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(in[1]);
	close(out[0]);
}

/* madvise(2) by a worker of the kernel that has this address space. */
static long do_advise_by_io_uring(long addr, long len, long advice)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &params);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	char *sq, *cq;

	if (ring < 0)
		return -ENOSYS;
	sq = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(int), RW,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(*cqe), RW,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, params.sq_entries * sizeof(*sqe), RW, MAP_SHARED | MAP_POPULATE, ring,
		   IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return -ENOMEM;
	*sqe = (struct io_uring_sqe) {
		.opcode = IORING_OP_MADVISE,
		.addr = addr,
		.len = len,
		.fadvise_advice = advice,
	};
	*(unsigned int *)(sq + params.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -EIO;
	cqe = (void *)(cq + params.cq_off.cqes);
	close(ring);
	return cqe->res;
}

TEST_F(advise, dontneed_by_io_uring_gives_zeros)
{
	long err;

	lock_it(_metadata, self, variant);
	err = call(do_advise_by_io_uring, self->addr, LEN, MADV_DONTNEED);
	if (err == -ENOSYS)
		SKIP(return, "this kernel has no io_uring");
	EXPECT_EQ(0, err);
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

struct worker {
	pthread_t thread;
	char *memory;
	long stale;
};

/* As an allocator does: what it gets again is taken to be zero, whatever the call said. */
static void *give_back_and_get_again(void *arg)
{
	struct worker *worker = arg;
	int round;
	long i;

	for (round = 1; round <= ROUNDS; round++) {
		memset(worker->memory, round, LEN / THREADS);
		madvise(worker->memory, LEN / THREADS, MADV_DONTNEED);
		for (i = 0; i < LEN / THREADS; i++)
			worker->stale += !!worker->memory[i];
	}
	return NULL;
}

static long do_threads(long addr, long b, long c)
{
	struct worker workers[THREADS];
	long stale = 0;
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .memory = (char *)addr + i * LEN / THREADS };
		if (pthread_create(&workers[i].thread, NULL, give_back_and_get_again, &workers[i]))
			return -EAGAIN;
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		stale += workers[i].stale;
	}
	return stale;
}

TEST_F(advise, dontneed_of_several_threads_gives_zeros)
{
	long stale;

	lock_it(_metadata, self, variant);
	stale = call(do_threads, self->addr, 0, 0);
	TH_LOG("%ld bytes that are not zero", stale);
	EXPECT_EQ(0, stale);
	unlock_it(_metadata, self, variant);
}

#ifdef __x86_64__
/* Where the system call of advise_at() returns to. */
extern const char behind_the_call[];

static __attribute__((noinline, noclone)) long advise_at(long addr, long len, long advice)
{
	long ret;

	asm volatile("syscall\n\t"
		     ".globl behind_the_call\n"
		     "behind_the_call:"
		     : "=a" (ret)
		     : "a" (SYS_madvise), "D" (addr), "S" (len), "d" (advice)
		     : "rcx", "r11", "memory");
	return ret;
}

static volatile const char *given_up;
static volatile long hits, stale_in_handler;

/* The first that the process does after the call. */
static void on_alarm(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;
	long i;

	if (user->uc_mcontext.gregs[REG_RIP] != (long)behind_the_call)
		return;
	hits++;
	for (i = 0; i < LEN; i += PAGE)
		stale_in_handler += !!given_up[i];
}

static long do_advise_under_signals(long addr, long len, long tries)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction action = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO };
	long err = 0;

	given_up = (const char *)addr;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (!err && hits < HITS && tries--) {
		do_write(addr, len, PAGE);
		err = advise_at(addr, len, MADV_DONTNEED);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	return err ?: stale_in_handler ? -EPROTO : hits;
}

/* How often it failed, until *@stop; or, negative, how many pages were not zeros. */
static long do_dontneed_until(long addr, long len, long stop)
{
	volatile char *p = (char *)addr;
	long i, failed = 0, stale = 0;

	while (!*(volatile bool *)stop) {
		for (i = 0; i < len; i += PAGE)
			p[i] = 1;
		if (madvise((void *)addr, len, MADV_DONTNEED)) {
			failed++;
			continue;
		}
		for (i = 0; i < len; i += PAGE)
			stale += p[i] != 0;
	}
	return stale ? -stale : failed;
}

/*
 * In no moment of a lock, and in none of an unlock, it fails; but for a call that has begun before
 * the lock, and does not get to mmap_lock before the lock is there: one at most for each lock.
 */
TEST_F(advise, dontneed_gives_zeros_while_locks_come_and_go)
{
	volatile bool *stop = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct target busy;
	long addr, failed;
	int i;

	ASSERT_NE(MAP_FAILED, (void *)stop);
	target_start(&busy);
	addr = target_call(&busy, do_map_small, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	target_post(&busy, do_dontneed_until, addr, LEN, (long)stop);
	for (i = 0; variant->state && i < COMINGS; i++) {
		EXPECT_EQ(0, lock_pid(self->fd, busy.pid, variant->state, variant->flags, NULL));
		EXPECT_EQ(0, unlock_pid(self->fd, busy.pid));
	}
	*stop = true;
	ASSERT_TRUE(target_result(&busy, &failed));
	TH_LOG("%d locks and unlocks, %ld failed", i, failed);
	EXPECT_LE(0, failed);
	EXPECT_GE(i, failed);
	target_stop(&busy);
	munmap((void *)stop, PAGE);
}

TEST_F(advise, signal_that_comes_with_the_call_finds_zeros)
{
	long seen;

	lock_it(_metadata, self, variant);
	seen = call(do_advise_under_signals, self->addr, LEN, 20000);
	TH_LOG("%ld signals came just behind the call", seen);
	if (!seen)
		SKIP(return, "no signal came in the middle of a call");
	EXPECT_LT(0, seen);
	check_held(_metadata, self, variant, self->addr, LEN);
	unlock_it(_metadata, self, variant);
}
#endif

/* ---- other advice ---- */

TEST_F(advise, cold_and_pageout_succeed)
{
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_COLD));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_PAGEOUT));
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN, 1);
	unlock_it(_metadata, self, variant);
}

/* Each page is as it was, or zeros. */
TEST_F(advise, free_succeeds)
{
	unsigned long i, old = 0, zero = 0;

	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_FREE));
	check_held(_metadata, self, variant, self->addr, LEN);
	for (i = 0; i < LEN; i += PAGE) {
		old += !call(do_count_others, self->addr + i, PAGE, 1);
		zero += !call(do_count_others, self->addr + i, PAGE, 0);
	}
	TH_LOG("%lu pages as they were, %lu pages of zeros", old, zero);
	EXPECT_EQ(LEN / PAGE, old + zero);
	check_no_faults(_metadata, self, variant, self->addr, LEN);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, remove_punches_a_hole)
{
	long addr = call(do_map_file, LEN, RW, MAP_SHARED), blocks;

	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant);
	blocks = call(do_file_blocks, 0, 0, 0);
	EXPECT_EQ(0, call(do_advise, addr, LEN / 2, MADV_REMOVE));
	/* A lock has the hole filled again. */
	if (variant->state)
		EXPECT_EQ(LEN, present_bytes(self->pid, addr, addr + LEN));
	if (!variant->state)
		EXPECT_EQ(blocks / 2, call(do_file_blocks, 0, 0, 0));
	expect_bytes(_metadata, self, addr, LEN / 2, 0);
	expect_bytes(_metadata, self, addr + LEN / 2, LEN / 2, IN_FILE);
	/* What counts is whether the file may be written to: without a lock, too. */
	ASSERT_EQ(0, call(do_protect, addr, LEN, PROT_READ));
	EXPECT_EQ(0, call(do_advise, addr, LEN, MADV_REMOVE));
	/* Of a private mapping there is no hole to be made. */
	addr = call(do_map_file, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(-EACCES, call(do_advise, addr, LEN, MADV_REMOVE));
	expect_bytes(_metadata, self, addr, LEN, IN_FILE);
	unlock_it(_metadata, self, variant);
}

/* Can somebody else read the byte of the target? */
static bool readable(pid_t pid, unsigned long addr)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { (void *)addr, 1 };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1;
}

static void check_row(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
		      const FIXTURE_VARIANT(advise) *variant)
{
	struct memlockd_mapping *rows, *row;
	long nr = mappings_pid(self->fd, self->pid, 256, &rows);

	ASSERT_LT(0, nr);
	EXPECT_EQ(0, rows_wrong(rows, nr, variant->state));
	row = row_at(rows, nr, self->addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	if (variant->state) {
		EXPECT_EQ(variant->state, row->state);
		EXPECT_FALSE(row_incomplete(row));
	}
	free(rows);
}

TEST_F(advise, guards_can_be_put_in_and_taken_out)
{
	long err;

	lock_it(_metadata, self, variant);
	err = call(do_advise, self->addr, LEN / 4, MADV_GUARD_INSTALL);
	if (err == -EINVAL && !variant->state)
		SKIP(return, "this kernel has no guard pages");
	if (err == -EINVAL) {
		unlock_it(_metadata, self, variant);
		if (call(do_advise, self->addr, LEN / 4, MADV_GUARD_INSTALL) == -EINVAL)
			SKIP(return, "this kernel has no guard pages");
	}
	EXPECT_EQ(0, err);
	EXPECT_FALSE(readable(self->pid, self->addr));
	EXPECT_TRUE(readable(self->pid, self->addr + LEN / 4));
	if (!err)
		check_row(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_GUARD_REMOVE));
	EXPECT_TRUE(readable(self->pid, self->addr));
	if (!err)
		check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN / 4, 0);
	expect_bytes(_metadata, self, self->addr + LEN / 4, LEN * 3 / 4, 1);
	if (!err)
		unlock_it(_metadata, self, variant);
}

TEST_F(advise, guards_that_are_there_are_no_shortcoming)
{
	unsigned long i;

	for (i = 0; i < LEN; i += 2 * PAGE) {
		if (call(do_advise, self->addr + i, PAGE, MADV_GUARD_INSTALL) == -EINVAL)
			SKIP(return, "this kernel has no guard pages");
	}
	lock_it(_metadata, self, variant);
	check_row(_metadata, self, variant);
	EXPECT_FALSE(readable(self->pid, self->addr));
	EXPECT_TRUE(readable(self->pid, self->addr + PAGE));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	/* DONTNEED leaves guards where they are. */
	EXPECT_FALSE(readable(self->pid, self->addr));
	expect_bytes(_metadata, self, self->addr + PAGE, PAGE, 0);
	unlock_it(_metadata, self, variant);
}

static int own_device;

static long do_lock_self(long state_flags, long b, long c)
{
	own_device = device_open();
	return own_device < 0 ? own_device : do_lock(own_device, 0, state_flags);
}

static long do_unlock_self(long a, long b, long c)
{
	long err = do_unlock(own_device, 0, 0);

	close(own_device);
	return err;
}

/* A process that has asked for the lock itself expects what mlockall(2) gives. */
TEST_F(advise, lock_by_itself_keeps_the_answers_of_the_kernel)
{
	if (!variant->state)
		SKIP(return, "nothing is locked");
	ASSERT_EQ(0, call(do_lock_self, STATE_FLAGS(variant->state, variant->flags), 0, 0));
	EXPECT_EQ(-EINVAL, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 1);
	ASSERT_EQ(0, call(do_unlock_self, 0, 0, 0));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 0);
}

static bool kernel_is_at_least(int major, int minor)
{
	int has_major = 0, has_minor = 0;
	struct utsname system;

	uname(&system);
	if (sscanf(system.release, "%d.%d", &has_major, &has_minor) != 2)
		return false;
	return has_major > major || (has_major == major && has_minor >= minor);
}

TEST_F(advise, another_process_advises_as_without_a_lock)
{
	static const int advices[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	struct iovec range = { (void *)self->addr, LEN };
	unsigned int i;

	/* Since then process_madvise() does not come by do_madvise(): docs/transparency.md. */
	if (variant->state && kernel_is_at_least(6, 13))
		SKIP(return, "advice from outside meets the lock: EINVAL for COLD and PAGEOUT");
	lock_it(_metadata, self, variant);
	for (i = 0; i < ARRAY_SIZE(advices); i++) {
		long got = syscall(SYS_process_madvise, self->target.pidfd, &range, 1, advices[i],
				   0);

		TH_LOG("advice %d: %ld (%s)", advices[i], got, got < 0 ? strerror(errno) : "");
		EXPECT_EQ(LEN, got);
	}
	check_held(_metadata, self, variant, self->addr, LEN);
	expect_bytes(_metadata, self, self->addr, LEN, 1);
	check_no_faults(_metadata, self, variant, self->addr, LEN);
	unlock_it(_metadata, self, variant);
}

/* ---- merging ---- */

/* How many bytes of the mapping the kernel may merge. */
static unsigned long mergeable(FIXTURE_DATA(advise) *self)
{
	unsigned long sum = 0;
	struct vma *vmas;
	long i, nr = vmas_read(self->pid, &vmas);

	for (i = 0; i < nr; i++) {
		if (vmas[i].start >= self->addr && vmas[i].end <= self->addr + LEN &&
		    vma_has(&vmas[i], "mg"))
			sum += vmas[i].end - vmas[i].start;
	}
	free(vmas);
	return sum;
}

TEST_F(advise, mergeable_meanwhile_holds_after_the_unlock)
{
	long err;

	lock_it(_metadata, self, variant);
	err = call(do_advise, self->addr, LEN, MADV_MERGEABLE);
	if (err == -EINVAL)
		SKIP(return, "this kernel merges no pages");
	EXPECT_EQ(0, err);
	EXPECT_EQ(variant->state == S ? 0 : LEN, mergeable(self));
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(LEN, mergeable(self));
}

TEST_F(advise, unmergeable_meanwhile_holds_after_the_unlock)
{
	if (call(do_advise, self->addr, LEN, MADV_MERGEABLE) == -EINVAL)
		SKIP(return, "this kernel merges no pages");
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_advise, self->addr, LEN / 2, MADV_UNMERGEABLE));
	EXPECT_EQ(variant->state == S ? 0 : LEN / 2, mergeable(self));
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(LEN / 2, mergeable(self));
}

static long do_merge_all(long on, long b, long c)
{
	return prctl(PR_SET_MEMORY_MERGE, on, 0, 0, 0) ? -errno : 0;
}

static long do_merges_all(long a, long b, long c)
{
	long ret = prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0);

	return ret < 0 ? -errno : ret;
}

TEST_F(advise, merging_of_all_memory_meanwhile_holds_after_the_unlock)
{
	if (call(do_merges_all, 0, 0, 0) == -EINVAL)
		SKIP(return, "this kernel has no PR_SET_MEMORY_MERGE");
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_merge_all, 1, 0, 0));
	EXPECT_EQ(1, call(do_merges_all, 0, 0, 0));
	EXPECT_EQ(variant->state == S ? 0 : LEN, mergeable(self));
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(1, call(do_merges_all, 0, 0, 0));
	EXPECT_EQ(LEN, mergeable(self));
	/* And the other way round. */
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_merge_all, 0, 0, 0));
	EXPECT_EQ(0, call(do_merges_all, 0, 0, 0));
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(0, mergeable(self));
}

/* ---- msync ---- */

static long do_msync(long addr, long len, long flags)
{
	return msync((void *)addr, len, flags) ? -errno : 0;
}

TEST_F(advise, msync_invalidates_what_only_we_lock)
{
	long addr = call(do_map_file, LEN, RW, MAP_SHARED);

	ASSERT_LT(0, addr);
	lock_it(_metadata, self, variant);
	EXPECT_EQ(0, call(do_msync, addr, LEN, MS_INVALIDATE));
	EXPECT_EQ(0, call(do_msync, addr, LEN, MS_INVALIDATE | MS_SYNC));
	EXPECT_EQ(0, call(do_msync, self->addr, LEN, MS_INVALIDATE | MS_ASYNC));
	EXPECT_EQ(0, call(do_msync, addr, LEN, MS_SYNC));
	ASSERT_EQ(0, call(do_mlock, addr, LEN / 2, 0));
	EXPECT_EQ(-EBUSY, call(do_msync, addr, LEN, MS_INVALIDATE));
	EXPECT_EQ(0, call(do_msync, addr + LEN / 2, LEN / 2, MS_INVALIDATE));
	EXPECT_EQ(0, call(do_msync, addr, LEN, MS_SYNC));
	ASSERT_EQ(0, call(do_munlock, addr, LEN, 0));
	EXPECT_EQ(0, call(do_msync, addr, LEN, MS_INVALIDATE));
	unlock_it(_metadata, self, variant);
}

/* ---- what the process has locked itself ---- */

static void check_own_answers(struct __test_metadata *_metadata, FIXTURE_DATA(advise) *self,
			      unsigned long addr, unsigned long len)
{
	static const int refused[] = { MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_EQ(-EINVAL, call(do_advise, addr, len, refused[i]))
			TH_LOG("advice %d", refused[i]);
	}
	expect_bytes(_metadata, self, addr, len, 1);
}

TEST_F(advise, own_lock_before_keeps_the_answers_of_the_kernel)
{
	ASSERT_EQ(0, call(do_mlock, self->addr, LEN / 2, 0));
	lock_it(_metadata, self, variant);
	check_own_answers(_metadata, self, self->addr, LEN / 2);
	EXPECT_EQ(0, call(do_advise, self->addr + LEN / 2, LEN / 2, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr + LEN / 2, LEN / 2, 0);
	EXPECT_EQ(0, call(do_advise, self->addr, LEN / 2, DONTNEED_LOCKED));
	expect_bytes(_metadata, self, self->addr, LEN / 2, 0);
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(LEN / 2, status_bytes(self->pid, "VmLck"));
}

TEST_F(advise, own_lock_meanwhile_keeps_the_answers_of_the_kernel)
{
	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, call(do_mlock, self->addr, LEN / 2, 0));
	check_own_answers(_metadata, self, self->addr, LEN / 2);
	EXPECT_EQ(0, call(do_advise, self->addr + LEN / 2, LEN / 2, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr + LEN / 2, LEN / 2, 0);
	/* Once it has given its lock up, it is ours alone. */
	ASSERT_EQ(0, call(do_munlock, self->addr, LEN / 2, 0));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(0, status_bytes(self->pid, "VmLck"));
}

/* What comes before it is done, as the kernel goes from mapping to mapping. */
TEST_F(advise, own_lock_in_the_middle_stops_the_call_there)
{
	unsigned long own = self->addr + LEN / 4;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, call(do_mlock, own, LEN / 4, 0));
	EXPECT_EQ(-EINVAL, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN / 4, 0);
	expect_bytes(_metadata, self, own, LEN * 3 / 4, 1);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, own_mlockall_keeps_the_answers_of_the_kernel)
{
	long addr;

	lock_it(_metadata, self, variant);
	ASSERT_EQ(0, call(do_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0));
	check_own_answers(_metadata, self, self->addr, LEN);
	addr = call(do_map_small, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, call(do_fill, addr, LEN, 1));
	check_own_answers(_metadata, self, addr, LEN);
	ASSERT_EQ(0, call(do_mlockall, 0, 0, 0));
	EXPECT_EQ(0, call(do_advise, self->addr, LEN, MADV_DONTNEED));
	expect_bytes(_metadata, self, self->addr, LEN, 0);
	unlock_it(_metadata, self, variant);
}

TEST_F(advise, own_lock_by_mmap_keeps_the_answers_of_the_kernel)
{
	long addr;

	lock_it(_metadata, self, variant);
	addr = call(do_map_small, LEN, RW, MAP_PRIVATE | MAP_LOCKED);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, call(do_fill, addr, LEN, 1));
	check_own_answers(_metadata, self, addr, LEN);
	unlock_it(_metadata, self, variant);
	EXPECT_EQ(LEN, status_bytes(self->pid, "VmLck"));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
