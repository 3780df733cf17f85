#!/usr/bin/env python3
"""Runs a command on a terminal of its own, and answers it as a person would.

    terminal.py SCRIPT COMMAND...

SCRIPT is lines of `see TEXT` (wait until the command has written TEXT) and `type KEYS` (with \\n, \\t, and ^C for Ctrl-C). What
the command writes goes to stdout; its exit status is that of this program.
"""

import os
import pty
import select
import sys
import time


def main() -> int:
    script, command = sys.argv[1], sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    seen = b""
    steps = [line.split(" ", 1) for line in script.splitlines() if line]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        while steps:
            word, text = steps[0]
            if word == "see" and text.encode() not in seen:
                break
            if word == "see":
                seen = seen[seen.index(text.encode()) + len(text):]
            else:
                os.write(terminal, text.replace("^C", "\x03").replace("\\n", "\n").replace("\\t", "\t").encode())
            steps.pop(0)
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        seen += data
        os.write(1, data)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
