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
#: What turns and mirrors, see `display_matrix`.
_Matrix = tuple[int, int, int, int]
#: The matrices of a quarter turn each, counter-clockwise, as `display_matrix` gives them.
_QUARTER_TURNS = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))


class FrameConverter:
    """Converts a film's frames; what the conversion needs is set up once."""

    def __init__(self, aspect: Fraction | None) -> None:
        """Begin a film.

        Args:
            aspect: The width of its pixels in heights, `av.VideoStream.sample_aspect_ratio`; None
                where nothing says so.
        """
        believed = aspect is not None and 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT
        self._aspect = aspect if believed else 1
        self._scaler = VideoReformatter()
        self._matrices: dict[int, _Matrix] = {}

    def size_of(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return a frame's width and height in square pixels, before it is turned upright.

        The height is that of the frame, as players do it.
        """
        return max(1, round(frame.width * self._aspect)), frame.height

    def upright(
        self, frame: av.VideoFrame, divisor: float = 1, layout: str = "rgb24"
    ) -> NDArray[np.uint8]:
        """Convert a frame to an upright picture of square pixels [height, width, 3].

        Args:
            frame: As it was decoded.
            divisor: By how much the sides are shrunk.
            layout: The order of the colours: FFmpeg's name of a format of three bytes a pixel.

        Raises:
            av.FFmpegError, ValueError: The frame is no picture.
        """
        width, height = (max(1, round(side / divisor)) for side in self.size_of(frame))
        is_smaller = width * height < frame.width * frame.height
        pixels = self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=layout,
            interpolation="AREA" if is_smaller else "BILINEAR",
            threads=1,  # instances and streams are the parallelism
        ).to_ndarray()
        return turned_upright(pixels, self._matrix_of(frame))

    def _matrix_of(self, frame: av.VideoFrame) -> _Matrix:
        """Return a frame's display matrix, which is read once for each angle.

        A frame whose side data was looked at is freed by the garbage collector alone, so a tiny
        copy is looked at.
        """
        angle = frame.rotation
        if angle not in self._matrices:
            tiny = frame.reformat(8, 8, format="rgb24", interpolation="POINT", threads=1)
            self._matrices[angle] = display_matrix(tiny)
        return self._matrices[angle]


def display_matrix(frame: av.VideoFrame) -> _Matrix:
    """Return the part `a, b, c, d` of a frame's display matrix that turns and mirrors.

    The pixel at x, y is shown at a x + c y, b x + d y. A frame without a matrix, or with one that
    would show nothing (some programs write zeros), is shown as it is.
    """
    try:
        side_data = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # something beside it that PyAV does not know; it still tells the angle
        return _QUARTER_TURNS[round(frame.rotation / 90) % 4]
    if side_data is None or len(data := bytes(side_data)) < 36:
        return _QUARTER_TURNS[0]
    a, b, _, c, d = struct.unpack_from("=5i", data)
    return (a, b, c, d) if a * d - b * c else _QUARTER_TURNS[0]


def turned_upright(pixels: NDArray, matrix: _Matrix) -> NDArray:
    """Show pixels [height, width, ...] as a display matrix says, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels = pixels.swapaxes(0, 1)
        across, down = c, b
    else:
        across, down = a, d
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])
