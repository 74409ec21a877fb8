"""Server-sent events: what happens now, to whoever watches."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import chain

from rtmp_bridge.deadline import within
from rtmp_bridge.outcomes import Outcome
from rtmp_bridge.outputs.hub import Output
from rtmp_bridge.state import StateChange

#: Chunks of each stream that a page draws when it is opened.
HISTORY = 60
#: A watcher who is further behind misses the oldest events.
MOST_WAITING = 200
#: Proxies close connections on which nothing comes for long, in seconds.
HEARTBEAT = 10.0
MOST_WATCHERS = 100


@dataclass(frozen=True)
class Event:
    """An event on its way.

    Attributes:
        stream: Whose it is.
        text: How it goes over the wire.
    """

    stream: str
    text: str


@dataclass(eq=False)
class Watcher:
    """Somebody who watches one stream, or all of them if `stream` is None."""

    stream: str | None
    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def wants(self, event: Event) -> bool:
        """Say whether an event is of what is watched."""
        return self.stream in (None, event.stream)

    def take(self, event: Event | None) -> None:
        """Take an event for which the watcher may be too slow, or the end."""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)


class Events(Output):
    """Keeps the last minute of every stream and passes on what comes."""

    def __init__(self) -> None:
        """Begin with nobody watching."""
        self._history: dict[str, deque[Event]] = {}
        self._watchers: set[Watcher] = set()

    @property
    def full(self) -> bool:
        """Whether nobody else can watch."""
        return len(self._watchers) >= MOST_WATCHERS

    def state_changed(self, change: StateChange) -> None:
        """Pass on a change of state."""
        record = {
            "stream": change.stream,
            "state": change.after.value,
            "reason": change.reason,
            "message": change.message,
        }
        self._send(Event(change.stream, wire_text("state", record)))

    async def publish(self, outcome: Outcome) -> None:
        """Pass on what became of a chunk."""
        event = Event(outcome.stream, wire_text("chunk", outcome.record()))
        self._history.setdefault(outcome.stream, deque(maxlen=HISTORY)).append(event)
        self._send(event)

    async def watch(self, stream: str | None = None) -> AsyncIterator[str]:
        """Yield the last minute of one stream or of all, then what comes, until it is closed."""
        watcher = Watcher(stream)
        past = filter(watcher.wants, chain.from_iterable(self._history.values()))
        history = [event.text for event in past]
        self._watchers.add(watcher)
        try:
            for text in history:
                yield text
            while True:
                try:
                    event = await within(HEARTBEAT, watcher.queue.get())
                except asyncio.TimeoutError:
                    yield ": still there\n\n"
                    continue
                if event is None:
                    return
                yield event.text
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Send everybody away: the page is about to close."""
        for watcher in self._watchers:
            watcher.take(None)

    def _send(self, event: Event) -> None:
        for watcher in self._watchers:
            if watcher.wants(event):
                watcher.take(event)


def wire_text(name: str, record: dict) -> str:
    """Return an event as it goes over the wire."""
    return f"event: {name}\ndata: {json.dumps(record, ensure_ascii=False)}\n\n"
