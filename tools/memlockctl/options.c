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

#include "memlockctl.h"

/**
 * struct option_help - one option
 * @letter: what commands name it by, and getopt_long() returns
 * @is_short: the letter is for users as well
 * @name: the long form
 * @argument: what it takes; with [] around it need not be there
 * @help: in a line
 */
struct option_help {
	char letter;
	bool is_short;
	const char *name;
	const char *argument;
	const char *help;
};

static const struct option_help table[] = {
	{ 'n', true, "name", "NAME", "all processes whose command or executable is called so" },
	{ 'c', false, "cgroup", "PATH", "all processes of a control group, and of those below it" },
	{ 'S', false, "set-sysctl", NULL,
	  "set vm.compact_unevictable_allowed to 0, until the next boot" },
	{ 'P', false, "superlock", NULL, "superlock the program, instead of locking it" },
	{ 'o', false, "owned", NULL, "when memlockctl itself is killed, the lock goes" },
	{ 'C', false, "current", NULL, "only the mappings that exist now" },
	{ 'F', false, "future", NULL, "only the mappings that appear later" },
	{ 'm', false, "movable", NULL, "do not pin, as mlockall(2): for large servers that fork" },
	{ 'H', false, "heal", NULL, "keep shared writable files writable through writeback" },
	{ 'l', false, "raise-limit", "[SIZE]",
	  "raise the RLIMIT_MEMLOCK of the process first; without SIZE, to infinity" },
	{ 'b', false, "bypass-limit", NULL,
	  "do not apply the RLIMIT_MEMLOCK of the process to this lock" },
	{ 's', false, "stack", "SIZE",
	  "of a superlock: grow the main stack to this size, or 'none' (1M)" },
	{ 'f', false, "force", NULL, "unlock what others hold, too" },
	{ 'u', false, "summary", NULL, "one line for all mappings of a kind and state" },
	{ 'i', true, "interval", "SECONDS", "time between two refreshes (1)" },
	{ 't', true, "count", "N", "stop after so many refreshes" },
	{ 'j', true, "json", NULL, "print JSON" },
	{ 'q', true, "quiet", NULL, "print errors only" },
	{ 'h', true, "help", NULL, "this help" },
};

/* Each command has --help. */
static bool takes(const struct command *command, char letter)
{
	return letter == 'h' || strchr(command->options, letter);
}

static void print_help(const struct command *command)
{
	char left[64];
	size_t i;

	printf("usage: memlockctl %s [OPTION...] %s\n\n%s\n\n", command->name, command->arguments,
	       command->help);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *argument = table[i].argument;
		bool optional = argument && *argument == '[';

		if (!takes(command, table[i].letter))
			continue;
		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", table[i].is_short ? '-' : ' ',
			 table[i].is_short ? table[i].letter : ' ', table[i].is_short ? "," : " ",
			 table[i].name, !argument ? "" : optional ? "[=SIZE]" : " ",
			 !argument || optional ? "" : argument);
		printf("  %-28s %s\n", left, table[i].help);
	}
}

