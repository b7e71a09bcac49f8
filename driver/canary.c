// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kprobes, and one on a function of our own, which tells whether they are hit.
 *
 * An administrator can switch them off, by kernel.ftrace_enabled or by
 * /sys/kernel/debug/kprobes/enabled, and nothing tells of that.  They can still be registered
 * then; but to unregister one harms.  Where ftrace is off, Linux 6.1 leaves a flag on the
 * function that was probed; when the last probe of the machine goes, after it was switched on
 * again, ftrace finds that flag, warns, and does nothing any more until the machine is booted
 * again.  So mlkd_kprobe_unregister() looks first, and is to be called again later if it
 * refuses.  Only the module's exit cannot wait.
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

static int place(void)
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
 * mlkd_kprobe_register - register a kprobe
 * @kprobe: with @symbol_name and @pre_handler; it may have been registered before
 *
 * Return: as register_kprobe() does.
 */
int mlkd_kprobe_register(struct kprobe *kprobe)
{
	int err = place();

	if (err)
		return err;
	/* register_kprobe() refuses a probe with what an earlier registration has left in it. */
	kprobe->addr = NULL;
	kprobe->flags = 0;
	return register_kprobe(kprobe);
}

/**
 * mlkd_kprobe_unregister - unregister a kprobe
 * @kprobe: what has been registered
 *
 * Return: false if it is to be tried again later.
 */
bool mlkd_kprobe_unregister(struct kprobe *kprobe)
{
	if (!mlkd_canary_alive())
		return false;
	unregister_kprobe(kprobe);
	return true;
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
