"""How many live streams bridge and server hold: `python -m benchmarks.streams`.

A server is started, and for each number of streams the bridge with as many publishers of one clip
in real time, a little apart from each other. Counted over some time are the chunks that ended
without a result (drops and errors), latencies, and the processor time of each part. The number of
streams is doubled until more than one chunk in a hundred is lost, then the largest number that
holds is searched. With --streams the given numbers are measured instead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from benchmarks.live import (
    DEMO_CLIP,
    Publisher,
    RunningBridge,
    cpu_model,
    encode_clip,
    running_bridge,
    wait_for,
)
from rtmp_bridge.gate import free_port
from server import running_server

MOST_LOST = 0.01
SENTENCE = (DEMO_CLIP.parent / "sentence.txt").read_text(encoding="utf-8").strip()
#: Seconds until each stream has its first results.
START_S = 60.0
#: Seconds after that until it counts: the context is full then, and what had queued up is done.
SETTLE_S = 8.0


@dataclass(frozen=True)
class Setting:
    """How a trial is made.

    Attributes:
        seconds: How long is counted.
        text: Whether every stream has a sentence in each window.
        through: The address of an RTMP server's application that streams go through; None: the
            bridge listens.
    """

    seconds: float
    text: bool
    through: str | None


@dataclass(frozen=True)
class Trial:
    """What a number of streams came to.

    Attributes:
        streams: How many.
        chunks: What was counted in all.
        lost: The share without a result.
        reasons: Why, and how often.
        latency_p50, latency_p95: Seconds from a chunk's last frame to its result.
        cores: Processor seconds a second, by part; what else the machine did is "others".
        cores_a_stream: Of server and bridge together.
    """

    streams: int
    chunks: int
    lost: float
    reasons: dict[str, int]
    latency_p50: float | None
    latency_p95: float | None
    cores: dict[str, float]
    cores_a_stream: float


class Bench:
    """Trials against one server."""

    def __init__(self, server: str, server_pid: int, clip: Path, setting: Setting) -> None:
        """Take note of a server's address and process, a clip to publish, and the setting."""
        self._server = server
        self._server_pid = server_pid
        self._clip = clip
        self._setting = setting

    def measure(self, count: int) -> Trial:
        """Measure a number of streams."""
        addresses = {f"s{number}": self._address(number) for number in range(count)}
        pulled = self._setting.through is not None
        arguments = [
            part
            for name, address in addresses.items()
            for part in (() if pulled else ("--listen",)) + (f"{name}={address}",)
        ]
        with TemporaryDirectory() as folder, ExitStack() as stack:
            options = ["--max-streams", str(count), "--log-level", "warning"]
            bridge = stack.enter_context(
                running_bridge(Path(folder), self._server, arguments, *options)
            )
            if self._setting.text:
                for name in addresses:
                    bridge.say(name, SENTENCE)
            publishers = []
            for name, address in addresses.items():
                publisher = Publisher(self._clip, address, Path(folder, name))
                stack.callback(publisher.kill)
                publishers.append(publisher.pid)
                time.sleep(1 / count)
            parts = {"server": [self._server_pid], "bridge": [bridge.process.pid]}
            return self._count(bridge, count, parts | {"publishers": publishers})

    def _count(self, bridge: RunningBridge, count: int, parts: dict[str, list[int]]) -> Trial:
        wait_for(lambda: all_recognised(bridge), START_S, "every stream's first result")
        time.sleep(SETTLE_S)
        bridge.read_lines()
        before = used(parts)
        time.sleep(self._setting.seconds)
        cores = {
            part: round((seconds - before[part]) / self._setting.seconds, 3)
            for part, seconds in used(parts).items()
        }
        return trial_of(count, bridge.read_lines(), cores)

    def _address(self, number: int) -> str:
        if self._setting.through:
            return f"{self._setting.through.rstrip('/')}/s{number}"
        return f"rtmp://127.0.0.1:{free_port()}/live/s{number}"


def trial_of(count: int, lines: list[dict[str, Any]], cores: dict[str, float]) -> Trial:
    """Sum up the JSON lines of a trial."""
    latencies = [line["latency"] for line in lines if line["kind"] == "result"]
    reasons = [line["reason"] for line in lines if line["kind"] != "result"]
    p50, p95 = np.quantile(latencies, (0.5, 0.95)).round(3).tolist() if latencies else (None, None)
    return Trial(
        streams=count,
        chunks=len(lines),
        lost=round(len(reasons) / max(1, len(lines)), 4),
        reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        latency_p50=p50,
        latency_p95=p95,
        cores=cores,
        cores_a_stream=round((cores["server"] + cores["bridge"]) / count, 3),
    )


def all_recognised(bridge: RunningBridge) -> bool:
    """Say whether every stream has had a result."""
    return all(stream["account"]["results"] for stream in bridge.streams())


def used(parts: dict[str, list[int]]) -> dict[str, float]:
    """Return the processor seconds that each part has used, and all others."""
    seconds = {part: processor_seconds(pids) for part, pids in parts.items()}
    machine = psutil.cpu_times()
    busy = machine.user + machine.nice + machine.system + machine.irq + machine.softirq
    return seconds | {"others": busy - sum(seconds.values())}


def processor_seconds(pids: list[int]) -> float:
    """Return what processes and their descendants have used."""
    processes = [psutil.Process(pid) for pid in pids]
    family = [*processes, *(child for one in processes for child in one.children(recursive=True))]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def search(measure: Callable[[int], Trial], most: int) -> Iterator[Trial]:
    """Yield trials that close in on the largest number of streams that holds."""
    held, lost = 0, most + 1
    count = 1
    while lost - held > 1:
        trial = measure(count)
        yield trial
        if trial.lost <= MOST_LOST:
            held = count
        else:
            lost = count
        count = min(2 * held, most) if lost > most else (held + lost) // 2


def main() -> int:
    """Print a JSON line for each trial, and one with what holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", help="measure these, do not search")
    parser.add_argument("--most", type=int, default=16, help="where the search ends (default 16)")
    parser.add_argument("--seconds", type=float, default=60.0, help="counted (default 60)")
    parser.add_argument("--text", action="store_true", help="attach a sentence to every stream")
    parser.add_argument("--through", metavar="RTMP", help="a server's application to go through")
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP, help="what is published")
    options = parser.parse_args()
    setting = Setting(options.seconds, options.text, options.through)
    show({"cpu": cpu_model(), "cores": len(os.sched_getaffinity(0)), **asdict(setting)})
    trials = []
    with TemporaryDirectory() as folder, running_server() as server:
        clip = encode_clip(options.clip, Path(folder))
        bench = Bench(server.grpc_url, server.process.pid, clip, setting)
        planned = map(bench.measure, options.streams) if options.streams else None
        for trial in planned or search(bench.measure, options.most):
            trials.append(trial)
            show(asdict(trial))
    show({"holds": max((one.streams for one in trials if one.lost <= MOST_LOST), default=0)})
    return 0


def show(record: dict[str, Any]) -> None:
    """Print a JSON line."""
    sys.stdout.write(f"{json.dumps(record)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
