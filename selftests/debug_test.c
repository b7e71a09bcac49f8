// SPDX-License-Identifier: GPL-2.0-only
/*
 * A debugger at a locked process: it may stop it, write to its text and probe it,
 * as ever; and what it writes stays in the process.
 */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "kselftest_harness.h"
#include "probe.h"

FIXTURE(debug)
{
	struct counters start;
	struct target target;
	int fd;
};

FIXTURE_SETUP(debug)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
}

FIXTURE_TEARDOWN(debug)
{
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

/* Nothing of a lock is left to the target itself to do. */
TEST_F(debug, stopped_process_is_locked_and_unlocked)
{
	pid_t pid = self->target.pid;
	struct memlockd_lock lock;
	siginfo_t info;
	long addr;

	addr = target_call(&self->target, do_map, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	kill(pid, SIGSTOP);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, &lock));
	EXPECT_EQ(64 * PAGE, present_bytes(pid, addr, addr + 64 * PAGE));
	EXPECT_EQ(lock.out_pinned, status_bytes(pid, "VmPin"));
	kill(pid, SIGCONT);
	ASSERT_EQ(0, target_call(&self->target, do_write, addr, 64 * PAGE, PAGE));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	kill(pid, SIGSTOP);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

TEST_F(debug, traced_process_is_locked_and_killed)
{
	pid_t pid = self->target.pid;
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(S, state_of(self->fd, pid));
}

/*
 * Memory of the target, as a debugger writes it: whatever the protection, which
 * newer kernels let nobody else do.
 */
static bool poke(pid_t pid, unsigned long addr, char value)
{
	char path[32];
	bool good;
	int fd;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, 0) != pid)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	good = fd >= 0 && pwrite(fd, &value, 1, addr) == 1;
	close(fd);
	return !ptrace(PTRACE_DETACH, pid, NULL, NULL) && good;
}

static long do_peek(long addr, long b, long c)
{
	return *(volatile unsigned char *)addr;
}

static long map_file_read_only(long len, long fd, long c)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return addr == MAP_FAILED ? -errno : (long)addr;
}

/* A breakpoint in superlocked text, and what must never happen: that the file gets it. */
TEST_F(debug, writes_to_the_copy_and_never_to_the_file)
{
	unsigned long i, len = 16 * PAGE;
	char byte;
	long addr;
	pid_t pid;
	int file;

	file = disk_file(len);
	if (file < 0)
		SKIP(return, "no file on a disk: %s", strerror(errno));
	target_stop(&self->target);
	target_start_with(&self->target, file);
	pid = self->target.pid;
	addr = target_call(&self->target, map_file_read_only, len, file, 0);
	ASSERT_LT(0, addr);

	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	ASSERT_TRUE(poke(pid, addr + PAGE, 0x11));
	EXPECT_EQ(0x11, target_call(&self->target, do_peek, addr + PAGE, 0, 0));
	EXPECT_EQ(0, self->target.minflt + self->target.majflt);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	ASSERT_TRUE(poke(pid, addr + 2 * PAGE, 0x22));
	EXPECT_EQ(0x22, target_call(&self->target, do_peek, addr + 2 * PAGE, 0, 0));
	EXPECT_EQ(0x11, target_call(&self->target, do_peek, addr + PAGE, 0, 0));
	for (i = 0; i < len; i += PAGE) {
		ASSERT_EQ(1, pread(file, &byte, 1, i));
		EXPECT_EQ(0, byte);
	}
	close(file);
}

/* "FILE EVENT HITS MISSED" */
static long uprobe_hits(void)
{
	FILE *file = fopen(TRACING "uprobe_profile", "re");
	char line[PATH_MAX + 128];
	long hits = -1;

	while (file && hits < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s probed %ld", &hits) != 1)
			hits = -1;
	}
	if (file)
		fclose(file);
	return hits;
}

