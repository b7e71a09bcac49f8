// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the numbers of <linux/memlockd.h> are called.
 */
#include <stdio.h>

#include "internal.h"

/* A newer driver may say what this library does not know. */
#define NAME_OF(names, i)	((i) < ARRAY_SIZE(names) ? (names)[i] : "unknown")

const char *memlockd_state_name(unsigned int state)
{
	static const char *const names[] = { "unlocked", "locked", "superlocked" };

	return NAME_OF(names, state);
}

const char *memlockd_kind_name(unsigned int kind)
{
	static const char *const names[] = {
		[MEMLOCKD_KIND_ANON] = "anon",
		[MEMLOCKD_KIND_FILE_PRIVATE] = "file_private",
		[MEMLOCKD_KIND_FILE_SHARED] = "file_shared",
		[MEMLOCKD_KIND_SHMEM] = "shmem",
		[MEMLOCKD_KIND_HUGETLB] = "hugetlb",
		[MEMLOCKD_KIND_SECRETMEM] = "secretmem",
		[MEMLOCKD_KIND_SPECIAL] = "special",
	};

	return NAME_OF(names, kind);
}

const char *memlockd_reason_name(unsigned int reason)
{
	static const char *const names[] = {
		[MEMLOCKD_REASON_NONE] = "none",
		[MEMLOCKD_REASON_NOT_COVERED] = "not_covered",
		[MEMLOCKD_REASON_DROPPED] = "dropped",
		[MEMLOCKD_REASON_NO_ACCESS] = "no_access",
		[MEMLOCKD_REASON_DEVICE] = "device",
		[MEMLOCKD_REASON_KERNEL] = "kernel",
		[MEMLOCKD_REASON_DAX] = "dax",
		[MEMLOCKD_REASON_DROPPABLE] = "droppable",
		[MEMLOCKD_REASON_USERFAULTFD] = "userfaultfd",
		[MEMLOCKD_REASON_END_OF_FILE] = "end_of_file",
		[MEMLOCKD_REASON_WRITEBACK] = "writeback",
		[MEMLOCKD_REASON_SHARED] = "shared",
		[MEMLOCKD_REASON_NOT_PRESENT] = "not_present",
		[MEMLOCKD_REASON_NOT_PINNED] = "not_pinned",
		[MEMLOCKD_REASON_LIMIT] = "limit",
		[MEMLOCKD_REASON_SERVER] = "server",
	};

	return NAME_OF(names, reason);
}

const char *memlockd_reason_text(unsigned int reason)
{
	static const char *const texts[] = {
		[MEMLOCKD_REASON_NONE] = "",
		[MEMLOCKD_REASON_NOT_COVERED] = "not covered by a lock",
		[MEMLOCKD_REASON_DROPPED] = "the process unlocked it",
		[MEMLOCKD_REASON_NO_ACCESS] = "no access (PROT_NONE)",
		[MEMLOCKD_REASON_DEVICE] = "device memory",
		[MEMLOCKD_REASON_KERNEL] = "the kernel's own page",
		[MEMLOCKD_REASON_DAX] = "persistent memory",
		[MEMLOCKD_REASON_DROPPABLE] = "meant to be dropped",
		[MEMLOCKD_REASON_USERFAULTFD] = "waits for its userfaultfd monitor",
		[MEMLOCKD_REASON_END_OF_FILE] = "reaches behind the end of its file",
		[MEMLOCKD_REASON_WRITEBACK] = "writeback write-protects it",
		[MEMLOCKD_REASON_SHARED] = "shared: present, but may be migrated",
		[MEMLOCKD_REASON_NOT_PRESENT] = "not all present",
		[MEMLOCKD_REASON_NOT_PINNED] = "not all pinned: try sync",
		[MEMLOCKD_REASON_LIMIT] = "beyond its RLIMIT_MEMLOCK",
		[MEMLOCKD_REASON_SERVER] = "its file system does not answer",
	};

	return NAME_OF(texts, reason);
}

const char *memlockd_cause_name(unsigned int cause)
{
	static const char *const names[] = {
		[MEMLOCKD_CAUSE_NONE] = "none",
		[MEMLOCKD_CAUSE_USERFAULTFD] = "userfaultfd",
		[MEMLOCKD_CAUSE_KERNEL] = "kernel",
		[MEMLOCKD_CAUSE_DEVICE] = "device",
		[MEMLOCKD_CAUSE_NOT_MAPPED] = "not_mapped",
		[MEMLOCKD_CAUSE_SWAPPED] = "swapped",
		[MEMLOCKD_CAUSE_MIGRATION] = "migration",
		[MEMLOCKD_CAUSE_NUMA] = "numa",
		[MEMLOCKD_CAUSE_COPY_ON_WRITE] = "copy_on_write",
		[MEMLOCKD_CAUSE_WRITEBACK] = "writeback",
		[MEMLOCKD_CAUSE_WRITE_PROTECTED] = "write_protected",
		[MEMLOCKD_CAUSE_FLAGS] = "flags",
	};

	return NAME_OF(names, cause);
}

