"""A stream's connections, read by a process of its own that may come to harm."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import sys
import time
from collections.abc import Awaitable, Callable

from rtmp_bridge.chunks import Chunk
from rtmp_bridge.deadline import within
from rtmp_bridge.errors import SourceError
from rtmp_bridge.settings import StreamSettings
from rtmp_bridge.wire import CPU_WINDOW, Assignment, Beat, End, Receiver, WireError
from rtmp_bridge.worker import Worker, worded

logger = logging.getLogger("rtmp_bridge")

COMMAND = (sys.executable, "-m", "rtmp_bridge.reader")
#: Processor seconds for a second of a file: several times what the slowest codec takes for the
#: largest pictures, since one track is read ahead of the other.
FILE_CPU = 20
#: Ends after which the process is replaced: its memory may be in pieces.
HARMFUL = frozenset({"limit", "failed"})
#: Seconds beyond a stream's own patience in which the process must say that it ran out.
GRACE = 2.0


class Ingest:
    """Reads a stream's connections and hands over its chunks; use it in an `async with` statement.

    Attributes:
        last_frame: When the connection's last frame came, as `time.monotonic`; None before the
            first.
    """

    def __init__(
        self,
        settings: StreamSettings,
        on_first_frame: Callable[[], None],
        hand_over: Callable[[Chunk], Awaitable[None]],
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: The stream.
            on_first_frame: Is called once a connection, when media has come.
            hand_over: Takes each chunk, and returns when the next may come.
        """
        self._settings = settings
        self._on_first_frame = on_first_frame
        self._hand_over = hand_over
        self._process: Worker | None = None
        self._frames = 0
        self.last_frame: float | None = None

    async def __aenter__(self) -> Ingest:
        self._process = await Worker.start(COMMAND)  # ready when a publisher comes
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._end_process()

    async def run(self, first: int, listen_address: str | None = None) -> None:
        """Read one connection until it ends.

        Args:
            first: The number of the first chunk.
            listen_address: Where to wait for a publisher instead of connecting.

        Raises:
            SourceError: It ended other than a file does.
        """
        self._frames, self.last_frame = 0, None
        if self._process is None or self._process.has_ended:
            await self._end_process()
            self._process = await Worker.start(COMMAND)
        try:
            end = await self._read(self._process, self._assignment(first, listen_address))
        except BaseException:
            await self._end_process()
            raise
        if end.reason in HARMFUL:
            await self._end_process()
        if end.details:
            logger.error("%s: %s\n%s", self._settings.name, end.message, end.details)
        if end.reason:
            raise SourceError(end.reason, end.message)
        if self._settings.live:
            raise SourceError("lost", "the publisher ended the stream")

    async def _read(self, process: Worker, assignment: Assignment) -> End:
        """Follow what the process says of a connection.

        Raises:
            SourceError: The process came to harm.
        """
        receiver = Receiver(process.reader, assignment.hop, assignment.first)
        patience = assignment.open
        try:
            process.tell(assignment.line())
            while True:
                message = await within(patience + GRACE, receiver.message())
                if isinstance(message, End):
                    return message
                patience = assignment.silence
                await self._take(message)
        except asyncio.TimeoutError as error:
            raise SourceError("hung", f"reading stood still for {patience + GRACE:g} s") from error
        except WireError as error:
            raise SourceError("crashed", f"reading went astray: {error}") from error
        except (BrokenPipeError, asyncio.IncompleteReadError) as error:
            raise cause_of_end(await process.cause_of_end(), assignment) from error

    async def _take(self, message: Beat | Chunk) -> None:
        if isinstance(message, Chunk):
            await self._hand_over(message)
        elif message.frames > self._frames:
            before, self._frames = self._frames, message.frames
            self.last_frame = time.monotonic()
            if not before:
                self._on_first_frame()

    def _assignment(self, first: int, listen_address: str | None) -> Assignment:
        settings = self._settings
        limits, patience = settings.limits, settings.patience
        seconds = CPU_WINDOW * limits.cores if settings.live else FILE_CPU * settings.hop
        return Assignment(
            address=listen_address or settings.address,
            live=settings.live,
            listen=listen_address is not None,
            hop=settings.hop,
            first=first,
            pixels=limits.pixels,
            bits_per_second=limits.bits_per_second,
            processor_seconds=math.ceil(seconds),
            open=patience.open,
            silence=patience.silence,
        )

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()


def cause_of_end(cause: signal.Signals | int | None, assignment: Assignment) -> SourceError:
    """Word what happened to a process that ended while it was reading."""
    if cause is signal.SIGXCPU:
        each = f"{CPU_WINDOW} s" if assignment.live else f"{assignment.hop} s of it"
        seconds = assignment.processor_seconds
        return SourceError("limit", f"reading took over {seconds} s of processor time for {each}")
    return SourceError("crashed", f"reading crashed: {worded(cause)}")
