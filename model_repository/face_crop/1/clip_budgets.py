"""What a clip may bring: checked before the work that it bounds, each in a sentence of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from contract import LIMITS, MediaError, VideoStatus

#: The rate of FRAMES that come without FPS.
DEFAULT_FPS = 10.0
#: A picture of more is worked on at a half or a quarter of its size. The smallest face that is
#: looked for, a twelfth of the shorter side, then still has 90 pixels in one of 4:3.
WORKING_PIXELS = 6 << 20


def refusal(message: str) -> MediaError:
    """Make the error of media that cannot be used."""
    return MediaError(VideoStatus.UNKNOWN, message)


def check_video_bytes(size: int) -> None:
    """Refuse a container of no or of too many bytes."""
    if not size:
        raise refusal("VIDEO is empty")
    if size > LIMITS.video_bytes:
        raise refusal(f"VIDEO has {size} bytes, at most {LIMITS.video_bytes}")


def check_duration(name: str, seconds: float | Fraction) -> None:
    """Refuse media that is too long."""
    if seconds > LIMITS.seconds + LIMITS.seconds_tolerance:
        raise refusal(f"{name} is {float(seconds):.1f} s long, at most {LIMITS.seconds:g} s")


def check_picture(name: str, width: int, height: int, bytes_a_pixel: float) -> None:
    """Refuse pictures that are too large, too deep, or too long and narrow.

    Args:
        name: What the error calls them.
        width: In pixels; 0 where it is not known yet.
        height: Likewise.
        bytes_a_pixel: As decoded; 0 where it is not known yet.
    """
    if width * height > LIMITS.pixels:
        raise refusal(
            f"{name} has {width}x{height} = {width * height} pixels a frame, "
            f"at most {LIMITS.pixels}"
        )
    if width * height * bytes_a_pixel > LIMITS.picture_bytes:
        raise refusal(
            f"{name} has {width}x{height} pixels of {bytes_a_pixel:g} bytes a frame, "
            f"at most {LIMITS.picture_bytes} bytes"
        )
    if max(width, height) > LIMITS.aspect * min(width, height):
        raise refusal(
            f"{name} has {width}x{height} pixels a frame, expected a longer side of at most "
            f"{LIMITS.aspect:g} shorter ones"
        )


def working_divisor(width: int, height: int) -> int:
    """Return by how much a picture's sides are divided so that it has `WORKING_PIXELS` at most."""
    divisor = 1
    while width * height > WORKING_PIXELS * divisor**2:
        divisor *= 2
    return divisor


def check_scans(name: str, jpeg: bytes, pixels: int) -> None:
    """Refuse a JPEG that goes over its picture again and again; each time costs as much.

    Args:
        name: What the error calls it.
        jpeg: The file.
        pixels: Of the picture.
    """
    # A scan's own bytes hold no such pair; a thumbnail's scans are counted along.
    scans = jpeg.count(b"\xff\xda")
    most = min(LIMITS.scans, LIMITS.scanned_pixels // pixels)
    if scans > most:
        raise refusal(f"{name} has {scans} scans of {pixels} pixels, at most {most}")


def check_frame_count_and_rate(count: int, fps: float) -> None:
    """Refuse no images, too many, an impossible rate, or a clip that is too long."""
    if not count:
        raise refusal("FRAMES is empty")
    if count > LIMITS.frames:
        raise refusal(f"FRAMES has {count} images, at most {LIMITS.frames}")
    if not (math.isfinite(fps) and 0 < fps <= LIMITS.max_fps):
        raise refusal(f"FPS is {fps:g}, expected more than 0 and at most {LIMITS.max_fps:g}")
    check_duration(f"FRAMES at {fps:g} a second", count / fps)


def check_frame_bytes(sizes: Sequence[int]) -> None:
    """Refuse images that are too many bytes, each or together."""
    for index, size in enumerate(sizes):
        if size > LIMITS.frame_bytes:
            raise refusal(f"FRAMES[{index}] has {size} bytes, at most {LIMITS.frame_bytes}")
    if sum(sizes) > LIMITS.video_bytes:
        raise refusal(f"FRAMES has {sum(sizes)} bytes in all, at most {LIMITS.video_bytes}")
