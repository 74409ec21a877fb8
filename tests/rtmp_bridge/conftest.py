"""Fixtures of the bridge's tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients import Backoff, Connection
from rtmp_bridge.outcomes import Outcome
from rtmp_bridge.settings import Buffering, Patience, StreamSettings
from rtmp_bridge.state import State, StateChange
from rtmp_bridge.stream import Stream
from tests.clients.fake_triton import FakeTriton, serve
from tests.rtmp_bridge.live_media import write_stream
from tests.rtmp_bridge.publishing import publish

PATIENCE = 60.0
QUICK = Patience(open=10.0, stall=0.5, silence=1.5, backoff=Backoff(first=0.05, longest=0.1))


@pytest.fixture
def fake() -> Iterator[FakeTriton]:
    """A scripted server."""
    with serve() as server:
        yield server


@dataclass
class Run:
    """A stream that runs, and what it has said."""

    stream: Stream
    outcomes: list[Outcome] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def announce(self, change: StateChange) -> None:
        self.changes.append(change)
        self.states.append(change.after)
        self._news.set()

    async def publish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._news.set()

    async def until(self, condition: Callable[[Run], bool]) -> None:
        """Wait until something has been said that makes a condition true."""

        async def wait() -> None:
            while not condition(self):
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(wait(), PATIENCE)


def run_of(settings: StreamSettings, url: str) -> Run:
    """Prepare a stream whose news are kept."""
    run = Run(None)
    connection = Connection(url, timeout=PATIENCE, backoff=Backoff(attempts=1))
    run.stream = Stream(settings, connection, run.announce, run.publish)
    return run


@contextlib.asynccontextmanager
async def running(run: Run) -> AsyncIterator[None]:
    """Let a stream run for the length of an `async with` block."""
    task = asyncio.create_task(run.stream.run())
    try:
        await run.until(lambda run: run.states)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def disconnection(run: Run, seconds: float, *options: str) -> StateChange:
    """Publish to a stream until its publisher is disconnected; return how that is told."""

    async def go() -> None:
        async with running(run):
            await publish(run.stream.settings.address, seconds, *options)
            await run.until(lambda run: State.RECONNECTING in run.states)

    asyncio.run(go())
    (change,) = [one for one in run.changes if one.after is State.RECONNECTING]
    return change


def film(folder: Path, seconds: float = 4.0, **what) -> StreamSettings:
    """Write a file that is replayed."""
    path = folder / "clip.flv"
    write_stream(str(path), seconds, **what)
    return replayed(path)


def replayed(path: Path) -> StreamSettings:
    return StreamSettings("clip", str(path), buffering=Buffering.WAIT)


def listening(**what) -> StreamSettings:
    """Return a stream that waits for a publisher, and not long for anything else."""
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    given = {"buffered": 100, "patience": QUICK} | what
    return StreamSettings("door", address, listen=True, **given)


def lost_times(count: int) -> Callable[[Run], bool]:
    return lambda run: run.states.count(State.RECONNECTING) == count


def adds_up(run: Run) -> bool:
    account = run.stream.account
    return account.pending == 0 and account.streamed == len(run.outcomes)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
