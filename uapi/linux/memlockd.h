/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * memlockd - lock another process's whole address space in memory
 *
 * This is the contract between /dev/memlockd and its clients.  It can be used
 * alone, from C and from C++, by 64-bit and by 32-bit callers.
 */
#ifndef _UAPI_LINUX_MEMLOCKD_H
#define _UAPI_LINUX_MEMLOCKD_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every ioctl takes a pointer to one structure, whose first field is @size: the
 * caller sets it to the sizeof() the structure that it was compiled with.  The
 * structures grow at their ends only:
 *
 * - a smaller @size than the driver's stands for zeros in the missing fields,
 *   and the driver writes back no more than @size bytes;
 * - a larger @size, up to a page, is accepted when the bytes that the driver does
 *   not know are all zero, else the call fails with E2BIG;
 * - a @size below that of the structure's first version fails with EINVAL.
 *
 * Unknown flags, unknown enum values and non-zero reserved fields fail with
 * EINVAL.  Fields called out_* are written by the driver and ignored as input.
 * They are written on success; MEMLOCKD_IOC_LOCK and MEMLOCKD_IOC_LOCK_RANGE write
 * them on ENOMEM as well; a call that fails otherwise leaves them as they were or
 * sets them to 0.  All sizes and addresses are in bytes.
 *
 * The ioctl numbers carry no size (_IO), because the structures can grow.
 */

/**
 * DOC: Errors
 *
 * A call that fails changes nothing.
 *
 * - E2BIG: bytes behind the driver's structure are not zero: the caller wants
 *   something that this driver does not have; or @size is more than a page.
 * - EACCES, EPERM from open(2): the device's mode (0600 by default).
 * - EBADF: the target is a file descriptor, and that is not open.
 * - EDQUOT: MEMLOCKD_IOC_LOCK: through MEMLOCKD_MAX_HOLDERS (256) other open files the
 *   caller's user holds a lock of that process already.  MEMLOCKD_IOC_SUBSCRIBE:
 *   a user without CAP_IPC_LOCK has MEMLOCKD_MAX_SUBSCRIPTIONS (16) of them already, or
 *   there are 256 in all.  MEMLOCKD_IOC_RULE_ADD: there are MEMLOCKD_MAX_RULES (256) already.
 * - EFAULT: a pointer is bad.
 * - EINTR: a fatal signal ended the call; what it had done has been undone.
 * - EINVAL: @size too small, an unknown flag, state, target type, or reserved
 *   field; a stack reserve without MEMLOCKD_STATE_SUPERLOCKED; neither
 *   MEMLOCKD_CURRENT nor MEMLOCKD_FUTURE; MEMLOCKD_OVER_RAISE or
 *   MEMLOCKD_OVER_UNLOCKED without MEMLOCKD_FUTURE, or both of them;
 *   MEMLOCKD_MOVABLE with MEMLOCKD_STATE_SUPERLOCKED;
 *   MEMLOCKD_STATE_SUPERLOCKED without both of
 *   MEMLOCKD_CURRENT and MEMLOCKD_FUTURE; a file descriptor that is not what
 *   @target_type says; a range that wraps around; MEMLOCKD_RANGE_WHOLE for another
 *   address space than the caller's.
 * - ENOENT: MEMLOCKD_IOC_UNLOCK or MEMLOCKD_IOC_SYNC of a process that is not
 *   locked; MEMLOCKD_IOC_UNLOCK_RANGE where no range is locked; MEMLOCKD_IOC_RULE_DEL of
 *   a rule that is not there.
 * - ENOMEM: a limit would be exceeded (&memlockd_lock.out_limit names it and
 *   &memlockd_lock.out_needed says how much it would have to be), or memory ran
 *   out (MEMLOCKD_LIMIT_MEMORY); a range has parts that are not mapped
 *   (MEMLOCKD_LIMIT_NONE).
 * - ENOTTY: no such ioctl.
 * - EOPNOTSUPP: MEMLOCKD_IOC_LOCK_RANGE of a part of a shared mapping that is not
 *   locked by other means; MEMLOCKD_OVER_UNLOCKED, MEMLOCKD_NEED_PROBES and the events
 *   of a rule where the kernel has no probes for them; MEMLOCKD_MATCH_CGROUP where it has
 *   no cgroups.
 * - EPERM: the caller may not lock that process, or may not look at it (see
 *   below); or asks for MEMLOCKD_BYPASS or MEMLOCKD_UNLOCK_FORCE without
 *   CAP_IPC_LOCK, or for MEMLOCKD_OVER_RAISE without CAP_SYS_RESOURCE;
 *   or wants to unlock what only others hold; or is not privileged enough for rules.
 * - ESRCH: no such process; or it has exited, exits or calls execve(2) now; or
 *   it is a kernel thread.
 */

/**
 * DOC: Who may lock whom
 *
 * Asked at each call, of the caller, whoever has opened the device; and of the
 * target as it is then, so that nothing is remembered across execve(2).
 *
 * - With CAP_IPC_LOCK in the initial user namespace: the own process; processes
 *   of the same user and group (real, effective and saved IDs of the target are
 *   the caller's real ones) that are dumpable; any other one with CAP_SYS_PTRACE
 *   in its user namespace, or with a file descriptor of its /proc/PID/mem
 *   (MEMLOCKD_TARGET_PROC_MEM).
 * - Without, if vm.memlockd.unprivileged_mlock is 1: the own process and others of
 *   the same user and group, if they are dumpable and have no capability that the
 *   caller lacks: never what a set-user-ID program or one with file capabilities
 *   runs in.
 * - The superuser of another user namespace has no privilege here: memory is the
 *   machine's.
 *
 * To look is not to lock.  MEMLOCKD_IOC_STATUS, MEMLOCKD_IOC_MAPPINGS and
 * MEMLOCKD_IOC_SUBSCRIBE need no privilege for the own process and for others whose real
 * user ID is the caller's, or with a file descriptor of the process's /proc/PID/mem; for
 * any process, one of CAP_IPC_LOCK in the initial user namespace and CAP_SYS_PTRACE in
 * the process's is enough.  Where ptrace(2) would not show addresses, they are hidden
 * (MEMLOCKD_MAPPINGS_HIDDEN, MEMLOCKD_FAULT_HIDDEN).  MEMLOCKD_IOC_LIST never
 * fails for want of privilege: it leaves out what the caller may not see.
 *
 * Rules reach every process of the machine, those of other users and containers included,
 * whom MEMLOCKD_IOC_LOCK would not lock with CAP_IPC_LOCK alone.  So MEMLOCKD_IOC_RULE_ADD and
 * MEMLOCKD_IOC_RULE_DEL need CAP_IPC_LOCK and CAP_SYS_PTRACE in the initial user namespace,
 * MEMLOCKD_RULE_KILL needs CAP_KILL there as well, and MEMLOCKD_IOC_RULES one of the first two.
 */

/**
 * DOC: Who holds a lock
 *
 * A lock is held by the open file description of the device that it was asked
 * for through.  Each holder has at most one lock of a process: asking again
 * changes it.  The locks of different holders are independent: the process has
 * what the strongest of them asks for, and is unlocked when the last goes.
 *
 * When the file is closed by the last process that has it, a lock with
 * MEMLOCKD_OWNED goes: before close(2) returns, or, if that process is dying, soon
 * after its end.  One without stays, and is held by the user (the real user ID of
 * who asked for it) from then on: any client of that user can unlock it, or take
 * it over by asking for a lock.
 *
 * What a process has got from a rule is held by that rule, and goes with it.
 */

#define MEMLOCKD_IOC_MAGIC	0xB7

/* &memlockd_lock.stack_reserve: what 0 stands for, and none at all. */
#define MEMLOCKD_STACK_RESERVE_DEFAULT	0x100000ULL
#define MEMLOCKD_STACK_RESERVE_NONE	(~0ULL)

enum {
	MEMLOCKD_CMD_INFO = 0x40,
	MEMLOCKD_CMD_LOCK,
	MEMLOCKD_CMD_UNLOCK,
	MEMLOCKD_CMD_STATUS,
	MEMLOCKD_CMD_MAPPINGS,
	MEMLOCKD_CMD_SYNC,
	MEMLOCKD_CMD_LIST,
	MEMLOCKD_CMD_LOCK_RANGE,
	MEMLOCKD_CMD_UNLOCK_RANGE,
	MEMLOCKD_CMD_SUBSCRIBE,
	MEMLOCKD_CMD_RULE_ADD,
	MEMLOCKD_CMD_RULE_DEL,
	MEMLOCKD_CMD_RULES,
};

