"""Kill every process of a server in turn and time the way back: `python -m benchmarks.recovery`.

A server of its own is started. While clips are being recognised, each model process and then the
server itself are killed (SIGKILL), and the time is taken until the demo clip is recognised by all
three modalities again, with the answer it had before and every process in its place. At the end
the server is stopped and what it left behind is counted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
#: Answers in a row that count as recovered: with several instances one may be lucky.
STEADY_ANSWERS = 4


def demo_media() -> Media:
    """Return the demo clip with its sentence."""
    sentence = (DEMO / "sentence.txt").read_text(encoding="utf-8").strip()
    return Media(text=sentence, video=DEMO / "clip.mp4")


def processes(server: RunningServer) -> dict[str, psutil.Process]:
    """Return the server and its model processes, by the name of what they run."""
    found = {}
    for child in psutil.Process(server.process.pid).children(recursive=True):
        try:
            command = child.cmdline()
        except psutil.Error:
            continue
        name = Path(command[0]).name if command else ""
        if name == SERVER:
            found[SERVER] = child
        elif name == STUB:
            found[command[INSTANCE]] = child
    return found


def seconds_to_recover(
    server: RunningServer, victim: psutil.Process, expected: Recognition, count: int
) -> tuple[float, int]:
    """Kill a process and wait until the server is as it was.

    Args:
        server: The server.
        victim: One of its processes.
        expected: What the demo clip was recognised as before.
        count: How many processes the server has when it is well.

    Returns:
        Seconds until the first of `STEADY_ANSWERS` good answers, and how many failed meanwhile.

    Raises:
        TimeoutError: It did not recover within `GIVE_UP_S`.
    """
    begin = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    good, failed, first = 0, 0, 0.0
    while time.monotonic() - begin < GIVE_UP_S:
        # A connection of its own each time: one that hangs in a dead front end tells nothing.
        try:
            with Recogniser(Connection(server.grpc_url, timeout=5.0)) as recogniser:
                answer = recogniser.recognise(demo_media())
        except RecogniserError:
            good, failed = 0, failed + 1
            continue
        if answer.failures or not same(answer, expected):
            good, failed = 0, failed + 1
            continue
        good += 1
        first = first if good > 1 else time.monotonic() - begin
        if good >= STEADY_ANSWERS and len(processes(server)) == count:
            return first, failed
    raise TimeoutError(f"no recovery within {GIVE_UP_S:.0f} s")


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
        with Recogniser(Connection(url, timeout=5.0)) as recogniser:
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
    return {process.cmdline()[REGION] for name, process in found.items() if name != SERVER}


def leftovers(seen: set[psutil.Process], regions: set[str]) -> list[str]:
    """Name the processes and shared memory that outlive the server."""
    left = [f"process {process.pid}" for process in seen if process.is_running()]
    return left + [name for name in sorted(regions) if Path("/dev/shm", name).exists()]


def main() -> int:
    """Print a line for each process; returns 1 when one did not recover or something is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1, help="clips under way at each kill")
    parser.add_argument("--only", default="", help="processes whose name begins so")
    options = parser.parse_args()
    failures = 0
    seen: set[psutil.Process] = set()
    regions: set[str] = set()
    with running_server() as server:
        with Recogniser(Connection(server.grpc_url)) as recogniser:
            expected = recogniser.recognise(demo_media())
        well = processes(server)
        names = sorted(well, key=lambda name: (name == SERVER, name))
        for name in [name for name in names if name.startswith(options.only)]:
            current = processes(server)
            seen |= set(current.values())
            regions |= regions_of(current)
            with clips_under_way(server.grpc_url, options.clients):
                try:
                    seconds, failed = seconds_to_recover(server, current[name], expected, len(well))
                except TimeoutError as error:
                    failures += 1
                    sys.stdout.write(f"{name:24} {error}\n")
                    continue
            sys.stdout.write(f"{name:24} {seconds:5.1f} s, {failed} failed meanwhile\n")
            sys.stdout.flush()
        seen |= set(processes(server).values())
        regions |= regions_of(processes(server))
    left = leftovers(seen, regions)
    sys.stdout.write(f"left behind: {', '.join(left) or 'nothing'}\n")
    return 1 if failures or left else 0


if __name__ == "__main__":
    sys.exit(main())
