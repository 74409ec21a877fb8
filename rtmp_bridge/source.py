"""Connections as PyAV opens them: limits and timeouts set, frames out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
from av.stream import Disposition

from rtmp_bridge.clock import Track
from rtmp_bridge.errors import SourceError
from rtmp_bridge.settings import Limits, Patience

#: Enough to find both tracks of an RTMP stream, and 0.8 s instead of the usual 5 s to open one.
LIVE_OPTIONS = {"probesize": "500000", "analyzeduration": "500000"}
#: Seconds over which the bit rate is measured: a server may send its newest key frame's group of
#: pictures at once.
RATE_SECONDS = 5.0
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
    """

    def __init__(self, address: str, live: bool, listen: bool, limits: Limits, patience: Patience):
        """Connect.

        Args:
            address: What FFmpeg opens.
            live: Whether it goes on whether or not it is read.
            listen: Whether to wait for a publisher at the address.
            limits: What it may bring.
            patience: How long to wait.

        Raises:
            SourceError: It cannot be opened, or brings too much.
        """
        self._live = live
        self._limits = limits
        self._silence = patience.silence
        options = {"max_pixels": str(limits.pixels)}
        if live:
            options |= LIVE_OPTIONS
        if listen:
            options["listen"] = "1"
        try:
            self._container = av.open(
                address,
                options=options,
                metadata_errors="ignore",
                timeout=(patience.open, patience.silence),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            missing = not urlsplit(address).scheme and not Path(address).is_file()
            reason = "unreadable" if not live and not missing else "unreachable"
            raise SourceError(reason, f"cannot be opened: {cause_of(error)}") from error
        try:
            self._streams = self._choose_streams()
        except SourceError:
            self._container.close()
            raise
        start = self._container.start_time
        self.origin = None if start is None else Fraction(start, av.time_base)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *error: object) -> None:
        self._container.close()

    @property
    def tracks(self) -> set[Track]:
        """What it has."""
        return set(self._streams)

    def frames(self) -> Iterator[Decoded]:
        """Yield what can be decoded, in the order in which it comes.

        Raises:
            SourceError: The connection was lost, was silent for too long, or brings too much.
        """
        rate = BitRate(self._limits.bits_per_second)
        last = time.monotonic()
        tracks = {stream.index: track for track, stream in self._streams.items()}
        for packet in self._packets():
            if self._live:
                rate.spend(packet.size)
                if time.monotonic() - last > self._silence:
                    raise SourceError("silent", "nothing of what comes can be decoded")
            track = tracks[packet.stream.index]
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # as players do
            for frame in frames:
                yield self._decoded(track, frame)
                last = time.monotonic()

    def _packets(self) -> Iterator[av.Packet]:
        try:
            yield from self._container.demux(*self._streams.values())
        except av.ExitError as error:
            raise SourceError("silent", "nothing came for too long") from error
        except (av.FFmpegError, OSError) as error:
            raise SourceError("lost", f"the connection was lost: {cause_of(error)}") from error
        except IndexError:
            return  # PyAV trips at the end over tracks that appeared on the way, e.g. a new codec

    def _decoded(self, track: Track, frame: av.VideoFrame | av.AudioFrame) -> Decoded:
        stamp = None if frame.pts is None else frame.pts * frame.time_base
        if track == "sound":
            return Decoded(track, stamp, Fraction(frame.samples, frame.sample_rate or 1), frame)
        self._check_pixels(frame.width, frame.height)
        return Decoded(track, stamp, self._interval, frame)

    def _choose_streams(self) -> dict[Track, av.VideoStream | av.AudioStream]:
        chosen: dict[Track, av.VideoStream | av.AudioStream] = {}
        for stream in self._container.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                self._check_pixels(stream.codec_context.width, stream.codec_context.height)
                stream.codec_context.options = {"max_pixels": str(self._limits.pixels)}
                stream.codec_context.thread_count = 1  # streams are the parallelism
                rate = stream.average_rate
                fps = Fraction(rate) if rate and 1 <= rate <= 240 else Fraction(FALLBACK_FPS)
                self._interval = 1 / fps
                chosen["picture"] = stream
                break
        if self._container.streams.audio:
            chosen["sound"] = self._container.streams.audio[0]
        if not chosen:
            raise SourceError("unreadable", "has neither pictures nor sound")
        return chosen

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._limits.pixels:
            raise SourceError(
                "limit",
                f"{width}x{height} is {width * height} pixels, at most {self._limits.pixels}",
            )


class BitRate:
    """Refuses a connection that brings more than it may."""

    def __init__(self, most: int) -> None:
        """Start counting.

        Args:
            most: Bits a second, on average over `RATE_SECONDS`.
        """
        self._most = most
        self._begin = time.monotonic()
        self._bits = 0

    def spend(self, size: int) -> None:
        """Count some bytes.

        Raises:
            SourceError: They are too many.
        """
        now = time.monotonic()
        if now - self._begin >= RATE_SECONDS:
            self._begin, self._bits = now, 0
        self._bits += 8 * size
        if self._bits > self._most * RATE_SECONDS:
            raise SourceError(
                "limit", f"more than {self._most} bits a second over {RATE_SECONDS:g} s"
            )


def cause_of(error: Exception) -> str:
    """Word an FFmpeg error without the address, which may hold a key."""
    return getattr(error, "strerror", None) or type(error).__name__