static void __attribute__((noreturn, format(printf, 2, 3)))
wrong(const struct command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "memlockctl %s: ", command->name);
	vfprintf(stderr, format, args);
	fprintf(stderr, "; see memlockctl %s --help\n", command->name);
	va_end(args);
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
	if (!*list) {
		fputs("memlockctl: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	(*list)[(*nr)++] = word;
}

static void take(struct options *options, const struct command *command, int letter)
{
	switch (letter) {
	case 'n':
		append(&options->names, &options->nr_names, optarg);
		break;
	case 'c':
		append(&options->cgroups, &options->nr_cgroups, optarg);
		break;
	case 'S':
		options->set_sysctl = true;
		break;
	case 'P':
		options->superlock = true;
		break;
	case 'o':
		options->owned = true;
		break;
	case 'C':
		options->current = true;
		break;
	case 'F':
		options->future = true;
		break;
	case 'm':
		options->movable = true;
		break;
	case 'H':
		options->heal = true;
		break;
	case 'l':
		options->raise_limit = true;
		if (optarg && !strcmp(optarg, "infinity"))
			options->limit = MEMLOCKD_NO_LIMIT;
		else if (optarg && !parse_size(optarg, &options->limit))
			wrong(command,
			      "--raise-limit: '%s' is no size such as 64M, and not 'infinity'",
			      optarg);
		break;
	case 'b':
		options->bypass = true;
		break;
	case 's':
		if (!strcmp(optarg, "none") || !strcmp(optarg, "0"))
			options->stack_reserve = MEMLOCKD_STACK_RESERVE_NONE;
		else if (!parse_size(optarg, &options->stack_reserve))
			wrong(command, "--stack: '%s' is no size such as 256K, and not 'none'",
			      optarg);
		break;
	case 'f':
		options->force = true;
		break;
	case 'u':
		options->summary = true;
		break;
	case 'i':
		if (!parse_seconds(optarg, &options->interval))
			wrong(command, "--interval: '%s' is no number of seconds from 0.1 to 86400",
			      optarg);
		break;
	case 't':
		if (!parse_count(optarg, &options->count))
			wrong(command, "--count: '%s' is no number from 1", optarg);
		break;
	case 'j':
		options->json = true;
		break;
	case 'q':
		options->quiet = true;
		break;
	case 'h':
		print_help(command);
		exit(EXIT_OK);
	}
}

/* What getopt_long() reads, of the options that @command takes. */
static void describe(const struct command *command, struct option *longs, char *shorts)
{
	size_t i;

	/* Those behind the first word of `run` are the program's; and ':' tells what is wrong. */
	*shorts++ = '+';
	if (command->selects || strchr(command->options, 'n'))
		shorts--;
	*shorts++ = ':';
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct option_help *option = &table[i];

		if (!takes(command, option->letter))
			continue;
		longs->name = option->name;
		longs->has_arg = !option->argument ? no_argument :
				 *option->argument == '[' ? optional_argument : required_argument;
		longs->flag = NULL;
		longs->val = option->letter;
		longs++;
		if (option->is_short) {
			*shorts++ = option->letter;
			if (option->argument)
				*shorts++ = ':';
		}
	}
	memset(longs, 0, sizeof(*longs));
	*shorts = '\0';
}

static void check(const struct options *options, const struct command *command)
{
	bool superlock = command->each == superlock_one || options->superlock;

	if (options->current && options->future)
		wrong(command, "--current and --future exclude each other: without either, both are meant");
	if (superlock && (options->current || options->future || options->movable))
		wrong(command, "a superlock is of everything, and pinned: not with --current, --future, --movable");
	if (!superlock && options->stack_reserve)
		wrong(command, "--stack is for a superlock");
	if (!superlock && options->set_sysctl)
		wrong(command, "--set-sysctl is for a superlock");
	if (command->selects && !command->all && !options->nr_words && !options->nr_names &&
	    !options->nr_cgroups)
		wrong(command, "which process? A PID, -n NAME or --cgroup PATH is missing");
	if (!command->selects && !strchr(command->options, 'n') && command->run != run_run &&
	    options->nr_words)
		wrong(command, "'%s' is too much", options->words[0]);
	if (command->run == run_run && !options->nr_words)
		wrong(command, "which program? A COMMAND is missing");
}

void options_parse(struct options *options, const struct command *command, int argc, char **argv)
{
	struct option longs[ARRAY_SIZE(table) + 1];
	char shorts[2 * ARRAY_SIZE(table) + 3];
	int letter;

	options->limit = MEMLOCKD_NO_LIMIT;
	options->interval = 1000;
	describe(command, longs, shorts);
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (letter == ':')
			wrong(command, "%s needs an argument", argv[optind - 1]);
		if (letter == '?' && optopt && argv[optind - 1][1] == '-')
			wrong(command, "%s: that takes no argument", argv[optind - 1]);
		if (letter == '?' && optopt)
			wrong(command, "-%c is no option of it", optopt);
		if (letter == '?')
			wrong(command, "%s is no option of it", argv[optind - 1]);
		take(options, command, letter);
	}
	options->words = argv + optind;
	options->nr_words = argc - optind;
	check(options, command);
}

void options_free(struct options *options)
{
	free(options->names);
	free(options->cgroups);
}
