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

/**
 * struct rows_call - a call that gives rows, whatever they are of
 * @cmd: which one
 * @arg: its structure
 * @size: how large that is
 * @row_size: as in it
 * @start: where it is to begin
 * @rows: where the rows are to be written
 * @out_rows: how many there were
 * @out_next: @start for the next call; 0 when there are no more
 */
struct rows_call {
	unsigned long cmd;
	void *arg;
	size_t size;
	size_t row_size;
	__u64 *start;
	__u64 *rows;
	const __u32 *out_rows;
	const __u64 *out_next;
};

/* The fields that all of these structures have. */
#define ROWS_CALL(command, call) {		\
	.cmd = (command),			\
	.arg = &(call),				\
	.size = sizeof(call),			\
	.row_size = (call).row_size,		\
	.start = &(call).start,			\
	.rows = &(call).rows,			\
	.out_rows = &(call).out_rows,		\
	.out_next = &(call).out_next,		\
}

/* All rows of @call, in an array that the caller frees; NULL when that fails. */
static ssize_t read_rows(struct memlockd *m, struct memlockd_process process,
			 const struct rows_call *call, void **rows)
{
	struct table table = { .row_size = call->row_size };
	int err;

	*rows = NULL;
	do {
		void *place = more_place(&table);

		*call->rows = (uintptr_t)place;
		err = place ? memlockd_ioctl(m, call->cmd, call->arg, call->size) : -ENOMEM;
		if (!err)
			err = count(&table, *call->out_rows, *call->out_next);
		*call->start = *call->out_next;
	} while (!err && *call->out_next);

	if (fail_call(m, err, process, call->cmd, NULL)) {
		free(table.rows);
		return err;
	}
	*rows = table.rows;
	return table.nr;
}

ssize_t memlockd_read_mappings(struct memlockd *m, struct memlockd_process process,
			       struct memlockd_mapping **rows, size_t row_size)
{
	struct memlockd_mappings arg = {
		.target_type = process.type,
		.target = process.id,
		.nr_rows = STEP,
		.row_size = row_size,
	};
	struct rows_call call = ROWS_CALL(MEMLOCKD_IOC_MAPPINGS, arg);
	void *all;
	ssize_t nr = read_rows(m, process, &call, &all);

	*rows = all;
	return nr;
}

ssize_t memlockd_read_holders(struct memlockd *m, struct memlockd_holder **rows, size_t row_size,
			      unsigned int *warnings)
{
	struct memlockd_list arg = { .nr_rows = STEP, .row_size = row_size };
	struct rows_call call = ROWS_CALL(MEMLOCKD_IOC_LIST, arg);
	void *all;
	ssize_t nr = read_rows(m, memlockd_self(), &call, &all);

	if (warnings && nr >= 0)
		*warnings = arg.out_warnings;
	*rows = all;
	return nr;
}

ssize_t memlockd_read_rules(struct memlockd *m, struct memlockd_rule_row **rows, size_t row_size)
{
	struct memlockd_rules arg = { .nr_rows = STEP, .row_size = row_size };
	struct rows_call call = ROWS_CALL(MEMLOCKD_IOC_RULES, arg);
	void *all;
	ssize_t nr = read_rows(m, memlockd_self(), &call, &all);

	*rows = all;
	return nr;
}
