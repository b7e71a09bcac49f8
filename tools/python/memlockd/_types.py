# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the numbers and structures of <linux/memlockd.h> are in Python."""
from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Any, Protocol, Union


class _Growing(enum.IntEnum):
    """A newer driver may say what this package does not know: that is UNKNOWN_17, say, and no exception."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class State(_Growing):
    """QNX Neutrino's three states of locked memory."""

    UNLOCKED = 0
    LOCKED = 1
    SUPERLOCKED = 2


class Flags(enum.IntFlag):
    """What a lock covers, and how. Without CURRENT and FUTURE a lock takes both."""

    CURRENT = 1 << 0
    FUTURE = 1 << 1
    MOVABLE = 1 << 2
    HEAL = 1 << 3
    OWNED = 1 << 4
    BYPASS = 1 << 5
    OVER_RAISE = 1 << 6
    OVER_UNLOCKED = 1 << 7
    NEED_PROBES = 1 << 8
    COPY_TEXT = 1 << 9


class Limit(_Growing):
    """The limit that a lock has met."""

    NONE = 0
    RLIMIT_MEMLOCK = 1
    RAM = 2
    MEMORY = 3
    MAX_WIRED = 4
    FUTURE = 5
    CGROUP = 6


class Warnings(enum.IntFlag):
    """What a lock that has succeeded may cost the process later, or does not promise."""

    CAPABILITY = 1 << 0
    """More is locked than its RLIMIT_MEMLOCK allows, and only its own CAP_IPC_LOCK, which it may drop, waives that."""
    FORK = 1 << 1
    """Its fork() would copy more pinned memory, `fork_copy`, than there is room for, `fork_room`."""
    NO_PROBES = 1 << 2
    """The kernel's probes are off: what the process maps later is not pinned."""
    STACK = 1 << 3
    """Its RLIMIT_MEMLOCK left less room than the default stack reserve: beyond what there was the stack takes faults."""
    NO_GUARD = 1 << 4
    """The kernel has no tracepoints of page faults: the real ones are not counted."""


class FaultFlags(enum.IntFlag):
    """What is known of a page fault. Without WRITE and EXEC it was a read."""

    WRITE = 1 << 0
    EXEC = 1 << 1
    MAJOR = 1 << 2
    KERNEL = 1 << 3
    """The kernel took it in a system call of the thread."""
    HIDDEN = 1 << 4
    """The caller may not see the addresses, which are 0."""


class EventKind(enum.IntFlag):
    """What has happened."""

    FAULT = 1 << 0
    LOCKED = 1 << 1
    UNLOCKED = 1 << 2
    EXECED = 1 << 3
    EXITED = 1 << 4
    LIMIT = 1 << 5
    LOST = 1 << 6
    RULE_MATCHED = 1 << 7
    RULE_FAILED = 1 << 8


ALL_EVENTS = EventKind(0x1FF)


class Match(enum.IntFlag):
    """Which processes a rule is for: those of which all of this is true; with nothing, all."""

    EXECUTABLE = 1 << 0
    CGROUP = 1 << 1
    USER = 1 << 2
    REALTIME = 1 << 3
    IO = 1 << 4


class RuleEvent(enum.IntFlag):
    """When a rule is looked at."""

    EXEC = 1 << 0
    FORK = 1 << 1
    NOW = 1 << 2
    SETSCHEDULER = 1 << 3
    IO = 1 << 4


class RuleFlags(enum.IntFlag):
    """How a rule behaves."""

    OWNED = 1 << 0
    """It goes when the device that it was added through is closed."""
    KILL = 1 << 1
    """A process that cannot be locked so is killed before it goes on. Needs CAP_KILL."""
    INIT = 1 << 2
    """It is for the first process of the machine as well."""
    DEFAULT = 1 << 3
    """It is what vm.memlockd.default_state makes."""


class Kind(_Growing):
    """What a mapping is made of."""

    ANON = 0
    FILE_PRIVATE = 1
    FILE_SHARED = 2
    SHMEM = 3
    HUGETLB = 4
    SECRETMEM = 5
    SPECIAL = 6


class Reason(_Growing):
    """Why a mapping has less than its process was promised."""

    NONE = 0
    NOT_COVERED = 1
    DROPPED = 2
    NO_ACCESS = 3
    DEVICE = 4
    KERNEL = 5
    DAX = 6
    DROPPABLE = 7
    USERFAULTFD = 8
    END_OF_FILE = 9
    WRITEBACK = 10
    SHARED = 11
    NOT_PRESENT = 12
    NOT_PINNED = 13
    LIMIT = 14
    SERVER = 15


class Cause(_Growing):
    """Why an access to a page would fault."""

    NONE = 0
    USERFAULTFD = 1
    KERNEL = 2
    DEVICE = 3
    NOT_MAPPED = 4
    SWAPPED = 5
    MIGRATION = 6
    NUMA = 7
    COPY_ON_WRITE = 8
    WRITEBACK = 9
    WRITE_PROTECTED = 10
    FLAGS = 11


class HolderKind(_Growing):
    """What holds a lock: an open file of the device, or the user, as that file has been closed; or a rule."""

    FILE = 0
    USER = 1
    RULE = 2


class TargetType(enum.IntEnum):
    """How a call names its process."""

    PID = 0
    PIDFD = 1
    PROC_MEM = 2


