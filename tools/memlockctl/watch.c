// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl watch: a table that refreshes itself
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "memlockctl.h"

enum { PID, NAME, STATE, NEW, KEPT, PINNED, MINOR, MAJOR, HOLDERS, VMLCK };

const struct column watch_columns[] = {
	[PID] = { "PID", "the process", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[NAME] = { "NAME", "what it is called", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[STATE] = { "STATE", "what it has", 0, IN_TABLE, 0 },
	[NEW] = { "NEW-FAULTS", "faults since the last refresh", SCOLS_FL_RIGHT, IN_TABLE, 36 },
	[KEPT] = { "KEPT", "in memory, to stay", SCOLS_FL_RIGHT, IN_TABLE, 44 },
	[PINNED] = { "PINNED", "and pinned", SCOLS_FL_RIGHT, IN_TABLE, 56 },
	[MINOR] = { "MINOR", "page faults since the lock", SCOLS_FL_RIGHT, IN_TABLE, 68 },
	[MAJOR] = { "MAJOR", "those that read a disk", SCOLS_FL_RIGHT, IN_TABLE, 76 },
	[HOLDERS] = { "HOLDERS", "how many hold a lock of it", SCOLS_FL_RIGHT, IN_TABLE, 84 },
	[VMLCK] = { "VMLCK", "locked addresses, with what has no memory", SCOLS_FL_RIGHT, 0, 0 },
	[VMLCK + 1] = {}
};

/**
 * struct seen - a process at the last refresh
 * @pid: the process
 * @lock_time_ns: its lock, of which the faults count
 * @faults: page faults, to show what is new
 * @target: of this refresh; NULL when it is not there any more
 * @status: likewise
 * @err: of the look at it
 * @new_faults: likewise
 */
struct seen {
	pid_t pid;
	uint64_t lock_time_ns;
	uint64_t faults;
	const struct target *target;
	struct memlockd_status status;
	int err;
	uint64_t new_faults;
};

/**
 * struct watch - a run of it
 * @ctl: the run of the program
 * @targets: the processes
 * @seen, @nr_seen: what is known of each, in the order of the table
 * @first: line of the table at the top of the screen
 * @by_faults: the order is by new faults, not by process ID
 * @screen: there is a screen to fill
 * @keys: and somebody who types
 * @before: modes of the terminal
 * @mask: signals that end a pause
 */
struct watch {
	struct ctl *ctl;
	struct targets targets;
	struct seen *seen;
	size_t nr_seen;
	size_t first;
	bool by_faults;
	bool screen, keys;
	struct termios before;
	sigset_t mask;
};

/* Lines that are not of the table: two above it, its headings, two below. */
#define OTHER_LINES	5

static volatile sig_atomic_t stopped, resized;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void resize(int sig)
{
	(void)sig;
	resized = 1;
}

/* Signals come in pauses only, so that none is missed between a look and a pause. */
static void catch_signals(struct watch *watch)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = stop };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(ending); i++) {
		sigaction(ending[i], &action, NULL);
		sigaddset(&set, ending[i]);
	}
	action.sa_handler = resize;
	sigaction(SIGWINCH, &action, NULL);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &watch->mask);
}

static void screen_begin(struct watch *watch)
{
	struct termios raw;

	catch_signals(watch);
	watch->screen = !watch->ctl->doc && term_fancy(STDOUT_FILENO);
	watch->keys = watch->screen && isatty(STDIN_FILENO) &&
		      !tcgetattr(STDIN_FILENO, &watch->before);
	if (watch->screen)
		/* The other screen; no cursor; a line ends where the screen does. */
		fputs("\033[?1049h\033[?25l\033[?7l", stdout);
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
		fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
}

static struct seen *find(struct watch *watch, pid_t pid)
{
	struct seen *more;
	size_t i;

	for (i = 0; i < watch->nr_seen; i++) {
		if (watch->seen[i].pid == pid)
			return &watch->seen[i];
	}
	more = reallocarray(watch->seen, watch->nr_seen + 1, sizeof(*more));
	if (!more)
		no_memory();
	watch->seen = more;
	more += watch->nr_seen++;
	*more = (struct seen){ .pid = pid };
	return more;
}

/*
 * What is in memory and kept there: no more than what there is of either. The kernel's
 * count of what is resident lags behind by some pages; what is pinned is there.
 */
static uint64_t kept(const struct seen *seen)
{
	uint64_t resident = 0, locked = seen->status.out_locked;
	unsigned long pages;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", seen->pid);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%*u %lu", &pages) == 1)
			resident = pages * (uint64_t)getpagesize();
		fclose(file);
	}
	if (resident < seen->status.out_pinned)
		resident = seen->status.out_pinned;
	return resident < locked ? resident : locked;
}

