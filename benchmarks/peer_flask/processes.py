"""The peer's five processes, for the length of a `with` block."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.media import ROOT
from benchmarks.peer_flask.client import Peer
from server.process import dying_with_parent

MODULES = ("preprocessing", "text", "video", "speech", "multimodal")
START_SECONDS = 120.0


@contextmanager
def running_peer() -> Iterator[Peer]:
    """Start the modules on free ports of this machine and stop them at the end of the block.

    Yields:
        The client, once every module answers.

    Raises:
        TimeoutError: A module did not start within `START_SECONDS`.
    """
    ports = dict(zip(MODULES, _free_ports(len(MODULES)), strict=True))
    processes = [_start(module, port) for module, port in ports.items()]
    try:
        for module, port in ports.items():
            _wait_for(module, port)
        urls = {module: f"http://127.0.0.1:{port}/" for module, port in ports.items()}
        yield Peer(urls, [process.pid for process in processes])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _start(module: str, port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.peer_flask", module, "--port", str(port)]
    return subprocess.Popen(dying_with_parent(command), cwd=ROOT)


def _wait_for(module: str, port: int) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"the peer's module {module} did not start within {START_SECONDS:.0f} s")
