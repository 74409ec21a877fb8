"""Encoded sound to 16 kHz mono samples: the one decoding path of training and serving."""

from __future__ import annotations

import io

import av
import numpy as np
from contract import LIMITS, MediaError, SpeechStatus

SAMPLE_RATE = 16_000
#: Shorter recordings hold no syllable.
MIN_SECONDS = 0.25
#: Root mean square, full scale being 1, below which there is nothing to hear (-80 dB).
SILENCE_RMS = 1e-4
#: A playlist in the request must not make the server open files or addresses, and the pictures
#: that FFmpeg decodes to find out what a file is must not be larger than a video's may be.
OPEN_OPTIONS = {"protocol_whitelist": "none", "max_pixels": str(LIMITS.pixels)}


def decode_audio(data: bytes, name: str = "AUDIO") -> np.ndarray:
    """Decode the first sound track of an encoded file.

    Args:
        data: A whole file in any container and codec that FFmpeg reads.
        name: The input's name for error texts.

    Returns:
        Samples in [-1, 1] nominally, float32 [S], 16 kHz, the mean of all channels.

    Raises:
        MediaError: The file is over a limit, unreadable, too short, or silent.
    """
    limit = LIMITS.video_bytes if name == "VIDEO" else LIMITS.audio_bytes
    if len(data) > limit:
        raise MediaError(
            SpeechStatus.TOO_LONG, f"{name} has {len(data)} bytes, at most {limit} are accepted"
        )
    try:
        samples = _decode(data, name)
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, MediaError):
            raise
        cause = error.strerror if isinstance(error, av.FFmpegError) else error
        raise MediaError(
            SpeechStatus.UNREADABLE,
            f"{name} could not be decoded as sound ({len(data)} bytes): {cause}",
        ) from error
    _check_usable(samples, name)
    return samples


def has_sound_track(data: bytes) -> bool:
    """Say whether a container holds sound; False when it cannot be opened."""
    try:
        with _open(data) as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, ValueError):
        return False


def _open(data: bytes) -> av.container.InputContainer:
    return av.open(io.BytesIO(data), options=OPEN_OPTIONS, metadata_errors="ignore")


def _decode(data: bytes, name: str) -> np.ndarray:
    with _open(data) as container:
        if not container.streams.audio:
            raise MediaError(SpeechStatus.UNREADABLE, f"{name} has no sound track")
        if container.duration is not None:
            _check_length(container.duration / av.time_base, name)
        # Planar floats keep the channels apart: FFmpeg's own down-mix is 3 dB hotter than a mean.
        resampler = av.AudioResampler(format="fltp", rate=SAMPLE_RATE)
        blocks: list[np.ndarray] = []
        total = 0
        for block in _blocks(container, resampler):
            blocks.append(block)
            total += block.size
            _check_length(total / SAMPLE_RATE, name)
    if not blocks:
        raise MediaError(SpeechStatus.UNREADABLE, f"{name} holds no decodable sound")
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise MediaError(SpeechStatus.UNREADABLE, f"{name} decodes to samples that are not finite")
    return samples


def _blocks(container: av.container.InputContainer, resampler: av.AudioResampler):
    """Yield mono blocks float32 [n]; packets that do not decode are skipped as players do."""
    stream = container.streams.audio[0]
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            for part in resampler.resample(frame):
                yield part.to_ndarray().mean(axis=0, dtype=np.float32)
    for part in resampler.resample(None):
        yield part.to_ndarray().mean(axis=0, dtype=np.float32)


def _check_length(seconds: float, name: str) -> None:
    if seconds > LIMITS.seconds + LIMITS.seconds_tolerance:
        raise MediaError(
            SpeechStatus.TOO_LONG,
            f"{name} is {seconds:.1f} s long, at most {LIMITS.seconds:g} s are accepted",
        )


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
