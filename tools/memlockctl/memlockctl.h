/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memlockctl: what its files share.
 */
#ifndef MEMLOCKCTL_H
#define MEMLOCKCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <json-c/json.h>
#include <libmemlockd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit statuses, as memlockctl(8) has them. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_PROCESS = 3,
	EXIT_NOT_PERMITTED = 4,
	EXIT_NO_DEVICE = 5,
	EXIT_LIMIT = 6,
	/* Of `run`, as env(1), nohup(1) and timeout(1) have them. */
	EXIT_RUN_FAILED = 125,
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};

/* ---- options.c: the command line ---- */

/**
 * struct options - what the command line says
 * @json: print one JSON document instead of text
 * @quiet: print errors only
 * @force: unlock what others hold, too
 * @movable, @heal, @owned, @bypass: flags of the lock
 * @current, @future: only this half of MEMLOCKD_CURRENT and MEMLOCKD_FUTURE
 * @set_sysctl: set vm.compact_unevictable_allowed to 0
 * @summary: add mappings of one kind up
 * @superlock: `run` superlocks
 * @raise_limit: raise the target's RLIMIT_MEMLOCK
 * @limit: what to
 * @stack_reserve: of a superlock
 * @interval: milliseconds between the refreshes of `watch`
 * @count: refreshes of `watch`; 0 is no end
 * @names, @nr_names: -n
 * @cgroups, @nr_cgroups: --cgroup
 * @words, @nr_words: what is no option
 */
struct options {
	bool json, quiet, force, movable, heal, owned, bypass, current, future;
	bool set_sysctl, summary, superlock, raise_limit;
	uint64_t limit;
	uint64_t stack_reserve;
	unsigned int interval;
	unsigned int count;
	const char **names;
	int nr_names;
	const char **cgroups;
	int nr_cgroups;
	char **words;
	int nr_words;
};

struct command;

/* Ends the program when the command line is wrong, or asks for help. */
void options_parse(struct options *options, const struct command *command, int argc, char **argv);
void options_free(struct options *options);

/* ---- main.c ---- */

/**
 * struct ctl - a run of the program
 * @dev: the device
 * @options: of the command line
 * @command: what to do
 * @doc: the JSON document, or NULL when text is printed
 * @processes, @warnings, @errors: arrays in @doc
 * @status: the exit status: that of the first thing that went wrong
 */
struct ctl {
	struct memlockd *dev;
	struct options options;
	const struct command *command;
	struct json_object *doc, *processes, *warnings, *errors;
	int status;
};

struct target;

/**
 * struct command - something that can be asked for
 * @name: how it is called
 * @arguments: for its help
 * @help: in a line
 * @options: letters of the options that it takes, as options.c has them
 * @selects: it takes processes, or (with @all) may go without
 * @all: without a process named, all that are locked are meant
 * @each: what to do with each process
 * @run: what to do instead, if there is no @each
 */
struct command {
	const char *name;
	const char *arguments;
	const char *help;
	const char *options;
	bool selects, all;
	void (*each)(struct ctl *ctl, const struct target *target);
	void (*run)(struct ctl *ctl);
};

void lock_one(struct ctl *ctl, const struct target *target);
void superlock_one(struct ctl *ctl, const struct target *target);
void unlock_one(struct ctl *ctl, const struct target *target);
void sync_one(struct ctl *ctl, const struct target *target);
void status_one(struct ctl *ctl, const struct target *target);
void maps_one(struct ctl *ctl, const struct target *target);
void list_run(struct ctl *ctl);
void info_run(struct ctl *ctl);
void run_run(struct ctl *ctl);
void watch_run(struct ctl *ctl);

/* ---- lock.c ---- */

/* Lock @target as the options say; false, and reported, when that fails. */
bool lock_target(struct ctl *ctl, const struct target *target, unsigned int state,
		 struct memlockd_lock *lock);

