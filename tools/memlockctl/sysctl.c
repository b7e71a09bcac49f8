// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm.compact_unevictable_allowed: whether the kernel may migrate locked pages of
 * shared memory, which a superlock does not pin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memlockctl.h"

#define PATH	"/proc/sys/vm/compact_unevictable_allowed"

static bool compaction_allowed(void)
{
	int fd = open(PATH, O_RDONLY | O_CLOEXEC);
	bool allowed = false;
	char value;

	if (fd >= 0) {
		allowed = read(fd, &value, 1) == 1 && value != '0';
		close(fd);
	}
	return allowed;
}

static int forbid_compaction(void)
{
	int fd = open(PATH, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || write(fd, "0\n", 2) != 2)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

void compaction_check(struct ctl *ctl)
{
	int err;

	if (!compaction_allowed())
		return;
	if (!ctl->options.set_sysctl) {
		report_warning(ctl,
			       "vm.compact_unevictable_allowed is 1: shared memory of a superlocked process may be migrated, and an access then waits; superlock --set-sysctl sets it to 0");
		return;
	}
	err = forbid_compaction();
	if (err)
		report_error(ctl, NULL, err,
			     err == -EACCES || err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED,
			     "vm.compact_unevictable_allowed cannot be set to 0: %s",
			     strerror(-err));
}
