"""Face detection with MTCNN's three networks on onnxruntime.

The method is that of Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016: P-net proposes boxes over an image pyramid, R-net and O-net refuse
and refine them. Boxes are `x1, y1, x2, y2` in pixels, half open, and may leave the picture.

Most of the cost is P-net on the pyramid's large levels, where small faces are looked for. A picture
that follows another is therefore searched for faces of the sizes that were there, and as a whole
only when that finds fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from picture import Picture, cut_square, halvings

#: The side of P-net's window and its stride, in pixels of the pyramid's level.
WINDOW = 12
STRIDE = 2
#: Each level of the pyramid has half the area of the one before.
PYRAMID_FACTOR = 0.709
#: As published: the probability from which P-, R- and O-net pass a box on.
THRESHOLDS = (0.6, 0.7, 0.7)
#: The sides of R- and O-net's inputs in pixels.
RNET_SIDE, ONET_SIDE = 24, 48
#: The smallest face that is looked for, as a part of the picture's shorter side: 40 px of 480.
SMALLEST_FACE = 1 / 12
#: The boxes that a level, and all levels together, pass on at most: the most probable ones. Films
#: of one or two people have under 60; textures that were made to look like faces everywhere have
#: tens of thousands, and suppressing overlaps takes their square in time and memory.
MOST_CANDIDATES = 500
#: The sides of P-net's window on the levels that can answer to a face, as parts of the face's side.
#: Wider bounds change neither the faces found nor their probabilities.
ANSWERING_WINDOWS = (0.4, 1.4)


class Face(NamedTuple):
    """A detected face.

    Attributes:
        box: `x1, y1, x2, y2` in pixels of the picture; negative or beyond it where the face is cut.
        score: The probability in 0.7..1 that it is a face.
    """

    box: tuple[float, float, float, float]
    score: float

    @property
    def side(self) -> float:
        """The longer side of the box in pixels."""
        x1, y1, x2, y2 = self.box
        return max(x2 - x1, y2 - y1)

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of the box in pixels."""
        x1, y1, x2, y2 = self.box
        return (x1 + x2) / 2, (y1 + y2) / 2


class Mtcnn:
    """A detector that runs on one thread."""

    def __init__(self, folder: Path) -> None:
        """Load the networks.

        Args:
            folder: Where pnet.onnx, rnet.onnx and onet.onnx are.
        """
        self._pnet, self._rnet, self._onet = (
            open_session(folder / f"{name}.onnx") for name in ("pnet", "rnet", "onet")
        )

    def detect(self, picture: Picture, like: Sequence[Face] = ()) -> list[Face]:
        """Find the faces of a picture, the most probable one first.

        Args:
            picture: The picture.
            like: The faces of an earlier picture. Then only faces of about their sizes are looked
                for, anywhere in the picture; all sizes are when that finds fewer faces.
        """
        if min(picture.shape[:2]) < WINDOW:
            return []
        sizes = halvings(picture, WINDOW)
        scales = pyramid_scales(picture.shape[:2])
        near = [scale for scale in scales if answers_to(scale, like)]
        if near:
            faces = self._search(sizes, near)
            if len(faces) >= len(like):
                return faces
        return self._search(sizes, scales)

    def _search(self, sizes: list[Picture], scales: list[float]) -> list[Face]:
        """Find the faces that the pyramid's levels of these scales propose."""
        boxes = self._propose(sizes, scales)
        boxes, scores, offsets = judge(self._rnet, sizes, boxes, RNET_SIDE, THRESHOLDS[1])
        kept = suppress_overlaps(boxes, scores, 0.7)
        boxes = make_square(refine(boxes[kept], offsets[kept]))
        boxes, scores, offsets = judge(self._onet, sizes, boxes, ONET_SIDE, THRESHOLDS[2])
        boxes = refine(boxes, offsets)
        kept = suppress_overlaps(boxes, scores, 0.7, of_smaller=True)
        return [
            Face(tuple(box), score)
            for box, score in zip(boxes[kept].tolist(), scores[kept].tolist(), strict=True)
        ]

    def _propose(self, sizes: list[Picture], scales: list[float]) -> NDArray[np.float32]:
        """Run P-net over levels of the pyramid; return square boxes [n, 4]."""
        levels = [self._scan(sizes, scale) for scale in scales]
        boxes, scores, offsets = most_probable(
            *(np.concatenate(parts) for parts in zip(*levels, strict=True))
        )
        kept = suppress_overlaps(boxes, scores, 0.7)
        return make_square(refine(boxes[kept], offsets[kept]))

    def _scan(self, sizes: list[Picture], scale: float) -> tuple[NDArray, NDArray, NDArray]:
        """Run P-net on one level; return boxes [n, 4], scores [n] and offsets [n, 4]."""
        height, width = (int(np.ceil(side * scale)) for side in sizes[0].shape[:2])
        source = sizes[halving_for(scale, len(sizes))]
        level = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
        probability, offsets = self._pnet.run(["probability", "offsets"], {"pixels": level[None]})
        rows, columns = np.nonzero(probability[0] >= THRESHOLDS[0])
        corner = np.stack([columns, rows], axis=1) * STRIDE
        boxes = np.concatenate([corner, corner + WINDOW], axis=1).astype(np.float32) / scale
        boxes, scores, offsets = most_probable(
            boxes, probability[0, rows, columns], offsets[0, rows, columns]
        )
        kept = suppress_overlaps(boxes, scores, 0.5)
        return boxes[kept], scores[kept], offsets[kept]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Open a network on one thread that does not spin: instances are the parallelism."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def pyramid_scales(shape: tuple[int, int]) -> list[float]:
    """List the pyramid's scales for a picture (height, width), the largest first."""
    shorter = min(shape)
    scale = WINDOW / max(WINDOW, shorter * SMALLEST_FACE)
    scales = []
    while shorter * scale >= WINDOW:
        scales.append(scale)
        scale *= PYRAMID_FACTOR
    return scales


