// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl list
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "memlockctl.h"

enum { PID, NAME, STATE, FLAGS, SINCE, HOLDER, ID, USER };

const struct column list_columns[] = {
	[PID] = { "PID", "the process that is locked", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[NAME] = { "NAME", "what it is called", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[STATE] = { "STATE", "what was asked for", 0, IN_TABLE, 0 },
	[FLAGS] = { "FLAGS", "how, where that is not the usual way", 0, IN_TABLE, 0 },
	[SINCE] = { "SINCE", "when", 0, IN_TABLE, 0 },
	[HOLDER] = { "HOLDER", "by whom", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[ID] = { "ID", "number of the lock", SCOLS_FL_RIGHT, 0, 0 },
	[USER] = { "USER", "of the holder", 0, 0, 0 },
	[USER + 1] = {}
};

static void add_line(struct table *table, const struct memlockd_holder *row)
{
	char name[64], flags[64], user[64], when[32], asker[64];

	table_line(table);
	table_cell(table, PID, "%d", row->target);
	target_name(row->target, name, sizeof(name));
	table_cell(table, NAME, "%s", name);
	table_cell(table, STATE, "%s", text_state(row->state));
	text_mode(flags, sizeof(flags), row->flags);
	table_cell(table, FLAGS, "%s", *flags ? flags : "-");
	table_cell(table, SINCE, "%s", text_time(when, sizeof(when), row->lock_time_ns));
	table_cell(table, ID, "%llu", (unsigned long long)row->id);
	text_user(user, sizeof(user), row->uid);
	table_cell(table, USER, "%s", user);
	if (row->kind == MEMLOCKD_HOLDER_RULE) {
		table_cell(table, HOLDER, "rule %llu", (unsigned long long)row->rule);
	} else if (row->kind == MEMLOCKD_HOLDER_USER) {
		table_cell(table, HOLDER, "user %s", user);
	} else if (row->pid) {
		target_name(row->pid, asker, sizeof(asker));
		table_cell(table, HOLDER, "%s (PID %d), user %s", asker, row->pid, user);
	} else {
		table_cell(table, HOLDER, "a process that has the file open, user %s", user);
	}
}

static void add_holder(struct json_object *array, const struct memlockd_holder *row)
{
	struct json_object *object = json_object_new_object();
	char name[64];

	target_name(row->target, name, sizeof(name));
	json_number(object, "id", row->id);
	json_number(object, "pid", row->target);
	json_string(object, "name", name);
	json_string(object, "state", memlockd_state_name(row->state));
	json_flags(object, row->flags);
	json_string(object, "holder", row->kind == MEMLOCKD_HOLDER_RULE ? "rule" :
				      row->kind == MEMLOCKD_HOLDER_USER ? "user" : "file");
	if (row->rule)
		json_number(object, "rule", row->rule);
	json_number(object, "holder_pid", row->pid);
	json_number(object, "holder_uid", row->uid);
	json_number(object, "lock_time_ns", row->lock_time_ns);
	json_object_array_add(array, object);
}

static void print_holders(struct ctl *ctl, const struct memlockd_holder *rows, ssize_t nr)
{
	struct table *table;
	ssize_t i;

	if (!nr && !ctl->options.no_headings)
		puts("nothing is locked");
	if (!nr)
		return;
	table = table_new(ctl, IN_TABLE, term_width(STDOUT_FILENO));
	for (i = 0; i < nr; i++)
		add_line(table, &rows[i]);
	table_print(table, 0, TABLE_END);
}

/* What is true of all of them. */
static void report_warnings(struct ctl *ctl, unsigned int warnings)
{
	if (warnings & MEMLOCKD_WARNING_NO_PROBES)
		report_warning(ctl, "the kernel's probes are off (kernel.ftrace_enabled, /sys/kernel/debug/kprobes/enabled): what these processes map now is not pinned until memlockctl sync");
}

void list_run(struct ctl *ctl)
{
	struct memlockd_holder *rows;
	struct json_object *array;
	unsigned int warnings;
	ssize_t nr, i;

	nr = memlockd_read_holders(ctl->dev, &rows, sizeof(*rows), &warnings);
	if (nr < 0) {
		report_failure(ctl, NULL, nr);
		return;
	}
	if (ctl->doc) {
		array = json_object_new_array();
		json_object_object_add(ctl->doc, "locks", array);
		for (i = 0; i < nr; i++)
			add_holder(array, &rows[i]);
	} else {
		print_holders(ctl, rows, nr);
	}
	free(rows);
	report_warnings(ctl, warnings);
}
