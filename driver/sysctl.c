// SPDX-License-Identifier: GPL-2.0-only
/*
 * The settings of the administrator: /proc/sys/vm/memlockd.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sysctl.h>

#include "compat.h"
#include "errand.h"
#include "rule.h"
#include "sysctl.h"
#include "target.h"
#include "wired.h"

/* These are not shown in sysfs, so that there is one place to see and to set them. */
module_param_named(max_wired, mlkd_max_wired, ulong, 0);
MODULE_PARM_DESC(max_wired, "vm.memlockd.max_wired at load: pages that may be locked (0: 3/4 of RAM)");
module_param_named(unprivileged_mlock, mlkd_unprivileged_mlock, int, 0);
MODULE_PARM_DESC(unprivileged_mlock, "vm.memlockd.unprivileged_mlock at load: 1 lets users lock their own processes");
module_param_named(old_mlock, mlkd_old_mlock, int, 0);
MODULE_PARM_DESC(old_mlock, "vm.memlockd.old_mlock at load: 1 does not apply RLIMIT_MEMLOCK");
module_param_named(server_timeout, mlkd_server_timeout, int, 0);
MODULE_PARM_DESC(server_timeout, "vm.memlockd.server_timeout at load: seconds that a lock waits for a server (10)");

/* Shows a number that the function in @extra2 counts now. */
static int show_count(mlkd_ctl_table *table, int write, void *buffer,
		      size_t *len, loff_t *pos)
{
	unsigned long (*count)(void) = table->extra2;
	unsigned long value = count();
	struct ctl_table copy = {
		.procname = table->procname,
		.data = &value,
		.maxlen = sizeof(value),
		.mode = table->mode,
	};

	return proc_doulongvec_minmax(&copy, write, buffer, len, pos);
}

/* vm.memlockd.default_state: the state of processes for which there is no other rule. */
static int do_default_state(mlkd_ctl_table *table, int write, void *buffer,
			    size_t *len, loff_t *pos)
{
	int value = mlkd_default_state();
	struct ctl_table copy = {
		.procname = table->procname,
		.data = &value,
		.maxlen = sizeof(value),
		.mode = table->mode,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_TWO,
	};
	int err;

	/* As for any other rule. */
	if (write && !(capable(CAP_IPC_LOCK) && capable(CAP_SYS_PTRACE)))
		return -EPERM;
	err = proc_dointvec_minmax(&copy, write, buffer, len, pos);
	return err || !write ? err : mlkd_default_state_set(value);
}

static struct ctl_table table[] = {
	{
		.procname = "max_wired",
		.data = &mlkd_max_wired,
		.maxlen = sizeof(mlkd_max_wired),
		.mode = 0644,
		.proc_handler = proc_doulongvec_minmax,
	},
	{
		.procname = "unprivileged_mlock",
		.data = &mlkd_unprivileged_mlock,
		.maxlen = sizeof(mlkd_unprivileged_mlock),
		.mode = 0644,
		.proc_handler = proc_dointvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE,
	},
	{
		.procname = "old_mlock",
		.data = &mlkd_old_mlock,
		.maxlen = sizeof(mlkd_old_mlock),
		.mode = 0644,
		.proc_handler = proc_dointvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE,
	},
	{
		.procname = "server_timeout",
		.data = &mlkd_server_timeout,
		.maxlen = sizeof(mlkd_server_timeout),
		.mode = 0644,
		.proc_handler = proc_dointvec_minmax,
		.extra1 = SYSCTL_ONE,
	},
	{
		.procname = "default_state",
		.mode = 0644,
		.proc_handler = do_default_state,
	},
	{
		.procname = "wired",
		.mode = 0444,
		.proc_handler = show_count,
		.extra2 = mlkd_wired_now,
	},
	{
		.procname = "wired_peak",
		.mode = 0444,
		.proc_handler = show_count,
		.extra2 = mlkd_wired_peak,
	},
	MLKD_CTL_TABLE_END
};

static struct ctl_table_header *header;

int __init mlkd_sysctl_init(void)
{
	if (!mlkd_max_wired)
		mlkd_max_wired = totalram_pages() / 4 * 3;
	mlkd_unprivileged_mlock = !!mlkd_unprivileged_mlock;
	mlkd_old_mlock = !!mlkd_old_mlock;
	mlkd_server_timeout = max(mlkd_server_timeout, 1);
	header = register_sysctl("vm/memlockd", table);
	return header ? 0 : -ENOMEM;
}

void mlkd_sysctl_exit(void)
{
	unregister_sysctl_table(header);
}
