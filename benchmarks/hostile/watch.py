"""What a server's processes do while requests come: who lives, and what they hold."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

STUB = "triton_python_backend_stub"
#: Seconds between looks at who lives, and at what they hold.
PULSE_S = 0.25
SAMPLE_S = 5.0
#: A holding is flat when the line through its last half rises by less than this part of its level.
FLAT = 0.02
#: Fewer samples than this in the last half tell nothing.
FEWEST_SAMPLES = 10

#: A worker decodes foreign bytes for a stub and may be killed; a helper is e.g. a stub that starts.
Role = Literal["launcher", "server", "stub", "worker", "helper"]
#: Whose death a neighbour notices.
NEEDED: frozenset[Role] = frozenset(("launcher", "server", "stub"))


@dataclass(frozen=True)
class Member:
    """A process of the server's family.

    Attributes:
        pid: Its process id.
        started: When, as the kernel says; tells it from a later process of the same id.
        role: What it is for.
        name: A stub's or worker's model instance, or the program.
    """

    pid: int
    started: float
    role: Role
    name: str


@dataclass(frozen=True)
class Death:
    """A process that ended; `after` and `before` are seconds of the watch."""

    name: str
    role: Role
    after: float
    before: float


@dataclass(frozen=True)
class Sample:
    """What the family holds at a time.

    Attributes:
        time: Seconds of the watch.
        memory_mb: Private memory and its share of what is shared, of all but the workers.
        workers_mb: The same of the workers.
        resident_mb: RSS of all, shared memory counted for each.
        shared_mb: What of /dev/shm they map.
        descriptors: Open files and sockets.
        processes: How many they are.
        by_name_mb: Memory, as in `memory_mb`, by the process's name.
    """

    time: float
    memory_mb: float
    workers_mb: float
    resident_mb: float
    shared_mb: float
    descriptors: int
    processes: int
    by_name_mb: dict[str, float]


class Watch:
    """Looks at a launcher and its descendants from a thread of its own."""

    def __init__(self, launcher: int) -> None:
        """Begin to know a family by its first process."""
        self._launcher = launcher
        self._begin = time.monotonic()
        self._end = threading.Event()
        self.deaths: list[Death] = []
        self.samples: list[Sample] = []
        self.living = family(launcher)
        self._seen = self.now()

    def now(self) -> float:
        """Return the seconds since the watch began."""
        return time.monotonic() - self._begin

    @property
    def noticed_deaths(self) -> list[Death]:
        """The deaths that a neighbour notices."""
        return [death for death in self.deaths if death.role in NEEDED]

    @contextmanager
    def running(self) -> Iterator[Watch]:
        """Look again and again during a `with` block, and once at its end."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._end.set()
            thread.join()
            self._look()
            self._weigh()

    def _run(self) -> None:
        due = self.now()
        while not self._end.wait(PULSE_S):
            self._look()
            if self.now() >= due:
                self._weigh()
                due += SAMPLE_S

    def _look(self) -> None:
        living, now = family(self._launcher), self.now()
        known = {(member.pid, member.started) for member in living}
        for member in self.living:
            # What a process is for changes when it becomes another program.
            if (member.pid, member.started) not in known:
                self.deaths.append(Death(member.name, member.role, self._seen, now))
        self.living, self._seen = living, now

    def _weigh(self) -> None:
        self.samples.append(weigh(self.living, self.now()))


def family(launcher: int) -> frozenset[Member]:
    """Return a launcher and its descendants that live, with what each is for."""
    found: dict[int, Member] = {}
    with suppress(psutil.Error):
        root = psutil.Process(launcher)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    parent = found.get(process.ppid())
                    found[process.pid] = _member(process, launcher, parent)
    return frozenset(found.values())


def of_role(members: frozenset[Member], *roles: Role) -> frozenset[Member]:
    """Return those of some roles."""
    return frozenset(member for member in members if member.role in roles)


def weigh(members: frozenset[Member], now: float) -> Sample:
    """Look at what processes hold; those that end meanwhile hold nothing."""
    memory: Counter[bool] = Counter()
    named: Counter[str] = Counter()
    resident = descriptors = 0
    shared: dict[Path, int] = {}
    for member in members:
        folder = Path("/proc", str(member.pid))
        with suppress(OSError):
            rollup = _kilobytes(folder / "smaps_rollup")
            memory[member.role == "worker"] += rollup.get("Pss", 0)
            named[f"{member.name} ({member.role})"] += rollup.get("Pss", 0)
            resident += rollup.get("Rss", 0)
            descriptors += sum(1 for _ in (folder / "fd").iterdir())
            shared |= _shared_files(folder / "maps")
    return Sample(
        time=now,
        memory_mb=memory[False] / 1024,
        workers_mb=memory[True] / 1024,
        resident_mb=resident / 1024,
        shared_mb=sum(shared.values()) / 2**20,
        descriptors=descriptors,
        processes=len(members),
        by_name_mb={name: kilobytes / 1024 for name, kilobytes in named.items()},
    )


def growth(values: list[float]) -> float | None:
    """Return by what part of its level a holding grew over the last half of its samples.

    The line is Theil and Sen's (the median of the slopes between all pairs), so that single leaps
    say nothing.

    Args:
        values: Samples in order, evenly spaced.

    Returns:
        The line's rise as a part of the median; None when there are too few samples to tell.
    """
    half = np.asarray(values[len(values) // 2 :], float)
    if len(half) < FEWEST_SAMPLES:
        return None
    first, second = np.triu_indices(len(half), 1)
    slope = float(np.median((half[second] - half[first]) / (second - first)))
    return slope * (len(half) - 1) / max(float(np.median(half)), 1e-9)


def _member(process: psutil.Process, launcher: int, parent: Member | None) -> Member:
    command = process.cmdline()
    program = Path(command[0]).name if command else process.name()
    role: Role = "helper"
    name = program
    if process.pid == launcher:
        role, name = "launcher", "launcher"
    elif program == STUB:
        role, name = "stub", command[8] if len(command) > 8 else program
    elif program == "tritonserver" and parent and parent.role == "launcher":
        role = "server"
    elif parent and parent.role in ("stub", "worker"):
        role, name = "worker", parent.name
    return Member(process.pid, process.create_time(), role, name)


def _kilobytes(file: Path) -> dict[str, int]:
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {
        parts[0].rstrip(":"): int(parts[1])
        for parts in lines
        if len(parts) == 3 and parts[2] == "kB"
    }


def _shared_files(maps: Path) -> dict[Path, int]:
    """Return the files of /dev/shm that a process maps, with the bytes they take."""
    lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    files = {Path(line[line.index("/dev/shm/") :]) for line in lines if "/dev/shm/" in line}
    sizes = {}
    for one in files:
        with suppress(OSError):
            sizes[one] = one.stat().st_blocks * 512
    return sizes
