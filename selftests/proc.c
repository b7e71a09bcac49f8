// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel says about a process and about the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "memlockd_test.h"

/* A bit of /proc/kpageflags that the uapi header leaves out. */
#define KPF_MLOCKED	33

#define PM_PRESENT	(1ULL << 63)
#define PM_FILE		(1ULL << 61)
#define PM_PFN		((1ULL << 55) - 1)

/* Pages of the test itself that stay locked while it counts. */
#define BASELINE_PAGES	64

static FILE *proc_open(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (!file) {
		ksft_perror(path);
		_exit(KSFT_FAIL);
	}
	return file;
}

unsigned long status_bytes(pid_t pid, const char *field)
{
	FILE *file = proc_open(pid, "status");
	size_t len = strlen(field);
	unsigned long kib = 0;
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, field, len) && line[len] == ':')
			kib = strtoul(line + len + 1, NULL, 10);
	}
	fclose(file);
	return kib * KIB;
}

bool wait_rss(pid_t pid, unsigned long bytes)
{
	int tries;

	for (tries = 0; tries < 100000; tries++) {
		if (status_bytes(pid, "VmRSS") >= bytes)
			return true;
		sched_yield();
	}
	return false;
}

static bool parse_vma(const char *line, struct vma *vma)
{
	int name = 0;

	memset(vma, 0, sizeof(*vma));
	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &vma->start, &vma->end, vma->perms,
		   &name) < 3)
		return false;
	snprintf(vma->name, sizeof(vma->name), "%s", line + name);
	vma->name[strcspn(vma->name, "\n")] = 0;
	return true;
}

long vmas_read(pid_t pid, struct vma **vmas)
{
	FILE *file = proc_open(pid, "smaps");
	long nr = 0, room = 0;
	char line[4096];
	struct vma vma;

	*vmas = NULL;
	while (fgets(line, sizeof(line), file)) {
		if (nr && !strncmp(line, "VmFlags:", 8)) {
			line[8 + sizeof(vma.flags) - 1] = 0;
			strcpy((*vmas)[nr - 1].flags, line + 8);
			continue;
		}
		/* The lines of fields begin with a capital letter. */
		if ((line[0] >= 'A' && line[0] <= 'Z') || !parse_vma(line, &vma))
			continue;
		if (!strcmp(vma.name, "[vsyscall]"))
			continue;
		if (nr == room) {
			room = room ? 2 * room : 64;
			*vmas = reallocarray(*vmas, room, sizeof(**vmas));
			if (!*vmas)
				_exit(KSFT_FAIL);
		}
		(*vmas)[nr++] = vma;
	}
	fclose(file);
	return nr;
}

bool vma_has(const struct vma *vma, const char *flag)
{
	char word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(vma->flags, word);
}

unsigned long vmas_locked(pid_t pid)
{
	unsigned long sum = 0;
	struct vma *vmas;
	long i, nr = vmas_read(pid, &vmas);

	for (i = 0; i < nr; i++) {
		if (vma_has(&vmas[i], "lo"))
			sum += vmas[i].end - vmas[i].start;
	}
	free(vmas);
	return sum;
}

bool vma_find(pid_t pid, const char *name, const char *perms, struct vma *vma)
{
	FILE *file = proc_open(pid, "maps");
	bool found = false;
	char line[4096];

	while (!found && fgets(line, sizeof(line), file))
		found = parse_vma(line, vma) && strstr(vma->name, name) &&
			!strncmp(vma->perms, perms, strlen(perms));
	fclose(file);
	return found;
}

typedef unsigned long (*page_fn)(uint64_t entry, int fd);

/* Call @fn with the pagemap entry of each page; the sum of what it returns. */
static unsigned long sum_over_pages(pid_t pid, unsigned long start, unsigned long end,
				    page_fn fn, int fd)
{
	unsigned long page = start / PAGE, last = end / PAGE, sum = 0;
	FILE *file = proc_open(pid, "pagemap");
	uint64_t entries[512];

	while (page < last) {
		size_t nr = last - page < ARRAY_SIZE(entries) ? last - page : ARRAY_SIZE(entries);
		ssize_t got = pread(fileno(file), entries, nr * 8, page * 8) / 8;

		if (got <= 0)
			break;
		page += got;
		while (got--)
			sum += fn(entries[got], fd);
	}
	fclose(file);
	return sum;
}

static unsigned long is_present(uint64_t entry, int fd)
{
	return !!(entry & PM_PRESENT);
}

unsigned long present_bytes(pid_t pid, unsigned long start, unsigned long end)
{
	return sum_over_pages(pid, start, end, is_present, -1) * PAGE;
}

static unsigned long is_file(uint64_t entry, int fd)
{
	return entry & PM_PRESENT && entry & PM_FILE;
}

unsigned long file_bytes(pid_t pid, unsigned long start, unsigned long end)
{
	return sum_over_pages(pid, start, end, is_file, -1) * PAGE;
}

