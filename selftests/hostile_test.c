// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that would have who locks them wait for ever: a page that only a FUSE server
 * can give, which never does; a file system that is frozen. The locker gets its answer,
 * and ends when it is killed; a superlocked process beside it takes no fault. And
 * processes that run out of memory, by themselves or by a neighbour, in the middle of a
 * lock or after it: nobody else is killed for them, and what is killed gives all back.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "served.h"

/* What is not there after that never comes. */
#define NEVER_MS	(120 * 1000)
#define VICTIM		(256 * PAGE)

/* Waits for a child to end; false when it never does. */
static bool ends(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	bool ended = poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, NEVER_MS) == 1;

	close(pidfd);
	return ended;
}

static bool wait_reads(struct server *server, int nr)
{
	int tries;

	for (tries = 0; tries < NEVER_MS && server->reads < nr; tries++)
		usleep(1000);
	return server->reads >= nr;
}

/* What the targets do. */

/* Where a superlock would have the main stack grow to. */
static long do_map_served_below_stack(long a, long b, long c)
{
	unsigned long start = 0;
	char line[4096], *field;
	FILE *file = fopen("/proc/self/stat", "re");
	int i;

	if (!file || !fgets(line, sizeof(line), file))
		return -EIO;
	fclose(file);
	/* Field 28; the second may have spaces. */
	field = strrchr(line, ')') + 2;
	for (i = 3; i < 28; i++)
		field = strchr(field, ' ') + 1;
	start = strtoul(field, NULL, 10);
	return do_map_served((start - MIB) & ~(PAGE - 1), PROT_READ, MAP_PRIVATE);
}

static void *touch(void *page)
{
	return (void *)(long)*(volatile char *)page;
}

static long do_map_one(long a, long b, long c)
{
	return (long)mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long do_touch_in_thread(long addr, long b, long c)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, touch, (void *)addr))
		return -EAGAIN;
	return 0;
}

/**
 * struct hostile - what each test has
 * @target: the process that means harm
 * @victim: a superlocked one beside it
 * @server: the FUSE server
 * @pid: its process; 0 when it is gone, -1 where there is none
 * @memory: what the victim has mapped
 * @timeout: what vm.memlockd.server_timeout was
 * @lock: what comes out of the locks of its children
 * @fd: the device
 */
struct hostile {
	struct counters start;
	struct target target, victim;
	struct server *server;
	pid_t pid;
	struct memlockd_lock *lock;
	long memory;
	long timeout;
	int fd;
};

FIXTURE(hostile)
{
	struct hostile h;
};

static bool hostile_start(struct hostile *self)
{
	self->fd = device_open();
	self->server = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->pid = self->server == MAP_FAILED ? -1 : server_start(self->server);
	self->lock = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (self->pid < 0 || self->lock == MAP_FAILED)
		return false;
	/* It never comes, so there is no use in waiting long. */
	self->timeout = read_number(KNOB("server_timeout"));
	write_number(KNOB("server_timeout"), 1);
	counters_start(&self->start);
	target_start(&self->target);
	target_start(&self->victim);
	self->memory = target_call(&self->victim, do_map, VICTIM, RW, MAP_PRIVATE);
	return !lock_pid(self->fd, self->victim.pid, S, CURRENT_FUTURE, NULL);
}

FIXTURE_SETUP(hostile)
{
	bool started = hostile_start(&self->h);

	if (self->h.pid < 0)
		SKIP(return, "this kernel has no FUSE");
	ASSERT_TRUE(started);
}

/* What the victim has and what it maps later is there, whatever the others do. */
static void check_victim(struct __test_metadata *_metadata, struct hostile *self)
{
	struct target *v = &self->victim;
	long added, faults;

	target_call(v, do_write, self->memory, VICTIM, PAGE);
	faults = v->minflt + v->majflt;
	added = target_call(v, do_map, VICTIM, RW, MAP_PRIVATE);
	ASSERT_LT(0, added);
	target_call(v, do_write, added, VICTIM, PAGE);
	faults += v->minflt + v->majflt;
	target_call(v, do_unmap, added, VICTIM, 0);
	TH_LOG("the victim: %ld faults of %lu pages", faults, 2 * VICTIM / PAGE);
	EXPECT_EQ(0, faults);
}

static void let_go(struct hostile *self)
{
	if (self->pid)
		server_stop(self->pid);
	self->pid = 0;
}