/**
 * enum memlockd_state - QNX Neutrino's three states of locked memory
 * @MEMLOCKD_STATE_UNLOCKED: memory may be paged in and out.
 * @MEMLOCKD_STATE_LOCKED: every page is present and is never paged out; a
 *	reference may still fault (after fork(2), for instance).
 * @MEMLOCKD_STATE_SUPERLOCKED: no page fault of any kind, for the whole address
 *	space, now and in the future.
 */
enum memlockd_state {
	MEMLOCKD_STATE_UNLOCKED = 0,
	MEMLOCKD_STATE_LOCKED = 1,
	MEMLOCKD_STATE_SUPERLOCKED = 2,
};

/**
 * enum memlockd_target_type - how a call names its target
 * @MEMLOCKD_TARGET_PID: a process ID in the caller's PID namespace; 0 is the
 *	caller itself.
 * @MEMLOCKD_TARGET_PIDFD: a file descriptor of pidfd_open(2) or clone(2).
 * @MEMLOCKD_TARGET_PROC_MEM: a file descriptor of /proc/PID/mem.  Whoever could
 *	open that has been through the check of ptrace(2), that of security
 *	modules included.  It names the address space, not the process: ESRCH when
 *	that has gone, by execve(2) or exit.
 */
enum memlockd_target_type {
	MEMLOCKD_TARGET_PID = 0,
	MEMLOCKD_TARGET_PIDFD = 1,
	MEMLOCKD_TARGET_PROC_MEM = 2,
};

/**
 * enum memlockd_lock_flags - what a lock covers, and how
 * @MEMLOCKD_CURRENT: the mappings that exist now (MCL_CURRENT).
 * @MEMLOCKD_FUTURE: the mappings that appear later (MCL_FUTURE).
 * @MEMLOCKD_MOVABLE: present is enough: pages are not pinned, so the kernel may
 *	still migrate them, and the process may still fork without copying them.
 *	With MEMLOCKD_STATE_LOCKED this is what mlockall(2) gives.
 * @MEMLOCKD_HEAL: files mapped shared and writable: make their pages writable at
 *	the lock, and again soon after each writeback has write-protected them.  It
 *	dirties all of these pages, fills the holes of the files, and makes each
 *	writeback write all of them; and the process may still come first.  Not done
 *	where a server would have to be waited for (FUSE, network file systems).
 * @MEMLOCKD_OWNED: the lock goes when the file that it was asked for through is
 *	closed: a supervisor that dies takes its locks along.
 * @MEMLOCKD_BYPASS: the target's RLIMIT_MEMLOCK is not applied to this call; needs
 *	CAP_IPC_LOCK in the initial user namespace.  With MEMLOCKD_FUTURE the limit
 *	must allow what is locked then all the same (MEMLOCKD_LIMIT_FUTURE): raise
 *	it with prlimit(2) first.  A MEMLOCKD_IOC_SYNC of such a lock is not held to
 *	the limit either, if its caller has CAP_IPC_LOCK as well.
 * @MEMLOCKD_OVER_RAISE: what happens to a mapping that MEMLOCKD_FUTURE would lock
 *	beyond the target's RLIMIT_MEMLOCK: it is locked.  While the lock lasts the
 *	process has no such limit, neither a soft nor a hard one, as getrlimit(2)
 *	and /proc/PID/limits show, and this lock does not meet it either.  When the
 *	last lock with this flag goes, both are what they were, unless the process
 *	or prlimit(2) has changed one meanwhile; children and their programs keep
 *	what they have inherited.  Needs CAP_SYS_RESOURCE in the initial user
 *	namespace, and MEMLOCKD_FUTURE.  Without this flag and the next one the core
 *	kernel refuses the mapping: mmap(2) and mremap(2) fail with EAGAIN, brk(2)
 *	with ENOMEM, and a stack that grows is a SIGSEGV.
 * @MEMLOCKD_OVER_UNLOCKED: likewise, but the mapping is made, and stays unlocked
 *	(MEMLOCKD_REASON_LIMIT).  MEMLOCKD_IOC_SYNC locks those of them for which
 *	there is room by then.  A stack that grows is kept in memory by pins alone,
 *	in each state, and does not count in VmLck, but counts against the limit
 *	here; what it grows by beyond that is not pinned.  Two cases are as without
 *	the flag: mremap(2) of a locked mapping that is to grow (EAGAIN), and a
 *	stack that another lock, or the process itself, had locked before.  Where
 *	others hold locks with MEMLOCKD_FUTURE, all of them have to ask for it.
 *	Needs MEMLOCKD_FUTURE, and excludes MEMLOCKD_OVER_RAISE.
 * @MEMLOCKD_COPY_TEXT: with MEMLOCKD_STATE_SUPERLOCKED: what is mapped read-only and
 *	privately of a file (program text, libraries, constants) becomes pages of the
 *	process's own, which outlast a file that is overwritten or has holes punched, and
 *	stay behind after the unlock.  Without this flag the pages of the file are held where
 *	they are, and shared with whoever maps it; but those of a file that a server has
 *	(FUSE, network file systems), those in ZONE_MOVABLE or a zone with areas of CMA,
 *	and those that stay in a list of reclaim (parts of large folios) are copied all
 *	the same.  So is what MEMLOCKD_IOC_LOCK_RANGE superlocks.
 * @MEMLOCKD_NEED_PROBES: rather fail, with EOPNOTSUPP, than lock a process whose later
 *	mappings are not pinned (MEMLOCKD_WARNING_NO_PROBES).
 */
enum memlockd_lock_flags {
	MEMLOCKD_CURRENT = 1 << 0,
	MEMLOCKD_FUTURE = 1 << 1,
	MEMLOCKD_MOVABLE = 1 << 2,
	MEMLOCKD_HEAL = 1 << 3,
	MEMLOCKD_OWNED = 1 << 4,
	MEMLOCKD_BYPASS = 1 << 5,
	MEMLOCKD_OVER_RAISE = 1 << 6,
	MEMLOCKD_OVER_UNLOCKED = 1 << 7,
	MEMLOCKD_NEED_PROBES = 1 << 8,
	MEMLOCKD_COPY_TEXT = 1 << 9,
};

/* So many locks of one process a user can hold. */
#define MEMLOCKD_MAX_HOLDERS	256

/**
 * enum memlockd_unlock_flags - what is unlocked
 * @MEMLOCKD_UNLOCK_FORCE: the locks of all holders, not only the caller's; needs
 *	CAP_IPC_LOCK in the initial user namespace.
 */
enum memlockd_unlock_flags {
	MEMLOCKD_UNLOCK_FORCE = 1 << 0,
};

/**
 * enum memlockd_limit - the limit that made MEMLOCKD_IOC_LOCK fail with ENOMEM
 * @MEMLOCKD_LIMIT_NONE: no limit was met.
 * @MEMLOCKD_LIMIT_RLIMIT_MEMLOCK: the target's RLIMIT_MEMLOCK, which counts the
 *	virtual size of what is locked.  It does not apply to a target that has
 *	CAP_IPC_LOCK, as with mlock(2).  A limit of 0 is always met, also by a lock
 *	that would lock nothing yet, as the core kernel allows no lock then.  It is met
 *	as well where only pins could hold a range, as it is a part of a mapping, and
 *	these would keep more of a huge page in memory than there is room for.
 * @MEMLOCKD_LIMIT_RAM: the machine has less memory than the target has mapped.
 * @MEMLOCKD_LIMIT_MEMORY: memory ran out.
 * @MEMLOCKD_LIMIT_MAX_WIRED: vm.memlockd.max_wired, which counts the unique
 *	physical pages that are locked through this driver, system-wide.
 * @MEMLOCKD_LIMIT_FUTURE: the target's RLIMIT_MEMLOCK is bypassed by this call, but
 *	would make each later mmap(2) and brk(2) of the target fail, as a lock with
 *	MEMLOCKD_FUTURE covers them.
 * @MEMLOCKD_LIMIT_CGROUP: memory.max or memory.high of the target's memory cgroup, or
 *	of one above it: what the target has mapped and not touched yet does not fit
 *	beside what cannot be reclaimed there.
 */
