// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who a process is, for sentences about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* PF_KTHREAD of the kernel, as the flags in /proc/PID/stat show it. */
#define FLAG_KERNEL_THREAD	0x00200000U

/* "Pid:	812" of the descriptor's fdinfo; -1 there when the process is gone. */
static pid_t pid_of_pidfd(int fd)
{
	char path[64], line[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	}
	fclose(file);
	return pid > 0 ? pid : 0;
}

static pid_t pid_of_mem_file(int fd)
{
	char path[64], link[64];
	ssize_t len;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return 0;
	link[len] = '\0';
	return sscanf(link, "/proc/%d/mem", &pid) == 1 ? pid : 0;
}

pid_t process_pid(struct memlockd_process process)
{
	switch (process.type) {
	case MEMLOCKD_TARGET_PID:
		return process.id ? process.id : getpid();
	case MEMLOCKD_TARGET_PIDFD:
		return pid_of_pidfd(process.id);
	case MEMLOCKD_TARGET_PROC_MEM:
		return pid_of_mem_file(process.id);
	default:
		return 0;
	}
}

/* A small file of /proc/PID, without its last newline; false when it cannot be read. */
static int read_proc(pid_t pid, const char *what, char *buf, size_t room)
{
	char path[64];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	file = fopen(path, "re");
	if (!file)
		return 0;
	len = fread(buf, 1, room - 1, file);
	fclose(file);
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len > 0;
}

void process_name(struct memlockd_process process, char *buf, size_t room)
{
	pid_t pid = process_pid(process);
	char comm[64];

	if (!pid)
		snprintf(buf, room, "the process");
	else if (read_proc(pid, "comm", comm, sizeof(comm)))
		snprintf(buf, room, "%s (PID %d)", comm, pid);
	else
		snprintf(buf, room, "process %d", pid);
}

/* What follows the name in /proc/PID/stat: state and so on; the name may hold anything. */
static const char *read_stat(pid_t pid, char *buf, size_t room)
{
	const char *end;

	if (!read_proc(pid, "stat", buf, room))
		return NULL;
	end = strrchr(buf, ')');
	return end && end[1] == ' ' ? end + 2 : NULL;
}

int process_is_kernel_thread(pid_t pid)
{
	char buf[1024];
	const char *stat = read_stat(pid, buf, sizeof(buf));
	unsigned int flags;

	return stat && sscanf(stat, "%*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & FLAG_KERNEL_THREAD);
}

int process_is_zombie(pid_t pid)
{
	char buf[1024];
	const char *stat = read_stat(pid, buf, sizeof(buf));

	return stat && (*stat == 'Z' || *stat == 'X');
}
