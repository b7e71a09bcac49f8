/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmemlockd - lock or superlock the memory of a process, from C and C++
 *
 * A thin layer above the ioctls of /dev/memlockd: it fills the structures in,
 * fetches all rows where there are many, and says in a sentence why a call has
 * failed.  What the states, flags and fields mean stands in <linux/memlockd.h>;
 * libmemlockd(3) has an example.
 *
 * Return values: a call returns 0 or a count, or a negative errno; the errno
 * variable itself means nothing.  memlockd_error() then has the sentence.
 *
 * Structures that the driver fills are those of <linux/memlockd.h>.  They may
 * grow, so that calls take the size that the caller was compiled with; pass
 * sizeof().
 *
 * Threads: a handle is used by one thread at a time.  A process may have many.
 */
#ifndef LIBMEMLOCKD_H
#define LIBMEMLOCKD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/memlockd.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct memlockd - an open device
 *
 * The locks that are asked for through it are held by it.  After
 * memlockd_close() those with MEMLOCKD_OWNED are gone; the others are held by
 * the user.
 */
struct memlockd;

/**
 * struct memlockd_process - how a call names a process
 * @type: &enum memlockd_target_type
 * @id: as @type says
 */
struct memlockd_process {
	uint32_t type;
	int32_t id;
};

/* The caller itself. */
static inline struct memlockd_process memlockd_self(void)
{
	struct memlockd_process process = { MEMLOCKD_TARGET_PID, 0 };

	return process;
}

static inline struct memlockd_process memlockd_pid(pid_t pid)
{
	struct memlockd_process process = { MEMLOCKD_TARGET_PID, pid };

	return process;
}

/* A file descriptor of pidfd_open(2): it cannot come to mean another process. */
static inline struct memlockd_process memlockd_pidfd(int fd)
{
	struct memlockd_process process = { MEMLOCKD_TARGET_PIDFD, fd };

	return process;
}

/* A file descriptor of /proc/PID/mem: who could open that needs no CAP_SYS_PTRACE. */
static inline struct memlockd_process memlockd_proc_mem(int fd)
{
	struct memlockd_process process = { MEMLOCKD_TARGET_PROC_MEM, fd };

	return process;
}

/**
 * memlockd_open() - open /dev/memlockd
 * @handle: set to the handle, or to NULL when there is no memory for one
 *
 * A handle comes back even when the device cannot be opened, so that
 * memlockd_error() can say why; every other call with it fails with -EBADF.
 *
 * Return: 0; -ENOENT, -ENODEV or -ENXIO when the module is not loaded; -EACCES
 * or -EPERM when the caller may not open the device; or another negative errno.
 */
int memlockd_open(struct memlockd **handle);

/**
 * memlockd_close() - close the device, free the handle
 * @m: the handle, or NULL
 */
void memlockd_close(struct memlockd *m);

/* The file descriptor of the device, for ioctls of one's own; it stays the handle's. */
int memlockd_fd(const struct memlockd *m);

/**
 * memlockd_error() - why the last call with this handle has failed
 * @m: the handle; NULL stands for what memlockd_open() could not make
 *
 * Return: a sentence without a dot at its end, in English, valid until the next
 * call with the handle; an empty string when that call succeeded.
 */
const char *memlockd_error(const struct memlockd *m);

/**
 * memlockd_superlock() - superlock a process: no page fault, now and in future
 * @m: the handle
 * @process: the process
 *
 * memlockd_lock_process() with what most callers want.
 *
 * Return: 0 or a negative errno.
 */
int memlockd_superlock(struct memlockd *m, struct memlockd_process process);

/**
 * memlockd_lock_process() - lock the address space of a process
 * @m: the handle
 * @process: the process
 * @lock: in: @state, @flags and @stack_reserve; out: the rest.  Without
 *	MEMLOCKD_CURRENT and MEMLOCKD_FUTURE both are taken.
 * @size: sizeof(*lock)
 *
 * Return: 0; -ENOMEM when a limit would be exceeded: &memlockd_lock.out_limit
 * says which, out_needed and out_allowed how much; or another negative errno.  A
 * call that fails has changed nothing.
 */
int memlockd_lock_process(struct memlockd *m, struct memlockd_process process,
			  struct memlockd_lock *lock, size_t size);

/**
 * memlockd_unlock_process() - undo the caller's lock of a process
 * @m: the handle
 * @process: the process
 * @flags: &enum memlockd_unlock_flags, or 0
 *
 * Return: 0; -ENOENT when it is not locked; -EPERM when only others hold locks
 * of it; or another negative errno.
 */
