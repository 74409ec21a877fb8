"""What the bridge and a process that reads connections for it say to each other.

The process decodes foreign bytes, so a fault of a decoder may have made it anything. What it says
is therefore JSON and bytes of a told length, and is checked before it is believed.

A message is the length of its header (4 bytes, big-endian), the header as JSON, and the bytes of
the parts whose sizes the header tells.
"""

from __future__ import annotations

import json
import struct
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from rtmp_bridge.chunks import FRAMES_A_SECOND, SOUND_RATE, Chunk
from rtmp_bridge.contract import SPEECH_STRIDE, SPEECH_WINDOW
from rtmp_bridge.errors import BridgeError
from rtmp_bridge.resampling import HEARD_CHANNELS

if TYPE_CHECKING:
    import asyncio  # which a reading process does without: it would take 4 MB more

#: Seconds over which a live stream's processor time is measured; it may begin with a burst.
CPU_WINDOW = 10
LENGTH = struct.Struct("!I")
#: Bytes of a header, of a JPEG of at most 640x640 pixels, and of what a WAV file begins with.
MOST_HEADER, MOST_PICTURE, WAV_HEADER = 1 << 15, 1 << 20, 44
#: Characters of a sentence and of a traceback.
MOST_MESSAGE, MOST_DETAILS = 500, 4_000
#: Frames of a connection: more than a camera makes in a million years.
MOST_FRAMES = 1 << 53
#: Why reading can end; nothing where it ends as a file does.
REASONS = frozenset({"", "unreachable", "unreadable", "lost", "silent", "limit", "failed"})


class WireError(BridgeError):
    """What came makes no sense."""


@dataclass(frozen=True)
class Assignment:
    """A connection to be read.

    Attributes:
        address: What FFmpeg opens, or where it listens.
        live: Whether it goes on whether or not it is read.
        listen: Whether to wait for a publisher at the address.
        hop: Seconds of a chunk.
        first: The number of the first chunk.
        pixels: Width times height of a picture, at most.
        bits_per_second: What a live stream may bring.
        processor_seconds: What it may use: a live stream in `CPU_WINDOW`, a file for each chunk.
        open: Seconds from connecting to knowing what there is.
        silence: Seconds without a decoded frame.
    """

    address: str = field(repr=False)
    live: bool
    listen: bool
    hop: int
    first: int
    pixels: int
    bits_per_second: int
    processor_seconds: int
    open: float
    silence: float

    def line(self) -> bytes:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def of_line(line: bytes) -> Assignment:
        """Read it again."""
        return Assignment(**json.loads(line))


@dataclass(frozen=True)
class Beat:
    """Something has come.

    Attributes:
        frames: How many frames have been decoded.
    """

    frames: int


@dataclass(frozen=True)
class End:
    """The connection is over.

    Attributes:
        reason: One of `REASONS`.
        message: The sentence that goes with it.
        details: The traceback of what nobody expected.
    """

    reason: str = ""
    message: str = ""
    details: str = ""


Message = Beat | Chunk | End


class Sender:
    """The end of the pipe at which connections are read."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to an unbuffered file."""
        self._file = file

    def beat(self, beat: Beat) -> None:
        """Say that something has come."""
        self._send({"kind": "beat", **asdict(beat)})

    def chunk(self, chunk: Chunk) -> None:
        """Hand over a chunk; returns when the other end has taken it."""
        header = {
            "kind": "chunk",
            "index": chunk.index,
            "seconds": chunk.seconds,
            "windows": chunk.windows,
            "fresh": chunk.fresh,
            "completed_at": chunk.completed_at,
            "frames": [len(frame) for frame in chunk.frames],
            "sound": None if chunk.sound is None else len(chunk.sound),
        }
        self._send(header, *chunk.frames, chunk.sound or b"")

    def end(self, end: End) -> None:
        """Say that the connection is over."""
        self._send(
            {
                "kind": "end",
                "reason": end.reason,
                "message": end.message[:MOST_MESSAGE],
                "details": end.details[-MOST_DETAILS:],
            }
        )

    def _send(self, header: dict[str, Any], *parts: bytes) -> None:
        text = json.dumps(header, ensure_ascii=False).encode()
        self._file.write(b"".join([LENGTH.pack(len(text)), text, *parts]))
        self._file.flush()


