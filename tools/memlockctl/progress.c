// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bar on a terminal while a lock takes long.
 *
 * The call itself says nothing before it is done.  So a thread makes it, and
 * meanwhile the process's status is looked at.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "memlockctl.h"

/* What is over before is not worth a bar. */
#define PATIENCE_MS	300
#define REFRESH_MS	100

struct job {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct ctl *ctl;
	const struct target *target;
	struct memlockd_lock *lock;
	bool done;
	int err;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	int err = memlockd_lock_process(job->ctl->dev, target_process(job->target), job->lock,
					sizeof(*job->lock));

	pthread_mutex_lock(&job->mutex);
	job->err = err;
	job->done = true;
	pthread_cond_signal(&job->cond);
	pthread_mutex_unlock(&job->mutex);
	return NULL;
}

/* True when the job is done. */
static bool wait_for(struct job *job, unsigned int ms)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;

	pthread_mutex_lock(&job->mutex);
	while (!job->done) {
		if (pthread_cond_timedwait(&job->cond, &job->mutex, &until) == ETIMEDOUT)
			break;
	}
	done = job->done;
	pthread_mutex_unlock(&job->mutex);
	return done;
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

static void draw(struct memlockd *dev, const struct target *target, bool pins, uint64_t total)
{
	struct memlockd_status status = {};
	char bar[BAR_ROOM];
	uint64_t done;

	if (pins && memlockd_read_status(dev, target_process(target), &status, sizeof(status)))
		return;
	done = pins ? status.out_pinned : resident(target->pid);
	if (done > total)
		done = total;
	fprintf(stderr, "\r\033[K%s (PID %d)  %s  %s of about %s", target->name, target->pid,
		term_bar(bar, 20, total, done, 0), size_text(done), size_text(total));
	fflush(stderr);
}

static void watch_job(struct job *job)
{
	bool pins = !(job->lock->flags & MEMLOCKD_MOVABLE);
	const struct target *target = job->target;
	struct memlockd *dev;
	uint64_t total;

	if (wait_for(job, PATIENCE_MS))
		return;
	/* A handle is one thread's. */
	if (!memlockd_open(&dev)) {
		total = expected(target->pid);
		do
			draw(dev, target, pins, total);
		while (!wait_for(job, REFRESH_MS));
		fputs("\r\033[K", stderr);
	}
	memlockd_close(dev);
}

int lock_with_progress(struct ctl *ctl, const struct target *target, struct memlockd_lock *lock)
{
	struct job job = { .ctl = ctl, .target = target, .lock = lock };
	pthread_condattr_t monotonic;
	pthread_t thread;

	if (ctl->doc || ctl->options.quiet || !term_fancy(STDERR_FILENO))
		return memlockd_lock_process(ctl->dev, target_process(target), lock, sizeof(*lock));

	pthread_mutex_init(&job.mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&job.cond, &monotonic);
	if (pthread_create(&thread, NULL, run_job, &job))
		return memlockd_lock_process(ctl->dev, target_process(target), lock, sizeof(*lock));
	watch_job(&job);
	pthread_join(thread, NULL);
	return job.err;
}
