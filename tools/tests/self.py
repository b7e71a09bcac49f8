# SPDX-License-Identifier: GPL-2.0-only
"""self.py EXPRESSION...: evaluate, and print the results on a line each, in a process that can lock itself through libc.

mlockall(flags), munlockall(), mlock(page, n), mlock2(page, n, flags), munlock(page, n), syscall(number, ...) give 0 or
the name of the errno. resident() counts pages, each_mapping(function) calls one of libc. state() is what memlockctl says of this process, kib(field) what the kernel does.
"""
import ctypes
import errno
import json
import mmap
import os
import subprocess
import sys

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
memory = mmap.mmap(-1, 8 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))


def call(function, *args):
    ctypes.set_errno(0)
    result = function(*(ctypes.c_ulong(arg & 2**64 - 1) for arg in args))
    return errno.errorcode[ctypes.get_errno()] if result == -1 else result


def mlockall(flags):
    return call(libc.mlockall, flags)


def munlockall():
    return call(libc.munlockall)


def mlock(page, count):
    return call(libc.mlock, start + page * PAGE, count * PAGE)


def mlock2(page, count, flags):
    return call(libc.mlock2, start + page * PAGE, count * PAGE, flags)


def munlock(page, count):
    return call(libc.munlock, start + page * PAGE, count * PAGE)


def syscall(*args):
    return call(libc.syscall, *args)


def address(page):
    return start + page * PAGE


def state():
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    output = subprocess.run(["memlockctl", "status", "--json", str(os.getpid())], env=environment, check=True,
                            capture_output=True, close_fds=True).stdout
    process = json.loads(output)["processes"][0]
    return "|".join([process["state"]] + process["flags"])


def kib(field):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


def resident():
    """How many of the pages are in memory."""
    pages = (ctypes.c_ubyte * 8)()
    call(libc.mincore, start, 8 * PAGE, ctypes.addressof(pages))
    return sum(page & 1 for page in pages)


def each_mapping(function):
    """What the function returns for the mappings of this process, without repetitions."""
    with open("/proc/self/maps", encoding="ascii") as file:
        mappings = [[int(word, 16) for word in line.split()[0].split("-")] for line in file]
    return sorted({str(call(function, first, end - first)) for first, end in mappings})


def reuse_descriptors():
    """Close all that the program does not know, as daemons do, and take the numbers for files of its own."""
    os.closerange(3, 1024)
    for fd in range(3, 512):
        os.dup2(os.open("/dev/null", os.O_RDWR), fd)
    return 0


for expression in sys.argv[1:]:
    print(eval(expression), flush=True)
