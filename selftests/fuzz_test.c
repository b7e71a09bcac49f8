// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of all kinds, right ones and wrong ones, from random numbers: fields that are
 * valid, at a limit or neither; pointers that are bad, end before their structure
 * does or are not aligned; sizes that do not fit; ranges that wrap around; targets
 * that are none; callers of 32 bits, without privilege, and several at once on the
 * same file or with the same structure.  Meanwhile the targets do what churn.c says,
 * and one of the clients is killed now and then.
 *
 * What the header calls wrong may not succeed, nothing may fail with an error that
 * it does not name, and no byte may be written that is not the driver's to write.
 *
 * MEMLOCKD_FUZZ_SECONDS: so long, instead of a number of calls.
 * MEMLOCKD_FUZZ_SEED: the seed that an earlier run printed.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "kselftest_harness.h"
#include "fuzz.h"
#include "served.h"

#define CALLS		400		/* of each client */
#define TIMEOUT		(6 * 3600)	/* what hangs in a long run; the runner has its own */
#define MAX_SECONDS	(5 * 3600)
#define ERRNOS		134
#define FAULTS		8
#define NEVER_MS	(60 * 1000)	/* what has not come by then never comes */

/* What went wrong: the first few of it. */
struct fault {
	const char *what;
	struct fuzz_call call;
};

/* What all processes share. */
static struct tally {
	uint64_t seed;
	long deadline;			/* of usecs(); 0: until each has made CALLS */
	long calls[FUZZ_CLIENTS];
	struct churn churn;
	long counts[FUZZ_CMDS + 1][ERRNOS];
	long compat;
	long lives;
	long killed;
	int nr_faults;
	struct fault faults[FAULTS];
} *tally;