enum memlockd_limit {
	MEMLOCKD_LIMIT_NONE = 0,
	MEMLOCKD_LIMIT_RLIMIT_MEMLOCK = 1,
	MEMLOCKD_LIMIT_RAM = 2,
	MEMLOCKD_LIMIT_MEMORY = 3,
	MEMLOCKD_LIMIT_MAX_WIRED = 4,
	MEMLOCKD_LIMIT_FUTURE = 5,
	MEMLOCKD_LIMIT_CGROUP = 6,
};

/**
 * enum memlockd_warning - what a lock that has succeeded may cost later, or does not promise
 * @MEMLOCKD_WARNING_CAPABILITY: with MEMLOCKD_FUTURE: more is locked than its
 *	RLIMIT_MEMLOCK allows, and only its own CAP_IPC_LOCK waives that.  Once it
 *	drops that capability, each mmap(2), brk(2) and thread of it fails.
 * @MEMLOCKD_WARNING_FORK: a fork(2) of it would copy more pinned memory
 *	(&memlockd_lock.out_fork_copy) than there is room for
 *	(&memlockd_lock.out_fork_room), and may call the OOM killer.
 * @MEMLOCKD_WARNING_NO_PROBES: the kernel has no kprobes, or they are switched off
 *	(kernel.ftrace_enabled, /sys/kernel/debug/kprobes/enabled).  While that is so,
 *	what the process maps is not pinned until MEMLOCKD_IOC_SYNC, its own munlock(2)
 *	undoes the lock, and its madvise(2) and msync(2) notice it.
 * @MEMLOCKD_WARNING_STACK: its RLIMIT_MEMLOCK left less room than
 *	MEMLOCKD_STACK_RESERVE_DEFAULT: the stack has grown as far as there was room, and
 *	beyond that takes faults.  MEMLOCKD_IOC_SYNC tries again.
 * @MEMLOCKD_WARNING_NO_GUARD: of MEMLOCKD_STATE_SUPERLOCKED: the kernel has no tracepoints of
 *	page faults, so that the real ones are neither counted nor reported.
 */
enum memlockd_warning {
	MEMLOCKD_WARNING_CAPABILITY = 1 << 0,
	MEMLOCKD_WARNING_FORK = 1 << 1,
	MEMLOCKD_WARNING_NO_PROBES = 1 << 2,
	MEMLOCKD_WARNING_STACK = 1 << 3,
	MEMLOCKD_WARNING_NO_GUARD = 1 << 4,
};

/**
 * enum memlockd_reason - why a mapping has less than its process was promised
 * @MEMLOCKD_REASON_NONE: it has all that was promised.
 * @MEMLOCKD_REASON_NOT_COVERED: no lock covers it: it appeared after a lock
 *	without MEMLOCKD_FUTURE, it was there before one without
 *	MEMLOCKD_CURRENT, or the process is not locked at all.
 * @MEMLOCKD_REASON_DROPPED: the process itself undid the lock, with
 *	MREMAP_DONTUNMAP, or with munlock(2) where that cannot be seen (without
 *	kprobes).
 * @MEMLOCKD_REASON_NO_ACCESS: PROT_NONE, as a guard or a reserve: no page of it
 *	can be touched, so none is made present.  It is when that changes.
 * @MEMLOCKD_REASON_DEVICE: device memory (VM_IO, VM_PFNMAP): there are no pages
 *	to lock; whether an access faults is up to its driver.
 * @MEMLOCKD_REASON_KERNEL: the kernel's own pages (vdso, vvar): always in
 *	memory, and prefaulted, so not pinned.  Only where the process is in a
 *	time namespace of its own, its first look at a clock still faults: until
 *	then the clocks are NOT_PRESENT.
 * @MEMLOCKD_REASON_DAX: a file in persistent memory, mapped directly.
 * @MEMLOCKD_REASON_DROPPABLE: MAP_DROPPABLE memory, which is meant to be lost.
 * @MEMLOCKD_REASON_USERFAULTFD: a userfaultfd(2) monitor decides when its pages
 *	become present; a lock never waits for it.
 * @MEMLOCKD_REASON_END_OF_FILE: part of it lies behind the end of its file: an
 *	access there is a SIGBUS.
 * @MEMLOCKD_REASON_WRITEBACK: a file mapped shared and writable: after each
 *	writeback the file system makes the first write fault again (see
 *	MEMLOCKD_HEAL).
 * @MEMLOCKD_REASON_SHARED: a file mapped shared that a server has (FUSE, network file
 *	systems): present and never paged out, but not held, so that an access may have
 *	to wait for a migration (see vm.compact_unevictable_allowed), or be a minor
 *	fault after khugepaged has made a huge page of a part of the file.  Only said
 *	of MEMLOCKD_STATE_SUPERLOCKED.
 * @MEMLOCKD_REASON_NOT_PRESENT: some page could not be made present, or has been
 *	taken away since: an I/O error, poisoned memory, a truncated file.
 * @MEMLOCKD_REASON_NOT_PINNED: present, but not or not wholly pinned: it has
 *	changed since the lock; MEMLOCKD_IOC_SYNC pins it.  Or it is a part of a huge
 *	page that has been unmapped in parts, and what a pin would keep of the rest is
 *	beyond RLIMIT_MEMLOCK; or of a large folio of a file that is mapped shared, of
 *	which the mapping has a part, so that the kernel leaves it in a list of reclaim.
 * @MEMLOCKD_REASON_LIMIT: it would have been beyond the process's RLIMIT_MEMLOCK, and
 *	the lock has MEMLOCKD_OVER_UNLOCKED.
 * @MEMLOCKD_REASON_SERVER: some page is missing as the server of its file system (FUSE,
 *	a network) has not answered: the lock has waited some seconds and gone on without
 *	it.  MEMLOCKD_IOC_SYNC asks again.
 */
enum memlockd_reason {
	MEMLOCKD_REASON_NONE = 0,
	MEMLOCKD_REASON_NOT_COVERED = 1,
	MEMLOCKD_REASON_DROPPED = 2,
	MEMLOCKD_REASON_NO_ACCESS = 3,
	MEMLOCKD_REASON_DEVICE = 4,
	MEMLOCKD_REASON_KERNEL = 5,
	MEMLOCKD_REASON_DAX = 6,
	MEMLOCKD_REASON_DROPPABLE = 7,
	MEMLOCKD_REASON_USERFAULTFD = 8,
	MEMLOCKD_REASON_END_OF_FILE = 9,
	MEMLOCKD_REASON_WRITEBACK = 10,
	MEMLOCKD_REASON_SHARED = 11,
	MEMLOCKD_REASON_NOT_PRESENT = 12,
	MEMLOCKD_REASON_NOT_PINNED = 13,
	MEMLOCKD_REASON_LIMIT = 14,
	MEMLOCKD_REASON_SERVER = 15,
};

/**
 * enum memlockd_cause - why an access to a page would fault
 * @MEMLOCKD_CAUSE_NONE: none would.
 * @MEMLOCKD_CAUSE_USERFAULTFD: a userfaultfd(2) monitor wants to know of what is not mapped
 *	there, or of what is protected.
 * @MEMLOCKD_CAUSE_KERNEL: [vdso] or [vvar] is not mapped wholly.  Each machine has no use for
 *	some pages of [vvar], and an access to these is a SIGBUS.  Where the clocks are
 *	missing, as after a change of the time namespace, this is NOT_MAPPED instead.
 * @MEMLOCKD_CAUSE_DEVICE: device memory (VM_IO, VM_PFNMAP) that its driver maps when it is
 *	accessed.
 * @MEMLOCKD_CAUSE_NOT_MAPPED: nothing is mapped: it has not been touched so far, or has been
 *	given up or taken away since.  A page of a file or of shared memory may be in memory
 *	for all that.
 * @MEMLOCKD_CAUSE_SWAPPED: it is in swap space.
 * @MEMLOCKD_CAUSE_MIGRATION: it is being moved right now.
 * @MEMLOCKD_CAUSE_NUMA: NUMA balancing wants to know who accesses it.
 * @MEMLOCKD_CAUSE_COPY_ON_WRITE: private memory that is write-protected, as the process has it
 *	in common with others: a child of fork(2), a file, the page of zeros, KSM.  Or it had,
 *	or somebody has cleared its soft-dirty bits.
 * @MEMLOCKD_CAUSE_WRITEBACK: a shared page of a file, of which the file system wants to know
 *	when it is written to first, after each writeback anew.
 * @MEMLOCKD_CAUSE_WRITE_PROTECTED: other shared memory that is write-protected: somebody has
 *	cleared its soft-dirty bits, for instance.
 * @MEMLOCKD_CAUSE_FLAGS: the processor does not note by itself that the page has been
 *	accessed, or written to.
 */
