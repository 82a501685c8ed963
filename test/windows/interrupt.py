"""Runs a command at a terminal, types Ctrl-C once a text has appeared, and prints
what was on the screen and how the command ended."""
import os
import pty
import select
import sys
import time

text, command = sys.argv[1].encode(), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen, typed, end = b"", False, time.monotonic() + 120
while time.monotonic() < end:
    if select.select([terminal], [], [], 0.5)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    if not typed and text in seen:
        os.write(terminal, b"\x03")
        typed = True
else:
    os.kill(pid, 9)
print(seen.decode(errors="replace"))
print("ended by", os.waitpid(pid, 0)[1])
