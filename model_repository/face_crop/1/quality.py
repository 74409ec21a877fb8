"""How well a face is seen: sharp, uncovered, and a person's rather than a drawing's.

A face is judged as what a small network makes of its grey box at a fixed size, so that neither its
surroundings, nor its colours, nor the picture's resolution matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mtcnn import Face, open_session
from numpy.typing import NDArray
from picture import Picture, cut_square, shrink

#: The side in pixels at which a face is judged.
SIDE = 64
#: A face is sharp from this sharpness; covered, and artificial, from these probabilities. Set on
#: faces that took no part in training, so that few clear ones are refused.
LEAST_SHARPNESS, LEAST_COVERAGE, LEAST_ARTIFICIAL = 0.73, 0.8, 0.73
#: Below this probability the detector doubts a face, and the odds that it is covered count so many
#: times: covers make it doubt, but so do grey pictures and many clear faces.
DOUBTED, DOUBT = 0.999, 6.0
#: The spread of grey levels, of 255, below which nothing can be told of a picture.
LEAST_CONTRAST = 4.0
#: The level that a twentieth of a picture's pixels pass unless it is too dark.
LEAST_LIGHT = 20.0
#: The longer side in pixels at which a whole picture is judged.
PICTURE_SIDE = 320
#: The spread in pixels of the blur that a sharp picture differs from.
FINE = 1.0
#: The difference that a hundredth of a sharp picture's pixels pass, in parts of its spread of grey
#: levels. Sharp pictures have 0.18 to 1, those blurred by 0.012 of their longer side 0.02 to 0.1.
LEAST_DETAIL = 0.12


class FaceQuality(NamedTuple):
    """How well a face is seen.

    Attributes:
        sharpness: The probability in 0..1 that it is sharp; 0 if it is too dark or pale to tell.
        coverage: The probability in 0..1 that its eyes, nose or mouth are covered.
        artificial: The probability in 0..1 that it is drawn or carved.
    """

    sharpness: float
    coverage: float
    artificial: float

    @property
    def is_sharp(self) -> bool:
        """Whether the face is in focus, still and lit well enough."""
        return self.sharpness >= LEAST_SHARPNESS

    @property
    def is_covered(self) -> bool:
        """Whether something hides an eye, the nose or the mouth."""
        return self.coverage >= LEAST_COVERAGE

    @property
    def is_real(self) -> bool:
        """Whether it is a person's face."""
        return self.artificial < LEAST_ARTIFICIAL


class QualityJudge:
    """Judges detected faces on one thread."""

    def __init__(self, folder: Path) -> None:
        """Load the network.

        Args:
            folder: Where quality.onnx is.
        """
        self._network = open_session(folder / "quality.onnx")

    def __call__(
        self, picture: Picture, face: Face, grey: NDArray[np.uint8] | None = None
    ) -> FaceQuality:
        """Judge a face that was found in a picture.

        Args:
            picture: The picture.
            face: The face.
            grey: What `cut_grey` makes of them, where it is there already.
        """
        grey = cut_grey(picture, face) if grey is None else grey
        (probabilities,) = self._network.run(["QUALITY"], {"FACES": grey[None]})
        blurred, covered, artificial = probabilities[0].tolist()
        if face.score < DOUBTED:
            covered = DOUBT * covered / (1 - covered + DOUBT * covered)
        return FaceQuality(0.0 if is_flat(grey) else 1 - blurred, covered, artificial)


def cut_grey(picture: Picture, face: Face) -> NDArray[np.uint8]:
    """Cut out the square of a box's longer side, grey [64, 64]; repeat the picture's edges."""
    x1, y1, x2, y2 = face.box
    corner = ((x1 + x2 - face.side) / 2, (y1 + y2 - face.side) / 2)
    cut = cut_square(picture, corner, face.side, SIDE, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY)


def is_flat(grey: NDArray[np.uint8]) -> bool:
    """Tell whether a grey picture is too dark or has too little contrast to show anything."""
    _, contrast = cv2.meanStdDev(grey)
    lit = np.count_nonzero(grey >= LEAST_LIGHT)
    return bool(contrast[0, 0] < LEAST_CONTRAST or lit < grey.size / 20)


def picture_is_dull(picture: Picture) -> bool:
    """Tell whether a picture in which no face was found is too dark, flat or blurred to find one.

    A picture is blurred if not even its sharpest hundredth shows fine detail: a plain wall or a
    soft background around something sharp is no fault.
    """
    grey = cv2.cvtColor(shrink(picture, PICTURE_SIDE), cv2.COLOR_RGB2GRAY)
    if is_flat(grey):
        return True
    detail = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), FINE))
    return bool(np.percentile(detail, 99) < LEAST_DETAIL * grey.std())
