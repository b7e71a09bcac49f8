// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping the scan for NUMA balancing away from a superlocked process.
 *
 * The scan makes page-table entries inaccessible, so that the next access faults and
 * tells which node it comes from.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>

#include "scan.h"
#include "space.h"

#ifdef CONFIG_NUMA_BALANCING
/* Puts the next scan off for ever. */
static void numa_scan_put_off(struct mlkd_space *space)
{
	WRITE_ONCE(space->mm->numa_next_scan, jiffies + LONG_MAX / 2);
}

void mlkd_numa_scan_stop(struct mlkd_space *space)
{
	if (!space->saved_numa_scan)
		space->saved_numa_scan = READ_ONCE(space->mm->numa_next_scan) ?: 1;
	numa_scan_put_off(space);
}

void mlkd_numa_scan_resume(struct mlkd_space *space)
{
	unsigned long saved = space->saved_numa_scan;

	if (!saved)
		return;
	WRITE_ONCE(space->saved_numa_scan, 0);
	smp_mb();	/* pairs with that of mlkd_numa_scan_stop_again() */
	WRITE_ONCE(space->mm->numa_next_scan, saved);
}

/* Called from a probe: the core kernel has brought the next scan back. */
void mlkd_numa_scan_stop_again(struct mlkd_space *space)
{
	if (!READ_ONCE(space->saved_numa_scan))
		return;
	numa_scan_put_off(space);
	smp_mb();	/* pairs with that of mlkd_numa_scan_resume() */
	if (!READ_ONCE(space->saved_numa_scan))
		WRITE_ONCE(space->mm->numa_next_scan, jiffies);
}
#endif
