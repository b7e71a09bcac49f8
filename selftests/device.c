// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of /dev/memlockd, and its rows in words.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "memlockd_test.h"

void need_device(void)
{
	const char *why = NULL;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = device_open();
	if (fd == -ENOENT || fd == -ENXIO || fd == -ENODEV)
		why = "there is no " DEVICE ": load the module first (modprobe memlockd)";
	else if (fd == -EACCES || geteuid())
		why = "only root may lock other processes: run this as root";
	if (fd >= 0)
		close(fd);
	if (why) {
		ksft_print_header();
		ksft_exit_skip("%s\n", why);
	}
}

int device_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int device_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "memlockd", O_NONBLOCK) ? -errno : 0;
}

int module_unload_soon(void)
{
	int tries, err = module_unload();

	for (tries = 1; err && tries < 5000; tries++) {
		usleep(1000);
		err = module_unload();
	}
	if (tries > 1)
		printf("# module unloaded at try %d: %s\n", tries, strerror(-err));
	return err;
}

int module_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	ret = fd < 0 || syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

int lock_pid(int fd, pid_t pid, int state, int flags, struct memlockd_lock *out)
{
	struct memlockd_lock own;

	if (!out)
		out = &own;
	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	out->flags = flags;
	out->target = pid;
	out->state = state;
	/* A stack never shrinks: only the tests of that grow one. */
	if (state == MEMLOCKD_STATE_SUPERLOCKED)
		out->stack_reserve = MEMLOCKD_STACK_RESERVE_NONE;
	return device_call(fd, MEMLOCKD_IOC_LOCK, out);
}

int unlock_pid(int fd, pid_t pid)
{
	struct memlockd_unlock arg = { .size = sizeof(arg), .target = pid };

	return device_call(fd, MEMLOCKD_IOC_UNLOCK, &arg);
}

int unlock_all(int fd, pid_t pid)
{
	struct memlockd_unlock arg = {
		.size = sizeof(arg),
		.flags = MEMLOCKD_UNLOCK_FORCE,
		.target = pid,
	};

	return device_call(fd, MEMLOCKD_IOC_UNLOCK, &arg);
}

int status_pid(int fd, pid_t pid, struct memlockd_status *out)
{
	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	out->target = pid;
	return device_call(fd, MEMLOCKD_IOC_STATUS, out);
}

static int range_call(int fd, unsigned long cmd, pid_t pid, int state, unsigned long addr,
		      unsigned long len, struct memlockd_range *out)
{
	struct memlockd_range own;

	if (!out)
		out = &own;
	*out = (struct memlockd_range) {
		.size = sizeof(*out),
		.target = pid,
		.state = state,
		.addr = addr,
		.len = len,
	};
	return device_call(fd, cmd, out);
}

int lock_range(int fd, pid_t pid, int state, unsigned long addr, unsigned long len,
	       struct memlockd_range *out)
{
	return range_call(fd, MEMLOCKD_IOC_LOCK_RANGE, pid, state, addr, len, out);
}

int unlock_range(int fd, pid_t pid, unsigned long addr, unsigned long len)
{
	return range_call(fd, MEMLOCKD_IOC_UNLOCK_RANGE, pid, MEMLOCKD_STATE_UNLOCKED, addr, len,
			  NULL);
}

int state_of(int fd, pid_t pid)
{
	struct memlockd_status status;
	int err = status_pid(fd, pid, &status);

	return err ? err : (int)status.out_state;
}

int events_subscribe(int fd, pid_t pid, unsigned int kinds)
{
	struct memlockd_subscribe arg = {
		.size = sizeof(arg),
		.target = pid,
		.kinds = kinds,
		.event_size = sizeof(struct memlockd_event),
	};

	return device_call(fd, MEMLOCKD_IOC_SUBSCRIBE, &arg);
}

long events_read(int fd, struct memlockd_event *events, unsigned int nr)
{
	ssize_t ret = read(fd, events, nr * sizeof(*events));

	if (ret < 0)
		return -errno;
	return ret % sizeof(*events) ? -EIO : ret / (long)sizeof(*events);
}