static bool hostile_stop(struct hostile *self)
{
	if (self->pid < 0)
		return true;
	write_number(KNOB("server_timeout"), self->timeout);
	let_go(self);
	target_stop(&self->target);
	target_stop(&self->victim);
	return counters_back(&self->start);
}

FIXTURE_TEARDOWN(hostile)
{
	EXPECT_TRUE(hostile_stop(&self->h));
}

/* Locks the target in a child, which exits with 0, or with an errno. */
static pid_t client_start(struct hostile *self, int state, int flags)
{
	pid_t pid = fork_child();

	if (!pid)
		_exit(-lock_pid(self->fd, self->target.pid, state, flags, self->lock));
	return pid;
}

/* Whether it ends without help. */
static bool client_ends(struct hostile *self, pid_t pid, int *status)
{
	bool ended = ends(pid);

	if (!ended)
		let_go(self);
	waitpid(pid, status, 0);
	return ended;
}

FIXTURE_VARIANT(hostile)
{
	int state, flags;
	int prot, map;
	bool stack;
	int errors;
	int reason;
};

FIXTURE_VARIANT_ADD(hostile, private)
{
	.state = S, .flags = CURRENT_FUTURE, .prot = PROT_READ, .map = MAP_PRIVATE,
	.reason = MEMLOCKD_REASON_SERVER,
};

FIXTURE_VARIANT_ADD(hostile, private_locked)
{
	.state = L, .flags = CURRENT_FUTURE, .prot = RW, .map = MAP_PRIVATE,
	.reason = MEMLOCKD_REASON_SERVER,
};

FIXTURE_VARIANT_ADD(hostile, shared)
{
	.state = L, .flags = CURRENT_FUTURE | MEMLOCKD_HEAL, .prot = RW, .map = MAP_SHARED,
	.reason = MEMLOCKD_REASON_SERVER,
};

FIXTURE_VARIANT_ADD(hostile, below_stack)
{
	.state = S, .flags = CURRENT_FUTURE, .stack = true,
	.reason = MEMLOCKD_REASON_SERVER,
};

/* The first answer is an error: whoever asks again by itself holds mmap_lock by then. */
FIXTURE_VARIANT_ADD(hostile, error_first)
{
	.state = S, .flags = CURRENT_FUTURE, .prot = PROT_READ, .map = MAP_PRIVATE,
	.errors = 1, .reason = MEMLOCKD_REASON_SERVER,
};

static long map_served(struct hostile *self, const FIXTURE_VARIANT(hostile) *variant)
{
	self->server->errors = variant->errors;
	if (variant->stack)
		return target_call(&self->target, do_map_served_below_stack, 0, 0, 0);
	return target_call(&self->target, do_map_served, 0, variant->prot, variant->map);
}

TEST_F(hostile, page_that_never_comes_is_named)
{
	long addr = map_served(&self->h, variant), nr;
	struct memlockd_mapping *rows, *row;
	int status;
	pid_t pid;

	ASSERT_LT(0, addr);
	pid = client_start(&self->h, variant->state, variant->flags);
	ASSERT_TRUE(client_ends(&self->h, pid, &status));
	EXPECT_EQ(0, status);
	TH_LOG("the server was asked %d times", self->h.server->reads);
	EXPECT_LT(variant->errors, self->h.server->reads);
	check_victim(_metadata, &self->h);

	nr = mappings_pid(self->h.fd, self->h.target.pid, 64, &rows);
	ASSERT_LT(0, nr);
	row = row_at(rows, nr, addr);
	ASSERT_NE(NULL, row);
	row_print(row);
	EXPECT_EQ(variant->reason, row->reason);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, row->state);
	free(rows);
	/* The target itself goes on as well. */
	EXPECT_LT(0, target_call(&self->h.target, do_map, PAGE, RW, MAP_PRIVATE));
	EXPECT_EQ(0, unlock_pid(self->h.fd, self->h.target.pid));
}

