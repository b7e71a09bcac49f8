// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line: one table of options, of which each command takes some.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "memlockctl.h"

/**
 * struct option_help - one option
 * @id: what getopt_long() returns
 * @group: which commands take it
 * @name: the long form
 * @argument: what it takes; with [] around it need not be there
 * @help: in a line
 */
struct option_help {
	int id;
	unsigned int group;
	const char *name;
	const char *argument;
	const char *help;
};

static const struct option_help table[] = {
	{ OPT_PID, OF_SELECT, "pid", "PID", "a process, as a PID without -p" },
	{ OPT_NAME, OF_SELECT, "name", "NAME",
	  "all processes whose command or executable is called so" },
	{ OPT_CGROUP, OF_SELECT | OF_RULE, "cgroup", "PATH",
	  "all processes of a control group, and of those below it" },
	{ OPT_EXECUTABLE, OF_RULE, "executable", "FILE", "those that run this program" },
	{ OPT_USER, OF_RULE, "user", "USER", "those of a user, by its name or number" },
	{ OPT_ON, OF_RULE, "on", "EVENTS",
	  "when: 'exec', 'fork', 'now', 'setscheduler', 'io', with commas between them" },
	{ OPT_REALTIME, OF_RULE, "realtime", NULL,
	  "those of a realtime class, from when they are" },
	{ OPT_IO, OF_RULE, "io", NULL, "those with I/O privileges, from when they get them" },
	{ OPT_PRIORITY, OF_RULE, "priority", "N", "the rule with the lowest number wins (0)" },
	{ OPT_KILL, OF_RULE, "kill", NULL, "kill what cannot be locked, before it runs" },
	{ OPT_INIT, OF_RULE, "init", NULL, "the first process of the machine, too" },
	{ OPT_UNLOCKED, OF_RULE, "unlocked", NULL,
	  "lock nothing, and keep later rules from it: an exception" },
	{ OPT_SET_SYSCTL, OF_SUPERLOCK, "set-sysctl", NULL,
	  "set vm.compact_unevictable_allowed to 0, until the next boot" },
	{ OPT_SUPERLOCK, OF_RUN | OF_RULE, "superlock", NULL, "superlock, instead of lock" },
	{ OPT_OWNED, OF_RUN, "owned", NULL, "when memlockctl itself is killed, the lock goes" },
	{ OPT_CURRENT, OF_PLAIN_LOCK | OF_RULE, "current", NULL,
	  "only the mappings that exist now" },
	{ OPT_FUTURE, OF_PLAIN_LOCK | OF_RULE, "future", NULL,
	  "only the mappings that appear later" },
	{ OPT_MOVABLE, OF_PLAIN_LOCK | OF_RULE, "movable", NULL,
	  "do not pin, as mlockall(2): for large servers that fork" },
	{ OPT_HEAL, OF_LOCK | OF_RULE, "heal", NULL,
	  "keep shared writable files writable through writeback" },
	{ OPT_RAISE_LIMIT, OF_LOCK, "raise-limit", "[SIZE]",
	  "raise the RLIMIT_MEMLOCK of the process first; without SIZE, to infinity" },
	{ OPT_BYPASS_LIMIT, OF_LOCK | OF_RULE, "bypass-limit", NULL,
	  "do not apply the RLIMIT_MEMLOCK of the process to this lock" },
	{ OPT_OVER_LIMIT, OF_LOCK | OF_RULE, "over-limit", "WAY",
	  "what it maps later, beyond the limit: 'fail', stay 'unlocked', or 'raise' the limit" },
	{ OPT_NEED_PROBES, OF_LOCK | OF_RULE, "need-probes", NULL,
	  "fail if what the process maps later would not be pinned" },
	{ OPT_STACK, OF_SUPERLOCK | OF_RULE, "stack", "SIZE",
	  "of a superlock: grow the main stack to this size, or 'none' (1M)" },
	{ OPT_COPY_TEXT, OF_SUPERLOCK | OF_RULE, "copy-text", NULL,
	  "of a superlock: copy text and constants, instead of holding the file's pages" },
	{ OPT_FORCE, OF_UNLOCK, "force", NULL, "unlock what others hold, too" },
	{ OPT_SUMMARY, OF_MAPS, "summary", NULL, "one line for all mappings of a kind and state" },
	{ OPT_PROMETHEUS, OF_STATUS, "prometheus", "FILE",
	  "write metrics of Prometheus to this file, or to '-', instead" },
	{ OPT_INTERVAL, OF_WATCH, "interval", "SECONDS", "time between two refreshes (1)" },
	{ OPT_COUNT, OF_WATCH, "count", "N", "stop after so many refreshes" },
	{ OPT_SORT, OF_WATCH, "sort", "COLUMN",
	  "'pid', or 'faults': who has the most new ones comes first" },
	{ OPT_FOR, OF_REPORT, "for", "SECONDS", "watch its page faults for this time (10)" },
	{ OPT_FOLLOW, OF_EVENTS, "follow", NULL, "of one process: go on after its execve(2)" },
	{ OPT_OUTPUT, OF_TABLE, "output", "LIST",
	  "these columns; with '+' in front, beside the usual ones" },
	{ OPT_NO_HEADINGS, OF_TABLE, "noheadings", NULL, "no line of headings" },
	{ OPT_JSON, OF_JSON, "json", NULL, "print JSON" },
	{ OPT_QUIET, OF_QUIET, "quiet", NULL, "print errors only" },
	{ OPT_HELP, OF_ALL, "help", NULL, "this help" },
	{ OPT_VERSION, OF_ALL, "version", NULL, "the version of memlockctl" },
};

