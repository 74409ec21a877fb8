"""How a container of unknown origin is opened: the one place for what FFmpeg must not do."""

from __future__ import annotations

from typing import BinaryIO

import av
from contract import LIMITS

#: Decoders refuse larger pictures themselves, before they allocate them.
DECODER_OPTIONS = {"max_pixels": str(LIMITS.pixels)}
#: The whitelist names no protocol that exists: a playlist may not open files or addresses. The
#: decoders' options are here too because FFmpeg decodes some pictures while it probes.
_CONTAINER_OPTIONS = {"protocol_whitelist": "none", **DECODER_OPTIONS}


def open_container(file: BinaryIO) -> av.container.InputContainer:
    """Open an encoded file.

    Args:
        file: Open for reading in binary, with `seek`.

    Raises:
        av.FFmpegError, ValueError: It is none that FFmpeg can read.
    """
    return av.open(file, options=_CONTAINER_OPTIONS, metadata_errors="ignore")


def cause_of(error: Exception) -> str:
    """Word an FFmpeg error without its number and file name."""
    return getattr(error, "strerror", None) or str(error)