/* What it has of the target is given back without the server, too. */
TEST_F(hostile, killed_locker_and_target_end)
{
	int status = 0;
	pid_t pid;

	ASSERT_LT(0, map_served(&self->h, variant));
	pid = client_start(&self->h, variant->state, variant->flags);
	ASSERT_TRUE(wait_reads(self->h.server, 1 + variant->errors));
	kill(pid, SIGKILL);
	ASSERT_TRUE(client_ends(&self->h, pid, &status));
	EXPECT_EQ(SIGKILL, status);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->h.fd, self->h.target.pid));
	check_victim(_metadata, &self->h);

	kill(self->h.target.pid, SIGKILL);
	EXPECT_TRUE(ends(self->h.target.pid));
	target_stop(&self->h.target);
	target_stop(&self->h.victim);
	EXPECT_TRUE(counters_back(&self->h.start));
	EXPECT_EQ(0, kill(self->h.pid, 0));
}

/* The locker has nothing to wait for any more, and nothing of the target to keep. */
TEST_F(hostile, locker_of_a_killed_target_ends)
{
	int status = 0;
	pid_t pid;

	/* However long the server might take. */
	write_number(KNOB("server_timeout"), NEVER_MS);
	ASSERT_LT(0, map_served(&self->h, variant));
	pid = client_start(&self->h, variant->state, variant->flags);
	ASSERT_TRUE(wait_reads(self->h.server, 1 + variant->errors));
	kill(self->h.target.pid, SIGKILL);
	ASSERT_TRUE(client_ends(&self->h, pid, &status));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(ESRCH, WEXITSTATUS(status));
	EXPECT_TRUE(ends(self->h.target.pid));
	check_victim(_metadata, &self->h);
}

FIXTURE(blocked)
{
	struct hostile h;
};

FIXTURE_SETUP(blocked)
{
	bool started = hostile_start(&self->h);

	if (self->h.pid < 0)
		SKIP(return, "this kernel has no FUSE");
	ASSERT_TRUE(started);
}

FIXTURE_TEARDOWN(blocked)
{
	EXPECT_TRUE(hostile_stop(&self->h));
}

/* Whether a task comes to wait for what no signal ends, as for mmap_lock. */
static bool wait_blocked(pid_t pid)
{
	char path[64], line[4096];
	bool blocked = false;
	int tries;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (tries = 0; tries < NEVER_MS && !blocked; tries++) {
		FILE *file = fopen(path, "re");

		if (file && fgets(line, sizeof(line), file))
			blocked = !strncmp(strrchr(line, ')'), ") D", 3);
		if (file)
			fclose(file);
		usleep(1000);
	}
	return blocked;
}

/*
 * Has one thread of the target keep mmap_lock, and another wait for it.  Of what no lock
 * has read before, the fault reads twice before it is tried again, and holds mmap_lock
 * from then on.
 */
static void block(struct __test_metadata *_metadata, struct hostile *self)
{
	struct target *t = &self->target;
	long addr;

	self->server->errors = 2;
	addr = target_call(t, do_map_served, 0, PROT_READ, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(t, do_touch_in_thread, addr, 0, 0));
	ASSERT_TRUE(wait_reads(self->server, 3));
	target_post(t, do_map_one, 0, 0, 0);
	ASSERT_TRUE(wait_blocked(t->pid));
}

/* Whatever it does, it does not hold up who does it. */
static void killed_client_ends(struct __test_metadata *_metadata, struct hostile *self,
			       pid_t pid)
{
	int status = 0;

	/* Where it has got stuck, nothing tells. */
	usleep(500 * 1000);
	kill(pid, SIGKILL);
	ASSERT_TRUE(client_ends(self, pid, &status));
	EXPECT_EQ(SIGKILL, status);
	check_victim(_metadata, self);
}

TEST_F(blocked, killed_locker_ends)
{
	block(_metadata, &self->h);
	killed_client_ends(_metadata, &self->h, client_start(&self->h, S, CURRENT_FUTURE));
}

TEST_F(blocked, killed_unlocker_ends)
{
	pid_t pid;

	ASSERT_EQ(0, lock_pid(self->h.fd, self->h.target.pid, L, MEMLOCKD_CURRENT, NULL));
	block(_metadata, &self->h);
	pid = fork_child();
	if (!pid)
		_exit(-unlock_pid(self->h.fd, self->h.target.pid));
	killed_client_ends(_metadata, &self->h, pid);
}

