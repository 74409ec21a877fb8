"""What the measurements of live streams share: a clip, publishers, the bridge and its lines."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from rtmp_bridge.gate import free_port
from server.process import dying_with_parent

ROOT = Path(__file__).parents[1]
DEMO_CLIP = ROOT / "demo" / "clip.mp4"
#: As the README publishes, with a key frame every second; done once: publishers cost little then.
PICTURES = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "25"]
SOUND = ["-c:a", "aac"]
POLL_S = 0.1


class RunningBridge:
    """The bridge in a process of its own.

    Attributes:
        process: It.
        lines: What it has written, to the last `read_lines`.
    """

    def __init__(self, process: psutil.Process, page: str, lines_file: Path) -> None:
        """Take note of a process, where its page is and where its JSON lines go."""
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._page = page
        self._file = lines_file
        self._read = 0

    def streams(self) -> list[dict[str, Any]]:
        """Return each stream's state and account."""
        return httpx.get(f"{self._page}/streams").raise_for_status().json()

    def say(self, stream: str, text: str) -> None:
        """Attach a sentence to the whole of a stream."""
        body = {"text": text, "start": 0, "end": 1e6}
        httpx.post(f"{self._page}/streams/{stream}/text", json=body).raise_for_status()

    def read_lines(self) -> list[dict[str, Any]]:
        """Return what it has written since the last time."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            whole = [line for line in file if line.endswith(b"\n")]
        self._read += sum(map(len, whole))
        new = [json.loads(line) for line in whole]
        self.lines += new
        return new


@contextmanager
def running_bridge(
    folder: Path, url: str, streams: Sequence[str], *options: str
) -> Iterator[RunningBridge]:
    """Run the bridge for the length of a `with` block.

    Args:
        folder: An empty folder for what it writes.
        url: The recogniser's host:port.
        streams: Arguments that name the streams.
        *options: Further options.

    Raises:
        RuntimeError: It ended by itself.
    """
    page, lines = f"127.0.0.1:{free_port()}", folder / "out.jsonl"
    command = [sys.executable, "-m", "rtmp_bridge", *streams, "--url", url, "--page", page]
    command += ["--jsonl", str(lines), *options]
    with (folder / "bridge.log").open("wb") as log:
        process = subprocess.Popen(dying_with_parent(command), cwd=ROOT, stderr=log)
    try:
        wait_for(lambda: answers(process, f"http://{page}/health"), 30.0, "the bridge's page")
        yield RunningBridge(psutil.Process(process.pid), f"http://{page}", lines)
    finally:
        process.terminate()
        process.wait()


def answers(process: subprocess.Popen, address: str) -> bool:
    """Say whether a process answers at an address; raises RuntimeError when it has ended."""
    if process.poll() is not None:
        raise RuntimeError(f"{process.args[-1]} ended with exit code {process.returncode}")
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False


def ffmpeg() -> list[str]:
    """Return the beginning of an FFmpeg command.

    Raises:
        FileNotFoundError: It is not installed.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise FileNotFoundError("expected the program ffmpeg on PATH, found none")
    return [program, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]


def encode_clip(clip: Path, folder: Path) -> Path:
    """Encode a clip once so that publishers only copy it; return the new file."""
    encoded = folder / "clip.flv"
    subprocess.run([*ffmpeg(), "-i", str(clip), *PICTURES, *SOUND, str(encoded)], check=True)
    return encoded


class Publisher:
    """FFmpeg that publishes a clip again and again, at the pace of its timestamps.

    Attributes:
        pid: Its process.
    """

    def __init__(self, clip: Path, address: str, progress: Path) -> None:
        """Begin to publish.

        Args:
            clip: An encoded clip.
            address: Where to.
            progress: A file in which FFmpeg tells how far it is.
        """
        looped = ["-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy"]
        report = ["-stats_period", "0.1", "-progress", str(progress)]
        command = [*ffmpeg(), *looped, *report, "-f", "flv", address]
        self._progress = progress
        self._process = subprocess.Popen(dying_with_parent(command))
        self.pid = self._process.pid

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def seconds(self) -> float:
        """Return how many seconds of media it has published, to the last report."""
        reports = self._progress.read_text() if self._progress.exists() else ""
        times = re.findall(r"^out_time_us=(\d+)$", reports, re.MULTILINE)
        return int(times[-1]) / 1e6 if times else 0.0


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until something is so; return after how many seconds.

    Raises:
        TimeoutError: It did not come.
    """
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(POLL_S)
    return time.monotonic() - begin


def cpu_model() -> str:
    """Return what the processor calls itself."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())
