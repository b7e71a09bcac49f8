// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The calls that give rows: asked again and again until there are no more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Rows to make place for at once. */
#define STEP	256

/* An array that grows, for the rows of a call. */
struct table {
	char *rows;
	size_t row_size;
	size_t nr;
	size_t room;
};

/* Place for STEP more rows, zeroed; NULL when there is no memory. */
static void *more_place(struct table *table)
{
	size_t room = table->room;
	char *rows;

	if (room < table->nr + STEP) {
		room = 2 * room + STEP;
		rows = reallocarray(table->rows, room, table->row_size);
		if (!rows)
			return NULL;
		table->rows = rows;
		table->room = room;
	}
	return memset(table->rows + table->nr * table->row_size, 0, STEP * table->row_size);
}

/* Count what came; an error when the driver goes round in circles. */
static int count(struct table *table, unsigned int rows, uint64_t next)
{
	if (rows > STEP || (!rows && next))
		return -EIO;
	table->nr += rows;
	return 0;
}

ssize_t memlockd_read_mappings(struct memlockd *m, struct memlockd_process process,
			       struct memlockd_mapping **rows, size_t row_size)
{
	struct table table = { .row_size = row_size };
	struct memlockd_mappings call = {
		.target_type = process.type,
		.target = process.id,
		.nr_rows = STEP,
		.row_size = row_size,
	};
	int err;

	*rows = NULL;
	do {
		void *place = more_place(&table);

		call.rows = (uintptr_t)place;
		err = place ? memlockd_ioctl(m, MEMLOCKD_IOC_MAPPINGS, &call, sizeof(call)) :
			      -ENOMEM;
		if (!err)
			err = count(&table, call.out_rows, call.out_next);
		call.start = call.out_next;
	} while (!err && call.out_next);

	if (err) {
		free(table.rows);
		return fail_call(m, err, process, MEMLOCKD_IOC_MAPPINGS, NULL);
	}
	*rows = (void *)table.rows;
	return table.nr;
}

ssize_t memlockd_read_holders(struct memlockd *m, struct memlockd_holder **rows, size_t row_size,
			      unsigned int *warnings)
{
	struct table table = { .row_size = row_size };
	struct memlockd_list call = { .nr_rows = STEP, .row_size = row_size };
	int err;

	*rows = NULL;
	do {
		void *place = more_place(&table);

		call.rows = (uintptr_t)place;
		err = place ? memlockd_ioctl(m, MEMLOCKD_IOC_LIST, &call, sizeof(call)) : -ENOMEM;
		if (!err)
			err = count(&table, call.out_rows, call.out_next);
		call.start = call.out_next;
	} while (!err && call.out_next);

	if (err) {
		free(table.rows);
		return fail_call(m, err, memlockd_self(), MEMLOCKD_IOC_LIST, NULL);
	}
	if (warnings)
		*warnings = call.out_warnings;
	*rows = (void *)table.rows;
	return table.nr;
}

ssize_t memlockd_read_rules(struct memlockd *m, struct memlockd_rule_row **rows, size_t row_size)
{
	struct table table = { .row_size = row_size };
	struct memlockd_rules call = { .nr_rows = STEP, .row_size = row_size };
	int err;

	*rows = NULL;
	do {
		void *place = more_place(&table);

		call.rows = (uintptr_t)place;
		err = place ? memlockd_ioctl(m, MEMLOCKD_IOC_RULES, &call, sizeof(call)) : -ENOMEM;
		if (!err)
			err = count(&table, call.out_rows, call.out_next);
		call.start = call.out_next;
	} while (!err && call.out_next);

	if (err) {
		free(table.rows);
		return fail_call(m, err, memlockd_self(), MEMLOCKD_IOC_RULES, NULL);
	}
	*rows = (void *)table.rows;
	fail_call(m, 0, memlockd_self(), MEMLOCKD_IOC_RULES, NULL);
	return table.nr;
}
