// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who reads the device is told what becomes of the processes that he may look at, and what
 * he has missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define RING	1024	/* events that wait in a file, at most */
#define PAGES	16
#define LEN	(PAGES * PAGE)

#define ALL_KINDS	(2 * MEMLOCKD_EVENT_RULE_FAILED - 1)
#define SPAN		(MEMLOCKD_EVENT_LOCKED | MEMLOCKD_EVENT_UNLOCKED | \
			 MEMLOCKD_EVENT_EXECED | MEMLOCKD_EVENT_EXITED)

static int subscribe_all(int fd, unsigned int kinds)
{
	struct memlockd_subscribe arg = {
		.size = sizeof(arg),
		.flags = MEMLOCKD_SUBSCRIBE_ALL,
		.kinds = kinds,
		.event_size = sizeof(struct memlockd_event),
	};

	return device_call(fd, MEMLOCKD_IOC_SUBSCRIBE, &arg);
}

static bool readable(int fd, int timeout)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLRDNORM };

	return poll(&pollfd, 1, timeout) == 1 && pollfd.revents == (POLLIN | POLLRDNORM);
}

static void event_print(const struct memlockd_event *e)
{
	printf("# event %#x at %llu ns: flags %#x, process %d, by %d, address %#llx, ip %#llx, %llu ns, state %u, limit %u, count %llu\n",
	       e->kind, (unsigned long long)e->time_ns, e->flags, e->pid, e->tid,
	       (unsigned long long)e->address, (unsigned long long)e->ip,
	       (unsigned long long)e->duration_ns, e->state, e->limit,
	       (unsigned long long)e->count);
}

FIXTURE(events)
{
	struct counters start;
	struct target target;
	long addr;		/* of what faults when it is cut off */
	int file;		/* what is mapped there */
	int fd;			/* locks */
	int reader;		/* reads, without waiting */
};

FIXTURE_SETUP(events)
{
	self->fd = device_open();
	self->reader = device_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->reader);
	ASSERT_EQ(0, fcntl(self->reader, F_SETFL, O_NONBLOCK));
	counters_start(&self->start);
	self->file = target_start_sharing(&self->target, LEN, &self->addr);
}

FIXTURE_TEARDOWN(events)
{
	target_stop(&self->target);
	close(self->file);
	close(self->reader);
	close(self->fd);
	EXPECT_TRUE(counters_back(&self->start));
}

static void superlock(struct __test_metadata *_metadata, FIXTURE_DATA(events) *self)
{
	struct memlockd_status status;

	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
	if (status.out_warnings & MEMLOCKD_WARNING_NO_GUARD)
		SKIP(return, "this kernel has no tracepoints of page faults");
}

/* Have the target take a fault for each of its pages from the @first on, @nr of them. */
static void fault(struct __test_metadata *_metadata, FIXTURE_DATA(events) *self,
		  unsigned int first, unsigned int nr)
{
	ASSERT_EQ(0, ftruncate(self->file, 0));
	ASSERT_EQ(0, ftruncate(self->file, LEN));
	ASSERT_EQ(0, target_call(&self->target, do_write, self->addr + first * PAGE, nr * PAGE,
				 PAGE));
}

/* The next event is one of @kind, of @pid, and there is one. */
static void next(struct __test_metadata *_metadata, int fd, unsigned int kind, pid_t pid,
		 struct memlockd_event *event)
{
	ASSERT_TRUE(readable(fd, -1));
	ASSERT_EQ(1, events_read(fd, event, 1));
	event_print(event);
	EXPECT_EQ(kind, event->kind);
	EXPECT_EQ(pid, event->pid);
	EXPECT_NE(0, event->time_ns);
}

