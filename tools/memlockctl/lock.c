// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl lock, memlockctl superlock
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "memlockctl.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* What to do about a limit; the library has said which it was. */
static const char *advice(unsigned int limit)
{
	switch (limit) {
	case MEMLOCKD_LIMIT_RLIMIT_MEMLOCK:
		return ": raise it with --raise-limit or LimitMEMLOCK=";
	case MEMLOCKD_LIMIT_FUTURE:
		return ": raise that first, with --raise-limit";
	case MEMLOCKD_LIMIT_RAM:
		return ": it has mapped too much to be locked whole";
	case MEMLOCKD_LIMIT_MAX_WIRED:
		return ": unlock something (memlockctl list), or raise that";
	case MEMLOCKD_LIMIT_MEMORY:
		return ": free some, or raise the MemoryMax= of its service";
	default:
		return "";
	}
}

static void report_lock_failure(struct ctl *ctl, const struct target *target, int err,
				const struct memlockd_lock *lock)
{
	struct json_object *object;

	if (err != -ENOMEM) {
		report_failure(ctl, target, err);
		return;
	}
	object = report_error(ctl, target, err, EXIT_LIMIT, "%s%s", memlockd_error(ctl->dev),
			      advice(lock->out_limit));
	if (object) {
		json_string(object, "limit", memlockd_limit_name(lock->out_limit));
		json_number(object, "needed", lock->out_needed);
		json_number(object, "allowed", lock->out_allowed);
	}
}

static unsigned int lock_flags(const struct options *options)
{
	unsigned int flags = 0;

	if (!options->future)
		flags |= MEMLOCKD_CURRENT;
	if (!options->current)
		flags |= MEMLOCKD_FUTURE;
	if (options->movable)
		flags |= MEMLOCKD_MOVABLE;
	if (options->heal)
		flags |= MEMLOCKD_HEAL;
	if (options->owned)
		flags |= MEMLOCKD_OWNED;
	if (options->bypass)
		flags |= MEMLOCKD_BYPASS;
	return flags;
}

bool lock_target(struct ctl *ctl, const struct target *target, unsigned int state,
		 struct memlockd_lock *lock)
{
	const struct options *options = &ctl->options;
	struct memlockd_memlock old;
	int raised = 0, err;

	*lock = (struct memlockd_lock){
		.state = state,
		.flags = lock_flags(options),
		.stack_reserve = options->stack_reserve,
	};
	if (options->raise_limit) {
		raised = memlockd_raise_limit(ctl->dev, target->pid, options->limit, &old);
		if (raised < 0) {
			report_failure(ctl, target, raised);
			return false;
		}
	}
	err = lock_with_progress(ctl, target, lock);
	if (!err)
		return true;
	report_lock_failure(ctl, target, err, lock);
	/* What fails changes nothing. */
	if (raised > 0)
		memlockd_restore_limit(ctl->dev, target->pid, &old);
	return false;
}

static void print_lock(const struct target *target, const struct memlockd_lock *lock, uint64_t ns)
{
	char duration[16], flags[64];

	text_mode(flags, sizeof(flags), lock->flags);
	printf("%s (PID %d) is %s%s%s now: %s locked, %s pinned, in %s\n", target->name,
	       target->pid, text_state(lock->state), *flags ? "|" : "", flags,
	       size_text(lock->out_locked), size_text(lock->out_pinned),
	       text_duration(duration, sizeof(duration), ns));
	if (lock->out_incomplete)
		printf("%u of its %u mappings %s less than that: memlockctl maps %d says which, and why\n",
		       lock->out_incomplete, lock->out_mappings,
		       lock->out_incomplete == 1 ? "has" : "have", target->pid);
	else
		printf("all of its %u mappings have that\n", lock->out_mappings);
}

static bool lock_and_tell(struct ctl *ctl, const struct target *target, unsigned int state)
{
	uint64_t begin = now_ns(), duration;
	struct memlockd_lock lock;
	struct json_object *object;

	if (!lock_target(ctl, target, state, &lock))
		return false;
	duration = now_ns() - begin;
	if (report_text(ctl))
		print_lock(target, &lock, duration);
	object = report_process(ctl, target);
	if (object) {
		json_string(object, "state", memlockd_state_name(state));
		json_flags(object, lock.flags);
		json_number(object, "mappings", lock.out_mappings);
		json_number(object, "incomplete", lock.out_incomplete);
		json_number(object, "locked", lock.out_locked);
		json_number(object, "pinned", lock.out_pinned);
		json_number(object, "duration_ns", duration);
	}
	return true;
}

void lock_one(struct ctl *ctl, const struct target *target)
{
	lock_and_tell(ctl, target, MEMLOCKD_STATE_LOCKED);
}

void superlock_one(struct ctl *ctl, const struct target *target)
{
	if (lock_and_tell(ctl, target, MEMLOCKD_STATE_SUPERLOCKED))
		compaction_check(ctl);
}