int rule_add(int fd, struct memlockd_rule *rule)
{
	rule->size = sizeof(*rule);
	return device_call(fd, MEMLOCKD_IOC_RULE_ADD, rule);
}

int rule_del(int fd, uint64_t id)
{
	struct memlockd_rule_del del = { .size = sizeof(del), .id = id };

	return device_call(fd, MEMLOCKD_IOC_RULE_DEL, &del);
}

int rules_read(int fd, struct memlockd_rule_row *rows, int room)
{
	struct memlockd_rules rules = {
		.size = sizeof(rules),
		.rows = (uintptr_t)rows,
		.nr_rows = room,
		.row_size = sizeof(*rows),
	};
	int err = device_call(fd, MEMLOCKD_IOC_RULES, &rules);

	return err ?: (int)rules.out_rows;
}

int rules_clear(int fd)
{
	struct memlockd_rule_row row;
	int some, nr = 0;

	while ((some = rules_read(fd, &row, 1)) > 0) {
		nr++;
		if (rule_del(fd, row.id))
			break;
	}
	return some < 0 ? some : nr;
}

long list_all(int fd, unsigned int per_call, struct memlockd_holder **rows)
{
	struct memlockd_list arg = {
		.size = sizeof(arg),
		.nr_rows = per_call,
		.row_size = sizeof(**rows),
	};
	size_t nr = 0;
	int err;

	*rows = NULL;
	do {
		*rows = reallocarray(*rows, nr + per_call, sizeof(**rows));
		if (!*rows)
			return -ENOMEM;
		arg.rows = (uintptr_t)(*rows + nr);
		err = device_call(fd, MEMLOCKD_IOC_LIST, &arg);
		if (err)
			return err;
		if (!arg.out_rows && arg.out_next)
			return -ELOOP;
		nr += arg.out_rows;
		arg.start = arg.out_next;
	} while (arg.out_next);
	return nr;
}

void holder_print(const struct memlockd_holder *row)
{
	printf("# lock %llu of process %d: %s, flags %#x, asked for by %d of user %u, held by %s\n",
	       (unsigned long long)row->id, row->target, state_name(row->state), row->flags,
	       row->pid, row->uid, row->kind == MEMLOCKD_HOLDER_FILE ? "its file" : "the user");
}

long mappings_pid(int fd, pid_t pid, unsigned int per_call, struct memlockd_mapping **rows)
{
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = pid,
		.nr_rows = per_call,
		.row_size = sizeof(**rows),
	};
	size_t nr = 0, room = 0;
	int err;

	*rows = NULL;
	do {
		if (room < nr + per_call) {
			room = 2 * (nr + per_call);
			*rows = reallocarray(*rows, room, sizeof(**rows));
			if (!*rows)
				return -ENOMEM;
		}
		arg.rows = (uintptr_t)(*rows + nr);
		err = device_call(fd, MEMLOCKD_IOC_MAPPINGS, &arg);
		if (err)
			return err;
		/* A driver that gives no row and yet has a next one would keep us here. */
		if (!arg.out_rows && arg.out_next)
			return -ELOOP;
		nr += arg.out_rows;
		arg.start = arg.out_next;
	} while (arg.out_next);
	return nr;
}

struct memlockd_mapping *row_at(struct memlockd_mapping *rows, long nr, unsigned long addr)
{
	long i;

	for (i = 0; i < nr; i++) {
		if (rows[i].start <= addr && addr < rows[i].end)
			return &rows[i];
	}
	return NULL;
}

/* Reasons that say which pages a mapping cannot have; it may have all others. */
static bool says_what_cannot_be(unsigned int reason)
{
	return reason == MEMLOCKD_REASON_NONE || reason == MEMLOCKD_REASON_NO_ACCESS ||
	       reason == MEMLOCKD_REASON_KERNEL || reason == MEMLOCKD_REASON_END_OF_FILE;
}

