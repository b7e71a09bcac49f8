// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an unprivileged target or client could do to the machine: more mappings than
 * anybody has, one page mapped more often than anybody maps it, bookkeeping that
 * nobody pays for. Bounded, killable, and nothing left. large_test has the rest.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"
#define CGROUP		"/sys/fs/cgroup/memlockd-flood"

/* So many mappings take an emulated machine a while. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1800

/* MEMLOCKD_MAPPINGS, or as many as the names of the tests say. */
static long mappings = 100000;

FIXTURE(flood)
{
	struct counters start;
	struct target target;
	struct target client;
	long max_map_count;
	pid_t pid;
	int fd;
};

FIXTURE_VARIANT(flood)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(flood, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(flood, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

FIXTURE_SETUP(flood)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->max_map_count = read_number(MAX_MAP_COUNT);
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
	target_start_with(&self->client, self->fd);
	write_number(MAX_MAP_COUNT, 2 * mappings);
}

FIXTURE_TEARDOWN(flood)
{
	target_stop(&self->client);
	target_stop(&self->target);
	write_number(MAX_MAP_COUNT, self->max_map_count);
	EXPECT_TRUE(counters_back(&self->start));
}

static void check_unlocked(struct __test_metadata *_metadata, int fd, pid_t pid)
{
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

/* Mappings of a page each, that have no pages: no neighbours are alike. */
static long do_map_nothing(long nr, long b, long c)
{
	long addr = do_map(nr * PAGE, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE), i;

	if (addr < 0)
		return addr;
	for (i = 0; i < nr; i += 2) {
		if (madvise((void *)(addr + i * PAGE), PAGE, MADV_DONTFORK))
			return -errno;
	}
	return addr;
}

/* Lock for good, again, and be killed at it. */
static void check_flood(struct __test_metadata *_metadata, struct memlockd_lock *lock, int fd,
			struct target *client, pid_t pid, int state, int flags)
{
	struct memlockd_status status;

	ASSERT_EQ(0, lock_pid(fd, pid, state, flags, lock));
	ASSERT_EQ(0, status_pid(fd, pid, &status));
	TH_LOG("%u mappings, %llu kB locked, %ld pages wired, %llu kB of bookkeeping",
	       lock->out_mappings, (unsigned long long)lock->out_locked / KIB,
	       read_number(KNOB("wired")), (unsigned long long)status.out_bookkeeping / KIB);
	EXPECT_LE(mappings, lock->out_mappings);
	EXPECT_LE(mappings * PAGE, lock->out_locked);
	/* No more for a mapping than the kernel itself needs for it. */
	EXPECT_GE(256 * lock->out_mappings, status.out_bookkeeping);
	ASSERT_EQ(0, lock_pid(fd, pid, state, flags, NULL));
	ASSERT_EQ(0, unlock_pid(fd, pid));
	check_unlocked(_metadata, fd, pid);

	target_post(client, do_lock, fd, pid, STATE_FLAGS(state, flags));
	/* Whether it has begun or not: it ends now, and nobody waits for it. */
	sched_yield();
	EXPECT_EQ(SIGKILL, target_stop(client));
	/* It may have been faster. */
	if (state_of(fd, pid) != MEMLOCKD_STATE_UNLOCKED)
		ASSERT_EQ(0, unlock_pid(fd, pid));
	check_unlocked(_metadata, fd, pid);
}

TEST_F(flood, hundred_thousand_mappings)
{
	struct memlockd_lock lock;
	long addr = target_call(&self->target, do_map_nothing, mappings, 0, 0);

	if (addr < 0)
		SKIP(return, "cannot map so much: %s", strerror(-addr));
	check_flood(_metadata, &lock, self->fd, &self->client, self->pid, variant->state,
		    variant->flags);
}

TEST_F(flood, page_mapped_a_hundred_thousand_times)
{
	struct memlockd_lock lock;
	unsigned long wired;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, variant->flags, NULL));
	wired = wired_exactly(self->fd);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	addr = target_call(&self->target, do_map_same, mappings, mappings, 0);
	if (addr < 0)
		SKIP(return, "cannot map so much: %s", strerror(-addr));
	check_flood(_metadata, &lock, self->fd, &self->client, self->pid, variant->state,
		    variant->flags);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(wired + 1, wired_exactly(self->fd));
	EXPECT_EQ(mappings * PAGE, present_bytes(self->pid, addr, addr + mappings * PAGE));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
}

/* The limit of mappings holds: what would need more of them is refused, whole. */
TEST_F(flood, process_at_its_limit_of_mappings_can_be_locked)
{
	struct vma *vmas;
	long addr, nr;

	addr = target_call(&self->target, do_map_nothing, 1000, 0, 0);
	ASSERT_LT(0, addr);
	nr = vmas_read(self->pid, &vmas);
	free(vmas);
	ASSERT_TRUE(write_number(MAX_MAP_COUNT, nr));
	EXPECT_EQ(0, lock_pid(self->fd, self->pid, variant->state, variant->flags, NULL));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
	nr -= vmas_read(self->pid, &vmas);
	free(vmas);
	EXPECT_EQ(0, nr);
}

