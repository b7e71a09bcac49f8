# SPDX-License-Identifier: GPL-2.0-only
"""bindings.py TEST [PID]: one test of the Python package memlockd, of the process PID, which sleeps."""
import ctypes
import errno
import inspect
import mmap
import os
import pickle
import re
import resource
import signal
import subprocess
import sys

import memlockd
from memlockd import Cause, Error, Flags, Kind, Limit, LimitError, Process, Reason, State, Warnings, _abi

HEADER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "root/usr/include/linux/memlockd.h")
PAGE = mmap.PAGESIZE
CURRENT_FUTURE = Flags.CURRENT | Flags.FUTURE


def show(**values):
    print(", ".join(f"{name} {value!r}" for name, value in values.items()))


def equal(what, a, b):
    assert a == b, f"{what}: {a!r}, not {b!r}"


def kernel_kib(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


def asleep(pid):
    """Is it in clock_nanosleep(2), so that it maps nothing any more?"""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        return file.read().startswith("230 ")


def failure(function, *args, **options):
    """The Error that a call ends in."""
    try:
        function(*args, **options)
    except Error as error:
        show(errno=errno.errorcode[error.errno], sentence=str(error))
        return error
    raise AssertionError(f"{function.__name__}{args} has succeeded")


def superlock(pid):
    with memlockd.Memlockd() as device:
        result = device.superlock(pid)
        status = device.status(pid)
        show(result=result, status=status)
        equal("state", status.state, State.SUPERLOCKED)
        equal("flags", status.lock_flags, CURRENT_FUTURE)
        equal("locked", status.locked, kernel_kib(pid, "VmLck") * 1024)
        equal("result", (result.locked, result.pinned), (status.locked, status.pinned))
        assert result.pinned > 0
        # The spawned process has all capabilities, and a small one can fork.
        over = status.memlock_limit is not None and result.locked > status.memlock_limit
        equal("warnings", result.warnings, Warnings.CAPABILITY if over else Warnings(0))
        assert 0 < result.fork_copy <= min(result.pinned, result.fork_room)
        equal("locker", (status.locker_pid, status.locker_uid), (os.getpid(), os.getuid()))
        assert status.lock_time_ns > 0 and status.lock_duration_ns > 0
        device.unlock(pid)
        equal("state", device.status(pid).state, State.UNLOCKED)
        equal("VmLck", kernel_kib(pid, "VmLck"), 0)


def lock(pid):
    with memlockd.Memlockd() as device:
        device.lock(pid, flags=CURRENT_FUTURE | Flags.MOVABLE)
        status = device.status(pid)
        equal("state", (status.state, status.lock_flags), (State.LOCKED, CURRENT_FUTURE | Flags.MOVABLE))
        equal("pinned", status.pinned, 0)
        device.lock(pid)
        status = device.status(pid)
        show(pinned=status.pinned)
        equal("state", (status.state, status.lock_flags), (State.LOCKED, CURRENT_FUTURE))
        assert status.pinned > 0
    equal("state after close()", memlockd.Memlockd().status(pid).state, State.LOCKED)
    memlockd.Memlockd().unlock(pid)


def block(pid):
    """`with device.locked()` unlocks at its end, by an exception as well; a process that is gone is no error."""
    device = memlockd.Memlockd()
    with device.locked(pid) as result:
        status = device.status(pid)
        equal("state", status.state, State.SUPERLOCKED)
        equal("mappings", result.mappings, len(device.mappings(pid)))
        equal("holders", [(holder.target, Flags.OWNED in holder.flags) for holder in device.list()], [(pid, True)])
        equal("warnings", device.warnings(), Warnings(0))
    equal("state", device.status(pid).state, State.UNLOCKED)
    try:
        with device.locked(pid, State.LOCKED):
            raise KeyError("of the block")
    except KeyError as error:
        show(error=error)
    equal("state", device.status(pid).state, State.UNLOCKED)
    child = subprocess.Popen(["sleep", "1000"])
    with device.locked(child.pid):
        child.kill()
        child.wait()


def owned(pid):
    """An owned lock goes with its client, however that ends; close() twice is once."""
    device = memlockd.Memlockd()
    device.superlock(pid, Flags.OWNED)
    assert os.fstat(device.fileno())
    device.close()
    device.close()
    equal("after close()", failure(device.status, pid).errno, errno.EBADF)
    watcher = memlockd.Memlockd()
    equal("state", watcher.status(pid).state, State.UNLOCKED)


def mappings(pid):
    with memlockd.Memlockd() as device, device.locked(pid):
        rows = device.mappings(pid)
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        kernel = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in file if "[vsyscall]" not in line]
    equal("addresses", [(row.start, row.end) for row in rows], kernel)
    show(first=rows[0])
    reasons = {row.reason for row in rows}
    equal("reason of the vdso", Reason.KERNEL in reasons, True)
    equal("text", memlockd.reason_text(Reason.KERNEL), "the kernel's own page")
    equal("text of a cause", memlockd.cause_text(Cause.SWAPPED), "in swap space")
    writable = [row for row in rows if row.kind == Kind.ANON and row.prot & mmap.PROT_WRITE]
    assert writable
    equal("would fault", [(row.read_faults, row.write_faults, row.cause) for row in writable], [(0, 0, Cause.NONE)] * len(writable))
    for row in writable:
        equal("private memory", (row.state, row.resident, row.pinned), (State.SUPERLOCKED, row.end - row.start, row.end - row.start))