TEST_F(events, each_real_fault_is_one)
{
	struct memlockd_event events[2 * PAGES], *e;
	struct memlockd_status status;
	unsigned int i;

	superlock(_metadata, self);
	ASSERT_EQ(0, events_subscribe(self->reader, self->target.pid, MEMLOCKD_EVENT_FAULT));
	EXPECT_EQ(-EAGAIN, events_read(self->reader, events, 1));
	EXPECT_FALSE(readable(self->reader, 0));
	fault(_metadata, self, 0, PAGES);
	ASSERT_TRUE(readable(self->reader, -1));
	ASSERT_EQ(PAGES, events_read(self->reader, events, ARRAY_SIZE(events)));
	EXPECT_EQ(-EAGAIN, events_read(self->reader, events + PAGES, 1));
	for (i = 0; i < PAGES; i++) {
		e = &events[i];
		if (i < 2)
			event_print(e);
		EXPECT_EQ(MEMLOCKD_EVENT_FAULT, e->kind);
		EXPECT_EQ(self->addr + i * PAGE, e->address);
		EXPECT_EQ(MEMLOCKD_FAULT_WRITE, e->flags);
		EXPECT_EQ(self->target.pid, e->pid);
		EXPECT_EQ(self->target.pid, e->tid);
		EXPECT_EQ(events[0].ip, e->ip);
		EXPECT_NE(0, e->ip);
		EXPECT_NE(0, e->duration_ns);
		EXPECT_EQ(0, e->state | e->limit | e->count);
		if (i)
			EXPECT_LE(e[-1].time_ns + e[-1].duration_ns, e->time_ns);
	}
	/* It is what STATUS says of the last. */
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
	EXPECT_EQ(PAGES, status.out_real_minor_faults);
	EXPECT_EQ(e->time_ns, status.out_fault_time_ns);
	EXPECT_EQ(e->address, status.out_fault_address);
	/* No more of them are wanted. */
	ASSERT_EQ(0, events_subscribe(self->reader, self->target.pid, 0));
	fault(_metadata, self, 0, 1);
	EXPECT_EQ(-EAGAIN, events_read(self->reader, events, 1));
}

TEST_F(events, locks_and_their_ends_are)
{
	struct memlockd_event e;
	pid_t pid = self->target.pid;

	ASSERT_EQ(0, events_subscribe(self->reader, pid, ALL_KINDS));
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, LIKE_MLOCKALL, NULL));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LOCKED, pid, &e);
	EXPECT_EQ(L, e.state);
	EXPECT_EQ(LIKE_MLOCKALL, e.flags);
	EXPECT_EQ(getpid(), e.tid);
	/* The same once more is no change. */
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, LIKE_MLOCKALL, NULL));
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LOCKED, pid, &e);
	EXPECT_EQ(S, e.state);
	ASSERT_EQ(0, unlock_pid(self->fd, pid));
	next(_metadata, self->reader, MEMLOCKD_EVENT_UNLOCKED, pid, &e);
	EXPECT_EQ(0, e.state);
	EXPECT_EQ(getpid(), e.tid);
	ASSERT_EQ(0, lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LOCKED, pid, &e);
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	next(_metadata, self->reader, MEMLOCKD_EVENT_EXECED, pid, &e);
	EXPECT_EQ(0, e.tid);
	/* The subscription was of the address space that has ended. */
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, LIKE_MLOCKALL, NULL));
	EXPECT_EQ(-EAGAIN, events_read(self->reader, &e, 1));
	ASSERT_EQ(0, events_subscribe(self->reader, pid, SPAN));
	target_stop(&self->target);
	next(_metadata, self->reader, MEMLOCKD_EVENT_EXITED, pid, &e);
	EXPECT_EQ(-EAGAIN, events_read(self->reader, &e, 1));
}

TEST_F(events, the_end_of_an_owned_lock_is)
{
	struct memlockd_event e;
	pid_t pid = self->target.pid;
	int owner = device_open();

	ASSERT_EQ(0, events_subscribe(self->reader, pid, SPAN));
	ASSERT_EQ(0, lock_pid(owner, pid, L, CURRENT_FUTURE | MEMLOCKD_OWNED, NULL));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LOCKED, pid, &e);
	close(owner);
	next(_metadata, self->reader, MEMLOCKD_EVENT_UNLOCKED, pid, &e);
	EXPECT_EQ(0, e.tid);
}

TEST_F(events, limits_that_are_met_are)
{
	struct memlockd_event e;
	pid_t pid = self->target.pid;
	struct memlockd_sync sync = { .size = sizeof(sync), .target = pid };
	struct memlockd_range range;
	struct memlockd_lock lock;

	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	set_limit(pid, PAGE);
	ASSERT_EQ(0, events_subscribe(self->reader, pid, ALL_KINDS));
	ASSERT_EQ(-ENOMEM, lock_pid(self->fd, pid, L, LIKE_MLOCKALL, &lock));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LIMIT, pid, &e);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, e.limit);
	EXPECT_EQ(lock.out_needed, e.count);
	EXPECT_NE(0, e.count);
	EXPECT_EQ(getpid(), e.tid);
	ASSERT_EQ(-ENOMEM, lock_range(self->fd, pid, L, self->addr, LEN, &range));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LIMIT, pid, &e);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, e.limit);
	EXPECT_EQ(range.out_needed, e.count);
	/* What has been mapped since a lock that covers no future. */
	set_limit(pid, RLIM_INFINITY);
	ASSERT_EQ(0, lock_pid(self->fd, pid, L, MEMLOCKD_CURRENT, NULL));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LOCKED, pid, &e);
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE));
	set_limit(pid, PAGE);
	ASSERT_EQ(-ENOMEM, device_call(self->fd, MEMLOCKD_IOC_SYNC, &sync));
	next(_metadata, self->reader, MEMLOCKD_EVENT_LIMIT, pid, &e);
	EXPECT_EQ(MEMLOCKD_LIMIT_RLIMIT_MEMLOCK, e.limit);
	EXPECT_EQ(-EAGAIN, events_read(self->reader, &e, 1));
}

