"""The process in which sound is decoded and cut into windows."""

from __future__ import annotations

import numpy as np
from audio import decode_audio, has_sound_track
from bounded_worker import Leash, Work, no_leash, serve
from contract import MediaError, SpeechStatus
from handover import Message
from log_mel import MELS, log_mel_windows

#: What the network sees when there is nothing to hear; COUNT 0 says that it is padding.
PADDING = np.zeros((1, 200, MELS), np.float32)


def prepare() -> Work:
    """Run the front end once, so that the first request pays for no set-up."""
    log_mel_windows(np.zeros(32_000, np.float32))
    return work


def work(request: Message, leash: Leash) -> Message:
    """Answer a request of `model.py`."""
    audio, video = (
        request.arrays[name].tobytes() if name in request.arrays else None
        for name in ("AUDIO", "VIDEO")
    )
    mels, status, message = mel_windows(audio, video, leash)
    count = 0 if mels is PADDING else len(mels)
    values = {"status": status, "message": message, "count": count}
    return Message(values, {"MELS": mels})


def mel_windows(
    audio: bytes | None, video: bytes | None, leash: Leash = no_leash
) -> tuple[np.ndarray, SpeechStatus, str]:
    """Turn AUDIO, or else the sound track of VIDEO, into the network's input.

    Args:
        audio: An encoded sound file, or None.
        video: An encoded container, or None; one without sound counts as no speech at all.
        leash: Is told how far the sound is decoded; what it raises ends the work.

    Returns:
        Log-mel windows float32 [N, 200, MELS], the status, and the English cause. Without usable
        sound the windows are `PADDING` itself.
    """
    if audio is None and (video is None or not has_sound_track(video)):
        return PADDING, SpeechStatus.OK, ""
    data, name = (video, "VIDEO") if audio is None else (audio, "AUDIO")
    try:
        return log_mel_windows(decode_audio(data, name, leash)), SpeechStatus.OK, ""
    except MediaError as error:
        return PADDING, SpeechStatus(error.status), str(error)


if __name__ == "__main__":
    serve(prepare)
