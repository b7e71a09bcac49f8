# SPDX-License-Identifier: GPL-2.0-only
"""terminal.py STEPS COMMAND...: run the command on a terminal, and print what it printed.

STEPS are WAIT:KEYS, with | between them: when the text WAIT has come, since the step before, KEYS are typed. ^C is that key, and
@80x24 makes the terminal so large. It begins with the size in $TERMINAL_SIZE, or with none. Ends with the command's exit status,
or with 99 when the modes of the terminal are not as they were.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios


def resize(size):
    columns, lines = size.split("x")
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", int(lines), int(columns), 0, 0))


steps = [step.rpartition(":")[::2] for step in sys.argv[1].split("|") if step]
main, terminal = pty.openpty()
if "TERMINAL_SIZE" in os.environ:
    resize(os.environ["TERMINAL_SIZE"])
before = termios.tcgetattr(terminal)
pid = os.fork()
if not pid:
    os.close(main)
    os.login_tty(terminal)
    os.execvp(sys.argv[2], sys.argv[2:])

# Our own end of the terminal stays open, so that nothing is lost and its modes can be read after the command.
seen = b""
since = 0
status = None
os.set_blocking(main, False)
while True:
    try:
        data = os.read(main, 65536)
    except BlockingIOError:
        data = b""
    seen += data
    if steps and steps[0][0].encode() in seen[since:]:
        since = len(seen)
        keys = steps.pop(0)[1]
        if keys.startswith("@"):
            resize(keys[1:])
        else:
            os.write(main, keys.replace("^C", "\x03").encode())
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
