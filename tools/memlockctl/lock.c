// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl lock, memlockctl superlock
 */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
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
		return ": free some";
	case MEMLOCKD_LIMIT_CGROUP:
		return ": raise the MemoryMax= or MemoryHigh= of its service";
	default:
		return "";
	}
}

static void report_lock_failure(struct ctl *ctl, const struct target *target, int err,
				const struct memlockd_lock *lock, const char *sentence)
{
	struct json_object *object;

	if (err != -ENOMEM) {
		report_sentence(ctl, target, err, sentence);
		return;
	}
	object = report_error(ctl, target, err, EXIT_LIMIT, "%s%s", sentence,
			      advice(lock->out_limit));
	if (object) {
		json_string(object, "limit", memlockd_limit_name(lock->out_limit));
		json_number(object, "needed", lock->out_needed);
		json_number(object, "allowed", lock->out_allowed);
	}
}

unsigned int lock_flags(const struct options *options)
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
	if (options->need_probes)
		flags |= MEMLOCKD_NEED_PROBES;
	if (options->copy_text)
		flags |= MEMLOCKD_COPY_TEXT;
	return flags | options->over_limit;
}

/* Up to where the driver grows a stack, as &memlockd_lock.stack_reserve says. */
#define STACK_MAX	(8ULL << 20)

/* What a superlock with these options grows the stack of @target to; 0: not at all. */
static uint64_t stack_reserve(struct ctl *ctl, const struct target *target, bool tell)
{
	uint64_t asked = ctl->options.stack_reserve, reserve;
	const char *why = "that is the most that memlockd grows a stack to";
	struct rlimit limit;

	if (asked == MEMLOCKD_STACK_RESERVE_NONE)
		return 0;
	if (!asked)
		asked = MEMLOCKD_STACK_RESERVE_DEFAULT;
	reserve = asked;
	if (reserve > STACK_MAX)
		reserve = STACK_MAX;
	if (!prlimit(target->pid, RLIMIT_STACK, NULL, &limit) && limit.rlim_cur < reserve) {
		reserve = limit.rlim_cur;
		why = "that is its RLIMIT_STACK";
	}
	if (tell && reserve < asked)
		report_warning(ctl, "%s (PID %d) has a stack reserve of %s, not of %s: %s",
			       target->name, target->pid, size_text(reserve), size_text(asked),
			       why);
	return reserve;
}

/* The signals that end a lock are held back: see lock_target(). */
static int lock_raised(struct ctl *ctl, const struct target *target, struct memlockd_lock *lock)
{
	const struct options *options = &ctl->options;
	char sentence[SENTENCE_ROOM];
	struct memlockd_memlock old;
	int raised = 0, err;

	if (options->raise_limit) {
		raised = memlockd_raise_limit(ctl->dev, target->pid, options->limit, &old);
		if (raised < 0) {
			report_failure(ctl, target, raised);
			return raised;
		}
	}
	err = lock_interruptibly(ctl, target, lock, sentence);
	if (!err)
		return 0;
	report_lock_failure(ctl, target, err, lock, sentence);
	/* What fails changes nothing. */
	if (raised > 0)
		memlockd_restore_limit(ctl->dev, target->pid, &old);
	return err;
}

/* What the lock may cost the process later. */
static void report_costs(struct ctl *ctl, const struct target *target,
			 const struct memlockd_lock *lock)
{
	struct memlockd_status status;

	if ((lock->out_warnings & MEMLOCKD_WARNING_CAPABILITY) &&
	    !memlockd_read_status(ctl->dev, target_process(target), &status, sizeof(status)))
		report_warning(ctl, "%s (PID %d) has %s locked, and its RLIMIT_MEMLOCK is %s: should it drop its CAP_IPC_LOCK, each later mmap(2) fails: prevent that with --raise-limit or --over-limit=raise",
			       target->name, target->pid, size_text(lock->out_locked),
			       size_text(status.out_memlock_limit));
	if (lock->out_warnings & MEMLOCKD_WARNING_FORK)
		report_warning(ctl, "%s (PID %d) has %s pinned, which its fork(2) would copy, and there is room for %s: the OOM killer may come: lock it with --movable, or give it memory",
			       target->name, target->pid, size_text(lock->out_fork_copy),
			       size_text(lock->out_fork_room));
}

