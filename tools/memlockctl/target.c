// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes that are meant: by PID, by name, by control group, or all that are
 * locked.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memlockctl.h"

/* Where control groups are mounted: alone, beside the older kind, or as systemd's. */
static const char *const cgroup_roots[] = {
	"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd",
};

void target_name(pid_t pid, char *name, size_t room)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, room, file))
		snprintf(name, room, "?");
	if (file)
		fclose(file);
	name[strcspn(name, "\n")] = '\0';
}

/* The process that a thread belongs to; 0 when there is no such thread. */
static pid_t process_of_thread(pid_t tid)
{
	char path[64], line[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	}
	fclose(file);
	return pid;
}

/* Its flags in /proc/PID/stat have PF_KTHREAD; the name may hold anything. */
static bool is_kernel_thread(pid_t pid)
{
	char path[64], line[1024];
	unsigned int flags = 0;
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return end && sscanf(end, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & 0x00200000);
}

bool target_open(struct ctl *ctl, struct target *target, pid_t pid)
{
	pid_t process;
	int err;

	target->pid = pid;
	target->found = false;
	target->pidfd = syscall(SYS_pidfd_open, pid, 0);
	err = -errno;
	target_name(pid, target->name, sizeof(target->name));
	if (target->pidfd >= 0)
		return true;

	process = process_of_thread(pid);
	if (process && process != pid) {
		target_name(process, target->name, sizeof(target->name));
		report_error(ctl, NULL, -ESRCH, EXIT_NO_PROCESS,
			     "%d is a thread of %s (PID %d): name that", pid, target->name,
			     process);
	} else if (err == -ESRCH) {
		report_error(ctl, NULL, err, EXIT_NO_PROCESS, "there is no process %d", pid);
	} else {
		report_error(ctl, NULL, err, EXIT_FAILED, "process %d: %s", pid, strerror(-err));
	}
	return false;
}

void target_close(struct target *target)
{
	close(target->pidfd);
}

void targets_free(struct targets *targets)
{
	while (targets->nr)
		target_close(&targets->list[--targets->nr]);
	free(targets->list);
}

/* A process that is named in two ways counts once. */
static void add(struct ctl *ctl, struct targets *targets, const struct target *target)
{
	struct target *list;
	size_t i;

	for (i = 0; i < targets->nr; i++) {
		if (targets->list[i].pid == target->pid) {
			close(target->pidfd);
			return;
		}
	}
	list = reallocarray(targets->list, targets->nr + 1, sizeof(*list));
	if (!list) {
		close(target->pidfd);
		report_error(ctl, NULL, -ENOMEM, EXIT_FAILED, "out of memory");
		return;
	}
	list[targets->nr++] = *target;
	targets->list = list;
}

static void add_word(struct ctl *ctl, struct targets *targets, const char *word)
{
	struct target target;
	char *end;
	long pid;

	errno = 0;
	pid = strtol(word, &end, 10);
	if (!isdigit((unsigned char)*word) || *end) {
		report_error(ctl, NULL, -EINVAL, EXIT_USAGE,
			     "'%s' is no process ID; a name is given with -n %s", word, word);
	} else if (errno || pid < 1 || pid > INT_MAX) {
		report_error(ctl, NULL, -ESRCH, EXIT_NO_PROCESS, "there is no process %s", word);
	} else if (target_open(ctl, &target, pid)) {
		add(ctl, targets, &target);
	}
}

/* Called @name: by itself (15 characters at most), or by its executable. */
static bool is_called(const struct target *target, const char *name)
{
	char path[64], exe[PATH_MAX];
	const char *base;
	ssize_t len;

	if (!strncmp(target->name, name, 15) && strlen(target->name) == strnlen(name, 15))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/exe", target->pid);
	len = readlink(path, exe, sizeof(exe) - 1);
	if (len < 0)
		return false;
	exe[len] = '\0';
	base = strrchr(exe, '/');
	return base && !strcmp(base + 1, name);
}