int memlockd_unlock_process(struct memlockd *m, struct memlockd_process process,
			    unsigned int flags);

/**
 * memlockd_sync_process() - lock what has appeared since and is not locked yet
 * @m: the handle
 * @process: the process
 * @sync: filled in; may be NULL
 * @size: sizeof(*sync)
 *
 * Return: 0; -ENOENT when it is not locked; or another negative errno.
 */
int memlockd_sync_process(struct memlockd *m, struct memlockd_process process,
			  struct memlockd_sync *sync, size_t size);

/**
 * memlockd_read_status() - what a process has, and its page faults since
 * @m: the handle
 * @process: the process
 * @status: filled in; what the driver does not know is 0
 * @size: sizeof(*status)
 *
 * Return: 0 or a negative errno.
 */
int memlockd_read_status(struct memlockd *m, struct memlockd_process process,
			 struct memlockd_status *status, size_t size);

/**
 * memlockd_read_info() - what the driver can do, and how much of it is in use
 * @m: the handle
 * @info: filled in; what the driver does not know is 0
 * @size: sizeof(*info)
 *
 * Return: 0 or a negative errno.
 */
int memlockd_read_info(struct memlockd *m, struct memlockd_info *info, size_t size);

/**
 * memlockd_read_mappings() - all mappings of a process
 * @m: the handle
 * @process: the process
 * @rows: set to an array, in the order of addresses, for free(3)
 * @row_size: sizeof(**rows)
 *
 * Where the caller may not see the addresses of the process, they are as
 * MEMLOCKD_MAPPINGS_HIDDEN says.
 *
 * Return: the number of rows, or a negative errno.
 */
ssize_t memlockd_read_mappings(struct memlockd *m, struct memlockd_process process,
			       struct memlockd_mapping **rows, size_t row_size);

/**
 * memlockd_read_holders() - all locks that are held on the machine
 * @m: the handle
 * @rows: set to an array, in the order in which they were asked for, for free(3)
 * @row_size: sizeof(**rows)
 * @warnings: set to &enum memlockd_warning, which say what none of these locks promises as
 *	things are now; or NULL.  Nothing is set when the call fails.
 *
 * Return: the number of rows, or a negative errno; -ENOTTY when the driver is
 * too old.
 */
ssize_t memlockd_read_holders(struct memlockd *m, struct memlockd_holder **rows,
			      size_t row_size, unsigned int *warnings);

/**
 * memlockd_subscribe() - say which events of a process are wanted
 * @m: the handle; another call replaces its subscription
 * @process: the process
 * @kinds: &enum memlockd_event_kind; 0 for no more
 * @event_size: sizeof(struct memlockd_event)
 *
 * Return: 0 or a negative errno; -ENOTTY when the driver is too old.
 */
int memlockd_subscribe(struct memlockd *m, struct memlockd_process process, unsigned int kinds,
		       size_t event_size);

/* The same, of all processes that the caller may look at. */
int memlockd_subscribe_all(struct memlockd *m, unsigned int kinds, size_t event_size);

/**
 * memlockd_read_events() - read what has happened
 * @m: the handle, which has subscribed
 * @events: where to
 * @nr: room there
 * @event_size: as it has subscribed
 *
 * Waits for an event, unless memlockd_fd() has been given O_NONBLOCK; that can be polled, too.
 *
 * Return: how many, at least 1; -EAGAIN when there is none; -EINTR; or another negative errno.
 */
ssize_t memlockd_read_events(struct memlockd *m, struct memlockd_event *events, size_t nr,
			     size_t event_size);

/**
 * memlockd_lock_range() - lock a part of an address space
 * @m: the handle
 * @process: the process; memlockd_self() gets more, see below
 * @addr: first address
 * @len: length; all pages that the range has a part of are locked
 * @state: MEMLOCKD_STATE_LOCKED or MEMLOCKD_STATE_SUPERLOCKED
 *
 * For the caller itself, mlock(2) comes first: it splits the mappings at the ends
 * of the range and accounts for what is locked; then the device pins the pages.
 * Should the device refuse that, the range stays as mlock(2) has locked it.  Of
 * another process there is no way to split: <linux/memlockd.h> says what follows.
 *
 * Return: 0; -ENOMEM when a part is not mapped or a limit would be exceeded;
 * -EPERM, -EAGAIN as from mlock(2); -EINVAL for another state or a range that
 * wraps around; -EOPNOTSUPP for a part of a shared mapping of another process; or
 * another negative errno.
 */
int memlockd_lock_range(struct memlockd *m, struct memlockd_process process,
			uint64_t addr, uint64_t len, unsigned int state);