static unsigned long is_stuck(uint64_t entry, int fd)
{
	uint64_t flags;

	if (!(entry & PM_PRESENT) || !(entry & PM_PFN))
		return 0;
	if (pread(fd, &flags, 8, (entry & PM_PFN) * 8) != 8)
		return 0;
	return !!(flags & (1ULL << KPF_MLOCKED | 1ULL << KPF_UNEVICTABLE));
}

unsigned long stuck_pages(pid_t pid, unsigned long start, unsigned long end)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	unsigned long sum;

	if (fd < 0) {
		ksft_perror("/proc/kpageflags");
		_exit(KSFT_FAIL);
	}
	sum = sum_over_pages(pid, start, end, is_stuck, fd);
	close(fd);
	return sum;
}

long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

bool write_number(const char *path, long value)
{
	FILE *file = fopen(path, "we");
	bool good;

	if (!file)
		return false;
	good = fprintf(file, "%ld\n", value) > 0;
	return !fclose(file) && good;
}

bool set_oom_score(pid_t pid, long value)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	return write_number(path, value);
}

long read_field(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(name);
	char line[256];
	long value = -1;

	if (!file)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len) && (line[len] == ' ' || line[len] == ':'))
			value = atol(line + len + 1);
	}
	fclose(file);
	return value;
}

const char *memory_cgroup(const char *path)
{
	int fd = open("/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	bool made;

	if (fd < 0)
		return "no cgroup2 file system at /sys/fs/cgroup";
	made = write(fd, "+memory", 7) == 7 && !mkdir(path, 0755);
	close(fd);
	return made ? NULL : "no memory cgroup to be made";
}

void set_limit(pid_t pid, unsigned long bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	if (prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL)) {
		ksft_perror("prlimit");
		_exit(KSFT_FAIL);
	}
}

/*
 * A page that was just locked or unlocked waits in a batch of its CPU before it
 * is counted. move_pages(2) drains the batches of all CPUs first thing, and
 * changes nothing when it "moves" a page to where it is.
 */
void drain_batches(void)
{
	static volatile char here;
	void *page = (void *)&here;
	int node = -1;

	/* It is of no node unless it is there.  To compact memory fills batches anew. */
	here = 1;
	/* Without nodes it only says where the page is. */
	if (syscall(SYS_move_pages, 0, 1, &page, NULL, &node, 0) || node < 0 ||
	    syscall(SYS_move_pages, 0, 1, &page, &node, &node, 0))
		write_number("/proc/sys/vm/compact_memory", 1);
}

long wired_exactly(int fd)
{
	long max = read_number(KNOB("max_wired"));
	pid_t pid = fork_child();
	int err;

	if (!pid)
		for (;;)
			pause();
	/* Before a lock is refused, all is counted. */
	write_number(KNOB("max_wired"), 0);
	err = lock_pid(fd, pid, L, LIKE_MLOCKALL, NULL);
	write_number(KNOB("max_wired"), max);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err == -ENOMEM ? read_number(KNOB("wired")) : -1;
}

void counters_read(struct counters *c)
{
	drain_batches();
	/* Folds what each CPU has counted by itself into /proc/vmstat. */
	if (!write_number("/proc/sys/vm/stat_refresh", 1))
		ksft_perror("/proc/sys/vm/stat_refresh");
	c->mlock = read_field("/proc/vmstat", "nr_mlock");
	c->unevictable = read_field("/proc/vmstat", "nr_unevictable");
	c->pins = read_field("/proc/vmstat", "nr_foll_pin_acquired") -
		  read_field("/proc/vmstat", "nr_foll_pin_released");
	c->wired = read_number(KNOB("wired"));
	if (c->wired < 0 && access(KNOB("wired"), F_OK))
		c->wired = 0;
}

void counters_start(struct counters *c)
{
	char *baseline;

	/*
	 * The kernel shows a counter below zero as zero. With some pages locked
	 * by us, one page unlocked too many shows.
	 */
	baseline = mmap(NULL, BASELINE_PAGES * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (baseline == MAP_FAILED || madvise(baseline, BASELINE_PAGES * PAGE, MADV_DONTFORK) ||
	    mlock(baseline, BASELINE_PAGES * PAGE)) {
		ksft_perror("mlock");
		_exit(KSFT_FAIL);
	}
	counters_read(c);
}

bool counters_back(const struct counters *start)
{
	struct counters now;
	int tries;

	/*
	 * The memory of a process that is gone may still be held for a moment,
	 * by whoever looks at it in /proc, and nothing tells when it is freed.
	 */
	for (tries = 0; tries < 50; tries++) {
		counters_read(&now);
		if (!memcmp(&now, start, sizeof(now)))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
	}
	printf("# nr_mlock %ld -> %ld, nr_unevictable %ld -> %ld, ", start->mlock, now.mlock,
	       start->unevictable, now.unevictable);
	printf("pins %ld -> %ld, wired %ld -> %ld (try %d)\n", start->pins, now.pins, start->wired,
	       now.wired, tries + 1);
	return !memcmp(&now, start, sizeof(now));
}
