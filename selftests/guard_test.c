// SPDX-License-Identifier: GPL-2.0-only
/*
 * STATUS counts the page faults that break the promise of a superlocked process: each of
 * them once, with its address, and nothing else.
 *
 * What faults here is shared memory that another process has cut off and made larger again:
 * its pages are gone, and no lock is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define PAGES	16
#define LEN	(PAGES * PAGE)

/* read(2) of zeros to there: the kernel writes them. */
static long do_read_zeros(long addr, long len, long c)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t nr = read(fd, (void *)addr, len);
	long ret = nr < 0 ? -errno : nr;

	close(fd);
	return ret;
}

static sigjmp_buf caught;

static void on_signal(int sig)
{
	siglongjmp(caught, sig);
}

/* A read that ends in a signal; which one. */
static long do_read_in_vain(long addr, long b, long c)
{
	int sig;

	signal(SIGSEGV, on_signal);
	signal(SIGBUS, on_signal);
	sig = sigsetjmp(caught, 1);
	if (!sig)
		(void)*(volatile char *)addr;
	return sig;
}

static void *touch(void *addr)
{
	*(volatile char *)addr = 1;
	return (void *)(long)gettid();
}

/* A write by another thread; its number. */
static long do_write_in_thread(long addr, long b, long c)
{
	pthread_t thread;
	void *tid;

	if (pthread_create(&thread, NULL, touch, (void *)addr) || pthread_join(thread, &tid))
		return -ENOMEM;
	return (long)tid;
}

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

FIXTURE(guard)
{
	struct counters start;
	struct target target;
	struct memlockd_status status;
	long addr;		/* of what faults when it is cut off */
	int file;		/* what is mapped there */
	int fd;
};

FIXTURE_SETUP(guard)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	self->file = target_start_sharing(&self->target, LEN, &self->addr);
	/* What a call itself needs is mapped before the lock. */
	ASSERT_EQ(0, target_call(&self->target, do_nothing, 0, 0, 0));
}

FIXTURE_TEARDOWN(guard)
{
	target_stop(&self->target);
	close(self->file);
	EXPECT_TRUE(counters_back(&self->start));
}

static void read_status(struct __test_metadata *_metadata, FIXTURE_DATA(guard) *self)
{
	struct memlockd_status *status = &self->status;

	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, status));
	TH_LOG("%llu minor and %llu major faults are real, of %llu and %llu that the kernel counts; the last at %#llx by %#llx of thread %d, flags %#x",
	       (unsigned long long)status->out_real_minor_faults,
	       (unsigned long long)status->out_real_major_faults,
	       (unsigned long long)status->out_lock_minor_faults,
	       (unsigned long long)status->out_lock_major_faults,
	       (unsigned long long)status->out_fault_address,
	       (unsigned long long)status->out_fault_ip, status->out_fault_tid,
	       status->out_fault_flags);
}

static void superlock(struct __test_metadata *_metadata, FIXTURE_DATA(guard) *self)
{
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	read_status(_metadata, self);
	if (self->status.out_warnings & MEMLOCKD_WARNING_NO_GUARD)
		SKIP(return, "this kernel has no tracepoints of page faults");
	EXPECT_EQ(0, self->status.out_real_minor_faults);
	EXPECT_EQ(0, self->status.out_real_major_faults);
	EXPECT_EQ(0, self->status.out_fault_time_ns);
}

static void cut_off(struct __test_metadata *_metadata, FIXTURE_DATA(guard) *self)
{
	ASSERT_EQ(0, ftruncate(self->file, 0));
	ASSERT_EQ(0, ftruncate(self->file, LEN));
}

/* What STATUS counts since the last look. */
static void check_count(struct __test_metadata *_metadata, FIXTURE_DATA(guard) *self,
			unsigned long faults)
{
	unsigned long long before = self->status.out_real_minor_faults +
				    self->status.out_real_major_faults;

	read_status(_metadata, self);
	EXPECT_EQ(before + faults, self->status.out_real_minor_faults +
				   self->status.out_real_major_faults);
}

