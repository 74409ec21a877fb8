"""Sound files that say something no recording says."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

#: FFmpeg's names of what is encoded with eight channels.
LAYOUT_71 = "7.1"
#: Samples that FLAC encodes, and a decoder gives, as one: hours at a sample a second.
_FLAC_BLOCK = 16_384


def wav(
    samples: np.ndarray,
    rate: int = 16_000,
    bits: int | None = None,
    code: int = 1,
    declared_bytes: int | None = None,
    declared_channels: int | None = None,
) -> bytes:
    """Write a WAV file by hand, so that its header may say anything.

    Args:
        samples: int16 [n, channels].
        rate: Samples a second, 0..2**32-1.
        bits: What the header says that a sample has; 16 if None.
        code: The format's number, 1 for PCM.
        declared_bytes: What the header says that the samples take; the truth if None.
        declared_channels: What the header says; the truth if None.
    """
    body = np.ascontiguousarray(samples, "<i2").tobytes()
    channels = samples.shape[1] if declared_channels is None else declared_channels
    bits = 16 if bits is None else bits
    align = channels * bits // 8 & 0xFFFF
    size = len(body) if declared_bytes is None else declared_bytes
    form = struct.pack(
        "<HHIIHH", code, channels & 0xFFFF, rate, rate * align & 0xFFFF_FFFF, align, bits
    )
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + len(body)) + b"WAVE" + chunks + body


def hum(seconds: float, rate: int = 16_000, channels: int = 1, hertz: float = 220.0) -> np.ndarray:
    """Return a tone with overtones, int16 [n, channels], the same in every channel."""
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 6))
    return np.repeat((tone * 6_000).astype(np.int16)[:, None], channels, axis=1)


def wav_of_channels(samples: np.ndarray, channels: int, rate: int = 16_000) -> bytes:
    """Write mono samples float32 [n] as a WAV file of so many equal channels."""
    mono = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)
    return wav(np.repeat(mono[:, None], channels, axis=1), rate)


def aac_of_eight_channels(samples: np.ndarray, container: str = "ipod") -> bytes:
    """Encode mono samples float32 [n], 16 kHz, as ordinary 7.1 AAC.

    Args:
        samples: What every channel holds.
        container: FFmpeg's name of a muxer, e.g. "ipod" (.m4a) or "adts".
    """
    rate = 48_000
    target = io.BytesIO()
    with av.open(target, "w", format=container, options={"fflags": "bitexact"}) as output:
        stream = output.add_stream("aac", rate=rate, layout=LAYOUT_71)
        for frame in frames_of_eight_channels(samples, rate):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue()


def frames_of_eight_channels(samples: np.ndarray, rate: int) -> Iterator[av.AudioFrame]:
    """Yield planar 7.1 frames of 1024 samples, at a rate that 16 kHz is repeated to."""
    mono = np.repeat(samples, rate // 16_000).astype(np.float32)
    # PyAV counts a plane too many of eight, so it is given packed samples.
    packed = np.ascontiguousarray(np.repeat(mono, 8)[None])
    frame = av.AudioFrame.from_ndarray(packed, "flt", LAYOUT_71)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    resampler = av.AudioResampler("fltp", LAYOUT_71, rate, 1024)
    for one in (frame, None):
        yield from resampler.resample(one)


def slow_flac(samples: int, rate: int = 1, container: str = "matroska", seed: int = 0) -> bytes:
    """Encode noise as FLAC of a sample or two a second: hours of sound in kilobytes.

    Args:
        samples: How many.
        rate: Samples a second.
        container: "matroska", which then does not say how long it is, or "flac", which does.
        seed: Of the noise.
    """
    target = io.BytesIO()
    options = {"fflags": "bitexact"} | ({"live": "1"} if container == "matroska" else {})
    noise = np.random.default_rng(seed).integers(-20_000, 20_000, samples).astype(np.int16)
    with av.open(target, "w", format=container, options=options) as output:
        block = {"frame_size": str(_FLAC_BLOCK)}
        stream = output.add_stream("flac", rate=rate, layout="mono", options=block)
        for start in range(0, samples, _FLAC_BLOCK):
            part = np.ascontiguousarray(noise[None, start : start + _FLAC_BLOCK])
            frame = av.AudioFrame.from_ndarray(part, "s16", "mono")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue()


def bad_headers(samples: np.ndarray) -> dict[str, bytes]:
    """Return WAV files whose headers say the impossible, by what they say; samples int16 [n, 1]."""
    ones = np.full((8_000, 1), -1, np.int16)  # as floats they are no numbers
    return {
        "wav at 0 Hz": wav(samples, rate=0),
        "wav at 1 Hz": wav(samples[:4_000], rate=1),
        "wav at 4 GHz": wav(samples, rate=0xFFFF_FFFF),
        "wav of no channel": wav(samples, declared_channels=0),
        "wav of 65535 channels": wav(samples, declared_channels=0xFFFF),
        "wav of 0 bits": wav(samples, bits=0),
        "wav of 1 bit": wav(samples, bits=1),
        "wav of 33 bits": wav(samples, bits=33),
        "wav of 64 bits": wav(samples, bits=64),
        "wav of 65535 bits": wav(samples, bits=0xFFFF),
        "wav of 4 GB": wav(samples, declared_bytes=0xFFFF_FFFF),
        "wav of no bytes": wav(samples, declared_bytes=0),
        "wav of an unknown code": wav(samples, code=0x7777),
        "wav of floats that are not finite": wav(ones, bits=32, code=3),
    }
