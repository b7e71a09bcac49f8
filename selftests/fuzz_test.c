// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of all kinds, right ones and wrong ones, from random numbers: fields that are
 * valid, at a limit or neither; pointers that are bad, end before their structure
 * does or are not aligned; sizes that do not fit; ranges that wrap around; targets
 * that are none; callers of 32 bits, without privilege, and several at once on the
 * same file or with the same structure.  Meanwhile the targets map, unmap, fork,
 * call execve(2) and exit, and one of the clients is killed now and then.
 *
 * What the header calls wrong may not succeed, nothing may fail with an error that
 * it does not name, and no byte may be written that is not the driver's to write.
 *
 * MEMLOCKD_FUZZ_SECONDS: so long, instead of a number of calls.
 * MEMLOCKD_FUZZ_SEED: the seed that an earlier run printed.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "kselftest_harness.h"
#include "fuzz.h"

#define CALLS		400		/* of each client */
#define TIMEOUT		(6 * 3600)	/* what hangs in a long run; the runner has its own */
#define MAX_SECONDS	(5 * 3600)
#define ERRNOS		134
#define FAULTS		8

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
	for (i = 0; i < FUZZ_TARGETS; i++) {
		target_start(&self->targets[i]);
		tally->churn.pids[i] = self->targets[i].pid;
	}
}

FIXTURE_TEARDOWN(fuzz)
{
	struct memlockd_info info = { .size = sizeof(info) };
	struct memlockd_holder *rows;
	int i;

	for (i = 0; i < FUZZ_CLIENTS; i++)
		target_stop(&self->clients[i]);
	for (i = 0; i < FUZZ_TARGETS; i++)
		target_stop(&self->targets[i]);
	munmap(tally, sizeof(*tally));
	EXPECT_TRUE(counters_back(&self->start));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	EXPECT_EQ(self->info.out_locked_processes, info.out_locked_processes);
	EXPECT_EQ(self->info.out_pinned, info.out_pinned);
	EXPECT_EQ(0, list_all(self->fd, 16, &rows));
	free(rows);
	close(self->fd);
}

static void print_counts(void)
{
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

/* One life of the last target. */
static void live(struct target *target, uint64_t *seed)
{
	target_stop(target);
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
	int i;

	if (seconds > 0)
		tally->deadline = begin + (seconds < MAX_SECONDS ? seconds : MAX_SECONDS) * 1000000;
	TH_LOG("MEMLOCKD_FUZZ_SEED=%llu", (unsigned long long)tally->seed);
	for (i = 0; i < FUZZ_TARGETS - 1; i++)
		target_post(&self->targets[i], do_churn, draw(&seed, 1u << 31), 0, 0);
	for (i = 0; i < FUZZ_CLIENTS; i++)
		client_start(self->clients, i, self->fd);

	while (!clients_done()) {
		live(last, &seed);
		if (draw(&seed, 8))
			continue;
		ASSERT_EQ(SIGKILL, target_stop(&self->clients[0]));
		tally->killed++;
		client_start(self->clients, 0, self->fd);
	}
	for (i = 0; i < FUZZ_CLIENTS; i++) {
		ASSERT_TRUE(target_result(&self->clients[i], &ret));
		EXPECT_EQ(0, ret);
	}
	__atomic_store_n(&tally->churn.stop, 1, __ATOMIC_SEQ_CST);
	TH_LOG("%ld ms", (usecs() - begin) / 1000);
	print_counts();
	EXPECT_EQ(0, tally->nr_faults);
	for (i = 0; i < FUZZ_TARGETS - 1; i++) {
		ASSERT_TRUE(target_result(&self->targets[i], &ret));
		EXPECT_EQ(0, ret);
		EXPECT_TRUE(unlocks(self->fd, self->targets[i].pid));
	}
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}
