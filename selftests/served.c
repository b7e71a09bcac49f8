// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FUSE server is a child of the test.  Once it is killed, whoever waits for it gets
 * an error, so that a test which fails ends all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "served.h"

#define MOUNT_POINT	"/tmp/memlockd-served"

/* A request that has no answer yet. */
struct held {
	struct fuse_in_header in;
	unsigned int size;
	long due;			/* of msecs(); NEVER: when it is told to let go */
};

#define HELD		64
#define NEVER		LONG_MAX
#define LATEST_MS	3000

static struct held held[HELD];
static int nr_held;

static char buf[1 << 17] __attribute__((aligned(8)));
static const char zeros[1 << 17];

static long msecs(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

static void answer(int fd, const struct fuse_in_header *in, int err, const void *data, size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + len,
		.error = err,
		.unique = in->unique,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)data, len } };

	/* Who has asked may be gone. */
	if (writev(fd, iov, 2) < 0 && errno != ENOENT)
		_exit(KSFT_FAIL);
}

/* How much is asked for, or written: both structures have it at the same place. */
static unsigned int size_of(const struct fuse_in_header *in)
{
	return ((const struct fuse_read_in *)(in + 1))->size;
}

/* What was asked for: zeros, or that all is written. */
static void give(int fd, const struct fuse_in_header *in, unsigned int size)
{
	struct fuse_write_out written = { .size = size };

	if (in->opcode == FUSE_WRITE)
		answer(fd, in, 0, &written, sizeof(written));
	else
		answer(fd, in, 0, zeros, size < sizeof(zeros) ? size : sizeof(zeros));
}

static void hold(int fd, struct server *server, const struct fuse_in_header *in,
		 unsigned int size, long due)
{
	if (server->prompt || nr_held == HELD)
		return give(fd, in, size);
	held[nr_held++] = (struct held){ *in, size, due };
}

/* Answers what is due by @now. */
static void give_held(int fd, long now)
{
	int i, left = 0;

	for (i = 0; i < nr_held; i++) {
		if (held[i].due <= now)
			give(fd, &held[i].in, held[i].size);
		else
			held[left++] = held[i];
	}
	nr_held = left;
}

/* A page or a run of them that is asked for, or written. */
static void serve_drawn(int fd, struct server *server, const struct fuse_in_header *in)
{
	unsigned int size = size_of(in);

	if (server->prompt)
		return give(fd, in, size);
	switch (draw(&server->seed, 128)) {
	case 0 ... 7:
		server->failed++;
		return answer(fd, in, -EIO, NULL, 0);
	case 8 ... 10:
		server->late++;
		return hold(fd, server, in, size, msecs() + draw(&server->seed, LATEST_MS));
	case 11:
		server->never++;
		return hold(fd, server, in, size, NEVER);
	default:
		give(fd, in, size);
	}
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr) {
		.ino = node,
		.size = node == FUSE_ROOT_ID ? 0 : SERVED_SIZE,
		.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666,
		.nlink = 1,
	};
}

static void serve_request(int fd, struct server *server, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 4096,
		.max_write = 4096,
	};
	struct fuse_entry_out entry = {
		.nodeid = 2, .entry_valid = 9999, .attr_valid = 9999, .attr = attributes(2),
	};
	struct fuse_attr_out attr = { .attr_valid = 9999, .attr = attributes(in->nodeid) };
	struct fuse_open_out opened = { .fh = 1, .open_flags = FOPEN_KEEP_CACHE };

	if (server->seed) {
		/* Some who read can be killed while they wait, others not. */
		init.flags = draw(&server->seed, 2) ? FUSE_ASYNC_READ : 0;
		opened.open_flags = draw(&server->seed, 2) ? FOPEN_KEEP_CACHE : 0;
	}
	switch (in->opcode) {
	case FUSE_INIT:
		answer(fd, in, 0, &init, sizeof(init));
		server->ready = true;
		break;
	case FUSE_LOOKUP:
		answer(fd, in, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(fd, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(fd, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		server->reads++;
		if (server->seed)
			serve_drawn(fd, server, in);
		else if (server->reads <= server->errors)
			answer(fd, in, -EIO, NULL, 0);
		else
			hold(fd, server, in, size_of(in), NEVER);
		break;
	case FUSE_WRITE:
		if (server->seed)
			serve_drawn(fd, server, in);
		else
			answer(fd, in, -ENOSYS, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fd, in, -ENOSYS, NULL, 0);
		break;
	}
}

/* When the next answer is due, for poll(2). */
static int due_in(void)
{
	long next = NEVER, now = msecs();
	int i;

	for (i = 0; i < nr_held; i++) {
		if (held[i].due < next)
			next = held[i].due;
	}
	if (next == NEVER)
		return -1;
	return next > now ? next - now : 0;
}

static void serve(int fd, struct server *server)
{
	struct pollfd polled[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = server->wake, .events = POLLIN },
	};
	uint64_t times;

	for (;;) {
		if (poll(polled, 2, due_in()) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		if (polled[1].revents && read(server->wake, &times, sizeof(times)) > 0)
			give_held(fd, NEVER);
		give_held(fd, msecs());
		if (!polled[0].revents)
			continue;
		if (read(fd, buf, sizeof(buf)) >= 0)
			serve_request(fd, server, (void *)buf);
		else if (errno != EINTR && errno != ENOENT && errno != EAGAIN)
			return;
	}
}

pid_t server_start(struct server *server)
{
	/* Who has asked may take it back: the server must not wait for what it was told of. */
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char options[128];
	pid_t pid;

	if (fd < 0 && !system("modprobe fuse 2>/dev/null"))
		fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	mkdir(MOUNT_POINT, 0755);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("memlockd", MOUNT_POINT, "fuse", 0, options))
		return -1;
	if (!server->wake)
		server->wake = eventfd(0, EFD_CLOEXEC);
	server->ready = false;
	pid = fork_child();
	if (!pid) {
		serve(fd, server);
		_exit(0);
	}
	close(fd);
	while (!server->ready)
		usleep(1000);
	return pid;
}

void server_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	umount2(MOUNT_POINT, MNT_DETACH);
}

void server_let_go(struct server *server, bool prompt)
{
	const uint64_t once = 1;

	server->prompt = prompt;
	/* Where there is no FUSE, there is nobody to be told. */
	if (server->wake && write(server->wake, &once, sizeof(once)) < 0)
		ksft_perror("eventfd");
}

long do_map_served(long addr, long prot, long flags)
{
	int fd = open(SERVED_FILE, O_RDWR);
	void *p;

	if (fd < 0)
		return -errno;
	p = mmap((void *)addr, SERVED_SIZE, prot, flags | (addr ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	close(fd);
	return p == MAP_FAILED ? -errno : (long)p;
}
