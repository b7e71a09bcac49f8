// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds a lock: MEMLOCKD_OWNED, several holders of one process, LIST; and
 * that whatever fails, whoever dies, nothing is left behind.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN	(64 * PAGE)

/* Untouched memory that takes a while to lock. */
#define LARGE	(96 * MIB)

#define U	MEMLOCKD_STATE_UNLOCKED
#define OWNED	MEMLOCKD_OWNED

FIXTURE(holder)
{
	struct counters start;
	struct target target;
	struct target client;	/* has fd */
	long unprivileged_mlock;
	int fd, other;
	pid_t pid;
};

FIXTURE_SETUP(holder)
{
	self->fd = device_open();
	self->other = device_open();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	self->unprivileged_mlock = read_number(KNOB("unprivileged_mlock"));
	counters_start(&self->start);
	target_start(&self->target);
	self->pid = self->target.pid;
	target_start_with(&self->client, self->fd);
}

FIXTURE_TEARDOWN(holder)
{
	struct memlockd_holder *rows;
	int fd = device_open();
	int tries;

	write_number(KNOB("unprivileged_mlock"), self->unprivileged_mlock);
	target_stop(&self->client);
	target_stop(&self->target);
	EXPECT_TRUE(counters_back(&self->start));
	/* What has ended is not listed; nothing tells when the last of it has. */
	for (tries = 0; tries < 1000 && list_all(fd, 16, &rows); tries++)
		usleep(1000);
	EXPECT_EQ(0, list_all(fd, 16, &rows));
	close(fd);
}

static void check_unlocked(struct __test_metadata *_metadata, int fd, pid_t pid)
{
	EXPECT_EQ(U, state_of(fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	EXPECT_EQ(0, vmas_locked(pid));
}

/* The dying do not wait for what they close, so wait for them: nothing else tells. */
static bool comes_to(int fd, pid_t pid, int state)
{
	int tries;

	for (tries = 0; tries < 5000; tries++) {
		if (state_of(fd, pid) == state &&
		    (state != U || !status_bytes(pid, "VmPin")))
			break;
		usleep(1000);
	}
	if (tries)
		printf("# %s at look %d\n", state_name(state), tries + 1);
	return state_of(fd, pid) == state;
}

static int holders(int fd, pid_t pid)
{
	struct memlockd_status status;
	int err = status_pid(fd, pid, &status);

	return err ? err : (int)status.out_holders;
}

/* ---- OWNED ---- */

TEST_F(holder, owned_lock_goes_when_the_file_is_closed)
{
	const struct { int state, flags; } modes[] = {
		{ L, LIKE_MLOCKALL }, { L, CURRENT_FUTURE }, { S, CURRENT_FUTURE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int fd = device_open();

		ASSERT_EQ(0, lock_pid(fd, self->pid, modes[i].state, modes[i].flags | OWNED, NULL));
		EXPECT_EQ(modes[i].state, state_of(self->fd, self->pid));
		close(fd);
		check_unlocked(_metadata, self->fd, self->pid);
		EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->pid));
	}
}

TEST_F(holder, one_file_may_own_locks_of_many)
{
	struct target t[8];
	int fd = device_open();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		target_start(&t[i]);
		/* Half of them stay. */
		ASSERT_EQ(0, lock_pid(fd, t[i].pid, i % 2 ? L : S,
				      CURRENT_FUTURE | (i % 2 ? OWNED : 0), NULL));
	}
	close(fd);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		EXPECT_EQ(i % 2 ? U : S, state_of(self->fd, t[i].pid));
		EXPECT_EQ(i % 2 ? -ENOENT : 0, unlock_pid(self->fd, t[i].pid));
		check_unlocked(_metadata, self->fd, t[i].pid);
		target_stop(&t[i]);
	}
}

static long do_reopen_and_lock(long pid, long state_flags, long c)
{
	int fd = device_open();

	return fd < 0 ? fd : do_lock(fd, pid, state_flags) ?: fd;
}

TEST_F(holder, owned_lock_goes_when_its_client_is_killed)
{
	ASSERT_LT(0, target_call(&self->client, do_reopen_and_lock, self->pid,
				 STATE_FLAGS(S, CURRENT_FUTURE | OWNED), 0));
	EXPECT_EQ(S, state_of(self->fd, self->pid));
	EXPECT_EQ(SIGKILL, target_stop(&self->client));
	EXPECT_TRUE(comes_to(self->fd, self->pid, U));
	check_unlocked(_metadata, self->fd, self->pid);
}

static long do_exit(long code, long b, long c)
{
	_exit(code);
}

