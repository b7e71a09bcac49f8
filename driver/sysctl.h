/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The settings of the administrator.
 */
#ifndef _MEMLOCKD_SYSCTL_H
#define _MEMLOCKD_SYSCTL_H

/**
 * DOC: vm.memlockd
 *
 * Most names are FreeBSD's.  Each is a parameter of the module as well, for its
 * value at load.
 *
 * max_wired: pages; the most unique physical pages that may be locked,
 *	system-wide.  Three quarters of RAM by default.  Lowered below what is in
 *	use it refuses new locks, and breaks none.
 * unprivileged_mlock: 0 or 1; may processes without CAP_IPC_LOCK lock their own?
 *	0 by default.
 * old_mlock: 0 or 1; is RLIMIT_MEMLOCK not applied?  0 by default.
 * server_timeout: seconds; a lock waits so long for a page that the server of a file
 *	system does not give.  10 by default.
 * wired: pages; what max_wired counts, now.  Read only.
 * wired_peak: pages; the most that it has been.  Read only.
 */

int mlkd_sysctl_init(void);
void mlkd_sysctl_exit(void);

#endif /* _MEMLOCKD_SYSCTL_H */