static bool takes(const struct command *command, const struct option_help *option)
{
	return option->group & (command->options | OF_ALL);
}

static bool is_letter(int id)
{
	return id <= CHAR_MAX;
}

bool options_select(const struct options *options)
{
	return options->nr_words || options->nr_pids || options->nr_names || options->nr_cgroups;
}

void options_help(const struct command *command)
{
	const struct column *column;
	char left[64];
	size_t i;

	printf("usage: memlockctl %s [OPTION...] %s\n\n%s\n\n", command->name, command->arguments,
	       command->help);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *argument = table[i].argument;
		bool optional = argument && *argument == '[';
		bool letter = is_letter(table[i].id);

		if (!takes(command, &table[i]))
			continue;
		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter ? '-' : ' ',
			 letter ? table[i].id : ' ', letter ? "," : " ",
			 table[i].name, !argument ? "" : optional ? "[=SIZE]" : " ",
			 !argument || optional ? "" : argument);
		printf("  %-28s %s\n", left, table[i].help);
	}
	if (!command->columns)
		return;
	puts("\ncolumns, * are the usual ones:");
	for (column = command->columns; column->name; column++)
		printf("  %c %-10s %s\n", column->in ? '*' : ' ', column->name, column->help);
}

/* A word that is, or as a cluster of letters has, the option for JSON. */
static bool is_json(const char *word)
{
	if (!strncmp(word, "--", 2))
		return !strcmp(word, "--json");
	return *word == '-' && strchr(word, OPT_JSON);
}

bool options_want_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (is_json(argv[i]))
			return true;
	}
	return false;
}

/* What the command line is, for the sentences about what is wrong with it. */
static struct {
	struct ctl *ctl;
	int argc;
	char **argv;
	const char *where;	/* of a file: its name and the number of the line */
} line;

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
	const struct command *command = line.ctl->command;
	char sentence[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	/* It may stand behind what is wrong. */
	if (line.where) {
		report_error(line.ctl, NULL, 0, EXIT_USAGE,
			     "%s: %s; see memlockctl rule add --help, without the --", line.where,
			     sentence);
		report_end(line.ctl);
		exit(EXIT_USAGE);
	}
	line.ctl->options.json = (command->options & OF_JSON) &&
				 options_want_json(line.argc, line.argv);
	report_begin(line.ctl);
	report_error(line.ctl, NULL, 0, EXIT_USAGE, "%s: %s; see memlockctl %s --help",
		     command->name, sentence, command->name);
	report_end(line.ctl);
	exit(EXIT_USAGE);
}

/* "8M", "512KiB", "1G", "4096" */
static bool parse_size(const char *word, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	unsigned int shift = 0;
	const char *unit;
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	value = strtoull(word, &end, 10);
	if (errno)
		return false;
	unit = *end ? strchr(units, *end & ~0x20) : NULL;
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
		if (!strcmp(end, "iB") || !strcmp(end, "B"))
			end += strlen(end);
	}
	*bytes = value << shift;
	return !*end && *bytes >> shift == value;
}