TEST_F(holder, owned_lock_goes_when_its_client_exits)
{
	ASSERT_LT(0, target_call(&self->client, do_reopen_and_lock, self->pid,
				 STATE_FLAGS(L, CURRENT_FUTURE | OWNED), 0));
	target_post(&self->client, do_exit, 0, 0, 0);
	EXPECT_EQ(0, target_reap(&self->client));
	EXPECT_TRUE(comes_to(self->fd, self->pid, U));
	check_unlocked(_metadata, self->fd, self->pid);
}

/* O_CLOEXEC closes it when the client runs another program. */
TEST_F(holder, owned_lock_goes_when_its_client_execs)
{
	ASSERT_LT(0, target_call(&self->client, do_reopen_and_lock, self->pid,
				 STATE_FLAGS(L, CURRENT_FUTURE | OWNED), 0));
	target_post(&self->client, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->client));
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, owned_lock_stays_until_the_last_close)
{
	int copy;

	/* The client, forked, has self->fd, too. */
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, CURRENT_FUTURE | OWNED, NULL));
	copy = dup(self->fd);
	close(copy);
	EXPECT_EQ(L, state_of(self->other, self->pid));
	close(self->fd);
	EXPECT_EQ(L, state_of(self->other, self->pid));
	EXPECT_EQ(1, holders(self->other, self->pid));
	/* Whoever has the file holds the lock. */
	EXPECT_EQ(0, target_call(&self->client, do_lock, self->fd, self->pid,
				 STATE_FLAGS(S, CURRENT_FUTURE | OWNED)));
	EXPECT_EQ(1, holders(self->other, self->pid));
	EXPECT_EQ(S, state_of(self->other, self->pid));
	target_stop(&self->client);
	EXPECT_TRUE(comes_to(self->other, self->pid, U));
	check_unlocked(_metadata, self->other, self->pid);
}

/* In a message that nobody has read it is still open. */
TEST_F(holder, owned_lock_stays_while_its_file_is_in_a_message)
{
	int fd = device_open(), socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	ASSERT_EQ(0, lock_pid(fd, self->pid, L, CURRENT_FUTURE | OWNED, NULL));
	ASSERT_EQ(0, send_fd(socks[0], fd));
	close(fd);
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	/* Thrown away with its socket. */
	close(socks[0]);
	close(socks[1]);
	EXPECT_TRUE(comes_to(self->fd, self->pid, U));
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, relock_gives_and_takes_OWNED)
{
	int fd = device_open();

	ASSERT_EQ(0, lock_pid(fd, self->pid, L, CURRENT_FUTURE | OWNED, NULL));
	ASSERT_EQ(0, lock_pid(fd, self->pid, L, CURRENT_FUTURE, NULL));
	close(fd);
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	/* Taken over, and owned. */
	fd = device_open();
	ASSERT_EQ(0, lock_pid(fd, self->pid, L, CURRENT_FUTURE | OWNED, NULL));
	EXPECT_EQ(1, holders(self->fd, self->pid));
	close(fd);
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, owned_lock_of_oneself_goes_with_exec_and_exit)
{
	pid_t pid = self->client.pid;

	/* self->fd stays open in the new program. */
	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, 0,
				 STATE_FLAGS(S, CURRENT_FUTURE | OWNED)));
	EXPECT_EQ(S, state_of(self->fd, pid));
	target_post(&self->client, do_exec, 0, 0, 0);
	ASSERT_TRUE(target_echoes(&self->client));
	check_unlocked(_metadata, self->other, pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, pid));
	target_stop(&self->client);

	target_start_with(&self->client, self->fd);
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, 0,
				 STATE_FLAGS(S, CURRENT_FUTURE | OWNED)));
	target_post(&self->client, do_exit, 7, 0, 0);
	EXPECT_EQ(7 << 8, target_reap(&self->client));
	EXPECT_TRUE(counters_back(&self->start));
}

TEST_F(holder, exit_of_the_target_frees_what_was_owned)
{
	struct target t;
	int fd = device_open(), i;

	for (i = 0; i < 20; i++) {
		target_start(&t);
		ASSERT_EQ(0, lock_pid(fd, t.pid, i % 2 ? L : S, CURRENT_FUTURE | OWNED, NULL));
		ASSERT_EQ(0, lock_pid(self->fd, t.pid, L, CURRENT_FUTURE, NULL));
		target_stop(&t);
	}
	/* The file has nothing left to give up. */
	close(fd);
	EXPECT_TRUE(counters_back(&self->start));
}

/* ---- several holders ---- */