/* One file has locks of both; the other one's ends when it is closed. */
TEST_F(blocked, closed_file_lets_others_go)
{
	struct target client, other;
	int fd = device_open(), tries;

	target_start(&other);
	target_start_with(&client, fd);
	ASSERT_EQ(0, lock_pid(fd, self->h.target.pid, L, MEMLOCKD_CURRENT | MEMLOCKD_OWNED, NULL));
	ASSERT_EQ(0, lock_pid(fd, other.pid, S, CURRENT_FUTURE | MEMLOCKD_OWNED, NULL));
	close(fd);
	block(_metadata, &self->h);
	/* The last who has it open dies. */
	target_stop(&client);
	for (tries = 0; tries < NEVER_MS && state_of(self->h.fd, other.pid); tries++)
		usleep(1000);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(self->h.fd, other.pid));
	EXPECT_EQ(L, state_of(self->h.fd, self->h.target.pid));
	target_stop(&other);
}

#define CGROUP		"/sys/fs/cgroup/memlockd-hostile"
#define MUCH		(16 * MIB)
/* Where the target has what the server has, and a file behind that. */
#define SERVED_AT	0x100000000000L
#define FILE_AT		(SERVED_AT + MIB)

/* A memory cgroup has the target and a neighbour. */
struct confined {
	struct hostile h;
	struct target neighbour;
	bool made;
};

static const char *confine(struct confined *self)
{
	const char *why = memory_cgroup(CGROUP);

	if (why)
		return why;
	self->made = true;
	if (!write_number(CGROUP "/cgroup.procs", self->h.target.pid) ||
	    !write_number(CGROUP "/cgroup.procs", self->neighbour.pid))
		return "no process in a memory cgroup";
	write_number(CGROUP "/memory.swap.max", 0);
	return NULL;
}

static bool confined_start(struct confined *self)
{
	if (!hostile_start(&self->h))
		return false;
	target_start(&self->neighbour);
	return true;
}

static bool confined_stop(struct confined *self)
{
	target_stop(&self->neighbour);
	if (!hostile_stop(&self->h))
		return false;
	if (self->made)
		rmdir(CGROUP);
	return true;
}

static long in_use(void)
{
	return read_number(CGROUP "/memory.current");
}

static long kills(void)
{
	return read_field(CGROUP "/memory.events", "oom_kill");
}

/* A file that nobody else has, and that is not in memory. */
static long do_map_file_at(long addr, long len, long c)
{
	int fd = disk_file(len);
	void *p;

	if (fd < 0)
		return -errno;
	p = mmap((void *)addr, len, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
	close(fd);
	return p == MAP_FAILED ? -errno : (long)p;
}

FIXTURE(confined)
{
	struct confined c;
};

FIXTURE_SETUP(confined)
{
	bool started = confined_start(&self->c);

	if (self->c.h.pid < 0)
		SKIP(return, "this kernel has no FUSE");
	ASSERT_TRUE(started);
}

FIXTURE_TEARDOWN(confined)
{
	EXPECT_TRUE(confined_stop(&self->c));
}

/* What becomes of the room while a lock waits for the server. */
FIXTURE_VARIANT(confined)
{
	const char *lowered;	/* NULL: the neighbour takes it */
};

FIXTURE_VARIANT_ADD(confined, max_is_lowered)
{
	.lowered = CGROUP "/memory.max",
};

FIXTURE_VARIANT_ADD(confined, high_is_lowered)
{
	.lowered = CGROUP "/memory.high",
};

FIXTURE_VARIANT_ADD(confined, neighbour_takes_it)
{
};

/* Leaves room for half of what the lock has still to make present. */
static void take_room(struct __test_metadata *_metadata, struct confined *self,
		      const char *lowered)
{
	long addr, room;

	if (lowered) {
		ASSERT_TRUE(write_number(lowered, in_use() + MUCH / 2));
		return;
	}
	room = (read_number(CGROUP "/memory.max") - in_use() - MUCH / 2) & -PAGE;
	ASSERT_LT(0, room);
	addr = target_call(&self->neighbour, do_map_small, room, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&self->neighbour, do_write, addr, room, PAGE));
}

