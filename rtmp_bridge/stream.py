"""One stream: connects, reconnects, watches, recognises chunk by chunk and keeps the account."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from clients import (
    AsyncRecogniser,
    Connection,
    InputRefusedError,
    Media,
    RecogniserError,
    RequestTimeoutError,
    ServerUnavailableError,
)
from rtmp_bridge.buffer import ChunkBuffer
from rtmp_bridge.chunks import Chunk
from rtmp_bridge.context import RollingContext
from rtmp_bridge.errors import SourceError
from rtmp_bridge.gate import Gate
from rtmp_bridge.ingest import Ingest
from rtmp_bridge.outcomes import Account, Kind, Outcome
from rtmp_bridge.sentences import Sentence, Sentences, read_subtitles
from rtmp_bridge.settings import StreamSettings
from rtmp_bridge.state import State, StateChange, StateMachine

logger = logging.getLogger("rtmp_bridge")

#: How often it is checked whether frames come, in seconds.
WATCH_INTERVAL = 0.25
#: Over how many chunks latencies are told.
LATENCIES = 120


class Stream:
    """A stream from its first connection to its end.

    Attributes:
        settings: What it is.
        account: What became of its chunks.
        latest: What became of the last one.
        sentences: What is said in it.
        reconnects: How often it was connected again.
    """

    def __init__(
        self,
        settings: StreamSettings,
        connection: Connection,
        announce: Callable[[StateChange], None],
        publish: Callable[[Outcome], Awaitable[None]],
    ) -> None:
        """Prepare a stream.

        Args:
            settings: What it is.
            connection: Where the recogniser is.
            announce: Is told each change of state.
            publish: Takes what became of each chunk, in order.

        Raises:
            SentenceError: Its subtitles cannot be read.
        """
        self.settings = settings
        self.account = Account()
        self.latest: Outcome | None = None
        known = read_subtitles(settings.subtitles) if settings.subtitles else []
        self.sentences = Sentences(known)
        self.reconnects = 0
        self._connection = connection
        self._publish = publish
        self._machine = StateMachine(settings.name, announce)
        self._buffer = ChunkBuffer(settings.buffered, settings.buffering)
        self._context = RollingContext(settings.past_seconds)
        self._following = 0
        self._latencies: deque[float] = deque(maxlen=LATENCIES)

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._machine.state

    @property
    def head(self) -> float:
        """Until when it has come, in seconds of the stream."""
        return float(self._following * self.settings.hop)

    def say(self, text: str, start: float | None = None, end: float | None = None) -> Sentence:
        """Take a sentence that is said in it.

        Args:
            text: The sentence.
            start: When it begins in seconds of the stream; now if None.
            end: When it ends; at once if None.

        Raises:
            SentenceError: It cannot be used.
        """
        begin = self.head if start is None else start
        sentence = Sentence(text, begin, begin if end is None else end)
        self.sentences.add(sentence)
        return sentence

    def record(self) -> dict[str, Any]:
        """Return what is to be known about it, for JSON."""
        change = self._machine.last
        latencies = sorted(self._latencies)
        return {
            "stream": self.settings.name,
            "live": self.settings.live,
            "state": change.after.value,
            "reason": change.reason,
            "message": change.message,
            "reconnects": self.reconnects,
            "account": self.account.record(),
            "latency": {f"p{part}": quantile(latencies, part / 100) for part in (50, 95)},
        }

    async def run(self) -> None:
        """Go through the stream until it has ended or failed; cancel it to end it."""
        recognising = asyncio.create_task(self._recognise_all())
        try:
            async with contextlib.AsyncExitStack() as stack:
                gate = None
                if self.settings.listen:
                    gate = await stack.enter_async_context(Gate(self.settings))
                ingest = Ingest(self.settings, self._begin_streaming, self._take)
                await self._connect_until_ended(await stack.enter_async_context(ingest), gate)
            await self._buffer.close()
            await recognising
        finally:
            recognising.cancel()
            await asyncio.gather(recognising, return_exceptions=True)
            for chunk in self._buffer.clear():
                await self._drop(chunk, "stopping", "the bridge was stopped")
            if not self.state.final:
                self._machine.to(State.ENDED, "stopped", "the bridge was stopped")

    async def _connect_until_ended(self, ingest: Ingest, gate: Gate | None) -> None:
        failures = 0
        while True:
            first = self._following
            try:
                await self._connect(ingest, gate)
            except SourceError as error:
                failures = 1 if self._following > first else failures + 1
                if not await self._may_connect_again(error, failures):
                    return
            else:
                self._machine.to(State.ENDED)
                return
            pause = self.settings.patience.backoff.pause(1 if gate else failures)
            await asyncio.sleep(pause)
            self.reconnects += 1
            self._machine.to(State.CONNECTING)

    async def _may_connect_again(self, error: SourceError, failures: int) -> bool:
        attempts = self.settings.patience.attempts
        if not self.settings.live:
            self._machine.to(State.FAILED, error.reason, str(error))
            return False
        if attempts is not None and failures >= attempts:
            message = f"{error}; gave up after {failures} attempts"
            self._machine.to(State.FAILED, error.reason, message)
            return False
        self._machine.to(State.RECONNECTING, error.reason, str(error))
        return True

    async def _connect(self, ingest: Ingest, gate: Gate | None) -> None:
        """Go through one connection.

        Raises:
            SourceError: It ended other than a file does.
        """
        if gate is None:
            await self._read(ingest, None)
            return
        publisher = await gate.publisher()
        async with gate.relay(publisher) as (address, relay):
            try:
                await self._read(ingest, address)
            except SourceError as error:
                # Where the gate sent the publisher away, FFmpeg only knows that it left.
                if relay.done() and (cause := relay.exception()):
                    raise cause from error
                raise

    async def _read(self, ingest: Ingest, listen_address: str | None) -> None:
        watching = asyncio.create_task(self._watch(ingest))
        try:
            await ingest.run(self._following, listen_address)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _begin_streaming(self) -> None:
        if self.state is State.CONNECTING:
            self._machine.to(State.STREAMING)

    async def _watch(self, ingest: Ingest) -> None:
        """Tell when frames stop coming, and when they come again."""
        patience = self.settings.patience
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            if ingest.last_frame is None or not self.settings.live:
                continue
            silent = time.monotonic() - ingest.last_frame
            if silent > patience.stall and self.state is State.STREAMING:
                self._machine.to(State.STALLED, "silent", "no frame comes")
            elif silent <= patience.stall and self.state is State.STALLED:
                self._machine.to(State.STREAMING)

    async def _take(self, chunk: Chunk) -> None:
        dropped_for_it = await self._buffer.put(chunk)
        # A file's chunk that never found room, because the bridge was stopped, has not come.
        self.account.streamed += 1
        self._following = chunk.index + 1
        for dropped in dropped_for_it:
            await self._drop(dropped, "buffer_full", "the recogniser is slower than the stream")

    async def _recognise_all(self) -> None:
        more = True
        while more:
            async with AsyncRecogniser(self._connection) as recogniser:
                more = await self._recognise_until_timeout(recogniser)

    async def _recognise_until_timeout(self, recogniser: AsyncRecogniser) -> bool:
        """Recognise chunks; return False when there are no more, True when no answer came.

        A connection on which no answer comes may be dead without knowing it.
        """
        while (chunk := await self._buffer.get()) is not None:
            try:
                outcome = await self._recognise(recogniser, chunk)
            except asyncio.CancelledError:
                await self._drop(chunk, "stopping", "the bridge was stopped")
                raise
            await self._close(outcome)
            if outcome.reason == "timeout":
                return True
        return False

    async def _recognise(self, recogniser: AsyncRecogniser, chunk: Chunk) -> Outcome:
        name = self.settings.name
        if chunk.empty:
            return ended(name, chunk, Kind.DROP, "gap", "the stream has nothing here")
        text = self.sentences.within(chunk.end - self.settings.window, chunk.end)
        media = Media(text=text, audio=chunk.sound, video=chunk.frames or None, fps=chunk.fps)
        past = self._context.before(chunk)
        try:
            answer = await recogniser.recognise(media, past=past, context=True)
        except RecogniserError as error:
            return ended(name, chunk, Kind.ERROR, reason_of(error), str(error))
        except Exception as error:  # one chunk must not cost the following ones
            logger.exception("%s: recognising failed", name)
            return ended(name, chunk, Kind.ERROR, "failed", type(error).__name__)
        self._context.add(chunk, answer.context)
        return Outcome(name, chunk, Kind.RESULT, time.time(), answer.document, text)

    async def _drop(self, chunk: Chunk, reason: str, message: str) -> None:
        await self._close(ended(self.settings.name, chunk, Kind.DROP, reason, message))

    async def _close(self, outcome: Outcome) -> None:
        """Say what became of a chunk."""
        self.account.close(outcome)
        if outcome.kind is Kind.RESULT:
            self._latencies.append(outcome.latency)
            self.latest = outcome
        await self._publish(outcome)


def ended(stream: str, chunk: Chunk, kind: Kind, reason: str, message: str) -> Outcome:
    """Return the outcome of a chunk that has no result."""
    return Outcome(stream, chunk, kind, time.time(), reason=reason, message=message)


def reason_of(error: RecogniserError) -> str:
    """Return one word for metrics."""
    if isinstance(error, InputRefusedError):
        return "refused"
    if isinstance(error, ServerUnavailableError):
        return "unavailable"
    if isinstance(error, RequestTimeoutError):
        return "timeout"
    return "failed"


def quantile(ordered: list[float], part: float) -> float | None:
    """Return a quantile of ordered figures in seconds, None of none."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 4)
