// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockd - lock another process's whole address space in memory
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "canary.h"
#include "client.h"
#include "guard.h"
#include "probe.h"
#include "heal.h"
#include "ioctl.h"
#include "life.h"
#include "sysctl.h"
#include "pgtable.h"
#include "pin.h"
#include "rule.h"
#include "space.h"
#include "target.h"
#include "wired.h"

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = mlkd_open,
	.release = mlkd_release,
	.read = mlkd_read,
	.poll = mlkd_poll,
	.unlocked_ioctl = mlkd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "memlockd",
	.fops = &fops,
	.mode = 0600,
};

static int __init memlockd_init(void)
{
	int err;

	mlkd_pgtable_init();
	err = mlkd_targets_init();
	if (err)
		return err;
	err = mlkd_pins_init();
	if (err)
		return err;
	err = mlkd_spaces_init();
	if (err)
		goto out_pins;
	err = mlkd_clients_init();
	if (err)
		goto out_spaces;
	err = mlkd_heal_init();
	if (err)
		goto out_clients;
	err = mlkd_probes_init();
	if (err)
		goto out_heal;
	mlkd_guards_init();
	mlkd_rules_init();
	err = mlkd_sysctl_init();
	if (err)
		goto out_rules;
	err = misc_register(&device);
	if (err)
		goto out_sysctl;
	return 0;

out_sysctl:
	mlkd_sysctl_exit();
	mlkd_wired_exit();
out_rules:
	mlkd_rules_exit();
	mlkd_probes_exit();
out_heal:
	mlkd_heal_exit();
out_clients:
	mlkd_clients_exit();
out_spaces:
	mlkd_spaces_exit();
out_pins:
	mlkd_pins_exit();
	return err;
}

static void __exit memlockd_exit(void)
{
	misc_deregister(&device);
	mlkd_sysctl_exit();
	mlkd_canary_remove();
	mlkd_rules_exit();
	mlkd_wired_exit();
	mlkd_life_exit();
	mlkd_guards_exit();
	mlkd_probes_exit();
	mlkd_heal_exit();
	mlkd_clients_exit();
	mlkd_spaces_exit();
	mlkd_pins_exit();
}

module_init(memlockd_init);
module_exit(memlockd_exit);

MODULE_DESCRIPTION("Lock another process's whole address space in memory");
MODULE_AUTHOR("The memlockd developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(MEMLOCKD_VERSION);
