/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MEMLOCKD_IOCTL_H
#define _MEMLOCKD_IOCTL_H

struct file;

long mlkd_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* _MEMLOCKD_IOCTL_H */