TEST_F(holder, stays_until_both_have_unlocked)
{
	struct memlockd_lock first, second;

	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, CURRENT_FUTURE, &first));
	ASSERT_EQ(0, lock_pid(self->other, self->pid, L, CURRENT_FUTURE, &second));
	EXPECT_EQ(2, holders(self->fd, self->pid));
	EXPECT_EQ(first.out_locked, second.out_locked);
	EXPECT_EQ(first.out_pinned, second.out_pinned);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	EXPECT_EQ(first.out_locked, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(first.out_pinned, status_bytes(self->pid, "VmPin"));
	EXPECT_EQ(1, holders(self->fd, self->pid));
	/* The other one's it may not. */
	EXPECT_EQ(-EPERM, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	ASSERT_EQ(0, unlock_pid(self->other, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->other, self->pid));
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->pid));
}

struct asked {
	int state, flags;
};

/* What two have together, and what is left when either goes: that of the other alone. */
TEST_F(holder, modes_combine_and_go_back_down_exactly)
{
	static const struct asked asked[] = {
		{ L, LIKE_MLOCKALL },
		{ L, CURRENT_FUTURE },
		{ S, CURRENT_FUTURE },
		{ L, MEMLOCKD_CURRENT },
		{ L, MEMLOCKD_CURRENT | MEMLOCKD_MOVABLE },
	};
	const int both[2] = { self->fd, self->other };
	struct memlockd_lock alone[ARRAY_SIZE(asked)];
	struct memlockd_status status;
	unsigned int a, b, first;

	for (a = 0; a < ARRAY_SIZE(asked); a++) {
		/* The first superlock makes private copies. */
		ASSERT_EQ(0, lock_pid(self->fd, self->pid, S, CURRENT_FUTURE, NULL));
		ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
		ASSERT_EQ(0, lock_pid(self->fd, self->pid, asked[a].state, asked[a].flags,
				      &alone[a]));
		ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	}
	for (a = 0; a < ARRAY_SIZE(asked); a++) {
		for (b = 0; b < ARRAY_SIZE(asked); b++) {
			for (first = 0; first < 2; first++) {
				const unsigned int left = first ? a : b;
				const int strong = asked[a].state > asked[b].state ?
						   asked[a].state : asked[b].state;
				const int flags = (asked[a].flags & asked[b].flags &
						   MEMLOCKD_MOVABLE) |
						  ((asked[a].flags | asked[b].flags) &
						   CURRENT_FUTURE);

				ASSERT_EQ(0, lock_pid(both[0], self->pid, asked[a].state,
						      asked[a].flags, NULL));
				ASSERT_EQ(0, lock_pid(both[1], self->pid, asked[b].state,
						      asked[b].flags, NULL));
				ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
				EXPECT_EQ(strong, status.out_state);
				EXPECT_EQ(flags, status.out_lock_flags);
				EXPECT_EQ(alone[a].out_pinned > alone[b].out_pinned ?
					  alone[a].out_pinned : alone[b].out_pinned,
					  status_bytes(self->pid, "VmPin"));
				EXPECT_EQ(alone[a].out_locked, status_bytes(self->pid, "VmLck"));

				ASSERT_EQ(0, unlock_pid(both[first], self->pid));
				ASSERT_EQ(0, status_pid(self->fd, self->pid, &status));
				EXPECT_EQ(asked[left].state, status.out_state);
				EXPECT_EQ(asked[left].flags, status.out_lock_flags);
				EXPECT_EQ(alone[left].out_locked,
					  status_bytes(self->pid, "VmLck"));
				EXPECT_EQ(alone[left].out_pinned,
					  status_bytes(self->pid, "VmPin")) {
					TH_LOG("%s %#x and %s %#x: without the %s",
					       state_name(asked[a].state), asked[a].flags,
					       state_name(asked[b].state), asked[b].flags,
					       first ? "second" : "first");
				}
				EXPECT_EQ(vmas_locked(self->pid),
					  status_bytes(self->pid, "VmLck"));
				ASSERT_EQ(0, unlock_pid(both[!first], self->pid));
				check_unlocked(_metadata, self->fd, self->pid);
			}
		}
	}
}

