"""How a container of unknown origin is opened: the one place for what FFmpeg must not do."""

from __future__ import annotations

from functools import cache
from typing import BinaryIO

import av
from av.format import ContainerFormat
from av.stream import Disposition

#: Formats that consist of references. FFmpeg waits for what a playlist of a live stream refers to
#: as long as the playlist says.
_REFERRING = frozenset({"concat", "dash", "hls", "imf", "rtsp", "sdp", "webm_dash_manifest"})


def open_container(file: BinaryIO, most_pixels: int) -> av.container.InputContainer:
    """Open an encoded file.

    Args:
        file: Open for reading in binary, with `seek`.
        most_pixels: Width times height of what may be decoded; FFmpeg decodes some pictures while
            it probes.

    Raises:
        av.FFmpegError, ValueError: It is none that FFmpeg can read.
    """
    options = {
        "protocol_whitelist": "none",  # names none that exists: nothing else is opened
        "format_whitelist": _self_contained_formats(),
        **decoder_options(most_pixels),
    }
    return av.open(file, options=options, metadata_errors="ignore")


@cache
def _self_contained_formats() -> str:
    known = sorted(av.formats_available - _REFERRING)
    return ",".join(name for name in known if ContainerFormat(name).is_input)


def picture_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the stream of moving pictures that players show, if any; a cover picture is none.

    That is the first one flagged as the default, or the first where none is.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    flagged = (stream for stream in streams if stream.disposition & Disposition.default)
    return next(flagged, streams[0] if streams else None)


def decoder_options(most_pixels: int) -> dict[str, str]:
    """Return what a decoder is opened with: it refuses larger pictures before it allocates them."""
    return {"max_pixels": str(most_pixels)}


def cause_of(error: Exception) -> str:
    """Word an FFmpeg error without its number and file name."""
    return getattr(error, "strerror", None) or str(error)
