"""Train the face networks, emotion and age with gender: `python -m training.face --data DIR`.

The emotion network reads the manifest's rows with a face and an emotion; a part of it is face-api's
as it is (see `training/face_api.py`). With `--start` it goes on from a trained one, by
sharpness-aware minimisation. The other network begins with face-api's weights and reads the rows
with a face, an age and a gender, through squares drawn about the one that serving cuts out.
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
from training.face_data import Faces, emotion_faces, people_faces, wide_faces
from training.face_views import augment, augment_people
from training.fit import Schedule, checkpoint, fit, here
from training.networks.face import AttributeNet, EmotionNet
from training.pictures import draw_confusions

log = logging.getLogger(__name__)

EMOTION_SCHEDULE = Schedule(
    epochs=24, batch=128, rate=0.06, decay=5e-4, optimiser="sgd", bfloat16=True
)
#: What `--start` goes on with.
REFINING_SCHEDULE = replace(EMOTION_SCHEDULE, epochs=7, rate=0.03, uphill=0.08)
#: Share of the earlier network's opinion in the targets of the one that goes on from it.
OWN_SHARE = 0.3
ATTRIBUTE_SCHEDULE = Schedule(
    epochs=9, batch=64, rate=7e-4, decay=0.01, rise=0.15, bfloat16=True, memory=0.998
)
#: Share of the emotions' labels, and of the genders', that is spread over all of them.
SMOOTHING, GENDER_SMOOTHING = 0.1, 0.03
#: Years that weigh as much as one nat of the gender's cross-entropy.
AGE_SCALE = 6.0


def predict(network: torch.nn.Module, faces: Tensor, chunk: int = 256) -> list[np.ndarray]:
    """Run a network over faces [N,C,S,S] in 0..255; returns each of its outputs [N,...]."""
    with torch.no_grad():
        parts = [network(here(faces[i : i + chunk]).float()) for i in range(0, len(faces), chunk)]
    return [torch.cat(output).numpy(force=True) for output in zip(*parts, strict=True)]


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
        network.load_state_dict(checkpoint(start)["network"])
    if expression:
        network.expression.load_state_dict(expression)
    train, dev = faces.part("train"), faces.part("dev")
    images, labels = here(train.tensor()), here(train.labels["emotion"])
    targets = F.one_hot(labels, len(EMOTIONS)) * (1 - SMOOTHING) + SMOOTHING / len(EMOTIONS)
    if start:
        earlier = here(predict(network.eval(), images)[1]).softmax(1)
        targets = OWN_SHARE * earlier + (1 - OWN_SHARE) * targets

    def loss(indices: Tensor) -> Tensor:
        _, logits = network(augment(images[indices]))
        return F.cross_entropy(logits.float(), targets[indices])

    def evaluate() -> dict[str, float]:
        return {"dev_accuracy": emotion_accuracy(network, dev)}

    fit(network, len(images), loss, evaluate, schedule, folder)
    return network


def train_attributes(
    wide: Faces, served: Faces, start: dict[str, Tensor] | None, schedule: Schedule, folder: Path
) -> AttributeNet:
    """Train age and gender.

    Args:
        wide: Faces with surroundings, of which `train` is learnt from.
        served: Faces as serving cuts them, of which `dev` is watched.
        start: The weights to begin with; None: random ones.
        schedule: How long and how fast.
        folder: Receives the checkpoints.
    """
    torch.manual_seed(schedule.seed)
    network = AttributeNet().to(memory_format=torch.channels_last)
    if start:
        network.load_state_dict(start)
    train, dev = wide.part("train"), served.part("dev")
    images, shares = here(train.tensor()), here(train.shares)
    ages, genders = here(train.labels["age"]), here(train.labels["gender"])

    def loss(indices: Tensor) -> Tensor:
        faces = augment_people(images[indices], shares[indices])
        years, logits = network(faces.contiguous(memory_format=torch.channels_last))
        error = F.l1_loss(years.float().squeeze(1), ages[indices]) / AGE_SCALE
        return error + F.cross_entropy(
            logits.float(), genders[indices], label_smoothing=GENDER_SMOOTHING
        )

    def evaluate() -> dict[str, float]:
        years, logits = predict(network, dev.tensor())
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
        people, wide = people_faces(manifest, folder), wide_faces(manifest, folder)
        start = None if options.quick else age_gender_state(options.face_api)
        schedule = command.scaled(ATTRIBUTE_SCHEDULE, options)
        network = train_attributes(wide, people, start, schedule, folder / "attributes")
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
