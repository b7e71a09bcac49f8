# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lock or superlock the memory of another process, by PID: Python's way to the Linux kernel module memlockd.

    import memlockd

    with memlockd.Memlockd() as device:
        device.superlock(812)
        for mapping in device.mappings(812):
            if mapping.reason:
                print(f"{mapping.start:x}-{mapping.end:x}", memlockd.reason_text(mapping.reason))

Calls go through libmemlockd.so.1, by ctypes. What states, flags and fields mean stands in <linux/memlockd.h>.
"""
from ._device import STACK_RESERVE_NONE, Memlockd, cause_text, reason_text
from ._types import (ALL_EVENTS, Cause, Error, Event, EventKind, FaultFlags, Flags, Holder, HolderKind, Info, Kind, Limit, LimitError,
                     LockResult, Mapping, Match, Process, Reason, Rule, RuleEvent, RuleFlags, RuleResult, State, Status,
                     SyncResult, Target, TargetType, Warnings)

__all__ = [
    "ALL_EVENTS",
    "Cause",
    "Error",
    "Event",
    "EventKind",
    "FaultFlags",
    "Flags",
    "Holder",
    "HolderKind",
    "Info",
    "Kind",
    "Limit",
    "LimitError",
    "LockResult",
    "Mapping",
    "Match",
    "Memlockd",
    "Process",
    "Reason",
    "Rule",
    "RuleEvent",
    "RuleFlags",
    "RuleResult",
    "STACK_RESERVE_NONE",
    "State",
    "Status",
    "SyncResult",
    "Target",
    "TargetType",
    "Warnings",
    "cause_text",
    "reason_text",
]
