"""Run a command that gets SIGTERM when its parent dies: `die_with_parent.py PARENT_PID COMMAND...`.

A program of its own, because the launcher has threads when it starts a server for the second time
and so must not run Python code between fork and exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ask the kernel for the signal, then become the command."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(f"{command[0]}: the launcher died before it started")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