/* ---- target.c: the processes that are meant ---- */

/**
 * struct target - a process
 * @pid: its process ID
 * @pidfd: it cannot come to mean another one
 * @name: its command name
 */
struct target {
	pid_t pid;
	int pidfd;
	char name[64];
};

struct targets {
	struct target *list;
	size_t nr;
};

/* What the options name; what cannot be found is reported. */
void targets_select(struct ctl *ctl, struct targets *targets);
/* All that somebody has locked. */
void targets_locked(struct ctl *ctl, struct targets *targets);
void targets_free(struct targets *targets);
bool target_open(struct ctl *ctl, struct target *target, pid_t pid);
/* The command name of a process; "?" when it is gone. */
void target_name(pid_t pid, char *name, size_t room);
void target_close(struct target *target);

static inline struct memlockd_process target_process(const struct target *target)
{
	return memlockd_pidfd(target->pidfd);
}

/* ---- report.c: the JSON document, errors and warnings ---- */

void report_begin(struct ctl *ctl);
void report_end(struct ctl *ctl);
/* Print what the document has, and begin another one. */
void report_flush(struct ctl *ctl);
/* Text is to be printed. */
bool report_text(const struct ctl *ctl);
/* A new object in @processes; NULL when text is printed. */
struct json_object *report_process(struct ctl *ctl, const struct target *target);

/**
 * report_error() - say what went wrong, and remember the exit status
 * @ctl: the run
 * @target: the process that it is about, or NULL
 * @err: negative errno
 * @status: the exit status
 * @format: a sentence
 *
 * Return: the error's JSON object, for more fields; NULL when text is printed.
 */
struct json_object *report_error(struct ctl *ctl, const struct target *target, int err, int status,
				 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same, of what the library has to say. */
void report_failure(struct ctl *ctl, const struct target *target, int err);
void report_warning(struct ctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void json_string(struct json_object *object, const char *key, const char *value);
void json_number(struct json_object *object, const char *key, uint64_t value);
/* As null when there is no limit. */
void json_limit(struct json_object *object, const char *key, uint64_t value);
void json_flags(struct json_object *object, unsigned int flags);
void json_address(struct json_object *object, const char *key, uint64_t value);

/* ---- term.c: what a terminal can do ---- */

/* Colours and bars may be used. */
bool term_fancy(int fd);

#define BAR_ROOM	160

/**
 * term_bar() - a bar of blocks
 * @buf: where to, BAR_ROOM bytes
 * @width: in columns, up to 20
 * @total: what all of it stands for
 * @strong: the part that is pinned, in green
 * @weak: the part behind it that is present, in yellow
 *
 * Return: @buf.
 */
char *term_bar(char *buf, int width, uint64_t total, uint64_t strong, uint64_t weak);

/* ---- text.c: words for people ---- */

const char *text_state(unsigned int state);
/* The flags, with | between them. */
char *text_flags(char *buf, size_t room, unsigned int flags);
/* The same without what goes without saying: both of CURRENT and FUTURE. */
char *text_mode(char *buf, size_t room, unsigned int flags);
char *text_user(char *buf, size_t room, uid_t uid);
/* Local time of a moment of CLOCK_BOOTTIME. */
char *text_time(char *buf, size_t room, uint64_t boottime_ns);
char *text_duration(char *buf, size_t room, uint64_t ns);
/* memlockd_format_size() into a buffer of its own, a few of them at a time. */
const char *size_text(uint64_t bytes);

/* ---- progress.c ---- */

/* memlockd_lock_process(), with a bar on a terminal when it takes long. */
int lock_with_progress(struct ctl *ctl, const struct target *target, struct memlockd_lock *lock);

/* ---- sysctl.c ---- */

/* Set vm.compact_unevictable_allowed if asked to, warn of it otherwise; once. */
void compaction_check(struct ctl *ctl);

#endif /* MEMLOCKCTL_H */
