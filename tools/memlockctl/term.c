// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a terminal can do: colours, bars, a width.
 */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memlockctl.h"

/* See no-color.org. */
bool term_fancy(int fd)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && term && strcmp(term, "dumb") && !(no_color && *no_color);
}

static struct winsize size_of(int fd)
{
	struct winsize size = {};

	if (ioctl(fd, TIOCGWINSZ, &size))
		return (struct winsize){};
	return size;
}

unsigned int term_width(int fd)
{
	return size_of(fd).ws_col;
}

unsigned int term_height(int fd)
{
	return size_of(fd).ws_row;
}

/* Columns of @width that @part of @total takes; what is not nothing is seen. */
static int columns(int width, uint64_t part, uint64_t total)
{
	int n = total ? (double)part / total * width + 0.5 : 0;

	if (part && !n)
		n = 1;
	if (part < total && n == width)
		n = width - 1;
	return n;
}

/* What a bar is made of: pinned, present, neither; and their colours. */
static const struct {
	const char *block, *plain, *colour;
} parts[] = {
	{ "█", "#", "\033[32m" },
	{ "▓", "+", "\033[33m" },
	{ "░", ".", "\033[2m" },
};

#define END_OF_COLOUR	"\033[0m"

static size_t blocks(char *buf, unsigned int part, int n)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	size_t len = 0;

	while (n-- > 0)
		len += sprintf(buf + len, "%s", utf8 ? parts[part].block : parts[part].plain);
	return len;
}

char *term_blocks(char *buf, int width, uint64_t total, uint64_t strong, uint64_t weak)
{
	int green = columns(width, strong, total);
	int both = columns(width, strong + weak, total);
	size_t len;

	if (both < green)
		both = green;
	len = blocks(buf, 0, green);
	len += blocks(buf + len, 1, both - green);
	len += blocks(buf + len, 2, width - both);
	buf[len] = '\0';
	return buf;
}

/* The part of a bar that @text begins with; -1 when it is none. */
static int part_at(const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!strncmp(text, parts[i].block, strlen(parts[i].block)))
			return i;
	}
	return -1;
}

void term_paint(const char *text, FILE *to)
{
	int part, last = -1;

	if (!term_fancy(fileno(to))) {
		fputs(text, to);
		return;
	}
	for (; *text; text += part < 0 ? 1 : strlen(parts[part].block)) {
		part = part_at(text);
		if (part != last && last >= 0)
			fputs(END_OF_COLOUR, to);
		if (part != last && part >= 0)
			fputs(parts[part].colour, to);
		if (part < 0)
			fputc(*text, to);
		else
			fputs(parts[part].block, to);
		last = part;
	}
	if (last >= 0)
		fputs(END_OF_COLOUR, to);
}
