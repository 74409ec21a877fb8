"""One connection, from opening to its end, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Callable, Iterator

from rtmp_bridge.chunks import Chunk, ChunkAssembler
from rtmp_bridge.clock import StreamClock
from rtmp_bridge.errors import SourceError
from rtmp_bridge.settings import StreamSettings
from rtmp_bridge.source import Decoded, Source

#: Seconds by which one track may lag behind the other. Servers send live streams interleaved;
#: files may have seconds of one before the other, and there is no hurry.
LIVE_LAG, FILE_LAG = 0.5, 10.0
#: Seconds by which a live stream's timestamps may run ahead of the time that passes.
LONGEST_LEAD = 30.0


class Ingest:
    """Reads a connection and hands over its chunks.

    Attributes:
        last_frame: When the last frame came, as `time.monotonic`; None before the first.
        following: The number of the next chunk.
    """

    def __init__(
        self,
        settings: StreamSettings,
        first: int,
        on_first_frame: Callable[[], None],
        hand_over: Callable[[Chunk], None],
        listen_address: str | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: The stream.
            first: The number of the first chunk.
            on_first_frame: Is called once, when media has come.
            hand_over: Takes each chunk, and returns when the next may come.
            listen_address: Where to wait for a publisher instead of connecting.
        """
        self._settings = settings
        self._on_first_frame = on_first_frame
        self._hand_over = hand_over
        self._listen_address = listen_address
        self._stopped = threading.Event()
        self.last_frame: float | None = None
        self.following = first

    def stop(self) -> None:
        """Make `run` return at the next frame."""
        self._stopped.set()

    def run(self) -> None:
        """Read until the connection ends.

        Raises:
            SourceError: It ended other than a file does.
        """
        settings = self._settings
        with Source(
            self._listen_address or settings.address,
            settings.live,
            self._listen_address is not None,
            settings.limits,
            settings.patience,
        ) as source:
            lag = LIVE_LAG if settings.live else FILE_LAG
            assembler = ChunkAssembler(settings.hop, source.tracks, lag, self.following)
            try:
                self._read(source, assembler)
            finally:
                self._pass_on(assembler.finish())
        if settings.live and not self._stopped.is_set():
            raise SourceError("lost", "the publisher ended the stream")

    def _read(self, source: Source, assembler: ChunkAssembler) -> None:
        clock = StreamClock(source.origin)
        begin, first = time.monotonic(), self.following
        for decoded in source.frames():
            if self._stopped.is_set():
                return
            if self.last_frame is None:
                self._on_first_frame()
            self.last_frame = time.monotonic()
            self._pass_on(chunks_of(decoded, clock, assembler))
            lead = (self.following - first) * self._settings.hop - (self.last_frame - begin)
            if self._settings.live and lead > LONGEST_LEAD:
                raise SourceError("limit", f"the timestamps run {lead:.0f} s ahead of the clock")

    def _pass_on(self, chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            if self._stopped.is_set():
                return
            self.following = chunk.index + 1
            self._hand_over(chunk)


def chunks_of(decoded: Decoded, clock: StreamClock, assembler: ChunkAssembler) -> Iterator[Chunk]:
    """Put a frame at its time and yield the chunks that are complete now."""
    at, leapt = clock.tell(decoded.track, decoded.stamp, decoded.interval)
    if leapt:
        assembler.begin_anew()
    add = assembler.add_picture if decoded.track == "picture" else assembler.add_sound
    return add(at, decoded.frame)


def run_in_thread(work: Callable[[], None], name: str) -> asyncio.Future[None]:
    """Run blocking work in a thread that does not keep the process alive.

    FFmpeg may be deep in a read when the bridge is told to stop; executors would wait for it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def finish(error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as caught:
            # Its frames name the decoder and the newest pictures, which would stay until the
            # garbage collector comes across them.
            traceback.clear_frames(caught.__traceback__)
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