/* A target with much to remember, and a client in a cgroup that pays for it. */
FIXTURE(charge)
{
	struct counters start;
	struct target target;
	struct target client;
	pid_t pid;
	int fd;
};

FIXTURE_SETUP(charge)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
	target_start_with(&self->client, self->fd);
}

FIXTURE_TEARDOWN(charge)
{
	target_stop(&self->client);
	target_stop(&self->target);
	rmdir(CGROUP);
	EXPECT_TRUE(counters_back(&self->start));
}

static const char *make_cgroup(pid_t pid)
{
	const char *why = memory_cgroup(CGROUP);

	if (why)
		return why;
	return write_number(CGROUP "/cgroup.procs", pid) ? NULL : "no process in a memory cgroup";
}

#define KERNEL_MEMORY	read_field(CGROUP "/memory.stat", "kernel")

/* In base pages, so that much has to be remembered. */
#define SCATTERED	(128 * MIB)

/* Present, so that the client is not charged for the page tables. */
static long do_map_present(long len, long b, long c)
{
	long addr = do_map_small(len, RW, MAP_PRIVATE);

	return addr < 0 ? addr : do_write(addr, len, PAGE) ?: addr;
}

/* What a cgroup's statistics count, so much of it that they are brought up to date. */
static long do_churn(long len, long b, long c)
{
	long addr = do_map_present(len, 0, 0);

	return addr < 0 ? addr : munmap((void *)addr, len);
}

/*
 * Newer kernels bring memory.stat up to date when enough has changed in the cgroup, or every
 * two seconds by a timer that an idle processor puts off.
 */
static long kernel_memory(struct target *client, long from, long to)
{
	long bytes = KERNEL_MEMORY;
	int tries;

	for (tries = 0; tries < 1000 && (bytes < from || bytes > to); tries++) {
		if (target_call(client, do_churn, 4 * MIB, 0, 0))
			break;
		bytes = KERNEL_MEMORY;
	}
	return bytes;
}

TEST_F(charge, bookkeeping_is_charged_to_the_client)
{
	struct memlockd_status status;
	long before, during, after;
	const char *why;

	ASSERT_LT(0, target_call(&self->target, do_map_present, SCATTERED, 0, 0));
	why = make_cgroup(self->client.pid);
	if (why)
		SKIP(return, "%s", why);
	before = KERNEL_MEMORY;
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, self->pid,
				 STATE_FLAGS(S, CURRENT_FUTURE)));
	ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
	during = kernel_memory(&self->client, before + status.out_bookkeeping * 9 / 10,
			       LONG_MAX);
	ASSERT_EQ(0, target_call(&self->client, do_unlock, self->fd, self->pid, 0));
	after = kernel_memory(&self->client, 0, before + status.out_bookkeeping / 2 - 1);
	TH_LOG("kernel memory of the client's cgroup %ld -> %ld -> %ld, bookkeeping %llu", before,
	       during, after, (unsigned long long)status.out_bookkeeping);
	if (before < 0)
		SKIP(return, "this kernel does not tell the kernel memory of a cgroup");
	EXPECT_LE(status.out_bookkeeping * 9 / 10, during - before);
	/* Slabs go back in their own time. */
	EXPECT_GT(status.out_bookkeeping / 2, after - before);
}

TEST_F(charge, client_in_a_small_memory_cgroup_fails_and_leaves_nothing)
{
	struct memlockd_status status;
	struct counters before, after;
	const char *why;
	bool answered;
	long ret = 0;

	ASSERT_LT(0, target_call(&self->target, do_map_present, SCATTERED, 0, 0));
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	counters_read(&before);
	if (status.out_bookkeeping < 64 * KIB)
		SKIP(return, "only %llu bytes of bookkeeping",
		     (unsigned long long)status.out_bookkeeping);
	why = make_cgroup(self->client.pid);
	if (why)
		SKIP(return, "%s", why);
	/* What the client is charged from now on: half of what it would need. */
	ASSERT_TRUE(write_number(CGROUP "/memory.max",
				 read_number(CGROUP "/memory.current") +
				 status.out_bookkeeping / 2));
	target_post(&self->client, do_lock, self->fd, self->pid,
		    STATE_FLAGS(S, CURRENT_FUTURE));
	answered = target_result(&self->client, &ret);
	TH_LOG("%llu bytes of bookkeeping in a cgroup of %ld: %s",
	       (unsigned long long)status.out_bookkeeping, read_number(CGROUP "/memory.max"),
	       answered ? strerror(-ret) : "the client was killed");
	EXPECT_EQ(answered ? -ENOMEM : 0, ret);
	check_unlocked(_metadata, self->fd, self->pid);
	EXPECT_EQ(0, vmas_locked(self->pid));
	counters_read(&after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

/* A process with hundreds of threads that do not come back from mlock(2), and another one. */
#define THREADS		320
#define TIMES		50

FIXTURE(crowd)
{
	struct counters start;
	struct target crowd;
	struct target victim;
	int fd;
};

FIXTURE_SETUP(crowd)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->crowd);
	target_start(&self->victim);
}

