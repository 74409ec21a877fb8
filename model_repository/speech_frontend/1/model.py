"""Triton model `speech_frontend`: encoded sound to log-mel windows, with a status."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from audio import decode_audio, has_sound_track
from contract import MESSAGES, MediaError, SpeechStatus
from log_mel import MELS, log_mel_windows

#: What the network sees when there is nothing to hear; COUNT 0 says that it is padding.
PADDING = np.zeros((1, 200, MELS), np.float32)


class TritonPythonModel:
    """One clip a request; requests are independent of each other."""

    def initialize(self, args: dict[str, str]) -> None:
        """Run the front end once so that the first request pays for no imports."""
        log_mel_windows(np.zeros(32_000, np.float32))

    def execute(self, requests: list) -> list:
        """Answer every request: a bad one with a status and one padding row."""
        return [self._answer(request) for request in requests]

    def _answer(self, request) -> pb_utils.InferenceResponse:
        try:
            mels, status, message = mel_windows(
                _input_bytes(request, "AUDIO"), _input_bytes(request, "VIDEO")
            )
        except Exception as error:
            pb_utils.Logger.log_error(f"speech_frontend: {type(error).__name__}: {error}")
            mels, status = PADDING, SpeechStatus.UNREADABLE
            message = f"the sound could not be processed: {type(error).__name__}: {error}"
        count = 0 if mels is PADDING else len(mels)
        texts = [message.encode(), MESSAGES[status][1].encode()]
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("MELS", mels),
                pb_utils.Tensor("COUNT", np.array([count], np.int32)),
                pb_utils.Tensor("STATUS", np.array([status], np.int32)),
                pb_utils.Tensor("MESSAGE", np.array(texts, np.object_)),
            ]
        )


def mel_windows(audio: bytes | None, video: bytes | None) -> tuple[np.ndarray, SpeechStatus, str]:
    """Turn AUDIO, or else the sound track of VIDEO, into the network's input.

    Args:
        audio: An encoded sound file, or None.
        video: An encoded container, or None; one without sound counts as no speech at all.

    Returns:
        Log-mel windows float32 [N, 200, MELS], the status, and the English cause. Without usable
        sound the windows are `PADDING` itself.
    """
    if audio is None and (video is None or not has_sound_track(video)):
        return PADDING, SpeechStatus.OK, ""
    try:
        samples = decode_audio(video, "VIDEO") if audio is None else decode_audio(audio, "AUDIO")
        return log_mel_windows(samples), SpeechStatus.OK, ""
    except MediaError as error:
        return PADDING, error.status, str(error)


def _input_bytes(request, name: str) -> bytes | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy().tobytes()
