// SPDX-License-Identifier: GPL-2.0-only
/*
 * What calls cost that a process makes while it, or another, is locked; and our
 * own calls that change nothing.
 */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static bool measure_in(struct target *t, enum lock_kind variant, target_fn fn, long a,
		       long b, struct sample *s)
{
	surroundings(variant);
	lock_target(t, variant, s);
	/* Code that was patched is translated anew by the emulator. */
	target_call(t, fn, a, b / 8 + 1, 0);
	s->value[OP] = target_call(t, fn, a, b, 0);
	target_stop(t);
	only(OP, s);
	return true;
}

static void *map_private(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long map_loop(long len, long times, long c)
{
	uint64_t start = now();
	long i;

	for (i = 0; i < times; i++)
		munmap(map_private(len), len);
	return now() - start;
}

bool run_map(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;

	target_start(&t);
	return measure_in(&t, variant, map_loop, c->a, units_of(c), s);
}

static long fault_loop(long a, long pages, long c)
{
	char *p = map_private(pages * PAGE);
	uint64_t start;
	long i;

	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	start = now();
	for (i = 0; i < pages; i++)
		p[i * PAGE] = 1;
	start = now() - start;
	munmap(p, pages * PAGE);
	return start;
}

bool run_fault(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;

	target_start(&t);
	return measure_in(&t, variant, fault_loop, 0, units_of(c), s);
}

/*
 * One page after the other of a mapping is changed: another page of the same file in its
 * place, from the last to the first; a new page; or every other one is made read-only.
 */
static long change_loop(long how, long calls, long c)
{
	long pages = how == PROTECT ? 2 * calls : calls, bad = 0, i;
	int flags = MAP_ANONYMOUS | (how == REMAP ? MAP_SHARED : MAP_PRIVATE);
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	uint64_t start;

	if (p == MAP_FAILED)
		return -1;
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	do_write((long)p, pages * PAGE, PAGE);
	start = now();
	for (i = 0; i < calls; i++) {
		char *at = p + i * PAGE;

		switch (how) {
		case REMAP:
			bad |= remap_file_pages(at, PAGE, 0, pages - 1 - i, 0);
			break;
		case FIXED:
			bad |= mmap(at, PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1,
				    0) == MAP_FAILED;
			break;
		case PROTECT:
			bad |= mprotect(p + 2 * i * PAGE, PAGE, PROT_READ);
			break;
		}
	}
	start = now() - start;
	munmap(p, pages * PAGE);
	return bad ? -1 : (long)start;
}

bool run_change(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;

	target_start(&t);
	measure_in(&t, variant, change_loop, c->a, units_of(c), s);
	if (s->value[OP] >= 0)
		return true;
	printf("# the target cannot change its mappings\n");
	return false;
}

#define GIVEN_UP	(4 * MIB)	/* at once */

/*
 * A write to each page, and no read before it: that would map the huge zero page, whose
 * place base pages take then.  An atomic operation has the emulator read first.
 */
static long touch_given_up(long addr, long b, long c)
{
	long i;

	for (i = 0; i < GIVEN_UP; i += PAGE)
		((volatile char *)addr)[i] = 1;
	return 0;
}

/* What is given up and written to again; @addr is all there. */
static long dontneed_loop(long addr, long pages, long c)
{
	uint64_t start = now();
	long done;

	for (done = 0; done < pages; done += GIVEN_UP / PAGE) {
		if (madvise((void *)addr, GIVEN_UP, MADV_DONTNEED))
			return -1;
		touch_given_up(addr, 0, 0);
	}
	return now() - start;
}

bool run_dontneed(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;
	char path[48];
	long addr;

	target_start(&t);
	addr = target_call(&t, c->a == THP ? do_map_huge : do_map_small, GIVEN_UP,
			   PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (addr < 0)
		die("mmap in the target");
	target_call(&t, touch_given_up, addr, 0, 0);
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", t.pid);
	if (c->a == THP && read_field(path, "AnonHugePages") * 1024 < GIVEN_UP) {
		printf("# no huge pages for the target\n");
		target_stop(&t);
		return false;
	}
	return measure_in(&t, variant, dontneed_loop, addr, units_of(c), s);
}

/* The program beside this one, from memory: else the time of its disk would be counted. */
static const char *nothing_path(void)
{
	static char path[4096];
	char program[4096];
	int from, to;
	ssize_t len;

	if (*path)
		return path;
	len = readlink("/proc/self/exe", path, sizeof(path) - 16);
	if (len <= 0)
		die("/proc/self/exe");
	path[len] = '\0';
	strcpy(strrchr(path, '/') + 1, "nothing");
	from = open(path, O_RDONLY | O_CLOEXEC);
	to = memfd_create("nothing", MFD_CLOEXEC);
	if (from < 0 || to < 0)
		die(path);
	while ((len = read(from, program, sizeof(program))) > 0) {
		if (write(to, program, len) != len)
			die(path);
	}
	close(from);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	/* What is open for writing cannot be run. */
	from = open(path, O_RDONLY | O_CLOEXEC);
	close(to);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
	return path;
}

static pid_t start_child(enum fork how)
{
	char *const argv[] = { "bench", "--nothing", NULL };
	pid_t pid = -1;

	switch (how) {
	case FORK:
		pid = fork();
		break;
	case VFORK:
		pid = vfork();
		break;
	case EXEC:
		if (posix_spawn(&pid, nothing_path(), NULL, NULL, argv, argv + 2))
			return -1;
		break;
	case SPAWN:
		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, argv + 2))
			return -1;
		break;
	}
	if (!pid)
		_exit(0);
	return pid;
}

