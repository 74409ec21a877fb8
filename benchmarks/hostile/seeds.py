"""Real media to spoil: a second of the demo clip in many containers and codecs.

Everything is small, so that thousands of requests go by quickly, and is made anew each time; what
FFmpeg's encoders here cannot write is left out.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Literal

import av
import numpy as np
from PIL import Image

#: QCIF, the one small size that every codec here takes.
WIDTH, HEIGHT = 176, 144
FPS = 10
PICTURES = 12
SAMPLE_RATE = 16_000

Medium = Literal["film", "sound", "picture"]


@dataclass(frozen=True)
class Seed:
    """An encoded file that is good.

    Attributes:
        name: Container and codecs, e.g. "mp4/h264+aac".
        medium: What it is.
        data: The file.
    """

    name: str
    medium: Medium
    data: bytes


@dataclass(frozen=True)
class Source:
    """What is encoded.

    Attributes:
        pictures: RGB, uint8 [144, 176, 3] each, 10 a second.
        samples: Sound of the same length, float32 [n], 16 kHz.
    """

    pictures: Sequence[np.ndarray]
    samples: np.ndarray


@dataclass(frozen=True)
class Sound:
    """How sound is encoded: FFmpeg's name of the codec, its rate, and the channels."""

    codec: str
    rate: int = SAMPLE_RATE
    layout: str = "mono"
    options: dict[str, str] | None = None


@dataclass(frozen=True)
class Pictures:
    """How moving pictures are encoded: FFmpeg's name of the codec, and how pixels are stored."""

    codec: str
    pixels: str = "yuv420p"
    rate: int = FPS
    options: dict[str, str] | None = None


#: Muxers number their streams at random otherwise.
_ALWAYS_ALIKE = {"fflags": "bitexact"}
_WMA = Sound("wmav2", 22_050, options={"b": "32000"})
_FAST = {"preset": "ultrafast"}
_QUICK = {"cpu-used": "8"}

