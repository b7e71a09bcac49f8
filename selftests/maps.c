// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of each kind, made by a target.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "maps.h"

static long map_fd(int fd, unsigned long len, int prot, int flags)
{
	void *addr = mmap(NULL, len, prot, flags, fd, 0);
	long ret = addr == MAP_FAILED ? -errno : (long)addr;

	close(fd);
	return ret;
}

/* A file of @pages in @dir that has no name any more. */
static int make_file(const char *dir, unsigned long pages, int mode)
{
	char path[128], page[PAGE];
	int fd, again;

	snprintf(path, sizeof(path), "%s/memlockd-XXXXXX", dir);
	fd = mkstemp(path);
	if (fd < 0)
		return -errno;
	memset(page, 0x5a, PAGE);
	while (pages--) {
		if (write(fd, page, PAGE) != (ssize_t)PAGE)
			return -ENOSPC;
	}
	fsync(fd);
	again = open(path, mode);
	unlink(path);
	close(fd);
	return again;
}

/* A disk's file system, where there is one: -ENOTBLK else. */
static int make_disk_file(unsigned long pages, int mode)
{
	const char *dir = disk_dir();
	struct statfs fs;

	if (statfs(dir, &fs) || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		return -ENOTBLK;
	return make_file(dir, pages, mode);
}

long map_disk_file(long len, long prot, long flags)
{
	int fd = make_disk_file(len / PAGE, flags & MAP_SHARED && prot & PROT_WRITE ? O_RDWR :
				O_RDONLY);

	return fd < 0 ? fd : map_fd(fd, len, prot, flags);
}

long map_short_disk_file(long len, long prot, long flags)
{
	int fd = make_disk_file(FILE_PAGES, flags & MAP_SHARED ? O_RDWR : O_RDONLY);

	return fd < 0 ? fd : map_fd(fd, len, prot, flags);
}

/* The disk that has the file system: its size is not that of its node in /dev. */
long map_disk(long len, long prot, long flags)
{
	char path[64], name[256], *base;
	struct stat st;
	ssize_t n;
	int fd;

	if (stat(disk_dir(), &st))
		return -errno;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return -ENOTBLK;
	name[n] = '\0';
	base = strrchr(name, '/');
	snprintf(path, sizeof(path), "/dev%.48s", base ?: "/");
	fd = open(path, O_RDONLY);
	return fd < 0 ? -ENOTBLK : map_fd(fd, len, prot, flags);
}

long map_zero(long len, long prot, long flags)
{
	return map_fd(open("/dev/zero", O_RDWR), len, prot, flags);
}

long map_tmpfs_file(long len, long prot, long flags)
{
	int fd = make_file("/dev/shm", len / PAGE, O_RDWR);

	return fd < 0 ? fd : map_fd(fd, len, prot, flags);
}

long map_memfd(long len, long prot, long flags)
{
	int fd = memfd_create("memlockd", 0);

	return ftruncate(fd, len) ? -errno : map_fd(fd, len, prot, flags);
}

long map_secret(long len, long prot, long flags)
{
	int fd = syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		return -errno;
	return ftruncate(fd, len) ? -errno : map_fd(fd, len, prot, flags);
}

long map_sysv(long len, long prot, long flags)
{
	int id = shmget(IPC_PRIVATE, len, 0600);
	void *addr = shmat(id, NULL, 0);
	long ret = addr == (void *)-1 ? -errno : (long)addr;

	shmctl(id, IPC_RMID, NULL);
	return ret;
}

long map_hugetlb(long len, long prot, long flags)
{
	return do_map(len, prot, flags | MAP_HUGETLB);
}

long map_heap(long len, long prot, long flags)
{
	void *addr = sbrk(len);

	return addr == (void *)-1 ? -errno : (long)addr;
}

long map_growsdown(long len, long prot, long flags)
{
	/* Keep its guard gap free. */
	long addr = do_map(2 * len + 2 * MIB, PROT_NONE, flags);

	if (addr < 0 || munmap((void *)addr, 2 * len + 2 * MIB))
		return -errno;
	addr += 2 * MIB;
	if (mmap((void *)addr, len, prot, flags | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1,
		 0) == MAP_FAILED)
		return -errno;
	return addr;
}

long map_bios(long len, long prot, long flags)
{
	int fd = open("/dev/mem", O_RDONLY);
	void *addr;
	long ret;

	if (fd < 0)
		return -errno;
	/* Device memory and ROMs up to the first megabyte, on a PC. */
	addr = mmap(NULL, len, prot, flags, fd, MIB - len);
	ret = addr == MAP_FAILED ? -errno : (long)addr;
	close(fd);
	return ret;
}