enum memlockd_cause {
	MEMLOCKD_CAUSE_NONE = 0,
	MEMLOCKD_CAUSE_USERFAULTFD = 1,
	MEMLOCKD_CAUSE_KERNEL = 2,
	MEMLOCKD_CAUSE_DEVICE = 3,
	MEMLOCKD_CAUSE_NOT_MAPPED = 4,
	MEMLOCKD_CAUSE_SWAPPED = 5,
	MEMLOCKD_CAUSE_MIGRATION = 6,
	MEMLOCKD_CAUSE_NUMA = 7,
	MEMLOCKD_CAUSE_COPY_ON_WRITE = 8,
	MEMLOCKD_CAUSE_WRITEBACK = 9,
	MEMLOCKD_CAUSE_WRITE_PROTECTED = 10,
	MEMLOCKD_CAUSE_FLAGS = 11,
};

/**
 * enum memlockd_kind - what a mapping is made of
 * @MEMLOCKD_KIND_ANON: private memory without a file: heap, stack, malloc.
 * @MEMLOCKD_KIND_FILE_PRIVATE: a file mapped privately: text, libraries, data.
 * @MEMLOCKD_KIND_FILE_SHARED: a file mapped shared.
 * @MEMLOCKD_KIND_SHMEM: shared memory: tmpfs, memfd, System V, MAP_SHARED
 *	without a file.
 * @MEMLOCKD_KIND_HUGETLB: hugetlbfs pages, private or shared.
 * @MEMLOCKD_KIND_SECRETMEM: memfd_secret(2).
 * @MEMLOCKD_KIND_SPECIAL: device memory, vdso, vvar and the like.
 */
enum memlockd_kind {
	MEMLOCKD_KIND_ANON = 0,
	MEMLOCKD_KIND_FILE_PRIVATE = 1,
	MEMLOCKD_KIND_FILE_SHARED = 2,
	MEMLOCKD_KIND_SHMEM = 3,
	MEMLOCKD_KIND_HUGETLB = 4,
	MEMLOCKD_KIND_SECRETMEM = 5,
	MEMLOCKD_KIND_SPECIAL = 6,
};

/**
 * enum memlockd_fault_flags - what is known of a page fault
 * @MEMLOCKD_FAULT_WRITE: a write; else a read, or
 * @MEMLOCKD_FAULT_EXEC: an instruction was to be fetched.
 * @MEMLOCKD_FAULT_MAJOR: the kernel counts it as a major fault.
 * @MEMLOCKD_FAULT_KERNEL: the kernel took it in a system call of the thread, such as
 *	read(2) into memory that was not present.
 * @MEMLOCKD_FAULT_HIDDEN: the address and that of the instruction are 0, as the caller may
 *	not see them (see MEMLOCKD_MAPPINGS_HIDDEN).
 */
enum memlockd_fault_flags {
	MEMLOCKD_FAULT_WRITE = 1 << 0,
	MEMLOCKD_FAULT_EXEC = 1 << 1,
	MEMLOCKD_FAULT_MAJOR = 1 << 2,
	MEMLOCKD_FAULT_KERNEL = 1 << 3,
	MEMLOCKD_FAULT_HIDDEN = 1 << 4,
};

/**
 * struct memlockd_info - ioctl(MEMLOCKD_IOC_INFO)
 * @size: sizeof(struct memlockd_info).
 * @flags: must be 0.
 * @out_version: version of the module, major << 16 | minor << 8 | patch.
 * @out_page_size: bytes in a base page.
 * @out_lock_flags: the &enum memlockd_lock_flags that this driver knows.
 * @out_locked_processes: address spaces that are locked now, system-wide.  The
 *	module cannot be unloaded while this is not 0.
 * @out_pinned: bytes pinned now, system-wide.
 * @out_wired: unique physical memory that is locked through this driver now, in
 *	bytes.  hugetlbfs pages do not count: they are never paged out.  Locks and
 *	unlocks are in it at once; what processes map, unmap and cut off meanwhile is
 *	counted for who asks again, a second later, or before a lock is refused.
 * @out_wired_peak: the most that it has been since the module was loaded.
 * @out_max_wired: the most that it may be (vm.memlockd.max_wired, in bytes); locks
 *	that would exceed it are refused.
 *
 * What the driver can do, and how much of it is in use.  Needs no privilege but
 * the open device.
 */
struct memlockd_info {
	__u32 size;
	__u32 flags;
	__u32 out_version;
	__u32 out_page_size;
	__u32 out_lock_flags;
	__u32 out_locked_processes;
	__aligned_u64 out_pinned;
	__aligned_u64 out_wired;
	__aligned_u64 out_wired_peak;
	__aligned_u64 out_max_wired;
};

#define MEMLOCKD_IOC_INFO _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_INFO)

/**
 * struct memlockd_lock - ioctl(MEMLOCKD_IOC_LOCK)
 * @size: sizeof(struct memlockd_lock).
 * @flags: &enum memlockd_lock_flags; at least one of MEMLOCKD_CURRENT and
 *	MEMLOCKD_FUTURE.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.
 * @state: MEMLOCKD_STATE_LOCKED or MEMLOCKD_STATE_SUPERLOCKED; the latter needs
 *	both MEMLOCKD_CURRENT and MEMLOCKD_FUTURE, without MEMLOCKD_MOVABLE.
 * @reserved: must be 0.
 * @stack_reserve: with MEMLOCKD_STATE_SUPERLOCKED: bytes that the stack of the
 *	main thread is grown to, counted from where it begins, so that descending
 *	into it faults nowhere; rounded up to pages, and limited by 8 MiB and by
 *	the target's RLIMIT_STACK.  0 is MEMLOCKD_STACK_RESERVE_DEFAULT, or as much of
 *	it as RLIMIT_MEMLOCK has room for (MEMLOCKD_WARNING_STACK); any other reserve
 *	that has no room there is an ENOMEM.  MEMLOCKD_STACK_RESERVE_NONE leaves it as
 *	it is.  A stack never shrinks:
 *	what it has grown stays after an unlock, unlocked.  In the other states
 *	this must be 0.
 * @out_limit: with ENOMEM: &enum memlockd_limit, the limit that was met.
 * @out_mappings: mappings that the process has.
 * @out_incomplete: mappings among them that have less than was asked for;
 *	MEMLOCKD_IOC_MAPPINGS says which, and why.  Those that lose nothing by it
 *	(MEMLOCKD_REASON_NO_ACCESS, MEMLOCKD_REASON_KERNEL) do not count.
 * @out_warnings: &enum memlockd_warning, when the call has succeeded.
 * @out_needed: with ENOMEM: bytes that @out_limit would have to allow; 0 when
 *	that is not known.
 * @out_allowed: with ENOMEM: bytes that @out_limit allows.
 * @out_locked: bytes locked of the process, by us and by itself (VmLck).
 * @out_pinned: bytes pinned by this driver (part of VmPin).  A pin on a part of a huge
 *	page keeps all of it in memory, and all of it counts.
 * @out_fork_copy: bytes, at most, that a fork(2) of the process would copy at
 *	once, as they are pinned.
 * @out_fork_room: bytes that there were for such a copy when the lock was
 *	complete: what the machine, and the memory cgroup of the process and each
 *	one above it, had free or in use for files.  0 when @out_fork_copy is.
 *
 * Locks the target's address space.  The call returns when all of it is present
 * and pinned as @state promises; if it fails, nothing has changed.
 *
 * A lock belongs to the address space: it ends with MEMLOCKD_IOC_UNLOCK, with
 * execve(2) or with the end of the process, is not inherited by fork(2), and,
 * without MEMLOCKD_OWNED, does not end with the caller.  It does not nest: locking
 * again changes the holder's lock to exactly the new state and flags, and one
 * unlock undoes it.  Where others hold locks of the same process, it has what the
 * strongest asks for.  Without MEMLOCKD_CURRENT, mappings that exist stay as they
 * are, locked or not, as with mlockall(MCL_FUTURE).
 */
