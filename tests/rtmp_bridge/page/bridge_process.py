"""The real bridge in a process of its own, and the JSON lines that it writes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import yaml

from server.process import dying_with_parent
from tests.rtmp_bridge.conftest import PATIENCE, free_port

ROOT = Path(__file__).parents[3]


@dataclass
class BridgeProcess:
    """A bridge; use it in a `with` statement."""

    folder: Path
    url: str
    streams: list[dict[str, str]]
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> BridgeProcess:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        config = self.folder / "bridge.yaml"
        config.write_text(yaml.safe_dump({"streams": self.streams}))
        command = [sys.executable, "-m", "rtmp_bridge", "--config", str(config), "--url", self.url]
        command += ["--page", f"127.0.0.1:{self.port}", "--jsonl", str(self._json_lines)]
        command += ["--timeout", str(PATIENCE), "--log-level", "error", *self.options]
        self._process = subprocess.Popen(dying_with_parent(command), cwd=ROOT)
        self._wait_until_listening()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def lines(self, stream: str) -> dict[int, dict[str, Any]]:
        """Return what has been written about a stream, by chunk."""
        whole, _, _ = self._json_lines.read_bytes().rpartition(b"\n")
        records = map(json.loads, whole.splitlines())
        return {record["chunk"]: record for record in records if record["stream"] == stream}

    def line(self, stream: str, chunk: int) -> dict[str, Any]:
        """Return what is written about a chunk; the page may know of it before the disk."""
        deadline = time.monotonic() + PATIENCE
        while chunk not in (lines := self.lines(stream)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{stream}: chunk {chunk} is not written")
            time.sleep(0.05)
        return lines[chunk]

    @property
    def _json_lines(self) -> Path:
        return self.folder / "out.jsonl"

    def _wait_until_listening(self) -> None:
        """Wait for the page's port and the streams'; to connect to these would be to publish."""
        addresses = [stream["listen"] for stream in self.streams if "listen" in stream]
        expected = {self.port, *(urlsplit(address).port for address in addresses)}
        deadline = time.monotonic() + PATIENCE
        while not expected <= listened_ports():
            assert self._process.poll() is None, "the bridge has ended"
            if time.monotonic() > deadline:
                raise TimeoutError(f"expected ports {expected} to listen within {PATIENCE:g} s")
            time.sleep(0.05)


def listened_ports() -> set[int]:
    """Return the ports on which this machine listens."""
    sockets = psutil.net_connections("tcp")
    return {one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN}


def listening(name: str) -> dict[str, str]:
    """Return a stream that waits for a publisher on a free port."""
    return {"name": name, "listen": f"rtmp://127.0.0.1:{free_port()}/live/{name}"}
