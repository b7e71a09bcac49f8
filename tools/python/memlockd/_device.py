# SPDX-License-Identifier: LGPL-2.1-or-later
"""The open device."""
from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from . import _abi
from ._types import (ALL_EVENTS, Cause, Error, Event, EventKind, FaultFlags, Flags, Holder, HolderKind, Info, Kind, Limit, LimitError,
                     LockResult, Mapping, Match, Process, Reason, Rule, RuleEvent, RuleFlags, RuleResult, State, Status,
                     SyncResult, Target, TargetType, Warnings)

STACK_RESERVE_NONE = 0xFFFF_FFFF_FFFF_FFFF
"""For `stack_reserve`: the stack stays as it is."""

_NO_LIMIT = 0xFFFF_FFFF_FFFF_FFFF
_UNLOCK_FORCE = 1


# Memlockd.list() hides the type of that name in its class.
_Mappings = list[Mapping]
_Holders = list[Holder]
_Events = list[Event]
_Rules = list[Rule]


def _process(target: Target) -> _abi.Process:
    if isinstance(target, Process):
        return _abi.Process(target.type, target.id)
    if not 0 <= target < 1 << 31:
        raise ValueError(f"{target} is no process ID")
    return _abi.Process(TargetType.PID, target)


def _range(addr: int, length: int) -> None:
    if not 0 <= addr < 1 << 64 or not 0 <= length < 1 << 64:
        raise ValueError("an address and a length are numbers of 64 bits")


