"""Connections as PyAV opens them: limits and timeouts set, frames out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av

from rtmp_bridge.bit_rate import BitRate
from rtmp_bridge.clock import Track
from rtmp_bridge.containers import decoder_options, open_container, picture_stream
from rtmp_bridge.contract import LIMITS
from rtmp_bridge.errors import SourceError
from rtmp_bridge.resampling import SoundLimitError, check_block, heard_track
from rtmp_bridge.wire import Assignment

#: Enough to find both tracks of an RTMP stream, and 0.8 s instead of the usual 5 s to open one.
LIVE_OPTIONS = {"probesize": "500000", "analyzeduration": "500000"}
#: What an address may lead to, e.g. as a playlist: other addresses, but no file of this machine.
NETWORK = "crypto,data,http,httpproxy,https,rtmp,rtmpe,rtmps,rtmpt,rtmpts,rtp,srt,srtp,tcp,tls,udp"
#: The rate assumed for pictures without timestamps in a stream that declares no usable rate.
FALLBACK_FPS = 25


@dataclass(frozen=True)
class Decoded:
    """A frame of a connection.

    Attributes:
        track: Whether it is seen or heard.
        stamp: Its timestamp in seconds from any origin, if it has one.
        interval: How long it lasts in seconds, as far as it says.
        frame: The frame.
    """

    track: Track
    stamp: Fraction | None
    interval: Fraction
    frame: av.VideoFrame | av.AudioFrame


class Source:
    """One open connection; use it in a `with` statement.

    Attributes:
        tracks: What it has.
        origin: The timestamp of its start in seconds, if it says.
        aspect: The width of a picture's pixels in heights, if it says.
    """

    aspect: Fraction | None = None

    def __init__(self, assignment: Assignment) -> None:
        """Connect.

        Args:
            assignment: What to read, and what it may bring.

        Raises:
            SourceError: It cannot be opened, or brings too much.
            MemoryError: To open it takes more than this process may have.
        """
        self._assignment = assignment
        with ExitStack() as stack:
            self._container = stack.enter_context(self._open(stack))
            self._streams = self._choose_streams()
            self._open_files = stack.pop_all()
        start = self._container.start_time
        self.origin = None if start is None else Fraction(start, av.time_base)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *error: object) -> None:
        self._open_files.close()

    @property
    def tracks(self) -> set[Track]:
        """What it has."""
        return set(self._streams)

    def frames(self, on_packet: Callable[[], None]) -> Iterator[Decoded]:
        """Yield what can be decoded, in the order in which it comes.

        Args:
            on_packet: Is called for all that comes, whether or not it can be decoded.

        Raises:
            SourceError: The connection was lost, was silent for too long, or brings too much.
            MemoryError: It takes more than this process may have.
        """
        rate = BitRate(self._assignment.bits_per_second)
        last = time.monotonic()
        tracks = {stream.index: track for track, stream in self._streams.items()}
        for packet in self._packets():
            on_packet()
            if self._assignment.live:
                rate.spend(packet.size)
                if time.monotonic() - last > self._assignment.silence:
                    raise SourceError("silent", "nothing of what comes can be decoded")
            track = tracks[packet.stream.index]
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.FFmpegError:
                continue  # as players do
            for frame in frames:
                yield self._decoded(track, frame)
                last = time.monotonic()

    def _open(self, stack: ExitStack) -> av.container.InputContainer:
        assignment = self._assignment
        path = Path(assignment.address)
        is_file = not urlsplit(assignment.address).scheme or path.exists()
        try:
            if is_file:
                file = stack.enter_context(path.open("rb"))
                return open_container(file, assignment.pixels)
            return av.open(
                assignment.address,
                options=self._network_options(),
                metadata_errors="ignore",
                timeout=(assignment.open, assignment.silence),
            )
        except MemoryError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            missing = is_file and not path.is_file()
            reason = "unreachable" if assignment.live or missing else "unreadable"
            raise SourceError(reason, f"cannot be opened: {cause_of(error)}") from error

    def _network_options(self) -> dict[str, str]:
        options = {"protocol_whitelist": NETWORK, **decoder_options(self._assignment.pixels)}
        if self._assignment.live:
            options |= LIVE_OPTIONS
        if self._assignment.listen:
            options["listen"] = "1"
        return options

    def _packets(self) -> Iterator[av.Packet]:
        try:
            yield from self._container.demux(*self._streams.values())
        except MemoryError:
            raise
        except av.ExitError as error:
            raise SourceError("silent", "nothing came for too long") from error
        except (av.FFmpegError, OSError) as error:
            raise SourceError("lost", f"the connection was lost: {cause_of(error)}") from error
        except IndexError:
            return  # PyAV trips at the end over tracks that appeared on the way, e.g. a new codec

    def _decoded(self, track: Track, frame: av.VideoFrame | av.AudioFrame) -> Decoded:
        stamp = None if frame.pts is None else frame.pts * frame.time_base
        if track == "sound":
            try:
                check_block(frame)
            except SoundLimitError as error:
                raise SourceError("limit", str(error)) from error
            return Decoded(track, stamp, Fraction(frame.samples, frame.sample_rate), frame)
        self._check_pixels(frame.width, frame.height)
        return Decoded(track, stamp, self._interval, frame)

    def _choose_streams(self) -> dict[Track, av.VideoStream | av.AudioStream]:
        chosen: dict[Track, av.VideoStream | av.AudioStream] = {}
        if stream := picture_stream(self._container):
            self._check_pixels(stream.codec_context.width, stream.codec_context.height)
            stream.codec_context.options = decoder_options(self._assignment.pixels)
            stream.codec_context.thread_count = 1  # streams are the parallelism
            rate = stream.average_rate
            usable = rate and 1 <= rate <= LIMITS.max_fps
            self._interval = 1 / Fraction(rate if usable else FALLBACK_FPS)
            self.aspect = stream.sample_aspect_ratio
            chosen["picture"] = stream
        if self._container.streams.audio:
            chosen["sound"] = heard_track(self._container)
        if not chosen:
            raise SourceError("unreadable", "has neither pictures nor sound")
        return chosen

    def _check_pixels(self, width: int, height: int) -> None:
        most = self._assignment.pixels
        if width * height > most:
            raise SourceError(
                "limit", f"{width}x{height} is {width * height} pixels, at most {most}"
            )


def cause_of(error: Exception) -> str:
    """Word an FFmpeg error without the address, which may hold a key."""
    return getattr(error, "strerror", None) or type(error).__name__
