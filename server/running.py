"""Run the embedded server for the length of a `with` block."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from server.admin_key import FLAG as ADMIN_KEY_FLAG
from server.errors import ServerFailedError
from server.process import dying_with_parent
from server.runtime import ROOT


@dataclass(frozen=True)
class RunningServer:
    """A launcher in a process of its own, with its server.

    Attributes:
        http_url: host:port of the HTTP front end.
        grpc_url: host:port of the gRPC front end.
        metrics_url: host:port of the metrics.
        health_url: host:port of the launcher's own /live, /ready and /metrics.
        admin_key_file: Holds what the restricted endpoints ask for, and all inference over HTTP.
        process: The launcher. It ends when it is stopped, or when it cannot start the server.
    """

    http_url: str
    grpc_url: str
    metrics_url: str
    health_url: str
    admin_key_file: Path
    process: subprocess.Popen
    _ready: queue.SimpleQueue

    @property
    def admin_key(self) -> str:
        """What `admin_key_file` holds."""
        return self.admin_key_file.read_text(encoding="ascii").strip()

    def wait_until_ready(self, timeout: float = 180.0) -> None:
        """Return at the next `ready:` line; after a recovery the launcher prints another.

        Raises:
            ServerFailedError: The launcher ended, or said nothing within the timeout (seconds).
        """
        try:
            ready = self._ready.get(timeout=timeout)
        except queue.Empty:
            raise ServerFailedError(f"the server was not ready within {timeout:.0f} s") from None
        if not ready:
            raise ServerFailedError(
                f"the launcher ended with exit code {self.process.wait()} before it was ready"
            )

    def stop(self, patience: float = 10.0) -> int:
        """Stop the server in order, as SIGTERM does.

        Args:
            patience: Seconds for requests in flight.

        Returns:
            The launcher's exit code.
        """
        self.process.terminate()
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            return self.process.wait()


@contextmanager
def running_server(
    *flags: str, stderr: IO | int | None = None, timeout: float = 180.0
) -> Iterator[RunningServer]:
    """Serve on free ports and stop at the end of the block.

    Args:
        *flags: Flags of `python -m server`, e.g. `--model-repository=...`; ports may be given too.
        stderr: Where the server's messages go, as for `subprocess.Popen`.
        timeout: Seconds within which the server must be ready.

    Yields:
        The server, ready to answer.

    Raises:
        ServerFailedError: It did not start; its messages on stderr say why.
    """
    with TemporaryDirectory() as folder:
        key_file = _flag(flags, ADMIN_KEY_FLAG) or f"{folder}/admin-key"
        with _running(_ports(flags), Path(key_file), flags, stderr, timeout) as server:
            yield server


@contextmanager
def _running(
    ports: dict[str, int],
    key_file: Path,
    flags: tuple[str, ...],
    stderr: IO | int | None,
    timeout: float,
) -> Iterator[RunningServer]:
    arguments = [*(f"--{name}={port}" for name, port in ports.items()), *flags]
    process = subprocess.Popen(
        dying_with_parent(
            [sys.executable, "-m", "server", *arguments, f"{ADMIN_KEY_FLAG}={key_file}"]
        ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    lines: queue.SimpleQueue = queue.SimpleQueue()
    reader = threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True)
    reader.start()
    urls = (f"127.0.0.1:{port}" for port in ports.values())
    server = RunningServer(*urls, key_file, process, lines)
    try:
        server.wait_until_ready(timeout)
        yield server
    finally:
        server.stop()
        reader.join()
        process.stdout.close()


def _read_lines(stream: IO[str], ready: queue.SimpleQueue) -> None:
    for line in stream:
        if line.startswith("ready:"):
            ready.put(True)
    ready.put(False)


def _flag(flags: tuple[str, ...], name: str) -> str | None:
    values = [flag.partition("=")[2] for flag in flags if flag.startswith(f"{name}=")]
    return values[-1] if values else None


def _ports(flags: tuple[str, ...]) -> dict[str, int]:
    given = dict(flag[2:].split("=", 1) for flag in flags if "-port=" in flag)
    names = ("http-port", "grpc-port", "metrics-port", "health-port")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        free = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    return free | {name: int(given[name]) for name in names if name in given}
