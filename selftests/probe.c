// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes that are made by writing to files: a uprobe in a function of the test program, and
 * a kprobe of somebody else's.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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

/*
 * If names are recorded, schedule() is patched each time that an event is enabled or
 * disabled; QEMU before 8.1 may go on executing the breakpoint that is there meanwhile.
 */
static void record_names(bool on)
{
	write_number(TRACING "options/record-cmd", on);
}

bool probe_add(void)
{
	char path[PATH_MAX], text[PATH_MAX + 64];
	unsigned long offset;

	if (!locate(do_probed, path, &offset))
		return false;
	snprintf(text, sizeof(text), "p:memlockd_test/probed %s:0x%lx", path, offset);
	record_names(false);
	return append(TRACING "uprobe_events", text);
}

bool probe_enable(bool on)
{
	return write_number(TRACING "events/memlockd_test/probed/enable", on);
}

bool probe_remove(void)
{
	record_names(true);
	return append(TRACING "uprobe_events", "-:memlockd_test/probed");
}

bool probe_in_passing(void)
{
	bool done;

	mount("tracefs", TRACING, "tracefs", 0, NULL);
	record_names(false);
	done = append(TRACING "kprobe_events", "p:passing vm_munmap") &&
	       write_number(TRACING "events/kprobes/passing/enable", 1) &&
	       write_number(TRACING "events/kprobes/passing/enable", 0);
	record_names(true);
	return append(TRACING "kprobe_events", "-:passing") && done;
}