struct memlockd_lock {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
	__u32 state;
	__u32 reserved;
	__aligned_u64 stack_reserve;
	__u32 out_limit;
	__u32 out_mappings;
	__u32 out_incomplete;
	__u32 out_warnings;
	__aligned_u64 out_needed;
	__aligned_u64 out_allowed;
	__aligned_u64 out_locked;
	__aligned_u64 out_pinned;
	__aligned_u64 out_fork_copy;
	__aligned_u64 out_fork_room;
};

#define MEMLOCKD_IOC_LOCK _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_LOCK)

/**
 * struct memlockd_unlock - ioctl(MEMLOCKD_IOC_UNLOCK)
 * @size: sizeof(struct memlockd_unlock).
 * @flags: &enum memlockd_unlock_flags.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.
 *
 * Undoes MEMLOCKD_IOC_LOCK, whole: the caller's lock, that is the one of the file
 * of the call, or else what the caller's user holds after its file was closed.
 * When others hold locks as well, the process keeps what they have asked for; when
 * only others do, the call fails with EPERM.
 *
 * What the process has locked itself with mlock(2) or mlockall(2), before the lock
 * or during it, stays locked.  What it has unlocked itself during the lock was
 * still locked until now.
 */
struct memlockd_unlock {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
};

#define MEMLOCKD_IOC_UNLOCK _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_UNLOCK)

/**
 * struct memlockd_sync - ioctl(MEMLOCKD_IOC_SYNC)
 * @size: sizeof(struct memlockd_sync).
 * @flags: must be 0.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.
 * @out_locked: bytes that are locked (VmLck) and were not before.
 * @out_pinned: bytes that are pinned and were not before.
 *
 * Locks what has appeared since the lock and does not have it yet, as
 * MEMLOCKD_IOC_LOCK with the state and flags that the process has: for changes
 * that nothing tells the driver of (a file that has grown, MADV_DONTNEED_LOCKED,
 * userfaultfd), for mappings made after a lock without MEMLOCKD_FUTURE, and to
 * know that there were none.
 */
struct memlockd_sync {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
	__aligned_u64 out_locked;
	__aligned_u64 out_pinned;
};

#define MEMLOCKD_IOC_SYNC _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_SYNC)

/**
 * struct memlockd_status - ioctl(MEMLOCKD_IOC_STATUS)
 * @size: sizeof(struct memlockd_status).
 * @flags: must be 0.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.
 * @out_state: &enum memlockd_state.  The out_ fields from @out_lock_flags to
 *	@out_lock_major_faults are 0 when this is MEMLOCKD_STATE_UNLOCKED.
 * @out_lock_flags: &enum memlockd_lock_flags, what all holders ask for taken
 *	together, without MEMLOCKD_OWNED, MEMLOCKD_BYPASS and
 *	MEMLOCKD_NEED_PROBES.
 * @out_locker_pid: process that locked it last, in the caller's PID namespace;
 *	0 when that process is gone or not visible from there.
 * @out_locker_uid: real user ID of the locker, in the caller's user namespace.
 * @out_lock_time_ns: CLOCK_BOOTTIME, in nanoseconds, when the lock was complete.
 * @out_lock_duration_ns: nanoseconds that the locking call took.
 * @out_lock_minor_faults: minor page faults of the process since then, as getrusage(2)
 *	counts them: what mmap(2) and brk(2) populate is among them.
 * @out_lock_major_faults: major page faults of the process since then, likewise.
 * @out_locked: bytes locked, by us and by the process itself (VmLck).
 * @out_memlock_limit: the process's RLIMIT_MEMLOCK; ~0 is no limit.
 * @out_pinned: bytes pinned by this driver, as &memlockd_lock.out_pinned.
 * @out_bookkeeping: bytes of kernel memory that remember the pins.
 * @out_healed: pages that MEMLOCKD_HEAL has made writable again.
 * @out_holders: locks of it that are held; MEMLOCKD_IOC_LIST says by whom.
 * @out_warnings: &enum memlockd_warning, as things are now.
 * @out_ranges: bytes locked by MEMLOCKD_IOC_LOCK_RANGE.
 * @out_real_minor_faults: minor page faults that its threads took by an access since the
 *	process is superlocked.  These break the promise: what mmap(2) and brk(2) populate is
 *	not among them, nor is an access that ends in EFAULT or a signal.  Kernel threads that
 *	work for the process, and the workers of io_uring, are not watched.  This and all that
 *	follows is 0 unless @out_state is MEMLOCKD_STATE_SUPERLOCKED, and where
 *	@out_warnings has MEMLOCKD_WARNING_NO_GUARD.
 * @out_real_major_faults: major page faults, likewise.
 * @out_fault_address: the address of the last of them.
 * @out_fault_ip: the address of the instruction; of the one behind the system call, with
 *	MEMLOCKD_FAULT_KERNEL.
 * @out_fault_time_ns: CLOCK_BOOTTIME, in nanoseconds, when it began.
 * @out_fault_tid: the thread that took it, in the caller's PID namespace; 0 when that is
 *	gone or not visible from there.
 * @out_fault_flags: &enum memlockd_fault_flags.
 *
 * Cheap: walks no page tables.
 */
struct memlockd_status {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
	__u32 out_state;
	__u32 out_lock_flags;
	__s32 out_locker_pid;
	__u32 out_locker_uid;
	__aligned_u64 out_lock_time_ns;
	__aligned_u64 out_lock_duration_ns;
	__aligned_u64 out_lock_minor_faults;
	__aligned_u64 out_lock_major_faults;
	__aligned_u64 out_locked;
	__aligned_u64 out_memlock_limit;
	__aligned_u64 out_pinned;
	__aligned_u64 out_bookkeeping;
	__aligned_u64 out_healed;
	__u32 out_holders;
	__u32 out_warnings;
	__aligned_u64 out_ranges;
	__aligned_u64 out_real_minor_faults;
	__aligned_u64 out_real_major_faults;
	__aligned_u64 out_fault_address;
	__aligned_u64 out_fault_ip;
	__aligned_u64 out_fault_time_ns;
	__s32 out_fault_tid;
	__u32 out_fault_flags;
};

#define MEMLOCKD_IOC_STATUS _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_STATUS)

/**
 * struct memlockd_mapping - one row of MEMLOCKD_IOC_MAPPINGS
 * @start: first address; see MEMLOCKD_MAPPINGS_HIDDEN.
 * @end: address behind the last.
 * @resident: bytes of it that the page tables map now.
 * @pinned: bytes of it that are mapped and that this driver has pinned, so that nobody
 *	moves them.  What has been mapped in place of a pinned page is not, until the next
 *	LOCK or SYNC.
 * @kind: &enum memlockd_kind.
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC of mmap(2).
 * @state: &enum memlockd_state that holds now for the pages that this mapping
 *	can have.
 * @reason: &enum memlockd_reason why that is less than the process was promised,
 *	or why the mapping cannot have all its pages (NO_ACCESS, KERNEL,
 *	END_OF_FILE): the first that applies, in the order of the enum.
 * @read_faults: bytes of it in which an access that does not write would be a page fault now.
 * @write_faults: bytes of it in which a write would be one; 0 without PROT_WRITE.
 * @cause: &enum memlockd_cause, why the first page of these would fault.
 * @reserved: 0.
 *
 * @read_faults and @write_faults are what the page tables say, without an access.  What would
 * end in a signal instead is not counted: a mapping without access, a guard page of
 * MADV_GUARD_INSTALL, what lies behind the end of the file.  Each page is counted, though a
 * fault may map its neighbours as well, or all of a huge page.  They are exact for a process
 * that is stopped, in an access by user space or by the kernel for it, with these exceptions:
 *
 * - Where a page has been made writable while the process ran, another processor may still
 *   have the entry in its TLB that says otherwise, and takes one fault for it.
 * - Poisoned memory, and what a userfaultfd(2) monitor answers with SIGBUS, are counted.  So are
 *   pages of device memory, of [vvar], and of a file's that cannot be read, of which only
 *   their driver, the kernel or the disk knows that they cannot be had.
 * - A stack that grows faults below @start.
 * - On arm64 a processor may leave it to a fault to note that a page has been accessed or written
 *   to.  Where one of the machine's processors does, what is not noted yet is counted;
 *   another processor may take no fault for it, nor one that notes accesses and not writes
 *   for a read.
 */
struct memlockd_mapping {
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 resident;
	__aligned_u64 pinned;
	__u32 kind;
	__u32 prot;
	__u32 state;
	__u32 reason;
	__aligned_u64 read_faults;
	__aligned_u64 write_faults;
	__u32 cause;
	__u32 reserved;
};

