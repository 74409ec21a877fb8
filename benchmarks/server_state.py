"""A running server's own counters, and what its processes hold of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from server import RunningServer

_COUNTERS = {
    "nv_inference_request_success": "requests",
    "nv_inference_count": "inferences",
    "nv_inference_exec_count": "executions",
}
_LINE = re.compile(r'^(?P<name>\w+)\{model="(?P<model>\w+)",version="\w+"\} (?P<value>\S+)$')


@dataclass(frozen=True)
class Batching:
    """How often a model was asked, and how often it ran.

    Attributes:
        requests: Requests that it answered.
        inferences: Their rows; a request of eight crops has eight.
        executions: Runs. Fewer than requests when requests shared a run.
    """

    requests: int = 0
    inferences: int = 0
    executions: int = 0

    def since(self, earlier: Batching) -> Batching:
        """Return what was added after an earlier reading."""
        return Batching(
            self.requests - earlier.requests,
            self.inferences - earlier.inferences,
            self.executions - earlier.executions,
        )


def read_batching(metrics_url: str) -> dict[str, Batching]:
    """Read the counters of every model from the server's metrics.

    Raises:
        OSError: The metrics endpoint does not answer.
    """
    with urlopen(f"http://{metrics_url}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    counts: dict[str, dict[str, int]] = {}
    for line in lines:
        match = _LINE.match(line)
        if match and match["name"] in _COUNTERS:
            counts.setdefault(match["model"], {})[_COUNTERS[match["name"]]] = int(match["value"])
    return {model: Batching(**values) for model, values in counts.items()}


@dataclass(frozen=True)
class Holdings:
    """What a server holds.

    Attributes:
        memory_mb: Private memory of all its processes, plus its share of what they share.
        shared_memory_mb: Its regions in /dev/shm.
        file_descriptors: Open files and sockets of all its processes.
        processes: The launcher, the server and its models' processes.
        memory_by_process_mb: By the process's name.
    """

    memory_mb: float
    shared_memory_mb: float
    file_descriptors: int
    processes: int
    memory_by_process_mb: dict[str, float]


def read_holdings(server: RunningServer) -> Holdings:
    """Look at a server's processes."""
    launcher = psutil.Process(server.process.pid)
    processes = [launcher, *launcher.children(recursive=True)]
    memory = [process.memory_full_info().pss / 2**20 for process in processes]
    named: dict[str, float] = {}
    for process, megabytes in zip(processes, memory, strict=True):
        name = _name(process)
        named[name] = named.get(name, 0.0) + megabytes
    return Holdings(
        memory_mb=sum(memory),
        shared_memory_mb=_region_bytes(processes) / 2**20,
        file_descriptors=sum(process.num_fds() for process in processes),
        processes=len(processes),
        memory_by_process_mb=named,
    )


def processor_seconds(pids: Iterable[int]) -> float:
    """Add up what processes and their descendants have used since they started."""
    roots = [psutil.Process(pid) for pid in pids]
    family = [*roots, *(child for root in roots for child in root.children(recursive=True))]
    return sum(times.user + times.system for times in (one.cpu_times() for one in family))


def _name(process: psutil.Process) -> str:
    """Name a stub by its model, any other process by its program."""
    command = process.cmdline()
    if "stub" in Path(command[0]).name:
        return Path(command[1]).parents[1].name
    return "launcher" if "server" in command else Path(command[0]).name


def _region_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up the regions of /dev/shm that the processes map."""
    files = {
        Path(mapped.path)
        for process in processes
        for mapped in process.memory_maps()
        if mapped.path.startswith("/dev/shm/")
    }
    return sum(file.stat().st_blocks * 512 for file in files if file.exists())