/* What is not read in time is counted, and nothing else is lost. */
TEST_F(events, what_is_lost_is_told)
{
	static struct memlockd_event events[2 * RING];
	unsigned long long faults = 0, lost = 0, sent;
	struct memlockd_status status;
	long nr, i, round;

	superlock(_metadata, self);
	ASSERT_EQ(0, events_subscribe(self->reader, self->target.pid, MEMLOCKD_EVENT_FAULT));
	for (round = 0; round < RING / PAGES + 4; round++)
		fault(_metadata, self, 0, PAGES);
	/* Some room again, but less than what comes next needs. */
	nr = events_read(self->reader, events, 8);
	ASSERT_EQ(8, nr);
	fault(_metadata, self, 0, PAGES);
	while ((i = events_read(self->reader, events + nr, 100)) > 0)
		nr += i;
	ASSERT_EQ(-EAGAIN, i);
	for (i = 0; i < nr; i++) {
		if (events[i].kind == MEMLOCKD_EVENT_LOST) {
			event_print(&events[i]);
			EXPECT_EQ(0, events[i].pid);
			EXPECT_LE(RING, i);
			lost += events[i].count;
		} else {
			EXPECT_EQ(MEMLOCKD_EVENT_FAULT, events[i].kind);
			faults++;
		}
	}
	ASSERT_EQ(0, status_pid(self->fd, self->target.pid, &status));
	sent = status.out_real_minor_faults + status.out_real_major_faults;
	TH_LOG("%llu faults, %llu read, %llu lost", sent, faults, lost);
	EXPECT_EQ(sent, faults + lost);
	EXPECT_LT(0, lost);
	/* From here on it is complete again. */
	fault(_metadata, self, 0, 3);
	EXPECT_EQ(3, events_read(self->reader, events, 100));
}

TEST_F(events, a_read_waits_and_can_be_ended)
{
	struct memlockd_event e;
	int pipes[2], status, waits = device_open();
	pid_t pid;

	superlock(_metadata, self);
	ASSERT_EQ(0, events_subscribe(waits, self->target.pid, MEMLOCKD_EVENT_FAULT));
	ASSERT_EQ(0, pipe(pipes));
	/* The file is shared by fork(2). */
	pid = fork_child();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (events_read(waits, &e, 1) != 1 || write(pipes[1], &e, sizeof(e)) != sizeof(e))
			_exit(1);
		events_read(waits, &e, 1);
		_exit(2);
	}
	fault(_metadata, self, 5, 1);
	ASSERT_EQ(sizeof(e), read(pipes[0], &e, sizeof(e)));
	event_print(&e);
	EXPECT_EQ(self->addr + 5 * PAGE, e.address);
	/* It waits again, or is about to: neither outlives the signal. */
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	fault(_metadata, self, 6, 1);
	EXPECT_EQ(1, events_read(waits, &e, 1));
	EXPECT_EQ(self->addr + 6 * PAGE, e.address);
	close(waits);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(events, a_file_that_is_passed_on_goes_on)
{
	struct memlockd_event e;
	int socks[2], status;
	pid_t pid;

	superlock(_metadata, self);
	ASSERT_EQ(0, events_subscribe(self->reader, self->target.pid, MEMLOCKD_EVENT_FAULT));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork_child();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd;

		close(self->reader);
		close(socks[0]);
		fd = receive_fd(socks[1]);
		_exit(fd < 0 || !readable(fd, -1) || events_read(fd, &e, 1) != 1);
	}
	ASSERT_EQ(0, send_fd(socks[0], self->reader));
	close(self->reader);
	fault(_metadata, self, 0, 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(socks[0]);
	close(socks[1]);
	self->reader = device_open();
}

