// SPDX-License-Identifier: GPL-2.0-only
/*
 * A uprobe in a function of the test program.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

__attribute__((noinline)) long do_probed(long a, long b, long c)
{
	/* Something to stop at, that no compiler removes. */
	asm volatile("" : "+r" (a));
	return a + 1;
}

/* Where in which file @fn is. */
static bool locate(const void *fn, char *path, unsigned long *offset)
{
	unsigned long start, end, off, addr = (unsigned long)fn;
	FILE *file = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	bool found = false;

	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx r-xp %lx %*s %*s %s", &start, &end, &off, path) != 4)
			continue;
		found = start <= addr && addr < end;
		*offset = addr - start + off;
	}
	fclose(file);
	return found;
}

static bool append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

bool probe_add(void)
{
	char path[PATH_MAX], text[PATH_MAX + 64];
	unsigned long offset;

	if (!locate(do_probed, path, &offset))
		return false;
	snprintf(text, sizeof(text), "p:memlockd_test/probed %s:0x%lx", path, offset);
	/*
	 * Else each time that it is enabled or disabled schedule() is patched, to record
	 * names; QEMU before 8.1 may go on executing the breakpoint that is there meanwhile.
	 */
	write_number(TRACING "options/record-cmd", 0);
	return append(TRACING "uprobe_events", text);
}

bool probe_enable(bool on)
{
	return write_number(TRACING "events/memlockd_test/probed/enable", on);
}

bool probe_remove(void)
{
	write_number(TRACING "options/record-cmd", 1);
	return append(TRACING "uprobe_events", "-:memlockd_test/probed");
}
