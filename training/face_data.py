"""Face images of a manifest as the face networks take them, read once and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from clients.errors import ManifestError
from clients.evaluation.manifest import Sample
from training.manifest import Manifest, labels_of
from training.networks.face import CROP_SIDE, Shrink, ShrinkColour

log = logging.getLogger(__name__)

#: Pictures that are shrunk at a time; bounds the memory.
CHUNK = 128


@dataclass(frozen=True)
class Faces:
    """Small faces and what is known of them; N images.

    Attributes:
        images: uint8 [N,C,S,S]: grey of 48 px or RGB of 112 px.
        splits: "train", "dev" or "test" [N].
        labels: Name to values [N]: `emotion` index, or `age` in years and `gender` (1 = female).
    """

    images: np.ndarray
    splits: np.ndarray
    labels: dict[str, np.ndarray]

    def part(self, *splits: str) -> Faces:
        """Keep the given splits."""
        keep = np.isin(self.splits, splits)
        labels = {name: values[keep] for name, values in self.labels.items()}
        return Faces(self.images[keep], self.splits[keep], labels)

    def tensor(self) -> Tensor:
        """All images as the network takes them, but for their type: uint8 [N,C,S,S]."""
        return torch.from_numpy(self.images)


def emotion_faces(manifest: Manifest, folder: Path) -> Faces:
    """Grey faces whose emotion is known; `folder` keeps their images for the next run.

    Raises:
        ManifestError: A split lacks an emotion, or an image cannot be read.
    """
    manifest.require("face", "emotion")
    return _faces(
        manifest.having("face", "emotion"), ("emotion",), Shrink(), folder / "emotion.npz"
    )


def people_faces(manifest: Manifest, folder: Path) -> Faces:
    """Colour faces whose age and gender are known; `folder` keeps their images for the next run.

    Raises:
        ManifestError: A split lacks ages or a gender, or an image cannot be read.
    """
    manifest.require("face", "age")
    manifest.require("face", "gender")
    people = manifest.having("face", "age", "gender")
    return _faces(people, ("age", "gender"), ShrinkColour(), folder / "people.npz")


def _faces(samples: Sequence[Sample], names: Sequence[str], shrink: nn.Module, kept: Path) -> Faces:
    labels = labels_of(samples)
    images = _kept_images(samples, shrink, kept)
    return Faces(images, labels["split"], {name: labels[name] for name in names})


def _kept_images(samples: Sequence[Sample], shrink: nn.Module, path: Path) -> np.ndarray:
    """Read the images, or take them from `path` when it was made from the same files."""
    state = _state(samples, type(shrink).__name__)
    if path.exists():
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["state"]) == state:
                return arrays["images"]
        log.info("%s was made from other images and is made again", path)
    images = served_faces(samples, shrink)
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


def served_faces(samples: Sequence[Sample], shrink: nn.Module) -> np.ndarray:
    """Read face images and pass them through what serving does before a network.

    Args:
        samples: Rows with a face; N of them.
        shrink: Maps CROPS [B,224,224,3] to [B,C,S,S] in 0..255.

    Returns:
        uint8 [N,C,S,S].

    Raises:
        ManifestError: A file is not an image; the message names its row.
    """
    parts = []
    for start in tqdm(range(0, len(samples), CHUNK), "faces", unit_scale=CHUNK, disable=None):
        crops = np.stack([_crop(sample) for sample in samples[start : start + CHUNK]])
        small = shrink(torch.from_numpy(crops))
        parts.append(small.round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(parts)


def _crop(sample: Sample) -> np.ndarray:
    """Read an image as the served models take a face: uint8 [224,224,3] RGB."""
    # Not imread, which cannot open every path on every system and prints when it fails.
    data = np.frombuffer(sample.face.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ManifestError(f"{sample.where}: face {sample.face} is not an image")
    resized = cv2.resize(image, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)
