"""Kill and stop every process of a server and time the way back: `python -m benchmarks.recovery`.

A server of its own is started. While clips are being recognised, each model process, each worker of
one, and then the server itself are killed (SIGKILL) and stopped (SIGSTOP) in turn, and the time is
taken until the demo clip is recognised by all three modalities again, with the answer it had before
and every process in its place. Meanwhile the launcher is asked whether the server is ready. At the
end the server is stopped and what it left behind is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import psutil

from clients import Connection, Media, Recogniser, RecogniserError, Recognition
from server import RunningServer, running_server

DEMO = Path(__file__).parents[1] / "demo"
STUB = "triton_python_backend_stub"
#: Positions in a stub's command line.
REGION, INSTANCE = 2, 8
SERVER = "tritonserver"
GIVE_UP_S = 120.0
#: For one answer.
PATIENCE_S = 15.0
#: Answers in a row that count as recovered: with several instances one may be lucky.
STEADY_ANSWERS = 4
SIGNALS = {"KILL": signal.SIGKILL, "STOP": signal.SIGSTOP}


@dataclass(frozen=True)
class Recovery:
    """How a server came back.

    Attributes:
        seconds: Until the first of `STEADY_ANSWERS` good answers.
        failed: Answers that failed meanwhile.
        reasons: Why the launcher said that the server was not ready, in the order of first saying.
    """

    seconds: float
    failed: int
    reasons: tuple[str, ...]


def demo_media() -> Media:
    """Return the demo clip with its sentence."""
    sentence = (DEMO / "sentence.txt").read_text(encoding="utf-8").strip()
    return Media(text=sentence, video=DEMO / "clip.mp4")


def processes(server: RunningServer) -> dict[str, psutil.Process]:
    """Return the server, its model processes and their workers, by the name of what they run.

    A worker bears the name of its instance and its script.
    """
    found = {}
    instances = {}
    for child in psutil.Process(server.process.pid).children(recursive=True):
        try:
            command, parent = child.cmdline(), child.ppid()
        except psutil.Error:
            continue
        name = Path(command[0]).name if command else ""
        if name == SERVER:
            found[SERVER] = child
        elif name == STUB:
            found[command[INSTANCE]] = child
            instances[child.pid] = command[INSTANCE]
        elif parent in instances and len(command) > 1:
            found[f"{instances[parent]}/{Path(command[1]).stem}"] = child
    return found


@contextmanager
def readiness_watched(url: str) -> Iterator[list[str]]:
    """Collect the reasons that a launcher gives for not being ready.

    Args:
        url: host:port of its health address.
    """
    reasons: dict[str, None] = {}
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            try:
                urlopen(f"http://{url}/ready", timeout=5).close()
            except HTTPError as error:
                reasons[json.load(error)["reason"]] = None

    given: list[str] = []
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield given
    finally:
        stop.set()
        thread.join()
        given += reasons


def seconds_to_recover(
    server: RunningServer,
    victim: psutil.Process,
    expected: Recognition,
    count: int,
    number: signal.Signals = signal.SIGKILL,
) -> Recovery:
    """Send a process a signal and wait until the server is as it was.

    Args:
        server: The server.
        victim: One of its processes.
        expected: What the demo clip was recognised as before.
        count: How many processes the server has when it is well.
        number: The signal.

    Raises:
        TimeoutError: It did not recover within `GIVE_UP_S`.
    """
    begin = time.monotonic()
    with readiness_watched(server.health_url) as reasons:
        os.kill(victim.pid, number)
        seconds, failed = _wait_for_good_answers(server, expected, count, begin)
    return Recovery(seconds, failed, tuple(reasons))


def _wait_for_good_answers(
    server: RunningServer, expected: Recognition, count: int, begin: float
) -> tuple[float, int]:
    good, failed, first = 0, 0, 0.0
    while time.monotonic() - begin < GIVE_UP_S:
        # A connection of its own each time: one that hangs in a dead front end tells nothing.
        try:
            with Recogniser(Connection(server.grpc_url, timeout=PATIENCE_S)) as recogniser:
                answer = recogniser.recognise(demo_media())
        except RecogniserError:
            good, failed = 0, failed + 1
            continue
        if answer.failures or not same(answer, expected):
            good, failed = 0, failed + 1
            continue
        good += 1
        first = first if good > 1 else time.monotonic() - begin
        if good >= STEADY_ANSWERS and is_whole(processes(server), count):
            return first, failed
    raise TimeoutError(f"no recovery within {GIVE_UP_S:.0f} s")


def is_whole(found: dict[str, psutil.Process], count: int) -> bool:
    """Say whether so many processes are there and none is stopped."""
    try:
        stopped = any(one.status() == psutil.STATUS_STOPPED for one in found.values())
    except psutil.NoSuchProcess:
        return False
    return len(found) == count and not stopped


def same(answer: Recognition, expected: Recognition) -> bool:
    """Say whether two answers agree to the rounding of their figures."""
    return answer.result.keys() == expected.result.keys() and np.allclose(
        list(answer.result.values()), list(expected.result.values()), atol=1e-3
    )


@contextmanager
def clips_under_way(url: str, clients: int) -> Iterator[None]:
    """Keep clips being recognised in the background, whatever becomes of them."""
    stop = threading.Event()

    def work() -> None:
        with Recogniser(Connection(url, timeout=PATIENCE_S)) as recogniser:
            while not stop.is_set():
                try:
                    recogniser.recognise(demo_media())
                except RecogniserError:
                    stop.wait(0.2)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def regions_of(found: dict[str, psutil.Process]) -> set[str]:
    """Return the names of the shared-memory regions that the model processes use."""
    commands = (process.cmdline() for process in found.values())
    return {command[REGION] for command in commands if Path(command[0]).name == STUB}


def leftovers(seen: set[psutil.Process], regions: set[str]) -> list[str]:
    """Name the processes and shared memory that outlive the server."""
    left = [f"process {process.pid}" for process in seen if is_running(process)]
    return left + [name for name in sorted(regions) if Path("/dev/shm", name).exists()]


def is_running(process: psutil.Process) -> bool:
    """Say whether a process has not ended; one that nobody has waited for has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> int:
    """Print a line for each process and signal; returns 1 when one did not recover or is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1, help="clips under way at each signal")
    parser.add_argument("--only", default="", help="processes whose name begins so")
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=list(SIGNALS))
    options = parser.parse_args()
    failures = 0
    seen: set[psutil.Process] = set()
    regions: set[str] = set()
    with running_server() as server:
        with Recogniser(Connection(server.grpc_url)) as recogniser:
            expected = recogniser.recognise(demo_media())
        well = processes(server)
        names = sorted(well, key=lambda name: (name == SERVER, name))
        victims = [name for name in names if name.startswith(options.only)]
        for kind, name in [(kind, name) for name in victims for kind in options.signals]:
            current = processes(server)
            seen |= set(current.values())
            regions |= regions_of(current)
            with clips_under_way(server.grpc_url, options.clients):
                try:
                    recovery = seconds_to_recover(
                        server, current[name], expected, len(well), SIGNALS[kind]
                    )
                except TimeoutError as error:
                    failures += 1
                    sys.stdout.write(f"{name:36} {kind} {error}\n")
                    continue
            # A worker's owner may have replaced it before anybody looked.
            failures += not recovery.reasons and "/" not in name
            sys.stdout.write(
                f"{name:36} {kind} {recovery.seconds:5.1f} s, {recovery.failed} failed meanwhile, "
                f"not ready: {' | '.join(recovery.reasons) or 'never'}\n"
            )
            sys.stdout.flush()
        seen |= set(processes(server).values())
        regions |= regions_of(processes(server))
    left = leftovers(seen, regions)
    sys.stdout.write(f"left behind: {', '.join(left) or 'nothing'}\n")
    return 1 if failures or left else 0


if __name__ == "__main__":
    sys.exit(main())
