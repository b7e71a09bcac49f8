// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl status
 */
#include <stdio.h>

#include "memlockctl.h"

static void print_lock(const struct memlockd_status *status)
{
	char when[32], duration[16], who[64], flags[64];

	if (*text_mode(flags, sizeof(flags), status->out_lock_flags))
		printf("  flags        %s\n", flags);
	printf("  since        %s, in %s, by %s",
	       text_time(when, sizeof(when), status->out_lock_time_ns),
	       text_duration(duration, sizeof(duration), status->out_lock_duration_ns),
	       text_user(who, sizeof(who), status->out_locker_uid));
	if (status->out_locker_pid)
		printf(" (PID %d)", status->out_locker_pid);
	printf("\n  page faults  %llu minor, %llu major since then (what mmap and the like fill counts, too)\n",
	       (unsigned long long)status->out_lock_minor_faults,
	       (unsigned long long)status->out_lock_major_faults);
	if (status->out_healed)
		printf("  healed       %s made writable again after writeback\n",
		       count_text(status->out_healed, "page"));
	if (status->out_warnings & MEMLOCKD_WARNING_NO_PROBES)
		puts("  probes       are off: what it maps now is not pinned until memlockctl sync");
	if (status->out_holders > 1)
		printf("  holders      %u; memlockctl list says who\n", status->out_holders);
}

/* The faults that break the promise of a superlock. */
static void print_real_faults(const struct memlockd_status *status)
{
	uint64_t real = status->out_real_minor_faults + status->out_real_major_faults;
	char when[32];

	if (status->out_warnings & MEMLOCKD_WARNING_NO_GUARD) {
		puts("  real faults  cannot be told from the others on this kernel");
		return;
	}
	printf("  real faults  %llu minor, %llu major: those that broke the promise\n",
	       (unsigned long long)status->out_real_minor_faults,
	       (unsigned long long)status->out_real_major_faults);
	if (!real)
		return;
	printf("  the last     %s, a %s", text_time(when, sizeof(when), status->out_fault_time_ns),
	       text_access(status->out_fault_flags));
	if (!(status->out_fault_flags & MEMLOCKD_FAULT_HIDDEN))
		printf(" at 0x%llx by 0x%llx", (unsigned long long)status->out_fault_address,
		       (unsigned long long)status->out_fault_ip);
	if (status->out_fault_tid)
		printf(" of thread %d", status->out_fault_tid);
	putchar('\n');
}

static void print_status(const struct target *target, const struct memlockd_status *status,
			 const struct sizes *sizes)
{
	printf("%s (PID %d): %s\n", target->name, target->pid, text_state(status->out_state));
	if (sizes)
		printf("  kept         %s in memory\n", size_text(sizes->kept));
	if (sizes && sizes->reserved)
		printf("  reserved     %s more of its address space, with nothing in it\n",
		       size_text(sizes->reserved));
	printf("  VmLck        %s; its RLIMIT_MEMLOCK is %s\n", size_text(status->out_locked),
	       size_text(status->out_memlock_limit));
	if (status->out_locked && !status->out_state && !status->out_ranges)
		printf("  by itself    memlockd holds no lock of it\n");
	if (status->out_pinned || status->out_state)
		printf("  pinned       %s, with %s of bookkeeping\n", size_text(status->out_pinned),
		       size_text(status->out_bookkeeping));
	if (status->out_ranges)
		printf("  ranges       %s locked by range\n", size_text(status->out_ranges));
	if (status->out_state != MEMLOCKD_STATE_UNLOCKED)
		print_lock(status);
	if (status->out_state == MEMLOCKD_STATE_SUPERLOCKED)
		print_real_faults(status);
}

static struct json_object *last_fault(const struct memlockd_status *status)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "time_ns", status->out_fault_time_ns);
	json_number(object, "tid", status->out_fault_tid);
	json_fault(object, status->out_fault_flags, status->out_fault_address,
		   status->out_fault_ip);
	return object;
}

static void add_status(struct json_object *object, const struct memlockd_status *status,
		       const struct sizes *sizes)
{
	json_string(object, "state", memlockd_state_name(status->out_state));
	json_flags(object, status->out_lock_flags);
	json_number(object, "locked", status->out_locked);
	json_number(object, "kept", sizes ? sizes->kept : 0);
	json_number(object, "reserved", sizes ? sizes->reserved : 0);
	json_number(object, "pinned", status->out_pinned);
	json_number(object, "ranges", status->out_ranges);
	json_number(object, "bookkeeping", status->out_bookkeeping);
	json_limit(object, "memlock_limit", status->out_memlock_limit);
	json_number(object, "holders", status->out_holders);
	json_number(object, "locker_pid", status->out_locker_pid);
	json_number(object, "locker_uid", status->out_locker_uid);
	json_number(object, "lock_time_ns", status->out_lock_time_ns);
	json_number(object, "lock_duration_ns", status->out_lock_duration_ns);
	json_number(object, "minor_faults", status->out_lock_minor_faults);
	json_number(object, "major_faults", status->out_lock_major_faults);
	json_number(object, "real_minor_faults", status->out_real_minor_faults);
	json_number(object, "real_major_faults", status->out_real_major_faults);
	if (status->out_fault_time_ns)
		json_object_object_add(object, "last_fault", last_fault(status));
	json_number(object, "healed", status->out_healed);
	json_warnings(object, status->out_warnings);
}

void status_one(struct ctl *ctl, const struct target *target)
{
	struct memlockd_status status;
	const struct sizes *known = NULL;
	struct json_object *object;
	struct sizes sizes;
	int err;

	err = memlockd_read_status(ctl->dev, target_process(target), &status, sizeof(status));
	if (err) {
		report_failure(ctl, target, err);
		return;
	}
	if ((status.out_state != MEMLOCKD_STATE_UNLOCKED || status.out_ranges) &&
	    maps_sizes(ctl, target, status.out_state, &sizes))
		known = &sizes;
	if (report_text(ctl))
		print_status(target, &status, known);
	metrics_add(ctl, target, &status, known);
	object = report_process(ctl, target);
	if (object)
		add_status(object, &status, known);
	ctl->superlocked |= status.out_state == MEMLOCKD_STATE_SUPERLOCKED;
}