/* A superlocked process of which the superlock goes is merged and scanned again. */
TEST_F(holder, superlock_goes_and_leaves_a_movable_lock)
{
	unsigned long vmlck, len = 256 * PAGE;
	struct counters before, after;
	long addr;

	addr = target_call(&self->target, do_map, len, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, LIKE_MLOCKALL, NULL));
	vmlck = status_bytes(self->pid, "VmLck");
	counters_read(&before);
	ASSERT_EQ(0, lock_pid(self->other, self->pid, S, CURRENT_FUTURE, NULL));
	TH_LOG("both: VmLck %lu, VmPin %lu", status_bytes(self->pid, "VmLck"),
	       status_bytes(self->pid, "VmPin"));
	EXPECT_LE(len, status_bytes(self->pid, "VmPin"));
	ASSERT_EQ(0, unlock_pid(self->other, self->pid));
	counters_read(&after);
	EXPECT_EQ(vmlck, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
	EXPECT_EQ(before.pins, after.pins);
	EXPECT_EQ(len, present_bytes(self->pid, addr, addr + len));
	EXPECT_EQ(len / PAGE, stuck_pages(self->pid, addr, addr + len));
	/* FUTURE still is. */
	addr = target_call(&self->target, do_map, LEN, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	EXPECT_EQ(LEN, present_bytes(self->pid, addr, addr + LEN));
	EXPECT_EQ(vmlck + LEN, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, future_goes_with_who_asked_for_it)
{
	unsigned long vmlck;
	long addr;

	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, MEMLOCKD_CURRENT, NULL));
	vmlck = status_bytes(self->pid, "VmLck");
	ASSERT_EQ(0, lock_pid(self->other, self->pid, L, MEMLOCKD_FUTURE, NULL));
	EXPECT_EQ(vmlck, status_bytes(self->pid, "VmLck"));
	addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	EXPECT_EQ(LEN, present_bytes(self->pid, addr, addr + LEN));
	ASSERT_EQ(0, unlock_pid(self->other, self->pid));
	addr = target_call(&self->target, do_map, LEN, RW, MAP_SHARED);
	EXPECT_EQ(0, present_bytes(self->pid, addr, addr + LEN));
	EXPECT_LE(vmlck, status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(vmas_locked(self->pid), status_bytes(self->pid, "VmLck"));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, many_holders_in_any_order)
{
	int fds[16], order[16];
	unsigned int i, seed = 1;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = device_open();
		order[i] = i;
		ASSERT_EQ(0, lock_pid(fds[i], self->pid, i % 3 ? L : S,
				      i % 3 == 1 ? LIKE_MLOCKALL : CURRENT_FUTURE, NULL));
	}
	EXPECT_EQ(ARRAY_SIZE(fds), holders(self->fd, self->pid));
	EXPECT_EQ(-EPERM, unlock_pid(self->fd, self->pid));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		unsigned int j = i + rand_r(&seed) % (ARRAY_SIZE(fds) - i);
		int at = order[j];

		order[j] = order[i];
		EXPECT_NE(U, state_of(self->fd, self->pid));
		EXPECT_EQ(0, unlock_pid(fds[at], self->pid));
		EXPECT_EQ(ARRAY_SIZE(fds) - i - 1, holders(self->fd, self->pid));
		close(fds[at]);
	}
	check_unlocked(_metadata, self->fd, self->pid);
}