/* Faults since the last refresh; those since the lock, when it is new. */
static void look(struct watch *watch, const struct target *target)
{
	struct seen *seen = find(watch, target->pid);
	const struct memlockd_status *status = &seen->status;
	uint64_t faults, last;

	seen->target = target;
	seen->new_faults = 0;
	seen->err = memlockd_read_status(watch->ctl->dev, target_process(target), &seen->status,
					 sizeof(seen->status));
	if (seen->err)
		return;
	faults = status->out_lock_minor_faults + status->out_lock_major_faults;
	last = seen->lock_time_ns == status->out_lock_time_ns ? seen->faults : 0;
	seen->lock_time_ns = status->out_lock_time_ns;
	seen->faults = faults;
	seen->new_faults = faults > last ? faults - last : 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int by_faults(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->new_faults != y->new_faults)
		return x->new_faults > y->new_faults ? -1 : 1;
	if (x->faults != y->faults)
		return x->faults > y->faults ? -1 : 1;
	return by_pid(a, b);
}

/* Look at all of them; how many have not ended. */
static size_t look_at_all(struct watch *watch)
{
	size_t i, left = 0, nr = 0;

	for (i = 0; i < watch->nr_seen; i++)
		watch->seen[i].target = NULL;
	for (i = 0; i < watch->targets.nr; i++)
		look(watch, &watch->targets.list[i]);
	/* What is not locked any more is forgotten. */
	for (i = 0; i < watch->nr_seen; i++) {
		if (watch->seen[i].target)
			watch->seen[nr++] = watch->seen[i];
	}
	watch->nr_seen = nr;
	if (nr)
		qsort(watch->seen, nr, sizeof(*watch->seen), watch->by_faults ? by_faults : by_pid);
	for (i = 0; i < nr; i++)
		left += watch->seen[i].err != -ESRCH;
	return left;
}

/* A line that ends where the screen does. */
static void __attribute__((format(printf, 2, 3)))
print_clipped(const struct watch *watch, const char *format, ...)
{
	unsigned int width = watch->screen ? term_width(STDOUT_FILENO) : 0;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("%.*s", width ? (int)width : (int)sizeof(text), text);
}

/* A number that is cut off would be another one: what does not fit is left out, the last first. */
static void print_head(const struct watch *watch)
{
	unsigned int width = watch->screen ? term_width(STDOUT_FILENO) : 0;
	struct memlockd_info info;
	time_t now = time(NULL);
	char clock[16], parts[3][64] = {};
	size_t len, i;
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%T", &tm);
	if (!memlockd_read_info(watch->ctl->dev, &info, sizeof(info))) {
		snprintf(parts[0], sizeof(parts[0]), "  %u %s locked", info.out_locked_processes,
			 info.out_locked_processes == 1 ? "process" : "processes");
		snprintf(parts[1], sizeof(parts[1]), ", %s pinned", size_text(info.out_pinned));
		if (info.out_max_wired)
			snprintf(parts[2], sizeof(parts[2]), ", %s of %s wired",
				 size_text(info.out_wired), size_text(info.out_max_wired));
	}
	print_clipped(watch, "memlockd  %s", clock);
	len = strlen("memlockd  ") + strlen(clock);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		len += strlen(parts[i]);
		if (width && len > width)
			break;
		fputs(parts[i], stdout);
	}
	fputs("\n\n", stdout);
}

static void add_line(struct table *table, const struct seen *seen)
{
	const struct memlockd_status *status = &seen->status;
	char lock[80];

	table_line(table);
	table_cell(table, PID, "%d", seen->pid);
	table_cell(table, NAME, "%s", seen->target->name);
	if (seen->err) {
		table_cell(table, STATE, "%s", seen->err == -ESRCH ? "has ended" :
			   seen->err == -EPERM ? "not shown" : strerror(-seen->err));
		return;
	}
	table_cell(table, STATE, "%s",
		   text_lock(lock, sizeof(lock), status->out_state, status->out_lock_flags));
	table_cell(table, NEW, "%llu", (unsigned long long)seen->new_faults);
	if (seen->new_faults)
		table_colour(table, NEW, "red");
	table_cell(table, KEPT, "%s", size_text(kept(seen)));
	table_cell(table, PINNED, "%s", size_text(status->out_pinned));
	table_cell(table, MINOR, "%llu", (unsigned long long)status->out_lock_minor_faults);
	table_cell(table, MAJOR, "%llu", (unsigned long long)status->out_lock_major_faults);
	table_cell(table, HOLDERS, "%u", status->out_holders);
	table_cell(table, VMLCK, "%s", size_text(status->out_locked));
}

/* Lines of the table that the screen has room for. */
static size_t room_for(const struct watch *watch)
{
	size_t height = term_height(STDOUT_FILENO);

	return !watch->screen || !height ? TABLE_END :
	       height > OTHER_LINES ? height - OTHER_LINES : 1;
}

static void print_table(struct watch *watch)
{
	size_t i, room = room_for(watch), last;
	struct table *table;

	/* A pipe has all of it, on lines as long as they are. */
	if (!watch->screen || watch->nr_seen <= room)
		watch->first = 0;
	else if (watch->first > watch->nr_seen - room)
		watch->first = watch->nr_seen - room;
	last = room == TABLE_END ? TABLE_END : watch->first + room - 1;
	table = table_new(watch->ctl, IN_TABLE, watch->screen ? term_width(STDOUT_FILENO) : 0);
	for (i = 0; i < watch->nr_seen; i++)
		add_line(table, &watch->seen[i]);
	table_print(table, watch->first, last);
	if (!watch->screen) {
		if (!watch->ctl->options.no_headings)
			putchar('\n');
		return;
	}
	putchar('\n');
	if (watch->nr_seen > room)
		print_clipped(watch, "%zu-%zu of %zu: q quits, f by faults, p by PID, arrows scroll",
			      watch->first + 1, watch->first + room, watch->nr_seen);
	else
		print_clipped(watch, "q quits, f by faults, p by PID");
}

