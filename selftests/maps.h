/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of each kind, made by a target.
 */
#ifndef MEMLOCKD_MAPS_H
#define MEMLOCKD_MAPS_H

#include "memlockd_test.h"

/* Functions to run in a target, which return an address. */
long map_disk_file(long len, long prot, long flags);	/* -ENOTBLK: there is no disk */
long map_short_disk_file(long len, long prot, long flags);
long map_disk(long len, long prot, long flags);		/* with all that is on it */
long map_zero(long len, long prot, long flags);		/* /dev/zero */
long map_tmpfs_file(long len, long prot, long flags);
long map_memfd(long len, long prot, long flags);
long map_secret(long len, long prot, long flags);
long map_sysv(long len, long prot, long flags);
long map_hugetlb(long len, long prot, long flags);
long map_heap(long len, long prot, long flags);
long map_growsdown(long len, long prot, long flags);
long map_bios(long len, long prot, long flags);		/* device memory of a PC */

/* What a short file has; the other pages cannot be touched without a SIGBUS. */
#define FILE_PAGES	5

#endif /* MEMLOCKD_MAPS_H */