/* Through so many files, and no more; whose locks there are, is told of all of them. */
TEST_F(holder, a_user_holds_so_many_locks_and_no_more)
{
	int fds[MEMLOCKD_MAX_HOLDERS], more = device_open(), flags = MEMLOCKD_CURRENT;
	struct memlockd_holder *rows;
	struct rlimit files;
	unsigned int i;
	long nr;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = files.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = device_open();
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, lock_pid(fds[i], self->pid, L, flags | MEMLOCKD_MOVABLE, NULL));
	}
	EXPECT_EQ(ARRAY_SIZE(fds), holders(self->fd, self->pid));
	EXPECT_EQ(-EDQUOT, lock_pid(more, self->pid, L, flags, NULL));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
	EXPECT_EQ(ARRAY_SIZE(fds), holders(self->fd, self->pid));
	nr = list_all(self->fd, 7, &rows);
	TH_LOG("%u holders, the next is refused; %ld rows", i, nr);
	EXPECT_LE(ARRAY_SIZE(fds), nr);
	free(rows);
	/* Who has one may change it. */
	EXPECT_EQ(0, lock_pid(fds[0], self->pid, L, flags, NULL));
	EXPECT_EQ(ARRAY_SIZE(fds), holders(self->fd, self->pid));
	EXPECT_EQ(0, unlock_pid(fds[0], self->pid));
	EXPECT_EQ(0, lock_pid(more, self->pid, L, flags, NULL));
	EXPECT_EQ(-EDQUOT, lock_pid(fds[0], self->pid, L, flags, NULL));
	EXPECT_EQ(0, unlock_all(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(more);
}

TEST_F(holder, force_unlocks_for_all)
{
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, S, CURRENT_FUTURE | OWNED, NULL));
	ASSERT_EQ(0, lock_pid(self->other, self->pid, L, CURRENT_FUTURE, NULL));
	int third = device_open();

	EXPECT_EQ(-EPERM, unlock_pid(third, self->pid));
	EXPECT_EQ(0, unlock_all(third, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
	EXPECT_EQ(-ENOENT, unlock_all(third, self->pid));
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(-ENOENT, unlock_pid(self->other, self->pid));
	/* And they may lock anew. */
	EXPECT_EQ(0, lock_pid(self->fd, self->pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(1, holders(self->fd, self->pid));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	close(third);
}

/* ---- users ---- */

/* Nobody's target, and nobody's client with a file of its own. */
static void become_nobody(struct __test_metadata *_metadata, struct target *t)
{
	ASSERT_EQ(0, target_call(t, do_setuid, NOBODY, 0, 0));
	ASSERT_EQ(0, target_call(t, do_set_dumpable, 1, 0, 0));
	set_limit(t->pid, RLIM_INFINITY);
}

TEST_F(holder, force_needs_CAP_IPC_LOCK)
{
	ASSERT_TRUE(write_number(KNOB("unprivileged_mlock"), 1));
	become_nobody(_metadata, &self->target);
	become_nobody(_metadata, &self->client);
	ASSERT_EQ(0, lock_pid(self->other, self->pid, L, CURRENT_FUTURE, NULL));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_unlock_all, self->fd, self->pid, 0));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_unlock, self->fd, self->pid, 0));
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	/* Not even of its own alone. */
	EXPECT_EQ(0, unlock_pid(self->other, self->pid));
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, self->pid,
				 STATE_FLAGS(L, CURRENT_FUTURE)));
	EXPECT_EQ(-EPERM, target_call(&self->client, do_unlock_all, self->fd, self->pid, 0));
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	EXPECT_EQ(0, target_call(&self->client, do_unlock, self->fd, self->pid, 0));
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, closed_clients_lock_is_its_users)
{
	int fd = device_open();

	ASSERT_TRUE(write_number(KNOB("unprivileged_mlock"), 1));
	become_nobody(_metadata, &self->target);
	become_nobody(_metadata, &self->client);

	/* Root's: not nobody's to unlock; another file of root's may. */
	ASSERT_EQ(0, lock_pid(fd, self->pid, L, CURRENT_FUTURE, NULL));
	close(fd);
	EXPECT_EQ(-EPERM, target_call(&self->client, do_unlock, self->fd, self->pid, 0));
	EXPECT_EQ(0, unlock_pid(self->other, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);

	/* Nobody's: not root's to unlock, unless by force. */
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, self->pid,
				 STATE_FLAGS(L, CURRENT_FUTURE)));
	target_stop(&self->client);
	close(self->fd);
	EXPECT_EQ(-EPERM, unlock_pid(self->other, self->pid));
	EXPECT_EQ(L, state_of(self->other, self->pid));
	target_start_with(&self->client, self->other);
	become_nobody(_metadata, &self->client);
	EXPECT_EQ(0, target_call(&self->client, do_unlock, self->other, self->pid, 0));
	check_unlocked(_metadata, self->other, self->pid);

	ASSERT_EQ(0, target_call(&self->client, do_lock, self->other, self->pid,
				 STATE_FLAGS(L, CURRENT_FUTURE)));
	target_stop(&self->client);
	close(self->other);
	fd = device_open();
	EXPECT_EQ(-EPERM, unlock_pid(fd, self->pid));
	EXPECT_EQ(0, unlock_all(fd, self->pid));
	check_unlocked(_metadata, fd, self->pid);
	close(fd);
}

TEST_F(holder, another_user_does_not_take_it_over)
{
	struct memlockd_holder *rows;
	int fd = device_open();

	ASSERT_TRUE(write_number(KNOB("unprivileged_mlock"), 1));
	become_nobody(_metadata, &self->target);
	become_nobody(_metadata, &self->client);
	ASSERT_EQ(0, lock_pid(fd, self->pid, S, CURRENT_FUTURE, NULL));
	close(fd);
	/* Nobody's comes beside it, and goes alone. */
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, self->pid,
				 STATE_FLAGS(L, CURRENT_FUTURE)));
	EXPECT_EQ(2, holders(self->other, self->pid));
	EXPECT_EQ(S, state_of(self->other, self->pid));
	ASSERT_EQ(0, target_call(&self->client, do_unlock, self->fd, self->pid, 0));
	EXPECT_EQ(S, state_of(self->other, self->pid));
	/* Root's takes it over. */
	ASSERT_EQ(0, lock_pid(self->other, self->pid, L, LIKE_MLOCKALL, NULL));
	ASSERT_EQ(1, list_all(self->other, 4, &rows));
	holder_print(&rows[0]);
	EXPECT_EQ(MEMLOCKD_HOLDER_FILE, rows[0].kind);
	EXPECT_EQ(L, rows[0].state);
	EXPECT_EQ(L, state_of(self->other, self->pid));
	EXPECT_EQ(0, status_bytes(self->pid, "VmPin"));
	free(rows);
	ASSERT_EQ(0, unlock_pid(self->other, self->pid));
	check_unlocked(_metadata, self->other, self->pid);
}

