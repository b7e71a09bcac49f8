# SPDX-License-Identifier: GPL-2.0-only
"""Threads that allocate and free memory of all sizes by malloc and calloc, until the file named exists."""
import ctypes
import os
import random
import sys
import threading

libc = ctypes.CDLL(None)
for name in ("malloc", "calloc", "realloc"):
    getattr(libc, name).restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
rounds = 0
wrong = []


def churn(seed, stop):
    """What calloc gives is zero, and what was written is there until it is freed."""
    global rounds
    draw = random.Random(seed)
    kept = []
    while not os.path.exists(stop):
        for _ in range(40):
            size = draw.choice((draw.randrange(1, 2000), draw.randrange(1, 300000), draw.randrange(1, 3000000)))
            at = libc.calloc(1, size)
            if ctypes.string_at(at, size).count(0) != size:
                wrong.append("memory of calloc is not zero")
                return
            byte = draw.randrange(1, 256)
            ctypes.memset(at, byte, size)
            kept.append((at, size, byte))
            if len(kept) > 20:
                at, size, byte = kept.pop(draw.randrange(len(kept)))
                if ctypes.string_at(at, size).count(byte) != size:
                    wrong.append("memory has changed")
                    return
                libc.free(at)
        rounds += 1
    for at, size, byte in kept:
        libc.free(at)


def main(stop):
    """Two of them."""
    threads = [threading.Thread(target=churn, args=(seed, stop)) for seed in range(2)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for thread in threads:
        thread.join()
    if wrong:
        sys.exit("wrong: " + wrong[0])
    print(rounds, "rounds")


main(sys.argv[1])
