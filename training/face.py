"""Train the face networks, emotion and age with gender: `python -m training.face --data DIR`.

The emotion network reads the manifest's rows with a face and an emotion; a part of it is face-api's
as it is (see `training/face_api.py`). With `--start` it goes on from a trained one, by
sharpness-aware minimisation. The other network begins with face-api's weights and reads the rows
with a face, an age and a gender.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from clients.evaluation.manifest import GENDERS
from training import command, metrics
from training.contract import EMOTIONS
from training.face_api import age_gender_state, expression_state
from training.face_data import Faces, emotion_faces, people_faces
from training.fit import Schedule, fit
from training.networks.face import LUMA, AttributeNet, EmotionNet
from training.pictures import draw_confusions

log = logging.getLogger(__name__)

EMOTION_SCHEDULE = Schedule(
    epochs=24, batch=128, rate=0.06, decay=5e-4, optimiser="sgd", bfloat16=True
)
#: What `--start` goes on with.
REFINING_SCHEDULE = replace(EMOTION_SCHEDULE, epochs=7, rate=0.03, uphill=0.08)
#: Share of the earlier network's opinion in the targets of the one that goes on from it.
OWN_SHARE = 0.3
ATTRIBUTE_SCHEDULE = Schedule(epochs=9, batch=64, rate=7e-4, decay=0.01, bfloat16=True)
#: Share of the emotions' labels that is spread over all of them.
SMOOTHING = 0.1
#: Years that weigh as much as one nat of the gender's cross-entropy.
AGE_SCALE = 8.0


def augment(faces: Tensor) -> Tensor:
    """Mirror, turn, scale, shift, blur, light and cover faces at random.

    Args:
        faces: [B,C,S,S] in 0..255, grey (C = 1) or RGB (C = 3).

    Returns:
        float [B,C,S,S] in 0..255.
    """
    moved = _soften(_move(faces.float()))
    if moved.shape[1] > 1:
        moved = _tint(moved)
    gamma = torch.exp(torch.randn(len(moved), 1, 1, 1) * 0.25)
    return _cover(255 * (moved / 255).clamp(0, 1) ** gamma)


def _move(faces: Tensor) -> Tensor:
    """Mirror, turn, scale and shift."""
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
    return F.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _soften(faces: Tensor) -> Tensor:
    """Blur every fourth face, as small and distant ones are: over 3 pixels of 48."""
    width = 2 * (faces.shape[-1] // 32) + 1
    edges = [width // 2] * 4
    blurred = F.avg_pool2d(F.pad(faces, edges, mode="replicate"), width, stride=1)
    count = len(faces)
    strength = torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < 0.25)
    return faces + strength * (blurred - faces)


def _tint(faces: Tensor) -> Tensor:
    """Make every fifth RGB face grey and light the others in another colour."""
    cast = torch.exp(torch.randn(len(faces), 3, 1, 1) * 0.05)
    grey = (faces * torch.tensor(LUMA).reshape(3, 1, 1)).sum(1, keepdim=True)
    is_grey = torch.rand(len(faces), 1, 1, 1) < 0.2
    return torch.where(is_grey, grey.expand_as(faces), faces * cast)


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
    """Run a network over faces [N,C,S,S] in 0..255; returns each of its outputs [N,...]."""
    with torch.no_grad():
        parts = [network(faces[i : i + chunk].float()) for i in range(0, len(faces), chunk)]
    return [torch.cat(output).numpy() for output in zip(*parts, strict=True)]


def emotion_accuracy(network: EmotionNet, faces: Faces) -> float:
    """Share of faces whose emotion is read right."""
    guess = predict(network, faces.tensor())[1].argmax(1)
    return metrics.accuracy(faces.labels["emotion"], guess)


def train_emotion(
    faces: Faces,
    expression: dict[str, Tensor] | None,
    start: Path | None,
    schedule: Schedule,
    folder: Path,
) -> EmotionNet:
    """Train the emotion network on `train`, watching `dev`.

    Args:
        faces: Faces whose emotion is known.
        expression: face-api's expression network, which votes; None leaves it random.
        start: An earlier checkpoint to begin with, whose opinion is learnt beside the labels.
        schedule: How long and how fast.
        folder: Receives the checkpoints.
    """
    torch.manual_seed(schedule.seed)
    network = EmotionNet().to(memory_format=torch.channels_last)
    if start:
        network.load_state_dict(torch.load(start, weights_only=True)["network"])
    if expression:
        network.expression.load_state_dict(expression)
    train, dev = faces.part("train"), faces.part("dev")
    images, labels = train.tensor(), torch.from_numpy(train.labels["emotion"])
    targets = F.one_hot(labels, len(EMOTIONS)) * (1 - SMOOTHING) + SMOOTHING / len(EMOTIONS)
    if start:
        earlier = torch.from_numpy(predict(network.eval(), images)[1]).softmax(1)
        targets = OWN_SHARE * earlier + (1 - OWN_SHARE) * targets

    def loss(indices: Tensor) -> Tensor:
        _, logits = network(augment(images[indices]))
        return F.cross_entropy(logits.float(), targets[indices])

    def evaluate() -> dict[str, float]:
        return {"dev_accuracy": emotion_accuracy(network, dev)}

    fit(network, len(images), loss, evaluate, schedule, folder)
    return network


def train_attributes(
    faces: Faces, start: dict[str, Tensor] | None, schedule: Schedule, folder: Path
) -> AttributeNet:
    """Train age and gender on `train`, watching `dev`; `start` holds the weights to begin with."""
    torch.manual_seed(schedule.seed)
    network = AttributeNet().to(memory_format=torch.channels_last)
    if start:
        network.load_state_dict(start)
    train, dev = faces.part("train"), faces.part("dev")
    images, dev_images = train.tensor(), dev.tensor()
    ages = torch.from_numpy(train.labels["age"]).float()
    genders = torch.from_numpy(train.labels["gender"])

    def loss(indices: Tensor) -> Tensor:
        years, logits = network(augment(images[indices]))
        error = F.l1_loss(years.float().squeeze(1), ages[indices]) / AGE_SCALE
        return error + F.cross_entropy(logits.float(), genders[indices], label_smoothing=0.05)

    def evaluate() -> dict[str, float]:
        years, logits = predict(network, dev_images)
        return {
            "dev_age_mae": metrics.mean_absolute_error(dev.labels["age"], years[:, 0]),
            "dev_gender": metrics.accuracy(dev.labels["gender"], logits.argmax(1)),
        }

    fit(network, len(images), loss, evaluate, schedule, folder)
    return network


def main(arguments: list[str] | None = None) -> None:
    """Train both networks, or one; each continues from its last checkpoint."""
    parser = command.parser(__doc__)
    parser.add_argument("--only", choices=("emotion", "attributes"))
    parser.add_argument("--start", type=Path, help="emotion: checkpoint to refine in another --out")
    parser.add_argument(
        "--face-api", type=Path, default=Path("build/face-api"), help="folder of the npm package"
    )
    options = command.start(parser, arguments)
    folder = options.out / "face"
    manifest = command.open_data(options)
    if options.only != "attributes":
        faces = emotion_faces(manifest, folder)
        expression = None if options.quick else expression_state(options.face_api)
        kind = REFINING_SCHEDULE if options.start else EMOTION_SCHEDULE
        schedule = command.scaled(kind, options)
        network = train_emotion(faces, expression, options.start, schedule, folder / "emotion")
        log.info("test accuracy %.4f", emotion_accuracy(network, faces.part("test")))
        _draw(network, faces, "emotion", EMOTIONS, folder / "emotion")
    if options.only != "emotion":
        people = people_faces(manifest, folder)
        start = None if options.quick else age_gender_state(options.face_api)
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
