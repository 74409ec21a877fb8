"""How a container of unknown origin is opened: the one place for what FFmpeg must not do."""

from __future__ import annotations

from typing import BinaryIO

import av

#: It names no protocol that exists: a playlist may not open files or addresses.
_NO_PROTOCOL = {"protocol_whitelist": "none"}


def open_container(file: BinaryIO, most_pixels: int) -> av.container.InputContainer:
    """Open an encoded file.

    Args:
        file: Open for reading in binary, with `seek`.
        most_pixels: Width times height of what may be decoded; FFmpeg decodes some pictures while
            it probes.

    Raises:
        av.FFmpegError, ValueError: It is none that FFmpeg can read.
    """
    options = _NO_PROTOCOL | decoder_options(most_pixels)
    return av.open(file, options=options, metadata_errors="ignore")


def decoder_options(most_pixels: int) -> dict[str, str]:
    """Return what a decoder is opened with: it refuses larger pictures before it allocates them."""
    return {"max_pixels": str(most_pixels)}


def cause_of(error: Exception) -> str:
    """Word an FFmpeg error without its number and file name."""
    return getattr(error, "strerror", None) or str(error)
