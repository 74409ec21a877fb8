"""The `face_crop` model: a clip in, face crops and a code out."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils
from answer import Answer, answer_clip
from contract import VideoStatus
from mtcnn import Mtcnn

logger = logging.getLogger("face_crop")


class TritonPythonModel:
    """Answers each request by itself; bad media is a code, never an error."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the detector. Instances are the parallelism, so OpenCV gets one thread."""
        cv2.setNumThreads(1)
        self._detector = Mtcnn(Path(__file__).parent)

    def execute(self, requests: list) -> list:
        """Answer a batch of requests."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: object) -> object:
        try:
            answer = answer_clip(
                read_bytes(request, "VIDEO"),
                read_list(request, "FRAMES"),
                read_number(request, "FPS"),
                self._detector.detect,
            )
        except Exception:
            logger.exception("a clip could not be processed")
            answer = Answer.failed(VideoStatus.UNKNOWN)
        tensors = [pb_utils.Tensor(name, value) for name, value in answer.tensors().items()]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def read(request: object, name: str) -> np.ndarray | None:
    """Return an optional input, or None if the request does not bring it."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy()


def read_bytes(request: object, name: str) -> bytes | None:
    """Return an optional UINT8 [n] input."""
    value = read(request, name)
    return None if value is None else value.tobytes()


def read_list(request: object, name: str) -> list[bytes] | None:
    """Return an optional BYTES [n] input."""
    value = read(request, name)
    return None if value is None else value.tolist()


def read_number(request: object, name: str) -> float | None:
    """Return an optional FP32 [1] input."""
    value = read(request, name)
    return None if value is None else float(value[0])
