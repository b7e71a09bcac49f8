// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lock that signals end, with a bar on a terminal while it takes long.
 *
 * Only the death of who makes the call ends it, so a process of its own makes it.
 * We wait for that one, look at the target's status meanwhile, and kill it when a
 * signal says so.  Then the call has undone what it had done, or it was through: LIST
 * still says which, as long as we have not reaped that process.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memlockctl.h"

/* What is over before is not worth a bar. */
#define PATIENCE_MS	300
#define REFRESH_MS	100

/**
 * struct job - what the two processes share
 * @lock: the call
 * @err: what it has returned
 * @done: it has
 * @sentence: what memlockd_error() is
 */
struct job {
	struct memlockd_lock lock;
	int err;
	bool done;
	char sentence[SENTENCE_ROOM];
};

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static sigset_t before;

/* What is ignored, as nohup(1) has it, ends nothing. */
static sigset_t held(void)
{
	struct sigaction action;
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (i = 0; i < ARRAY_SIZE(ending); i++) {
		if (!sigaction(ending[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&set, ending[i]);
	}
	return set;
}

void signals_hold(void)
{
	sigset_t set = held();

	/* Who has started us may ignore it, and a child is no zombie then. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, &before);
}

void signals_let_go(void)
{
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static volatile sig_atomic_t caught;

static void catch_it(int sig)
{
	caught = sig;
}

void signals_catch(sigset_t *mask)
{
	struct sigaction action = { .sa_handler = catch_it };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool signals_caught(void)
{
	return caught;
}

static void run_job(struct ctl *ctl, const struct target *target, struct job *job)
{
	job->err = memlockd_lock_process(ctl->dev, target_process(target), &job->lock,
					 sizeof(job->lock));
	snprintf(job->sentence, sizeof(job->sentence), "%s", memlockd_error(ctl->dev));
	job->done = true;
}

/* The process that makes the call; signals that are held back stay so in it. */
static pid_t start(struct ctl *ctl, const struct target *target, struct job *job)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	/* Who kills us kills the lock. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		run_job(ctl, target, job);
	_exit(0);
}

/* About how much there is to do: the private mappings that can be touched. */
static uint64_t expected(pid_t pid)
{
	unsigned long start, end;
	char path[64], line[512], perms[8];
	uint64_t sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) == 3 &&
		    strncmp(perms, "---", 3) && perms[3] == 'p')
			sum += end - start;
	}
	fclose(file);
	return sum;
}

/* What of it is present; the other states pin. */
static uint64_t resident(pid_t pid)
{
	unsigned long pages = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)getpagesize();
}

static void draw(struct ctl *ctl, const struct target *target, bool pins, uint64_t total)
{
	struct memlockd_status status = {};
	char bar[BAR_ROOM];
	uint64_t done;

	if (pins && memlockd_read_status(ctl->dev, target_process(target), &status,
					 sizeof(status)))
		return;
	done = pins ? status.out_pinned : resident(target->pid);
	if (done > total)
		done = total;
	fprintf(stderr, "\r\033[K%s (PID %d)  ", target->name, target->pid);
	term_paint(term_blocks(bar, 20, total, done, 0), stderr);
	fprintf(stderr, "  %s of about %s", size_text(done), size_text(total));
	fflush(stderr);
}

static bool ended(pid_t pid, int flags)
{
	siginfo_t info = {};

	return !waitid(P_PID, pid, &info, WEXITED | WNOWAIT | flags) && info.si_pid == pid;
}

/* Until the process has ended; it stays a zombie. */
static void await(struct ctl *ctl, const struct target *target, const struct job *job, pid_t pid)
{
	struct timespec patience = { 0, PATIENCE_MS * 1000000L };
	bool fancy = !ctl->doc && !ctl->options.quiet && term_fancy(STDERR_FILENO);
	bool pins = !(job->lock.flags & MEMLOCKD_MOVABLE), drawn = false;
	sigset_t set = held();
	uint64_t total = 0;
	int sig;

	while (!ended(pid, WNOHANG)) {
		sig = sigtimedwait(&set, NULL, fancy ? &patience : NULL);
		if (sig > 0 && sig != SIGCHLD) {
			ctl->signal = sig;
			kill(pid, SIGKILL);
			ended(pid, 0);
		} else if (sig < 0 && errno == EAGAIN) {
			if (!drawn)
				total = expected(target->pid);
			draw(ctl, target, pins, total);
			drawn = true;
			patience.tv_nsec = REFRESH_MS * 1000000L;
		}
	}
	if (drawn)
		fputs("\r\033[K", stderr);
}

/* Has the process @pid, which is dead and not reaped, a lock of @target? */
static bool holds(struct ctl *ctl, const struct target *target, pid_t pid)
{
	struct memlockd_holder *rows;
	bool found = false;
	ssize_t nr, i;

	nr = memlockd_read_holders(ctl->dev, &rows, sizeof(*rows), NULL);
	for (i = 0; i < nr; i++)
		found |= rows[i].target == target->pid && rows[i].pid == pid;
	if (nr >= 0)
		free(rows);
	return found;
}

int lock_interruptibly(struct ctl *ctl, const struct target *target, struct memlockd_lock *lock,
		       char *sentence)
{
	struct job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0), alone = {};
	pid_t pid = -1;
	int err;

	if (job == MAP_FAILED)
		job = &alone;
	job->lock = *lock;
	/* The program of `run` is our own, and ends with a lock of it that fails. */
	if (job != &alone && ctl->command->run != run_run)
		pid = start(ctl, target, job);
	if (pid < 0) {
		run_job(ctl, target, job);
	} else {
		await(ctl, target, job, pid);
		if (!job->done) {
			job->err = holds(ctl, target, pid) ? 0 : -EINTR;
			snprintf(job->sentence, sizeof(job->sentence),
				 "%s (PID %d): interrupted; nothing has changed", target->name,
				 target->pid);
		}
		waitpid(pid, NULL, 0);
	}
	*lock = job->lock;
	err = job->err;
	snprintf(sentence, SENTENCE_ROOM, "%s", job->sentence);
	if (job != &alone)
		munmap(job, sizeof(*job));
	return err;
}