TEST_F(debug, uprobe_in_superlocked_text)
{
	long hits;
	int i;

	ASSERT_EQ(2, target_call(&self->target, do_probed, 1, 0, 0));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	if (!probe_add())
		SKIP(return, "no uprobes here: %s", strerror(errno));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(probe_enable(true));
		drain_batches();
		EXPECT_EQ(3, target_call(&self->target, do_probed, 2, 0, 0));
		TH_LOG("probed: %ld faults", self->target.minflt + self->target.majflt);
		ASSERT_TRUE(probe_enable(false));
		drain_batches();
		EXPECT_EQ(4, target_call(&self->target, do_probed, 3, 0, 0));
		TH_LOG("no longer: %ld faults", self->target.minflt + self->target.majflt);
		/* The kernel has put other pages there: lock those, too. */
		ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
		EXPECT_EQ(5, target_call(&self->target, do_probed, 4, 0, 0));
		EXPECT_EQ(0, self->target.minflt + self->target.majflt);
		drain_batches();
	}
	hits = uprobe_hits();
	TH_LOG("%ld hits", hits);
	EXPECT_EQ(3, hits);
	/* And once more, to be unlocked as they are. */
	ASSERT_TRUE(probe_enable(true));
	ASSERT_TRUE(probe_enable(false));
	EXPECT_TRUE(probe_remove());
	EXPECT_EQ(5, target_call(&self->target, do_probed, 4, 0, 0));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	EXPECT_EQ(0, status_bytes(self->target.pid, "VmPin"));
	EXPECT_TRUE(counters_back(&self->start));
}

static const struct {
	int state;
	int flags;
} locks[] = {
	{ MEMLOCKD_STATE_UNLOCKED },
	{ L, LIKE_MLOCKALL },
	{ L, CURRENT_FUTURE },
	{ S, CURRENT_FUTURE },
};

/* 0, or -errno */
static int lock_as(int fd, pid_t pid, unsigned int i)
{
	return locks[i].state ? lock_pid(fd, pid, locks[i].state, locks[i].flags, NULL) : 0;
}

/*
 * struct seen - what a tracer sees of one system call of the target
 * @calls: how often it is begun
 * @filtered: and how often the target's own seccomp filter is asked
 * @first: what it returns the first time
 * @last: and the last time
 * @third: the third argument at that moment
 * @byte: and the byte at the address that is the first
 */
struct seen {
	int calls, filtered;
	long first, last;
	long third;
	int byte;
};

#define SYSCALL_STOP	(SIGTRAP | 0x80)

/* Of a process that is stopped after its system call. */
static long third_argument(pid_t pid)
{
#if defined(__x86_64__)
	return ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rdx), NULL);
#elif defined(__aarch64__)
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };

	return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) ? -1 : (long)regs.regs[2];
#else
#error where does this processor have it?
#endif
}

/* The target runs @fn, which calls @nr once, and is traced; false if that cannot be done. */
static bool trace(struct target *t, target_fn fn, const long *args, long nr, struct seen *seen)
{
	struct __ptrace_syscall_info info;
	int status, sig = 0;
	bool inside = false;
	long ret;

	memset(seen, 0, sizeof(*seen));
	if (ptrace(PTRACE_SEIZE, t->pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP) ||
	    ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) || waitpid(t->pid, &status, 0) != t->pid)
		return false;
	target_post(t, fn, args[0], args[1], args[2]);
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, t->pid, NULL, sig) ||
		    waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status))
			return false;
		sig = 0;
		if (status >> 16 == PTRACE_EVENT_SECCOMP) {
			seen->filtered++;
			continue;
		}
		if (status >> 16 || WSTOPSIG(status) != SYSCALL_STOP) {
			sig = status >> 16 ? 0 : WSTOPSIG(status);
			continue;
		}
		if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0)
			return false;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			inside = info.entry.nr == nr;
			/* Another call: it is done with the one that was asked for. */
			if (!inside && seen->calls)
				break;
			seen->calls += inside;
		} else if (inside) {
			inside = false;
			seen->last = info.exit.rval;
			if (seen->calls == 1)
				seen->first = seen->last;
			seen->third = third_argument(t->pid);
			seen->byte = ptrace(PTRACE_PEEKDATA, t->pid, args[0], NULL) & 0xff;
		}
	}
	return !ptrace(PTRACE_DETACH, t->pid, NULL, NULL) && target_result(t, &ret) && !ret;
}

