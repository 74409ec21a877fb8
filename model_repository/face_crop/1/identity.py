"""Tells one face from another: descriptors of 128 numbers, near each other for one person."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mtcnn import Face, open_session
from numpy.typing import NDArray
from picture import Picture, cut_square

#: The side of the network's input in pixels.
SIDE = 150
#: The square that is cut: its side, and how far it lies below the centre of MTCNN's box, in longer
#: sides of that box. It was trained on faces cut by the eyes and the mouth; this comes near it.
MARGIN, DROP = 0.9, 0.1

#: [128]; the distance of two is Euclid's.
Descriptor = NDArray[np.float32]


class Identifier:
    """The identity network on one thread; a face takes about as long as the search of a frame."""

    def __init__(self, folder: Path) -> None:
        """Load the network.

        Args:
            folder: Where identity.onnx is.
        """
        self._network = open_session(folder / "identity.onnx")

    def __call__(self, picture: Picture, face: Face) -> Descriptor:
        """Describe a face [128]."""
        x1, y1, x2, y2 = face.box
        length = MARGIN * face.side
        corner = ((x1 + x2 - length) / 2, (y1 + y2 - length) / 2 + DROP * face.side)
        pixels = cut_square(picture, corner, length, SIDE, cv2.BORDER_REPLICATE)
        return self._network.run(["descriptor"], {"pixels": pixels[None]})[0][0]
