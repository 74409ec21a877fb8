"""A clip's answer as the model's output tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from contract import LIMITS, MESSAGES, MediaError, VideoStatus
from selection import CROP_SIDE, Crop, Detect, select_faces, spread_evenly
from video import open_clip


@dataclass(frozen=True)
class Answer:
    """What is said about a clip.

    Attributes:
        code: The whole clip's code.
        message: What went wrong, in English and in Korean; empty where nothing did.
        second_codes: Each second's code, at least one.
        crops: The kept faces.
    """

    code: VideoStatus
    message: tuple[str, str]
    second_codes: list[VideoStatus]
    crops: list[Crop] = field(default_factory=list)

    @classmethod
    def failed(cls, code: VideoStatus, cause: str | None = None) -> Answer:
        """Answer for a clip that gives nothing; the cause takes the English message's place."""
        english, korean = MESSAGES[code]
        return cls(code, (cause or english, korean), [code])

    def tensors(self) -> dict[str, np.ndarray]:
        """Lay the answer out as the outputs of config.pbtxt, one zero row where COUNT is 0."""
        rows = spread_evenly(list(range(len(self.crops))), LIMITS.age_crops)
        crops = stack([crop.pixels for crop in self.crops], (CROP_SIDE, CROP_SIDE, 3), np.uint8)
        return {
            "CROPS": crops,
            "AGE_CROPS": crops[rows or [0]],
            "AGE_ROWS": stack(rows, (), np.int32),
            "TIMES": stack([crop.time for crop in self.crops], (), np.float32),
            "BOXES": stack([crop.box for crop in self.crops], (4,), np.float32),
            "SCORES": stack([crop.score for crop in self.crops], (), np.float32),
            "SHARPNESS": stack([crop.sharpness for crop in self.crops], (), np.float32),
            "COUNT": np.array([len(self.crops)], np.int32),
            "ERROR_CODE": np.array([self.code], np.int32),
            "SECOND_ERROR_CODES": np.array(self.second_codes, np.int32),
            "MESSAGE": np.array([text.encode() for text in self.message], object),
        }


def answer_clip(
    video: bytes | None, frames: Sequence[bytes] | None, fps: float | None, detect: Detect
) -> Answer:
    """Answer a request's media; bad media gives a code.

    Args:
        video: An encoded container.
        frames: Encoded still images in order, instead of `video`.
        fps: Frames a second of `frames`.
        detect: Finds the faces of a picture.
    """
    try:
        clip = open_clip(video, frames, fps)
        if clip is None:
            return Answer(VideoStatus.OK, MESSAGES[VideoStatus.OK], [VideoStatus.OK])
        selection = select_faces(clip, detect)
    except MediaError as error:
        return Answer.failed(VideoStatus(error.status), str(error))
    message = MESSAGES[selection.code]
    return Answer(selection.code, message, selection.second_codes, selection.crops)


def stack(rows: Sequence, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Stack rows of one shape to [n, *shape], or give one zero row if there are none."""
    return np.array(rows, dtype) if len(rows) else np.zeros((1, *shape), dtype)