/* Two files of a user were closed: one unlock undoes what the user holds. */
TEST_F(holder, what_a_user_holds_is_unlocked_at_once)
{
	int a = device_open(), b = device_open();

	ASSERT_EQ(0, lock_pid(a, self->pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, lock_pid(b, self->pid, L, LIKE_MLOCKALL, NULL));
	close(a);
	close(b);
	EXPECT_EQ(S, state_of(self->fd, self->pid));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->pid));
}

TEST_F(holder, own_lock_goes_before_the_users)
{
	int fd = device_open();

	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, LIKE_MLOCKALL, NULL));
	ASSERT_EQ(0, lock_pid(fd, self->pid, S, CURRENT_FUTURE, NULL));
	close(fd);
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	EXPECT_EQ(S, state_of(self->fd, self->pid));
	EXPECT_EQ(1, holders(self->fd, self->pid));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
}

/* ---- LIST ---- */

TEST_F(holder, list_says_who_holds_what)
{
	struct memlockd_holder *rows, *one;
	struct memlockd_status status;
	int fd = device_open();
	uint64_t first, last = 0;
	long i;

	ASSERT_EQ(0, list_all(self->fd, 4, &rows));
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, LIKE_MLOCKALL, NULL));
	ASSERT_EQ(0, lock_pid(fd, self->pid, S, CURRENT_FUTURE, NULL));
	ASSERT_EQ(0, target_call(&self->client, do_lock, self->fd, 0,
				 STATE_FLAGS(L, MEMLOCKD_FUTURE | OWNED)));
	close(fd);
	ASSERT_EQ(3, list_all(self->fd, 16, &rows));
	ASSERT_EQ(3, list_all(self->fd, 1, &one));
	EXPECT_EQ(0, memcmp(rows, one, 3 * sizeof(*rows)));
	for (i = 0; i < 3; i++) {
		holder_print(&rows[i]);
		EXPECT_LT(last, rows[i].id);
		last = rows[i].id;
		EXPECT_LT(0, rows[i].lock_time_ns);
		EXPECT_EQ(0, rows[i].uid);
		EXPECT_EQ(i < 2 ? self->pid : self->client.pid, rows[i].target);
		EXPECT_EQ(i < 2 ? getpid() : self->client.pid, rows[i].pid);
	}
	EXPECT_EQ(MEMLOCKD_HOLDER_FILE, rows[0].kind);
	EXPECT_EQ(MEMLOCKD_HOLDER_USER, rows[1].kind);
	EXPECT_EQ(MEMLOCKD_HOLDER_FILE, rows[2].kind);
	EXPECT_EQ(L, rows[0].state);
	EXPECT_EQ(LIKE_MLOCKALL, rows[0].flags);
	EXPECT_EQ(S, rows[1].state);
	EXPECT_EQ(CURRENT_FUTURE, rows[1].flags);
	EXPECT_EQ(MEMLOCKD_FUTURE | OWNED, rows[2].flags);
	/* STATUS tells of the memory, not of who holds it. */
	ASSERT_EQ(0, status_pid(self->fd, self->client.pid, &status));
	EXPECT_EQ(MEMLOCKD_FUTURE, status.out_lock_flags);
	EXPECT_EQ(1, status.out_holders);

	/* Asked for again: another number, last in the list. */
	first = rows[0].id;
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, CURRENT_FUTURE, NULL));
	free(rows);
	ASSERT_EQ(3, list_all(self->fd, 2, &rows));
	EXPECT_NE(first, rows[0].id);
	EXPECT_LT(last, rows[2].id);
	EXPECT_EQ(self->pid, rows[2].target);
	EXPECT_EQ(CURRENT_FUTURE, rows[2].flags);

	ASSERT_EQ(0, unlock_all(self->fd, self->pid));
	free(rows);
	ASSERT_EQ(1, list_all(self->fd, 2, &rows));
	EXPECT_EQ(self->client.pid, rows[0].target);
	/* The locks of who is gone are gone. */
	target_stop(&self->client);
	EXPECT_TRUE(counters_back(&self->start));
	free(rows);
	free(one);
}

