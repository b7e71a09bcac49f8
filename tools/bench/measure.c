// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts of a measurement: lock, unlock, and what it costs whom.
 */
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define KPROBES	"/sys/kernel/debug/kprobes/enabled"

/* Of all that has been measured only @metric is the subject of the case. */
void only(enum measure metric, struct sample *s)
{
	int other;

	for (other = 0; other < NR_METRICS; other++)
		if (other != (int)metric)
			s->value[other] = NAN;
}

void lock_as(pid_t pid, enum lock_kind variant)
{
	int state = variant == SUPER ? MEMLOCKD_STATE_SUPERLOCKED : MEMLOCKD_STATE_LOCKED;
	int flags = variant == MOVABLE ? LIKE_MLOCKALL : CURRENT_FUTURE;
	int err = lock_pid(device, pid, state, flags, NULL);

	if (err) {
		fprintf(stderr, "bench: cannot lock: %s\n", strerror(-err));
		exit(1);
	}
}

void unlock(pid_t pid)
{
	if (unlock_pid(device, pid))
		die("unlock");
}

static double cpu_time(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return NAN;
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Nanoseconds that @pid has run. */
static double run_time(const char *pid)
{
	char path[300];
	double ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%lf", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

/* Of all kernel threads: those have no executable. */
static double kernel_time(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	double sum = 0;

	while (proc && (entry = readdir(proc))) {
		char path[300], exe[8];

		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
		if (readlink(path, exe, sizeof(exe)) < 0)
			sum += run_time(entry->d_name);
	}
	if (proc)
		closedir(proc);
	return sum;
}

static double slab_bytes(void)
{
	return read_field("/proc/meminfo", "Slab") * 1024.0;
}

static double bookkeeping(pid_t pid)
{
	struct memlockd_status status;

	if (status_pid(device, pid, &status))
		die("status");
	return status.out_bookkeeping;
}

struct before {
	double client, target, kernel, slab;
};

/* Counting, all that would be one process's or another's is in one number. */
static void begin(struct before *b, pid_t target)
{
	if (counting)
		return;
	b->slab = slab_bytes();
	b->kernel = kernel_time();
	b->target = cpu_time(target);
	b->client = cpu_time(getpid());
}

static void add(double *sum, double value)
{
	*sum = isnan(*sum) ? value : *sum + value;
}

static void end(const struct before *b, pid_t target, struct sample *s)
{
	if (counting)
		return;
	add(&s->value[CLIENT], cpu_time(getpid()) - b->client);
	add(&s->value[TARGET], cpu_time(target) - b->target);
	add(&s->value[KERNEL], kernel_time() - b->kernel);
}

/* In the target: how long its own call takes, as it sees it. */
static long timed_mlockall(long flags, long b, long c)
{
	uint64_t start = now();
	int err = flags ? mlockall(flags) : munlockall();

	return err ? -1 : (long)(now() - start);
}

static void set(struct sample *s, enum measure metric, long value)
{
	if (value < 0)
		die("mlockall or munlockall of the peer");
	s->value[metric] = value;
}

void lock_target(struct target *t, enum lock_kind variant, struct sample *s)
{
	struct before b;
	uint64_t start;

	if (variant < PEER)
		return;
	begin(&b, t->pid);
	if (variant == PEER) {
		set(s, LOCK, target_call(t, timed_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0));
	} else {
		start = now();
		lock_as(t->pid, variant);
		s->value[LOCK] = now() - start;
	}
	end(&b, t->pid, s);
	if (!counting)
		s->value[SLAB] = slab_bytes() - b.slab;
	if (variant != PEER)
		s->value[BOOKS] = bookkeeping(t->pid);
}

void unlock_target(struct target *t, enum lock_kind variant, struct sample *s)
{
	struct before b;
	uint64_t start;

	if (variant < PEER)
		return;
	begin(&b, t->pid);
	if (variant == PEER) {
		set(s, UNLOCK, target_call(t, timed_mlockall, 0, 0, 0));
	} else {
		start = now();
		unlock(t->pid);
		s->value[UNLOCK] = now() - start;
	}
	end(&b, t->pid, s);
}

/* preload.so answers a signal with the time that its call took. */
static long ask_program(pid_t pid, int fd, int sig)
{
	long ns;

	if (kill(pid, sig) || read(fd, &ns, sizeof(ns)) != sizeof(ns))
		die("the program does not answer");
	return ns;
}

void lock_program(pid_t pid, int fd, enum lock_kind variant, struct sample *s)
{
	struct before b;
	uint64_t start;

	begin(&b, pid);
	if (variant == PEER) {
		set(s, LOCK, ask_program(pid, fd, SIGRTMIN + 5));
	} else {
		start = now();
		lock_as(pid, variant);
		s->value[LOCK] = now() - start;
	}
	end(&b, pid, s);
	if (variant != PEER)
		s->value[BOOKS] = bookkeeping(pid);
}

void unlock_program(pid_t pid, int fd, enum lock_kind variant, struct sample *s)
{
	struct before b;
	uint64_t start;

	begin(&b, pid);
	if (variant == PEER) {
		set(s, UNLOCK, ask_program(pid, fd, SIGRTMIN + 6));
	} else {
		start = now();
		unlock(pid);
		s->value[UNLOCK] = now() - start;
	}
	end(&b, pid, s);
}

/* Rules for users that there are not: each is looked at, and none is for anybody. */
static void set_rules(bool on)
{
	static uint64_t ids[8];
	int i;

	for (i = 0; i < 8; i++) {
		struct memlockd_rule rule = {
			.size = sizeof(rule),
			.match = MEMLOCKD_MATCH_USER,
			.events = MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK,
			.state = MEMLOCKD_STATE_SUPERLOCKED,
			.lock_flags = CURRENT_FUTURE,
			.uid = 54321 + i,
		};
		struct memlockd_rule_del del = { .size = sizeof(del), .id = ids[i] };

		if (on == !!ids[i])
			continue;
		if (device_call(device, on ? MEMLOCKD_IOC_RULE_ADD : MEMLOCKD_IOC_RULE_DEL,
				on ? (void *)&rule : (void *)&del))
			die("rule");
		ids[i] = rule.out_id;
	}
}

/*
 * The probes stay for half a minute after the last unlock, and so does what they
 * cost: who is to be measured without them has all kprobes of the machine off.
 */
void surroundings(enum lock_kind variant)
{
	static struct target bystander;

	if (!bystander.pid)
		target_start(&bystander);
	set_rules(variant == RULES);
	if (!write_number(KPROBES, variant != PLAIN && variant != RULES && variant != PEER))
		die(KPROBES);
	if (variant == ARMED && state_of(device, bystander.pid) == MEMLOCKD_STATE_UNLOCKED)
		lock_as(bystander.pid, SUPER);
	else if (variant != ARMED && state_of(device, bystander.pid) > 0)
		unlock(bystander.pid);
}
