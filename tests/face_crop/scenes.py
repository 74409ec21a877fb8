"""Pictures and clips for the tests, made from a real face.

`astronaut.jpg` is cut from NASA's official portrait of Eileen Collins (1999), which is in the
public domain.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 240, 320


@cache
def portrait() -> np.ndarray:
    with Image.open(Path(__file__).with_name("astronaut.jpg")) as image:
        return np.asarray(image.convert("RGB"))


@cache
def wall(seed: int = 0) -> np.ndarray:
    """Make a sharp picture without a face."""
    noise = np.random.default_rng(seed).integers(80, 170, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 0.9)


def person(x: int = 60, y: int = 20, size: int = 200, covered: bool = False) -> np.ndarray:
    """Put the portrait, at most partly outside, before the wall."""
    return hang(wall(), x, y, size, covered)


def hang(background: np.ndarray, x: int, y: int, size: int, covered: bool = False) -> np.ndarray:
    picture = background.copy()
    face = cv2.resize(portrait(), (size, size), interpolation=cv2.INTER_AREA)
    if covered:
        face[int(0.2 * size) : int(0.75 * size), int(0.2 * size) : int(0.48 * size)] = (200, 30, 30)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + size, HEIGHT), min(x + size, WIDTH)
    picture[top:bottom, left:right] = face[top - y : bottom - y, left - x : right - x]
    return picture


def blurred(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), 4)


def jpeg(picture: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=95)
    return target.getvalue()


def encode(
    pictures: Sequence[np.ndarray],
    *,
    fps: int = 10,
    times: Sequence[float] | None = None,
    container: str = "matroska",
    codec: str = "mjpeg",
    rotation: int = 0,
    aspect: Fraction | None = None,
    seekable: bool = True,
) -> bytes:
    """Encode a video; `times` in seconds replace the constant rate, `aspect` makes pixels wide."""
    target = io.BytesIO()
    if not seekable:
        target.seekable = lambda: False
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 4_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round(1000 * (times[index] if times else index / fps))
            frame.time_base = Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue()


def encode_sound(seconds: float = 1.0) -> bytes:
    """Encode a sound file: a container without pictures."""
    target = io.BytesIO()
    with av.open(target, "w", format="wav") as output:
        stream = output.add_stream("pcm_s16le", rate=16_000, layout="mono")
        samples = np.zeros((1, int(seconds * 16_000)), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue()


def with_matrix(film: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """Have an MP4 say that the pixel at x, y is to be shown at a x + c y, b x + d y."""
    start = film.index(b"tkhd") + 44
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    return film[:start] + matrix + film[start + 36 :]
