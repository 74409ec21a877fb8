"""Photographs of faces for the quality network: read, found, split, and kept as grey squares."""

from __future__ import annotations

import csv
import io
import logging
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.mtcnn import OutputNet, flatten_by_column, installed_weights, probability_of
from training.quality_data import BOX, SIDE, Originals
from training.splits import ALIKE, split_of, thumbnails

log = logging.getLogger(__name__)

#: The least probability at which O-net's box is believed.
LEAST_PROBABILITY = 0.7
#: O-net's input in pixels, and how often it looks: each time at the box that it found before.
ONET_SIDE, LOOKS = 48, 2
#: How far from the photograph's edges a box may reach, in parts of its longer side.
BORDER = 0.3
DEV, TEST = 0.15, 0.2
#: Faces with hair and neck or without: where the box is, as centre and side in parts of the width.
BOXES = {
    "aaf": (0.488, 0.583, 0.75),
    "utkface": (0.481, 0.431, 1.089),
    "fer2013": (0.48, 0.45, 1.06),
}


@dataclass(frozen=True)
class Photograph:
    """A picture of one face.

    Attributes:
        name: What it is split by; each photograph shows another person.
        corpus: The data set, a key of `BOXES`.
        pixels: RGB uint8 [height, width, 3].
    """

    name: str
    corpus: str
    pixels: NDArray[np.uint8]


class LandmarkNet(OutputNet):
    """O-net with the landmarks that serving does without."""

    def __init__(self) -> None:
        super().__init__()
        self.dense6_3 = torch.nn.Linear(256, 10)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map pixels [n,48,48,3] to probabilities [n], offsets [n,4] and landmarks [n,5,2]."""
        hidden = self.pool(
            self.prelu1(self.conv1(self.normalise(pixels.permute(0, 3, 1, 2).float())))
        )
        hidden = self.pool(self.prelu2(self.conv2(hidden)))
        hidden = self.prelu4(self.conv4(self.pool3(self.prelu3(self.conv3(hidden)))))
        hidden = self.prelu5(self.dense5(flatten_by_column(hidden)))
        landmarks = self.dense6_3(hidden).reshape(-1, 2, 5).transpose(1, 2)
        return probability_of(self.dense6_1(hidden)), self.dense6_2(hidden), landmarks


def open_landmark_net() -> LandmarkNet:
    """Load the weights of the installed facenet-pytorch."""
    network = LandmarkNet()
    network.load_state_dict(torch.load(installed_weights() / "onet.pt", weights_only=True))
    return network.eval()


def photographs(data: Path, most: int) -> Iterator[Photograph]:
    """Read `faces/aaf.zip`, `faces/utkface.zip` and `faces/fer2013.npz`, those that are there.

    Args:
        data: The data folder.
        most: How many of each are read at most, drawn at random: the sets are sorted by age.
    """
    for corpus in ("aaf", "utkface"):
        path = data / "faces" / f"{corpus}.zip"
        if path.exists():
            yield from _archive(path, corpus, most)
    path = data / "faces" / "fer2013.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as arrays:
            images = arrays["images"]
            for index in drawn(len(images), most):
                enlarged = cv2.resize(images[index], (96, 96), interpolation=cv2.INTER_CUBIC)
                pixels = cv2.cvtColor(enlarged, cv2.COLOR_GRAY2RGB)
                yield Photograph(str(index), "fer2013", pixels)


def drawn(count: int, most: int) -> NDArray[np.intp]:
    """Draw at most so many of the numbers below `count`, the same ones every time."""
    return np.random.default_rng(0).permutation(count)[:most]


def _archive(path: Path, corpus: str, most: int) -> Iterator[Photograph]:
    with zipfile.ZipFile(path) as archive:
        with archive.open("labels.csv") as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
        for row in (rows[index] for index in drawn(len(rows), most)):
            image = cv2.imdecode(
                np.frombuffer(archive.read(row["path"]), np.uint8), cv2.IMREAD_COLOR
            )
            pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            yield Photograph(f"faces/{corpus[:3]}/{row['path']}", corpus, pixels)


def keep_faces(
    data: Path, path: Path, most: int, few: int | None = None
) -> tuple[Originals, NDArray[np.str_]]:
    """Find the faces of the photographs once; take them from `path` afterwards.

    Args:
        data: The data folder.
        path: The file that keeps them.
        most: How many photographs of a corpus are read at most.
        few: How many instead, to try the command.

    Returns:
        The faces [N], and "train", "dev", "test" or "unused" of each [N].
    """
    if not path.exists():
        _find_faces(data, path, few or most)
    with np.load(path, allow_pickle=False) as arrays:
        originals = Originals(arrays["pictures"], arrays["inside"], arrays["landmarks"])
        return originals, arrays["splits"]


def _find_faces(data: Path, path: Path, most: int) -> None:
    network, kept = open_landmark_net(), []
    source = photographs(data, most)
    while batch := list(islice(source, 64)):
        kept += _squares(network, batch)
    names, pictures, inside, landmarks = zip(*kept, strict=True)
    pictures = np.array(pictures)
    splits = np.array([split_of(name, DEV, TEST) for name in names])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        pictures=pictures,
        inside=np.array(inside),
        landmarks=np.array(landmarks, np.float32),
        splits=without_copies(pictures, splits),
    )


def _squares(network: LandmarkNet, batch: list[Photograph]) -> list[tuple]:
    """Find each photograph's box; return names, grey squares, their masks and landmarks."""
    framed, boxes = [], []
    for photograph in batch:
        height, width = photograph.pixels.shape[:2]
        border = round(BORDER * max(height, width))
        colour = np.median(photograph.pixels.reshape(-1, 3), 0).tolist()
        framed.append(
            cv2.copyMakeBorder(
                photograph.pixels, border, border, border, border, cv2.BORDER_CONSTANT, value=colour
            )
        )
        x, y, side = BOXES[photograph.corpus]
        boxes.append((border + x * width, border + y * height, side * width))
    for _ in range(LOOKS):
        looked = boxes
        probability, boxes, landmarks = _look(network, framed, looked)
    result = []
    for index, photograph in enumerate(batch):
        if probability[index] < LEAST_PROBABILITY:
            continue
        border = (framed[index].shape[0] - photograph.pixels.shape[0]) // 2
        inside = np.zeros(framed[index].shape[:2], np.uint8)
        inside[border:-border, border:-border] = 255
        matrix = _window(boxes[index], SIDE, SIDE / BOX)
        picture = cv2.warpAffine(
            framed[index], matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
        )
        pixels = landmarks[index] @ matrix[:, :2].T + matrix[:, 2]
        result.append(
            (
                photograph.name,
                cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY),
                cv2.warpAffine(inside, matrix, (SIDE, SIDE)),
                pixels,
            )
        )
    return result


