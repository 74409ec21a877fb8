"""Blocks of decoded sound to samples, whatever their format and however often it changes.

The clients and the bridge reach this file through symbolic links: all sound is resampled alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

#: Samples a second: FLV's slowest codec has 5,512 and the fastest converters 768,000. At a declared
#: 1 Hz, 12,000 samples would become 192 million at 16 kHz.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000
#: As many as FFmpeg resamples.
MAX_CHANNELS = 64
#: Codecs make blocks of well under a second, FLAC of at most 66 s at the slowest rate.
MAX_BLOCK_SECONDS = 10


class SoundLimitError(ValueError):
    """A block of sound is outside of what is resampled; the message says what came."""


class Resampler:
    """Brings blocks of sound to one rate and type, and begins anew when their format changes.

    The samples are packed: PyAV reads beyond the planes of planar sound of 8 channels and more.
    """

    def __init__(self, sample_format: str, rate: int) -> None:
        """Prepare.

        Args:
            sample_format: One of FFmpeg's packed sample formats: "s16", "flt".
            rate: Samples a second.
        """
        self._sample_format = sample_format
        self._rate = rate
        self._source: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def resample(self, frame: av.AudioFrame) -> Iterator[np.ndarray]:
        """Yield what a block gives, arrays [n, channels]; some of it may come with the next one.

        Args:
            frame: The block; it loses its timestamp.

        Raises:
            SoundLimitError: Its rate, length or channels are out of bounds.
            av.FFmpegError: FFmpeg cannot resample it.
        """
        check_block(frame)
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._source:
            yield from self.flush()
            self._resampler = av.AudioResampler(self._sample_format, rate=self._rate)
            self._source = source
        frame.pts = None  # places are told by the caller, not by the stream
        for part in self._resampler.resample(frame):
            yield _samples(part)

    def flush(self) -> Iterator[np.ndarray]:
        """Yield what is held back."""
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                yield _samples(part)
        self._resampler = self._source = None


def check_block(frame: av.AudioFrame) -> None:
    """Refuse a block before any work is done on it.

    Raises:
        SoundLimitError: Its rate, length or channels are out of bounds.
    """
    check_rate(frame.sample_rate)
    if frame.layout.nb_channels > MAX_CHANNELS:
        raise SoundLimitError(
            f"the sound has {frame.layout.nb_channels} channels, at most {MAX_CHANNELS}"
        )
    if frame.samples > MAX_BLOCK_SECONDS * frame.sample_rate:
        raise SoundLimitError(
            f"a block of sound is {frame.samples / frame.sample_rate:.1f} s long, at most "
            f"{MAX_BLOCK_SECONDS} s"
        )


def check_rate(rate: int) -> None:
    """Refuse a sample rate that no sound has.

    Raises:
        SoundLimitError: It is out of bounds.
    """
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise SoundLimitError(
            f"the sound has {rate} samples a second, expected {MIN_SAMPLE_RATE} to "
            f"{MAX_SAMPLE_RATE}"
        )


def _samples(packed: av.AudioFrame) -> np.ndarray:
    return packed.to_ndarray().reshape(-1, packed.layout.nb_channels)
