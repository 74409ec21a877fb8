"""Runs of the real perf_analyzer at rising load, each with the server's counters around it."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.media import OUT, ROOT
from benchmarks.server_state import Batching, read_batching
from server import RunningServer

#: Three windows each, whatever their spread: the sample is what is wanted, not its stability.
WINDOWS = ["--max-trials", "3", "--stability-percentage", "999", "--percentile", "95"]
GIVE_UP_SECONDS = 300


class PerfAnalyzerError(RuntimeError):
    """perf_analyzer did not measure; the text is what it said."""


@dataclass(frozen=True)
class Load:
    """What is asked of the server.

    Attributes:
        concurrency: Requests under way at a time; 0 when requests arrive by chance.
        rate: Requests a second of a Poisson process; 0 when each client waits for its answer.
    """

    concurrency: int = 0
    rate: float = 0.0

    def arguments(self) -> list[str]:
        """Return perf_analyzer's options."""
        if self.concurrency:
            return ["--concurrency-range", str(self.concurrency)]
        poisson = ["--request-distribution", "poisson", "--max-threads", "32"]
        return ["--request-rate-range", f"{self.rate:.3f}", *poisson]


@dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        model: The model asked.
        load: How it was asked.
        throughput: Answers a second.
        latency_ms: Percentiles by name: p50, p90, p95, p99.
        batching: The counters of every model that ran meanwhile.
    """

    model: str
    load: Load
    throughput: float
    latency_ms: dict[str, float]
    batching: dict[str, Batching]


def measure(server: RunningServer, model: str, load: Load, film: Path, requests: int) -> Point:
    """Run perf_analyzer once.

    Args:
        server: The server.
        model: The model to ask.
        load: How to ask.
        film: The clip its input is made of.
        requests: How many answers each of three windows has at least.

    Raises:
        PerfAnalyzerError: It failed.
    """
    file = OUT / "perf_analyzer" / f"{model}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    before = read_batching(server.metrics_url)
    _run(server, model, film, [*load.arguments(), *_options(requests), "-f", str(file)])
    after = read_batching(server.metrics_url)
    added = {name: count.since(before.get(name, Batching())) for name, count in after.items()}
    throughput, latency = _read_csv(file)
    ran = {name: count for name, count in added.items() if count.executions}
    return Point(model, load, throughput, latency, ran)


def _options(requests: int) -> list[str]:
    return [*WINDOWS, "--measurement-request-count", str(requests)]


def _run(server: RunningServer, model: str, film: Path, options: Sequence[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.perf", model, "-u", server.grpc_url]
    run = subprocess.run(
        [*command, "--video", str(film), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=GIVE_UP_SECONDS,
    )
    if run.returncode:
        raise PerfAnalyzerError(f"{model} {' '.join(options)}: {run.stdout}{run.stderr}")


def _read_csv(file: Path) -> tuple[float, dict[str, float]]:
    """Return answers a second, and the percentiles in milliseconds."""
    with file.open(encoding="utf-8", newline="") as lines:
        (row,) = csv.DictReader(lines)
    percentiles = {name.split()[0]: float(row[name]) / 1000 for name in row if " latency" in name}
    return float(row["Inferences/Second"]), percentiles
