"""Encoded files as this library opens them: for their length, their packets and their frames."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import av
from av.stream import Disposition

#: A recording may be a playlist in disguise: it shall not open addresses.
FFMPEG_OPTIONS = {"protocol_whitelist": "file"}


def open_container(source: bytes | Path) -> av.container.InputContainer:
    """Open an encoded file.

    Raises:
        av.FFmpegError: It is none that FFmpeg can read.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    return av.open(file, options=FFMPEG_OPTIONS, metadata_errors="ignore")


def duration(container: av.container.InputContainer) -> float:
    """Return the seconds of a recording; live recordings do not say it, so their packets do."""
    if container.duration is not None:
        return container.duration / av.time_base
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux()
        if packet.pts is not None
    ]
    container.seek(0)
    return max(ends, default=0.0)


def picture_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the first stream of moving pictures, if any; a cover picture is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def packets(
    container: av.container.InputContainer, stream: av.VideoStream | av.AudioStream
) -> Iterator[av.Packet]:
    """Yield a stream's packets up to the first damage of the container itself."""
    with contextlib.suppress(av.FFmpegError):
        yield from container.demux(stream)


def decode(
    container: av.container.InputContainer, stream: av.VideoStream | av.AudioStream
) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """Yield a stream's frames; packets that do not decode are skipped as players do."""
    for packet in packets(container, stream):
        with contextlib.suppress(av.FFmpegError):
            yield from packet.decode()
