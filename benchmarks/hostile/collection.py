"""All files that hostile requests are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.hostile import odd_films, odd_pictures, odd_sounds
from benchmarks.hostile.disguises import SUBRIP, disguises
from benchmarks.hostile.seeds import Medium, Seed, Source, make_seeds, read_source

#: Timestamps in milliseconds that no camera gives.
TIMESTAMPS = {
    "backwards": tuple(range(5_000, 0, -40)),
    "all alike": (7,),
    "leaping": (0, 0xFFFF_FFFF, 40, 3_600_000, 80),
    "around 2**31": (0x7FFF_FFF0, 0x8000_0010),
    "at the limit": (0, 59_999, 60_400, 60_600),
    "of a thousand a second": tuple(range(400)),
}
WIDTHS = (720, 2_048, 4_096, 6_553, 8_192, 16_384, 32_768)
CHANNELS = (2, 6, 8, 9, 16, 32, 63, 64, 65, 255)


@dataclass(frozen=True)
class Collection:
    """Files by what they are taken for.

    Attributes:
        good: Real media, to be spoilt.
        odd: Files that were made to do harm, as they are.
        disguises: Files that are no media; their `medium` says nothing.
    """

    good: dict[Medium, list[Seed]]
    odd: dict[Medium, list[Seed]]
    disguises: list[Seed]


def collect(clip: bytes) -> Collection:
    """Make every file out of the demo clip; it takes a few seconds."""
    source = read_source(clip)
    seeds = make_seeds(source)
    odd = [*_sounds(source, seeds), *_pictures(source, seeds), *_films(source, seeds)]
    media: tuple[Medium, ...] = ("film", "sound", "picture")
    return Collection(
        good={medium: [one for one in seeds if one.medium == medium] for medium in media},
        odd={medium: [one for one in odd if one.medium == medium] for medium in media},
        disguises=[Seed(name, "film", data) for name, data in disguises().items()],
    )


def _sounds(source: Source, seeds: list[Seed]) -> Iterator[Seed]:
    mp3 = _named(seeds, "mp3")
    few = source.samples[:4_000]
    bomb = odd_pictures.png_of_declared_size(30_000, 30_000)
    files = {f"wav of {n} channels": odd_sounds.wav_of_channels(few, n) for n in CHANNELS}
    files |= odd_sounds.bad_headers(odd_sounds.hum(1.0)) | {
        "7.1 m4a": odd_sounds.aac_of_eight_channels(source.samples),
        "7.1 adts": odd_sounds.aac_of_eight_channels(source.samples, "adts"),
        "wav of 70 s": odd_sounds.wav(odd_sounds.hum(70.0, 1_000), 1_000),
        "flac at 1 Hz without a length": odd_sounds.slow_flac(12_000),
        "flac at 1 Hz": odd_sounds.slow_flac(12_000, 1, "flac"),
        "flac at 2 Hz": odd_sounds.slow_flac(12_000, 2, "flac"),
        "flac at 2 Hz without a length": odd_sounds.slow_flac(400, 2),
        "mp3 with a bomb for a cover": odd_films.sound_with_cover(mp3, bomb),
        "mp3 with a GIF for a cover": odd_films.sound_with_cover(
            mp3, odd_pictures.gif_of_canvas(65_535, 65_535), "image/gif"
        ),
    }
    return (Seed(name, "sound", data) for name, data in files.items())


def _pictures(source: Source, seeds: list[Seed]) -> Iterator[Seed]:
    picture, jpeg = source.pictures[0], _named(seeds, "jpeg")
    files = {f"texture {w}x144": odd_pictures.textured_png(picture, w) for w in WIDTHS}
    files |= {
        f"jpeg of orientation {number}": odd_pictures.jpeg_with_orientation(jpeg, number)
        for number in (0, 6, 9, 0xFFFF)
    }
    files |= {
        "texture 144x6553": odd_pictures.textured_png(picture, 144, 6_553),
        "png of 16 bits, 3000x3000": odd_pictures.plain_png(3_000, 3_000, 16, 6),
        "png of 4096x2304": odd_pictures.plain_png(4_096, 2_304),
        "png of 1x65535": odd_pictures.plain_png(1, 65_535),
        "png of 2x32768": odd_pictures.plain_png(2, 32_768),
        "png of 1x1": odd_pictures.plain_png(1, 1),
        "png of 0x0": odd_pictures.png_of_declared_size(0, 0),
        "png of declared 30000x30000": odd_pictures.png_of_declared_size(30_000, 30_000),
        "png of declared 2**31": odd_pictures.png_of_declared_size(1 << 31, 1),
        "png with unpacking comments": odd_pictures.png_with_text_bomb(),
        "jpeg of 500 scans": odd_pictures.jpeg_of_scans(500),
        "jpeg of 20000 scans": odd_pictures.jpeg_of_scans(20_000),
        "jpeg of 2000 scans, 4096x2304": odd_pictures.jpeg_of_scans(2_000, 4_096, 2_304),
        "jpeg of declared 65500x65500": odd_pictures.jpeg_of_declared_size(65_500, 65_500),
        "webp of 4096x2304": odd_pictures.plain_webp(4_096, 2_304),
        "webp of 16384x16384": odd_pictures.plain_webp(16_384, 16_384),
        "bmp of declared 65000x65000": odd_pictures.bmp_of_declared_size(65_000, 65_000),
        "bmp of a negative height": odd_pictures.bmp_of_declared_size(100, -(1 << 31)),
        "gif of 65535x65535": odd_pictures.gif_of_canvas(65_535, 65_535),
    }
    return (Seed(name, "picture", data) for name, data in files.items())


def _films(source: Source, seeds: list[Seed]) -> Iterator[Seed]:
    mp4, flv, jpeg = (_named(seeds, name) for name in ("mp4/h264+aac", "flv/flv1+mp3", "jpeg"))
    files = {
        f"flv with timestamps {name}": odd_films.with_timestamps(flv, stamps)
        for name, stamps in TIMESTAMPS.items()
    }
    files |= {
        f"mp4 with a {name} matrix": odd_films.with_matrix(mp4, matrix)
        for name, matrix in odd_films.MATRICES.items()
    }
    texture = odd_pictures.textured_png(source.pictures[0], 2_048)
    files |= {
        "4096x2304 at 240 a second": odd_films.plain_film(4_096, 2_304, 240),
        "64x64 at 1000 a second": odd_films.plain_film(64, 64, 1_000),
        "64x64 for 65 s": odd_films.plain_film(64, 64, 10, 65),
        "16x4096": odd_films.plain_film(16, 4_096, 10),
        "4096x16": odd_films.plain_film(4_096, 16, 10),
        "7.1 sound": odd_films.film_with_eight_channels(source),
        "a hundred tracks": odd_films.film_of_many_tracks(source),
        "pictures of changing sizes": (jpeg + odd_pictures.jpeg_of_scans(1)) * 5,
        "a texture": texture,
        "png of 16 bits": odd_pictures.plain_png(3_000, 3_000, 16, 6),
        "jpeg of 2000 scans": odd_pictures.jpeg_of_scans(2_000),
        "webp of 16384x16384": odd_pictures.plain_webp(16_384, 16_384),
        "gif of 65535x65535": odd_pictures.gif_of_canvas(65_535, 65_535),
        "gif of 4096x2304": odd_pictures.gif_of_canvas(4_096, 2_304, 200),
        "subtitles alone in Matroska": odd_films.subtitles_alone(SUBRIP),
        "sound alone": odd_sounds.wav_of_channels(source.samples, 2),
    }
    return (Seed(name, "film", data) for name, data in files.items())


def _named(seeds: list[Seed], name: str) -> bytes:
    return next(seed.data for seed in seeds if seed.name == name)