static bool parse_seconds(const char *word, unsigned int *milliseconds)
{
	char *end;
	double seconds = strtod(word, &end);

	if (end == word || *end || !(seconds >= 0.1 && seconds <= 86400))
		return false;
	*milliseconds = seconds * 1000;
	return true;
}

static bool parse_count(const char *word, unsigned int *count)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || errno || !value || value > 1000000000)
		return false;
	*count = value;
	return true;
}

static void append(const char ***list, int *nr, const char *word)
{
	*list = reallocarray(*list, *nr + 1, sizeof(**list));
	if (!*list)
		no_memory();
	(*list)[(*nr)++] = word;
}

/* The column of @command that is called so; up to the end of @name or a comma. */
static size_t find_column(const struct command *command, const char *name, size_t len)
{
	size_t i;

	for (i = 0; command->columns[i].name; i++) {
		if (strlen(command->columns[i].name) == len &&
		    !strncasecmp(command->columns[i].name, name, len))
			return i;
	}
	wrong("--output: there is no column '%.*s'", (int)len, name);
}

static void add_column(struct options *options, size_t column)
{
	size_t i;

	for (i = 0; i < options->nr_columns; i++) {
		if (options->columns[i] == column)
			return;
	}
	options->columns[options->nr_columns++] = column;
}

/* "PID,NAME"; "+USER" is the usual columns, which need --summary to be known, and USER. */
static void take_columns(struct options *options, const struct command *command)
{
	const char *word = options->output;
	unsigned int in = options->summary ? IN_SUMMARY : IN_TABLE;
	size_t i;

	if (*word == '+') {
		for (i = 0; command->columns[i].name; i++) {
			if ((command->columns[i].in & in) &&
			    (!(command->columns[i].in & IN_COLOUR) || term_fancy(STDOUT_FILENO)))
				add_column(options, i);
		}
		word++;
	}
	for (;; word++) {
		size_t len = strcspn(word, ",");

		add_column(options, find_column(command, word, len));
		word += len;
		if (!*word)
			return;
	}
}

static void take_limit(struct options *options)
{
	options->raise_limit = true;
	if (optarg && !strcmp(optarg, "infinity"))
		options->limit = MEMLOCKD_NO_LIMIT;
	else if (optarg && !parse_size(optarg, &options->limit))
		wrong("--raise-limit: '%s' is no size such as 64M, and not 'infinity'", optarg);
}

static void take_over_limit(struct options *options)
{
	if (!strcmp(optarg, "fail"))
		options->over_limit = 0;
	else if (!strcmp(optarg, "unlocked"))
		options->over_limit = MEMLOCKD_OVER_UNLOCKED;
	else if (!strcmp(optarg, "raise"))
		options->over_limit = MEMLOCKD_OVER_RAISE;
	else
		wrong("--over-limit: '%s' is neither 'fail' nor 'unlocked' nor 'raise'", optarg);
}

static void take_stack(struct options *options)
{
	if (!strcmp(optarg, "none") || !strcmp(optarg, "0"))
		options->stack_reserve = MEMLOCKD_STACK_RESERVE_NONE;
	else if (!parse_size(optarg, &options->stack_reserve))
		wrong("--stack: '%s' is no size such as 256K, and not 'none'", optarg);
}

static void take_events(struct options *options)
{
	const char *word = optarg;

	options->events = 0;
	for (;; word++) {
		size_t len = strcspn(word, ",");
		unsigned int bit;

		for (bit = 1; bit <= MEMLOCKD_RULE_IO; bit <<= 1) {
			const char *name = memlockd_rule_event_name(bit);

			if (strlen(name) == len && !strncmp(name, word, len))
				break;
		}
		if (bit > MEMLOCKD_RULE_IO)
			wrong("--on: there is no event '%.*s'", (int)len, word);
		options->events |= bit;
		word += len;
		if (!*word)
			return;
	}
}

static void take_priority(struct options *options)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(optarg, &end, 10);
	if (end == optarg || *end || errno || value < INT_MIN || value > INT_MAX)
		wrong("--priority: '%s' is no number", optarg);
	options->priority = value;
}

