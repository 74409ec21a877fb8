"""What became of each chunk: a result, an error or a drop, and their counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from rtmp_bridge.chunks import Chunk


class Kind(Enum):
    """The three ends of a chunk."""

    RESULT = "result"
    ERROR = "error"
    DROP = "drop"


@dataclass(frozen=True)
class Outcome:
    """What became of a chunk.

    Attributes:
        stream: The stream's name.
        chunk: The chunk.
        kind: Which end it took.
        published_at: When, in seconds since 1970.
        document: The recogniser's whole JSON result.
        text: What was said in its window.
        reason: One word why there is no result, e.g. "buffer_full".
        message: The sentence that goes with it.
    """

    stream: str
    chunk: Chunk = field(repr=False)
    kind: Kind
    published_at: float
    document: dict[str, Any] | None = None
    text: str | None = None
    reason: str = ""
    message: str = ""

    @property
    def latency(self) -> float:
        """Seconds from the chunk's last frame to its outcome."""
        return self.published_at - self.chunk.completed_at

    def record(self) -> dict[str, Any]:
        """Return what is written as JSON: the result document, with its place in the stream."""
        record = {
            "stream": self.stream,
            "kind": self.kind.value,
            "chunk": self.chunk.index,
            "stream_time": round(self.chunk.end, 3),
            "wall_time": iso_time(self.published_at),
            "latency": round(self.latency, 4),
        }
        if self.document is not None:
            return record | {"text": self.text} | self.document
        return record | {"reason": self.reason, "message": self.message}


@dataclass
class Account:
    """Every chunk of a stream ends as a result, an error or a drop.

    Attributes:
        streamed: Chunks that came.
        results: Chunks that were recognised.
        errors: Chunks whose recognition failed, by reason.
        drops: Chunks that were not sent, by reason.
    """

    streamed: int = 0
    results: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)

    @property
    def pending(self) -> int:
        """Chunks whose end is open."""
        return self.streamed - self.results - self.errors.total() - self.drops.total()

    def close(self, outcome: Outcome) -> None:
        """Take note of what became of a chunk."""
        if outcome.kind is Kind.RESULT:
            self.results += 1
        elif outcome.kind is Kind.ERROR:
            self.errors[outcome.reason] += 1
        else:
            self.drops[outcome.reason] += 1

    def record(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "streamed": self.streamed,
            "results": self.results,
            "errors": dict(self.errors),
            "drops": dict(self.drops),
            "pending": self.pending,
        }


def iso_time(seconds: float) -> str:
    """Return a time in seconds since 1970 as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
