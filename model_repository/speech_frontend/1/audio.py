"""Encoded sound to 16 kHz mono samples: the one decoding path of training and serving."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

import av
import numpy as np
from bounded_worker import Leash, no_leash
from containers import cause_of, open_container
from contract import LIMITS, MediaError, SpeechStatus
from resampling import Resampler, check_block
from sound_budgets import check_length, check_sound_bytes

SAMPLE_RATE = 16_000
#: Shorter recordings hold no syllable.
MIN_SECONDS = 0.25
#: Root mean square, full scale being 1, below which there is nothing to hear (-80 dB).
SILENCE_RMS = 1e-4

#: Files of floats may be somewhat over full scale, and lossy codecs overshoot.
LOUDEST = 100.0


def decode_audio(data: bytes, name: str = "AUDIO", leash: Leash = no_leash) -> np.ndarray:
    """Decode the first sound track of an encoded file.

    Args:
        data: A whole file in any container and codec that FFmpeg reads.
        name: The input's name for error texts.
        leash: Is told how far the sound is decoded; what it raises ends the work.

    Returns:
        Samples in [-1, 1] nominally, float32 [S], 16 kHz, the mean of all channels.

    Raises:
        MediaError: The file is over a limit, unreadable, too short, or silent.
    """
    check_sound_bytes(name, len(data))
    try:
        samples = _decode(data, name, leash)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        if isinstance(error, MediaError):
            raise
        raise MediaError(
            SpeechStatus.UNREADABLE,
            f"{name} could not be decoded as sound ({len(data)} bytes): {cause_of(error)}",
        ) from error
    _check_usable(samples, name)
    return samples


def has_sound_track(data: bytes) -> bool:
    """Say whether a container holds sound; False when it cannot be opened."""
    try:
        with open_container(io.BytesIO(data), LIMITS.pixels) as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, ValueError):
        return False


def _decode(data: bytes, name: str, leash: Leash) -> np.ndarray:
    with open_container(io.BytesIO(data), LIMITS.pixels) as container:
        if not container.streams.audio:
            raise MediaError(SpeechStatus.UNREADABLE, f"{name} has no sound track")
        if container.duration is not None:
            check_length(name, container.duration / av.time_base)
        blocks = list(_blocks(container, name, leash))
    if not blocks:
        raise MediaError(SpeechStatus.UNREADABLE, f"{name} holds no decodable sound")
    return np.concatenate(blocks)


def _blocks(
    container: av.container.InputContainer, name: str, leash: Leash
) -> Iterator[np.ndarray]:
    """Yield mono blocks float32 [n]; packets that do not decode are skipped as players do.

    FFmpeg's own down-mix is 3 dB hotter than a mean.
    """
    resampler = Resampler("flt", SAMPLE_RATE)
    seconds = 0.0
    for frame in _frames(container, leash):
        check_block(frame)
        seconds += frame.samples / frame.sample_rate
        check_length(name, seconds)
        leash(seconds)
        for part in resampler.resample(frame):
            yield _mono(part, name)
    for part in resampler.flush():
        yield _mono(part, name)


def _mono(block: np.ndarray, name: str) -> np.ndarray:
    if not (np.abs(block) <= LOUDEST).all():
        raise MediaError(
            SpeechStatus.UNREADABLE,
            f"{name} decodes to samples that are not finite or over {LOUDEST:g} times full scale",
        )
    return block.mean(axis=1, dtype=np.float32)


def _frames(container: av.container.InputContainer, leash: Leash) -> Iterator[av.AudioFrame]:
    for packet in container.demux(container.streams.audio[0]):
        leash()
        with suppress(av.InvalidDataError):
            yield from packet.decode()


def _check_usable(samples: np.ndarray, name: str) -> None:
    seconds = samples.size / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise MediaError(
            SpeechStatus.TOO_SHORT,
            f"{name} holds {seconds:.2f} s of sound, at least {MIN_SECONDS:g} s are needed",
        )
    loudness = float(np.sqrt(np.mean(np.square(samples), dtype=np.float64)))
    if loudness < SILENCE_RMS:
        raise MediaError(
            SpeechStatus.SILENT,
            f"{name} is silent: root mean square {loudness:.1e}, at least {SILENCE_RMS:g}",
        )
