"""The process in which sound is decoded and cut into windows of voice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from audio import SAMPLE_RATE, decode_channels, has_sound_track
from bounded_worker import Leash, Work, no_leash, serve
from contract import MediaError, SpeechStatus
from handover import Message
from log_mel import MELS, log_mel_windows
from vad import VoiceDetector


class Hearing(NamedTuple):
    """What the network gets of a recording, N windows; without usable sound there is padding.

    Attributes:
        mels: Log-mel windows float32 [N, 200, MELS].
        times: Begin of each window in seconds of the recording, float32 [N].
        voice: How much each counts by its voice, 0 to 1, float32 [N].
        count: N, or 0 when there is nothing to hear and the only row is padding.
        status: Whether the sound could be used.
        message: Why not, in English.
    """

    mels: np.ndarray = np.zeros((1, 200, MELS), np.float32)
    times: np.ndarray = np.zeros(1, np.float32)
    voice: np.ndarray = np.zeros(1, np.float32)
    count: int = 0
    status: SpeechStatus = SpeechStatus.OK
    message: str = ""


def prepare() -> Work:
    """Load the detector and run it once, so that the first request pays for no set-up."""
    detector = VoiceDetector(Path(__file__).with_name("vad.onnx"))
    detector(np.sin(np.arange(2 * SAMPLE_RATE, dtype=np.float32)))
    return partial(work, detector)


def work(detector: VoiceDetector, request: Message, leash: Leash) -> Message:
    """Answer a request of `model.py`."""
    audio, video = (
        request.arrays[name].tobytes() if name in request.arrays else None
        for name in ("AUDIO", "VIDEO")
    )
    heard = hear(audio, video, detector, leash)
    values = {"status": heard.status, "message": heard.message, "count": heard.count}
    arrays = {"MELS": heard.mels, "TIMES": heard.times, "VOICE": heard.voice}
    return Message(values, arrays)


def hear(
    audio: bytes | None, video: bytes | None, detector: VoiceDetector, leash: Leash = no_leash
) -> Hearing:
    """Turn AUDIO, or else the sound track of VIDEO, into the network's input.

    Args:
        audio: An encoded sound file, or None.
        video: An encoded container, or None; one without sound counts as no speech at all.
        detector: Of voice.
        leash: Is told how far the sound is decoded; what it raises ends the work.
    """
    if audio is None and (video is None or not has_sound_track(video)):
        return Hearing()
    data, name = (video, "VIDEO") if audio is None else (audio, "AUDIO")
    try:
        recording = decode_channels(data, name, leash)
        mels, times, voice = log_mel_windows(recording, detector, leash)
    except MediaError as error:
        return Hearing(status=SpeechStatus(error.status), message=str(error))
    return Hearing(mels, times, voice, len(mels))


if __name__ == "__main__":
    serve(prepare)