#: Name to the container, its pictures, its sound, and the muxer's options.
FILMS: dict[str, tuple] = {
    "mp4/h264+aac": ("mp4", Pictures("libx264", options=_FAST), Sound("aac")),
    "mp4/hevc": ("mp4", Pictures("libx265", options={"x265-params": "log-level=none"})),
    "mp4/av1": ("mp4", Pictures("libsvtav1", options={"preset": "12"})),
    "fragmented mp4/h264": (
        "mp4",
        Pictures("libx264", options=_FAST | {"g": "4"}),
        Sound("aac"),
        {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    ),
    "mov/mjpeg+pcm": ("mov", Pictures("mjpeg", "yuvj420p"), Sound("pcm_s16le")),
    "3gp/h263+amr": ("3gp", Pictures("h263"), Sound("libopencore_amrnb", 8_000)),
    "mkv/vp9+flac": ("matroska", Pictures("libvpx-vp9", options=_QUICK), Sound("flac")),
    "webm/vp8+opus": ("webm", Pictures("libvpx", options=_QUICK), Sound("libopus")),
    "avi/mpeg4+mp3": ("avi", Pictures("mpeg4"), Sound("libmp3lame")),
    "flv/flv1+mp3": ("flv", Pictures("flv"), Sound("libmp3lame", 22_050)),
    "flv/h264+aac": ("flv", Pictures("libx264", options=_FAST), Sound("aac")),
    "mpegts/mpeg2+mp2": ("mpegts", Pictures("mpeg2video", rate=25), Sound("mp2")),
    "asf/wmv2+wma": ("asf", Pictures("wmv2"), _WMA),
    "ogg/vp8+opus": ("ogg", Pictures("libvpx", options=_QUICK), Sound("libopus")),
    "nut/ffv1+pcm": ("nut", Pictures("ffv1"), Sound("pcm_s16le")),
    "gif": ("gif", Pictures("gif", "rgb8")),
    "apng": ("apng", Pictures("apng", "gray")),
}

SOUNDS: dict[str, tuple[str, Sound]] = {
    "wav/pcm": ("wav", Sound("pcm_s16le")),
    "wav/float": ("wav", Sound("pcm_f32le")),
    "wav/adpcm": ("wav", Sound("adpcm_ms")),
    "flac": ("flac", Sound("flac")),
    "mp3": ("mp3", Sound("libmp3lame")),
    "adts/aac": ("adts", Sound("aac")),
    "m4a/aac": ("ipod", Sound("aac", 44_100, "stereo")),
    "m4a/alac": ("ipod", Sound("alac")),
    "ogg/opus": ("ogg", Sound("libopus")),
    "ogg/vorbis": ("ogg", Sound("vorbis", 44_100, "stereo", {"strict": "-2"})),
    "ac3": ("ac3", Sound("ac3", 32_000)),
    "wma": ("asf", _WMA),
    "amr": ("amr", Sound("libopencore_amrnb", 8_000)),
    "aiff/pcm": ("aiff", Sound("pcm_s16be")),
    "caf/alac": ("caf", Sound("alac")),
    "wavpack": ("wv", Sound("wavpack")),
    "mka/flac": ("matroska", Sound("flac")),
}

#: Name to the format, the mode of the pixels, and how Pillow writes it.
IMAGES: dict[str, tuple[str, str, dict]] = {
    "jpeg": ("JPEG", "RGB", {"quality": 85}),
    "progressive jpeg": ("JPEG", "RGB", {"quality": 85, "progressive": True}),
    "grey jpeg": ("JPEG", "L", {}),
    "CMYK jpeg": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "16 bit png": ("PNG", "I;16", {}),
    "palette png": ("PNG", "P", {}),
    "webp": ("WEBP", "RGB", {"quality": 70}),
    "lossless webp": ("WEBP", "RGBA", {"lossless": True}),
    "bmp": ("BMP", "RGB", {}),
    "tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
}


def read_source(clip: bytes, start: float = 1.0) -> Source:
    """Take 1.2 s out of a film with sound, its pictures cut to QCIF.

    Args:
        clip: The encoded film.
        start: Where to begin, in seconds.
    """
    with av.open(io.BytesIO(clip)) as container:
        step = round(container.streams.video[0].average_rate / FPS)
        first = round(start * FPS) * step
        decoded = itertools.islice(container.decode(video=0), first, None, step)
        pictures = [_small(frame) for frame in itertools.islice(decoded, PICTURES)]
    with av.open(io.BytesIO(clip)) as container:
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        parts = [
            part.to_ndarray().ravel()
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        ]
    begin = round(start * SAMPLE_RATE)
    return Source(pictures, np.concatenate(parts)[begin : begin + PICTURES * SAMPLE_RATE // FPS])


def make_seeds(source: Source) -> list[Seed]:
    """Encode a source in every way that this FFmpeg and Pillow can write."""
    picture, samples = source.pictures[0], source.samples
    writers = [
        *((name, "film", partial(write_film, source, *how)) for name, how in FILMS.items()),
        *((name, "sound", partial(write_sound, samples, *how)) for name, how in SOUNDS.items()),
        *((name, "picture", partial(write_image, picture, *how)) for name, how in IMAGES.items()),
        ("animated webp", "film", partial(write_animation, source.pictures)),
    ]
    os.environ.setdefault("SVT_LOG", "0")  # the AV1 encoder tells its settings otherwise
    seeds = []
    with _scheduled_as_before():
        for name, medium, write in writers:
            try:
                seeds.append(Seed(name, medium, write()))
            except (av.FFmpegError, ValueError):  # an encoder or a muxer that this build lacks
                continue
    return seeds


@contextmanager
def _scheduled_as_before() -> Iterator[None]:
    """Give the thread back its scheduling.

    SVT-AV1, run by root, makes the thread that opens it a real-time one of the highest priority.
    All that this process starts later would inherit that, and stop the machine where it spins.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_film(
    source: Source,
    container: str,
    pictures: Pictures,
    sound: Sound | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """Encode pictures and sound into one file.

    Raises:
        av.FFmpegError, ValueError: This FFmpeg cannot write it.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=container, options=_ALWAYS_ALIKE | (options or {})) as output:
        video = output.add_stream(pictures.codec, rate=pictures.rate, options=pictures.options)
        video.width, video.height = source.pictures[0].shape[1::-1]
        video.pix_fmt = pictures.pixels
        audio = sound and _sound_stream(output, sound)
        for number in range(len(source.pictures) * pictures.rate // FPS):
            picture = source.pictures[number * FPS // pictures.rate]
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))
        if audio:
            _encode_sound(output, audio, sound, source.samples)
    return target.getvalue()


def write_sound(samples: np.ndarray, container: str, sound: Sound) -> bytes:
    """Encode samples float32 [n] of 16 kHz into one file.

    Raises:
        av.FFmpegError, ValueError: This FFmpeg cannot write it.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=container, options=_ALWAYS_ALIKE) as output:
        stream = _sound_stream(output, sound)
        _encode_sound(output, stream, sound, samples)
    return target.getvalue()


def write_image(picture: np.ndarray, form: str, mode: str, options: dict | None = None) -> bytes:
    """Write a picture, RGB [h, w, 3], by Pillow."""
    image = Image.fromarray(picture)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    target = io.BytesIO()
    (image if image.mode == mode else image.convert(mode)).save(target, form, **(options or {}))
    return target.getvalue()


def write_animation(pictures: Sequence[np.ndarray]) -> bytes:
    """Write pictures as an animated WebP."""
    first, *others = [Image.fromarray(picture) for picture in pictures]
    target = io.BytesIO()
    first.save(target, "WEBP", save_all=True, append_images=others, duration=1000 // FPS)
    return target.getvalue()


def _small(frame: av.VideoFrame) -> np.ndarray:
    margin = (frame.width - frame.height * WIDTH // HEIGHT) // 2
    whole = frame.to_image().crop((margin, 0, frame.width - margin, frame.height))
    return np.asarray(whole.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def _sound_stream(output: av.container.OutputContainer, sound: Sound) -> av.AudioStream:
    return output.add_stream(
        sound.codec, rate=sound.rate, layout=sound.layout, options=sound.options
    )


def _encode_sound(
    output: av.container.OutputContainer,
    stream: av.AudioStream,
    sound: Sound,
    samples: np.ndarray,
) -> None:
    for frame in _sound_frames(stream, sound, samples):
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _sound_frames(
    stream: av.AudioStream, sound: Sound, samples: np.ndarray
) -> Iterator[av.AudioFrame]:
    """Yield the samples in the encoder's own format, rate, channels and size of frames."""
    codec = stream.codec_context
    codec.open(strict=False)
    resampler = av.AudioResampler(codec.format, sound.layout, sound.rate, codec.frame_size or 1024)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "flt", "mono")
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
    for one in (frame, None):
        yield from resampler.resample(one)
