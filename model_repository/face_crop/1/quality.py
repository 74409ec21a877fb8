"""Judges faces by the original rules: a stand-in for a judge that knows more."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from identity import cut_around
from mtcnn import Face
from picture import Picture, measure_sharpness


class FaceQuality(NamedTuple):
    """How well a face can be seen."""

    sharpness: float
    coverage: float
    artificial: float

    @property
    def is_sharp(self) -> bool:
        """Whether it is in focus."""
        return self.sharpness >= 30.0

    @property
    def is_covered(self) -> bool:
        """Whether something covers it."""
        return self.coverage > 0.001

    @property
    def is_real(self) -> bool:
        """Whether it is neither drawn nor of stone."""
        return self.artificial < 0.5


class QualityJudge:
    """Judges faces."""

    def __init__(self, folder: Path) -> None:
        """Load what it needs."""

    def __call__(self, picture: Picture, face: Face) -> FaceQuality:
        """Judge a face."""
        pixels = cut_around(picture, face, 160)
        return FaceQuality(measure_sharpness(pixels), 1 - face.score, 0.0)


def picture_is_dull(picture: Picture) -> bool:
    """Tell whether a picture without a face is too dark, flat or blurred to have one."""
    return measure_sharpness(picture) < 30.0
