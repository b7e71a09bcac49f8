# SPDX-License-Identifier: LGPL-2.1-or-later
"""libmemlockd as ctypes sees it: the structures of <linux/memlockd.h>, and the functions that are called here."""
from __future__ import annotations

import ctypes
import errno
import functools
from ctypes import POINTER, c_char_p, c_int, c_int32, c_size_t, c_ssize_t, c_uint, c_uint32, c_uint64, c_void_p

from ._types import Error

SONAME = "libmemlockd.so.1"


class Process(ctypes.Structure):
    _fields_ = [("type", c_uint32), ("id", c_int32)]


class Lock(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("target_type", c_uint32),
        ("target", c_int32),
        ("state", c_uint32),
        ("reserved", c_uint32),
        ("stack_reserve", c_uint64),
        ("out_limit", c_uint32),
        ("out_mappings", c_uint32),
        ("out_incomplete", c_uint32),
        ("out_warnings", c_uint32),
        ("out_needed", c_uint64),
        ("out_allowed", c_uint64),
        ("out_locked", c_uint64),
        ("out_pinned", c_uint64),
        ("out_fork_copy", c_uint64),
        ("out_fork_room", c_uint64),
    ]


class Sync(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("target_type", c_uint32),
        ("target", c_int32),
        ("out_locked", c_uint64),
        ("out_pinned", c_uint64),
    ]


class Status(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("target_type", c_uint32),
        ("target", c_int32),
        ("out_state", c_uint32),
        ("out_lock_flags", c_uint32),
        ("out_locker_pid", c_int32),
        ("out_locker_uid", c_uint32),
        ("out_lock_time_ns", c_uint64),
        ("out_lock_duration_ns", c_uint64),
        ("out_lock_minor_faults", c_uint64),
        ("out_lock_major_faults", c_uint64),
        ("out_locked", c_uint64),
        ("out_memlock_limit", c_uint64),
        ("out_pinned", c_uint64),
        ("out_bookkeeping", c_uint64),
        ("out_healed", c_uint64),
        ("out_holders", c_uint32),
        ("out_warnings", c_uint32),
        ("out_ranges", c_uint64),
        ("out_real_minor_faults", c_uint64),
        ("out_real_major_faults", c_uint64),
        ("out_fault_address", c_uint64),
        ("out_fault_ip", c_uint64),
        ("out_fault_time_ns", c_uint64),
        ("out_fault_tid", c_int32),
        ("out_fault_flags", c_uint32),
    ]


class Info(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("out_version", c_uint32),
        ("out_page_size", c_uint32),
        ("out_lock_flags", c_uint32),
        ("out_locked_processes", c_uint32),
        ("out_pinned", c_uint64),
        ("out_wired", c_uint64),
        ("out_wired_peak", c_uint64),
        ("out_max_wired", c_uint64),
    ]


class Mapping(ctypes.Structure):
    _fields_ = [
        ("start", c_uint64),
        ("end", c_uint64),
        ("resident", c_uint64),
        ("pinned", c_uint64),
        ("kind", c_uint32),
        ("prot", c_uint32),
        ("state", c_uint32),
        ("reason", c_uint32),
        ("read_faults", c_uint64),
        ("write_faults", c_uint64),
        ("cause", c_uint32),
        ("reserved", c_uint32),
    ]


class Holder(ctypes.Structure):
    _fields_ = [
        ("id", c_uint64),
        ("lock_time_ns", c_uint64),
        ("target", c_int32),
        ("pid", c_int32),
        ("uid", c_uint32),
        ("kind", c_uint32),
        ("state", c_uint32),
        ("flags", c_uint32),
        ("rule", c_uint64),
    ]


class Rule(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("match", c_uint32),
        ("events", c_uint32),
        ("state", c_uint32),
        ("lock_flags", c_uint32),
        ("stack_reserve", c_uint64),
        ("priority", c_int32),
        ("executable", c_int32),
        ("cgroup", c_int32),
        ("uid", c_uint32),
        ("out_id", c_uint64),
        ("out_matched", c_uint32),
        ("out_failed", c_uint32),
    ]