static void add_name(struct ctl *ctl, struct targets *targets, const char *name)
{
	const struct dirent *entry;
	struct target target;
	bool found = false;
	DIR *proc;

	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		target.pid = atoi(entry->d_name);
		if (target.pid < 1 || target.pid == getpid())
			continue;
		/* Held first, read then: what is read is of the process that is held. */
		target.pidfd = syscall(SYS_pidfd_open, target.pid, 0);
		if (target.pidfd < 0)
			continue;
		target_name(target.pid, target.name, sizeof(target.name));
		if (is_called(&target, name)) {
			target.found = true;
			add(ctl, targets, &target);
			found = true;
		} else {
			close(target.pidfd);
		}
	}
	if (proc)
		closedir(proc);
	if (!found)
		report_error(ctl, NULL, -ESRCH, EXIT_NO_PROCESS, "no process is called '%s'", name);
}

/* What nftw() cannot hand to its function. */
static struct {
	struct ctl *ctl;
	struct targets *targets;
} walk;

static int add_cgroup_dir(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	struct target target;
	char procs[PATH_MAX];
	FILE *file;
	int pid;

	(void)stat;
	(void)ftw;
	if (type != FTW_D ||
	    (size_t)snprintf(procs, sizeof(procs), "%s/cgroup.procs", path) >= sizeof(procs))
		return 0;
	file = fopen(procs, "re");
	if (!file)
		return 0;
	while (fscanf(file, "%d", &pid) == 1) {
		/*
		 * 0 is a process outside of this PID namespace; ourselves cannot be meant,
		 * nor the kernel's threads, which have no memory.
		 */
		if (pid > 0 && pid != getpid() && !is_kernel_thread(pid) &&
		    target_open(walk.ctl, &target, pid)) {
			target.found = true;
			add(walk.ctl, walk.targets, &target);
		}
	}
	fclose(file);
	return 0;
}

/* The folder that @name means: itself, or below where control groups are mounted. */
bool find_cgroup(const char *name, char *path, size_t room)
{
	char procs[PATH_MAX];
	size_t i;

	if (!strncmp(name, "/sys/fs/cgroup/", 15)) {
		snprintf(path, room, "%s", name);
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", name);
		return !access(procs, F_OK);
	}
	for (i = 0; i < ARRAY_SIZE(cgroup_roots); i++) {
		snprintf(path, room, "%s/%s", cgroup_roots[i], name);
		snprintf(procs, sizeof(procs), "%s/%s/cgroup.procs", cgroup_roots[i], name);
		if (!access(procs, F_OK))
			return true;
	}
	return false;
}

static void add_cgroup(struct ctl *ctl, struct targets *targets, const char *name)
{
	size_t before = targets->nr;
	char path[PATH_MAX];

	if (!find_cgroup(name, path, sizeof(path))) {
		report_error(ctl, NULL, -ENOENT, EXIT_NO_PROCESS,
			     "there is no control group '%s' below /sys/fs/cgroup", name);
		return;
	}
	walk.ctl = ctl;
	walk.targets = targets;
	nftw(path, add_cgroup_dir, 16, FTW_PHYS | FTW_MOUNT);
	if (targets->nr == before)
		report_error(ctl, NULL, -ESRCH, EXIT_NO_PROCESS,
			     "the control group '%s' has no process", name);
}

void targets_locked(struct ctl *ctl, struct targets *targets)
{
	struct memlockd_holder *rows;
	struct target target;
	ssize_t nr, i;

	nr = memlockd_read_holders(ctl->dev, &rows, sizeof(*rows), NULL);
	if (nr < 0) {
		report_failure(ctl, NULL, nr);
		return;
	}
	for (i = 0; i < nr; i++) {
		target.pid = rows[i].target;
		target.found = true;
		/* It may have ended just now. */
		target.pidfd = syscall(SYS_pidfd_open, target.pid, 0);
		if (target.pidfd < 0)
			continue;
		target_name(target.pid, target.name, sizeof(target.name));
		add(ctl, targets, &target);
	}
	free(rows);
}

void targets_select(struct ctl *ctl, struct targets *targets)
{
	const struct options *options = &ctl->options;
	int i;

	memset(targets, 0, sizeof(*targets));
	for (i = 0; i < options->nr_words; i++)
		add_word(ctl, targets, options->words[i]);
	for (i = 0; i < options->nr_pids; i++)
		add_word(ctl, targets, options->pids[i]);
	for (i = 0; i < options->nr_names; i++)
		add_name(ctl, targets, options->names[i]);
	for (i = 0; i < options->nr_cgroups; i++)
		add_cgroup(ctl, targets, options->cgroups[i]);
	if (!options_select(options))
		targets_locked(ctl, targets);
}
