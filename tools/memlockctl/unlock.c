// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl unlock, memlockctl sync: what changes a lock that is there
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "memlockctl.h"

/* Is it locked, and by nobody of the caller's user? Else that is not why it is refused. */
static bool held_by_others(struct ctl *ctl, const struct target *target)
{
	struct memlockd_holder *rows;
	unsigned int others = 0, own = 0;
	ssize_t nr, i;

	nr = memlockd_read_holders(ctl->dev, &rows, sizeof(*rows), NULL);
	for (i = 0; i < nr; i++) {
		if (rows[i].target != target->pid)
			continue;
		if (rows[i].kind == MEMLOCKD_HOLDER_USER && rows[i].uid == getuid())
			own++;
		else
			others++;
	}
	if (nr >= 0)
		free(rows);
	return others && !own;
}

void unlock_one(struct ctl *ctl, const struct target *target)
{
	unsigned int flags = ctl->options.force ? MEMLOCKD_UNLOCK_FORCE : 0;
	struct memlockd_status status = {};
	char sentence[SENTENCE_ROOM];
	struct json_object *object;
	int err;

	err = memlockd_unlock_process(ctl->dev, target_process(target), flags);
	snprintf(sentence, sizeof(sentence), "%s", memlockd_error(ctl->dev));
	if (err == -EPERM && !flags && held_by_others(ctl, target)) {
		report_error(ctl, target, err, EXIT_NOT_PERMITTED,
			     "%s (PID %d) is locked by others: memlockctl list says by whom, and with CAP_IPC_LOCK unlock --force undoes it",
			     target->name, target->pid);
		return;
	}
	/* What a program has locked, or has been restored with by CRIU, is not ours to undo. */
	if (err == -ENOENT &&
	    !memlockd_read_status(ctl->dev, target_process(target), &status, sizeof(status)) &&
	    status.out_locked) {
		report_error(ctl, target, err, EXIT_FAILED,
			     "%s (PID %d) is locked by itself: %s; memlockd holds no lock of it",
			     target->name, target->pid, size_text(status.out_locked));
		return;
	}
	if (err) {
		report_sentence(ctl, target, err, sentence);
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
