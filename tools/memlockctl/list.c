// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl list
 */
#include <stdio.h>
#include <stdlib.h>

#include "memlockctl.h"

static void print_holder(const struct memlockd_holder *row)
{
	char name[64], flags[64], user[64], when[32], asker[64], held[160];

	target_name(row->target, name, sizeof(name));
	text_user(user, sizeof(user), row->uid);
	if (row->kind == MEMLOCKD_HOLDER_USER) {
		snprintf(held, sizeof(held), "user %s", user);
	} else if (row->pid) {
		target_name(row->pid, asker, sizeof(asker));
		snprintf(held, sizeof(held), "%s (PID %d), user %s", asker, row->pid, user);
	} else {
		snprintf(held, sizeof(held), "a process that has the file open, user %s", user);
	}
	text_mode(flags, sizeof(flags), row->flags);
	printf("%7d  %-16s %-11s  %-14s  %-19s  %s\n", row->target, name, text_state(row->state),
	       *flags ? flags : "-", text_time(when, sizeof(when), row->lock_time_ns), held);
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
	json_string(object, "holder", row->kind == MEMLOCKD_HOLDER_USER ? "user" : "file");
	json_number(object, "holder_pid", row->pid);
	json_number(object, "holder_uid", row->uid);
	json_number(object, "lock_time_ns", row->lock_time_ns);
	json_object_array_add(array, object);
}

void list_run(struct ctl *ctl)
{
	struct json_object *array = NULL;
	struct memlockd_holder *rows;
	ssize_t nr, i;

	nr = memlockd_read_holders(ctl->dev, &rows, sizeof(*rows));
	if (nr < 0) {
		report_failure(ctl, NULL, nr);
		return;
	}
	if (ctl->doc) {
		array = json_object_new_array();
		json_object_object_add(ctl->doc, "locks", array);
	} else if (!nr) {
		puts("nothing is locked");
	} else {
		printf("%7s  %-16s %-11s  %-14s  %-19s  %s\n", "PID", "NAME", "STATE", "FLAGS",
		       "SINCE", "HELD BY");
	}
	for (i = 0; i < nr; i++) {
		if (array)
			add_holder(array, &rows[i]);
		else
			print_holder(&rows[i]);
	}
	free(rows);
}
