/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the preload shim asks of the device, for the process that it is in.
 */
#ifndef PRELOAD_DEVICE_H
#define PRELOAD_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

/* Each of these returns 0 or the -errno that mlockall(2) and the like have. */
int device_lock(bool current, bool future);
int device_unlock(void);
int device_lock_range(unsigned long addr, size_t len);
/* Also of the lock of the whole, as munlock(2) after mlockall(2). */
int device_unlock_range(unsigned long addr, size_t len);
int device_unlock_ranges(void);

/* It is not there, or not for this caller: the kernel's own call is the one to make. */
bool device_declines(int err);

/*
 * With MEMLOCKD_PRELOAD_VERBOSE, and once in a process: say on stderr what has been done
 * @instead, and why.
 */
void device_tell(const char *call, const char *instead, int err);

#endif /* PRELOAD_DEVICE_H */