static long usecs(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void nap(unsigned int usec)
{
	nanosleep(&(struct timespec){ .tv_nsec = usec * 1000L }, NULL);
}

/* ---- the clients ---- */

static void fault(const char *what, const struct fuzz_call *call)
{
	int nr = __atomic_fetch_add(&tally->nr_faults, 1, __ATOMIC_RELAXED);

	if (nr < FAULTS)
		tally->faults[nr] = (struct fault){ what, *call };
}

static bool goes_on(int client)
{
	if (tally->deadline)
		return usecs() < tally->deadline;
	return __atomic_load_n(&tally->calls[client], __ATOMIC_SEQ_CST) < CALLS;
}

static void *client_main(void *arg)
{
	struct fuzzer *fuzzer = arg;
	struct fuzz_call call;
	const char *wrong;

	while (goes_on(fuzzer->client)) {
		/* Nothing it asks for takes any time, and the others would not get to it. */
		if (!fuzzer->privileged)
			nap(1000);
		wrong = fuzz(fuzzer, tally->churn.pids, &call);
		if (wrong)
			fault(wrong, &call);
		if (call.err > -ERRNOS)
			__atomic_fetch_add(&tally->counts[call.index][-call.err], 1,
					   __ATOMIC_RELAXED);
		__atomic_fetch_add(&tally->compat, call.compat, __ATOMIC_RELAXED);
		__atomic_fetch_add(&tally->calls[fuzzer->client], 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/*
 * The first thread has all to itself.  The others have their structures in the same
 * memory, so that nothing can be said of that, but that the driver has to bear it.
 */
static long do_client(long fd, long seed, long client)
{
	struct fuzzer fuzzers[FUZZ_THREADS] = {};
	bool nobody = client == FUZZ_CLIENTS - 1;
	pthread_t threads[FUZZ_THREADS];
	int i, own = device_open();

	if (nobody && do_setuid(65534, 0, 0))
		return -EPERM;
	for (i = 0; i < FUZZ_THREADS; i++) {
		fuzzers[i].seed = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;
		fuzzers[i].fds[0] = fd;
		fuzzers[i].fds[1] = own;
		fuzzers[i].client = client;
		fuzzers[i].privileged = !nobody;
		fuzzers[i].shared = i;
		if (i < 2)
			fuzzer_setup(&fuzzers[i]);
		else
			fuzzers[i].mem = fuzzers[1].mem;
		if (pthread_create(&threads[i], NULL, client_main, &fuzzers[i]))
			return -EAGAIN;
	}
	for (i = 0; i < FUZZ_THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* ---- the test ---- */

FIXTURE(fuzz)
{
	struct counters start;
	struct memlockd_info info;
	struct target targets[FUZZ_TARGETS];
	struct target clients[FUZZ_CLIENTS];
	struct target tracer;
	struct server *server;
	pid_t server_pid;		/* -1: there is no FUSE */
	long timeout;			/* what vm.memlockd.server_timeout was */
	int fd;
};

FIXTURE_SETUP(fuzz)
{
	const char *env = getenv("MEMLOCKD_FUZZ_SEED");
	int i;

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &self->info));
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_NE(MAP_FAILED, tally);
	tally->seed = env ? strtoul(env, NULL, 0) : (unsigned long)time(NULL) % 1000000;
	churn_shared = &tally->churn;
	self->server = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->server);
	self->server->seed = tally->seed * 2 + 1;
	self->server_pid = server_start(self->server);
	tally->churn.served = self->server_pid > 0;
	/* Much of it never comes, so there is no use in waiting long. */
	self->timeout = read_number(KNOB("server_timeout"));
	write_number(KNOB("server_timeout"), 1);
	for (i = 0; i < FUZZ_TARGETS; i++) {
		target_start(&self->targets[i]);
		tally->churn.pids[i] = self->targets[i].pid;
	}
	target_start(&self->tracer);
}

FIXTURE_TEARDOWN(fuzz)
{
	struct memlockd_info info = { .size = sizeof(info) };
	struct memlockd_holder *rows;
	int i;

	if (self->server_pid > 0)
		server_stop(self->server_pid);
	write_number(KNOB("server_timeout"), self->timeout);
	/* While it traces one of them, nobody else can reap that. */
	target_stop(&self->tracer);
	for (i = 0; i < FUZZ_CLIENTS; i++)
		target_stop(&self->clients[i]);
	for (i = 0; i < FUZZ_TARGETS; i++)
		target_stop(&self->targets[i]);
	EXPECT_LE(0, rules_clear(self->fd));
	munmap(self->server, PAGE);
	munmap(tally, sizeof(*tally));
	EXPECT_TRUE(counters_back(&self->start));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	EXPECT_EQ(self->info.out_locked_processes, info.out_locked_processes);
	EXPECT_EQ(self->info.out_pinned, info.out_pinned);
	EXPECT_EQ(0, list_all(self->fd, 16, &rows));
	free(rows);
	close(self->fd);
}

static void print_counts(const struct server *server)
{
	const struct churn *churn = &tally->churn;
	int i, err;

	for (i = 0; i <= FUZZ_CMDS; i++) {
		printf("# %s:", fuzz_name(i));
		for (err = 0; err < ERRNOS; err++) {
			if (tally->counts[i][err])
				printf(" %ld %s", tally->counts[i][err],
				       err ? strerrorname_np(err) : "good");
		}
		printf("\n");
	}
	printf("# %ld of a 32-bit caller, %ld short-lived targets, %ld clients killed\n",
	       tally->compat, tally->lives, tally->killed);
	printf("# FUSE: mapped %ld times; %d reads, %d failed, %d late, %d left\n", churn->maps,
	       server->reads, server->failed, server->late, server->never);
	printf("# userfaultfd: %ld ranges, told of %ld events, answered %ld\n", churn->registered,
	       churn->missed, churn->answered);
	printf("# traced %ld times, %ld words written; moved %ld times; %ld children\n",
	       churn->traced, churn->poked, churn->moves, churn->children);
	for (i = 0; i < tally->nr_faults && i < FAULTS; i++) {
		printf("# wrong: %s\n", tally->faults[i].what);
		fuzz_print(&tally->faults[i].call);
	}
}

static void client_start(struct target *clients, int which, int fd)
{
	/* No two have the same numbers, restarted ones neither. */
	long seed = tally->seed * 1000 + (tally->killed * FUZZ_CLIENTS + which) * FUZZ_THREADS;

	target_start_with(&clients[which], fd);
	target_post(&clients[which], do_client, fd, seed, which);
}

/* Whether a process that is killed comes to its end by itself. */
static bool ends(const struct target *t, int ms)
{
	return poll(&(struct pollfd){ .fd = t->pidfd, .events = POLLIN }, 1, ms) == 1;
}

/* Where the threads of a process wait, if it does not answer. */
static void print_stuck(pid_t pid)
{
	char command[128];

	printf("# process %d does not answer; its threads are in\n", pid);
	fflush(stdout);
	snprintf(command, sizeof(command),
		 "head -n 12 /proc/%d/task/*/stat /proc/%d/task/*/stack | sed 's/^/# /'", pid, pid);
	if (system(command))
		printf("# (gone)\n");
}

/* The result of a process that has to come to its end, if that is all that it waits for. */
static bool result_of(struct target *t, long *ret)
{
	struct pollfd polled = { .fd = t->sock, .events = POLLIN };
	int i;

	if (poll(&polled, 1, NEVER_MS) == 1)
		return target_result(t, ret);
	print_stuck(t->pid);
	for (i = 0; i < FUZZ_TARGETS; i++)
		print_stuck(tally->churn.pids[i]);
	return false;
}

/* Whether a child that is killed can be reaped by then: not while it waits, or is traced. */
static bool reapable(pid_t pid, int ms)
{
	siginfo_t info = {};

	for (; ms >= 0 && !info.si_pid; ms--) {
		waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
		if (!info.si_pid)
			nap(1000);
	}
	return info.si_pid;
}

/*
 * Ends the last target.  No signal makes it give up an answer of the server, nor who traces
 * it then, so the server is made to answer.  Not at once, and mostly not at all where nobody
 * needs it: lockers are to lose patience.
 */
static void end_life(struct target *target, struct server *server, uint64_t *seed)
{
	bool let_go;

	kill(target->pid, SIGKILL);
	let_go = !reapable(target->pid, draw(seed, 2000)) || !draw(seed, 4);
	if (let_go)
		server_let_go(server, true);
	target_stop(target);
	if (let_go)
		server_let_go(server, false);
}

/* One life of the last target. */
static void live(struct target *target, struct server *server, uint64_t *seed)
{
	end_life(target, server, seed);
	target_start(target);
	__atomic_store_n(&tally->churn.pids[FUZZ_TARGETS - 1], target->pid, __ATOMIC_SEQ_CST);
	target_post(target, do_short_life, draw(seed, 1u << 31), 0, 0);
	tally->lives++;
	nap(draw(seed, 100000));
}

static bool clients_done(void)
{
	int i;

	for (i = 0; i < FUZZ_CLIENTS; i++) {
		if (goes_on(i))
			return false;
	}
	return true;
}

/* Whatever was locked of it, can be unlocked. */
static bool unlocks(int fd, pid_t pid)
{
	int err = unlock_all(fd, pid);

	if (err && err != -ENOENT)
		return false;
	err = unlock_range(fd, pid, 0, 1UL << 47);
	if (err && err != -ENOENT)
		return false;
	printf("# process %d: VmPin %lu, VmLck %lu, locked mappings %lu\n", pid,
	       status_bytes(pid, "VmPin"), status_bytes(pid, "VmLck"), vmas_locked(pid));
	return !status_bytes(pid, "VmPin") && status_bytes(pid, "VmLck") == vmas_locked(pid) &&
	       state_of(fd, pid) == MEMLOCKD_STATE_UNLOCKED;
}

TEST_F_TIMEOUT(fuzz, any_call_does_what_is_documented, TIMEOUT)
{
	const char *env = getenv("MEMLOCKD_FUZZ_SECONDS");
	long begin = usecs(), seconds = env ? atol(env) : 0, ret;
	uint64_t seed = tally->seed * 0x9e3779b97f4a7c15ULL | 1;
	struct target *last = &self->targets[FUZZ_TARGETS - 1];
	bool ended;
	int i;

	if (seconds > 0)
		tally->deadline = begin + (seconds < MAX_SECONDS ? seconds : MAX_SECONDS) * 1000000;
	TH_LOG("MEMLOCKD_FUZZ_SEED=%llu", (unsigned long long)tally->seed);
	for (i = 0; i < FUZZ_TARGETS - 1; i++)
		target_post(&self->targets[i], do_churn, draw(&seed, 1u << 31), 0, 0);
	for (i = 0; i < FUZZ_CLIENTS; i++)
		client_start(self->clients, i, self->fd);
	target_post(&self->tracer, do_trace, draw(&seed, 1u << 31), 0, 0);

	while (!clients_done()) {
		live(last, self->server, &seed);
		if (draw(&seed, 8))
			continue;
		/* Whatever it waits for, it does not when it is killed. */
		kill(self->clients[0].pid, SIGKILL);
		ended = ends(&self->clients[0], NEVER_MS);
		EXPECT_TRUE(ended);
		if (!ended) {
			print_stuck(self->clients[0].pid);
			server_let_go(self->server, true);
		}
		ASSERT_EQ(SIGKILL, target_stop(&self->clients[0]));
		tally->killed++;
		client_start(self->clients, 0, self->fd);
	}
	/*
	 * From here on nobody is left waiting.  The server lives longer than its targets: when
	 * each read fails, the core kernel populates a locked mapping again and again, in
	 * mmap(2), until the process is killed.
	 */
	server_let_go(self->server, true);
	for (i = 0; i < FUZZ_CLIENTS; i++) {
		ASSERT_TRUE(result_of(&self->clients[i], &ret));
		EXPECT_EQ(0, ret);
	}
	__atomic_store_n(&tally->churn.stop, 1, __ATOMIC_SEQ_CST);
	TH_LOG("%ld ms", (usecs() - begin) / 1000);
	target_stop(last);
	ASSERT_TRUE(result_of(&self->tracer, &ret));
	print_counts(self->server);
	EXPECT_EQ(0, tally->nr_faults);
	for (i = 0; i < FUZZ_TARGETS - 1; i++) {
		ASSERT_TRUE(result_of(&self->targets[i], &ret));
		EXPECT_EQ(0, ret);
		EXPECT_TRUE(unlocks(self->fd, self->targets[i].pid));
	}
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
