# SPDX-License-Identifier: GPL-2.0-only
"""Worker processes, shared memory, small and large allocations, and a fork, until the file named exists."""
import hashlib
import multiprocessing
import multiprocessing.shared_memory
import os
import sys


def work(seed):
    """The same number for the same seed."""
    data = [bytes([(seed + i) % 256]) * (i * 37 % 9000) for i in range(300)]
    large = bytearray(300000)
    if any(large):
        raise RuntimeError("new memory is not zero")
    large[seed % 300000] = 1
    digest = hashlib.sha256(b"".join(data) + large)
    return digest.hexdigest()


def main(stop):
    """Compares what processes say with what this one finds."""
    expected = {seed: work(seed) for seed in range(8)}
    shared = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)
    rounds = 0
    with multiprocessing.Pool(2) as pool:
        print("ready", flush=True)
        while not os.path.exists(stop) or not rounds:
            if pool.map(work, range(8)) != [expected[seed] for seed in range(8)]:
                sys.exit("wrong: a process found something else")
            shared.buf[:] = bytes([rounds % 256]) * (1 << 20)
            pid = os.fork()
            if not pid:
                os._exit(any(byte != rounds % 256 for byte in shared.buf[::4096]))
            if os.waitpid(pid, 0)[1]:
                sys.exit("wrong: a child saw something else")
            rounds += 1
    shared.close()
    shared.unlink()
    print(rounds, "rounds")


if __name__ == "__main__":
    main(sys.argv[1])