/* The call itself; the rest of the child's life is not the parent's, unless it is its execve(2). */
static long fork_loop(long how, long times, long c)
{
	uint64_t sum = 0;
	long i;

	for (i = 0; i < times; i++) {
		uint64_t start = now();
		pid_t pid = start_child(how);

		if (how != EXEC)
			sum += now() - start;
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return -1;
		if (how == EXEC)
			sum += now() - start;
	}
	return sum;
}

/* @b MiB of memory of its own. */
bool run_fork(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct target t;
	long addr;

	target_start(&t);
	addr = target_call(&t, do_map_small, c->b * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (addr < 0)
		die("mmap in the target");
	target_call(&t, do_write, addr, c->b * MIB, PAGE);
	return measure_in(&t, variant, fork_loop, c->a, units_of(c), s);
}

/* What the preload shim makes of mlock(2) and munlock(2), or the calls alone. */
static bool lock_page(char *p, bool ours)
{
	return !mlock(p, PAGE) && (!ours || !lock_range(device, 0, MEMLOCKD_STATE_SUPERLOCKED,
							 (unsigned long)p, PAGE, NULL));
}

static bool unlock_page(char *p, bool ours)
{
	return (!ours || !unlock_range(device, 0, (unsigned long)p, PAGE)) && !munlock(p, PAGE);
}

/* Every second page of a mapping, so that none is merged with another. */
static long hold_pages(long nr, long ours, long c)
{
	char *p = map_private((2 * nr + 1) * PAGE);
	long i;

	if (p == MAP_FAILED)
		return -1;
	for (i = 0; i < nr; i++)
		if (!lock_page(p + 2 * i * PAGE, ours))
			return -1;
	return 0;
}

static long lock_loop(long ours, long times, long c)
{
	char *p = map_private(3 * PAGE) + PAGE;
	uint64_t start;
	long i;

	*p = 1;
	start = now();
	for (i = 0; i < times; i++)
		if (!lock_page(p, ours) || !unlock_page(p, ours))
			return -1;
	return now() - start;
}

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"

bool run_range(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	long max = read_number(MAX_MAP_COUNT);
	bool ours = variant != PEER;
	struct target t;

	surroundings(variant);
	if (max < 3 * c->a)
		write_number(MAX_MAP_COUNT, 3 * c->a);
	target_start_with(&t, device);
	if (target_call(&t, hold_pages, c->a, ours, 0))
		die("ranges that are held");
	target_call(&t, lock_loop, ours, units_of(c) / 8 + 1, 0);
	s->value[OP] = target_call(&t, lock_loop, ours, units_of(c), 0);
	target_stop(&t);
	write_number(MAX_MAP_COUNT, max);
	only(OP, s);
	return true;
}

/* All of a file, as those read it who have nothing better. */
static void read_whole(pid_t pid, const char *name)
{
	char path[64], buffer[65536];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	do
		got = read(fd, buffer, sizeof(buffer));
	while (got > 0);
	if (got < 0)
		die(path);
	close(fd);
}

bool run_status(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	long i, times = units_of(c);
	struct memlockd_status out;
	struct target t;
	uint64_t start;

	target_start(&t);
	lock_target(&t, SUPER, s);
	start = now();
	for (i = 0; i < times; i++) {
		if (variant == PLAIN)
			read_whole(t.pid, "status");
		else if (status_pid(device, t.pid, &out))
			die("status");
	}
	s->value[OP] = now() - start;
	target_stop(&t);
	only(OP, s);
	return true;
}

static long map_alternating(long nr, long b, long c)
{
	char *p = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	long i;

	for (i = 0; i < nr; i += 2)
		if (mprotect(p + i * PAGE, PAGE, PROT_READ))
			return -1;
	return 0;
}

/* MAPPINGS against smaps, which says less. */
bool run_rows(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	struct memlockd_mapping *rows;
	struct target t;
	uint64_t start;

	target_start(&t);
	if (target_call(&t, map_alternating, units_of(c), 0, 0))
		die("mappings in the target");
	lock_target(&t, SUPER, s);
	start = now();
	if (variant == PLAIN) {
		read_whole(t.pid, "smaps");
	} else {
		if (mappings_pid(device, t.pid, 1024, &rows) < units_of(c))
			die("MAPPINGS");
		free(rows);
	}
	s->value[OP] = now() - start;
	target_stop(&t);
	only(OP, s);
	return true;
}

/* The first lock since the module was loaded, which has the probes to register. */
bool run_first(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	const char *module = getenv("MEMLOCKD_KO");
	struct target t;
	int fd;

	if (!module) {
		printf("# MEMLOCKD_KO is not set: cannot load the module again\n");
		return false;
	}
	if (variant == ARMED)
		surroundings(PLAIN);
	else
		surroundings(variant);
	if (variant != PEER) {
		close(device);
		fd = open(module, O_RDONLY | O_CLOEXEC);
		if (syscall(SYS_delete_module, "memlockd", 0) ||
		    syscall(SYS_finit_module, fd, "", 0))
			die(module);
		close(fd);
		device = device_open();
		if (device < 0)
			die("/dev/memlockd");
	}
	target_start(&t);
	lock_target(&t, variant, s);
	unlock_target(&t, variant, s);
	target_stop(&t);
	return true;
}
