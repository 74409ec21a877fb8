"""Face images of a manifest as the face networks take them, read once and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from clients.errors import ManifestError
from clients.evaluation.manifest import Sample
from training.framing import WIDE, WIDE_SIDE, surroundings
from training.manifest import Manifest, labels_of
from training.networks.face import CROP_SIDE, Shrink, ShrinkColour

log = logging.getLogger(__name__)

#: Pictures that are shrunk at a time; bounds the memory.
CHUNK = 128
PEOPLE_LABELS = ("age", "gender", "corpus")


@dataclass(frozen=True)
class Faces:
    """Small faces and what is known of them; N images.

    Attributes:
        images: uint8 [N,C,S,S]: grey of 48 px, RGB of 112 px, or with surroundings of `WIDE_SIDE`.
        splits: "train", "dev", "test" or "unused" [N].
        labels: Name to values [N]: `emotion` index, or `age` in years, `gender` (1 = female) and
            the name of the `corpus`.
        shares: The side of the square that is served, in parts of the image's [N].
    """

    images: np.ndarray
    splits: np.ndarray
    labels: dict[str, np.ndarray]
    shares: np.ndarray

    def part(self, *splits: str) -> Faces:
        """Keep the given splits."""
        keep = np.isin(self.splits, splits)
        labels = {name: values[keep] for name, values in self.labels.items()}
        return Faces(self.images[keep], self.splits[keep], labels, self.shares[keep])

    def tensor(self) -> Tensor:
        """All images as the network takes them, but for their type: uint8 [N,C,S,S]."""
        return torch.from_numpy(self.images)


def emotion_faces(manifest: Manifest, folder: Path) -> Faces:
    """Grey faces whose emotion is known; `folder` keeps their images for the next run.

    Raises:
        ManifestError: A split lacks an emotion, or an image cannot be read.
    """
    manifest.require("face", "emotion")
    rows = manifest.having("face", "emotion")
    return _faces(rows, ("emotion",), folder / "emotion.npz", Shrink())


def people_faces(manifest: Manifest, folder: Path) -> Faces:
    """Colour faces whose age and gender are known; `folder` keeps their images for the next run.

    Raises:
        ManifestError: A split lacks ages or a gender, or an image cannot be read.
    """
    manifest.require("face", "age")
    manifest.require("face", "gender")
    return _faces(_people(manifest), PEOPLE_LABELS, folder / "people.npz", ShrinkColour())


def wide_faces(manifest: Manifest, folder: Path) -> Faces:
    """The faces of `people_faces` in more pixels, with surroundings where their corpus keeps them.

    Raises:
        ManifestError: An image cannot be read.
    """
    rows = _people(manifest)
    has_more = np.array([surroundings(row.face).exists() for row in rows])
    shown = [
        replace(row, face=surroundings(row.face)) if more else row
        for row, more in zip(rows, has_more, strict=True)
    ]
    faces = _faces(shown, PEOPLE_LABELS, folder / "wide.npz", Whole(), WIDE_SIDE)
    return replace(faces, shares=np.where(has_more, 1 / WIDE, 1.0).astype(np.float32))


class Whole(nn.Module):
    """All pixels: uint8 [B,S,S,3] to [B,3,S,S]."""

    def forward(self, crops: Tensor) -> Tensor:
        """Put the colours first."""
        return crops.permute(0, 3, 1, 2).float()


def _people(manifest: Manifest) -> list[Sample]:
    return manifest.having("face", "age", "gender")


def _faces(
    samples: Sequence[Sample],
    names: Sequence[str],
    kept: Path,
    shrink: nn.Module,
    side: int = CROP_SIDE,
) -> Faces:
    labels = labels_of(samples)
    images = _kept_images(samples, kept, shrink, side)
    chosen = {name: labels[name] for name in names}
    return Faces(images, labels["split"], chosen, np.ones(len(images), np.float32))


def _kept_images(samples: Sequence[Sample], path: Path, shrink: nn.Module, side: int) -> np.ndarray:
    """Read the images, or take them from `path` when it was made from the same files."""
    state = _state(samples, type(shrink).__name__)
    if path.exists():
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["state"]) == state:
                return arrays["images"]
        log.info("%s was made from other images and is made again", path)
    images = read_faces(samples, shrink, side)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=images, state=np.array(state))
    return images


def _state(samples: Sequence[Sample], way: str) -> str:
    """Summarise which files there are, their sizes, when they were written and what was done."""
    digest = hashlib.sha256(way.encode())
    for sample in samples:
        stat = sample.face.stat()
        digest.update(f"{sample.face.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def read_faces(samples: Sequence[Sample], shrink: nn.Module, side: int = CROP_SIDE) -> np.ndarray:
    """Read face images and pass them through what serving does before a network.

    Args:
        samples: Rows with a face; N of them.
        shrink: Maps CROPS uint8 [B,side,side,3] to [B,C,S,S] in 0..255.
        side: The side in pixels that every image is brought to.

    Returns:
        uint8 [N,C,S,S].

    Raises:
        ManifestError: A file is not an image; the message names its row.
    """
    parts = []
    for start in tqdm(range(0, len(samples), CHUNK), "faces", unit_scale=CHUNK, disable=None):
        crops = np.stack([_crop(sample, side) for sample in samples[start : start + CHUNK]])
        small = shrink(torch.from_numpy(crops))
        parts.append(small.round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(parts)


def _crop(sample: Sample, side: int) -> np.ndarray:
    """Read an image as the served models take a face: uint8 [side,side,3] RGB."""
    # Not imread, which cannot open every path on every system and prints when it fails.
    data = np.frombuffer(sample.face.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ManifestError(f"{sample.where}: face {sample.face} is not an image")
    resized = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)
