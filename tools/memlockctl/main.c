// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl - lock, superlock and look at the memory of processes
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memlockctl.h"

#define PROCESSES	"PID... | -n NAME | --cgroup PATH"

static const struct command commands[] = {
	{ "superlock", PROCESSES, "no page fault of any kind, now and in the future",
	  OF_SELECT | OF_JSON | OF_QUIET | OF_LOCK | OF_SUPERLOCK, .selects = true,
	  .each = superlock_one },
	{ "lock", PROCESSES, "every page present, never paged out",
	  OF_SELECT | OF_JSON | OF_QUIET | OF_LOCK | OF_PLAIN_LOCK, .selects = true,
	  .each = lock_one },
	{ "unlock", PROCESSES, "undo that",
	  OF_SELECT | OF_JSON | OF_QUIET | OF_UNLOCK, .selects = true, .each = unlock_one },
	{ "sync", PROCESSES, "lock what has appeared unnoticed since",
	  OF_SELECT | OF_JSON | OF_QUIET, .selects = true, .each = sync_one },
	{ "status", "[" PROCESSES "]", "what a process has, and its page faults since",
	  OF_SELECT | OF_JSON | OF_QUIET | OF_STATUS, .selects = true, .all = true,
	  .each = status_one },
	{ "maps", PROCESSES, "the address space: what is pinned, what is not, and why",
	  OF_SELECT | OF_JSON | OF_TABLE | OF_MAPS, .columns = maps_columns, .selects = true,
	  .each = maps_one },
	{ "audit", PROCESSES, "what would fault if it were accessed now; the exit status says if anything",
	  OF_SELECT | OF_JSON | OF_QUIET | OF_TABLE, .columns = audit_columns, .selects = true,
	  .each = audit_one },
	{ "list", "", "all locks that are held, and by whom",
	  OF_JSON | OF_TABLE, .columns = list_columns, .run = list_run },
	{ "info", "", "the driver, and how much it has locked",
	  OF_JSON, .run = info_run },
	{ "run", "[--superlock] -- COMMAND [ARGUMENT...]", "run a program, locked from its first instruction",
	  OF_QUIET | OF_LOCK | OF_SUPERLOCK | OF_PLAIN_LOCK | OF_RUN, .run = run_run },
	{ "rule add", "", "lock processes as they begin, without being asked for one by one",
	  OF_JSON | OF_QUIET | OF_RULE, .run = rule_add_run },
	{ "rule del", "ID... | all", "take rules away, and the locks that they gave",
	  OF_JSON | OF_QUIET, .words = true, .run = rule_del_run },
	{ "rule list", "", "all rules, and how often each was for a process",
	  OF_JSON | OF_TABLE, .columns = rule_columns, .run = rule_list_run },
	{ "rule load", "[FILE | DIRECTORY]...", "add the rules of files, of /etc/memlockd/rules.d by default",
	  OF_JSON | OF_QUIET, .words = true, .no_words = true, .run = rule_load_run },
	{ "watch", "[" PROCESSES "]", "a table that refreshes itself; q quits",
	  OF_SELECT | OF_JSON | OF_TABLE | OF_WATCH, .columns = watch_columns,
	  .selects = true, .all = true, .run = watch_run },
	{ "events", "[PID]", "page faults, locks and their ends, as they happen",
	  OF_JSON | OF_EVENTS, .selects = true, .all = true, .run = events_run },
	{ "report", "PID", "an HTML page: what it has, its page faults, what to do about them",
	  OF_REPORT, .selects = true, .run = html_run },
};

const struct command *command_find(const char *name)
{
	size_t i;

	if (!name)
		return NULL;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static void print_commands(FILE *to)
{
	size_t i;

	fputs("usage: memlockctl COMMAND [OPTION...] [PROCESS...]\n\n", to);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\nmemlockctl help COMMAND has the options of a command, memlockctl(8) has everything.\n",
	      to);
}

static void open_device(struct ctl *ctl)
{
	int err = memlockd_open(&ctl->dev);

	if (!err)
		return;
	switch (-err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		report_error(ctl, NULL, err, EXIT_NO_DEVICE, "%s", memlockd_error(ctl->dev));
		break;
	default:
		report_failure(ctl, NULL, err);
	}
	if (ctl->command->run == run_run)
		ctl->status = EXIT_RUN_FAILED;
}

static void run_command(struct ctl *ctl)
{
	const struct command *command = ctl->command;
	struct targets targets;
	size_t i;

	if (!command->each) {
		command->run(ctl);
		return;
	}
	metrics_begin(ctl);
	targets_select(ctl, &targets);
	for (i = 0; i < targets.nr && !ctl->signal; i++) {
		if (i && report_text(ctl) && command->all)
			putchar('\n');
		command->each(ctl, &targets.list[i]);
	}
	targets_free(&targets);
	metrics_end(ctl);
	if (ctl->superlocked)
		compaction_check(ctl);
}

/* The words of a command with two of them become one: "rule", "add" is "rule add". */
static void join_words(int *argc, char **argv)
{
	static char joined[32];
	int i;

	if (*argc < 3 || strcmp(argv[1], "rule") || *argv[2] == '-')
		return;
	snprintf(joined, sizeof(joined), "rule %s", argv[2]);
	argv[1] = joined;
	for (i = 2; i < *argc; i++)
		argv[i] = argv[i + 1];
	--*argc;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

/* Without a command, or of one. */
static int print_help(int argc, char **argv)
{
	const struct command *command;

	argc--;
	join_words(&argc, argv + 1);
	argc++;
	command = command_find(argc > 2 ? argv[2] : NULL);
	if (argc > 2 && !command) {
		fprintf(stderr, "memlockctl: there is no command '%s'; memlockctl --help lists them\n",
			argv[2]);
		return EXIT_USAGE;
	}
	if (command)
		options_help(command);
	else
		print_commands(stdout);
	return EXIT_OK;
}

static int no_command(struct ctl *ctl, int argc, char **argv)
{
	ctl->options.json = options_want_json(argc, argv);
	report_begin(ctl);
	report_error(ctl, NULL, 0, EXIT_USAGE,
		     "there is no command '%s'; memlockctl --help lists them", argv[1]);
	report_end(ctl);
	return EXIT_USAGE;
}

/* So that a shell sees what has ended it. */
static void end_by(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .status = EXIT_OK };

	setlocale(LC_TIME, "");
	setlocale(LC_CTYPE, "");
	if (argc < 2) {
		print_commands(stderr);
		return EXIT_USAGE;
	}
	if (is_one_of(argv[1], "--help", "-h", "help"))
		return print_help(argc, argv);
	if (is_one_of(argv[1], "--version", "-V", "-v")) {
		puts("memlockctl " MEMLOCKD_VERSION);
		return EXIT_OK;
	}
	join_words(&argc, argv);
	ctl.command = command_find(argv[1]);
	if (!ctl.command)
		return no_command(&ctl, argc, argv);

	options_parse(&ctl, argc - 1, argv + 1);
	report_begin(&ctl);
	open_device(&ctl);
	if (!ctl.status)
		run_command(&ctl);
	report_end(&ctl);
	memlockd_close(ctl.dev);
	options_free(&ctl.options);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "memlockctl: cannot write the output: %s\n", strerror(errno));
		return ctl.status ? ctl.status : EXIT_FAILED;
	}
	if (ctl.signal)
		end_by(ctl.signal);
	return ctl.status;
}