def answers_to(scale: float, faces: Sequence[Face]) -> bool:
    """Tell whether P-net on the level of a scale can answer to a face of one of these sizes."""
    window = WINDOW / scale
    lowest, highest = ANSWERING_WINDOWS
    return any(lowest * face.side <= window <= highest * face.side for face in faces)


def halving_for(scale: float, count: int) -> int:
    """Choose the halving to shrink from: the smallest that is not smaller than the result.

    What is left is a factor below 2, for which two pixels a side, as bilinear shrinking reads them,
    are enough.
    """
    return min(max(int(-math.log2(scale)), 0), count - 1)


def most_probable(
    boxes: NDArray, scores: NDArray, offsets: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Keep the `MOST_CANDIDATES` most probable of some boxes [n, 4], with what belongs to them."""
    if len(scores) <= MOST_CANDIDATES:
        return boxes, scores, offsets
    kept = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
    return boxes[kept], scores[kept], offsets[kept]


def judge(
    network: onnxruntime.InferenceSession,
    sizes: list[Picture],
    boxes: NDArray,
    side: int,
    threshold: float,
) -> tuple[NDArray, NDArray, NDArray]:
    """Show square boxes [n, 4] to R- or O-net; return those that pass, their scores and offsets."""
    if not len(boxes):
        return boxes, np.empty(0, np.float32), boxes
    patches = np.stack([cut_candidate(sizes, box, side) for box in boxes.tolist()])
    scores, offsets = network.run(["probability", "offsets"], {"pixels": patches})
    passed = scores > threshold
    return boxes[passed], scores[passed], offsets[passed]


def cut_candidate(sizes: list[Picture], box: list[float], side: int) -> Picture:
    """Cut out a square box; black beyond the picture, as the networks were trained."""
    length = max(1.0, box[2] - box[0])
    halving = halving_for(side / length, len(sizes))
    factor = 2**halving
    corner = (box[0] / factor, box[1] / factor)
    x, y, edge = round(corner[0]), round(corner[1]), max(1, round(length / factor))
    height, width = sizes[halving].shape[:2]
    if 0 <= x <= width - edge and 0 <= y <= height - edge:
        # Most candidates: nothing of them is outside.
        patch = sizes[halving][y : y + edge, x : x + edge]
        return cv2.resize(patch, (side, side), interpolation=cv2.INTER_LINEAR)
    return cut_square(
        sizes[halving], corner, length / factor, side, cv2.BORDER_CONSTANT, cv2.INTER_LINEAR
    )


def refine(boxes: NDArray, offsets: NDArray) -> NDArray:
    """Move the sides of boxes [n, 4] by offsets [n, 4], given as parts of each box's size."""
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.tile(size, 2)


def make_square(boxes: NDArray) -> NDArray:
    """Extend boxes [n, 4] around their centres to squares of their longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def suppress_overlaps(
    boxes: NDArray, scores: NDArray, threshold: float, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Non-maximum suppression: drop each box that overlaps a more probable one too much.

    Args:
        boxes: [n, 4].
        scores: [n].
        threshold: The greatest overlap that two kept boxes may have, in 0..1.
        of_smaller: Measure overlap as a part of the smaller box rather than of the union, so that
            a box inside another one is dropped.

    Returns:
        The indices of the kept boxes, the most probable one first.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        return order
    x1, y1, x2, y2 = boxes[order].T
    widths = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    heights = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    shared = np.maximum(widths, 0) * np.maximum(heights, 0)
    areas = np.diagonal(shared)
    whole = np.minimum(areas[:, None], areas) if of_smaller else areas[:, None] + areas - shared
    # A row of bits a box, as a number: the loop is then over plain numbers.
    bits = np.packbits(shared <= threshold * whole, axis=1, bitorder="little")
    compatible = [int.from_bytes(row.tobytes(), "little") for row in bits]
    alive = (1 << len(order)) - 1
    kept = []
    for index, others in enumerate(compatible):
        if alive >> index & 1:
            kept.append(index)
            alive &= others
    return order[kept]