def sync(pid):
    with memlockd.Memlockd() as device:
        equal("sync of what is not locked", failure(device.sync, pid).errno, errno.ENOENT)
        device.lock(0, flags=Flags.CURRENT)
        memory = mmap.mmap(-1, 512 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        result = device.sync(0)
        show(result=result)
        assert result.locked >= len(memory) and result.pinned >= len(memory)
        device.unlock(0)
        memory.close()


def others(pid):
    """By pidfd, by /proc/PID/mem; two holders; force."""
    one, two = memlockd.Memlockd(), memlockd.Memlockd()
    pidfd = os.pidfd_open(pid)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        one.superlock(Process.pidfd(pidfd))
        two.lock(Process.mem(mem))
        equal("holders", one.status(pid).holders, 2)
        rows = one.list()
        show(rows=rows)
        equal("list", [(row.target, row.pid, row.state) for row in rows],
              [(pid, os.getpid(), State.SUPERLOCKED), (pid, os.getpid(), State.LOCKED)])
        assert "not open" in str(failure(one.status, Process.pidfd(1000)))
        equal("no pidfd", failure(one.status, Process.pidfd(mem)).errno, errno.EINVAL)
    one.unlock(pid)
    equal("state", two.status(pid).state, State.LOCKED)
    equal("unlock of another's", failure(one.unlock, pid).errno, errno.EPERM)
    one.unlock(pid, force=True)
    equal("state", two.status(pid).state, State.UNLOCKED)


def ranges(pid):
    with memlockd.Memlockd() as device:
        memory = mmap.mmap(-1, 8 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        anchor = ctypes.c_char.from_buffer(memory)
        start = ctypes.addressof(anchor)
        device.lock_range(0, start + PAGE, 2 * PAGE, State.SUPERLOCKED)
        show(ranges=device.status(0).ranges)
        equal("bytes", device.status(0).ranges, 2 * PAGE)
        equal("VmLck", kernel_kib("self", "VmLck"), 2 * PAGE // 1024)
        device.unlock_range(0, start + PAGE, 2 * PAGE)
        equal("VmLck", kernel_kib("self", "VmLck"), 0)
        equal("unlocked twice", failure(device.unlock_range, 0, start, PAGE).errno, errno.ENOENT)
        equal("wrap", failure(device.lock_range, 0, (1 << 64) - PAGE, 2 * PAGE).errno, errno.EINVAL)
        whole = next(row for row in device.mappings(pid) if row.kind == Kind.ANON)
        device.lock_range(pid, whole.start, whole.end - whole.start)
        equal("bytes", device.status(pid).ranges, whole.end - whole.start)
        device.unlock_range(pid, whole.start, whole.end - whole.start)
        equal("bytes", device.status(pid).ranges, 0)


def events(pid):
    """A lock and an unlock of a process, as they are read."""
    with memlockd.Memlockd() as device:
        equal("without a subscription", failure(device.read_events).errno, errno.EINVAL)
        device.subscribe(pid)
        equal("nothing yet", device.read_events(), [])
        device.superlock(pid)
        device.unlock(pid)
        seen = device.read_events()
        show(events=seen)
        equal("kinds", [event.kind for event in seen], [memlockd.EventKind.LOCKED, memlockd.EventKind.UNLOCKED])
        equal("who", [(event.pid, event.tid) for event in seen], 2 * [(pid, os.getpid())])
        equal("state", seen[0].state, State.SUPERLOCKED)
        device.subscribe(None, memlockd.EventKind.LIMIT)
        device.superlock(pid)
        equal("other kinds", device.read_events(), [])
        status = device.status(pid)
        equal("real faults of a sleep", (status.real_minor_faults, status.real_major_faults, status.fault_time_ns), (0, 0, 0))
        device.unlock(pid)


def rules(pid):
    """A rule for the program that runs already, its exception, and what is told of both."""
    program = os.path.realpath(f"/proc/{pid}/exe")
    now = memlockd.RuleEvent.NOW
    with memlockd.Memlockd() as device:
        equal("none", device.rules(), [])
        exception = device.add_rule(State.UNLOCKED, executable=program, events=now, priority=-1)
        rule = device.add_rule(executable=program, events=now)
        show(exception=exception, rule=rule)
        equal("the exception is first", (exception.matched > 0, rule.matched, device.status(pid).state),
              (True, 0, State.UNLOCKED))
        device.del_rule(exception.id)
        equal("gone", failure(device.del_rule, exception.id).errno, errno.ENOENT)
        device.del_rule(rule.id)
        rule = device.add_rule(executable=program, events=now)
        equal("result", (rule.matched > 0, rule.failed, device.status(pid).state), (True, 0, State.SUPERLOCKED))
        row, = device.rules()
        show(row=row)
        stat = os.stat(program)
        equal("row", (row.id, row.match, row.events, row.state, row.flags, row.matched, row.failed, row.inode, row.adder_pid),
              (rule.id, memlockd.Match.EXECUTABLE, now, State.SUPERLOCKED, CURRENT_FUTURE, rule.matched, 0, stat.st_ino, os.getpid()))
        equal("holder", [(holder.kind, holder.rule) for holder in device.list() if holder.target == pid],
              [(memlockd.HolderKind.RULE, rule.id)])
        device.del_rule(rule.id)
        equal("after it", device.status(pid).state, State.UNLOCKED)
        equal("no program", type(failure(device.add_rule, State.LOCKED, uid=0xFFFF_FFFF)), Error)
        try:
            device.add_rule(executable="/no/such/program")
        except FileNotFoundError as error:
            show(error=error)
        else:
            raise AssertionError("a program that is not there")


def info(pid):
    with memlockd.Memlockd() as device:
        before = device.info()
        with device.locked(pid):
            during = device.info()
        show(info=during)
        with open("/sys/module/memlockd/version", encoding="ascii") as file:
            equal("version", ".".join(str(part) for part in during.version), file.read().strip())
        equal("page size", during.page_size, PAGE)
        equal("processes", during.locked_processes, before.locked_processes + 1)
        assert during.pinned > before.pinned and during.wired_peak >= during.wired > before.wired
        assert CURRENT_FUTURE | Flags.OWNED in during.lock_flags


def failures(pid):
    """An errno and the library's sentence, as OSError has them; the limit with both its numbers; all of it through pickle."""
    with memlockd.Memlockd() as device:
        error = failure(device.unlock, pid)
        equal("error", (error.errno, error.strerror, str(error)), (errno.ENOENT, f"sleep (PID {pid}) is not locked", error.strerror))
        assert isinstance(error, OSError)
        equal("kernel thread", failure(device.status, 2).errno, errno.ESRCH)
        equal("flags", failure(device.superlock, pid, Flags.MOVABLE).errno, errno.EINVAL)
        for wrong in (-1, 1 << 31):
            try:
                device.status(wrong)
            except ValueError as error:
                show(error=error)
            else:
                raise AssertionError(f"{wrong} is a process ID")
        child = subprocess.Popen(["setpriv", "--reuid=nobody", "--clear-groups", "--regid=nogroup", "sleep", "1000"])
        while not asleep(child.pid):
            os.sched_yield()
        resource.prlimit(child.pid, resource.RLIMIT_MEMLOCK, (65536, 65536))
        error = failure(device.superlock, child.pid)
        assert isinstance(error, LimitError)
        show(limit=error.limit, needed=error.needed, allowed=error.allowed)
        equal("limit", (error.errno, error.limit, error.allowed), (errno.ENOMEM, Limit.RLIMIT_MEMLOCK, 65536))
        equal("status", (device.status(child.pid).state, device.status(child.pid).memlock_limit), (State.UNLOCKED, 65536))
        copy = pickle.loads(pickle.dumps(error))
        equal("copy", (type(copy), str(copy), vars(copy)), (LimitError, str(error), vars(error)))
        resource.prlimit(child.pid, resource.RLIMIT_MEMLOCK, (error.needed, error.needed))
        device.superlock(child.pid)
        device.unlock(child.pid)
        child.send_signal(signal.SIGKILL)
        child.wait()


def no_device(_pid):
    error = failure(memlockd.Memlockd)
    equal("errno", error.errno, errno.ENOENT)
    assert "modprobe memlockd" in str(error)


def no_library(_pid):
    error = failure(memlockd.Memlockd)
    equal("errno", error.errno, errno.ENOENT)
    assert "libmemlockd1" in str(error)


def header(_pid):
    """Numbers and structures are those of <linux/memlockd.h>, none is missing, and what is newer has a name."""
    with open(HEADER, encoding="ascii") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    enums = {"state": State, "target_type": memlockd.TargetType, "lock_flags": Flags, "limit": Limit, "reason": Reason,
             "cause": Cause, "kind": Kind, "holder_kind": memlockd.HolderKind, "warning": memlockd.Warnings,
             "fault_flags": memlockd.FaultFlags, "event_kind": memlockd.EventKind, "match": memlockd.Match,
             "rule_event": memlockd.RuleEvent, "rule_flags": memlockd.RuleFlags}
    for name, body in re.findall(r"enum memlockd_(\w+) \{(.*?)\}", text, re.DOTALL):
        # What these say, the package takes or leaves without a number.
        if name in ("unlock_flags", "mappings_flags", "range_flags", "subscribe_flags"):
            continue
        known = enums.pop(name)
        there = {key: eval(value) for key, value in re.findall(r"(MEMLOCKD_\w+) = ([^,]*),", body)}
        prefix = os.path.commonprefix(list(there))
        prefix = prefix[:prefix.rindex("_") + 1]
        show(enum=name, values=len(there))
        equal(name, {key[len(prefix):]: value for key, value in there.items()},
              {key: member.value for key, member in known.__members__.items()})
    equal("enums that the header has not", enums, {})
    types = {"__u32": ctypes.c_uint32, "__s32": ctypes.c_int32, "__aligned_u64": ctypes.c_uint64}
    structs = dict(re.findall(r"struct memlockd_(\w+) \{(.*?)\}", text, re.DOTALL))
    for name, known in inspect.getmembers(_abi, inspect.isclass):
        if known.__module__ != _abi.__name__ or name == "Process":
            continue
        there = [(field, types[type]) for type, field in re.findall(r"(\w+) (\w+);", structs[re.sub(r"\B([A-Z])", r"_\1", name).lower()])]
        show(struct=name, fields=len(there), size=ctypes.sizeof(known))
        equal(name, list(known._fields_), there)
    equal("what is newer", (Reason(77).name, Reason(77).value), ("UNKNOWN_77", 77))


globals()[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 0)
