"""Contenders measured in turn in one run: what else the machine does weighs on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

Ask = Callable[[], object]


@dataclass(frozen=True)
class Turn:
    """What a contender does when it is its turn.

    Attributes:
        ask: Recognises the clip once and returns when it is answered.
        clips: How often.
        clients: How many clips are under way at a time.
    """

    ask: Ask
    clips: int
    clients: int = 1


@dataclass(frozen=True)
class Pairs:
    """What each contender took in each round.

    Attributes:
        values: By contender, one a round.
    """

    values: dict[str, list[float]] = field(default_factory=dict)

    def ratios(self, name: str, other: str) -> list[float]:
        """Return each round's ratio of two contenders."""
        return [a / b for a, b in zip(self.values[name], self.values[other], strict=True)]


def latencies(contenders: Mapping[str, Turn], rounds: int) -> Pairs:
    """Measure seconds a clip, one at a time: the median of each turn."""
    return _in_turn(contenders, rounds, _latency)


def rates(contenders: Mapping[str, Turn], rounds: int) -> Pairs:
    """Measure clips a second with each turn's clients."""
    return _in_turn(contenders, rounds, _rate)


def _in_turn(
    contenders: Mapping[str, Turn], rounds: int, measure: Callable[[Turn], float]
) -> Pairs:
    pairs = Pairs({name: [] for name in contenders})
    for _ in range(rounds):
        for name, turn in contenders.items():
            pairs.values[name].append(measure(turn))
    return pairs


def _latency(turn: Turn) -> float:
    seconds = []
    for _ in range(turn.clips):
        begin = time.perf_counter()
        turn.ask()
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


def _rate(turn: Turn) -> float:
    begin = time.perf_counter()
    with ThreadPoolExecutor(turn.clients) as pool:
        list(pool.map(lambda _: turn.ask(), range(turn.clips)))
    return turn.clips / (time.perf_counter() - begin)
