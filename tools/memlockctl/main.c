// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl - lock, superlock and look at the memory of processes
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memlockctl.h"

#define PROCESSES	"PID... | -n NAME | --cgroup PATH"
#define LOCK_OPTIONS	"jqncHlb"

static const struct command commands[] = {
	{ "superlock", PROCESSES, "no page fault of any kind, now and in the future",
	  LOCK_OPTIONS "sS", .selects = true, .each = superlock_one },
	{ "lock", PROCESSES, "every page present, never paged out",
	  LOCK_OPTIONS "CFm", .selects = true, .each = lock_one },
	{ "unlock", PROCESSES, "undo that",
	  "jqncf", .selects = true, .each = unlock_one },
	{ "sync", PROCESSES, "lock what has appeared unnoticed since",
	  "jqnc", .selects = true, .each = sync_one },
	{ "status", "[PID... | -n NAME | --cgroup PATH]", "what a process has, and its page faults since",
	  "jqnc", .selects = true, .all = true, .each = status_one },
	{ "maps", PROCESSES, "the address space: what is pinned, what is not, and why",
	  "jncu", .selects = true, .each = maps_one },
	{ "list", "", "all locks that are held, and by whom", "j", .run = list_run },
	{ "info", "", "the driver, and how much it has locked", "j", .run = info_run },
	{ "run", "[--superlock] -- COMMAND [ARGUMENT...]", "run a program, locked from its first instruction",
	  "qCFmHlbsSPo", .run = run_run },
	{ "watch", "[PID... | -n NAME | --cgroup PATH]", "a table that refreshes itself; q quits",
	  "jncit", .run = watch_run },
};

static const struct command *command_find(const char *name)
{
	size_t i;

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
	fputs("\nmemlockctl COMMAND --help has the options of a command, memlockctl(8) has everything.\n",
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
	targets_select(ctl, &targets);
	for (i = 0; i < targets.nr; i++) {
		if (i && report_text(ctl) && command->all)
			putchar('\n');
		command->each(ctl, &targets.list[i]);
	}
	targets_free(&targets);
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
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_commands(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("memlockctl " MEMLOCKD_VERSION);
		return EXIT_OK;
	}
	ctl.command = command_find(argv[1]);
	if (!ctl.command) {
		fprintf(stderr, "memlockctl: there is no command '%s'; memlockctl --help lists them\n",
			argv[1]);
		return EXIT_USAGE;
	}

	options_parse(&ctl.options, ctl.command, argc - 1, argv + 1);
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
	return ctl.status;
}
