// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl audit: what would be a page fault if it were accessed now
 */
#include <stdio.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "memlockctl.h"

enum { ADDRESS, PROT, KIND, SIZE, READ, WRITE, STATE, MAPPING, CAUSE, END };

const struct column audit_columns[] = {
	[ADDRESS] = { "ADDRESS", "where the mapping begins", 0, IN_TABLE, 0 },
	[PROT] = { "PROT", "what it may be used for", 0, IN_TABLE, 100 },
	[KIND] = { "KIND", "what it is made of", 0, IN_TABLE, 90 },
	[SIZE] = { "SIZE", "of its addresses", SCOLS_FL_RIGHT, IN_TABLE, 80 },
	[READ] = { "READ", "of these, what a read would fault in", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[WRITE] = { "WRITE", "and a write", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[STATE] = { "STATE", "what it has", 0, IN_TABLE, 100 },
	[MAPPING] = { "MAPPING", "its name", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[CAUSE] = { "CAUSE", "why the first page would fault", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[END] = { "END", "where it ends", 0, 0, 0 },
	[END + 1] = {}
};

/**
 * struct found - what would fault, added up
 * @mappings: how many there are
 * @faulting: and how many of them would fault
 * @read: bytes in which a read would
 * @write: bytes in which a write would
 */
struct found {
	unsigned int mappings, faulting;
	uint64_t read, write;
};

/*
 * Some pages of the kernel's own are nobody's to touch, and the kernel alone knows which.  When
 * it is the clocks that are missing, the cause is another one.
 */
static bool would_fault(const struct map *map)
{
	return map->row.cause != MEMLOCKD_CAUSE_NONE && map->row.cause != MEMLOCKD_CAUSE_KERNEL;
}

static struct found add_up(const struct maps *maps)
{
	struct found found = { .mappings = maps->nr };
	size_t i;

	for (i = 0; i < maps->nr; i++) {
		const struct map *map = &maps->list[i];

		if (!would_fault(map))
			continue;
		found.faulting++;
		found.read += map->row.read_faults;
		found.write += map->row.write_faults;
	}
	return found;
}

static void print_head(const struct target *target, const struct memlockd_status *status,
		       const struct found *found)
{
	printf("%s (PID %d): %s; ", target->name, target->pid, text_state(status->out_state));
	if (!found->faulting) {
		printf("nothing in its %s would fault\n", count_text(found->mappings, "mapping"));
		return;
	}
	printf("%u of its %s would fault: %s when read, %s when written to\n", found->faulting,
	       count_text(found->mappings, "mapping"), size_text(found->read),
	       size_text(found->write));
}

static void add_line(struct table *table, const struct map *map, bool hidden)
{
	const struct memlockd_mapping *row = &map->row;
	char text[MAPS_ADDRESS];

	table_line(table);
	table_cell(table, ADDRESS, "%s", maps_address(text, row->start, hidden));
	table_cell(table, END, "%s", maps_address(text, row->end, hidden));
	maps_prot(text, row->prot);
	table_cell(table, PROT, "%s", text);
	table_cell(table, KIND, "%s", maps_kind(row->kind));
	table_cell(table, SIZE, "%s", size_text(row->end - row->start));
	table_cell(table, READ, "%s", row->read_faults ? size_text(row->read_faults) : "-");
	table_cell(table, WRITE, "%s", row->write_faults ? size_text(row->write_faults) : "-");
	table_cell(table, STATE, "%s", text_state(row->state));
	table_cell(table, MAPPING, "%s", maps_base_name(map, hidden));
	table_cell(table, CAUSE, "%s", memlockd_cause_text(row->cause));
}

static void print_found(struct ctl *ctl, const struct maps *maps)
{
	struct table *table = table_new(ctl, IN_TABLE, term_width(STDOUT_FILENO));
	size_t i;

	for (i = 0; i < maps->nr; i++) {
		if (would_fault(&maps->list[i]))
			add_line(table, &maps->list[i], maps->hidden);
	}
	table_print(table, 0, TABLE_END);
}

static void add_found(struct json_object *object, const struct memlockd_status *status,
		      const struct maps *maps, const struct found *found)
{
	struct json_object *array = json_object_new_array(), *mapping;
	size_t i;

	json_string(object, "state", memlockd_state_name(status->out_state));
	json_number(object, "read_faults", found->read);
	json_number(object, "write_faults", found->write);
	json_object_object_add(object, "mappings", array);
	for (i = 0; i < maps->nr; i++) {
		const struct map *map = &maps->list[i];
		const struct memlockd_mapping *row = &map->row;

		if (!would_fault(map))
			continue;
		mapping = json_object_new_object();
		maps_json_where(mapping, map, maps->hidden);
		json_string(mapping, "kind", memlockd_kind_name(row->kind));
		json_number(mapping, "size", row->end - row->start);
		json_number(mapping, "read_faults", row->read_faults);
		json_number(mapping, "write_faults", row->write_faults);
		json_string(mapping, "state", memlockd_state_name(row->state));
		json_string(mapping, "cause", memlockd_cause_name(row->cause));
		json_string(mapping, "why", memlockd_cause_text(row->cause));
		json_object_array_add(array, mapping);
	}
}

void audit_one(struct ctl *ctl, const struct target *target)
{
	struct memlockd_status status;
	struct json_object *object;
	struct found found;
	struct maps maps;
	int err;

	err = maps_read(ctl, target, &status, &maps);
	if (err) {
		report_failure(ctl, target, err);
		return;
	}
	found = add_up(&maps);
	if (report_text(ctl) && !ctl->options.no_headings)
		print_head(target, &status, &found);
	if (report_text(ctl) && found.faulting)
		print_found(ctl, &maps);
	object = report_process(ctl, target);
	if (object)
		add_found(object, &status, &maps, &found);
	if (found.faulting && !ctl->status)
		ctl->status = EXIT_FAILED;
	maps_free(&maps);
}