def _window(box: tuple[float, float, float], size: int, wider: float = 1.0) -> NDArray:
    """Return the affine that cuts a square (centre, side), so much wider, to a size in pixels."""
    x, y, side = box
    scale = size / (side * wider)
    corner = size / 2 - 0.5
    return np.array([[scale, 0, corner - x * scale], [0, scale, corner - y * scale]], np.float32)


@torch.no_grad()
def _look(
    network: LandmarkNet, pictures: list[NDArray], boxes: list[tuple[float, float, float]]
) -> tuple[NDArray, list[tuple[float, float, float]], NDArray]:
    """Look at squares; return probabilities, the refined squares and landmarks in pixels."""
    size = (ONET_SIDE, ONET_SIDE)
    cuts = [
        cv2.warpAffine(picture, _window(box, ONET_SIDE), size)
        for picture, box in zip(pictures, boxes, strict=True)
    ]
    answers = [part.numpy() for part in network(torch.from_numpy(np.array(cuts)))]
    refined, places = [], []
    for (x, y, side), offsets, landmarks in zip(boxes, *answers[1:], strict=True):
        left, top, right, bottom = np.array([-0.5, -0.5, 0.5, 0.5]) + offsets
        centre = np.array([x + (left + right) / 2 * side, y + (top + bottom) / 2 * side])
        refined.append((*centre, max(right - left, bottom - top) * side))
        places.append((landmarks - 0.5) * side + np.array([x, y]))
    return answers[0], refined, np.array(places)


def without_copies(pictures: NDArray[np.uint8], splits: NDArray[np.str_]) -> NDArray[np.str_]:
    """Make photographs "unused" of which a near copy is held back.

    Args:
        pictures: Grey squares [N,136,136].
        splits: Theirs [N].

    Returns:
        The splits [N], of which `train` holds no copy of the others and `dev` none of `test`.
    """
    edge = (SIDE - BOX) // 2
    thumbs = thumbnails(picture[edge:-edge, edge:-edge] for picture in pictures)
    splits = splits.astype("U6")
    for name, held in (("train", ("dev", "test")), ("dev", ("test",))):
        others = thumbs[np.isin(splits, held)]
        for index in np.nonzero(splits == name)[0]:
            if len(others) and (others @ thumbs[index]).max() > ALIKE:
                splits[index] = "unused"
    return splits
