// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl maps: the address space, mapping by mapping or kind by kind
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "memlockctl.h"

#define BAR_WIDTH	12

enum { ADDRESS, PROT, KIND, MAPPINGS, SIZE, RESIDENT, PINNED, BAR, STATE, LESS, MAPPING, WHY, END };

const struct column maps_columns[] = {
	[ADDRESS] = { "ADDRESS", "where it begins", 0, IN_TABLE, 0 },
	[PROT] = { "PROT", "what it may be used for", 0, IN_TABLE, 100 },
	[KIND] = { "KIND", "what it is made of", 0, IN_SUMMARY, 0 },
	[MAPPINGS] = { "MAPPINGS", "how many are summed up", SCOLS_FL_RIGHT, IN_SUMMARY, 0 },
	[SIZE] = { "SIZE", "of its addresses", SCOLS_FL_RIGHT, IN_TABLE | IN_SUMMARY, 0 },
	[RESIDENT] = { "RESIDENT", "in memory", SCOLS_FL_RIGHT, IN_TABLE | IN_SUMMARY, 90 },
	[PINNED] = { "PINNED", "and pinned", SCOLS_FL_RIGHT, IN_TABLE | IN_SUMMARY, 70 },
	[BAR] = { "BAR", "the same as a bar", 0, IN_TABLE | IN_SUMMARY | IN_COLOUR, 120 },
	[STATE] = { "STATE", "what it has", 0, IN_TABLE | IN_SUMMARY, 0 },
	[LESS] = { "LESS", "whether that is less than was promised", 0, IN_TABLE | IN_SUMMARY, 0 },
	[MAPPING] = { "MAPPING", "its name", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[WHY] = { "WHY", "why it has not more", SCOLS_FL_TRUNC, IN_TABLE | IN_SUMMARY, 0 },
	[END] = { "END", "where it ends", 0, 0, 0 },
	[END + 1] = {}
};

const char *maps_kind(unsigned int kind)
{
	static const char *const texts[] = {
		"anonymous", "file, private", "file, shared", "shared memory", "huge pages",
		"secret memory", "special",
	};

	return kind < ARRAY_SIZE(texts) ? texts[kind] : "unknown";
}

/* Fill the names in. The process runs meanwhile: some may be missing. */
static void read_names(pid_t pid, struct maps *maps)
{
	char line[PATH_MAX + 128], path[64];
	unsigned long start;
	size_t i = 0;
	FILE *file;
	int name;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		name = 0;
		if (sscanf(line, "%lx-%*x %*s %*s %*s %*s %n", &start, &name) < 1 || !name)
			continue;
		while (i < maps->nr && maps->list[i].row.start < start)
			i++;
		if (i < maps->nr && maps->list[i].row.start == start && line[name])
			maps->list[i].name = strdup(line + name);
	}
	fclose(file);
}

void maps_free(struct maps *maps)
{
	while (maps->nr)
		free(maps->list[--maps->nr].name);
	free(maps->list);
}

/* Mappings that the device can only call special, by the names that the kernel gives them. */
static bool is_called(const struct map *map, const char *prefix)
{
	return map->name && !strncmp(map->name, prefix, strlen(prefix));
}

/* Why it has not more, and whether that matters: it does if an access may have to wait. */
static void judge(struct map *map, unsigned int state)
{
	struct memlockd_mapping *row = &map->row;

	map->why = memlockd_reason_text(row->reason);
	map->less = true;
	switch (row->reason) {
	case MEMLOCKD_REASON_NOT_COVERED:
		/* Without a lock of the process nothing was promised. */
		map->less = state != MEMLOCKD_STATE_UNLOCKED;
		break;
	case MEMLOCKD_REASON_NONE:
	case MEMLOCKD_REASON_NO_ACCESS:
	case MEMLOCKD_REASON_KERNEL:
		map->less = false;
		break;
	case MEMLOCKD_REASON_DEVICE:
		if (is_called(map, "/[aio]")) {
			map->why = "ring of io_setup(2): present, but may be migrated";
		} else if (is_called(map, "anon_inode:[io_uring]")) {
			map->why = "ring of io_uring: the kernel's, always present";
			map->less = false;
		}
		break;
	}
}

static bool are_hidden(struct ctl *ctl, const struct target *target)
{
	struct memlockd_mappings call = {
		.size = sizeof(call),
		.target_type = MEMLOCKD_TARGET_PIDFD,
		.target = target->pidfd,
		.row_size = sizeof(struct memlockd_mapping),
	};

	return !ioctl(memlockd_fd(ctl->dev), MEMLOCKD_IOC_MAPPINGS, &call) &&
	       (call.out_flags & MEMLOCKD_MAPPINGS_HIDDEN);
}

static int read_maps(struct ctl *ctl, const struct target *target, unsigned int state,
		     struct maps *maps)
{
	struct memlockd_mapping *rows;
	ssize_t nr;
	size_t i;