/* There is room enough when it begins, and not any more when it is half-way. */
TEST_F(confined, lock_that_meets_the_limit_meanwhile_fails_and_kills_nobody)
{
	struct hostile *h = &self->c.h;
	const char *why = confine(&self->c);
	struct target *t = &h->target;
	int status = 0;
	long before;
	pid_t pid;

	if (why)
		SKIP(return, "%s", why);
	write_number(KNOB("server_timeout"), NEVER_MS);
	ASSERT_LT(0, target_call(t, do_map_served, SERVED_AT, PROT_READ, MAP_PRIVATE));
	ASSERT_LT(0, target_call(t, do_map_file_at, FILE_AT, MUCH, 0));
	ASSERT_TRUE(write_number(CGROUP "/memory.max", in_use() + 4 * MUCH));
	before = kills();
	pid = client_start(h, S, CURRENT_FUTURE);
	ASSERT_TRUE(wait_reads(h->server, 1));
	take_room(_metadata, &self->c, variant->lowered);
	server_let_go(h->server, true);
	ASSERT_TRUE(client_ends(h, pid, &status));
	TH_LOG("%s, limit %u, needed %llu kB of %llu, %ld killed",
	       strerror(WEXITSTATUS(status)), h->lock->out_limit,
	       (unsigned long long)h->lock->out_needed / KIB,
	       (unsigned long long)h->lock->out_allowed / KIB, kills() - before);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(ENOMEM, WEXITSTATUS(status));
	EXPECT_EQ(MEMLOCKD_LIMIT_CGROUP, h->lock->out_limit);
	EXPECT_EQ(before, kills());
	EXPECT_EQ(0, target_call(&self->c.neighbour, do_nothing, 0, 0, 0));
	ASSERT_EQ(0, target_call(t, do_nothing, 0, 0, 0));
	EXPECT_EQ(0, status_bytes(t->pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(t->pid, "VmPin"));
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(h->fd, t->pid));
	check_victim(_metadata, h);
	/* Nothing but the room was wanting. */
	ASSERT_TRUE(write_number(variant->lowered ?: CGROUP "/memory.max",
				 in_use() + 4 * MUCH));
	EXPECT_EQ(0, lock_pid(h->fd, t->pid, S, CURRENT_FUTURE, NULL));
	EXPECT_EQ(0, unlock_pid(h->fd, t->pid));
	EXPECT_EQ(before, kills());
}

FIXTURE(dying)
{
	struct confined c;
};

FIXTURE_SETUP(dying)
{
	bool started = confined_start(&self->c);

	if (self->c.h.pid < 0)
		SKIP(return, "this kernel has no FUSE");
	ASSERT_TRUE(started);
}

FIXTURE_TEARDOWN(dying)
{
	EXPECT_TRUE(confined_stop(&self->c));
}

FIXTURE_VARIANT(dying)
{
	target_fn map;
};

FIXTURE_VARIANT_ADD(dying, small)
{
	.map = do_map_small,
};

FIXTURE_VARIANT_ADD(dying, huge)
{
	.map = do_map_huge,
};

/*
 * Superlocks a process with much memory, one thread of which waits for what no signal ends:
 * it does not come to its end when it is killed.
 */
static const char *lock_undying(struct __test_metadata *_metadata, struct confined *self,
				target_fn map)
{
	struct target *t = &self->h.target;
	const char *why = confine(self);
	long addr;

	if (why)
		return why;
	addr = target_call(t, map, MUCH, RW, MAP_PRIVATE);
	if (addr == -EINVAL)
		return "no transparent huge pages";
	EXPECT_LT(0, addr);
	EXPECT_EQ(0, target_call(t, do_write, addr, MUCH, PAGE));
	addr = target_call(t, do_map_served, 0, PROT_READ, MAP_PRIVATE);
	EXPECT_LT(0, addr);
	EXPECT_EQ(0, target_call(t, do_touch_in_thread, addr, 0, 0));
	EXPECT_TRUE(wait_reads(self->h.server, 1));
	EXPECT_EQ(0, lock_pid(self->h.fd, t->pid, S, CURRENT_FUTURE, NULL));
	EXPECT_LE(MUCH, status_bytes(t->pid, "VmPin"));
	return NULL;
}

