"""The server's processes as the kernel shows them."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STUB = "triton_python_backend_stub"
_SERVER = "tritonserver"
#: Positions in a stub's command line.
_MODEL_FILE, _REGION, _INSTANCE = 1, 2, 8

_DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")


@dataclass(frozen=True)
class Stub:
    """A process that runs one instance of one Python model (or Python-based backend).

    Attributes:
        pid: Its process id.
        model: The model's name.
        instance: The instance's name, e.g. `face_crop_0_1`.
    """

    pid: int
    model: str
    instance: str


def dying_with_parent(command: Sequence[str]) -> list[str]:
    """The command, wrapped so that the process gets SIGTERM when its parent dies."""
    return [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid()), *command]


def server_processes(region_prefix: str) -> list[int]:
    """The live processes, server and stubs, of the launch with that region prefix."""
    return [
        pid
        for pid, arguments in _command_lines()
        if Path(arguments[0]).name in (_SERVER, _STUB)
        and any(region_prefix in argument for argument in arguments)
    ]


def find_stubs(region_prefix: str) -> list[Stub]:
    """The live stubs of the launch with that region prefix."""
    return [
        # .../MODEL/VERSION/FILE
        Stub(pid, Path(arguments[_MODEL_FILE]).parts[-3], arguments[_INSTANCE])
        for pid, arguments in _command_lines()
        if Path(arguments[0]).name == _STUB
        and len(arguments) > _INSTANCE
        and arguments[_REGION].startswith(region_prefix)
    ]


def kill_processes(pids: Iterable[int]) -> None:
    """Kill processes and return when they are gone."""
    handles = []
    for pid in pids:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    for handle in handles:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    for handle in handles:
        select.select([handle], [], [])
        os.close(handle)


def _command_lines() -> Iterable[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                arguments = (folder / "cmdline").read_text(errors="replace").split("\0")
                if arguments[0]:
                    yield int(folder.name), arguments