FIXTURE_TEARDOWN(crowd)
{
	target_stop(&self->crowd);
	target_stop(&self->victim);
	EXPECT_TRUE(counters_back(&self->start));
}

/* A page for each thread, which nobody but we can give it; we never do. */
static long do_absent(long nr, long b, long c)
{
	long addr = do_map_small(nr * PAGE, RW, MAP_PRIVATE);
	int fd;

	if (addr < 0)
		return addr;
	fd = userfault_register(addr, nr * PAGE, UFFDIO_REGISTER_MODE_MISSING, 0);
	if (fd < 0)
		return fd;
	/* do_crowd() finds it by its address. */
	return dup2(fd, 900) == 900 ? addr : -errno;
}

static void *lock_page(void *page)
{
	mlock(page, PAGE);
	return NULL;
}

/* Until each of the threads waits for its page. */
static long do_crowd(long addr, long nr, long c)
{
	struct uffd_msg msg;
	pthread_attr_t attr;
	pthread_t thread;
	long i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * KIB);
	for (i = 0; i < nr; i++) {
		int err = pthread_create(&thread, &attr, lock_page, (void *)(addr + i * PAGE));

		if (err)
			return -err;
	}
	for (i = 0; i < nr; i++)
		if (read(900, &msg, sizeof(msg)) != sizeof(msg))
			return -errno;
	return 0;
}

/* How often a munlock of what is locked from outside takes that lock. */
static long do_munlock_often(long addr, long len, long times)
{
	unsigned long locked = status_bytes(getpid(), "VmLck");
	long i, lost = 0;

	for (i = 0; i < times; i++) {
		if (munlock((void *)addr, len))
			return -errno;
		lost += status_bytes(getpid(), "VmLck") < locked;
	}
	return lost;
}

/* How often what is mapped is not pinned as soon as it is there. */
static long do_map_often(long len, long times, long c)
{
	long i, late = 0;

	for (i = 0; i < times; i++) {
		unsigned long pinned = status_bytes(getpid(), "VmPin");
		long addr = do_map_small(len, RW, MAP_PRIVATE);

		if (addr < 0)
			return addr;
		late += status_bytes(getpid(), "VmPin") < pinned + len;
		munmap((void *)addr, len);
	}
	return late;
}

/* The victim keeps what it has, whatever @crowd does. */
static void check_crowd(struct __test_metadata *_metadata, int fd, struct target *crowd,
			struct target *victim)
{
	long absent, addr, lost, late;

	absent = target_call(crowd, do_absent, THREADS, 0, 0);
	if (absent < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-absent));
	addr = target_call(victim, do_map_small, TIMES * PAGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(fd, crowd->pid, L, LIKE_MLOCKALL, NULL));
	ASSERT_EQ(0, lock_pid(fd, victim->pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, target_call(crowd, do_crowd, absent, THREADS, 0));
	lost = target_call(victim, do_munlock_often, addr, TIMES * PAGE, TIMES);
	late = target_call(victim, do_map_often, 4 * PAGE, TIMES, 0);
	TH_LOG("beside %d threads in mlock(2): of %d munlocks %ld took the lock, of %d mmaps %ld were pinned late",
	       THREADS, TIMES, lost, TIMES, late);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, late);
}

TEST_F(crowd, takes_nothing_from_another_process)
{
	check_crowd(_metadata, self->fd, &self->crowd, &self->victim);
}

TEST_F(crowd, takes_nothing_from_its_own_process)
{
	check_crowd(_metadata, self->fd, &self->victim, &self->victim);
}

/* As many mappings, which no other one can be merged with. */
static long do_protect_all(long addr, long len, long c)
{
	unsigned long pinned = status_bytes(getpid(), "VmPin");

	if (mprotect((void *)addr, len, RW))
		return -errno;
	return status_bytes(getpid(), "VmPin") - pinned;
}

TEST_F(crowd, of_mappings_is_pinned_by_one_mprotect)
{
	struct target *victim = &self->victim;
	long addr, nr = 1000, pinned;

	addr = target_call(victim, do_map_nothing, nr, 0, 0);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, victim->pid, S, CURRENT_FUTURE, NULL));
	pinned = target_call(victim, do_protect_all, addr, nr * PAGE, 0);
	TH_LOG("mprotect of %ld mappings: %ld pages are pinned when it returns", nr,
	       pinned / (long)PAGE);
	EXPECT_EQ(nr * PAGE, pinned);
}

int main(int argc, char **argv)
{
	const char *env = getenv("MEMLOCKD_MAPPINGS");

	need_device();
	if (env)
		mappings = atol(env);
	return test_harness_run(argc, argv);
}
