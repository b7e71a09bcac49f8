// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl maps: the address space, mapping by mapping or kind by kind
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memlockctl.h"

#define BAR_WIDTH	12

/**
 * struct map - what is known about a mapping
 * @row: what the device says; in a summary, the sum of several
 * @nr: how many it sums up
 * @name: what /proc/PID/maps says; NULL if that is nothing
 */
struct map {
	struct memlockd_mapping row;
	unsigned int nr;
	char *name;
};

static const char *kind_text(unsigned int kind)
{
	static const char *const texts[] = {
		"anonymous", "file, private", "file, shared", "shared memory", "huge pages",
		"secret memory", "special",
	};

	return kind < ARRAY_SIZE(texts) ? texts[kind] : "unknown";
}

/* Fill the names in. The process runs meanwhile: some may be missing. */
static void read_names(pid_t pid, struct map *maps, size_t nr)
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
		while (i < nr && maps[i].row.start < start)
			i++;
		if (i < nr && maps[i].row.start == start && line[name])
			maps[i].name = strdup(line + name);
	}
	fclose(file);
}

static void free_maps(struct map *maps, size_t nr)
{
	while (maps && nr)
		free(maps[--nr].name);
	free(maps);
}

static struct map *read_maps(struct ctl *ctl, const struct target *target, size_t *nr)
{
	struct memlockd_mapping *rows;
	struct map *maps;
	ssize_t ret, i;

	ret = memlockd_read_mappings(ctl->dev, target_process(target), &rows, sizeof(*rows));
	if (ret < 0) {
		report_failure(ctl, target, ret);
		return NULL;
	}
	maps = calloc(ret + 1, sizeof(*maps));
	if (!maps) {
		report_error(ctl, target, -ENOMEM, EXIT_FAILED, "out of memory");
		free(rows);
		return NULL;
	}
	for (i = 0; i < ret; i++) {
		maps[i].row = rows[i];
		maps[i].nr = 1;
	}
	free(rows);
	*nr = ret;
	read_names(target->pid, maps, *nr);
	return maps;
}

static void add_up(struct map *sum, const struct memlockd_mapping *row)
{
	sum->row.end += row->end - row->start;
	sum->row.resident += row->resident;
	sum->row.pinned += row->pinned;
	sum->nr++;
}

static int compare(const void *a, const void *b)
{
	const struct memlockd_mapping *x = &((const struct map *)a)->row;
	const struct memlockd_mapping *y = &((const struct map *)b)->row;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->state != y->state)
		return x->state > y->state ? -1 : 1;
	return x->reason < y->reason ? -1 : x->reason > y->reason;
}

/* Of each kind, state and reason make one; returns how many that are. */
static size_t sum_up(struct map *maps, size_t nr)
{
	size_t i, sums = 0;

	qsort(maps, nr, sizeof(*maps), compare);
	for (i = 0; i < nr; i++) {
		const struct memlockd_mapping row = maps[i].row;

		free(maps[i].name);
		maps[i].name = NULL;
		if (!sums || compare(&maps[sums - 1], &maps[i])) {
			maps[sums].row = row;
			maps[sums].row.start = 0;
			maps[sums].row.end = 0;
			maps[sums].row.resident = 0;
			maps[sums].row.pinned = 0;
			maps[sums].nr = 0;
			maps[sums].name = NULL;
			sums++;
		}
		add_up(&maps[sums - 1], &row);
	}
	return sums;
}

static void print_head(const struct target *target, const struct memlockd_status *status,
		       const struct map *maps, size_t nr, bool fancy)
{
	struct map all = {};
	char bar[BAR_ROOM];
	size_t i;

	for (i = 0; i < nr; i++)
		add_up(&all, &maps[i].row);
	printf("%s (PID %d): %s; %u mappings, %s, of which %s resident, %s pinned\n",
	       target->name, target->pid, text_state(status->out_state), all.nr,
	       size_text(all.row.end), size_text(all.row.resident), size_text(all.row.pinned));
	if (fancy)
		printf("%s  \033[32mpinned\033[0m, \033[33mresident\033[0m, \033[2mneither\033[0m\n",
		       term_bar(bar, 20, all.row.end, all.row.pinned,
				all.row.resident - all.row.pinned));
}

