"""Whether a picture without an upright face is turned: filmed sideways, and no tag says so.

A clear face is looked for at each quarter turn. The networks see a turned face as none or as an
unlikely one, so the picture is turned where there is a clear one and none as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import cv2
import numpy as np
from bounded_worker import Leash, no_leash
from contract import MediaError
from mtcnn import Face
from picture import Picture, cut_square
from video import Clip

#: A face of this probability is one. Of 396 upright pictures of a face none was said to be turned
#: by it, of 1,188 turned ones 92 % were and 4 the wrong way, of 466 without a face none was.
CLEAR = 0.99
#: A clip that showed a face of this probability shows it upright.
CERTAIN = 0.999
#: A picture in which more unlikely faces are found is a texture; it costs much, and shows nothing.
MOST_FACES = 5
#: What is looked at around a face, in sides of its box, and the side to which it is brought.
AROUND, AROUND_SIDE = 2.0, 160
#: The seconds of a clip that are looked at.
SECONDS = 3

#: Finds the faces of a picture, given those of an earlier picture: `Mtcnn.detect`.
Detect = Callable[[Picture, Sequence[Face]], list[Face]]


class Witness:
    """Finds faces, and remembers what a clip showed.

    Attributes:
        clearest: The highest probability of a face so far.
        most: The most faces in one picture so far.
    """

    def __init__(self, detect: Detect) -> None:
        """Begin a clip.

        Args:
            detect: Finds the faces.
        """
        self._detect = detect
        self.clearest = 0.0
        self.most = 0

    def __call__(self, picture: Picture, like: Sequence[Face] = ()) -> list[Face]:
        """Find the faces of a picture."""
        faces = self._detect(picture, like)
        self.clearest = max([self.clearest, *(face.score for face in faces)])
        self.most = max(self.most, len(faces))
        return faces


def turned_by(picture: Picture, detect: Detect) -> int:
    """Return by how many quarter turns counter-clockwise a picture must be turned; 0 if by none.

    Args:
        picture: The picture, as it came.
        detect: Finds the faces of a picture.
    """
    faces = detect(picture, ())
    if len(faces) > MOST_FACES or any(face.score >= CLEAR for face in faces):
        return 0
    scores = [
        max((face.score for face in detect(view, ())), default=0.0)
        for view in (np.ascontiguousarray(np.rot90(picture, turns)) for turns in (1, 2, 3))
    ]
    best = max(scores)
    return 1 + scores.index(best) if best >= CLEAR else 0


def is_turned_face(picture: Picture, face: Face, detect: Detect) -> bool:
    """Tell whether a face lies on its side, or stands on its head.

    The networks take some such faces for unlikely upright ones; only those are looked at again.

    Args:
        picture: The picture.
        face: The face, as it was found.
        detect: Finds the faces of a picture.
    """
    if face.score >= CLEAR:
        return False
    length = AROUND * face.side
    corner = tuple(middle - length / 2 for middle in face.centre)
    around = cut_square(picture, corner, length, AROUND_SIDE, cv2.BORDER_REPLICATE)
    return turned_by(around, detect) > 0


def is_turned(clip: Clip, witness: Witness, leash: Leash = no_leash) -> bool:
    """Tell whether one of a clip's first pictures is turned; one of each second is looked at.

    Args:
        clip: A clip in which no usable face was found.
        witness: What looked for it. Where it saw a certain face, the clip is not looked at again.
        leash: Is asked before each picture.
    """
    if witness.clearest >= CERTAIN or witness.most > MOST_FACES:
        return False
    for frames in islice(clip.seconds(), SECONDS):
        leash()
        try:
            if frames and turned_by(frames[len(frames) // 2].pixels(), witness):
                return True
        except MediaError:
            continue  # a damaged picture says nothing
    return False
