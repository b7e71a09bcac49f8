# SPDX-License-Identifier: GPL-2.0-only
"""terminal.py WAIT:KEYS COMMAND...: run the command on a terminal, and print what it printed.

When the text WAIT has come, KEYS are typed ("^C" is that key). Ends with the command's exit status, or with 99 when
the modes of the terminal are not as they were.
"""
import os
import pty
import select
import sys
import termios

wait, _, keys = sys.argv[1].rpartition(":")
keys = keys.replace("^C", "\x03").encode()
main, terminal = pty.openpty()
before = termios.tcgetattr(terminal)
pid = os.fork()
if not pid:
    os.close(main)
    os.login_tty(terminal)
    os.execvp(sys.argv[2], sys.argv[2:])

# Our own end of the terminal stays open, so that nothing is lost and its modes can be read after the command.
seen = b""
status = None
os.set_blocking(main, False)
while True:
    try:
        data = os.read(main, 65536)
    except BlockingIOError:
        data = b""
    seen += data
    if keys and wait.encode() in seen:
        os.write(main, keys)
        keys = b""
    if data:
        continue
    if status is not None:
        break
    done, code = os.waitpid(pid, os.WNOHANG)
    if done:
        status = os.waitstatus_to_exitcode(code)
    else:
        select.select([main], [], [], 0.1)

sys.stdout.write(seen.decode(errors="replace"))
sys.stdout.flush()
if termios.tcgetattr(terminal) != before:
    sys.exit(99)
sys.exit(status if status >= 0 else 128 - status)