class Receiver:
    """The bridge's end of the pipe."""

    def __init__(self, reader: asyncio.StreamReader, hop: int, following: int) -> None:
        """Receive what is said of one connection.

        Args:
            reader: The pipe.
            hop: Seconds of a chunk.
            following: The number of the chunk that must come next.
        """
        self._reader = reader
        self._hop = hop
        self._following = following

    async def message(self) -> Message:
        """Return the next message.

        Raises:
            WireError: It makes no sense.
            asyncio.IncompleteReadError: There is none: the process has ended.
        """
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        if length > MOST_HEADER:
            raise WireError(f"a header of {length} bytes came, expected at most {MOST_HEADER}")
        header = header_of(await self._reader.readexactly(length))
        match header.get("kind"):
            case "beat":
                return Beat(whole("frames", header.get("frames"), 0, MOST_FRAMES))
            case "chunk":
                return await self._chunk(header)
            case "end":
                return end_of(header)
        raise WireError("a message of no known kind came")

    async def _chunk(self, header: dict[str, Any]) -> Chunk:
        hop, sizes, sound = self._hop, header.get("frames"), header.get("sound")
        index = whole("index", header.get("index"), self._following, self._following)
        if type(sizes) is not list or len(sizes) > FRAMES_A_SECOND * hop:
            raise WireError(f"frames: expected at most {FRAMES_A_SECOND * hop} sizes")
        for size in sizes:
            whole("frames", size, 1, MOST_PICTURE)
        if sound is not None:
            heard = hop + SPEECH_WINDOW - SPEECH_STRIDE
            most = 2 * HEARD_CHANNELS * SOUND_RATE * heard
            whole("sound", sound, WAV_HEADER, WAV_HEADER + most)
        chunk = Chunk(
            index=index,
            start=float(index * hop),
            seconds=number("seconds", header.get("seconds"), hop),
            windows=whole("windows", header.get("windows"), 0, hop),
            fresh=header.get("fresh") is True,
            completed_at=min(number("completed_at", header.get("completed_at")), time.time()),
            frames=tuple([await self._reader.readexactly(size) for size in sizes]),
            sound=None if sound is None else await self._reader.readexactly(sound),
        )
        self._following += 1
        return chunk


def header_of(data: bytes) -> dict[str, Any]:
    """Read a header.

    Raises:
        WireError: It is none.
    """
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError("a header came that is not JSON") from error
    if type(header) is not dict:
        raise WireError("a header came that names nothing")
    return header


def end_of(header: dict[str, Any]) -> End:
    """Read why a connection is over; raises WireError where that makes no sense."""
    reason = text("reason", header.get("reason"), MOST_MESSAGE)
    if reason not in REASONS:
        raise WireError(f"reason: expected one of {sorted(REASONS)}")
    message = text("message", header.get("message"), MOST_MESSAGE)
    return End(reason, message, text("details", header.get("details"), MOST_DETAILS))


def whole(name: str, value: Any, least: int, most: int) -> int:
    """Return a value if it is a whole number in bounds; raises WireError."""
    if type(value) is not int or not least <= value <= most:
        raise WireError(f"{name}: expected a whole number from {least} to {most}")
    return value


def number(name: str, value: Any, most: float = 1e12) -> float:
    """Return a value if it is a positive number in bounds; raises WireError."""
    if type(value) not in (int, float) or not 0 < value <= most:
        raise WireError(f"{name}: expected a positive number up to {most:g}")
    return float(value)


def text(name: str, value: Any, most: int) -> str:
    """Return a value if it is a text, with what cannot be shown replaced; raises WireError."""
    if type(value) is not str or len(value) > most:
        raise WireError(f"{name}: expected a text of at most {most} characters")
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in value)
