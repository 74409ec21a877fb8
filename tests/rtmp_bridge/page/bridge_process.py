"""The real bridge in a process of its own, and the JSON lines that it writes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
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
        self._wait_until_answering()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def lines(self, stream: str) -> dict[int, dict[str, Any]]:
        """Return what has been written about a stream, by chunk."""
        records = map(json.loads, self._json_lines.read_text(encoding="utf-8").splitlines())
        return {record["chunk"]: record for record in records if record["stream"] == stream}

    def counts(self, stream: str) -> dict[str, int]:
        """Return how many lines of each kind have been written about a stream."""
        kinds = [record["kind"] for record in self.lines(stream).values()]
        return {kind: kinds.count(kind) for kind in ("result", "error", "drop")}

    @property
    def _json_lines(self) -> Path:
        return self.folder / "out.jsonl"

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the bridge has ended"
            try:
                httpx.get(f"{self.address}/health")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the page does not answer")


def listening(name: str) -> dict[str, str]:
    """Return a stream that waits for a publisher on a free port."""
    return {"name": name, "listen": f"rtmp://127.0.0.1:{free_port()}/live/{name}"}
