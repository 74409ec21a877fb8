"""What training shows of a face beyond the square that serving cuts out.

A detector, another cutter or a person frames a face otherwise than `face_crop` does. Networks that
learn from many framings of one face need its surroundings: a corpus that has them keeps them beside
the face, `0001.wide.png` beside `0001.png`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training.serving_code import front_end

#: The side of a face with surroundings: as a multiple of the served square's, and in pixels.
WIDE, WIDE_SIDE = 1.6, 176


def surroundings(face: Path) -> Path:
    """Name the file that shows a face with its surroundings."""
    return face.with_suffix(".wide.png")


def cut_wide(portrait: np.ndarray, box_side: float, centre: tuple[float, float]) -> np.ndarray:
    """Cut out a face with surroundings: `WIDE` times the square that serving cuts, around it.

    Args:
        portrait: RGB uint8 [height,width,3]; its edges are repeated beyond it.
        box_side: The longer side of the face's box in pixels.
        centre: The centre of the box in pixels.

    Returns:
        RGB uint8 [WIDE_SIDE,WIDE_SIDE,3].
    """
    moved_inside = front_end("face_crop", "selection").moved_inside
    cut_square = front_end("face_crop", "picture").cut_square
    x, y = (
        moved_inside(middle - box_side / 2, box_side, limit) - (WIDE - 1) / 2 * box_side
        for middle, limit in zip(centre, (portrait.shape[1], portrait.shape[0]), strict=True)
    )
    return cut_square(portrait, (x, y), WIDE * box_side, WIDE_SIDE, cv2.BORDER_REPLICATE)
