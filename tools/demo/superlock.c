// SPDX-License-Identifier: GPL-2.0-only
/*
 * superlock - the ioctls of /dev/memlockd, each used once
 *
 * An example to read, and the client of the demo.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memlockd.h>

static const char *const states[] = { "unlocked", "LOCKED", "SUPERLOCKED" };

static const char *const kinds[] = {
	"anonymous", "file, private", "file, shared", "shared memory",
	"huge pages", "secret memory", "special",
};

static const char *const reasons[] = {
	[MEMLOCKD_REASON_NONE] = "",
	[MEMLOCKD_REASON_NOT_COVERED] = "not covered by the lock",
	[MEMLOCKD_REASON_DROPPED] = "the process unlocked it",
	[MEMLOCKD_REASON_NO_ACCESS] = "no access (PROT_NONE)",
	[MEMLOCKD_REASON_DEVICE] = "device memory",
	[MEMLOCKD_REASON_KERNEL] = "the kernel's own page",
	[MEMLOCKD_REASON_DAX] = "persistent memory",
	[MEMLOCKD_REASON_DROPPABLE] = "droppable",
	[MEMLOCKD_REASON_USERFAULTFD] = "waits for its userfaultfd monitor",
	[MEMLOCKD_REASON_END_OF_FILE] = "reaches behind the end of its file",
	[MEMLOCKD_REASON_WRITEBACK] = "writeback write-protects it",
	[MEMLOCKD_REASON_SHARED] = "shared: may be migrated",
	[MEMLOCKD_REASON_NOT_PRESENT] = "not all present",
	[MEMLOCKD_REASON_NOT_PINNED] = "not all pinned",
};

/* A newer driver may say what this program does not know. */
static const char *name(const char *const names[], size_t size, unsigned int i)
{
	return i < size / sizeof(*names) ? names[i] : "?";
}

static int fail(const char *what)
{
	fprintf(stderr, "superlock: %s: %s\n", what, strerror(errno));
	return 1;
}

static int lock(int fd, int pid, unsigned int state, unsigned int flags)
{
	struct memlockd_lock lock = {
		.size = sizeof(lock),
		.flags = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE | flags,
		.target_type = MEMLOCKD_TARGET_PID,
		.target = pid,
		.state = state,
	};

	if (!ioctl(fd, MEMLOCKD_IOC_LOCK, &lock)) {
		printf("%u mappings, %llu KiB locked, %llu KiB of them pinned, %u incomplete\n",
		       lock.out_mappings, lock.out_locked / 1024,
		       lock.out_pinned / 1024, lock.out_incomplete);
		return 0;
	}
	if (errno == ENOMEM && lock.out_limit == MEMLOCKD_LIMIT_RLIMIT_MEMLOCK)
		fprintf(stderr,
			"superlock: process %d needs %llu KiB locked, its RLIMIT_MEMLOCK is %llu KiB\n",
			pid, lock.out_needed / 1024, lock.out_allowed / 1024);
	return fail("lock");
}

static int unlock(int fd, int pid)
{
	struct memlockd_unlock unlock = {
		.size = sizeof(unlock),
		.target = pid,
	};

	return ioctl(fd, MEMLOCKD_IOC_UNLOCK, &unlock) ? fail("unlock") : 0;
}

static int sync_lock(int fd, int pid)
{
	struct memlockd_sync sync = {
		.size = sizeof(sync),
		.target = pid,
	};

	if (ioctl(fd, MEMLOCKD_IOC_SYNC, &sync))
		return fail("sync");
	printf("%llu KiB more locked, %llu KiB more pinned\n", sync.out_locked / 1024,
	       sync.out_pinned / 1024);
	return 0;
}

