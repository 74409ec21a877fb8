"""What is done to single pictures: shrinking, cutting out squares."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: A picture: RGB [height, width, 3].
Picture = NDArray[np.uint8]


def shrink(picture: Picture, longer_side: int) -> Picture:
    """Shrink a picture by area to a longer side in pixels; return smaller ones as they are."""
    height, width = picture.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def halvings(picture: Picture, smallest: int) -> list[Picture]:
    """List a picture at its full size, a half, a quarter, ... with sides of at least `smallest`."""
    sizes = [picture]
    while min(sizes[-1].shape[:2]) >= 2 * smallest:
        height, width = sizes[-1].shape[:2]
        size = (width // 2, height // 2)
        sizes.append(cv2.resize(sizes[-1], size, interpolation=cv2.INTER_AREA))
    return sizes


def cut_square(
    picture: Picture,
    corner: tuple[float, float],
    length: float,
    side: int,
    border: int,
    shrinking: int = cv2.INTER_AREA,
) -> Picture:
    """Cut a square out of a picture and resize it.

    Args:
        picture: The picture.
        corner: The left and the upper edge in pixels; may lie outside the picture.
        length: The length of an edge in pixels. All three are rounded to whole pixels.
        side: The side of the result in pixels.
        border: What fills the part outside the picture: an OpenCV border type.
        shrinking: How a larger square is shrunk: an OpenCV interpolation.

    Returns:
        [side, side, 3]; a smaller square is enlarged bilinearly.
    """
    height, width = picture.shape[:2]
    x1, y1, edge = round(corner[0]), round(corner[1]), max(1, round(length))
    x2, y2 = x1 + edge, y1 + edge
    left, top, right, bottom = (max(0, n) for n in (-x1, -y1, x2 - width, y2 - height))
    if max(left, top, right, bottom) >= edge:
        return np.zeros((side, side, 3), np.uint8)
    patch = picture[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    if left or top or right or bottom:
        patch = cv2.copyMakeBorder(patch, top, bottom, left, right, border)
    method = shrinking if edge > side else cv2.INTER_LINEAR
    return cv2.resize(patch, (side, side), interpolation=method)
