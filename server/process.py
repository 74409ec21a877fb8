"""The server's processes as the kernel shows them."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STUB = "triton_python_backend_stub"
_SERVER = "tritonserver"
#: Positions in a stub's command line.
_MODEL_FILE, _INSTANCE = 1, 8

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


@dataclass(frozen=True)
class Vitals:
    """What the kernel says of one process.

    Attributes:
        parent: Its parent's process id.
        state: The kernel's letter: R runs or could, S sleeps, D waits for a disk, T is stopped.
        ticks: Processor time that it has used, in hundredths of a second.
    """

    parent: int
    state: str
    ticks: int


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


def read_vitals() -> dict[int, Vitals]:
    """All processes by id."""
    found = {}
    for pid, folder in _process_folders():
        with suppress(OSError):
            # The name, in parentheses, may hold anything.
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            found[pid] = Vitals(int(fields[1]), fields[0], int(fields[11]) + int(fields[12]))
    return found


def families(vitals: dict[int, Vitals], parent: int) -> dict[int, list[int]]:
    """The processes that a process started, each with itself and all that it started in turn."""
    children: dict[int, list[int]] = {}
    for pid, one in vitals.items():
        children.setdefault(one.parent, []).append(pid)

    def family(pid: int) -> list[int]:
        return [pid, *(member for child in children.get(pid, ()) for member in family(child))]

    return {child: family(child) for child in children.get(parent, ())}


def read_stub(pid: int) -> Stub | None:
    """What a process runs, None when it is no stub."""
    with suppress(OSError):
        arguments = _arguments(Path("/proc") / str(pid))
        if Path(arguments[0]).name == _STUB and len(arguments) > _INSTANCE:
            # .../MODEL/VERSION/FILE
            model = Path(arguments[_MODEL_FILE]).parts[-3]
            return Stub(pid, model, arguments[_INSTANCE])
    return None


def read_turns(pid: int) -> int | None:
    """How often the process's main thread has gone to sleep; None when it has ended."""
    with suppress(OSError):
        status = (Path("/proc") / str(pid) / "status").read_text(errors="replace")
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return None


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


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for pid, folder in _process_folders():
        with suppress(OSError):
            arguments = _arguments(folder)
            if arguments[0]:
                yield pid, arguments


def _process_folders() -> Iterator[tuple[int, Path]]:
    return (
        (int(folder.name), folder) for folder in Path("/proc").iterdir() if folder.name.isdigit()
    )


def _arguments(folder: Path) -> list[str]:
    return (folder / "cmdline").read_text(errors="replace").split("\0")
