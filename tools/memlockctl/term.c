// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a terminal can do: colours, bars, a width.
 */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memlockctl.h"

/* See no-color.org. */
bool term_fancy(int fd)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && term && strcmp(term, "dumb") && !(no_color && *no_color);
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

/* @n of @block in @colour; the length of what that is. */
static size_t blocks(char *buf, const char *colour, const char *block, int n)
{
	size_t len = 0;

	if (n <= 0)
		return 0;
	len += sprintf(buf, "%s", colour);
	while (n--)
		len += sprintf(buf + len, "%s", block);
	len += sprintf(buf + len, "\033[0m");
	return len;
}

char *term_bar(char *buf, int width, uint64_t total, uint64_t strong, uint64_t weak)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	int green = columns(width, strong, total);
	int both = columns(width, strong + weak, total);
	size_t len;

	if (both < green)
		both = green;
	len = blocks(buf, "\033[32m", utf8 ? "█" : "#", green);
	len += blocks(buf + len, "\033[33m", utf8 ? "▓" : "+", both - green);
	len += blocks(buf + len, "\033[2m", utf8 ? "░" : ".", width - both);
	buf[len] = '\0';
	return buf;
}
