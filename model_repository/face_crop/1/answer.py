"""A clip's answer as the model's output tensors; no decoder is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from contract import LIMITS, MESSAGES, VideoStatus
from numpy.typing import NDArray

#: The side of a crop in pixels.
CROP_SIDE = 224


@dataclass(frozen=True)
class Crop:
    """A kept face.

    Attributes:
        time: Seconds from the start of the clip.
        box: `x1, y1, x2, y2` in pixels of the upright frame.
        score: The detection's probability.
        sharpness: The variance of the frame's grey Laplacian.
        pixels: RGB [224, 224, 3].
    """

    time: float
    box: tuple[float, float, float, float]
    score: float
    sharpness: float
    pixels: NDArray[np.uint8]


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
        """Lay the answer out as the outputs of config.pbtxt, all but the message.

        Where COUNT is 0 there is one zero row.
        """
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
        }


def stack(rows: Sequence, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Stack rows of one shape to [n, *shape], or give one zero row if there are none."""
    return np.array(rows, dtype) if len(rows) else np.zeros((1, *shape), dtype)


def spread_evenly(items: list, count: int) -> list:
    """Take at most `count` items, each from the middle of an equal part of the list."""
    if len(items) <= count:
        return items
    return [items[(2 * part + 1) * len(items) // (2 * count)] for part in range(count)]
