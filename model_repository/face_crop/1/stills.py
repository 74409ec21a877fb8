"""Encoded still pictures in, upright RGB out: for the server and its clients."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pi_heif import register_heif_opener
from PIL import AvifImagePlugin, Image

#: Pillow's names of what is read; HEIF is what telephones call HEIC. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "BMP", "GIF", "TIFF")
#: Animations that Pillow reads and FFmpeg does not, or not whole; it reads those of other formats.
_ANIMATIONS = frozenset({"WEBP", "AVIF"})
#: Formats whose further pictures are another film, not other views or pages.
_FFMPEG_ANIMATIONS = frozenset({"GIF", "PNG"})
#: Where a JPEG ends and the next one begins, in a film that is nothing but JPEGs.
_NEXT_JPEG = b"\xff\xd9\xff\xd8\xff"
_ORIENTATION_TAG = 0x0112
#: What brings a picture of each EXIF orientation upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: What a picture that cannot be read, or is damaged, raises: its decoders were written by many.
STILL_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    AssertionError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)


def open_still(data: bytes) -> Image.Image:
    """Read a picture's header; its pixels are not decoded yet.

    Args:
        data: A file of one of `FORMATS`.

    Raises:
        Any of `STILL_ERRORS`: It is none.
        Image.DecompressionBombError: It has more pixels than Pillow would decode.
    """
    _prepare_decoders()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the caller counts them
        return Image.open(io.BytesIO(data), formats=FORMATS)


def open_picture_film(data: bytes) -> Image.Image | None:
    """Open a film that Pillow is to read: a picture, or an animation that FFmpeg does not read.

    Returns:
        As `open_still` does, or None for all other films.
    """
    try:
        image = open_still(data)
    except (*STILL_ERRORS, Image.DecompressionBombError):
        return None
    is_animated = getattr(image, "is_animated", False)
    if (image.format in _FFMPEG_ANIMATIONS and is_animated) or (
        image.format == "JPEG" and _NEXT_JPEG in data
    ):
        image.close()
        return None
    return image


def is_animation(image: Image.Image) -> bool:
    """Tell whether a picture is followed by more of the same film."""
    return image.format in _ANIMATIONS and image.is_animated


def animation(image: Image.Image, divisor: int = 1) -> Iterator[tuple[Fraction, NDArray[np.uint8]]]:
    """Decode an animation's pictures, see `upright_still`.

    Yields:
        Each picture's time in seconds, and its pixels.
    """
    for index in range(image.n_frames):
        image.seek(index)
        pixels = upright_still(image, divisor)
        yield Fraction(image.info.get("timestamp", 0), 1000), pixels


def upright_still(image: Image.Image, divisor: int = 1) -> NDArray[np.uint8]:
    """Decode a picture to upright RGB [height, width, 3].

    Args:
        image: As `open_still` gave it; of an animation, the picture that it stands at.
        divisor: By how much its sides are shrunk. A JPEG is decoded at that size if it is 1, 2, 4
            or 8; others are decoded whole.

    Raises:
        Any of `STILL_ERRORS`: It is damaged.
        MemoryError: It does not fit.
    """
    width = image.width
    if divisor > 1:
        image.draft(None, (image.width // divisor, image.height // divisor))
    drafted = round(width / image.width)
    image.load()
    turn = _TURNS.get(_orientation(image))
    image = _as_rgb(image)
    if divisor > drafted:
        image = image.reduce(divisor // drafted)
    if turn is not None:
        image = image.transpose(turn)
    return np.asarray(image)


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; the decoders of HEIF and TIFF turn pictures and reset it."""
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except STILL_ERRORS:
        return 1  # a damaged note is no reason to refuse the picture that it lies beside


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _as_eight_bits(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _as_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deep grey values to 0..255, which Pillow would cut off at 255.

    Those of 16 bits are scaled by 1/256; others have no range of their own, so theirs is stretched.
    """
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values >> 8).astype(np.uint8))
    low, high = float(values.min()), float(values.max())
    stretched = (values - low) * (255 / max(high - low, 1e-9))
    return Image.fromarray(np.nan_to_num(stretched).astype(np.uint8))


@cache
def _prepare_decoders() -> None:
    """Have HEIF read, and no decoder start threads of its own: instances are the parallelism."""
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