	*maps = (struct maps){};
	nr = memlockd_read_mappings(ctl->dev, target_process(target), &rows, sizeof(*rows));
	if (nr < 0)
		return nr;
	maps->list = calloc(nr + 1, sizeof(*maps->list));
	if (!maps->list) {
		free(rows);
		return -ENOMEM;
	}
	maps->nr = nr;
	maps->hidden = are_hidden(ctl, target);
	for (i = 0; i < maps->nr; i++) {
		maps->list[i].row = rows[i];
		maps->list[i].nr = 1;
	}
	free(rows);
	if (!maps->hidden)
		read_names(target->pid, maps);
	for (i = 0; i < maps->nr; i++)
		judge(&maps->list[i], state);
	return 0;
}

/* Is it the lock that keeps the pages which a mapping has? */
static bool covered(const struct memlockd_mapping *row)
{
	switch (row->reason) {
	case MEMLOCKD_REASON_NOT_COVERED:
	case MEMLOCKD_REASON_DROPPED:
	case MEMLOCKD_REASON_DEVICE:
	case MEMLOCKD_REASON_KERNEL:
	case MEMLOCKD_REASON_DAX:
	case MEMLOCKD_REASON_DROPPABLE:
		return false;
	default:
		return true;
	}
}

struct sizes maps_sizes_of(const struct maps *maps)
{
	struct sizes sizes = {};
	size_t i;

	for (i = 0; i < maps->nr; i++) {
		const struct memlockd_mapping *row = &maps->list[i].row;

		sizes.incomplete += maps->list[i].less;
		if (!covered(row))
			continue;
		sizes.kept += row->resident;
		sizes.reserved += row->end - row->start - row->resident;
	}
	return sizes;
}

int maps_read(struct ctl *ctl, const struct target *target, struct memlockd_status *status,
	      struct maps *maps)
{
	int err = memlockd_read_status(ctl->dev, target_process(target), status, sizeof(*status));

	return err ? err : read_maps(ctl, target, status->out_state, maps);
}

bool maps_sizes(struct ctl *ctl, const struct target *target, unsigned int state,
		struct sizes *sizes)
{
	struct maps maps;

	if (read_maps(ctl, target, state, &maps))
		return false;
	*sizes = maps_sizes_of(&maps);
	maps_free(&maps);
	return true;
}

static void add_up(struct map *sum, const struct map *map)
{
	sum->row.end += map->row.end - map->row.start;
	sum->row.resident += map->row.resident;
	sum->row.pinned += map->row.pinned;
	sum->nr += map->nr;
}

static int compare(const void *a, const void *b)
{
	const struct map *m = a, *n = b;
	const struct memlockd_mapping *x = &m->row, *y = &n->row;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->state != y->state)
		return x->state > y->state ? -1 : 1;
	if (x->reason != y->reason)
		return x->reason < y->reason ? -1 : 1;
	/* One reason may have several sentences. */
	return strcmp(m->why, n->why);
}

void maps_sum_up(struct maps *maps)
{
	size_t i, sums = 0;

	qsort(maps->list, maps->nr, sizeof(*maps->list), compare);
	for (i = 0; i < maps->nr; i++) {
		const struct map map = maps->list[i];

		free(map.name);
		maps->list[i].name = NULL;
		if (!sums || compare(&maps->list[sums - 1], &map)) {
			maps->list[sums] = map;
			maps->list[sums].name = NULL;
			maps->list[sums].nr = 0;
			maps->list[sums].row.start = 0;
			maps->list[sums].row.end = 0;
			maps->list[sums].row.resident = 0;
			maps->list[sums].row.pinned = 0;
			sums++;
		}
		add_up(&maps->list[sums - 1], &map);
	}
	maps->nr = sums;
}

static void print_head(const struct target *target, const struct memlockd_status *status,
		       const struct maps *maps)
{
	struct sizes sizes = maps_sizes_of(maps);
	struct map all = {};
	char bar[BAR_ROOM];
	size_t i;

	for (i = 0; i < maps->nr; i++)
		add_up(&all, &maps->list[i]);
	printf("%s (PID %d): %s; %s, %s, of which %s resident, %s pinned",
	       target->name, target->pid, text_state(status->out_state),
	       count_text(all.nr, "mapping"), size_text(all.row.end), size_text(all.row.resident),
	       size_text(all.row.pinned));
	if (sizes.incomplete)
		printf("; %u %s less than promised", sizes.incomplete,
		       sizes.incomplete == 1 ? "has" : "have");
	putchar('\n');
	if (!term_fancy(STDOUT_FILENO))
		return;
	term_paint(term_blocks(bar, 20, all.row.end, all.row.pinned,
			       all.row.resident > all.row.pinned ?
			       all.row.resident - all.row.pinned : 0), stdout);
	puts("  \033[32mpinned\033[0m, \033[33mresident\033[0m, \033[2mneither\033[0m");
}

void maps_prot(char *buf, unsigned int prot)
{
	buf[0] = prot & PROT_READ ? 'r' : '-';
	buf[1] = prot & PROT_WRITE ? 'w' : '-';
	buf[2] = prot & PROT_EXEC ? 'x' : '-';
	buf[3] = '\0';
}

