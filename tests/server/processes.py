"""Look at a running server's processes from outside."""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from server import RunningServer

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Process:
    pid: int
    arguments: list[str]

    @property
    def model(self) -> str:
        return Path(self.arguments[1]).parts[-3]


def triton_of(server: RunningServer) -> Process:
    (child,) = _children(server.process.pid)
    return child


def stubs_of(server: RunningServer) -> list[Process]:
    return _children(triton_of(server).pid)


def launch_name(server: RunningServer) -> str:
    """Return the prefix of everything that the launch leaves on the machine."""
    return "-".join(stubs_of(server)[0].arguments[2].split("-")[:2])


def kill(process: Process) -> None:
    """Kill a process and wait until it is gone."""
    os.kill(process.pid, signal.SIGKILL)
    wait_for_end(process)


def wait_for_end(process: Process) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        select.select([handle], [], [])
        os.close(handle)


def is_alive(process: Process) -> bool:
    try:
        return psutil.Process(process.pid).cmdline() == process.arguments
    except psutil.NoSuchProcess:
        return False


def free_ports(*names: str) -> dict[str, int]:
    """Return a port for each name that nobody listens on."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


def _children(pid: int) -> list[Process]:
    children = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):
            # A process that has ended but was not waited for has no command line.
            if arguments := child.cmdline():
                children.append(Process(child.pid, arguments))
    return children