const char *memlockd_cause_text(unsigned int cause)
{
	static const char *const texts[] = {
		[MEMLOCKD_CAUSE_NONE] = "",
		[MEMLOCKD_CAUSE_USERFAULTFD] = "its userfaultfd monitor wants to know",
		[MEMLOCKD_CAUSE_KERNEL] = "a page of the kernel's own, not mapped so far",
		[MEMLOCKD_CAUSE_DEVICE] = "its device maps it at an access",
		[MEMLOCKD_CAUSE_NOT_MAPPED] = "not mapped: not touched, or taken away",
		[MEMLOCKD_CAUSE_SWAPPED] = "in swap space",
		[MEMLOCKD_CAUSE_MIGRATION] = "being moved",
		[MEMLOCKD_CAUSE_NUMA] = "NUMA balancing looks who uses it",
		[MEMLOCKD_CAUSE_COPY_ON_WRITE] = "copied when written to",
		[MEMLOCKD_CAUSE_WRITEBACK] = "written back: its file system is told of writes",
		[MEMLOCKD_CAUSE_WRITE_PROTECTED] = "write-protected",
		[MEMLOCKD_CAUSE_FLAGS] = "the processor does not note accesses itself",
	};

	return NAME_OF(texts, cause);
}

const char *memlockd_limit_name(unsigned int limit)
{
	static const char *const names[] = {
		[MEMLOCKD_LIMIT_NONE] = "none",
		[MEMLOCKD_LIMIT_RLIMIT_MEMLOCK] = "rlimit_memlock",
		[MEMLOCKD_LIMIT_RAM] = "ram",
		[MEMLOCKD_LIMIT_MEMORY] = "memory",
		[MEMLOCKD_LIMIT_MAX_WIRED] = "max_wired",
		[MEMLOCKD_LIMIT_FUTURE] = "future",
		[MEMLOCKD_LIMIT_CGROUP] = "cgroup",
	};

	return NAME_OF(names, limit);
}

const char *memlockd_flag_name(unsigned int flag)
{
	switch (flag) {
	case MEMLOCKD_CURRENT:
		return "current";
	case MEMLOCKD_FUTURE:
		return "future";
	case MEMLOCKD_MOVABLE:
		return "movable";
	case MEMLOCKD_HEAL:
		return "heal";
	case MEMLOCKD_OWNED:
		return "owned";
	case MEMLOCKD_NEED_PROBES:
		return "need_probes";
	case MEMLOCKD_COPY_TEXT:
		return "copy_text";
	case MEMLOCKD_BYPASS:
		return "bypass";
	case MEMLOCKD_OVER_RAISE:
		return "over_raise";
	case MEMLOCKD_OVER_UNLOCKED:
		return "over_unlocked";
	default:
		return "unknown";
	}
}

const char *memlockd_match_name(unsigned int match)
{
	switch (match) {
	case MEMLOCKD_MATCH_EXECUTABLE:
		return "executable";
	case MEMLOCKD_MATCH_CGROUP:
		return "cgroup";
	case MEMLOCKD_MATCH_USER:
		return "user";
	case MEMLOCKD_MATCH_REALTIME:
		return "realtime";
	case MEMLOCKD_MATCH_IO:
		return "io";
	default:
		return "unknown";
	}
}

const char *memlockd_rule_event_name(unsigned int event)
{
	switch (event) {
	case MEMLOCKD_RULE_EXEC:
		return "exec";
	case MEMLOCKD_RULE_FORK:
		return "fork";
	case MEMLOCKD_RULE_NOW:
		return "now";
	case MEMLOCKD_RULE_SETSCHEDULER:
		return "setscheduler";
	case MEMLOCKD_RULE_IO:
		return "io";
	default:
		return "unknown";
	}
}

const char *memlockd_rule_flag_name(unsigned int flag)
{
	switch (flag) {
	case MEMLOCKD_RULE_OWNED:
		return "owned";
	case MEMLOCKD_RULE_KILL:
		return "kill";
	case MEMLOCKD_RULE_INIT:
		return "init";
	case MEMLOCKD_RULE_DEFAULT:
		return "default";
	default:
		return "unknown";
	}
}

const char *memlockd_warning_name(unsigned int warning)
{
	switch (warning) {
	case MEMLOCKD_WARNING_CAPABILITY:
		return "capability";
	case MEMLOCKD_WARNING_FORK:
		return "fork";
	case MEMLOCKD_WARNING_NO_PROBES:
		return "no_probes";
	case MEMLOCKD_WARNING_STACK:
		return "stack";
	case MEMLOCKD_WARNING_NO_GUARD:
		return "no_guard";
	default:
		return "unknown";
	}
}

const char *memlockd_event_name(unsigned int kind)
{
	switch (kind) {
	case MEMLOCKD_EVENT_FAULT:
		return "fault";
	case MEMLOCKD_EVENT_LOCKED:
		return "locked";
	case MEMLOCKD_EVENT_UNLOCKED:
		return "unlocked";
	case MEMLOCKD_EVENT_EXECED:
		return "execed";
	case MEMLOCKD_EVENT_EXITED:
		return "exited";
	case MEMLOCKD_EVENT_LIMIT:
		return "limit";
	case MEMLOCKD_EVENT_LOST:
		return "lost";
	case MEMLOCKD_EVENT_RULE_MATCHED:
		return "rule_matched";
	case MEMLOCKD_EVENT_RULE_FAILED:
		return "rule_failed";
	default:
		return "unknown";
	}
}

char *memlockd_format_size(char *buf, size_t room, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	size_t i = 0;

	while (value >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		i++;
	}
	if (bytes == MEMLOCKD_NO_LIMIT)
		snprintf(buf, room, "unlimited");
	else if (i < 2 || value >= 100 || value == (uint64_t)value)
		snprintf(buf, room, "%.0f %s", value, units[i]);
	else
		snprintf(buf, room, "%.1f %s", value, units[i]);
	return buf;
}
