"""Prometheus metrics of the streams and of the process."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from rtmp_bridge.outcomes import Kind, Outcome
from rtmp_bridge.outputs.hub import Output
from rtmp_bridge.state import State, StateChange

#: Seconds; a result is due within one.
LATENCY_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class Metrics(Output):
    """Counts everything, in a registry of its own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._frames = Counter(
            "rtmp_bridge_frames",
            "Pictures that were cut out of a stream",
            ["stream"],
            registry=self._registry,
        )
        self._chunks = Counter(
            "rtmp_bridge_chunks",
            "Chunks by what became of them; together they are all that was streamed",
            ["stream", "kind"],
            registry=self._registry,
        )
        self._errors = Counter(
            "rtmp_bridge_errors",
            "Chunks whose recognition failed, by reason",
            ["stream", "reason"],
            registry=self._registry,
        )
        self._drops = Counter(
            "rtmp_bridge_drops",
            "Chunks that were not sent, by reason",
            ["stream", "reason"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "rtmp_bridge_latency_seconds",
            "From a chunk's last frame to its result",
            ["stream"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._state = Gauge(
            "rtmp_bridge_state",
            "1 for the state in which a stream is",
            ["stream", "state"],
            registry=self._registry,
        )
        self._reconnects = Counter(
            "rtmp_bridge_reconnects",
            "Connections that ended and were or will be made again, by reason",
            ["stream", "reason"],
            registry=self._registry,
        )

    def state_changed(self, change: StateChange) -> None:
        """Show the state a stream is in."""
        for state in State:
            self._state.labels(change.stream, state.value).set(state is change.after)
        if change.after is State.RECONNECTING:
            self._reconnects.labels(change.stream, change.reason).inc()

    async def publish(self, outcome: Outcome) -> None:
        """Count a chunk."""
        self._frames.labels(outcome.stream).inc(len(outcome.chunk.frames))
        self._chunks.labels(outcome.stream, outcome.kind.value).inc()
        if outcome.kind is Kind.RESULT:
            self._latency.labels(outcome.stream).observe(max(0.0, outcome.latency))
        elif outcome.kind is Kind.ERROR:
            self._errors.labels(outcome.stream, outcome.reason).inc()
        else:
            self._drops.labels(outcome.stream, outcome.reason).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)