bool row_incomplete(const struct memlockd_mapping *row)
{
	return row->reason != MEMLOCKD_REASON_NONE && row->reason != MEMLOCKD_REASON_NO_ACCESS &&
	       row->reason != MEMLOCKD_REASON_KERNEL;
}

static const char *row_fault(const struct memlockd_mapping *row, unsigned int promised)
{
	uint64_t size = row->end - row->start;

	if (row->start >= row->end)
		return "is empty or upside down";
	if (row->resident > size || row->pinned > size)
		return "has more resident or pinned than it is long";
	if (row->state > promised)
		return "has more than was promised";
	if (row->state < promised && row->reason == MEMLOCKD_REASON_NONE)
		return "has less than promised, and no reason";
	if (row->state == promised && promised && !says_what_cannot_be(row->reason))
		return "has all that was promised, and a reason why not";
	return NULL;
}

int rows_wrong(const struct memlockd_mapping *rows, long nr, unsigned int promised)
{
	uint64_t last = 0;
	int wrong = 0;
	long i;

	for (i = 0; i < nr; i++) {
		const char *fault = row_fault(&rows[i], promised);

		if (!fault && rows[i].start < last)
			fault = "overlaps the one before it";
		last = rows[i].end;
		if (!fault)
			continue;
		wrong++;
		printf("# this row %s:\n", fault);
		row_print(&rows[i]);
	}
	return wrong;
}

uint64_t rows_pinned(const struct memlockd_mapping *rows, long nr)
{
	uint64_t sum = 0;

	while (nr--)
		sum += rows[nr].pinned;
	return sum;
}

unsigned long kept_bytes(int fd, pid_t pid)
{
	unsigned long vmpin = status_bytes(pid, "VmPin");
	struct memlockd_mapping *rows;
	long nr = mappings_pid(fd, pid, 4096, &rows);

	if (nr < 0)
		return 0;
	vmpin -= rows_pinned(rows, nr);
	free(rows);
	return vmpin;
}

void row_print(const struct memlockd_mapping *row)
{
	printf("# %llx-%llx %c%c%c %s: resident %llu pinned %llu of %llu: %s (%s)\n",
	       (unsigned long long)row->start, (unsigned long long)row->end,
	       row->prot & 1 ? 'r' : '-', row->prot & 2 ? 'w' : '-', row->prot & 4 ? 'x' : '-',
	       kind_name(row->kind), (unsigned long long)row->resident,
	       (unsigned long long)row->pinned, (unsigned long long)(row->end - row->start),
	       state_name(row->state), reason_name(row->reason));
}

static const char *name_of(const char *const names[], size_t nr, unsigned int value)
{
	return value < nr ? names[value] : "UNKNOWN";
}

const char *state_name(unsigned int state)
{
	static const char *const names[] = { "UNLOCKED", "LOCKED", "SUPERLOCKED" };

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *reason_name(unsigned int reason)
{
	static const char *const names[] = {
		"NONE", "NOT_COVERED", "DROPPED", "NO_ACCESS", "DEVICE", "KERNEL", "DAX",
		"DROPPABLE", "USERFAULTFD", "END_OF_FILE", "WRITEBACK", "SHARED", "NOT_PRESENT",
		"NOT_PINNED", "LIMIT", "SERVER",
	};

	return name_of(names, ARRAY_SIZE(names), reason);
}

const char *cause_name(unsigned int cause)
{
	static const char *const names[] = {
		"NONE", "USERFAULTFD", "KERNEL", "DEVICE", "NOT_MAPPED", "SWAPPED", "MIGRATION",
		"NUMA", "COPY_ON_WRITE", "WRITEBACK", "WRITE_PROTECTED", "FLAGS",
	};

	return name_of(names, ARRAY_SIZE(names), cause);
}

const char *kind_name(unsigned int kind)
{
	static const char *const names[] = {
		"ANON", "FILE_PRIVATE", "FILE_SHARED", "SHMEM", "HUGETLB", "SECRETMEM", "SPECIAL",
	};

	return name_of(names, ARRAY_SIZE(names), kind);
}