class RuleRow(ctypes.Structure):
    _fields_ = [
        ("id", c_uint64),
        ("matched", c_uint64),
        ("failed", c_uint64),
        ("missed", c_uint64),
        ("stack_reserve", c_uint64),
        ("inode", c_uint64),
        ("cgroup", c_uint64),
        ("priority", c_int32),
        ("flags", c_uint32),
        ("match", c_uint32),
        ("events", c_uint32),
        ("state", c_uint32),
        ("lock_flags", c_uint32),
        ("uid", c_uint32),
        ("dev_major", c_uint32),
        ("dev_minor", c_uint32),
        ("pid", c_int32),
        ("adder_uid", c_uint32),
        ("last_error", c_uint32),
        ("last_limit", c_uint32),
        ("reserved", c_uint32),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("time_ns", c_uint64),
        ("kind", c_uint32),
        ("flags", c_uint32),
        ("pid", c_int32),
        ("tid", c_int32),
        ("address", c_uint64),
        ("ip", c_uint64),
        ("duration_ns", c_uint64),
        ("state", c_uint32),
        ("limit", c_uint32),
        ("count", c_uint64),
    ]


# What is returned, and what is taken, of each function.
_FUNCTIONS = {
    "memlockd_open": (c_int, [POINTER(c_void_p)]),
    "memlockd_close": (None, [c_void_p]),
    "memlockd_fd": (c_int, [c_void_p]),
    "memlockd_error": (c_char_p, [c_void_p]),
    "memlockd_lock_process": (c_int, [c_void_p, Process, POINTER(Lock), c_size_t]),
    "memlockd_unlock_process": (c_int, [c_void_p, Process, c_uint]),
    "memlockd_sync_process": (c_int, [c_void_p, Process, POINTER(Sync), c_size_t]),
    "memlockd_read_status": (c_int, [c_void_p, Process, POINTER(Status), c_size_t]),
    "memlockd_read_info": (c_int, [c_void_p, POINTER(Info), c_size_t]),
    "memlockd_read_mappings": (c_ssize_t, [c_void_p, Process, POINTER(POINTER(Mapping)), c_size_t]),
    "memlockd_read_holders": (c_ssize_t, [c_void_p, POINTER(POINTER(Holder)), c_size_t, POINTER(c_uint)]),
    "memlockd_subscribe": (c_int, [c_void_p, Process, c_uint, c_size_t]),
    "memlockd_subscribe_all": (c_int, [c_void_p, c_uint, c_size_t]),
    "memlockd_read_events": (c_ssize_t, [c_void_p, POINTER(Event), c_size_t, c_size_t]),
    "memlockd_rule_add": (c_int, [c_void_p, POINTER(Rule), c_size_t]),
    "memlockd_rule_del": (c_int, [c_void_p, c_uint64]),
    "memlockd_read_rules": (c_ssize_t, [c_void_p, POINTER(POINTER(RuleRow)), c_size_t]),
    "memlockd_lock_range": (c_int, [c_void_p, Process, c_uint64, c_uint64, c_uint]),
    "memlockd_unlock_range": (c_int, [c_void_p, Process, c_uint64, c_uint64]),
    "memlockd_reason_text": (c_char_p, [c_uint]),
    "memlockd_cause_text": (c_char_p, [c_uint]),
}


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The library; Error if it is not installed."""
    try:
        lib = ctypes.CDLL(SONAME)
    except OSError as error:
        raise Error(errno.ENOENT, f"{SONAME} cannot be loaded: install libmemlockd1, or make install ({error})") from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


@functools.lru_cache(maxsize=None)
def free() -> ctypes._NamedFuncPointer:
    """free(3), for what the library has allocated."""
    function = ctypes.CDLL(None).free
    function.restype = None
    function.argtypes = [c_void_p]
    return function
