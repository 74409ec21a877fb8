"""Train the face networks: emotion on FER2013, age and gender on UTKFace.

Run `python -m training.face --data DIR --out build/training`. Both data sets are made of single
images without names, so the splits are by image; FER2013 keeps its own validation part as `test`.
"""

from __future__ import annotations

import csv
import io
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from training import command, metrics
from training.fit import Schedule, fit
from training.labels import EMOTION_INDEX
from training.networks.face import (
    AGE_SCALE,
    CROP_SIDE,
    FACE_SIDE,
    AttributeNet,
    EmotionNet,
    Shrink,
)
from training.splits import splits_of

log = logging.getLogger(__name__)

EMOTION_SCHEDULE = Schedule(epochs=12, batch=128, rate=0.06, decay=5e-4, optimiser="sgd")
ATTRIBUTE_SCHEDULE = Schedule(epochs=12, batch=128, rate=0.04, decay=5e-4, optimiser="sgd")


@dataclass(frozen=True)
class Faces:
    """Small grey faces and what is known of them; N images.

    Attributes:
        images: uint8 [N,48,48].
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
        """All images as the trunk takes them: float [N,1,48,48] in 0..255."""
        return torch.from_numpy(self.images).unsqueeze(1).float()


def served_faces(images: list[np.ndarray] | np.ndarray, chunk: int = 128) -> np.ndarray:
    """Pass pictures through what serving does before the trunk.

    Args:
        images: uint8 [H,W,3] RGB or [H,W] grey each.
        chunk: Pictures at a time; bounds the memory.

    Returns:
        uint8 [N,48,48].
    """
    shrink = Shrink()
    faces = np.empty((len(images), FACE_SIDE, FACE_SIDE), np.uint8)
    for start in range(0, len(images), chunk):
        crops = [
            cv2.resize(
                image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB),
                (CROP_SIDE, CROP_SIDE),
                interpolation=cv2.INTER_LINEAR,
            )
            for image in images[start : start + chunk]
        ]
        small = shrink(torch.from_numpy(np.stack(crops))).squeeze(1)
        faces[start : start + chunk] = small.round().clamp(0, 255).to(torch.uint8).numpy()
    return faces


def fer2013(path: Path) -> Faces:
    """Read FER2013; its validation part is `test`, a tenth of the rest `dev`."""
    with np.load(path, allow_pickle=False) as archive:
        images, validation = archive["images"], archive["is_validation"]
        names = [str(name) for name in archive["labels"]]
        emotions = np.array([EMOTION_INDEX[name] for name in names])[archive["emotions"]]
    splits = splits_of((f"fer2013/{index}" for index in range(len(images))), dev=0.1, test=0.0)
    splits[validation] = "test"
    return Faces(served_faces(images), splits, {"emotion": emotions})


def utkface(path: Path) -> Faces:
    """Read UTKFace: 70 % train, 15 % dev, 15 % test, by image."""
    with zipfile.ZipFile(path) as archive:
        with archive.open("labels.csv") as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
        pictures = (np.frombuffer(archive.read(row["path"]), np.uint8) for row in rows)
        images = [cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy() for data in pictures]
    splits = splits_of((f"utkface/{row['path']}" for row in rows), dev=0.15, test=0.15)
    ages = np.array([float(row["age"]) for row in rows], np.float32)
    genders = np.array([int(row["gender"] == "female") for row in rows])
    return Faces(served_faces(images), splits, {"age": ages, "gender": genders})


def cached(read: Callable[[Path], Faces], source: Path, folder: Path) -> Faces:
    """Read a data set once; later runs take its small faces from `folder`."""
    path = folder / f"{read.__name__}.npz"
    if not path.exists():
        faces = read(source)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=faces.images, splits=faces.splits, **faces.labels)
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    return Faces(arrays.pop("images"), arrays.pop("splits"), arrays)


def augment(faces: Tensor) -> Tensor:
    """Mirror, turn, scale, shift, blur and cover faces [B,1,48,48] at random."""
    count = len(faces)
    angle = torch.randn(count) * 0.12
    scale = torch.exp(torch.randn(count) * 0.09)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = torch.randn(count, 2) * 0.07
    affine = torch.stack(
        [
            torch.stack([cosine * mirror, -sine, shift[:, 0]], 1),
            torch.stack([sine * mirror, cosine, shift[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, list(faces.shape), align_corners=False)
    moved = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
    blurred = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    strength = torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < 0.25)
    moved = moved + strength * (blurred - moved)
    gamma = torch.exp(torch.randn(count, 1, 1, 1) * 0.25)
    return _cover(255 * (moved / 255).clamp(min=0) ** gamma)


def _cover(faces: Tensor) -> Tensor:
    """Hide a random rectangle of every third face, as hands, hair and masks do."""
    side = faces.shape[-1]
    middle = torch.rand(len(faces), 2) * side
    half = (0.05 + 0.13 * torch.rand(len(faces), 2)) * side
    half = half * (torch.rand(len(faces), 1) < 0.33)
    pixels = torch.arange(side) + 0.5
    inside = (pixels[None, None] - middle[..., None]).abs() < half[..., None]
    hidden = (inside[:, 0, :, None] & inside[:, 1, None, :]).unsqueeze(1)
    return torch.where(hidden, faces.mean(dim=(2, 3), keepdim=True), faces)


def predict(network: torch.nn.Module, faces: Tensor, chunk: int = 256) -> list[np.ndarray]:
    """Run a network over [N,1,48,48]; returns each of its outputs [N,...]."""
    with torch.no_grad():
        parts = [network(faces[i : i + chunk]) for i in range(0, len(faces), chunk)]
    return [torch.cat(output).numpy() for output in zip(*parts, strict=True)]


def emotion_accuracy(network: EmotionNet, faces: Faces) -> float:
    """Share of faces whose emotion is read right."""
    guess = predict(network, faces.tensor())[1].argmax(1)
    return metrics.accuracy(faces.labels["emotion"], guess)


def train_emotion(faces: Faces, start: Path | None, schedule: Schedule, folder: Path) -> EmotionNet:
    """Train the emotion network on `train`, watching `dev`; `start` is an earlier checkpoint."""
    torch.manual_seed(schedule.seed)
    network = EmotionNet().to(memory_format=torch.channels_last)
    if start:
        network.load_state_dict(torch.load(start, weights_only=True)["network"])
    train, dev = faces.part("train"), faces.part("dev")
    images, labels = train.tensor(), torch.from_numpy(train.labels["emotion"])

    def loss(indices: Tensor) -> Tensor:
        _, logits = network(augment(images[indices]))
        return F.cross_entropy(logits, labels[indices], label_smoothing=0.1)

    def evaluate() -> dict[str, float]:
        return {"dev_accuracy": emotion_accuracy(network, dev)}

    fit(network, len(images), loss, evaluate, schedule, folder)
    return network


def train_attributes(faces: Faces, start: Path, schedule: Schedule, folder: Path) -> AttributeNet:
    """Train age and gender on `train`, watching `dev`, from an emotion checkpoint's trunk."""
    torch.manual_seed(schedule.seed)
    emotion = EmotionNet()
    emotion.load_state_dict(torch.load(start, weights_only=True)["network"])
    network = AttributeNet().to(memory_format=torch.channels_last)
    network.trunk.load_state_dict(emotion.trunk.state_dict())
    train, dev = faces.part("train"), faces.part("dev")
    images = train.tensor()
    ages, genders = (torch.from_numpy(train.labels[name]) for name in ("age", "gender"))
    dev_images = dev.tensor()

    def loss(indices: Tensor) -> Tensor:
        guess, logits = network(augment(images[indices]))
        error = F.smooth_l1_loss(guess.squeeze(1) / AGE_SCALE, ages[indices] / AGE_SCALE, beta=0.1)
        return 2 * error + F.cross_entropy(logits, genders[indices], label_smoothing=0.05)

    def evaluate() -> dict[str, float]:
        guess, logits = predict(network, dev_images)
        return {
            "dev_age_mae": metrics.mean_absolute_error(dev.labels["age"], guess[:, 0]),
            "dev_gender": metrics.accuracy(dev.labels["gender"], logits.argmax(1)),
        }

    fit(network, len(images), loss, evaluate, schedule, folder)
    return network


def main(arguments: list[str] | None = None) -> None:
    """Train both networks, or one; each continues from its last checkpoint."""
    parser = command.parser(__doc__)
    parser.add_argument("--only", choices=("emotion", "attributes"))
    parser.add_argument("--start", type=Path, help="emotion: weights of an earlier training")
    options = command.start(parser, arguments)
    folder = options.out / "face"
    if options.only != "attributes":
        faces = cached(fer2013, options.data / "faces" / "fer2013.npz", folder)
        schedule = command.scaled(EMOTION_SCHEDULE, options)
        network = train_emotion(faces, options.start, schedule, folder / "emotion")
        log.info("test accuracy %.4f", emotion_accuracy(network, faces.part("test")))
    if options.only != "emotion":
        people = cached(utkface, options.data / "faces" / "utkface.zip", folder)
        start = options.start or folder / "emotion" / "last.pt"
        schedule = command.scaled(ATTRIBUTE_SCHEDULE, options)
        train_attributes(people, start, schedule, folder / "attributes")


if __name__ == "__main__":
    main()
