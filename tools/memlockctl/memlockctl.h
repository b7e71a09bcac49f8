/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memlockctl: what its files share.
 */
#ifndef MEMLOCKCTL_H
#define MEMLOCKCTL_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* The options: by their letter, or, where nobody types one, by a number that is none. */
enum {
	OPT_COUNT = 't',
	OPT_FOLLOW = 'f',
	OPT_HELP = 'h',
	OPT_INTERVAL = 'i',
	OPT_JSON = 'j',
	OPT_NAME = 'n',
	OPT_OUTPUT = 'o',
	OPT_PID = 'p',
	OPT_QUIET = 'q',
	OPT_VERSION = 'V',
	OPT_BYPASS_LIMIT = CHAR_MAX + 1,
	OPT_CGROUP,
	OPT_CURRENT,
	OPT_EXECUTABLE,
	OPT_FOR,
	OPT_FORCE,
	OPT_FUTURE,
	OPT_HEAL,
	OPT_INIT,
	OPT_IO,
	OPT_KILL,
	OPT_MOVABLE,
	OPT_NEED_PROBES,
	OPT_COPY_TEXT,
	OPT_NO_HEADINGS,
	OPT_ON,
	OPT_OVER_LIMIT,
	OPT_OWNED,
	OPT_PRIORITY,
	OPT_PROMETHEUS,
	OPT_RAISE_LIMIT,
	OPT_REALTIME,
	OPT_SET_SYSCTL,
	OPT_SORT,
	OPT_STACK,
	OPT_SUMMARY,
	OPT_SUPERLOCK,
	OPT_UNLOCKED,
	OPT_USER,
};

/* Which commands take an option: those of its group. */
enum {
	OF_ALL = 1 << 0,
	OF_SELECT = 1 << 1,	/* that take processes */
	OF_JSON = 1 << 2,
	OF_QUIET = 1 << 3,
	OF_LOCK = 1 << 4,	/* that lock, in any way */
	OF_SUPERLOCK = 1 << 5,	/* that may superlock */
	OF_PLAIN_LOCK = 1 << 6,	/* that may do less */
	OF_TABLE = 1 << 7,
	OF_UNLOCK = 1 << 8,
	OF_MAPS = 1 << 9,
	OF_RUN = 1 << 10,
	OF_WATCH = 1 << 11,
	OF_EVENTS = 1 << 12,
	OF_RULE = 1 << 13,
	OF_STATUS = 1 << 14,
	OF_REPORT = 1 << 15,
};

/* More columns than any table has. */
#define MAX_COLUMNS	16

/**
 * struct options - what the command line says
 * @json: print one JSON document instead of text
 * @quiet: print errors only
 * @force: unlock what others hold, too
 * @movable, @heal, @owned, @bypass, @need_probes, @copy_text: flags of the lock
 * @current, @future: only this half of MEMLOCKD_CURRENT and MEMLOCKD_FUTURE
 * @set_sysctl: set vm.compact_unevictable_allowed to 0
 * @summary: add mappings of one kind up
 * @superlock: `run` superlocks
 * @unlocked: a rule keeps others from locking
 * @kill, @init: flags of a rule
 * @realtime, @io: a rule is for those of a realtime class, with I/O privileges
 * @raise_limit: raise the target's RLIMIT_MEMLOCK
 * @no_headings: tables without their first line
 * @follow: `events` goes on after execve(2)
 * @by_faults: `watch` has those with the most new page faults first
 * @over_limit: MEMLOCKD_OVER_RAISE, MEMLOCKD_OVER_UNLOCKED or 0
 * @limit: what to raise the limit to
 * @stack_reserve: of a superlock
 * @interval: milliseconds between the refreshes of `watch`
 * @count: refreshes of `watch`; 0 is no end
 * @period: milliseconds that `report` watches for
 * @names, @nr_names: -n
 * @pids, @nr_pids: -p
 * @cgroups, @nr_cgroups: --cgroup
 * @events: of a rule: &enum memlockd_rule_event
 * @priority: of a rule
 * @executable, @user: of a rule: the program, the user by name or number; NULL: any
 * @prometheus: of `status`: the file to write for Prometheus, "-" for stdout; or NULL
 * @output: -o, as it was typed
 * @columns, @nr_columns: and as indexes of the command's columns; none: the usual ones
 * @words, @nr_words: what is no option
 */