static void take_sort(struct options *options)
{
	options->by_faults = !strcmp(optarg, "faults");
	if (!options->by_faults && strcmp(optarg, "pid"))
		wrong("--sort: '%s' is neither 'pid' nor 'faults'", optarg);
}

/* Those that only say yes. */
static bool *flag_of(struct options *options, int id)
{
	switch (id) {
	case OPT_SET_SYSCTL:
		return &options->set_sysctl;
	case OPT_SUPERLOCK:
		return &options->superlock;
	case OPT_OWNED:
		return &options->owned;
	case OPT_CURRENT:
		return &options->current;
	case OPT_FUTURE:
		return &options->future;
	case OPT_MOVABLE:
		return &options->movable;
	case OPT_HEAL:
		return &options->heal;
	case OPT_BYPASS_LIMIT:
		return &options->bypass;
	case OPT_NEED_PROBES:
		return &options->need_probes;
	case OPT_COPY_TEXT:
		return &options->copy_text;
	case OPT_FORCE:
		return &options->force;
	case OPT_SUMMARY:
		return &options->summary;
	case OPT_UNLOCKED:
		return &options->unlocked;
	case OPT_KILL:
		return &options->kill;
	case OPT_REALTIME:
		return &options->realtime;
	case OPT_IO:
		return &options->io;
	case OPT_INIT:
		return &options->init;
	case OPT_NO_HEADINGS:
		return &options->no_headings;
	case OPT_FOLLOW:
		return &options->follow;
	case OPT_JSON:
		return &options->json;
	case OPT_QUIET:
		return &options->quiet;
	default:
		return NULL;
	}
}

static void take(struct options *options, const struct command *command, int id)
{
	bool *flag = flag_of(options, id);

	if (flag) {
		*flag = true;
		return;
	}
	switch (id) {
	case OPT_PID:
		append(&options->pids, &options->nr_pids, optarg);
		break;
	case OPT_NAME:
		append(&options->names, &options->nr_names, optarg);
		break;
	case OPT_CGROUP:
		append(&options->cgroups, &options->nr_cgroups, optarg);
		break;
	case OPT_RAISE_LIMIT:
		take_limit(options);
		break;
	case OPT_OVER_LIMIT:
		take_over_limit(options);
		break;
	case OPT_STACK:
		take_stack(options);
		break;
	case OPT_INTERVAL:
		if (!parse_seconds(optarg, &options->interval))
			wrong("--interval: '%s' is no number of seconds from 0.1 to 86400", optarg);
		break;
	case OPT_FOR:
		if (!parse_seconds(optarg, &options->period))
			wrong("--for: '%s' is no number of seconds from 0.1 to 86400", optarg);
		break;
	case OPT_COUNT:
		if (!parse_count(optarg, &options->count))
			wrong("--count: '%s' is no number from 1", optarg);
		break;
	case OPT_SORT:
		take_sort(options);
		break;
	case OPT_EXECUTABLE:
		options->executable = optarg;
		break;
	case OPT_USER:
		options->user = optarg;
		break;
	case OPT_ON:
		take_events(options);
		break;
	case OPT_PRIORITY:
		take_priority(options);
		break;
	case OPT_PROMETHEUS:
		options->prometheus = optarg;
		break;
	case OPT_OUTPUT:
		options->output = optarg;
		break;
	case OPT_HELP:
		options_help(command);
		exit(EXIT_OK);
	case OPT_VERSION:
		puts("memlockctl " MEMLOCKD_VERSION);
		exit(EXIT_OK);
	}
}

/* What getopt_long() reads, of the options that @command takes. */
static void describe(const struct command *command, struct option *longs, char *shorts)
{
	size_t i;

	/* Those behind the first word of `run` are the program's; and ':' tells what is wrong. */
	*shorts++ = '+';
	if (command->run != run_run)
		shorts--;
	*shorts++ = ':';
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct option_help *option = &table[i];

		if (!takes(command, option))
			continue;
		longs->name = option->name;
		longs->has_arg = !option->argument ? no_argument :
				 *option->argument == '[' ? optional_argument : required_argument;
		longs->flag = NULL;
		longs->val = option->id;
		longs++;
		if (is_letter(option->id)) {
			*shorts++ = option->id;
			if (option->argument)
				*shorts++ = ':';
		}
	}
	memset(longs, 0, sizeof(*longs));
	*shorts = '\0';
}

