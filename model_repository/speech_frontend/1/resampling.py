"""A container's sound to samples, whatever its format and however often that changes.

The clients and the bridge reach this file through symbolic links: all sound is resampled alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import numpy as np
from av.stream import Disposition

#: Samples a second: FLV's slowest codec has 5,512 and the fastest converters 768,000. At a declared
#: 1 Hz, 12,000 samples would become 192 million at 16 kHz.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000
#: As many as FFmpeg resamples.
MAX_CHANNELS = 64
#: As many are told apart; those from the last of them on are heard as their mean.
HEARD_CHANNELS = 8
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


def heard_track(container: av.container.InputContainer) -> av.AudioStream:
    """Return the sound track that players take: the first that is marked as default, or the first.

    Args:
        container: With at least one sound track.
    """
    tracks = container.streams.audio
    return next((one for one in tracks if one.disposition & Disposition.default), tracks[0])


def joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Join blocks of any numbers of channels.

    Who speaks may be in any of them, so they are kept apart. Mono sound is the same in all; what
    other sound lacks beside the blocks with the most channels is silence.

    Args:
        blocks: Arrays [n, channels] of one type.

    Returns:
        [S, channels], the most that a block has and at most `HEARD_CHANNELS`; [0, 1] float32
        without a block.
    """
    held = [_heard(block) for block in blocks]
    if not held:
        return np.zeros((0, 1), np.float32)
    channels = max(block.shape[1] for block in held)
    return np.concatenate([with_channels(block, channels) for block in held])


def with_channels(block: np.ndarray, channels: int) -> np.ndarray:
    """Bring a block [n, some] to as many channels or more, as `joined` does."""
    if block.shape[1] == 1:
        return np.repeat(block, channels, axis=1)
    return np.pad(block, ((0, 0), (0, channels - block.shape[1])))


def _heard(block: np.ndarray) -> np.ndarray:
    if block.shape[1] <= HEARD_CHANNELS:
        return block
    last = HEARD_CHANNELS - 1
    others = block[:, last:].mean(axis=1, keepdims=True).astype(block.dtype)
    return np.concatenate([block[:, :last], others], axis=1)


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
