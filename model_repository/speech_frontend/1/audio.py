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
from resampling import Resampler, check_block, heard_track, joined
from sound_budgets import check_length, check_sound_bytes

SAMPLE_RATE = 16_000
#: Shorter recordings hold no syllable.
MIN_SECONDS = 0.25
#: Peak, full scale being 1, below which there is nothing to hear (-80 dB): three steps of 16 bits.
SILENCE = 1e-4

#: Files of floats may be somewhat over full scale, and lossy codecs overshoot.
LOUDEST = 100.0


def decode_audio(data: bytes, name: str = "AUDIO", leash: Leash = no_leash) -> np.ndarray:
    """Decode a file's sound track as one channel, the mean of all; see `decode_channels`.

    Returns:
        Samples in [-1, 1] nominally, float32 [S], 16 kHz.
    """
    return decode_channels(data, name, leash).mean(axis=1)


def decode_channels(data: bytes, name: str = "AUDIO", leash: Leash = no_leash) -> np.ndarray:
    """Decode the sound track of an encoded file: the one that players take, or else the first.

    Args:
        data: A whole file in any container and codec that FFmpeg reads.
        name: The input's name for error texts.
        leash: Is told how far the sound is decoded; what it raises ends the work.

    Returns:
        Samples in [-1, 1] nominally, float32 [S, channels], 16 kHz, at most
        `resampling.HEARD_CHANNELS` channels.

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
    return joined(blocks)


def _blocks(
    container: av.container.InputContainer, name: str, leash: Leash
) -> Iterator[np.ndarray]:
    """Yield blocks float32 [n, channels]; packets that do not decode are skipped as players do."""
    resampler = Resampler("flt", SAMPLE_RATE)
    seconds = 0.0
    for frame in _frames(container, leash):
        check_block(frame)
        seconds += frame.samples / frame.sample_rate
        check_length(name, seconds)
        leash(seconds)
        for part in resampler.resample(frame):
            yield _checked(part, name)
    for part in resampler.flush():
        yield _checked(part, name)


def _checked(block: np.ndarray, name: str) -> np.ndarray:
    if not (np.abs(block) <= LOUDEST).all():
        raise MediaError(
            SpeechStatus.UNREADABLE,
            f"{name} decodes to samples that are not finite or over {LOUDEST:g} times full scale",
        )
    return block


def _frames(container: av.container.InputContainer, leash: Leash) -> Iterator[av.AudioFrame]:
    for packet in container.demux(heard_track(container)):
        leash()
        with suppress(av.InvalidDataError):
            yield from packet.decode()


def _check_usable(samples: np.ndarray, name: str) -> None:
    seconds = len(samples) / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise MediaError(
            SpeechStatus.TOO_SHORT,
            f"{name} holds {seconds:.2f} s of sound, at least {MIN_SECONDS:g} s are needed",
        )
    peak = float(np.ptp(samples, axis=0).max() / 2)
    if peak < SILENCE:
        raise MediaError(
            SpeechStatus.SILENT, f"{name} is silent: its peak is {peak:.1e}, at least {SILENCE:g}"
        )