static int status(int fd, int pid)
{
	struct memlockd_status status = {
		.size = sizeof(status),
		.target = pid,
	};

	if (ioctl(fd, MEMLOCKD_IOC_STATUS, &status))
		return fail("status");
	printf("%s, %llu KiB locked, %llu KiB pinned\n",
	       name(states, sizeof(states), status.out_state),
	       status.out_locked / 1024, status.out_pinned / 1024);
	if (status.out_state == MEMLOCKD_STATE_UNLOCKED)
		return 0;
	printf("by user %u, in %llu ms; since then %llu minor and %llu major page faults\n",
	       status.out_locker_uid, status.out_lock_duration_ns / 1000000,
	       status.out_lock_minor_faults, status.out_lock_major_faults);
	return 0;
}

static void print_row(const struct memlockd_mapping *row)
{
	printf("%012llx-%012llx\t%c%c%c\t%-14s\t%10llu\t%10llu\t%10llu\t%-12s\t%s\n",
	       row->start, row->end, row->prot & PROT_READ ? 'r' : '-',
	       row->prot & PROT_WRITE ? 'w' : '-', row->prot & PROT_EXEC ? 'x' : '-',
	       name(kinds, sizeof(kinds), row->kind),
	       (row->end - row->start) / 1024, row->resident / 1024, row->pinned / 1024,
	       name(states, sizeof(states), row->state),
	       name(reasons, sizeof(reasons), row->reason));
}

static int maps(int fd, int pid)
{
	struct memlockd_mapping rows[32];
	struct memlockd_mappings maps = {
		.size = sizeof(maps),
		.target = pid,
		.rows = (unsigned long)rows,
		.nr_rows = sizeof(rows) / sizeof(*rows),
		.row_size = sizeof(*rows),
	};
	unsigned int i;

	printf("%-25s\t%-4s\t%-14s\t%10s\t%10s\t%10s\t%-12s\t%s\n",
	       "address", "prot", "kind", "KiB", "present", "pinned", "state",
	       "why not more");
	do {
		if (ioctl(fd, MEMLOCKD_IOC_MAPPINGS, &maps))
			return fail("mappings");
		for (i = 0; i < maps.out_rows; i++)
			print_row(&rows[i]);
		maps.start = maps.out_next;
	} while (maps.out_next);
	return 0;
}

static int info(int fd)
{
	struct memlockd_info info = { .size = sizeof(info) };

	if (ioctl(fd, MEMLOCKD_IOC_INFO, &info))
		return fail("info");
	printf("memlockd %u.%u.%u, %u processes locked, %llu KiB pinned\n",
	       info.out_version >> 16, info.out_version >> 8 & 255,
	       info.out_version & 255, info.out_locked_processes,
	       info.out_pinned / 1024);
	return 0;
}

int main(int argc, char **argv)
{
	int fd, pid = argc > 2 ? atoi(argv[2]) : 0;

	if (argc < 2 || (argc < 3 && strcmp(argv[1], "info"))) {
		fputs("usage: superlock superlock|lock|lock-movable|unlock|sync|status|maps PID\n"
		      "       superlock info\n", stderr);
		return 2;
	}
	fd = open("/dev/memlockd", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail("/dev/memlockd");

	if (!strcmp(argv[1], "superlock"))
		return lock(fd, pid, MEMLOCKD_STATE_SUPERLOCKED, 0);
	if (!strcmp(argv[1], "lock"))
		return lock(fd, pid, MEMLOCKD_STATE_LOCKED, 0);
	if (!strcmp(argv[1], "lock-movable"))
		return lock(fd, pid, MEMLOCKD_STATE_LOCKED, MEMLOCKD_MOVABLE);
	if (!strcmp(argv[1], "unlock"))
		return unlock(fd, pid);
	if (!strcmp(argv[1], "sync"))
		return sync_lock(fd, pid);
	if (!strcmp(argv[1], "status"))
		return status(fd, pid);
	if (!strcmp(argv[1], "maps"))
		return maps(fd, pid);
	if (!strcmp(argv[1], "info"))
		return info(fd);
	fprintf(stderr, "superlock: %s: no such command\n", argv[1]);
	return 2;
}
