"""Train the face networks, emotion and age with gender: `python -m training.face --data DIR`.

The emotion network reads the manifest's rows with a face and an emotion; the other begins with its
trunk and reads those with a face, an age and a gender.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from training import command, metrics
from training.contract import EMOTIONS
from training.face_data import Faces, emotion_faces, people_faces
from training.fit import Schedule, fit
from training.manifest import GENDERS
from training.networks.face import AGE_SCALE, AttributeNet, EmotionNet
from training.pictures import draw_confusions

log = logging.getLogger(__name__)

EMOTION_SCHEDULE = Schedule(
    epochs=24, batch=128, rate=0.06, decay=5e-4, optimiser="sgd", bfloat16=True
)
ATTRIBUTE_SCHEDULE = Schedule(epochs=12, batch=128, rate=0.04, decay=5e-4, optimiser="sgd")


def augment(faces: Tensor) -> Tensor:
    """Mirror, turn, scale, shift, blur and cover faces [B,1,48,48] at random."""
    count = len(faces)
    angle = torch.randn(count) * 0.12
    # Detectors and laboratory sets crop more tightly, or more loosely, than FER2013.
    scale = torch.exp(torch.empty(count).uniform_(-0.25, 0.15))
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
        return F.cross_entropy(logits.float(), labels[indices], label_smoothing=0.1)

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
    manifest = command.open_data(options)
    if options.only != "attributes":
        faces = emotion_faces(manifest, folder)
        schedule = command.scaled(EMOTION_SCHEDULE, options)
        network = train_emotion(faces, options.start, schedule, folder / "emotion")
        log.info("test accuracy %.4f", emotion_accuracy(network, faces.part("test")))
        _draw(network, faces, "emotion", EMOTIONS, folder / "emotion")
    if options.only != "emotion":
        people = people_faces(manifest, folder)
        start = options.start or folder / "emotion" / "last.pt"
        schedule = command.scaled(ATTRIBUTE_SCHEDULE, options)
        network = train_attributes(people, start, schedule, folder / "attributes")
        _draw(network, people, "gender", GENDERS, folder / "attributes")


def _draw(
    network: torch.nn.Module, faces: Faces, label: str, classes: tuple[str, ...], folder: Path
) -> None:
    """Draw what a network's last output, logits, takes the faces of `dev` and `test` for."""
    parts = {}
    for split in ("dev", "test"):
        part = faces.part(split)
        parts[split] = part.labels[label], predict(network, part.tensor())[-1].argmax(1)
    draw_confusions(folder / "confusion.png", parts, classes)


if __name__ == "__main__":
    command.run(main)
