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


def check_length(name: str, seconds: float) -> None:
    """Refuse sound that is too long."""
    if seconds > LIMITS.seconds + LIMITS.seconds_tolerance:
        raise MediaError(
            SpeechStatus.TOO_LONG,
            f"{name} is {seconds:.1f} s long, at most {LIMITS.seconds:g} s are accepted",
        )