static void add_processes(struct watch *watch)
{
	struct ctl *ctl = watch->ctl;
	struct json_object *object;
	size_t i;

	for (i = 0; i < watch->nr_seen; i++) {
		const struct seen *seen = &watch->seen[i];

		if (seen->err)
			continue;
		object = report_process(ctl, seen->target);
		json_string(object, "state", memlockd_state_name(seen->status.out_state));
		json_number(object, "locked", seen->status.out_locked);
		json_number(object, "kept", kept(seen));
		json_number(object, "pinned", seen->status.out_pinned);
		json_number(object, "minor_faults", seen->status.out_lock_minor_faults);
		json_number(object, "major_faults", seen->status.out_lock_major_faults);
		json_number(object, "new_faults", seen->new_faults);
		json_number(object, "holders", seen->status.out_holders);
	}
}

static void show(struct watch *watch)
{
	struct ctl *ctl = watch->ctl;

	resized = 0;
	if (ctl->doc) {
		add_processes(watch);
	} else {
		if (watch->screen)
			fputs("\033[H\033[J", stdout);
		if (!ctl->options.no_headings)
			print_head(watch);
		if (!watch->nr_seen && !ctl->options.no_headings)
			puts("nothing is locked");
		print_table(watch);
	}
	report_flush(ctl);
}

/* False when there is nothing left to watch. */
static bool refresh(struct watch *watch, bool all)
{
	size_t left;

	if (all) {
		targets_free(&watch->targets);
		memset(&watch->targets, 0, sizeof(watch->targets));
		targets_locked(watch->ctl, &watch->targets);
	}
	left = look_at_all(watch);
	show(watch);
	return all ? !watch->ctl->status : left > 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void scroll(struct watch *watch, long by)
{
	if (by < 0 && watch->first < (size_t)-by)
		watch->first = 0;
	else
		watch->first += by;
}

static void sort(struct watch *watch, bool faults)
{
	watch->by_faults = faults;
	watch->first = 0;
	if (watch->nr_seen)
		qsort(watch->seen, watch->nr_seen, sizeof(*watch->seen),
		      faults ? by_faults : by_pid);
}

/* What was typed; false when that ends it. Other keys than these do nothing. */
static bool obey(struct watch *watch, const char *keys)
{
	static const struct {
		const char *keys;
		long by;	/* lines; of a page, its sign only */
		bool page;
	} moves[] = {
		{ "\033[A", -1, false }, { "\033OA", -1, false }, { "k", -1, false },
		{ "\033[B", 1, false }, { "\033OB", 1, false }, { "j", 1, false },
		{ "\033[5~", -1, true }, { "\033[6~", 1, true }, { " ", 1, true },
		{ "\033[H", -1000000, false }, { "g", -1000000, false },
		{ "\033[F", 1000000, false }, { "G", 1000000, false },
	};
	long page = room_for(watch);
	size_t i, len;

	while (*keys) {
		len = 1;
		for (i = 0; i < ARRAY_SIZE(moves); i++) {
			if (strncmp(keys, moves[i].keys, strlen(moves[i].keys)))
				continue;
			len = strlen(moves[i].keys);
			scroll(watch, moves[i].page ? moves[i].by * page : moves[i].by);
			break;
		}
		switch (*keys) {
		case 'q':
		case 'Q':
			return false;
		case 'f':
		case 'p':
			sort(watch, *keys == 'f');
			break;
		}
		keys += len;
	}
	show(watch);
	return true;
}

/* False when it is to end. */
static bool pause_for(struct watch *watch, unsigned int ms)
{
	struct pollfd pollfd = { .fd = watch->keys ? STDIN_FILENO : -1, .events = POLLIN };
	uint64_t now = now_ms(), until = now + ms;
	struct timespec left;
	char keys[64];
	ssize_t nr;

	for (; !stopped && now < until; now = now_ms()) {
		left.tv_sec = (until - now) / 1000;
		left.tv_nsec = (until - now) % 1000 * 1000000;
		if (ppoll(&pollfd, 1, &left, &watch->mask) > 0) {
			nr = read(STDIN_FILENO, keys, sizeof(keys) - 1);
			if (nr < 1)
				return false;
			keys[nr] = '\0';
			if (!obey(watch, keys))
				return false;
		}
		if (resized && watch->screen)
			show(watch);
	}
	return !stopped;
}

void watch_run(struct ctl *ctl)
{
	const struct options *options = &ctl->options;
	bool all = !options_select(options);
	struct watch watch = { .ctl = ctl, .by_faults = options->by_faults };
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