/**
 * enum memlockd_mappings_flags - what is to be known of the rows
 * @MEMLOCKD_MAPPINGS_HIDDEN: their addresses are not the process's: the caller may
 *	not see these, as ptrace(2) and /proc/PID/maps would not show them.  The rows
 *	have their sizes and their order, and lie end to end behind the first page;
 *	@start and @out_next of &struct memlockd_mappings count in the same way.
 */
enum memlockd_mappings_flags {
	MEMLOCKD_MAPPINGS_HIDDEN = 1 << 0,
};

/**
 * struct memlockd_mappings - ioctl(MEMLOCKD_IOC_MAPPINGS)
 * @size: sizeof(struct memlockd_mappings).
 * @flags: must be 0.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.
 * @start: address to begin at; a mapping that contains it is reported whole.
 * @rows: address of an array of &struct memlockd_mapping; may be 0 when
 *	@nr_rows is.
 * @nr_rows: number of rows that @rows has place for.
 * @row_size: sizeof(struct memlockd_mapping); rows lie that far apart.  When the
 *	caller's row is larger than the driver's, the rest is written as zeros.  When it is
 *	smaller, as that of a caller who knows less fields, these are left out; it has
 *	@reason at least.
 * @out_rows: rows written.
 * @out_flags: &enum memlockd_mappings_flags.
 * @out_next: @start for the next call; 0 when there are no more mappings.
 *
 * The address space, mapping by mapping, as it is now: a walk of the page
 * tables.  The process runs meanwhile, so that two calls may not fit together.
 */
struct memlockd_mappings {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
	__aligned_u64 start;
	__aligned_u64 rows;
	__u32 nr_rows;
	__u32 row_size;
	__u32 out_rows;
	__u32 out_flags;
	__aligned_u64 out_next;
};

#define MEMLOCKD_IOC_MAPPINGS _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_MAPPINGS)

/**
 * enum memlockd_holder_kind - what holds a lock
 * @MEMLOCKD_HOLDER_FILE: an open file of the device.
 * @MEMLOCKD_HOLDER_USER: the user, as that file has been closed.
 * @MEMLOCKD_HOLDER_RULE: a rule.
 */
enum memlockd_holder_kind {
	MEMLOCKD_HOLDER_FILE = 0,
	MEMLOCKD_HOLDER_USER = 1,
	MEMLOCKD_HOLDER_RULE = 2,
};

/**
 * struct memlockd_holder - one row of MEMLOCKD_IOC_LIST
 * @id: number of the lock, which changes when it is asked for again; no number is
 *	used twice.
 * @lock_time_ns: CLOCK_BOOTTIME, in nanoseconds, when it was asked for last.
 * @target: the process that is locked, in the caller's PID namespace.
 * @pid: the process that has asked for it, or for the rule that it is from, in the
 *	caller's PID namespace; 0 when it is gone or not visible from there.
 * @uid: its real user ID, in the caller's user namespace.
 * @kind: &enum memlockd_holder_kind.
 * @state: &enum memlockd_state that was asked for.
 * @flags: &enum memlockd_lock_flags that were asked for.
 * @rule: &memlockd_rule.out_id of the rule that it is from; 0 if it is from none.
 */
struct memlockd_holder {
	__aligned_u64 id;
	__aligned_u64 lock_time_ns;
	__s32 target;
	__s32 pid;
	__u32 uid;
	__u32 kind;
	__u32 state;
	__u32 flags;
	__aligned_u64 rule;
};

/**
 * struct memlockd_list - ioctl(MEMLOCKD_IOC_LIST)
 * @size: sizeof(struct memlockd_list).
 * @flags: must be 0.
 * @start: @id to begin at.
 * @rows: address of an array of &struct memlockd_holder; may be 0 when @nr_rows
 *	is.
 * @nr_rows: number of rows that @rows has place for.
 * @row_size: sizeof(struct memlockd_holder); as in &struct memlockd_mappings.
 * @out_rows: rows written.
 * @out_warnings: &enum memlockd_warning, which is for each of the rows, as things are now.
 * @out_next: @start for the next call; 0 when there are no more locks.
 *
 * All locks that are held, in the order in which they were asked for.
 * Leaves out the processes that are not visible in the caller's PID namespace, and,
 * for callers with neither CAP_IPC_LOCK nor CAP_SYS_PTRACE in the initial user
 * namespace, what other users hold of other users' processes.
 */
struct memlockd_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 rows;
	__u32 nr_rows;
	__u32 row_size;
	__u32 out_rows;
	__u32 out_warnings;
	__aligned_u64 out_next;
};

#define MEMLOCKD_IOC_LIST _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_LIST)

/**
 * enum memlockd_range_flags - what MEMLOCKD_IOC_UNLOCK_RANGE unlocks
 * @MEMLOCKD_RANGE_WHOLE: the range is excepted from the lock of the whole address space as
 *	well, if it is the process itself that holds that, and nobody else does: what
 *	munlock(2) does after mlockall(2).  An exception lasts until MEMLOCKD_IOC_LOCK
 *	with MEMLOCKD_CURRENT; what is mapped there later is none.  A mapping of which a
 *	part is excepted stays marked as locked until the process calls munlock(2), which
 *	splits it.  As there, what lies behind the first address that is not mapped is
 *	left alone.  Only for the caller's own address space (EINVAL).
 */
enum memlockd_range_flags {
	MEMLOCKD_RANGE_WHOLE = 1 << 0,
};

/**
 * struct memlockd_range - ioctl(MEMLOCKD_IOC_LOCK_RANGE, MEMLOCKD_IOC_UNLOCK_RANGE)
 * @size: sizeof(struct memlockd_range).
 * @flags: &enum memlockd_range_flags, to unlock; to lock, must be 0.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.
 * @state: MEMLOCKD_STATE_LOCKED or MEMLOCKD_STATE_SUPERLOCKED; to unlock,
 *	MEMLOCKD_STATE_UNLOCKED.
 * @reserved: must be 0.
 * @addr: first address.  The range covers all pages that it has a part of, as with
 *	mlock(2).
 * @len: its length.
 * @out_limit: with ENOMEM: &enum memlockd_limit, the limit that was met.
 * @out_reserved: 0.
 * @out_needed: with ENOMEM: bytes that @out_limit would have to allow.
 * @out_allowed: with ENOMEM: bytes that @out_limit allows.
 *
 * Locks a part of the target's address space, for the approach of few and tightly
 * controlled locks; independent of MEMLOCKD_IOC_LOCK, which may lock more.  Such a
 * lock is the address space's: it does not nest, has no holder, and ends with
 * MEMLOCKD_IOC_UNLOCK_RANGE, when it is unmapped, and with the process.
 *
 * Whole mappings get all that @state promises.  Of a mapping that lies in the range
 * in parts only, the private pages are present and pinned; as there is no way to
 * split it from outside, it is not marked as locked, so that it does not count in
 * VmLck, and against RLIMIT_MEMLOCK when a range is locked only, and the process
 * can still give its pages up with madvise(2).  Shared pages are not held by a
 * pin: see EOPNOTSUPP.  A process that does this to itself calls mlock(2) first,
 * which splits; libmemlockd does.
 */
struct memlockd_range {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
	__u32 state;
	__u32 reserved;
	__aligned_u64 addr;
	__aligned_u64 len;
	__u32 out_limit;
	__u32 out_reserved;
	__aligned_u64 out_needed;
	__aligned_u64 out_allowed;
};

#define MEMLOCKD_IOC_LOCK_RANGE _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_LOCK_RANGE)
#define MEMLOCKD_IOC_UNLOCK_RANGE _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_UNLOCK_RANGE)

