"""The `face_crop` model: a clip in, face crops and a code out.

What this process gets it hands over to one that decodes; nothing is decoded here.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from answer import Answer
from bounded import BoundedError, BoundedProcess, is_given_up
from budget import Budget
from clip_budgets import (
    DEFAULT_FPS,
    check_frame_bytes,
    check_frame_count_and_rate,
    check_video_bytes,
)
from contract import LIMITS, MESSAGES, PAST_PERSON, MediaError, VideoStatus
from handover import Message
from metrics import Counters

BUDGET = Budget(
    address_space=LIMITS.picture_memory,
    kept=LIMITS.kept_memory,
    seconds=LIMITS.decoding_seconds,
    cpu_seconds=LIMITS.cpu_seconds,
    cpu_seconds_a_second=LIMITS.cpu_seconds_a_second,
)


class TritonPythonModel:
    """Answers each request by itself; bad media is a code, never an error."""

    def initialize(self, args: dict[str, str]) -> None:
        """Start the process that decodes."""
        self._counters = Counters(pb_utils, "face_crop")
        self._decoder = BoundedProcess(Path(__file__).with_name("clip_worker.py"), BUDGET)

    def execute(self, requests: list) -> list:
        """Answer a batch of requests."""
        return [self._respond(request) for request in requests]

    def finalize(self) -> None:
        """End the process that decodes."""
        self._decoder.close()

    def _respond(self, request: object) -> object:
        begin = time.monotonic()
        message, outputs = self._answer(request)
        self._counters.add("stage_seconds", time.monotonic() - begin, stage="face_crop")
        outputs["MESSAGE"] = np.array([text.encode() for text in message], object)
        outputs["PEOPLE"] = np.array([outputs["PEOPLE"].tobytes()], object)
        return pb_utils.InferenceResponse(
            output_tensors=[pb_utils.Tensor(name, value) for name, value in outputs.items()]
        )

    def _answer(self, request: object) -> tuple[tuple[str, str], dict[str, np.ndarray]]:
        """Return the message and every other output."""
        try:
            asked = read_request(request)
        except MediaError as error:
            return _failure(str(error))
        name = " and ".join(sorted(asked.arrays.keys() - {"SIZES", "PAST_PERSON"}))
        if not name:
            return _answer_of(Answer(VideoStatus.OK, MESSAGES[VideoStatus.OK], [VideoStatus.OK]))
        try:
            answer = self._decoder.ask(asked, partial(is_given_up, request))
        except BoundedError as error:
            self._counters.add("refusals", reason=error.reason)
            return _failure(f"{name}: the decoder {error}")
        self._counters.add("faces", float(answer.arrays["COUNT"][0]))
        self._counters.add("clip_seconds", float(len(answer.arrays["SECOND_ERROR_CODES"])))
        return tuple(answer.values["message"]), dict(answer.arrays)


def read_request(request: object) -> Message:
    """Take a request apart; sizes are checked before anything is copied.

    Raises:
        MediaError: A limit is passed.
    """
    arrays = {}
    video, frames, fps = (tensor_of(request, name) for name in ("VIDEO", "FRAMES", "FPS"))
    if video is not None:
        check_video_bytes(video.shape()[0])
        arrays["VIDEO"] = video.as_numpy()
    rate = DEFAULT_FPS
    if frames is not None:
        rate = rate if fps is None else float(fps.as_numpy()[0])
        check_frame_count_and_rate(frames.shape()[0], rate)
        images = frames.as_numpy().tolist()
        sizes = [len(image) for image in images]
        check_frame_bytes(sizes)
        arrays["FRAMES"] = np.frombuffer(b"".join(images), np.uint8)
        arrays["SIZES"] = np.array(sizes, np.int64)
    past = tensor_of(request, "PAST_PERSON")
    if past is not None:
        arrays["PAST_PERSON"] = past_person(past)
    return Message({"fps": rate}, arrays)


def past_person(tensor: object) -> np.ndarray:
    """Check whom the stream was about [133].

    Raises:
        MediaError: It is not what `recognize` hands on.
    """
    shape, values = list(tensor.shape()), tensor.as_numpy()
    if shape != [PAST_PERSON] or not np.isfinite(values).all() or values[-1] < 0:
        raise MediaError(
            VideoStatus.UNKNOWN,
            f"PAST_PERSON has shape {shape}, expected [{PAST_PERSON}] finite numbers that end with "
            "a time from 0",
        )
    return values


def tensor_of(request: object, name: str) -> object | None:
    """Return an optional input, or None if the request does not bring it."""
    return pb_utils.get_input_tensor_by_name(request, name)


def _failure(cause: str) -> tuple[tuple[str, str], dict[str, np.ndarray]]:
    return _answer_of(Answer.failed(VideoStatus.UNKNOWN, cause))


def _answer_of(answer: Answer) -> tuple[tuple[str, str], dict[str, np.ndarray]]:
    return answer.message, answer.tensors()