/* It has been killed, and is there, and what it had pinned is not. */
static void check_dying(struct __test_metadata *_metadata, struct confined *self, long before,
			const struct counters *pinned)
{
	struct counters counters;
	long after, tries;

	/* Nothing tells when all has been reaped, or who has a reference to the rest. */
	for (tries = 0; tries < NEVER_MS && in_use() > before - MUCH * 7 / 8; tries++)
		usleep(1000);
	after = in_use();
	counters_read(&counters);
	TH_LOG("%ld kB in use -> %ld kB, %ld pins -> %ld", before / KIB, after / KIB,
	       pinned->pins, counters.pins);
	EXPECT_GT(before - MUCH * 7 / 8, after);
	EXPECT_LT(counters.pins, pinned->pins);
	EXPECT_EQ(0, poll(&(struct pollfd){ .fd = self->h.target.pidfd, .events = POLLIN }, 1, 0));
	EXPECT_EQ(0, target_call(&self->neighbour, do_nothing, 0, 0, 0));
	check_victim(_metadata, &self->h);
	/* It ends as soon as it can. */
	server_let_go(self->h.server, true);
	EXPECT_TRUE(ends(self->h.target.pid));
}

/* What has process_mrelease(2) reap a process is what the OOM reaper does. */
TEST_F(dying, killed_process_that_is_reaped_gives_its_memory_back)
{
	struct target *t = &self->c.h.target;
	struct counters pinned;
	const char *why;
	long before;
	int ret;

	why = lock_undying(_metadata, &self->c, variant->map);
	if (why)
		SKIP(return, "%s", why);
	counters_read(&pinned);
	before = in_use();
	kill(t->pid, SIGKILL);
	do
		ret = syscall(448 /* process_mrelease */, t->pidfd, 0) ? errno : 0;
	while (ret == EAGAIN);
	ASSERT_EQ(0, ret);
	check_dying(_metadata, &self->c, before, &pinned);
}

/*
 * Whoever lowers a limit waits until enough is given back, or nobody is left to be killed.  The
 * kernel takes another victim when it has reaped the first and the limit is still met, be it
 * for what waits to be freed.  So there is no other here.
 */
TEST_F(dying, process_killed_for_want_of_memory_gives_it_back)
{
	struct confined *c = &self->c;
	struct counters pinned;
	const char *why;
	long addr, before, nr, limit;

	why = lock_undying(_metadata, c, variant->map);
	if (why)
		SKIP(return, "%s", why);
	addr = target_call(&c->neighbour, do_map_small, MUCH / 4, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&c->neighbour, do_write, addr, MUCH / 4, PAGE));
	ASSERT_TRUE(set_oom_score(c->h.target.pid, 1000));
	ASSERT_TRUE(set_oom_score(c->neighbour.pid, -1000));
	counters_read(&pinned);
	before = in_use();
	nr = kills();
	limit = before - MUCH / 2;
	ASSERT_TRUE(write_number(CGROUP "/memory.max", limit));
	TH_LOG("limit lowered to %ld kB, %ld killed", limit / KIB, kills() - nr);
	EXPECT_EQ(nr + 1, kills());
	check_dying(_metadata, c, before, &pinned);
}

/* Its locker waits for a server then, and goes without it. */
TEST_F(dying, process_killed_while_it_is_locked_gives_its_memory_back)
{
	struct hostile *h = &self->c.h;
	const char *why = confine(&self->c);
	struct target *t = &h->target;
	long addr, before, tries;
	int status = 0;
	pid_t pid;

	if (why)
		SKIP(return, "%s", why);
	write_number(KNOB("server_timeout"), NEVER_MS);
	addr = target_call(t, variant->map, MUCH, RW, MAP_PRIVATE);
	if (addr == -EINVAL)
		SKIP(return, "no transparent huge pages");
	ASSERT_LT(0, addr);
	ASSERT_LT(0, target_call(t, do_map_served, 0, PROT_READ, MAP_PRIVATE));
	pid = client_start(h, S, CURRENT_FUTURE);
	ASSERT_TRUE(wait_reads(h->server, 1));
	before = in_use();
	EXPECT_LE(MUCH, status_bytes(t->pid, "VmPin"));
	kill(t->pid, SIGKILL);
	ASSERT_TRUE(client_ends(h, pid, &status));
	EXPECT_EQ(ESRCH, WEXITSTATUS(status));
	EXPECT_TRUE(ends(t->pid));
	/* A worker of the driver may be the last who lets go of it. */
	for (tries = 0; tries < NEVER_MS && in_use() > before - MUCH * 7 / 8; tries++)
		usleep(1000);
	TH_LOG("%ld kB in use -> %ld kB", before / KIB, in_use() / KIB);
	EXPECT_GT(before - MUCH * 7 / 8, in_use());
	EXPECT_EQ(0, target_call(&self->c.neighbour, do_nothing, 0, 0, 0));
	check_victim(_metadata, h);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
