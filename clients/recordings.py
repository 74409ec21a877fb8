"""Encoded recordings as this library reads them: their length, their packets and their frames."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import av

from clients.containers import decoder_options, open_container
from clients.contract import LIMITS

#: What opening a recording raises where it cannot be read.
OPEN_ERRORS = (av.FFmpegError, OSError, ValueError)


@contextlib.contextmanager
def open_recording(source: bytes | Path) -> Iterator[av.container.InputContainer]:
    """Open an encoded file for the length of a `with` block.

    Raises:
        OSError: There is no such file.
        av.FFmpegError, ValueError: It is none that FFmpeg can read.
    """
    opened = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with opened as file, open_container(file, LIMITS.pixels) as container:
        yield container


def duration(container: av.container.InputContainer) -> float:
    """Return the seconds of a recording; live recordings do not say it, so their packets do."""
    if container.duration is not None:
        return container.duration / av.time_base
    ends = (
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux()
        if packet.pts is not None
    )
    longest = max(ends, default=0.0)
    container.seek(0)
    return longest


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
    stream.codec_context.options = decoder_options(LIMITS.pixels)
    for packet in packets(container, stream):
        with contextlib.suppress(av.FFmpegError):
            yield from packet.decode()
