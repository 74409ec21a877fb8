"""What the page shows of a stream: the face that was looked at, or the whole picture."""

from __future__ import annotations

import io

from PIL import Image

from rtmp_bridge.chunks import LONGER_SIDE
from rtmp_bridge.outcomes import Outcome

#: The side of the picture in pixels.
SIDE = 224


def latest_picture(outcome: Outcome) -> bytes | None:
    """Return a JPEG of the newest face in a result, or of its last frame where there is none.

    Args:
        outcome: A result.

    Returns:
        JPEG of at most 224x224 pixels; None when the chunk has none that can be shown.
    """
    frames = outcome.chunk.frames
    if not frames:
        return None
    video = (outcome.document or {}).get("modalities", {}).get("video", {})
    faces = video.get("faces", [])
    position = round(faces[-1]["time"] * outcome.chunk.fps) if faces else len(frames)
    picture = open_frame(frames[min(position, len(frames) - 1)])
    if picture is None:
        return None
    if faces:
        picture = picture.crop(square_around(faces[-1]["box"])).resize((SIDE, SIDE))
    else:
        picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def open_frame(data: bytes) -> Image.Image | None:
    """Open a frame, unless it is not what a sound reading process makes."""
    try:
        picture = Image.open(io.BytesIO(data), formats=["JPEG"])
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return picture if max(picture.size) <= LONGER_SIDE else None


def square_around(box: list[float]) -> tuple[int, int, int, int]:
    """Return the square of a box's longer side around its centre."""
    x1, y1, x2, y2 = box
    side = max(x2 - x1, y2 - y1)
    left, top = (x1 + x2 - side) / 2, (y1 + y2 - side) / 2
    return round(left), round(top), round(left + side), round(top + side)
