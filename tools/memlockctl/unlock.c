// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl unlock, memlockctl sync: what changes a lock that is there
 */
#include <errno.h>
#include <stdio.h>

#include "memlockctl.h"

void unlock_one(struct ctl *ctl, const struct target *target)
{
	unsigned int flags = ctl->options.force ? MEMLOCKD_UNLOCK_FORCE : 0;
	struct memlockd_status status = {};
	struct json_object *object;
	int err;

	err = memlockd_unlock_process(ctl->dev, target_process(target), flags);
	if (err == -EPERM && !memlockd_read_status(ctl->dev, target_process(target), &status,
						   sizeof(status)) && status.out_holders) {
		report_error(ctl, target, err, EXIT_NOT_PERMITTED,
			     "%s (PID %d) is locked by others: memlockctl list says by whom, unlock --force undoes it",
			     target->name, target->pid);
		return;
	}
	if (err) {
		report_failure(ctl, target, err);
		return;
	}
	/* Who has ended meanwhile is unlocked. */
	memlockd_read_status(ctl->dev, target_process(target), &status, sizeof(status));
	if (report_text(ctl)) {
		if (status.out_state == MEMLOCKD_STATE_UNLOCKED)
			printf("%s (PID %d) is unlocked now\n", target->name, target->pid);
		else
			printf("%s (PID %d) is still %s, as others have asked for it: memlockctl list says who\n",
			       target->name, target->pid, text_state(status.out_state));
	}
	object = report_process(ctl, target);
	if (object) {
		json_string(object, "state", memlockd_state_name(status.out_state));
		json_number(object, "holders", status.out_holders);
	}
}

void sync_one(struct ctl *ctl, const struct target *target)
{
	struct json_object *object;
	struct memlockd_sync sync;
	int err;

	err = memlockd_sync_process(ctl->dev, target_process(target), &sync, sizeof(sync));
	if (err) {
		report_failure(ctl, target, err);
		return;
	}
	if (report_text(ctl))
		printf("%s (PID %d): %s more locked, %s more pinned\n", target->name, target->pid,
		       size_text(sync.out_locked), size_text(sync.out_pinned));
	object = report_process(ctl, target);
	if (object) {
		json_number(object, "locked", sync.out_locked);
		json_number(object, "pinned", sync.out_pinned);
	}
}