TEST_F(guard, a_real_fault_is_counted_once_with_its_address)
{
	unsigned long long before, after;
	long addr = self->addr + 3 * PAGE;

	superlock(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	check_count(_metadata, self, 0);
	cut_off(_metadata, self);
	before = now();
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, PAGE, PAGE));
	after = now();
	check_count(_metadata, self, 1);
	EXPECT_EQ(0, self->status.out_real_major_faults);
	EXPECT_EQ(addr, self->status.out_fault_address);
	EXPECT_EQ(self->target.pid, self->status.out_fault_tid);
	EXPECT_EQ(MEMLOCKD_FAULT_WRITE, self->status.out_fault_flags);
	EXPECT_NE(0, self->status.out_fault_ip);
	EXPECT_LE(before, self->status.out_fault_time_ns);
	EXPECT_GE(after, self->status.out_fault_time_ns);

	/* It is there now. */
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, PAGE, PAGE));
	check_count(_metadata, self, 0);

	/* A read. */
	ASSERT_EQ(0, target_call(&self->target, do_read, self->addr, PAGE, PAGE));
	check_count(_metadata, self, 1);
	EXPECT_EQ(self->addr, self->status.out_fault_address);
	EXPECT_EQ(0, self->status.out_fault_flags);

	/* A new superlock begins at 0, and without one there is nothing. */
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr + 9 * PAGE, PAGE, PAGE));
	read_status(_metadata, self);
	EXPECT_EQ(0, self->status.out_real_minor_faults);
	EXPECT_EQ(0, self->status.out_fault_address);
	superlock(_metadata, self);
}

TEST_F(guard, as_many_as_getrusage_counts)
{
	superlock(_metadata, self);
	cut_off(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	TH_LOG("getrusage: %ld minor, %ld major", self->target.minflt, self->target.majflt);
	EXPECT_LE(PAGES, self->target.minflt + self->target.majflt);
	check_count(_metadata, self, self->target.minflt + self->target.majflt);
	EXPECT_EQ(self->addr + (PAGES - 1) * PAGE, self->status.out_fault_address);
}

TEST_F(guard, what_the_kernel_takes_counts_and_says_so)
{
	superlock(_metadata, self);
	/* Once before, for all that the call itself needs. */
	ASSERT_EQ(LEN, target_call(&self->target, do_read_zeros, self->addr, LEN, 0));
	check_count(_metadata, self, 0);
	cut_off(_metadata, self);
	ASSERT_EQ(LEN, target_call(&self->target, do_read_zeros, self->addr, LEN, 0));
	TH_LOG("getrusage: %ld minor", self->target.minflt);
	EXPECT_EQ(PAGES, self->target.minflt);
	check_count(_metadata, self, PAGES);
	EXPECT_EQ(self->addr + (PAGES - 1) * PAGE, self->status.out_fault_address);
	EXPECT_EQ(MEMLOCKD_FAULT_KERNEL | MEMLOCKD_FAULT_WRITE, self->status.out_fault_flags);
	/* Not an address of the kernel. */
	EXPECT_NE(0, self->status.out_fault_ip);
	EXPECT_EQ(0, self->status.out_fault_ip >> 63);
}

TEST_F(guard, what_is_populated_does_not_count)
{
	long addr;

	superlock(_metadata, self);
	addr = target_call(&self->target, do_map_small, MIB, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_LE(MIB / PAGE, self->target.minflt);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, MIB, PAGE));
	check_count(_metadata, self, 0);
	EXPECT_LE(MIB / PAGE, self->status.out_lock_minor_faults);
	/* A lock of another state counts nothing. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, CURRENT_FUTURE, NULL));
	cut_off(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, LEN, PAGE));
	EXPECT_LE(PAGES, self->target.minflt);
	check_count(_metadata, self, 0);
}

TEST_F(guard, what_ends_in_a_signal_or_in_EFAULT_does_not_count)
{
	long hole, i;

	hole = target_call(&self->target, do_map, PAGE, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, hole);
	/* The handler's frame and its code have been there once. */
	ASSERT_EQ(SIGSEGV, target_call(&self->target, do_read_in_vain, hole, 0, 0));
	superlock(_metadata, self);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(SIGSEGV, target_call(&self->target, do_read_in_vain, hole, 0, 0));
		ASSERT_EQ(-EFAULT, target_call(&self->target, do_read_zeros, hole, PAGE, 0));
	}
	check_count(_metadata, self, 0);
	/* Behind the end of its file. */
	ASSERT_EQ(0, ftruncate(self->file, 0));
	ASSERT_EQ(SIGBUS, target_call(&self->target, do_read_in_vain, self->addr, 0, 0));
	check_count(_metadata, self, 0);
	TH_LOG("21 accesses in vain");
}