bool lock_target(struct ctl *ctl, const struct target *target, unsigned int state,
		 struct memlockd_lock *lock)
{
	int err;

	*lock = (struct memlockd_lock){
		.state = state,
		.flags = lock_flags(&ctl->options),
		.stack_reserve = ctl->options.stack_reserve,
	};
	/* From the limit that is raised to the limit that is put back, or the lock. */
	signals_hold();
	err = lock_raised(ctl, target, lock);
	signals_let_go();
	if (err)
		return false;
	if (state == MEMLOCKD_STATE_SUPERLOCKED)
		stack_reserve(ctl, target, true);
	report_costs(ctl, target, lock);
	if (lock->out_warnings & MEMLOCKD_WARNING_NO_PROBES)
		report_warning(ctl, "%s (PID %d) is locked, but the kernel's probes are off (kernel.ftrace_enabled, /sys/kernel/debug/kprobes/enabled): what it maps later is not pinned",
			       target->name, target->pid);
	if (lock->out_warnings & MEMLOCKD_WARNING_STACK)
		report_warning(ctl, "%s (PID %d) has less of a stack reserve than %s, as its RLIMIT_MEMLOCK has no room for more: raise that with --raise-limit or LimitMEMLOCK=",
			       target->name, target->pid,
			       size_text(MEMLOCKD_STACK_RESERVE_DEFAULT));
	return true;
}

static void print_lock(const struct target *target, const struct memlockd_lock *lock,
		       const struct sizes *sizes, uint64_t ns)
{
	char duration[16], text[80];

	printf("%s (PID %d) is %s now: %s kept in memory, %s pinned, in %s\n", target->name,
	       target->pid, text_lock(text, sizeof(text), lock->state, lock->flags),
	       size_text(sizes->kept), size_text(lock->out_pinned),
	       text_duration(duration, sizeof(duration), ns));
	if (sizes->reserved)
		printf("%s more of its address space has nothing in it, and takes no memory\n",
		       size_text(sizes->reserved));
	if (sizes->incomplete)
		printf("%u of its %s %s less than that: memlockctl maps %d marks %s, and says why\n",
		       sizes->incomplete, count_text(lock->out_mappings, "mapping"),
		       sizes->incomplete == 1 ? "has" : "have", target->pid,
		       sizes->incomplete == 1 ? "it" : "them");
	else if (lock->out_mappings == 1)
		puts("its one mapping has that");
	else
		printf("all of its %u mappings have that\n", lock->out_mappings);
}

static bool lock_and_tell(struct ctl *ctl, const struct target *target, unsigned int state)
{
	uint64_t begin = now_ns(), duration;
	struct memlockd_lock lock;
	struct json_object *object;
	struct sizes sizes;

	if (!lock_target(ctl, target, state, &lock))
		return false;
	duration = now_ns() - begin;
	if (!maps_sizes(ctl, target, state, &sizes))
		sizes = (struct sizes){ lock.out_locked, 0, lock.out_incomplete };
	if (report_text(ctl))
		print_lock(target, &lock, &sizes, duration);
	object = report_process(ctl, target);
	if (object) {
		json_string(object, "state", memlockd_state_name(state));
		json_flags(object, lock.flags);
		json_number(object, "mappings", lock.out_mappings);
		json_number(object, "incomplete", sizes.incomplete);
		json_number(object, "locked", lock.out_locked);
		json_number(object, "kept", sizes.kept);
		json_number(object, "reserved", sizes.reserved);
		json_number(object, "pinned", lock.out_pinned);
		json_warnings(object, lock.out_warnings);
		json_number(object, "fork_copy", lock.out_fork_copy);
		json_number(object, "fork_room", lock.out_fork_room);
		json_number(object, "duration_ns", duration);
		if (state == MEMLOCKD_STATE_SUPERLOCKED)
			json_number(object, "stack_reserve", stack_reserve(ctl, target, false));
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
		ctl->superlocked = true;
}