struct options {
	bool json, quiet, force, movable, heal, owned, bypass, need_probes, current, future;
	bool copy_text;
	bool set_sysctl, summary, superlock, raise_limit, no_headings, by_faults, follow;
	bool unlocked, kill, init, realtime, io;
	unsigned int over_limit;
	uint64_t limit;
	uint64_t stack_reserve;
	unsigned int interval;
	unsigned int count;
	unsigned int period;
	const char **names;
	int nr_names;
	const char **pids;
	int nr_pids;
	const char **cgroups;
	int nr_cgroups;
	unsigned int events;
	int priority;
	const char *executable;
	const char *user;
	const char *prometheus;
	const char *output;
	size_t columns[MAX_COLUMNS];
	size_t nr_columns;
	char **words;
	int nr_words;
};

struct command;
struct ctl;

/* Ends the program when the command line is wrong, or asks for help. */
void options_parse(struct ctl *ctl, int argc, char **argv);
/*
 * The same for words of a file, to be the options of another command; @where says of which
 * file, and which line of it.  The words have to last as long as @options.
 */
void options_parse_line(struct ctl *ctl, const struct command *command, const char *where,
			struct options *options, int argc, char **argv);
void options_free(struct options *options);
/* What --help of a command prints. */
void options_help(const struct command *command);
/* Is JSON asked for in words that are not understood (yet)? */
bool options_want_json(int argc, char **argv);
/* A process is named in one way or the other. */
bool options_select(const struct options *options);

/* ---- main.c ---- */

/**
 * struct ctl - a run of the program
 * @dev: the device
 * @options: of the command line
 * @command: what to do; NULL when the command line names none
 * @doc: the JSON document, or NULL when text is printed
 * @processes, @warnings, @errors: arrays in @doc
 * @status: the exit status: that of the first thing that went wrong
 * @signal: what has ended the work; the program ends by it once all is as it should be
 * @metrics: what is written for Prometheus, or NULL
 * @superlocked: there is a superlock, of which compaction_check() has to know
 */
struct ctl {
	struct memlockd *dev;
	struct options options;
	const struct command *command;
	struct json_object *doc, *processes, *warnings, *errors;
	struct metrics *metrics;
	int status;
	int signal;
	bool superlocked;
};

struct target;
struct column;

/**
 * struct command - something that can be asked for
 * @name: how it is called
 * @arguments: for its help
 * @help: in a line
 * @options: the groups of those that it takes, beside OF_ALL
 * @columns: of the table that it prints, up to one without a name; NULL if there is none
 * @selects: it takes processes, or (with @all) may go without
 * @words: it takes words that are no processes
 * @no_words: and may go without
 * @all: without a process named, all that are locked are meant
 * @each: what to do with each process
 * @run: what to do instead, if there is no @each
 */
struct command {
	const char *name;
	const char *arguments;
	const char *help;
	unsigned int options;
	const struct column *columns;
	bool selects, all, words, no_words;
	void (*each)(struct ctl *ctl, const struct target *target);
	void (*run)(struct ctl *ctl);
};

/* NULL if there is none. */
const struct command *command_find(const char *name);

void lock_one(struct ctl *ctl, const struct target *target);
void superlock_one(struct ctl *ctl, const struct target *target);
void unlock_one(struct ctl *ctl, const struct target *target);
void sync_one(struct ctl *ctl, const struct target *target);
void status_one(struct ctl *ctl, const struct target *target);
void maps_one(struct ctl *ctl, const struct target *target);
void audit_one(struct ctl *ctl, const struct target *target);
void list_run(struct ctl *ctl);
void info_run(struct ctl *ctl);
void run_run(struct ctl *ctl);
void watch_run(struct ctl *ctl);
void events_run(struct ctl *ctl);
void html_run(struct ctl *ctl);
void rule_add_run(struct ctl *ctl);
void rule_del_run(struct ctl *ctl);
void rule_list_run(struct ctl *ctl);
void rule_load_run(struct ctl *ctl);

/* ---- table.c: tables, by libsmartcols ---- */

/**
 * struct column - a column of a table
 * @name: its heading, and what -o calls it
 * @help: in a few words
 * @flags: SCOLS_FL_...
 * @in: the tables of its command that have it unless -o says otherwise
 * @from: how wide a terminal has to be to have room for it, then
 */
struct column {
	const char *name;
	const char *help;
	int flags;
	unsigned int in;
	unsigned int from;
};

