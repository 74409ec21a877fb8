"""Whether a server's cost grows with what it has already answered."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.server_state import Holdings, read_holdings
from server import RunningServer


@dataclass(frozen=True)
class Stage:
    """The server after so many requests.

    Attributes:
        requests: How many it had answered.
        median_ms: Median latency of those since the last stage.
        holdings: What it held.
    """

    requests: int
    median_ms: float
    holdings: Holdings


def watch_growth(
    server: RunningServer,
    ask: Callable[[], object],
    requests: int,
    stages: int = 10,
    clients: int = 4,
) -> list[Stage]:
    """Send the same request many times and look at the server now and then.

    Args:
        server: The server.
        ask: Sends one request and waits for its answer.
        requests: How many are sent in all.
        stages: How often the server is looked at.
        clients: How many requests are under way at a time.

    Returns:
        A stage after each equal part of the requests.
    """

    def timed(_: int) -> float:
        begin = time.perf_counter()
        ask()
        return time.perf_counter() - begin

    found = []
    with ThreadPoolExecutor(clients) as pool:
        for stage in range(1, stages + 1):
            seconds = list(pool.map(timed, range(requests // stages)))
            median_ms = 1000 * statistics.median(seconds)
            found.append(Stage(stage * (requests // stages), median_ms, read_holdings(server)))
    return found