/**
 * memlockd_unlock_range() - unlock a part of an address space
 * @m: the handle
 * @process: the process; for memlockd_self() munlock(2) is called as well
 * @addr: first address
 * @len: length
 *
 * Return: 0; -ENOENT where no range is locked; -ENOMEM when a part is not mapped;
 * or another negative errno.
 */
int memlockd_unlock_range(struct memlockd *m, struct memlockd_process process,
			  uint64_t addr, uint64_t len);

/**
 * memlockd_rule_add() - add a rule, by which processes are locked without being asked for
 * @m: the handle
 * @rule: in: all but the out_ fields, as <linux/memlockd.h> has them
 * @size: sizeof(*rule)
 *
 * Return: 0, and @out_id is the number of the rule; or a negative errno.
 */
int memlockd_rule_add(struct memlockd *m, struct memlockd_rule *rule, size_t size);

/**
 * memlockd_rule_del() - take a rule away, and the locks that processes have by it
 * @m: the handle
 * @id: the number of the rule
 *
 * Return: 0; -ENOENT when there is no such rule; or another negative errno.
 */
int memlockd_rule_del(struct memlockd *m, uint64_t id);

/**
 * memlockd_read_rules() - all rules
 * @m: the handle
 * @rows: set to an array, in the order in which they were added, for free(3)
 * @row_size: sizeof(**rows)
 *
 * Return: the number of rows, or a negative errno.
 */
ssize_t memlockd_read_rules(struct memlockd *m, struct memlockd_rule_row **rows,
			    size_t row_size);

/* RLIMIT_MEMLOCK without a limit. */
#define MEMLOCKD_NO_LIMIT	UINT64_MAX

/**
 * struct memlockd_memlock - both halves of a RLIMIT_MEMLOCK
 * @soft: the limit that applies
 * @hard: what the process itself may raise it to
 */
struct memlockd_memlock {
	uint64_t soft;
	uint64_t hard;
};

/**
 * memlockd_raise_limit() - raise a process's RLIMIT_MEMLOCK with prlimit(2)
 * @m: the handle
 * @pid: the process
 * @bytes: what it has to allow, or MEMLOCKD_NO_LIMIT
 * @old: set to what it was, for memlockd_restore_limit(); may be NULL
 *
 * Never lowers a limit.
 *
 * Return: 1 when it was raised, 0 when it allowed as much already; -EPERM when
 * the caller has not CAP_SYS_RESOURCE; or another negative errno.
 */
int memlockd_raise_limit(struct memlockd *m, pid_t pid, uint64_t bytes,
			 struct memlockd_memlock *old);

/* Undo memlockd_raise_limit(). */
int memlockd_restore_limit(struct memlockd *m, pid_t pid, const struct memlockd_memlock *old);

/*
 * Names for people and for JSON, in lower case, such as "superlocked",
 * "file_private", "not_pinned", "rlimit_memlock"; "unknown" for what a newer driver
 * may say.  Strings that last for ever.
 */
const char *memlockd_state_name(unsigned int state);
const char *memlockd_kind_name(unsigned int kind);
const char *memlockd_reason_name(unsigned int reason);
const char *memlockd_cause_name(unsigned int cause);
const char *memlockd_limit_name(unsigned int limit);
/* Of one bit of &enum memlockd_lock_flags. */
const char *memlockd_flag_name(unsigned int flag);
/* One of &enum memlockd_event_kind. */
const char *memlockd_event_name(unsigned int kind);
/* Of one bit of &enum memlockd_match, &enum memlockd_rule_event, &enum memlockd_rule_flags. */
const char *memlockd_match_name(unsigned int match);
const char *memlockd_rule_event_name(unsigned int event);
const char *memlockd_rule_flag_name(unsigned int flag);
/* Of one bit of &enum memlockd_warning. */
const char *memlockd_warning_name(unsigned int warning);
/* A reason in a few words; empty for MEMLOCKD_REASON_NONE. */
const char *memlockd_reason_text(unsigned int reason);
/* The same of a cause; empty for MEMLOCKD_CAUSE_NONE. */
const char *memlockd_cause_text(unsigned int cause);

/**
 * memlockd_format_size() - bytes for people: "512 KiB", "48.2 MiB", "unlimited"
 * @buf: where to
 * @room: its size; 16 is enough
 * @bytes: how many; MEMLOCKD_NO_LIMIT is "unlimited"
 *
 * Return: @buf.
 */
char *memlockd_format_size(char *buf, size_t room, uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* LIBMEMLOCKD_H */
