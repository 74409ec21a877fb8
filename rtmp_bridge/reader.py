"""A process that reads connections for the bridge: `python -m rtmp_bridge.reader`.

Whatever FFmpeg, OpenCV and NumPy do to foreign bytes happens here. The process may crash, loop and
swell: the kernel ends it, and the bridge starts another. It is told the connections one after the
other on its standard input, since anybody can read a command line, and answers on its standard
output.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator

from rtmp_bridge.assembler import ChunkAssembler
from rtmp_bridge.chunks import Chunk
from rtmp_bridge.clock import StreamClock
from rtmp_bridge.confinement import allow_cpu, confine
from rtmp_bridge.errors import SourceError
from rtmp_bridge.source import Decoded, Source
from rtmp_bridge.wire import CPU_WINDOW, Assignment, Beat, End, Sender

#: Seconds by which one track may lag behind the other. Servers send live streams interleaved;
#: files may have seconds of one before the other, and there is no hurry.
LIVE_LAG, FILE_LAG = 0.5, 10.0
#: Seconds by which a live stream's timestamps may run ahead of the time that passes.
LONGEST_LEAD = 30.0
#: Seconds from one beat to the next.
BEAT = 0.1
#: Bytes that Python and the libraries map, with room for decoders; bytes for each pixel of the
#: pictures that decoders and the conversion to JPEG hold.
BASE_MEMORY, MEMORY_A_PIXEL = 768 << 20, 64


class Reader:
    """Reads one connection and sends its chunks."""

    def __init__(self, assignment: Assignment, sender: Sender) -> None:
        """Prepare; nothing is opened yet.

        Args:
            assignment: What to read.
            sender: Takes what comes of it.
        """
        self._assignment = assignment
        self._sender = sender
        self._following = assignment.first
        self._budget = Budget(assignment)
        self._beats = Beats(sender)

    def run(self) -> None:
        """Read until the connection ends.

        Raises:
            SourceError: It ended other than a file does.
            MemoryError: It takes more than this process may have.
        """
        assignment = self._assignment
        with Source(assignment) as source:
            lag = LIVE_LAG if assignment.live else FILE_LAG
            assembler = ChunkAssembler(
                assignment.hop, source.tracks, lag, assignment.first, source.aspect
            )
            try:
                self._read(source, assembler)
            finally:
                self._send(assembler.finish())

    def _read(self, source: Source, assembler: ChunkAssembler) -> None:
        clock = StreamClock(source.origin)
        begin = time.monotonic()
        for decoded in source.frames(self._on_packet):
            self._beats.frame()
            self._send(chunks_of(decoded, clock, assembler))
            if self._assignment.live:
                self._check_lead(time.monotonic() - begin)

    def _on_packet(self) -> None:
        self._budget.renew(self._following)
        self._beats.packet()

    def _send(self, chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            self._following = chunk.index + 1
            self._sender.chunk(chunk)

    def _check_lead(self, passed: float) -> None:
        lead = (self._following - self._assignment.first) * self._assignment.hop - passed
        if lead > LONGEST_LEAD:
            raise SourceError("limit", f"the timestamps run {lead:.0f} s ahead of the clock")


class Beats:
    """Tells now and then that something comes; the first frame is told at once."""

    def __init__(self, sender: Sender) -> None:
        """Begin with nothing."""
        self._sender = sender
        self._frames = 0
        self._last = 0.0

    def frame(self) -> None:
        """Take note of a frame."""
        self._frames += 1
        if self._frames == 1:
            self._tell(time.monotonic())

    def packet(self) -> None:
        """Take note of a packet."""
        now = time.monotonic()
        if now - self._last >= BEAT:
            self._tell(now)

    def _tell(self, now: float) -> None:
        self._last = now
        self._sender.beat(Beat(self._frames))


class Budget:
    """Processor time: of a live stream for the seconds that pass, of a file for those it lasts.

    It is renewed when there is progress; a decoder that makes none uses it up, and the kernel ends
    the process.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Allow what is needed until the first renewal."""
        self._live = assignment.live
        self._seconds = assignment.processor_seconds
        self._renew(time.monotonic(), assignment.first)

    def renew(self, chunk: int) -> None:
        """Allow as much again where time has passed, or a chunk of a file is done.

        Args:
            chunk: The number of the chunk that is being read.
        """
        now = time.monotonic()
        if now - self._renewed_at >= CPU_WINDOW if self._live else chunk > self._chunk:
            self._renew(now, chunk)

    def _renew(self, now: float, chunk: int) -> None:
        self._renewed_at, self._chunk = now, chunk
        allow_cpu(self._seconds)


def chunks_of(decoded: Decoded, clock: StreamClock, assembler: ChunkAssembler) -> Iterator[Chunk]:
    """Put a frame at its time and yield the chunks that are complete now."""
    at, leapt = clock.tell(decoded.track, decoded.stamp, decoded.interval)
    if leapt:
        assembler.begin_anew()
    add = assembler.add_picture if decoded.track == "picture" else assembler.add_sound
    return add(at, decoded.frame)


def read(assignment: Assignment, sender: Sender) -> End:
    """Read a connection to its end, and return how it ended."""
    try:
        Reader(assignment, sender).run()
    except SourceError as error:
        return End(error.reason, str(error))
    except MemoryError:
        most = memory_for(assignment.pixels) >> 20
        return End("limit", f"reading takes more than {most} MiB of memory")
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever a stream can provoke costs that stream alone
        return End("failed", f"reading failed: {type(error).__name__}", traceback.format_exc())
    return End()


def memory_for(pixels: int) -> int:
    """Return the bytes that the process may map to read pictures of so many pixels."""
    return BASE_MEMORY + MEMORY_A_PIXEL * pixels


def main() -> None:
    """Read the connections of one stream, one after the other, until there are no more."""
    sender = Sender(os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no message
    assignments = map(Assignment.of_line, sys.stdin.buffer)
    for number, assignment in enumerate(assignments):
        if number == 0:
            confine(memory_for(assignment.pixels))
        sender.end(read(assignment, sender))


if __name__ == "__main__":
    main()