/* Of @in: the table; that of --summary; that of a terminal which has colours. */
#define IN_TABLE	1
#define IN_SUMMARY	2
#define IN_COLOUR	4

struct table;

/**
 * table_new() - begin a table of a command's columns
 * @ctl: the run
 * @in: IN_TABLE or IN_SUMMARY
 * @width: columns of the terminal; 0 when it is none, and nothing is cut off
 */
struct table *table_new(const struct ctl *ctl, unsigned int in, unsigned int width);
void table_line(struct table *table);
/* A cell of the last line; of a column that is not shown it does nothing. */
void table_cell(struct table *table, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* In a colour such as "red", if there are colours. */
void table_colour(struct table *table, size_t column, const char *colour);
/**
 * table_print() - print the lines @first to @last, and the headings
 *
 * Ends the table.
 */
void table_print(struct table *table, size_t first, size_t last);
#define TABLE_END	SIZE_MAX

/* ---- maps.c ---- */

extern const struct column maps_columns[];

/**
 * struct map - what is known about a mapping
 * @row: what the device says; in a summary, the sum of several
 * @nr: how many it sums up
 * @name: what /proc/PID/maps says; NULL if that is nothing
 * @why: in words why it has not more; "" when it has all
 * @less: it has less than was promised, in a way that matters
 */
struct map {
	struct memlockd_mapping row;
	unsigned int nr;
	char *name;
	const char *why;
	bool less;
};

/**
 * struct maps - an address space
 * @list: its mappings, or their sums
 * @nr: how many
 * @hidden: the caller may not see where they lie
 */
struct maps {
	struct map *list;
	size_t nr;
	bool hidden;
};

const char *maps_kind(unsigned int kind);
/* "rwx" and a 0: room for four. */
void maps_prot(char *buf, unsigned int prot);
/* For a table: in @buf, which has room for MAPS_ADDRESS. */
const char *maps_address(char *buf, uint64_t address, bool hidden);
#define MAPS_ADDRESS	24
/* What it is called, without directories. */
const char *maps_base_name(const struct map *map, bool hidden);
/* Its addresses, its permissions and its name. */
void maps_json_where(struct json_object *object, const struct map *map, bool hidden);
/* What a process is, and what it has; 0, or what the library's calls say. */
int maps_read(struct ctl *ctl, const struct target *target, struct memlockd_status *status,
	      struct maps *maps);
/* Of each kind, state and reason make one. */
void maps_sum_up(struct maps *maps);
void maps_free(struct maps *maps);

/**
 * struct sizes - what a process has of what its lock covers
 * @kept: bytes in memory, to stay
 * @reserved: bytes of address space behind which there is nothing
 * @incomplete: mappings that have less than was promised
 */
struct sizes {
	uint64_t kept, reserved;
	unsigned int incomplete;
};

struct sizes maps_sizes_of(const struct maps *maps);
/* False when that cannot be known. */
bool maps_sizes(struct ctl *ctl, const struct target *target, unsigned int state,
		struct sizes *sizes);

/* ---- audit.c, list.c, rule.c, watch.c ---- */

extern const struct column audit_columns[];
extern const struct column list_columns[];
extern const struct column rule_columns[];
extern const struct column watch_columns[];

/* ---- lock.c ---- */

/* The flags of a lock that the options ask for. */
unsigned int lock_flags(const struct options *options);
/* Lock @target as the options say; false, and reported, when that fails. */
bool lock_target(struct ctl *ctl, const struct target *target, unsigned int state,
		 struct memlockd_lock *lock);

/* ---- target.c: the processes that are meant ---- */

/**
 * struct target - a process
 * @pid: its process ID
 * @pidfd: it cannot come to mean another one
 * @name: its command name
 * @found: by its name or control group: no failure if it ends before its turn
 */
struct target {
	pid_t pid;
	int pidfd;
	char name[64];
	bool found;
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
/* The directory of a control group; false if there is none. */
bool find_cgroup(const char *name, char *path, size_t room);
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
/* The same, of what the library has to say; and of what it has said elsewhere. */
void report_failure(struct ctl *ctl, const struct target *target, int err);
void report_sentence(struct ctl *ctl, const struct target *target, int err, const char *sentence);
void report_warning(struct ctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Says so, and ends the program. */
__attribute__((noreturn)) void no_memory(void);

void json_string(struct json_object *object, const char *key, const char *value);
void json_number(struct json_object *object, const char *key, uint64_t value);
/* As null when there is no limit. */
void json_limit(struct json_object *object, const char *key, uint64_t value);
/* An array of the names of bits. */
void json_bits(struct json_object *object, const char *key, unsigned int bits,
	       const char *(*name)(unsigned int bit));
void json_flags(struct json_object *object, unsigned int flags);
void json_warnings(struct json_object *object, unsigned int warnings);
void json_address(struct json_object *object, const char *key, uint64_t value);
void json_fault(struct json_object *object, unsigned int flags, uint64_t address, uint64_t ip);

/* ---- term.c: what a terminal can do ---- */

/* Colours and bars may be used. */
bool term_fancy(int fd);

/* Columns of the terminal that @fd is; 0 when it is none. And its lines. */
unsigned int term_width(int fd);
unsigned int term_height(int fd);

#define BAR_ROOM	64

/**
 * term_blocks() - a bar of blocks
 * @buf: where to, BAR_ROOM bytes
 * @width: in columns, up to 20
 * @total: what all of it stands for
 * @strong: the part that is pinned
 * @weak: the part behind it that is present
 *
 * It has no colours, so that it can be a cell of a table; term_paint() gives it some.
 *
 * Return: @buf.
 */
char *term_blocks(char *buf, int width, uint64_t total, uint64_t strong, uint64_t weak);
/* Print text with the bars in it green, yellow and dim, where there are colours. */
void term_paint(const char *text, FILE *to);

/* ---- text.c: words for people ---- */

const char *text_state(unsigned int state);
/* The names of bits, with @between between them. */
char *text_bits(char *buf, size_t room, unsigned int bits, const char *between,
		const char *(*name)(unsigned int bit));
/* The flags, with | between them. */
char *text_flags(char *buf, size_t room, unsigned int flags);
/* The same without what goes without saying: both of CURRENT and FUTURE. */
char *text_mode(char *buf, size_t room, unsigned int flags);
/* Of both: LOCKED|movable, say. */
char *text_lock(char *buf, size_t room, unsigned int state, unsigned int flags);
char *text_user(char *buf, size_t room, uid_t uid);
/* Local time of a moment of CLOCK_BOOTTIME. */
char *text_time(char *buf, size_t room, uint64_t boottime_ns);
/* What a fault was for, by its &enum memlockd_fault_flags. */
const char *text_access(unsigned int flags);
char *text_duration(char *buf, size_t room, uint64_t ns);
/* memlockd_format_size() into a buffer of its own, a few of them at a time. */
const char *size_text(uint64_t bytes);
/* "1 page", "7 pages" */
const char *count_text(uint64_t n, const char *noun);

/* ---- progress.c ---- */

/* The signals that end a lock: held back from here on, until they are let go. */
void signals_hold(void);
void signals_let_go(void);
/*
 * Has SIGINT and SIGTERM end nothing from here on: signals_caught() says that one has come.  They
 * are held back, so that one which comes in front of a ppoll(2) ends that all the same; @mask is
 * set to what was held back before.
 */
void signals_catch(sigset_t *mask);
bool signals_caught(void);

#define SENTENCE_ROOM	512

/**
 * lock_interruptibly() - memlockd_lock_process() that SIGINT, SIGTERM, SIGHUP, SIGQUIT end
 * @ctl: the run; its @signal is set then
 * @target: the process
 * @lock: as for memlockd_lock_process()
 * @sentence: set to what memlockd_error() would be
 *
 * Returns when it is known what has become of the lock, and shows a bar on a terminal
 * when that takes long.  Those signals are held back.
 */
int lock_interruptibly(struct ctl *ctl, const struct target *target, struct memlockd_lock *lock,
		       char *sentence);

/* ---- metrics.c: what is written for Prometheus, if anything is ---- */

void metrics_begin(struct ctl *ctl);
/* @sizes: or NULL, if they are not known. */
void metrics_add(struct ctl *ctl, const struct target *target,
		 const struct memlockd_status *status, const struct sizes *sizes);
void metrics_end(struct ctl *ctl);

/* ---- sysctl.c ---- */

/* Set vm.compact_unevictable_allowed if asked to, warn of it otherwise. */
void compaction_check(struct ctl *ctl);

#endif /* MEMLOCKCTL_H */