class Memlockd:
    """An open /dev/memlockd, which holds the locks that are asked for through it.

    A target is a process ID (0 is the caller) or a Process. A method that fails raises Error and has changed nothing.
    After close(), or at the end of a `with`, locks with Flags.OWNED are gone; the others are held by the user.

    Threads may share it: one call is made at a time.
    """

    def __init__(self) -> None:
        self._handle: ctypes.c_void_p | None = None
        self._lock = threading.Lock()
        self._lib = _abi.library()
        handle = ctypes.c_void_p()
        err = self._lib.memlockd_open(ctypes.byref(handle))
        if err:
            error = Error(-err, self._sentence(handle))
            self._lib.memlockd_close(handle)
            raise error
        self._handle = handle

    def close(self) -> None:
        """Close the device. Twice is once."""
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                self._lib.memlockd_close(handle)

    def __enter__(self) -> Memlockd:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # Where __init__ has failed there is nothing to close.
        if getattr(self, "_handle", None) is not None:
            self.close()

    def fileno(self) -> int:
        """The descriptor of the device, which stays this object's."""
        return self._call("memlockd_fd")

    def lock(self, target: Target, state: State = State.LOCKED, flags: Flags = Flags(0), *, stack_reserve: int = 0) -> LockResult:
        """Lock a process. Returns when all of it is present, and pinned as `state` promises.

        Locking again changes the lock to exactly the new state and flags. Where a limit is in the way LimitError says
        which, and resource.prlimit() raises a target's RLIMIT_MEMLOCK. `stack_reserve` is for State.SUPERLOCKED: bytes
        that the main stack is grown to; 0 stands for 1 MiB, or what RLIMIT_MEMLOCK has room for.
        """
        if not 0 <= stack_reserve < 1 << 64:
            raise ValueError(f"{stack_reserve} is no size of a stack")
        lock = _abi.Lock(state=state, flags=flags, stack_reserve=stack_reserve)

        def failed(err: int, sentence: str) -> Error:
            if err != errno.ENOMEM:
                return Error(err, sentence)
            return LimitError(err, sentence, Limit(lock.out_limit), lock.out_needed, lock.out_allowed)

        self._call("memlockd_lock_process", _process(target), ctypes.byref(lock), ctypes.sizeof(lock), failed=failed)
        return LockResult(lock.out_mappings, lock.out_incomplete, lock.out_locked, lock.out_pinned,
                          Warnings(lock.out_warnings), lock.out_fork_copy, lock.out_fork_room)

    def superlock(self, target: Target, flags: Flags = Flags(0), *, stack_reserve: int = 0) -> LockResult:
        """Superlock a process: no page fault, now and in the future. See lock()."""
        return self.lock(target, State.SUPERLOCKED, flags, stack_reserve=stack_reserve)

    def unlock(self, target: Target, *, force: bool = False) -> None:
        """Undo the lock of a process; with `force` the locks of all holders, which needs CAP_IPC_LOCK."""
        self._call("memlockd_unlock_process", _process(target), _UNLOCK_FORCE if force else 0)

    @contextlib.contextmanager
    def locked(self, target: Target, state: State = State.SUPERLOCKED, flags: Flags = Flags(0), *,
               stack_reserve: int = 0) -> Iterator[LockResult]:
        """Lock a process for the time of a `with`; with Flags.OWNED, so that the lock goes if this program is killed.

        It takes the place of a lock that this device has of the process. A process that has ended, or executed another
        program meanwhile, has no lock any more, and that is no error.
        """
        result = self.lock(target, state, flags | Flags.OWNED, stack_reserve=stack_reserve)
        try:
            yield result
        finally:
            self._unlock_if_there(target)

    def _unlock_if_there(self, target: Target) -> None:
        try:
            self.unlock(target)
        except Error as error:
            if error.errno not in (errno.ESRCH, errno.ENOENT):
                raise

    def sync(self, target: Target) -> SyncResult:
        """Lock what has appeared since the lock and does not have it yet."""
        sync = _abi.Sync()
        self._call("memlockd_sync_process", _process(target), ctypes.byref(sync), ctypes.sizeof(sync))
        return SyncResult(sync.out_locked, sync.out_pinned)

    def status(self, target: Target) -> Status:
        """What a process has, and its page faults since the lock."""
        status = _abi.Status()
        self._call("memlockd_read_status", _process(target), ctypes.byref(status), ctypes.sizeof(status))
        return Status(
            state=State(status.out_state),
            lock_flags=Flags(status.out_lock_flags),
            locker_pid=status.out_locker_pid,
            locker_uid=status.out_locker_uid,
            lock_time_ns=status.out_lock_time_ns,
            lock_duration_ns=status.out_lock_duration_ns,
            lock_minor_faults=status.out_lock_minor_faults,
            lock_major_faults=status.out_lock_major_faults,
            locked=status.out_locked,
            memlock_limit=None if status.out_memlock_limit == _NO_LIMIT else status.out_memlock_limit,
            pinned=status.out_pinned,
            bookkeeping=status.out_bookkeeping,
            healed=status.out_healed,
            holders=status.out_holders,
            ranges=status.out_ranges,
            real_minor_faults=status.out_real_minor_faults,
            real_major_faults=status.out_real_major_faults,
            fault_address=status.out_fault_address,
            fault_ip=status.out_fault_ip,
            fault_time_ns=status.out_fault_time_ns,
            fault_tid=status.out_fault_tid,
            fault_flags=FaultFlags(status.out_fault_flags),
        )

    def mappings(self, target: Target) -> _Mappings:
        """All mappings of a process, in the order of addresses.

        Where the caller may not see the addresses of the process, they are made up, and their sizes and order are right.
        """
        return [
            Mapping(row.start, row.end, row.resident, row.pinned, Kind(row.kind), row.prot, State(row.state), Reason(row.reason),
                    row.read_faults, row.write_faults, Cause(row.cause))
            for row in self._rows(_abi.Mapping, "memlockd_read_mappings", _process(target))
        ]

    def list(self) -> _Holders:
        """All locks that are held on the machine, in the order in which they were asked for."""
        return [
            Holder(row.id, row.lock_time_ns, row.target, row.pid, row.uid, HolderKind(row.kind), State(row.state), Flags(row.flags),
                   row.rule)
            for row in self._rows(_abi.Holder, "memlockd_read_holders", after=(None,))
        ]

    def warnings(self) -> Warnings:
        """What no lock on the machine promises as things are now."""
        warnings = ctypes.c_uint()
        self._rows(_abi.Holder, "memlockd_read_holders", after=(ctypes.byref(warnings),))
        return Warnings(warnings.value)

    def info(self) -> Info:
        """What the driver can do, and how much of it is in use."""
        info = _abi.Info()
        self._call("memlockd_read_info", ctypes.byref(info), ctypes.sizeof(info))
        version = info.out_version
        return Info(
            version=(version >> 16, version >> 8 & 0xFF, version & 0xFF),
            page_size=info.out_page_size,
            lock_flags=Flags(info.out_lock_flags),
            locked_processes=info.out_locked_processes,
            pinned=info.out_pinned,
            wired=info.out_wired,
            wired_peak=info.out_wired_peak,
            max_wired=info.out_max_wired,
        )

    def subscribe(self, target: Target | None = None, kinds: EventKind = ALL_EVENTS) -> None:
        """Say which events read_events() is to return: of a process, or of all that the caller may look at."""
        size = ctypes.sizeof(_abi.Event)
        os.set_blocking(self.fileno(), False)
        if target is None:
            self._call("memlockd_subscribe_all", kinds, size)
        else:
            self._call("memlockd_subscribe", _process(target), kinds, size)

    def read_events(self) -> _Events:
        """What has happened since, up to 64 events; none if there are none yet. poll() of this object tells when there are."""
        events = (_abi.Event * 64)()
        try:
            count = self._call("memlockd_read_events", events, len(events), ctypes.sizeof(_abi.Event))
        except Error as error:
            if error.errno != errno.EAGAIN:
                raise
            count = 0
        return [
            Event(event.time_ns, EventKind(event.kind), event.flags, event.pid, event.tid, event.address, event.ip,
                  event.duration_ns, State(event.state), Limit(event.limit), event.count)
            for event in events[:count]
        ]

    def add_rule(self, state: State = State.SUPERLOCKED, flags: Flags = Flags(0), *, executable: str | None = None,
                 cgroup: str | None = None, uid: int | None = None, realtime: bool = False, io: bool = False,
                 events: RuleEvent = RuleEvent.EXEC | RuleEvent.FORK | RuleEvent.NOW, rule_flags: RuleFlags = RuleFlags(0),
                 priority: int = 0, stack_reserve: int = 0) -> RuleResult:
        """Lock processes from now on without asking for them one by one: those of which all that is given here is true.

        `executable` is the path of a program, `cgroup` that of the directory of a control group of version 2. With
        State.UNLOCKED it is an exception from the rules behind it. Of several rules that are for a process the one with
        the lowest `priority` counts, then the oldest. Needs CAP_IPC_LOCK and CAP_SYS_PTRACE.
        """
        if state != State.UNLOCKED and not flags & (Flags.CURRENT | Flags.FUTURE):
            flags |= Flags.CURRENT | Flags.FUTURE
        rule = _abi.Rule(flags=rule_flags, events=events, state=state, lock_flags=flags, stack_reserve=stack_reserve,
                         priority=priority)
        rule.match = (Match.REALTIME if realtime else 0) | (Match.IO if io else 0)
        if uid is not None:
            rule.match |= Match.USER
            rule.uid = uid
        with contextlib.ExitStack() as opened:
            for bit, name, path in ((Match.EXECUTABLE, "executable", executable), (Match.CGROUP, "cgroup", cgroup)):
                if path is not None:
                    fd = os.open(path, os.O_RDONLY)
                    opened.callback(os.close, fd)
                    rule.match |= bit
                    setattr(rule, name, fd)
            self._call("memlockd_rule_add", ctypes.byref(rule), ctypes.sizeof(rule))
        return RuleResult(rule.out_id, rule.out_matched, rule.out_failed)

    def del_rule(self, rule: int) -> None:
        """Take a rule away, and the locks that processes have by it."""
        self._call("memlockd_rule_del", rule)

    def rules(self) -> _Rules:
        """All rules, in the order in which they were added."""
        return [
            Rule(row.id, row.priority, Match(row.match), RuleEvent(row.events), RuleFlags(row.flags), State(row.state),
                 Flags(row.lock_flags), row.stack_reserve, (row.dev_major, row.dev_minor), row.inode, row.cgroup, row.uid,
                 row.matched, row.failed, row.missed, row.last_error, Limit(row.last_limit), row.pid, row.adder_uid)
            for row in self._rows(_abi.RuleRow, "memlockd_read_rules")
        ]

    def lock_range(self, target: Target, addr: int, length: int, state: State = State.LOCKED) -> None:
        """Lock a part of an address space: all pages that [addr, addr + length) has a part of."""
        _range(addr, length)
        self._call("memlockd_lock_range", _process(target), addr, length, state)

    def unlock_range(self, target: Target, addr: int, length: int) -> None:
        """Unlock a part of an address space."""
        _range(addr, length)
        self._call("memlockd_unlock_range", _process(target), addr, length)

    def _rows(self, row: Any, function: str, *args: object, after: tuple[object, ...] = ()) -> Any:
        """Copies of all rows of a call that allocates them."""
        rows = ctypes.POINTER(row)()
        count = self._call(function, *args, ctypes.byref(rows), ctypes.sizeof(row), *after)
        try:
            return [row.from_buffer_copy(rows[i]) for i in range(count)]
        finally:
            _abi.free()(rows)

    def _sentence(self, handle: ctypes.c_void_p) -> str:
        """What the library says of the last call that failed."""
        text: bytes = self._lib.memlockd_error(handle)
        return text.decode(errors="replace")

    def _call(self, function: str, *args: object, failed: Callable[[int, str], Error] = Error) -> int:
        with self._lock:
            if self._handle is None:
                raise Error(errno.EBADF, "the device has been closed")
            result: int = getattr(self._lib, function)(self._handle, *args)
            if result >= 0:
                return result
            sentence = self._sentence(self._handle)
        raise failed(-result, sentence)


def reason_text(reason: Reason) -> str:
    """A reason in a few words; empty for Reason.NONE."""
    text: bytes = _abi.library().memlockd_reason_text(reason)
    return text.decode()


def cause_text(cause: Cause) -> str:
    """A cause in a few words; empty for Cause.NONE."""
    text: bytes = _abi.library().memlockd_cause_text(cause)
    return text.decode()