static void print_seen(const char *when, const struct seen *seen)
{
	printf("# %s: %d calls, %d past the filter, the first returns %ld, the last %ld; "
	       "third argument %ld, byte %d\n", when, seen->calls, seen->filtered, seen->first,
	       seen->last, seen->third, seen->byte);
}

/* One call has been seen, and the program has its result, which is 0. */
static void check_seen_once(struct __test_metadata *_metadata, const char *when,
			    const struct seen *seen)
{
	print_seen(when, seen);
	EXPECT_EQ(1, seen->calls);
	EXPECT_EQ(0, seen->last);
}

/* Its tracer is told of each mlock(2) that is about to be done. */
static long do_filter(long a, long b, long c)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mlock, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

static long call_mlock(long addr, long len, long c)
{
	return syscall(SYS_mlock, addr, len) ? -errno : 0;
}

/*
 * Only the core kernel can split a mapping, and only in a call of the process: see
 * docs/transparency.md. The second call is the one that counts.
 */
TEST_F(debug, tracer_and_seccomp_see_mlock_of_a_part_twice)
{
	struct target *t = &self->target;
	const long len = 16 * PAGE;
	struct seen seen;
	long args[3] = {};

	if (target_call(t, do_filter, 0, 0, 0))
		SKIP(return, "this kernel has no seccomp filters");
	/* Alone between guards. */
	args[0] = target_call(t, do_map_small, 3 * len, PROT_NONE, MAP_PRIVATE) + len;
	ASSERT_LT(len, args[0]);
	ASSERT_EQ(0, target_call(t, do_protect, args[0], len, RW));

	args[1] = len / 2;
	ASSERT_TRUE(trace(t, call_mlock, args, SYS_mlock, &seen));
	check_seen_once(_metadata, "a part, without a lock", &seen);
	EXPECT_EQ(1, seen.filtered);
	ASSERT_EQ(0, target_call(t, do_munlock, args[0], len, 0));

	ASSERT_EQ(0, lock_pid(self->fd, t->pid, S, CURRENT_FUTURE, NULL));
	args[1] = len;
	ASSERT_TRUE(trace(t, call_mlock, args, SYS_mlock, &seen));
	check_seen_once(_metadata, "all of it, superlocked", &seen);
	EXPECT_EQ(1, seen.filtered);
	ASSERT_EQ(0, target_call(t, do_munlock, args[0], len, 0));

	args[1] = len / 2;
	ASSERT_TRUE(trace(t, call_mlock, args, SYS_mlock, &seen));
	print_seen("a part, superlocked", &seen);
	EXPECT_EQ(2, seen.calls);
	EXPECT_EQ(2, seen.filtered);
	EXPECT_EQ(SYS_mlock, seen.first);
	EXPECT_EQ(0, seen.last);
	EXPECT_EQ(0, unlock_pid(self->fd, t->pid));
	EXPECT_EQ(len / 2, status_bytes(t->pid, "VmLck"));
}

static long call_msync(long addr, long len, long flags)
{
	return msync((void *)addr, len, flags) ? -errno : 0;
}

/* What we do when a call is done is done before its tracer looks. */
TEST_F(debug, tracer_sees_madvise_and_msync_as_without_a_lock)
{
	struct target *t = &self->target;
	struct seen seen;
	long args[3];
	unsigned int i;

	args[0] = target_call(t, do_map_small, 16 * PAGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, args[0]);
	args[1] = 16 * PAGE;
	for (i = 0; i < ARRAY_SIZE(locks); i++) {
		ASSERT_EQ(0, target_call(t, do_write, args[0], args[1], 1));
		ASSERT_EQ(0, lock_as(self->fd, t->pid, i));
		args[2] = MADV_DONTNEED;
		ASSERT_TRUE(trace(t, do_advise, args, SYS_madvise, &seen));
		check_seen_once(_metadata, state_name(locks[i].state), &seen);
		EXPECT_EQ(MADV_DONTNEED, seen.third);
		EXPECT_EQ(0, seen.byte);

		args[2] = MADV_COLD;
		ASSERT_TRUE(trace(t, do_advise, args, SYS_madvise, &seen));
		check_seen_once(_metadata, "MADV_COLD", &seen);
		EXPECT_EQ(MADV_COLD, seen.third);

		args[2] = MS_SYNC | MS_INVALIDATE;
		ASSERT_TRUE(trace(t, call_msync, args, SYS_msync, &seen));
		check_seen_once(_metadata, "MS_INVALIDATE", &seen);
		EXPECT_EQ(MS_SYNC | MS_INVALIDATE, seen.third);
	}
}

