"""Clips of staged faces, and eyes that see what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from contract import MediaError, VideoStatus
from mtcnn import Face
from tracks import Eyes
from video import Frame

SIDE = 200
INSIDE, OUTSIDE = (60.0, 60.0, 120.0, 120.0), (-5.0, 60.0, 55.0, 120.0)
CHESSBOARD = np.kron(np.indices((20, 20)).sum(axis=0) % 2, np.ones((10, 10))) * 255
SHARP = np.repeat(CHESSBOARD.astype(np.uint8)[..., None], 3, axis=2)
BLURRED = np.full((SIDE, SIDE, 3), 127, np.uint8)


class StagedFace(Face):
    """A face of a known person, number 0 unless `who` is set."""

    who = 0
    is_real = True

    def __new__(cls, box: tuple, score: float = 1.0) -> StagedFace:
        return super().__new__(cls, box, score)


def face_at(x: float, side: float = 60.0, score: float = 1.0, who: int = 0) -> StagedFace:
    face = StagedFace((x - side / 2, 100 - side / 2, x + side / 2, 100 + side / 2), score)
    face.who = who
    return face


def descriptor_of(who: int) -> np.ndarray:
    """Return a person's descriptor: everybody is 1.4 from everybody else."""
    return np.eye(128, dtype=np.float32)[who]


@dataclass(frozen=True)
class Shot:
    """What one frame shows."""

    sharp: bool = True
    faces: tuple[StagedFace, ...] = (StagedFace(INSIDE),)
    readable: bool = True

    @property
    def outside(self) -> bool:
        return any(face.box[0] < 0 for face in self.faces)

    @property
    def covered(self) -> bool:
        return any(face.score < 0.999 for face in self.faces)

    def draw(self) -> np.ndarray:
        """Draw each person's face as spots of their own."""
        picture = (SHARP if self.sharp else BLURRED).copy()
        for face in self.faces if self.sharp else ():
            x1, y1, x2, y2 = (max(0, round(edge)) for edge in face.box)
            spots = np.random.default_rng(face.who).integers(0, 256, (6, 6, 3), dtype=np.uint8)
            picture[y1:y2, x1:x2] = cv2.resize(spots, (x2 - x1, y2 - y1))[: SIDE - y1, : SIDE - x1]
        return picture


@dataclass(frozen=True)
class Quality:
    """What is judged of a staged face."""

    is_sharp: bool
    is_covered: bool
    is_real: bool
    sharpness: float = 99.0


@dataclass
class StagedClip:
    """A clip of staged shots; it counts how often it is gone through and what is asked of it."""

    shots: list[list[Shot]]
    passes: int = 0
    detected: int = 0
    described: int = 0
    _shown: dict[int, Shot] = field(default_factory=dict)

    def seconds(self) -> Iterator[list[Frame]]:
        self.passes += 1
        for second, shots in enumerate(self.shots):
            yield [
                Frame(second + n / max(10, len(shots)), lambda shot=shot: self._show(shot))
                for n, shot in enumerate(shots)
            ]

    def eyes(self) -> Eyes:
        return Eyes(self._detect, self._judge, self._describe, lambda picture, face: False)

    def _detect(self, picture: np.ndarray, like: Sequence[Face]) -> list[Face]:
        self.detected += 1
        return list(self._shown[id(picture)].faces)

    def _judge(self, picture: np.ndarray, face: StagedFace, grey: np.ndarray) -> Quality:
        return Quality(self._shown[id(picture)].sharp, face.score < 0.999, face.is_real)

    def _describe(self, picture: np.ndarray, face: StagedFace) -> np.ndarray:
        self.described += 1
        return descriptor_of(face.who)

    def _show(self, shot: Shot) -> np.ndarray:
        if not shot.readable:
            raise MediaError(VideoStatus.UNKNOWN, "the frame is broken")
        picture = shot.draw()
        self._shown = {id(picture): shot}
        return picture