/**
 * enum memlockd_event_kind - what has happened, and which events are wanted
 * @MEMLOCKD_EVENT_FAULT: a superlocked process has taken a page fault, as
 *	&memlockd_status.out_real_minor_faults counts them.
 * @MEMLOCKD_EVENT_LOCKED: what a process is promised has changed: it is locked now, in
 *	another state, or with other flags.
 * @MEMLOCKD_EVENT_UNLOCKED: its last lock is given up.
 * @MEMLOCKD_EVENT_EXECED: it has called execve(2), which has ended its lock.
 * @MEMLOCKD_EVENT_EXITED: the process has ended, and with it its lock.
 * @MEMLOCKD_EVENT_LIMIT: MEMLOCKD_IOC_LOCK, MEMLOCKD_IOC_LOCK_RANGE or MEMLOCKD_IOC_SYNC of it
 *	has failed, as a limit was met.
 * @MEMLOCKD_EVENT_RULE_MATCHED: a rule is for the process, and something has happened to it
 *	that the rule is about.  A lock that it gets so is a MEMLOCKD_EVENT_LOCKED of its own.
 * @MEMLOCKD_EVENT_RULE_FAILED: the process could not be locked as the rule says.
 * @MEMLOCKD_EVENT_LOST: there was no room for some events, as nobody has read.  Always sent,
 *	and stands where they would have stood.
 */
enum memlockd_event_kind {
	MEMLOCKD_EVENT_FAULT = 1 << 0,
	MEMLOCKD_EVENT_LOCKED = 1 << 1,
	MEMLOCKD_EVENT_UNLOCKED = 1 << 2,
	MEMLOCKD_EVENT_EXECED = 1 << 3,
	MEMLOCKD_EVENT_EXITED = 1 << 4,
	MEMLOCKD_EVENT_LIMIT = 1 << 5,
	MEMLOCKD_EVENT_LOST = 1 << 6,
	MEMLOCKD_EVENT_RULE_MATCHED = 1 << 7,
	MEMLOCKD_EVENT_RULE_FAILED = 1 << 8,
};

/**
 * struct memlockd_event - what read(2) of the device returns
 * @time_ns: CLOCK_BOOTTIME, in nanoseconds; of a fault, when it began.
 * @kind: one of &enum memlockd_event_kind.
 * @flags: of a fault: &enum memlockd_fault_flags; of MEMLOCKD_EVENT_LOCKED: &enum
 *	memlockd_lock_flags as &memlockd_status.out_lock_flags; of MEMLOCKD_EVENT_RULE_MATCHED:
 *	those of the rule; of MEMLOCKD_EVENT_RULE_FAILED: the errno, as
 *	&memlockd_rule_row.last_error.
 * @pid: the process, in the PID namespace of the subscriber; 0 of MEMLOCKD_EVENT_LOST.
 * @tid: of a fault: the thread that took it; of MEMLOCKD_EVENT_LOCKED, _UNLOCKED and _LIMIT:
 *	the process that has asked; 0 if there is none, as its file was closed, or if it is not
 *	visible from the subscriber's namespace.
 * @address: of a fault: what was accessed.
 * @ip: of a fault: by which instruction; with MEMLOCKD_FAULT_KERNEL, the one behind the
 *	system call.
 * @duration_ns: of a fault that user space took: nanoseconds until its thread was about to
 *	go on.
 * @state: of MEMLOCKD_EVENT_LOCKED and MEMLOCKD_EVENT_RULE_MATCHED: &enum memlockd_state.
 * @limit: of MEMLOCKD_EVENT_LIMIT and MEMLOCKD_EVENT_RULE_FAILED: &enum memlockd_limit.
 * @count: of MEMLOCKD_EVENT_LIMIT: bytes that it would have to allow, or 0; of
 *	MEMLOCKD_EVENT_LOST: how many events are lost; of MEMLOCKD_EVENT_RULE_MATCHED and
 *	_RULE_FAILED: &memlockd_rule.out_id of the rule.
 *
 * Fields that do not belong to @kind are 0.
 */
struct memlockd_event {
	__aligned_u64 time_ns;
	__u32 kind;
	__u32 flags;
	__s32 pid;
	__s32 tid;
	__aligned_u64 address;
	__aligned_u64 ip;
	__aligned_u64 duration_ns;
	__u32 state;
	__u32 limit;
	__aligned_u64 count;
};

/**
 * enum memlockd_subscribe_flags - whose events are wanted
 * @MEMLOCKD_SUBSCRIBE_ALL: those of all processes that the caller may look at: with
 *	CAP_IPC_LOCK or CAP_SYS_PTRACE in the initial user namespace all that are visible from
 *	his PID namespace, else those of his real user ID.  @target_type and @target must be 0.
 */
enum memlockd_subscribe_flags {
	MEMLOCKD_SUBSCRIBE_ALL = 1 << 0,
};

/* So many subscriptions a user without CAP_IPC_LOCK can have. */
#define MEMLOCKD_MAX_SUBSCRIPTIONS	16

/**
 * struct memlockd_subscribe - ioctl(MEMLOCKD_IOC_SUBSCRIBE)
 * @size: sizeof(struct memlockd_subscribe).
 * @flags: &enum memlockd_subscribe_flags.
 * @target_type: &enum memlockd_target_type.
 * @target: the process, as @target_type says.  It need not be locked.
 * @kinds: &enum memlockd_event_kind that are wanted; 0 for no more events.
 * @event_size: sizeof(struct memlockd_event); read(2) returns a multiple of that.  When it is
 *	larger than the driver's, the rest of each event is written as zeros.
 *
 * From now on read(2) of this open file returns events, as many whole ones as there are and
 * as @kinds and the target say.  Each open file has one subscription, which another call
 * replaces; what has been queued stays.  A subscription of one process ends with its address
 * space: MEMLOCKD_EVENT_EXECED or MEMLOCKD_EVENT_EXITED are the last, and are sent if it was
 * locked.
 *
 * read(2) waits for the first event, unless the file has O_NONBLOCK (EAGAIN), and can be
 * interrupted (EINTR); it fails with EINVAL if the file has no subscription, or the buffer no
 * room for an event.  poll(2) reports POLLIN and POLLRDNORM when there is one, and POLLERR
 * without a subscription.  Up to 1024 events wait in a file; they are charged to the memory
 * cgroup of the subscriber.  When there is no room for more, the newest are lost, and
 * MEMLOCKD_EVENT_LOST tells how many.
 *
 * Who may be looked at, and whose addresses (see MEMLOCKD_FAULT_HIDDEN), is asked of the
 * caller of this ioctl; whom he gives the file may read on.  A caller without privilege who
 * subscribes to all processes sees no addresses.
 */
struct memlockd_subscribe {
	__u32 size;
	__u32 flags;
	__u32 target_type;
	__s32 target;
	__u32 kinds;
	__u32 event_size;
};

#define MEMLOCKD_IOC_SUBSCRIBE _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_SUBSCRIBE)

/**
 * enum memlockd_match - which processes a rule is for
 * @MEMLOCKD_MATCH_EXECUTABLE: those that run a program, as &memlockd_rule.executable says.  A
 *	script runs its interpreter.  It is the file that counts, and not its name: an upgrade
 *	of the program makes another file.
 * @MEMLOCKD_MATCH_CGROUP: those in a control group of version 2, or in one below it.
 * @MEMLOCKD_MATCH_USER: those with a real user ID.
 * @MEMLOCKD_MATCH_REALTIME: those of which a thread is of SCHED_FIFO, SCHED_RR or
 *	SCHED_DEADLINE; when it is about one thread, such as the one that has called execve(2),
 *	this is the one.
 * @MEMLOCKD_MATCH_IO: likewise, those of which a thread may access I/O ports, by ioperm(2) or
 *	iopl(2), and who MEMLOCKD_RULE_IO is about.  On processors without I/O ports there is no
 *	other one.
 *
 * A rule is for the processes of which all that is set here is true.  With nothing set, it
 * is for all of them.
 */
enum memlockd_match {
	MEMLOCKD_MATCH_EXECUTABLE = 1 << 0,
	MEMLOCKD_MATCH_CGROUP = 1 << 1,
	MEMLOCKD_MATCH_USER = 1 << 2,
	MEMLOCKD_MATCH_REALTIME = 1 << 3,
	MEMLOCKD_MATCH_IO = 1 << 4,
};

/**
 * enum memlockd_rule_event - when a rule is looked at
 * @MEMLOCKD_RULE_EXEC: a process runs another program.  The lock is there before the first
 *	instruction of that in user space.
 * @MEMLOCKD_RULE_FORK: a process has a child with an address space of its own.  The lock is
 *	there before the child's first instruction in user space.
 * @MEMLOCKD_RULE_NOW: the rule is added: all processes that there are then are looked at,
 *	before the call returns.
 * @MEMLOCKD_RULE_SETSCHEDULER: a thread becomes one of SCHED_FIFO, SCHED_RR or SCHED_DEADLINE, by
 *	itself or by somebody else.  Its process is locked before that system call returns, by a
 *	thread that is of no such class.
 * @MEMLOCKD_RULE_IO: a process gets I/O privileges: by ioperm(2) or iopl(2), by opening
 *	/dev/mem or the like, by opening or mapping a resource of a PCI device in sysfs, or by
 *	mapping the memory of a device (UIO, VFIO, /dev/mem, the buffers of a graphics card).  It
 *	is locked before that system call returns.  One that fails does nothing.  A kernel
 *	without CONFIG_SECURITY does not tell of it, and refuses the rule with EOPNOTSUPP.
 */
