"""Files from the field on which servers of this kind died, swelled or waited.

Each is made here, of the demo clip and of arithmetic. A file costs its own request only: it is
answered or refused, by a sentence that names the limit, in bounded time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from benchmarks.hostile.odd_films import film_with_eight_channels, plain_film
from benchmarks.hostile.odd_pictures import (
    gif_of_canvas,
    jpeg_of_scans,
    plain_png,
    plain_webp,
    png_of_declared_size,
    png_with_text_bomb,
    textured_png,
)
from benchmarks.hostile.odd_sounds import aac_of_eight_channels, slow_flac, wav_of_channels
from benchmarks.hostile.requests import SENTENCE, Request, Tensor, file, strings
from benchmarks.hostile.seeds import Source

#: Processor seconds for what a server must not even begin.
AT_ONCE = 1.5


@dataclass(frozen=True)
class Case:
    """A file beside a good sentence.

    Attributes:
        name: What it is.
        make: Makes the tensor that holds it.
        modality: Whose it is.
        seconds: What all of the server's processes together may work for the request. A busy
            machine does not change that, as it does how long the answer takes.
        says: What the modality's message must hold when it is refused, as a regular expression.
        is_good: Whether it must be answered: it is unusual, not bad.
    """

    name: str
    make: Callable[[Source], Tensor]
    modality: str
    seconds: float = AT_ONCE
    says: str = r"\d"
    is_good: bool = False

    def request(self, source: Source) -> Request:
        """Return the request that brings it."""
        tensors = (strings("TEXT", SENTENCE), self.make(source))
        return Request(self.name, tensors, speaks=True)


def _sound(name: str, make: Callable[[Source], bytes], **more: object) -> Case:
    return Case(name, lambda source: file("AUDIO", make(source)), "speech", **more)


def _film(name: str, make: Callable[[Source], bytes], **more: object) -> Case:
    return Case(name, lambda source: file("VIDEO", make(source)), "video", **more)


def _picture(name: str, make: Callable[[Source], bytes], **more: object) -> Case:
    return Case(name, lambda source: strings("FRAMES", make(source)), "video", **more)


CASES = (
    *(
        _sound(
            f"sound of {count} channels",
            lambda source, count=count: wav_of_channels(source.samples, count),
            is_good=True,
            seconds=5.0,
        )
        for count in (8, 9, 64)
    ),
    _sound("sound of 65 channels", lambda source: wav_of_channels(source.samples, 65), seconds=5.0),
    _sound("64 samples of 8 channels", lambda source: wav_of_channels(source.samples[:64], 8)),
    _sound(
        "7.1 AAC", lambda source: aac_of_eight_channels(source.samples), is_good=True, seconds=5.0
    ),
    _film("a film with 7.1 AAC", film_with_eight_channels, is_good=True, seconds=5.0),
    _sound("FLAC at 1 Hz without a length", lambda _: slow_flac(12_000), says="60 s|a second"),
    _sound("FLAC at 2 Hz", lambda _: slow_flac(12_000, 2, "flac"), says="60 s|a second"),
    *(
        _picture(f"a texture of {width}x144", lambda source, width=width: texture(source, width))
        for width in (700, 6_553, 32_768)
    ),
    _picture("a JPEG of 20000 scans", lambda _: jpeg_of_scans(20_000)),
    _picture("a JPEG of 2000 scans, 4096x2304", lambda _: jpeg_of_scans(2_000, 4_096, 2_304)),
    _picture("a PNG of 30000x30000", lambda _: png_of_declared_size(30_000, 30_000), says="pixels"),
    _picture("a PNG with unpacking comments", lambda _: png_with_text_bomb(), says=r"FRAMES\[0\]"),
    _picture("a PNG of 16 bits", lambda _: plain_png(3_000, 3_000, 16, 6), seconds=5.0, says="."),
    _picture("a WebP of 16384x16384", lambda _: plain_webp(16_384, 16_384), says="pixels|readable"),
    _film("a GIF of 65535x65535", lambda _: gif_of_canvas(65_535, 65_535), says="pixels"),
    _film("10 s of 4096x2304 at 240 a second", lambda _: large_film(), seconds=15.0),
    Case("70 MB of zeros", lambda _: file("VIDEO", bytes(70 << 20)), "video", 5.0, str(64 << 20)),
    Case("50000 empty frames", lambda _: strings("FRAMES", *[b""] * 50_000), "video", says="1800"),
)


def texture(source: Source, width: int) -> bytes:
    """Return a picture in which a face search finds candidates everywhere."""
    return textured_png(source.pictures[0], width)


@cache
def large_film() -> bytes:
    """Return a film of a megabyte that takes a core half a minute to decode."""
    return plain_film(4_096, 2_304, 240, seconds=10)
