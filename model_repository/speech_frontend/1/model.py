"""Triton model `speech_frontend`: encoded sound to log-mel windows of voice, with a status.

What this process gets it hands over to one that decodes; nothing is decoded here.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from bounded import BoundedError, BoundedProcess, is_given_up
from budget import Budget
from contract import LIMITS, MESSAGES, MediaError, SpeechStatus
from handover import Message
from metrics import Counters
from sound_budgets import check_sound_bytes

BUDGET = Budget(
    address_space=LIMITS.sound_memory,
    kept=LIMITS.kept_memory,
    seconds=LIMITS.decoding_seconds,
    cpu_seconds=LIMITS.cpu_seconds,
    cpu_seconds_a_second=LIMITS.cpu_seconds_a_second,
)

#: The outputs with a row a window.
WINDOWS = ("MELS", "TIMES", "VOICE")


class TritonPythonModel:
    """One clip a request; requests are independent of each other."""

    def initialize(self, args: dict[str, str]) -> None:
        """Start the process that decodes."""
        self._counters = Counters(pb_utils, "speech_frontend")
        outputs = {one["name"]: one["dims"] for one in json.loads(args["model_config"])["output"]}
        self._padding = {
            name: np.zeros((1, *map(int, outputs[name][1:])), np.float32) for name in WINDOWS
        }
        self._decoder = BoundedProcess(Path(__file__).with_name("sound_worker.py"), BUDGET)

    def execute(self, requests: list) -> list:
        """Answer every request: a bad one with a status and one padding row."""
        return [self._respond(request) for request in requests]

    def finalize(self) -> None:
        """End the process that decodes."""
        self._decoder.close()

    def _respond(self, request: object) -> object:
        begin = time.monotonic()
        windows, count, status, message = self._answer(request)
        self._counters.add("stage_seconds", time.monotonic() - begin, stage="speech_frontend")
        texts = [message.encode(), MESSAGES[status][1].encode()]
        return pb_utils.InferenceResponse(
            [
                *(pb_utils.Tensor(name, windows[name]) for name in WINDOWS),
                pb_utils.Tensor("COUNT", np.array([count], np.int32)),
                pb_utils.Tensor("STATUS", np.array([status], np.int32)),
                pb_utils.Tensor("MESSAGE", np.array(texts, np.object_)),
            ]
        )

    def _answer(self, request: object) -> tuple[dict[str, np.ndarray], int, SpeechStatus, str]:
        """Return what has a row a window, their count, the status and its cause in English."""
        try:
            name, sound = read_sound(request)
        except MediaError as error:
            return self._padding, 0, SpeechStatus(error.status), str(error)
        if sound is None:
            return self._padding, 0, SpeechStatus.OK, ""
        try:
            answer = self._decoder.ask(Message({}, {name: sound}), partial(is_given_up, request))
        except BoundedError as error:
            self._counters.add("refusals", reason=error.reason)
            cause = f"{name}: the decoder {error}"
            return self._padding, 0, SpeechStatus.UNREADABLE, cause
        told = answer.values
        return answer.arrays, told["count"], SpeechStatus(told["status"]), told["message"]


def read_sound(request: object) -> tuple[str, np.ndarray | None]:
    """Return the name and the bytes of AUDIO, or else of VIDEO; its size is checked uncopied.

    Raises:
        MediaError: It has too many bytes.
    """
    for name in ("AUDIO", "VIDEO"):
        tensor = pb_utils.get_input_tensor_by_name(request, name)
        if tensor is not None:
            check_sound_bytes(name, tensor.shape()[0])
            return name, tensor.as_numpy()
    return "", None
