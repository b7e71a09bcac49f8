// SPDX-License-Identifier: GPL-2.0-only
/*
 * A probe on a function of our own, which tells whether probes are hit.
 *
 * An administrator can switch them off, by kernel.ftrace_enabled or by
 * /sys/kernel/debug/kprobes/enabled, and nothing tells of that.  They can still be registered
 * then; but to unregister one harms.  Where ftrace is off, Linux 6.1 leaves a flag on the
 * function that was probed; when the last probe of the machine goes, after it was switched on
 * again, ftrace finds that flag, warns, and does nothing any more until the machine is booted
 * again.  So whoever is to unregister a probe asks mlkd_canary_alive() first, and tries again
 * later.  Only the module's exit cannot wait.
 *
 * The canary is placed with the first probe, and stays until the module is unloaded.
 */
#include <linux/kprobes.h>
#include <linux/mutex.h>

#include "canary.h"

static DEFINE_MUTEX(canary_mutex);	/* taken within those of whoever has probes */
static bool placed;
static bool hit;

/* It is to be called, and not to be known to do nothing. */
static noinline void canary(void)
{
	asm volatile("");
}

static int on_canary(struct kprobe *kprobe, struct pt_regs *regs)
{
	WRITE_ONCE(hit, true);
	return 0;
}
NOKPROBE_SYMBOL(on_canary);

static struct kprobe probe;

/* Has the canary in place.  Returns 0, or as register_kprobe() does. */
int mlkd_canary_place(void)
{
	int err = 0;

	mutex_lock(&canary_mutex);
	if (!placed) {
		probe = (struct kprobe){
			.symbol_name = "memlockd:canary",
			.pre_handler = on_canary,
		};
		err = register_kprobe(&probe);
		placed = !err;
	}
	mutex_unlock(&canary_mutex);
	return err;
}

/**
 * mlkd_canary_alive - see whether probes are hit
 *
 * Return: false if the canary is in place, and is not hit.
 */
bool mlkd_canary_alive(void)
{
	bool alive = true;

	mutex_lock(&canary_mutex);
	if (placed) {
		WRITE_ONCE(hit, false);
		canary();
		alive = READ_ONCE(hit);
	}
	mutex_unlock(&canary_mutex);
	return alive;
}

/* Removes the canary.  From here on all probes can be unregistered. */
void mlkd_canary_remove(void)
{
	if (!mlkd_canary_alive())
		pr_warn("memlockd: the kernel's probes are off, and are unregistered all the same, which may leave ftrace off\n");
	mutex_lock(&canary_mutex);
	if (placed)
		unregister_kprobe(&probe);
	placed = false;
	mutex_unlock(&canary_mutex);
}