TEST_F(guard, a_bystander_counts_nothing)
{
	struct target other;
	long addr;

	superlock(_metadata, self);
	target_start(&other);
	addr = target_call(&other, do_map_small, MIB, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&other, do_write, addr, MIB, PAGE));
	TH_LOG("another process has taken %ld faults", other.minflt);
	EXPECT_LE(MIB / PAGE, other.minflt);
	check_count(_metadata, self, 0);
	/* Nor does what another process reads of it. */
	cut_off(_metadata, self);
	{
		char path[64], bytes[64];
		int mem;

		snprintf(path, sizeof(path), "/proc/%d/mem", self->target.pid);
		mem = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, mem);
		ASSERT_EQ(sizeof(bytes), pread(mem, bytes, sizeof(bytes), self->addr));
		close(mem);
	}
	check_count(_metadata, self, 0);
	target_stop(&other);
}

TEST_F(guard, a_thread_is_named_while_it_lives)
{
	char path[64];
	long tid;

	superlock(_metadata, self);
	cut_off(_metadata, self);
	tid = target_call(&self->target, do_write_in_thread, self->addr, 0, 0);
	ASSERT_LT(0, tid);
	EXPECT_NE(self->target.pid, tid);
	/* It has been joined, and may be about to end yet. */
	read_status(_metadata, self);
	EXPECT_EQ(1, self->status.out_real_minor_faults);
	EXPECT_EQ(self->addr, self->status.out_fault_address);
	EXPECT_TRUE(self->status.out_fault_tid == tid || !self->status.out_fault_tid);
	snprintf(path, sizeof(path), "/proc/%d/task/%ld", self->target.pid, tid);
	while (!access(path, F_OK))
		sched_yield();
	check_count(_metadata, self, 0);
	EXPECT_EQ(0, self->status.out_fault_tid);
}

TEST_F(guard, who_may_not_see_addresses_sees_none)
{
	struct memlockd_status status = {};
	int pipes[2], wait_status;
	pid_t pid;

	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, target_call(&self->target, do_set_dumpable, 0, 0, 0));
	superlock(_metadata, self);
	cut_off(_metadata, self);
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr, PAGE, PAGE));
	check_count(_metadata, self, 1);
	ASSERT_EQ(0, pipe(pipes));
	pid = fork_child();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (do_setuid(NOBODY, 0, 0) || status_pid(self->fd, self->target.pid, &status) ||
		    write(pipes[1], &status, sizeof(status)) != sizeof(status))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &wait_status, 0));
	ASSERT_EQ(0, wait_status);
	ASSERT_EQ(sizeof(status), read(pipes[0], &status, sizeof(status)));
	EXPECT_EQ(1, status.out_real_minor_faults);
	EXPECT_EQ(0, status.out_fault_address);
	EXPECT_EQ(0, status.out_fault_ip);
	EXPECT_EQ(MEMLOCKD_FAULT_WRITE | MEMLOCKD_FAULT_HIDDEN, status.out_fault_flags);
	EXPECT_EQ(self->status.out_fault_time_ns, status.out_fault_time_ns);
	close(pipes[0]);
	close(pipes[1]);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
