"""A clip's answer as the model's output tensors; no decoder is imported here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from contract import IDENTITY, LIMITS, MESSAGES, VideoStatus
from numpy.typing import NDArray

#: The side of a crop in pixels.
CROP_SIDE = 224


@dataclass(frozen=True)
class Crop:
    """A kept face.

    Attributes:
        time: Seconds from the start of the clip.
        box: `x1, y1, x2, y2` in pixels of the upright frame.
        place: The same in parts of its width and height.
        score: The detection's probability.
        sharpness: As `quality.py` measures it.
        pixels: RGB [224, 224, 3].
    """

    time: float
    box: tuple[float, float, float, float]
    place: tuple[float, float, float, float]
    score: float
    sharpness: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Portrait:
    """Somebody who was seen in a clip.

    Attributes:
        number: Tells them from the others of the clip.
        is_main: Whether the clip is about them.
        is_past: Whether the earlier chunks of the stream were about them.
        identity: Their descriptor [128].
        seconds: For how long they were seen, about.
        share: The same as a part of the clip, in 0..1.
        boxes: The time in seconds and the box in pixels of every sighting, in order of time.
        crops: Those of their faces that can be used, in order of time.
    """

    number: int
    is_main: bool
    is_past: bool
    identity: NDArray[np.float32]
    seconds: float
    share: float
    boxes: list[tuple[float, tuple[float, float, float, float]]]
    crops: list[Crop]

    def record(self) -> dict:
        """Tell of them, for JSON; of many sightings some, spread over the clip."""
        return {
            "id": self.number,
            "main": self.is_main,
            "begin": round(self.boxes[0][0], 3),
            "end": round(self.boxes[-1][0], 3),
            "seconds": round(self.seconds, 2),
            "share": round(self.share, 4),
            "boxes": [
                {"time": round(time, 3), "box": [round(edge, 1) for edge in box]}
                for time, box in spread_evenly(self.boxes, LIMITS.crops)
            ],
        }


@dataclass(frozen=True)
class Answer:
    """What is said about a clip.

    Attributes:
        code: The whole clip's code.
        message: What went wrong, in English and in Korean; empty where nothing did.
        second_codes: Each second's code, at least one.
        crops: The main person's kept faces.
        people: Everybody who was seen, the main person first.
        has_past: Whether it is known whom the stream was about before the clip.
    """

    code: VideoStatus
    message: tuple[str, str]
    second_codes: list[VideoStatus]
    crops: list[Crop] = field(default_factory=list)
    people: list[Portrait] = field(default_factory=list)
    has_past: bool = False

    @classmethod
    def failed(cls, code: VideoStatus, cause: str | None = None) -> Answer:
        """Answer for a clip that gives nothing; the cause takes the English message's place."""
        english, korean = MESSAGES[code]
        return cls(code, (cause or english, korean), [code])

    def tensors(self) -> dict[str, np.ndarray]:
        """Lay the answer out as the outputs of config.pbtxt, all but the message.

        Where COUNT or OTHER_COUNT is 0 there is one zero row. PEOPLE is the bytes of its JSON.
        """
        rows = spread_evenly(list(range(len(self.crops))), LIMITS.age_crops)
        crops = stack([crop.pixels for crop in self.crops], (CROP_SIDE, CROP_SIDE, 3), np.uint8)
        return {
            "CROPS": crops,
            "AGE_CROPS": crops[rows or [0]],
            "AGE_ROWS": stack(rows, (), np.int32),
            "TIMES": stack([crop.time for crop in self.crops], (), np.float32),
            "BOXES": stack([crop.box for crop in self.crops], (4,), np.float32),
            "PLACES": stack([crop.place for crop in self.crops], (4,), np.float32),
            "SCORES": stack([crop.score for crop in self.crops], (), np.float32),
            "SHARPNESS": stack([crop.sharpness for crop in self.crops], (), np.float32),
            "COUNT": np.array([len(self.crops)], np.int32),
            "IDENTITY": stack([one.identity for one in self._mains], (IDENTITY,), np.float32)[0],
            "ERROR_CODE": np.array([self.code], np.int32),
            "SECOND_ERROR_CODES": np.array(self.second_codes, np.int32),
            "PEOPLE": np.frombuffer(json.dumps(self._record()).encode(), np.uint8),
            **self._others(),
        }

    @property
    def _mains(self) -> list[Portrait]:
        return [one for one in self.people if one.is_main]

    def _record(self) -> dict:
        was_known = any(one.is_past for one in self._mains)
        return {
            "people": [one.record() for one in self.people[: LIMITS.people]],
            "people_seen": len(self.people),
            "person_changed": self.has_past and bool(self.crops) and not was_known,
        }

    def _others(self) -> dict[str, np.ndarray]:
        """Lay out the crops of the other people who were seen longest."""
        others = [one for one in self.people if not one.is_main and one.crops][: LIMITS.others]
        shown = [
            (one, crop) for one in others for crop in spread_evenly(one.crops, LIMITS.other_crops)
        ]
        return {
            "OTHER_CROPS": stack(
                [crop.pixels for _, crop in shown], (CROP_SIDE, CROP_SIDE, 3), np.uint8
            ),
            "OTHER_PERSON": stack([one.number for one, _ in shown], (), np.int32),
            "OTHER_TIMES": stack([crop.time for _, crop in shown], (), np.float32),
            "OTHER_BOXES": stack([crop.box for _, crop in shown], (4,), np.float32),
            "OTHER_COUNT": np.array([len(shown)], np.int32),
        }


def stack(rows: Sequence, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Stack rows of one shape to [n, *shape], or give one zero row if there are none."""
    return np.array(rows, dtype) if len(rows) else np.zeros((1, *shape), dtype)


def spread_evenly(items: list, count: int) -> list:
    """Take at most `count` items, each from the middle of an equal part of the list."""
    if len(items) <= count:
        return items
    return [items[(2 * part + 1) * len(items) // (2 * count)] for part in range(count)]