TEST_F(holder, failed_relock_leaves_the_row)
{
	struct memlockd_holder *before, *after;

	become_nobody(_metadata, &self->target);
	ASSERT_EQ(0, lock_pid(self->fd, self->pid, L, MEMLOCKD_CURRENT, NULL));
	ASSERT_LT(0, target_call(&self->target, do_map, LEN, RW, MAP_SHARED));
	ASSERT_EQ(1, list_all(self->fd, 4, &before));
	set_limit(self->pid, PAGE);
	EXPECT_EQ(-ENOMEM, lock_pid(self->fd, self->pid, S, CURRENT_FUTURE | OWNED, NULL));
	EXPECT_EQ(-ENOMEM, lock_pid(self->other, self->pid, S, CURRENT_FUTURE | OWNED, NULL));
	ASSERT_EQ(1, list_all(self->fd, 4, &after));
	EXPECT_EQ(0, memcmp(before, after, sizeof(*before)));
	EXPECT_EQ(1, holders(self->fd, self->pid));
	/* The other has got nothing to lose. */
	close(self->other);
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	ASSERT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
	free(before);
	free(after);
}

/* ---- in the middle of it ---- */

TEST_F(holder, close_during_the_lock_of_another)
{
	unsigned long rss;
	int owned = device_open();
	long addr, ret;

	ASSERT_EQ(0, lock_pid(owned, self->pid, S, CURRENT_FUTURE | OWNED, NULL));
	/* Nothing that FUTURE would lock; large enough to be in the middle of. */
	addr = target_call(&self->target, do_map, LARGE, PROT_NONE, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, unlock_pid(owned, self->pid));
	ASSERT_EQ(0, target_call(&self->target, do_protect, addr, LARGE, RW));
	ASSERT_EQ(0, lock_pid(owned, self->pid, L, MEMLOCKD_FUTURE | OWNED, NULL));
	rss = status_bytes(self->pid, "VmRSS");
	target_post(&self->client, do_lock, self->fd, self->pid, STATE_FLAGS(L, CURRENT_FUTURE));
	ASSERT_TRUE(wait_rss(self->pid, rss + LARGE / 16));
	TH_LOG("closed with %lu of %lu MB locked",
	       (status_bytes(self->pid, "VmRSS") - rss) / MIB, LARGE / MIB);
	close(owned);
	ASSERT_TRUE(target_result(&self->client, &ret));
	EXPECT_EQ(0, ret);
	EXPECT_EQ(L, state_of(self->fd, self->pid));
	EXPECT_EQ(1, holders(self->fd, self->pid));
	EXPECT_EQ(vmas_locked(self->pid), status_bytes(self->pid, "VmLck"));
	EXPECT_EQ(0, unlock_pid(self->fd, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
}

TEST_F(holder, unlock_and_lock_of_others_meet)
{
	struct memlockd_lock lock;
	long ret;
	int i;

	ASSERT_LT(0, target_call(&self->target, do_map_small, 8 * MIB, RW, MAP_PRIVATE));
	ASSERT_EQ(0, lock_pid(self->other, self->pid, S, CURRENT_FUTURE, &lock));
	for (i = 0; i < 30; i++) {
		target_post(&self->client, i % 2 ? do_unlock : do_lock, self->fd, self->pid,
			    STATE_FLAGS(L, LIKE_MLOCKALL));
		ASSERT_EQ(0, lock_pid(self->other, self->pid, i % 3 ? S : L,
				      i % 3 ? CURRENT_FUTURE : LIKE_MLOCKALL, NULL));
		ASSERT_TRUE(target_result(&self->client, &ret));
		EXPECT_EQ(0, ret);
		EXPECT_EQ(i % 2 ? 1 : 2, holders(self->fd, self->pid));
		EXPECT_EQ(i % 3 ? S : L, state_of(self->fd, self->pid));
		EXPECT_EQ(i % 3 ? lock.out_pinned : 0, status_bytes(self->pid, "VmPin"));
		EXPECT_EQ(lock.out_locked, status_bytes(self->pid, "VmLck"));
	}
	ASSERT_EQ(0, unlock_pid(self->other, self->pid));
	check_unlocked(_metadata, self->fd, self->pid);
}

/* Killed at any point of LOCK, with a lock of its own and a lock of another beside. */
TEST_F(holder, client_killed_at_any_point_leaves_nothing)
{
	unsigned long rss, vmlck, whole = 0;
	struct counters before, after;
	unsigned int seed = 1, killed = 0, i;
	struct memlockd_status status;
	struct target t, client;
	long addr;

	for (i = 0; i < 12; i++) {
		int state = i % 2 ? S : L;
		bool beside = i % 3 == 2;

		target_start(&t);
		addr = target_call(&t, do_map_small, LARGE / 4, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		if (beside)
			ASSERT_EQ(0, lock_pid(self->other, t.pid, L, MEMLOCKD_FUTURE, NULL));
		vmlck = status_bytes(t.pid, "VmLck");
		counters_read(&before);
		target_start_with(&client, self->fd);
		rss = status_bytes(t.pid, "VmRSS");
		/* Owned by a file of its own. */
		target_post(&client, do_reopen_and_lock, t.pid,
			    STATE_FLAGS(state, CURRENT_FUTURE | OWNED), 0);
		ASSERT_TRUE(wait_rss(t.pid, rss + rand_r(&seed) % (LARGE / 4)));
		EXPECT_EQ(SIGKILL, target_stop(&client));
		/* Whether it was done by then or not: the client is gone, and so is its lock. */
		EXPECT_TRUE(comes_to(self->fd, t.pid, beside ? L : U));
		while (holders(self->fd, t.pid) > beside)
			usleep(1000);
		rss = status_bytes(t.pid, "VmRSS") - rss;
		killed += rss < LARGE / 4;
		whole += rss / KIB;
		ASSERT_EQ(0, status_pid(self->fd, t.pid, &status));
		EXPECT_EQ(beside ? 1 : 0, status.out_holders);
		/* It was done: what it has locked stays as long as there is any lock. */
		if (beside && (status.out_lock_flags & MEMLOCKD_CURRENT)) {
			EXPECT_EQ(vmas_locked(t.pid), status_bytes(t.pid, "VmLck"));
			EXPECT_EQ(0, unlock_pid(self->other, t.pid));
			check_unlocked(_metadata, self->fd, t.pid);
			target_stop(&t);
			continue;
		}
		EXPECT_EQ(vmlck, status_bytes(t.pid, "VmLck"));
		EXPECT_EQ(0, status_bytes(t.pid, "VmPin"));
		EXPECT_EQ(vmlck, vmas_locked(t.pid));
		counters_read(&after);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
		target_stop(&t);
	}
	TH_LOG("%u clients, %u killed in the middle, at %lu kB on average of %lu", i, killed,
	       whole / i, LARGE / 4 / KIB);
	EXPECT_LT(0, killed);
}

/* The target dies at any point of LOCK. */
TEST_F(holder, target_killed_at_any_point_leaves_nothing)
{
	unsigned int seed = 2, ended = 0, i;
	unsigned long rss;
	struct target t;
	long addr, ret;

	for (i = 0; i < 12; i++) {
		target_start(&t);
		addr = target_call(&t, do_map_small, LARGE / 4, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		if (i % 3 == 2)
			ASSERT_EQ(0, lock_pid(self->other, t.pid, L, MEMLOCKD_FUTURE, NULL));
		rss = status_bytes(t.pid, "VmRSS");
		target_post(&self->client, do_lock, self->fd, t.pid,
			    STATE_FLAGS(i % 2 ? S : L, CURRENT_FUTURE | OWNED));
		ASSERT_TRUE(wait_rss(t.pid, rss + rand_r(&seed) % (LARGE / 4)));
		EXPECT_EQ(SIGKILL, target_stop(&t));
		ASSERT_TRUE(target_result(&self->client, &ret));
		EXPECT_TRUE(ret == 0 || ret == -ESRCH);
		ended += ret == -ESRCH;
		EXPECT_TRUE(counters_back(&self->start));
	}
	TH_LOG("%u targets, %u of them killed in the middle", i, ended);
	EXPECT_LT(0, ended);
}

struct churn {
	pthread_t thread;
	pid_t pid;
	unsigned int seed, bad;
};

/* Open, lock, perhaps unlock, close; over and over. */
static void *churn(void *arg)
{
	struct churn *c = arg;
	int i, fd, err;

	for (i = 0; i < 60; i++) {
		int how = rand_r(&c->seed);

		fd = device_open();
		err = lock_pid(fd, c->pid, how & 1 ? S : L,
			       (how & 1 || how & 2 ? CURRENT_FUTURE : LIKE_MLOCKALL) | OWNED, NULL);
		c->bad += !!err;
		if (how & 4)
			c->bad += unlock_pid(fd, c->pid) != 0;
		close(fd);
	}
	return NULL;
}

TEST_F(holder, owners_come_and_go)
{
	struct churn churns[4] = {};
	unsigned int i, bad = 0;

	for (i = 0; i < ARRAY_SIZE(churns); i++) {
		churns[i].pid = self->pid;
		churns[i].seed = i;
		ASSERT_EQ(0, pthread_create(&churns[i].thread, NULL, churn, &churns[i]));
	}
	for (i = 0; i < ARRAY_SIZE(churns); i++) {
		pthread_join(churns[i].thread, NULL);
		bad += churns[i].bad;
	}
	TH_LOG("%zu threads, 60 files each, %u calls failed", ARRAY_SIZE(churns), bad);
	EXPECT_EQ(0, bad);
	check_unlocked(_metadata, self->fd, self->pid);
	EXPECT_EQ(-ENOENT, unlock_pid(self->fd, self->pid));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