enum memlockd_rule_event {
	MEMLOCKD_RULE_EXEC = 1 << 0,
	MEMLOCKD_RULE_FORK = 1 << 1,
	MEMLOCKD_RULE_NOW = 1 << 2,
	MEMLOCKD_RULE_SETSCHEDULER = 1 << 3,
	MEMLOCKD_RULE_IO = 1 << 4,
};

/**
 * enum memlockd_rule_flags - how a rule behaves
 * @MEMLOCKD_RULE_OWNED: it goes when the file that it was added through is closed.
 * @MEMLOCKD_RULE_KILL: a process that cannot be locked as the rule says is killed, before it
 *	goes on in user space; of MEMLOCKD_RULE_SETSCHEDULER, before who has called that does.
 *	MEMLOCKD_RULE_NOW kills nobody.  Without this flag the process
 *	goes on without the lock.  In each case &memlockd_rule_row.failed counts it.  Needs
 *	CAP_KILL in the initial user namespace.
 * @MEMLOCKD_RULE_INIT: it is for the first process of the machine as well, which is never
 *	killed.
 * @MEMLOCKD_RULE_DEFAULT: of MEMLOCKD_IOC_RULES only: the rule that vm.memlockd.default_state
 *	makes.  It is for all processes, and behind all other rules; MEMLOCKD_IOC_RULE_DEL of it
 *	fails with EPERM, whoever asks.
 */
enum memlockd_rule_flags {
	MEMLOCKD_RULE_OWNED = 1 << 0,
	MEMLOCKD_RULE_KILL = 1 << 1,
	MEMLOCKD_RULE_INIT = 1 << 2,
	MEMLOCKD_RULE_DEFAULT = 1 << 3,
};

/* So many rules there can be. */
#define MEMLOCKD_MAX_RULES	256

/**
 * struct memlockd_rule - ioctl(MEMLOCKD_IOC_RULE_ADD)
 * @size: sizeof(struct memlockd_rule).
 * @flags: &enum memlockd_rule_flags.
 * @match: &enum memlockd_match; 0 for all processes.
 * @events: &enum memlockd_rule_event; at least one.
 * @state: &enum memlockd_state.  With MEMLOCKD_STATE_UNLOCKED the rule locks nothing, and keeps
 *	the rules behind it from doing so: an exception from these.
 * @lock_flags: &enum memlockd_lock_flags, as for MEMLOCKD_IOC_LOCK, but MEMLOCKD_OWNED; with
 *	MEMLOCKD_STATE_UNLOCKED 0.  With MEMLOCKD_OVER_UNLOCKED, what the process has mapped
 *	already and its RLIMIT_MEMLOCK has no room for stays unlocked, too.
 * @stack_reserve: as for MEMLOCKD_IOC_LOCK.
 * @priority: rules with a lower number are looked at first, and of those with the same number
 *	the older ones.
 * @executable: with MEMLOCKD_MATCH_EXECUTABLE: a file descriptor of the program; else 0.
 * @cgroup: with MEMLOCKD_MATCH_CGROUP: a file descriptor of the directory of the control group;
 *	else 0.
 * @uid: with MEMLOCKD_MATCH_USER: the user ID, in the caller's user namespace; else 0.
 * @out_id: number of the rule; no number is used twice.
 * @out_matched: with MEMLOCKD_RULE_NOW: processes that it was for.
 * @out_failed: those of them that could not be locked.
 *
 * Adds a rule, by which processes are locked without being asked for one by one.  When one of
 * its @events happens to a process, the first rule that has that event and is for the process
 * says what the process gets.  Such a lock is as if MEMLOCKD_IOC_LOCK had asked for it, with the
 * rule as the holder: the limits of the process apply, others may hold further locks of it, and
 * it ends with execve(2) as well, after which the rules are looked at again.  No rule is for
 * kernel threads, and none for the first process of the machine without MEMLOCKD_RULE_INIT.
 *
 * The module cannot be unloaded while there is a rule.
 */
struct memlockd_rule {
	__u32 size;
	__u32 flags;
	__u32 match;
	__u32 events;
	__u32 state;
	__u32 lock_flags;
	__aligned_u64 stack_reserve;
	__s32 priority;
	__s32 executable;
	__s32 cgroup;
	__u32 uid;
	__aligned_u64 out_id;
	__u32 out_matched;
	__u32 out_failed;
};

#define MEMLOCKD_IOC_RULE_ADD _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_RULE_ADD)

/**
 * struct memlockd_rule_del - ioctl(MEMLOCKD_IOC_RULE_DEL)
 * @size: sizeof(struct memlockd_rule_del).
 * @flags: must be 0.
 * @id: &memlockd_rule.out_id of the rule.
 *
 * Takes a rule away, and gives up the locks that processes have by it.  When the call returns
 * they are given up, unless the caller was killed meanwhile: then soon after.
 */
struct memlockd_rule_del {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
};

#define MEMLOCKD_IOC_RULE_DEL _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_RULE_DEL)

/**
 * struct memlockd_rule_row - one row of MEMLOCKD_IOC_RULES
 * @id: number of the rule.
 * @matched: how often it was the first one for a process.
 * @failed: how often that process could not be locked; one that had ended does not count.
 * @missed: how often there was no memory to lock it before its first instruction: it was
 *	locked, or not, a moment later.
 * @stack_reserve: as &memlockd_rule has it; and so are
 * @priority, @flags, @match, @events, @state, @lock_flags, @uid, the last in the caller's user
 *	namespace.
 * @inode: with MEMLOCKD_MATCH_EXECUTABLE: the inode of the program.
 * @cgroup: with MEMLOCKD_MATCH_CGROUP: the control group, as the inode of its directory.
 * @dev_major: with MEMLOCKD_MATCH_EXECUTABLE: the device of the program, as /proc/PID/maps of
 *	a process that runs it has it.
 * @dev_minor: likewise.
 * @pid: the process that has added it, in the caller's PID namespace; 0 when it is gone or not
 *	visible from there.
 * @adder_uid: its real user ID, in the caller's user namespace.
 * @last_error: the errno of the last failure; 0 if there was none.
 * @last_limit: with ENOMEM: &enum memlockd_limit.
 * @reserved: 0.
 */
struct memlockd_rule_row {
	__aligned_u64 id;
	__aligned_u64 matched;
	__aligned_u64 failed;
	__aligned_u64 missed;
	__aligned_u64 stack_reserve;
	__aligned_u64 inode;
	__aligned_u64 cgroup;
	__s32 priority;
	__u32 flags;
	__u32 match;
	__u32 events;
	__u32 state;
	__u32 lock_flags;
	__u32 uid;
	__u32 dev_major;
	__u32 dev_minor;
	__s32 pid;
	__u32 adder_uid;
	__u32 last_error;
	__u32 last_limit;
	__u32 reserved;
};

/**
 * struct memlockd_rules - ioctl(MEMLOCKD_IOC_RULES)
 * @size: sizeof(struct memlockd_rules).
 * @flags: must be 0.
 * @start: @id to begin at.
 * @rows: address of an array of &struct memlockd_rule_row; may be 0 when @nr_rows is.
 * @nr_rows: number of rows that @rows has place for.
 * @row_size: sizeof(struct memlockd_rule_row); as in &struct memlockd_mappings.
 * @out_rows: rows written.
 * @out_reserved: 0.
 * @out_next: @start for the next call; 0 when there are no more rules.
 *
 * All rules, in the order in which they were added.
 */
struct memlockd_rules {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 rows;
	__u32 nr_rows;
	__u32 row_size;
	__u32 out_rows;
	__u32 out_reserved;
	__aligned_u64 out_next;
};

#define MEMLOCKD_IOC_RULES _IO(MEMLOCKD_IOC_MAGIC, MEMLOCKD_CMD_RULES)

#endif /* _UAPI_LINUX_MEMLOCKD_H */
