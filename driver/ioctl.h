/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MEMLOCKD_IOCTL_H
#define _MEMLOCKD_IOCTL_H

struct file;

int mlkd_open(struct inode *inode, struct file *file);
int mlkd_release(struct inode *inode, struct file *file);
long mlkd_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* _MEMLOCKD_IOCTL_H */
