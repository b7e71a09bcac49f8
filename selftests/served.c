// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FUSE server is a child of the test.  Once it is killed, whoever waits for it gets
 * an error, so that a test which fails ends all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "served.h"

#define MOUNT_POINT	"/tmp/memlockd-served"

static void answer(int fd, const struct fuse_in_header *in, int err, const void *data, size_t len)
{
	char buf[4096];
	struct fuse_out_header *out = (void *)buf;

	*out = (struct fuse_out_header) {
		.len = sizeof(*out) + len,
		.error = err,
		.unique = in->unique,
	};
	if (len)
		memcpy(buf + sizeof(*out), data, len);
	/* Who has asked may be gone. */
	if (write(fd, buf, out->len) < 0 && errno != ENOENT)
		_exit(KSFT_FAIL);
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
		if (server->reads++ < server->errors)
			answer(fd, in, -EIO, NULL, 0);
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

pid_t server_start(struct server *server)
{
	static char buf[1 << 17] __attribute__((aligned(8)));
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];
	pid_t pid;

	if (fd < 0 && !system("modprobe fuse 2>/dev/null"))
		fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	mkdir(MOUNT_POINT, 0755);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("memlockd", MOUNT_POINT, "fuse", 0, options))
		return -1;
	pid = fork_child();
	if (!pid) {
		while (read(fd, buf, sizeof(buf)) >= 0 || errno == EINTR || errno == ENOENT)
			serve_request(fd, server, (void *)buf);
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
