"""How a film's frames become upright pictures of square pixels: for the server and its clients."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

#: A pixel wider or narrower than this is a mistake of the file, and says nothing.
_MOST_ASPECT = 8
#: The matrices of a quarter turn each, counter-clockwise, as `display_matrix` gives them.
_QUARTER_TURNS = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Return the width and height of a picture whose pixels were made square.

    Args:
        width: Of the picture as it is stored.
        height: Likewise; it stays, as players do it.
        aspect: The width of a pixel in heights; None where nothing says so.
    """
    if not aspect or not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
        return width, height
    return max(1, round(width * aspect)), height


def upright_pixels(
    frame: av.VideoFrame,
    aspect: Fraction | None,
    scaler: VideoReformatter,
    divisor: float = 1,
    layout: str = "rgb24",
) -> NDArray[np.uint8]:
    """Convert a frame to an upright picture of square pixels [height, width, 3].

    Args:
        frame: As it was decoded.
        aspect: The width of its pixels in heights, `av.VideoStream.sample_aspect_ratio`.
        scaler: Keeps what it set up for frames of one size.
        divisor: By how much the sides are shrunk.
        layout: The order of the colours, a name of FFmpeg's for three bytes a pixel.

    Raises:
        av.FFmpegError, ValueError: The frame is no picture.
    """
    sides = square_size(frame.width, frame.height, aspect)
    width, height = (max(1, round(side / divisor)) for side in sides)
    is_smaller = width * height < frame.width * frame.height
    pixels = scaler.reformat(
        frame,
        width=width,
        height=height,
        format=layout,
        interpolation="AREA" if is_smaller else "BILINEAR",
        threads=1,  # instances and streams are the parallelism
    ).to_ndarray()
    return turned_upright(pixels, display_matrix(frame))


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Return the part `a, b, c, d` of a frame's display matrix that turns and mirrors.

    The pixel at x, y is shown at a x + c y, b x + d y. A frame without a matrix, or with one that
    would show nothing (some programs write zeros), is shown as it is.
    """
    try:
        side_data = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # of a kind that PyAV does not know; it still tells the angle
        return _QUARTER_TURNS[round(frame.rotation / 90) % 4]
    if side_data is None or len(data := bytes(side_data)) < 36:
        return _QUARTER_TURNS[0]
    a, b, _, c, d = struct.unpack_from("=5i", data)
    return (a, b, c, d) if a * d - b * c else _QUARTER_TURNS[0]


def turned_upright(pixels: NDArray, matrix: tuple[int, int, int, int]) -> NDArray:
    """Show pixels [height, width, ...] as a display matrix says, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels = pixels.swapaxes(0, 1)
        across, down = c, b
    else:
        across, down = a, d
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])