class HasFileno(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Its descriptor."""


@dataclass(frozen=True)
class Process:
    """A process that is named otherwise than by its ID. Where one is wanted, a plain number is a process ID, and 0 the caller."""

    type: TargetType
    id: int

    @classmethod
    def pidfd(cls, fd: int | HasFileno) -> Process:
        """By a descriptor of os.pidfd_open(), which cannot come to mean another process."""
        return cls(TargetType.PIDFD, _descriptor(fd))

    @classmethod
    def mem(cls, fd: int | HasFileno) -> Process:
        """By an open file of /proc/PID/mem. Who could open that needs no CAP_SYS_PTRACE."""
        return cls(TargetType.PROC_MEM, _descriptor(fd))


def _descriptor(fd: int | HasFileno) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


Target = Union[int, Process]


@dataclass(frozen=True)
class LockResult:
    """What a lock has come to. `incomplete` mappings of all `mappings` have less than was asked for: mappings() says why."""

    mappings: int
    incomplete: int
    locked: int
    pinned: int
    warnings: Warnings
    fork_copy: int
    fork_room: int


@dataclass(frozen=True)
class SyncResult:
    """Bytes that are locked and pinned, and were not before."""

    locked: int
    pinned: int


@dataclass(frozen=True)
class Status:
    """What a process has, and its page faults since the lock. Sizes in bytes, times in nanoseconds of CLOCK_BOOTTIME."""

    state: State
    lock_flags: Flags
    locker_pid: int
    locker_uid: int
    lock_time_ns: int
    lock_duration_ns: int
    lock_minor_faults: int
    lock_major_faults: int
    locked: int
    memlock_limit: int | None
    """The process's RLIMIT_MEMLOCK; None is no limit."""
    pinned: int
    bookkeeping: int
    healed: int
    holders: int
    ranges: int
    real_minor_faults: int
    """Those that its threads took by an access since it is superlocked, which break the promise."""
    real_major_faults: int
    fault_address: int
    """Of the last of them, as the rest."""
    fault_ip: int
    fault_time_ns: int
    """0 if there was none."""
    fault_tid: int
    fault_flags: FaultFlags


@dataclass(frozen=True)
class Mapping:
    """One mapping of a process; `prot` is that of mmap(2).

    `read_faults` and `write_faults` are bytes in which a read and a write would be a page fault now; `cause` is why the first would.
    """

    start: int
    end: int
    resident: int
    pinned: int
    kind: Kind
    prot: int
    state: State
    reason: Reason
    read_faults: int
    write_faults: int
    cause: Cause


@dataclass(frozen=True)
class Holder:
    """One lock that is held: of `target`, asked for by `pid` of user `uid`."""

    id: int
    lock_time_ns: int
    target: int
    pid: int
    uid: int
    kind: HolderKind
    state: State
    flags: Flags
    rule: int
    """Number of the rule that it is from; 0 if it is from none."""


@dataclass(frozen=True)
class RuleResult:
    """A rule that has been added."""

    id: int
    matched: int
    """With RuleEvent.NOW: processes that it was for."""
    failed: int
    """Those of them that could not be locked."""


@dataclass(frozen=True)
class Rule:
    """What processes get without being asked for one by one."""

    id: int
    priority: int
    match: Match
    events: RuleEvent
    rule_flags: RuleFlags
    state: State
    flags: Flags
    stack_reserve: int
    device: tuple[int, int]
    """Of the executable: major and minor number."""
    inode: int
    """Of the executable."""
    cgroup: int
    """The inode of its directory."""
    uid: int
    matched: int
    """How often it was the first one for a process."""
    failed: int
    """How often that could not be locked."""
    missed: int
    """How often it was late."""
    last_errno: int
    last_limit: Limit
    adder_pid: int
    adder_uid: int


@dataclass(frozen=True)
class Event:
    """What has become of a process; times in nanoseconds of CLOCK_BOOTTIME. Fields that do not belong to `kind` are 0."""

    time_ns: int
    kind: EventKind
    flags: int
    """FaultFlags of a FAULT, Flags of LOCKED and RULE_MATCHED, the errno of RULE_FAILED."""
    pid: int
    tid: int
    """The thread that took a FAULT; who has asked for a lock or an unlock."""
    address: int
    ip: int
    duration_ns: int
    state: State
    limit: Limit
    count: int
    """How many are LOST; bytes that a LIMIT would have to allow; the number of the rule."""


@dataclass(frozen=True)
class Info:
    """What the driver can do, and how much of it is in use on this machine. Sizes in bytes."""

    version: tuple[int, int, int]
    page_size: int
    lock_flags: Flags
    locked_processes: int
    pinned: int
    wired: int
    wired_peak: int
    max_wired: int


class Error(OSError):
    """A call has failed and changed nothing. `errno` says how, `strerror` is a sentence that says why."""

    def __str__(self) -> str:
        return self.strerror or os.strerror(self.errno or 0)


class LimitError(Error):
    """A lock has met `limit`: it would have to allow `needed` bytes and allows `allowed`. 0 where that is not known."""

    def __init__(self, errno: int, strerror: str, limit: Limit = Limit.NONE, needed: int = 0, allowed: int = 0) -> None:
        super().__init__(errno, strerror)
        self.limit = limit
        self.needed = needed
        self.allowed = allowed
