"""What sound may bring: checked before the work that it bounds, each in a sentence of its own."""

from __future__ import annotations

from contract import LIMITS, MediaError, SpeechStatus


def check_sound_bytes(name: str, size: int) -> None:
    """Refuse a file of too many bytes; a film may have more than a sound file."""
    limit = LIMITS.video_bytes if name == "VIDEO" else LIMITS.audio_bytes
    if size > limit:
        raise MediaError(
            SpeechStatus.TOO_LONG, f"{name} has {size} bytes, at most {limit} are accepted"
        )


def check_format(name: str, rate: int, channels: int) -> None:
    """Refuse sample rates at which a few bytes are hours, and more channels than can be mixed."""
    if not LIMITS.min_sample_rate <= rate <= LIMITS.max_sample_rate:
        raise MediaError(
            SpeechStatus.UNREADABLE,
            f"{name} has a sample rate of {rate} Hz, expected {LIMITS.min_sample_rate} to "
            f"{LIMITS.max_sample_rate}",
        )
    if channels > LIMITS.channels:
        raise MediaError(
            SpeechStatus.UNREADABLE,
            f"{name} has {channels} channels, at most {LIMITS.channels} are accepted",
        )


def check_length(name: str, seconds: float) -> None:
    """Refuse sound that is too long."""
    if seconds > LIMITS.seconds + LIMITS.seconds_tolerance:
        raise MediaError(
            SpeechStatus.TOO_LONG,
            f"{name} is {seconds:.1f} s long, at most {LIMITS.seconds:g} s are accepted",
        )
