// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl watch: a table that refreshes itself
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "memlockctl.h"

/* Page faults at the last refresh, to show what is new. */
struct seen {
	pid_t pid;
	uint64_t lock_time_ns;
	uint64_t faults;
};

struct watch {
	struct ctl *ctl;
	struct targets targets;
	struct seen *seen;
	size_t nr_seen;
	bool screen, keys;
	struct termios before;
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void screen_begin(struct watch *watch)
{
	struct sigaction action = { .sa_handler = stop };
	struct termios raw;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	watch->screen = !watch->ctl->doc && term_fancy(STDOUT_FILENO);
	watch->keys = watch->screen && isatty(STDIN_FILENO) &&
		      !tcgetattr(STDIN_FILENO, &watch->before);
	if (watch->screen)
		/* The other screen, without a cursor. */
		fputs("\033[?1049h\033[?25l", stdout);
	if (!watch->keys)
		return;
	raw = watch->before;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void screen_end(struct watch *watch)
{
	if (watch->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &watch->before);
	if (watch->screen)
		fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
}

/* Faults since the last refresh; those since the lock, when it is new. */
static uint64_t new_faults(struct watch *watch, pid_t pid, const struct memlockd_status *status)
{
	uint64_t faults = status->out_lock_minor_faults + status->out_lock_major_faults;
	struct seen *seen = NULL, *more;
	uint64_t last = 0;
	size_t i;

	for (i = 0; i < watch->nr_seen; i++) {
		if (watch->seen[i].pid == pid)
			seen = &watch->seen[i];
	}
	if (!seen) {
		more = reallocarray(watch->seen, watch->nr_seen + 1, sizeof(*more));
		if (!more)
			return faults;
		watch->seen = more;
		seen = &more[watch->nr_seen++];
		*seen = (struct seen){ .pid = pid };
	}
	if (seen->lock_time_ns == status->out_lock_time_ns)
		last = seen->faults;
	seen->lock_time_ns = status->out_lock_time_ns;
	seen->faults = faults;
	return faults > last ? faults - last : 0;
}

static void print_head(struct ctl *ctl)
{
	struct memlockd_info info;
	time_t now = time(NULL);
	char clock[16];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%T", &tm);
	if (memlockd_read_info(ctl->dev, &info, sizeof(info))) {
		printf("memlockd  %s\n", clock);
		return;
	}
	printf("memlockd  %s  %u processes locked, %s pinned", clock, info.out_locked_processes,
	       size_text(info.out_pinned));
	if (info.out_max_wired)
		printf(", %s of %s wired", size_text(info.out_wired),
		       size_text(info.out_max_wired));
	printf("\n\n%7s  %-16s %-11s %10s %10s %10s %8s %8s  %s\n", "PID", "NAME", "STATE", "LOCKED",
	       "PINNED", "MINOR", "MAJOR", "NEW", "HOLDERS");
}

/* False when the process has ended. */
static bool show_target(struct watch *watch, const struct target *target)
{
	struct ctl *ctl = watch->ctl;
	struct memlockd_status status;
	struct json_object *object;
	uint64_t faults;
	int err;

	err = memlockd_read_status(ctl->dev, target_process(target), &status, sizeof(status));
	if (err == -ESRCH) {
		if (report_text(ctl))
			printf("%7d  %-16s has ended\n", target->pid, target->name);
		return false;
	}
	if (err) {
		if (report_text(ctl))
			printf("%7d  %-16s %s\n", target->pid, target->name,
			       memlockd_error(ctl->dev));
		return true;
	}
	faults = new_faults(watch, target->pid, &status);
	if (report_text(ctl))
		printf("%7d  %-16s %-11s %10s %10s %10llu %8llu %s%8llu%s  %u\n", target->pid,
		       target->name, text_state(status.out_state), size_text(status.out_locked),
		       size_text(status.out_pinned),
		       (unsigned long long)status.out_lock_minor_faults,
		       (unsigned long long)status.out_lock_major_faults,
		       watch->screen && faults ? "\033[31m" : "", (unsigned long long)faults,
		       watch->screen && faults ? "\033[0m" : "", status.out_holders);
	object = report_process(ctl, target);
	if (object) {
		json_string(object, "state", memlockd_state_name(status.out_state));
		json_number(object, "locked", status.out_locked);
		json_number(object, "pinned", status.out_pinned);
		json_number(object, "minor_faults", status.out_lock_minor_faults);
		json_number(object, "major_faults", status.out_lock_major_faults);
		json_number(object, "new_faults", faults);
		json_number(object, "holders", status.out_holders);
	}
	return true;
}

/* False when there is nothing left to watch. */
static bool refresh(struct watch *watch, bool all)
{
	struct ctl *ctl = watch->ctl;
	size_t i, left = 0;

	if (all) {
		targets_free(&watch->targets);
		memset(&watch->targets, 0, sizeof(watch->targets));
		targets_locked(ctl, &watch->targets);
	}
	if (watch->screen)
		fputs("\033[H\033[J", stdout);
	if (report_text(ctl))
		print_head(ctl);
	for (i = 0; i < watch->targets.nr; i++)
		left += show_target(watch, &watch->targets.list[i]);
	if (all && !watch->targets.nr && report_text(ctl))
		puts("         nothing is locked");
	if (watch->screen)
		fputs("\nq quits", stdout);
	else if (report_text(ctl))
		putchar('\n');
	report_flush(ctl);
	return all ? !ctl->status : left > 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* False when q was pressed. */
static bool pause_for(struct watch *watch, unsigned int ms)
{
	struct pollfd pollfd = { .fd = watch->keys ? STDIN_FILENO : -1, .events = POLLIN };
	uint64_t now = now_ms(), until = now + ms;
	char key;

	for (; !stopped && now < until; now = now_ms()) {
		if (poll(&pollfd, 1, until - now) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
			return false;
	}
	return !stopped;
}

void watch_run(struct ctl *ctl)
{
	const struct options *options = &ctl->options;
	bool all = !options->nr_words && !options->nr_names && !options->nr_cgroups;
	struct watch watch = { .ctl = ctl };
	unsigned int n = 0;

	if (!all)
		targets_select(ctl, &watch.targets);
	if (ctl->status)
		goto out;
	screen_begin(&watch);
	while (refresh(&watch, all) && (!options->count || ++n < options->count) &&
	       pause_for(&watch, options->interval))
		;
	screen_end(&watch);
	/* The last refresh has printed its document. */
	if (ctl->doc && !ctl->status) {
		json_object_put(ctl->doc);
		ctl->doc = NULL;
	}
out:
	targets_free(&watch.targets);
	free(watch.seen);
}