static long do_number_pages(long addr, long nr, long c)
{
	long i;

	for (i = 0; i < nr; i++)
		*(long *)(addr + i * PAGE) = i + 1;
	return 0;
}

/* Pages, a copy of which begins at @copy, that do not have the number that they were given. */
static int wrong_pages(const char *copy, int nr)
{
	int i, wrong = 0;

	for (i = 0; i < nr; i++)
		wrong += *(const long *)(copy + i * PAGE) != i + 1;
	return wrong;
}

/* A debugger, a checkpointer and a tool for NUMA find what they find without a lock. */
TEST_F(debug, others_read_its_memory)
{
	enum { NR = 64 };
	struct target *t = &self->target;
	int status[NR], mem;
	void *pages[NR];
	unsigned int i, j;
	char path[32];
	char *copy;
	long addr;

	copy = malloc(NR * PAGE);
	ASSERT_NE(NULL, copy);
	addr = target_call(t, do_map_small, NR * PAGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(t, do_number_pages, addr, NR, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
	for (i = 0; i < ARRAY_SIZE(locks); i++) {
		struct iovec here = { copy, NR * PAGE }, there = { (void *)addr, NR * PAGE };

		ASSERT_EQ(0, lock_as(self->fd, t->pid, i));
		memset(copy, 0, NR * PAGE);
		EXPECT_EQ((ssize_t)(NR * PAGE), process_vm_readv(t->pid, &here, 1, &there, 1, 0));
		EXPECT_EQ(0, wrong_pages(copy, NR));

		memset(copy, 0, NR * PAGE);
		mem = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, mem);
		EXPECT_EQ((ssize_t)(NR * PAGE), pread(mem, copy, NR * PAGE, addr));
		EXPECT_EQ(0, wrong_pages(copy, NR));
		close(mem);
		EXPECT_EQ(NR * PAGE, present_bytes(t->pid, addr, addr + NR * PAGE));

		/* On which node is each? */
		for (j = 0; j < NR; j++)
			pages[j] = (void *)(addr + j * PAGE);
		EXPECT_EQ(0, syscall(SYS_move_pages, t->pid, NR, pages, NULL, status, 0));
		for (j = 0; j < NR; j++)
			EXPECT_LE(0, status[j]);
	}
	free(copy);
}

/* As <linux/fs.h> and <linux/userfaultfd.h> have them since Linux 6.7; Debian 12's are older. */
struct scan {
	__u64 size;
	__u64 flags;
#define SCAN_WRITE_PROTECT	(1 << 0)
#define SCAN_CHECK_ASYNC	(1 << 1)
	__u64 start, end;
	__u64 walk_end;
	__u64 vec, vec_len;
	__u64 max_pages;
	__u64 inverted;
	__u64 all_of;
	__u64 any_of;
	__u64 returned;
#define SCAN_WRITTEN		(1 << 1)
#define SCAN_PRESENT		(1 << 3)
};

struct scanned {
	__u64 start, end;
	__u64 categories;
};

#define SCAN			_IOWR('f', 16, struct scan)
#define UFFD_WRITTEN_ASYNC	(1 << 15)
#define UFFD_UNPOPULATED	(1 << 13)

/* The target has its writes noted, as a checkpointer or a garbage collector does. */
static long do_note_writes(long addr, long len, long c)
{
	/* It stays open until the target ends. */
	int fd = userfault_register(addr, len, UFFDIO_REGISTER_MODE_WP,
				    UFFD_WRITTEN_ASYNC | UFFD_UNPOPULATED);

	return fd < 0 ? fd : 0;
}

/*
 * The pages, a bit each, of the @nr at @addr that are in the category @wanted.  That they have
 * been written is forgotten.
 */
static long do_scan(long addr, long nr, long wanted)
{
	struct scanned found[64];
	struct scan scan = {
		.size = sizeof(scan),
		.flags = wanted == SCAN_WRITTEN ? SCAN_WRITE_PROTECT | SCAN_CHECK_ASYNC : 0,
		.start = addr,
		.end = addr + nr * PAGE,
		.vec = (long)found,
		.vec_len = ARRAY_SIZE(found),
		.all_of = wanted,
		.returned = wanted,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long n, i, mask = 0;
	__u64 page;

	if (fd < 0)
		return -errno;
	n = ioctl(fd, SCAN, &scan);
	if (n < 0)
		mask = -errno;
	close(fd);
	for (i = 0; i < n; i++)
		for (page = found[i].start; page < found[i].end; page += PAGE)
			mask |= 1L << ((page - addr) / PAGE);
	return mask;
}

static long do_write_some(long addr, long mask, long value)
{
	long i;

	for (i = 0; mask >> i; i++)
		if (mask >> i & 1)
			*(volatile long *)(addr + i * PAGE) = value;
	return 0;
}

/* Who has its writes noted finds those that it did, and no others, whoever locks it. */
TEST_F(debug, pagemap_scan_finds_what_was_written)
{
	enum { NR = 32 };
	const long all = (1L << NR) - 1;
	struct target *t = &self->target;
	unsigned int i;
	long addr, ret;

	for (i = 0; i < ARRAY_SIZE(locks); i++) {
		const long before = 0x50a0005, during = 0x300c0080;

		addr = target_call(t, do_map_small, NR * PAGE, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		ASSERT_EQ(0, target_call(t, do_number_pages, addr, NR, 0));
		ret = target_call(t, do_note_writes, addr, NR * PAGE, 0);
		if (ret == -EINVAL || ret == -ENOSYS)
			SKIP(return, "this kernel notes no writes");
		ASSERT_EQ(0, ret);
		ASSERT_LE(0, target_call(t, do_scan, addr, NR, SCAN_WRITTEN));
		ASSERT_EQ(0, target_call(t, do_scan, addr, NR, SCAN_WRITTEN));

		ASSERT_EQ(0, target_call(t, do_write_some, addr, before, 1));
		ASSERT_EQ(0, lock_as(self->fd, t->pid, i));
		ret = target_call(t, do_scan, addr, NR, SCAN_WRITTEN);
		TH_LOG("%s, flags 0x%x: written before the lock %#lx, found %#lx",
		       state_name(locks[i].state), locks[i].flags, before, ret);
		EXPECT_EQ(before, ret);

		ASSERT_EQ(0, target_call(t, do_write_some, addr, during, 2));
		ret = target_call(t, do_scan, addr, NR, SCAN_WRITTEN);
		TH_LOG("written since %#lx, found %#lx", during, ret);
		EXPECT_EQ(during, ret);
		EXPECT_EQ(0, target_call(t, do_scan, addr, NR, SCAN_WRITTEN));
		EXPECT_EQ(all, target_call(t, do_scan, addr, NR, SCAN_PRESENT));
		if (locks[i].state)
			ASSERT_EQ(0, unlock_pid(self->fd, t->pid));
	}
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* A pin is in the way of that, as other references are; what is there stays. */
TEST_F(debug, collapse_keeps_what_is_there)
{
	struct target *t = &self->target;
	struct iovec here, there;
	unsigned int i;
	long addr, ret;
	char *copy;

	copy = malloc(HUGE);
	ASSERT_NE(NULL, copy);
	addr = target_call(t, do_map_small, 2 * HUGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	addr = (addr + HUGE - 1) & -HUGE;
	if (target_call(t, do_advise, addr, HUGE, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages");
	for (i = 0; i < ARRAY_SIZE(locks); i++) {
		ASSERT_EQ(0, target_call(t, do_advise, addr, HUGE, MADV_DONTNEED));
		ASSERT_EQ(0, target_call(t, do_advise, addr, HUGE, MADV_NOHUGEPAGE));
		ASSERT_EQ(0, target_call(t, do_number_pages, addr, HUGE / PAGE, 0));
		ASSERT_EQ(0, target_call(t, do_advise, addr, HUGE, MADV_HUGEPAGE));
		ASSERT_EQ(0, lock_as(self->fd, t->pid, i));
		ret = target_call(t, do_advise, addr, HUGE, MADV_COLLAPSE);
		printf("# %s, flags 0x%x: %s\n", state_name(locks[i].state), locks[i].flags,
		       ret ? strerror(-ret) : "collapsed");
		here = (struct iovec){ copy, HUGE };
		there = (struct iovec){ (void *)addr, HUGE };
		EXPECT_EQ((ssize_t)HUGE, process_vm_readv(t->pid, &here, 1, &there, 1, 0));
		EXPECT_EQ(0, wrong_pages(copy, HUGE / PAGE));
		if (locks[i].state)
			ASSERT_EQ(0, unlock_pid(self->fd, t->pid));
	}
	free(copy);
}

static long do_crash(long a, long b, long c)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	abort();
}

/* The @len bytes at @addr, as the core file has them. */
static bool read_core(const char *path, unsigned long addr, char *to, size_t len)
{
	Elf64_Ehdr file;
	Elf64_Phdr part;
	bool good = false;
	int fd, i;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &file, sizeof(file), 0) != sizeof(file))
		return false;
	for (i = 0; i < file.e_phnum && !good; i++) {
		if (pread(fd, &part, sizeof(part), file.e_phoff + i * sizeof(part)) != sizeof(part))
			break;
		good = part.p_type == PT_LOAD && part.p_vaddr <= addr &&
		       addr + len <= part.p_vaddr + part.p_filesz &&
		       pread(fd, to, len, part.p_offset + addr - part.p_vaddr) == (ssize_t)len;
	}
	close(fd);
	return good;
}

FIXTURE(core)
{
	struct counters start;
	struct target target;
	char before[128];
	char path[PATH_MAX];
	int fd;
};

FIXTURE_VARIANT(core)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(core, unlocked) { .state = MEMLOCKD_STATE_UNLOCKED };
FIXTURE_VARIANT_ADD(core, movable) { .state = L, .flags = LIKE_MLOCKALL };
FIXTURE_VARIANT_ADD(core, locked) { .state = L, .flags = CURRENT_FUTURE };
FIXTURE_VARIANT_ADD(core, superlocked) { .state = S, .flags = CURRENT_FUTURE };

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

static bool write_pattern(const char *pattern)
{
	int fd = open(CORE_PATTERN, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, pattern, strlen(pattern)) == (ssize_t)strlen(pattern);

	close(fd);
	return good;
}

FIXTURE_SETUP(core)
{
	int fd = open(CORE_PATTERN, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, read(fd, self->before, sizeof(self->before) - 1));
	close(fd);
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	target_start(&self->target);
	snprintf(self->path, sizeof(self->path), "%s/core.memlockd.%d", disk_dir(),
		 self->target.pid);
	ASSERT_TRUE(write_pattern(self->path));
}

FIXTURE_TEARDOWN(core)
{
	write_pattern(self->before);
	unlink(self->path);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(core, dump_has_its_memory)
{
	enum { NR = 64 };
	struct target *t = &self->target;
	char *copy = calloc(NR, PAGE);
	int status;
	long addr, ret;

	ASSERT_NE(NULL, copy);
	addr = target_call(t, do_map_small, NR * PAGE, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(t, do_number_pages, addr, NR, 0));
	if (variant->state)
		ASSERT_EQ(0, lock_pid(self->fd, t->pid, variant->state, variant->flags, NULL));
	target_post(t, do_crash, 0, 0, 0);
	EXPECT_FALSE(target_result(t, &ret));
	status = target_reap(t);
	EXPECT_EQ(SIGABRT, WTERMSIG(status));
	EXPECT_TRUE(WCOREDUMP(status));
	EXPECT_TRUE(read_core(self->path, addr, copy, NR * PAGE));
	EXPECT_EQ(0, wrong_pages(copy, NR));
	free(copy);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
