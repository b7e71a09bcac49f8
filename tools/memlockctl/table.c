// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables, by libsmartcols as those of util-linux: which columns there are, how wide
 * they get, and what is cut off where a terminal ends.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "memlockctl.h"

/**
 * struct table - a table in the making
 * @scols: the library's
 * @line: the last line
 * @nr: how many there are
 * @at: where a column of the command is in it, plus 1; 0 when it is not shown
 */
struct table {
	struct libscols_table *scols;
	struct libscols_line *line;
	size_t nr;
	size_t at[MAX_COLUMNS];
};

static void add_column(struct table *table, const struct column *columns, size_t i)
{
	if (!scols_table_new_column(table->scols, columns[i].name, 0, columns[i].flags))
		no_memory();
	table->at[i] = ++table->nr;
}

struct table *table_new(const struct ctl *ctl, unsigned int in, unsigned int width)
{
	const struct options *options = &ctl->options;
	const struct command *command = ctl->command;
	struct table *table = calloc(1, sizeof(*table));
	bool colour = term_fancy(STDOUT_FILENO);
	size_t i;

	if (!table)
		no_memory();
	table->scols = scols_new_table();
	if (!table->scols)
		no_memory();
	if (width) {
		scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_ALWAYS);
		scols_table_set_termwidth(table->scols, width);
		scols_table_enable_nowrap(table->scols, 1);
	} else {
		scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER);
	}
	scols_table_enable_colors(table->scols, width && colour);
	scols_table_enable_noheadings(table->scols, options->no_headings);

	for (i = 0; i < options->nr_columns; i++)
		add_column(table, command->columns, options->columns[i]);
	for (i = 0; command->columns[i].name && !options->nr_columns; i++) {
		const struct column *column = &command->columns[i];

		if ((column->in & in) && (colour || !(column->in & IN_COLOUR)) &&
		    (!width || width >= column->from))
			add_column(table, command->columns, i);
	}
	/* The columns count from 0 from here on. */
	table->nr = 0;
	return table;
}

void table_line(struct table *table)
{
	table->line = scols_table_new_line(table->scols, NULL);
	if (!table->line)
		no_memory();
	table->nr++;
}

void table_cell(struct table *table, size_t column, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	if (!table->at[column])
		return;
	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0 || scols_line_refer_data(table->line, table->at[column] - 1, text))
		no_memory();
}

void table_colour(struct table *table, size_t column, const char *colour)
{
	if (table->at[column])
		scols_cell_set_color(scols_line_get_cell(table->line, table->at[column] - 1),
				     colour);
}

void table_print(struct table *table, size_t first, size_t last)
{
	char *text = NULL, *line, *next;
	bool heading = !scols_table_is_noheadings(table->scols);
	size_t i = 0;

	/* A line of the table is a line of text: what would break it is printed as \x0a. */
	if (table->nr && scols_print_table_to_string(table->scols, &text))
		no_memory();
	for (line = text; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (heading || (i >= first && i <= last)) {
			term_paint(line, stdout);
			putchar('\n');
		}
		i += !heading;
		heading = false;
	}
	free(text);
	scols_unref_table(table->scols);
	free(table);
}