static void check(struct options *options, const struct command *command)
{
	bool superlock = command->each == superlock_one || options->superlock;

	if (options->current && options->future)
		wrong("--current and --future exclude each other: without either, both are meant");
	if (superlock && (options->current || options->future || options->movable))
		wrong("a superlock is of everything, and pinned: not with --current, --future, --movable");
	if (options->current && options->over_limit)
		wrong("--over-limit is for what is mapped later, and --current for what exists now");
	if (!superlock && options->stack_reserve)
		wrong("--stack is for a superlock");
	if (!superlock && options->copy_text)
		wrong("--copy-text is for a superlock");
	if (!superlock && options->set_sysctl)
		wrong("--set-sysctl is for a superlock");
	if (options->unlocked && (superlock || lock_flags(options) !=
				  (MEMLOCKD_CURRENT | MEMLOCKD_FUTURE)))
		wrong("--unlocked locks nothing: not with options of a lock");
	if ((command->options & OF_RULE) && options->nr_cgroups > 1)
		wrong("a rule has one --cgroup: add a rule for each");
	if (options->json && (options->output || options->no_headings))
		wrong("--output and --noheadings are for a table, not for --json");
	if (options->json && options->prometheus)
		wrong("--json and --prometheus exclude each other");
	if (command->selects && !command->all && !options_select(options))
		wrong("which process? A PID%s is missing",
		      command->options & OF_SELECT ? ", -n NAME or --cgroup PATH" : "");
	if (command->words && !command->no_words && !options->nr_words)
		wrong("which? Its argument is missing");
	if (!command->selects && !command->words && command->run != run_run && options->nr_words)
		wrong("'%s' is too much", options->words[0]);
	if (command->run == events_run && options->nr_words > 1)
		wrong("'%s' is too much: one process, or all", options->words[1]);
	if (command->run == html_run && options->nr_words > 1)
		wrong("'%s' is too much: one process", options->words[1]);
	if (options->follow && !options->nr_words)
		wrong("--follow is for one process");
	if (command->run == run_run && !options->nr_words)
		wrong("which program? A COMMAND is missing");
	if (options->output)
		take_columns(options, command);
}

static void parse(struct options *options, const struct command *command, int argc, char **argv)
{
	struct option longs[ARRAY_SIZE(table) + 1];
	char shorts[2 * ARRAY_SIZE(table) + 3];
	int id;

	options->limit = MEMLOCKD_NO_LIMIT;
	options->interval = 1000;
	options->period = 10000;
	describe(command, longs, shorts);
	/* For glibc: from the beginning, as there may have been another line before. */
	optind = 0;
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (id == ':')
			wrong("%s needs an argument", argv[optind - 1]);
		if (id == '?' && optopt && argv[optind - 1][1] == '-')
			wrong("%s: that takes no argument", argv[optind - 1]);
		if (id == '?' && optopt)
			wrong("-%c is no option of it", optopt);
		if (id == '?')
			wrong("%s is no option of it", argv[optind - 1]);
		take(options, command, id);
	}
	options->words = argv + optind;
	options->nr_words = argc - optind;
	if (!options->events) {
		options->events = MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK | MEMLOCKD_RULE_NOW;
		if (options->realtime)
			options->events |= MEMLOCKD_RULE_SETSCHEDULER;
		if (options->io)
			options->events |= MEMLOCKD_RULE_IO;
	}
	check(options, command);
}

void options_parse(struct ctl *ctl, int argc, char **argv)
{
	line.ctl = ctl;
	line.argc = argc;
	line.argv = argv;
	parse(&ctl->options, ctl->command, argc, argv);
}

void options_parse_line(struct ctl *ctl, const struct command *command, const char *where,
			struct options *options, int argc, char **argv)
{
	line.ctl = ctl;
	line.where = where;
	parse(options, command, argc, argv);
	line.where = NULL;
}

void options_free(struct options *options)
{
	free(options->pids);
	free(options->names);
	free(options->cgroups);
}
