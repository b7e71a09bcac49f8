/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes and tracepoints that stay for a while.
 *
 * Registering and unregistering patch code that all processes run, which takes its time and
 * is no harmless thing: so what nobody needs any more stays for some time, in case that
 * somebody needs it again.
 *
 * A worker takes it out: it has to allocate, and where that fails, as it may for a task that
 * is being killed for want of memory, it stays, unnoticed.
 */
#ifndef _MEMLOCKD_LINGER_H
#define _MEMLOCKD_LINGER_H

#include <linux/workqueue.h>

#include "compat.h"

/* @work takes out what is not needed; in 30 seconds, if nothing is needed again till then. */
static inline void mlkd_linger(struct delayed_work *work)
{
	mod_delayed_work(system_percpu_wq, work, 30 * HZ);
}

/* Has it taken out now.  Nobody needs anything any more. */
static inline void mlkd_linger_end(struct delayed_work *work)
{
	mod_delayed_work(system_percpu_wq, work, 0);
	flush_delayed_work(work);
}

#endif /* _MEMLOCKD_LINGER_H */