/* Sizes, and the bar: what both tables have. */
static void print_sizes(const struct memlockd_mapping *row, bool fancy)
{
	uint64_t size = row->end - row->start;
	uint64_t weak = row->resident > row->pinned ? row->resident - row->pinned : 0;
	char bar[BAR_ROOM];

	printf("%10s %10s %10s  ", size_text(size), size_text(row->resident),
	       size_text(row->pinned));
	if (fancy)
		printf("%s  ", term_bar(bar, BAR_WIDTH, size, row->pinned, weak));
}

static void print_titles(const char *left, bool fancy, const char *right)
{
	printf("%s %10s %10s %10s  %-*s%-11s  %s\n", left, "SIZE", "RESIDENT", "PINNED",
	       fancy ? BAR_WIDTH + 2 : 0, "", "STATE", right);
}

static void print_maps(const struct map *maps, size_t nr, bool fancy)
{
	size_t i;

	print_titles("ADDRESS       PROT", fancy, "MAPPING                   WHY NOT MORE");
	for (i = 0; i < nr; i++) {
		const struct memlockd_mapping *row = &maps[i].row;
		const char *name = maps[i].name ? maps[i].name : "[anon]";
		const char *base = *name == '/' ? strrchr(name, '/') + 1 : name;
		const char *why = memlockd_reason_text(row->reason);

		printf("%012llx  %c%c%c ", (unsigned long long)row->start,
		       row->prot & PROT_READ ? 'r' : '-', row->prot & PROT_WRITE ? 'w' : '-',
		       row->prot & PROT_EXEC ? 'x' : '-');
		print_sizes(row, fancy);
		if (*why)
			printf("%-11s  %-24s  %s\n", text_state(row->state), base, why);
		else
			printf("%-11s  %s\n", text_state(row->state), base);
	}
}

static void print_sums(const struct map *sums, size_t nr, bool fancy)
{
	size_t i;

	print_titles("KIND           MAPPINGS", fancy, "WHY NOT MORE");
	for (i = 0; i < nr; i++) {
		const struct memlockd_mapping *row = &sums[i].row;
		const char *why = memlockd_reason_text(row->reason);

		printf("%-14s %8u ", kind_text(row->kind), sums[i].nr);
		print_sizes(row, fancy);
		if (*why)
			printf("%-11s  %s\n", text_state(row->state), why);
		else
			printf("%s\n", text_state(row->state));
	}
}

static void add_map(struct json_object *array, const struct map *map, bool summary)
{
	const struct memlockd_mapping *row = &map->row;
	struct json_object *object = json_object_new_object();
	char prot[4] = {
		row->prot & PROT_READ ? 'r' : '-', row->prot & PROT_WRITE ? 'w' : '-',
		row->prot & PROT_EXEC ? 'x' : '-', '\0',
	};

	if (summary) {
		json_number(object, "mappings", map->nr);
	} else {
		json_address(object, "start", row->start);
		json_address(object, "end", row->end);
		json_string(object, "prot", prot);
		json_string(object, "name", map->name);
	}
	json_string(object, "kind", memlockd_kind_name(row->kind));
	json_number(object, "size", row->end - row->start);
	json_number(object, "resident", row->resident);
	json_number(object, "pinned", row->pinned);
	json_string(object, "state", memlockd_state_name(row->state));
	json_string(object, "reason", row->reason ? memlockd_reason_name(row->reason) : NULL);
	json_object_array_add(array, object);
}

static void add_maps(struct json_object *object, const struct memlockd_status *status,
		     const struct map *maps, size_t nr, bool summary)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	json_string(object, "state", memlockd_state_name(status->out_state));
	json_object_object_add(object, summary ? "kinds" : "mappings", array);
	for (i = 0; i < nr; i++)
		add_map(array, &maps[i], summary);
}

void maps_one(struct ctl *ctl, const struct target *target)
{
	bool fancy = term_fancy(STDOUT_FILENO), summary = ctl->options.summary;
	struct memlockd_status status;
	struct json_object *object;
	struct map *maps;
	size_t nr = 0;
	int err;

	err = memlockd_read_status(ctl->dev, target_process(target), &status, sizeof(status));
	if (err) {
		report_failure(ctl, target, err);
		return;
	}
	maps = read_maps(ctl, target, &nr);
	if (!maps)
		return;
	if (report_text(ctl))
		print_head(target, &status, maps, nr, fancy);
	if (summary)
		nr = sum_up(maps, nr);
	if (report_text(ctl))
		(summary ? print_sums : print_maps)(maps, nr, fancy);
	object = report_process(ctl, target);
	if (object)
		add_maps(object, &status, maps, nr, summary);
	free_maps(maps, nr);
}