const char *maps_address(char *buf, uint64_t address, bool hidden)
{
	if (hidden)
		return "-";
	snprintf(buf, MAPS_ADDRESS, "%012llx", (unsigned long long)address);
	return buf;
}

const char *maps_base_name(const struct map *map, bool hidden)
{
	const char *name = map->name ? map->name : hidden ? "-" : "[anon]";

	return *name == '/' ? strrchr(name, '/') + 1 : name;
}

static void add_line(struct table *table, const struct map *map, bool hidden)
{
	const struct memlockd_mapping *row = &map->row;
	uint64_t size = row->end - row->start;
	uint64_t weak = row->resident > row->pinned ? row->resident - row->pinned : 0;
	/* So that a reader sees which of the reasons are not worth a thought. */
	bool harmless = *map->why && !map->less && row->reason != MEMLOCKD_REASON_NOT_COVERED;
	char bar[BAR_ROOM], text[MAPS_ADDRESS];

	table_line(table);
	table_cell(table, ADDRESS, "%s", maps_address(text, row->start, hidden));
	table_cell(table, END, "%s", maps_address(text, row->end, hidden));
	maps_prot(text, row->prot);
	table_cell(table, PROT, "%s", text);
	table_cell(table, KIND, "%s", maps_kind(row->kind));
	table_cell(table, MAPPINGS, "%u", map->nr);
	table_cell(table, SIZE, "%s", size_text(size));
	table_cell(table, RESIDENT, "%s", size_text(row->resident));
	table_cell(table, PINNED, "%s", size_text(row->pinned));
	table_cell(table, BAR, "%s", term_blocks(bar, BAR_WIDTH, size, row->pinned, weak));
	table_cell(table, STATE, "%s", text_state(row->state));
	table_cell(table, LESS, "%s", map->less ? "yes" : "-");
	table_cell(table, MAPPING, "%s", maps_base_name(map, hidden));
	table_cell(table, WHY, "%s%s", harmless ? "no loss: " : "", *map->why ? map->why : "-");
	if (map->less) {
		table_colour(table, LESS, "red");
		table_colour(table, WHY, "red");
	}
}

static void print_maps(struct ctl *ctl, const struct maps *maps)
{
	unsigned int in = ctl->options.summary ? IN_SUMMARY : IN_TABLE;
	struct table *table = table_new(ctl, in, term_width(STDOUT_FILENO));
	size_t i;

	for (i = 0; i < maps->nr; i++)
		add_line(table, &maps->list[i], maps->hidden || ctl->options.summary);
	table_print(table, 0, TABLE_END);
}

void maps_json_where(struct json_object *object, const struct map *map, bool hidden)
{
	const struct memlockd_mapping *row = &map->row;
	char prot[4];

	if (hidden) {
		json_string(object, "start", NULL);
		json_string(object, "end", NULL);
	} else {
		json_address(object, "start", row->start);
		json_address(object, "end", row->end);
	}
	maps_prot(prot, row->prot);
	json_string(object, "prot", prot);
	json_string(object, "name", map->name);
}

static void add_map(struct json_object *array, const struct map *map, bool hidden, bool summary)
{
	const struct memlockd_mapping *row = &map->row;
	struct json_object *object = json_object_new_object();

	if (summary)
		json_number(object, "mappings", map->nr);
	else
		maps_json_where(object, map, hidden);
	json_string(object, "kind", memlockd_kind_name(row->kind));
	json_number(object, "size", row->end - row->start);
	json_number(object, "resident", row->resident);
	json_number(object, "pinned", row->pinned);
	json_string(object, "state", memlockd_state_name(row->state));
	json_string(object, "reason", row->reason ? memlockd_reason_name(row->reason) : NULL);
	json_string(object, "why", *map->why ? map->why : NULL);
	json_object_object_add(object, "less", json_object_new_boolean(map->less));
	json_object_array_add(array, object);
}

static void add_maps(struct json_object *object, const struct memlockd_status *status,
		     const struct maps *maps, bool summary)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	json_string(object, "state", memlockd_state_name(status->out_state));
	json_object_object_add(object, summary ? "kinds" : "mappings", array);
	for (i = 0; i < maps->nr; i++)
		add_map(array, &maps->list[i], maps->hidden, summary);
}

void maps_one(struct ctl *ctl, const struct target *target)
{
	bool summary = ctl->options.summary;
	struct memlockd_status status;
	struct json_object *object;
	struct maps maps;
	int err;

	err = maps_read(ctl, target, &status, &maps);
	if (err) {
		report_failure(ctl, target, err);
		return;
	}
	if (report_text(ctl) && !ctl->options.no_headings)
		print_head(target, &status, &maps);
	if (summary)
		maps_sum_up(&maps);
	if (report_text(ctl))
		print_maps(ctl, &maps);
	object = report_process(ctl, target);
	if (object)
		add_maps(object, &status, &maps, summary);
	maps_free(&maps);
}