/* In a child that is nobody; what the parent expects is its exit status 0. */
static int as_nobody(int (*fn)(pid_t mine, pid_t roots), pid_t mine, pid_t roots)
{
	pid_t pid = fork_child();
	int status;

	if (!pid)
		_exit(do_setuid(NOBODY, 0, 0) ? 100 : fn(mine, roots));
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Opened by root, as the device has no other mode here. */
static int nobodys;

static int own_only(pid_t mine, pid_t roots)
{
	if (events_subscribe(nobodys, roots, ALL_KINDS) != -EPERM)
		return 1;
	if (events_subscribe(nobodys, mine, MEMLOCKD_EVENT_FAULT))
		return 2;
	return subscribe_all(nobodys, ALL_KINDS) ? 3 : 0;
}

TEST_F(events, only_of_whom_the_reader_may_look_at)
{
	struct target own;
	struct memlockd_event e;

	nobodys = device_open();
	ASSERT_LE(0, nobodys);
	ASSERT_EQ(0, fcntl(nobodys, F_SETFL, O_NONBLOCK));
	target_start(&own);
	ASSERT_EQ(0, target_call(&own, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, as_nobody(own_only, own.pid, self->target.pid));
	ASSERT_EQ(0, subscribe_all(self->reader, ALL_KINDS));
	/* Of root's process nobody hears nothing. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, S, CURRENT_FUTURE, NULL));
	fault(_metadata, self, 0, 1);
	ASSERT_EQ(0, lock_pid(self->fd, own.pid, L, LIKE_MLOCKALL, NULL));
	next(_metadata, nobodys, MEMLOCKD_EVENT_LOCKED, own.pid, &e);
	EXPECT_EQ(-EAGAIN, events_read(nobodys, &e, 1));
	/* Root hears of both. */
	next(_metadata, self->reader, MEMLOCKD_EVENT_LOCKED, self->target.pid, &e);
	do {
		ASSERT_EQ(1, events_read(self->reader, &e, 1));
	} while (e.kind == MEMLOCKD_EVENT_FAULT);
	EXPECT_EQ(MEMLOCKD_EVENT_LOCKED, e.kind);
	EXPECT_EQ(own.pid, e.pid);
	/* And nobody does of what has become his. */
	ASSERT_EQ(0, target_call(&self->target, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	next(_metadata, nobodys, MEMLOCKD_EVENT_UNLOCKED, self->target.pid, &e);
	target_stop(&own);
	close(nobodys);
}

static int too_many(pid_t mine, pid_t roots)
{
	int i, err = 0;

	/* Handed down by root. */
	for (i = 0; i <= MEMLOCKD_MAX_SUBSCRIPTIONS && !err; i++)
		err = subscribe_all(nobodys + i, ALL_KINDS);
	return i != MEMLOCKD_MAX_SUBSCRIPTIONS + 1 || err != -EDQUOT;
}

TEST_F(events, a_user_has_a_number_of_them)
{
	int i, first = 100;

	nobodys = first;
	for (i = 0; i <= MEMLOCKD_MAX_SUBSCRIPTIONS; i++) {
		int fd = device_open();

		ASSERT_EQ(first + i, dup2(fd, first + i));
		close(fd);
	}
	EXPECT_EQ(0, as_nobody(too_many, self->target.pid, 0));
	for (i = 0; i <= MEMLOCKD_MAX_SUBSCRIPTIONS; i++)
		close(first + i);
}

#define CGROUP	"/sys/fs/cgroup/memlockd_events"
#define MANY	64

TEST_F(events, what_waits_is_charged_to_who_subscribes)
{
	const long size = MANY * RING * sizeof(struct memlockd_event);
	const char *why = memory_cgroup(CGROUP);
	long before, with, after;
	int fds[MANY], i;

	if (why)
		SKIP(return, "%s", why);
	for (i = 0; i < MANY; i++) {
		fds[i] = device_open();
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_TRUE(write_number(CGROUP "/cgroup.procs", getpid()));
	before = read_number(CGROUP "/memory.current");
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, subscribe_all(fds[i], ALL_KINDS));
	with = read_number(CGROUP "/memory.current");
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	after = read_number(CGROUP "/memory.current");
	TH_LOG("%ld kB, %ld kB with %d files of %ld kB, %ld kB without", before / KIB, with / KIB,
	       MANY, size / MANY / KIB, after / KIB);
	EXPECT_LE(before + size, with);
	/* A processor keeps some pages for the next charge. */
	EXPECT_GE(before + size / 2, after);
	ASSERT_TRUE(write_number("/sys/fs/cgroup/cgroup.procs", getpid()));
	rmdir(CGROUP);
}

TEST_F(events, what_is_wrong_is_EINVAL)
{
	struct memlockd_subscribe good = {
		.size = sizeof(good),
		.target = self->target.pid,
		.kinds = ALL_KINDS,
		.event_size = sizeof(struct memlockd_event),
	}, arg;
	char wide[PAGE];
	struct pollfd pollfd = { .fd = self->reader, .events = POLLIN };
	unsigned int i;

	/* Without a subscription. */
	EXPECT_EQ(-1, read(self->reader, wide, sizeof(wide)));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(1, poll(&pollfd, 1, 0));
	EXPECT_EQ(POLLERR, pollfd.revents);
#define WRONG(field, value) do {						\
	arg = good;								\
	arg.field = (value);							\
	EXPECT_EQ(-EINVAL, device_call(self->reader, MEMLOCKD_IOC_SUBSCRIBE, &arg)) \
		TH_LOG(#field " is " #value);					\
} while (0)
	WRONG(kinds, ALL_KINDS + 1);
	WRONG(flags, 2);
	WRONG(flags, MEMLOCKD_SUBSCRIBE_ALL);	/* and a target */
	WRONG(event_size, sizeof(struct memlockd_event) - 1);
	WRONG(event_size, PAGE + 1);
	WRONG(target_type, 3);
#undef WRONG
	arg = good;
	arg.event_size = sizeof(struct memlockd_event) + 24;
	ASSERT_EQ(0, device_call(self->reader, MEMLOCKD_IOC_SUBSCRIBE, &arg));
	EXPECT_EQ(-1, read(self->reader, wide, arg.event_size - 1));
	EXPECT_EQ(EINVAL, errno);
	/* Where the reader's event is larger, the rest is zeros. */
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, LIKE_MLOCKALL, NULL));
	memset(wide, 0xa5, sizeof(wide));
	/* What cannot be written is not lost. */
	EXPECT_EQ(-1, read(self->reader, NULL, arg.event_size));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(arg.event_size, read(self->reader, wide, sizeof(wide)));
	EXPECT_EQ(MEMLOCKD_EVENT_LOCKED, ((struct memlockd_event *)wide)->kind);
	for (i = sizeof(struct memlockd_event); i < arg.event_size; i++)
		EXPECT_EQ(0, wide[i]);
	EXPECT_EQ((char)0xa5, wide[i]);
}

/* Does a line of the trace have all of these? */
static bool traced(const char *event, const char *what)
{
	FILE *file = fopen(TRACING "trace", "r");
	char line[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		found = strstr(line, event) && strstr(line, what);
		if (found)
			printf("# %s", line);
	}
	if (file)
		fclose(file);
	return found;
}

TEST_F(events, tracepoints_have_them)
{
	char what[64];

	if (access(TRACING "events/memlockd/fault/format", R_OK))
		SKIP(return, "there is no tracefs, or the kernel has no tracepoints");
	ASSERT_TRUE(write_number(TRACING "events/memlockd/enable", 1));
	superlock(_metadata, self);
	fault(_metadata, self, 7, 1);
	ASSERT_EQ(0, unlock_pid(self->fd, self->target.pid));
	ASSERT_EQ(0, lock_pid(self->fd, self->target.pid, L, LIKE_MLOCKALL, NULL));
	target_post(&self->target, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->target));
	write_number(TRACING "events/memlockd/enable", 0);
	snprintf(what, sizeof(what), "process=%d address=0x%lx ", self->target.pid,
		 self->addr + 7 * PAGE);
	EXPECT_TRUE(traced(" fault: ", what));
	snprintf(what, sizeof(what), "process=%d", self->target.pid);
	EXPECT_TRUE(traced(" unlock: ", what));
	snprintf(what, sizeof(what), "process=%d state=superlocked", self->target.pid);
	EXPECT_TRUE(traced(" lock: ", what));
	snprintf(what, sizeof(what), "process=%d by=exec", self->target.pid);
	EXPECT_TRUE(traced(" end: ", what));
}

TEST_F(events, the_module_stays_while_one_reads)
{
	int err, reader = device_open();

	if (access("/sys/module/memlockd/refcnt", R_OK))
		SKIP(return, "memlockd is built in, or this kernel unloads no modules");
	ASSERT_EQ(0, subscribe_all(reader, ALL_KINDS));
	close(self->fd);
	close(self->reader);
	err = module_unload();
	TH_LOG("unloading while a file is subscribed: %s", strerror(-err));
	EXPECT_TRUE(err == -EBUSY || err == -EWOULDBLOCK);
	close(reader);
	self->fd = device_open();
	self->reader = device_open();
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
