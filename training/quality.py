"""Train the network that judges faces: `python -m training.quality --data DIR --drawn FOLDER`.

It learns from photographs that are blurred, covered and redrawn as it goes, and from the pictures
of drawn faces and statues in `FOLDER`: square PNG, 1.7 times as wide as the face's box.
"""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from numpy.typing import NDArray
from torch import Tensor

from training import command
from training.fit import Schedule, fit
from training.networks.quality import OUTPUTS, QualityNet
from training.quality_data import SIDE, Originals, example
from training.quality_faces import keep_faces

log = logging.getLogger(__name__)

SCHEDULE = Schedule(epochs=12, batch=128, rate=3e-3, decay=0.02, bfloat16=True)
#: Photographs of each data set that are used at most.
PHOTOGRAPHS = 4500
QUICK_PHOTOGRAPHS = 24
#: Examples an epoch and to watch.
EXAMPLES, WATCHED = 40_000, 4_000
#: The share of clear faces that may be refused where the outputs are compared.
REFUSED = 0.005


def read_drawn(folder: Path | None) -> NDArray[np.uint8]:
    """Read pictures of drawn faces, shrunk to grey [M,136,136]; every third is for watching."""
    paths = sorted(folder.rglob("*.png")) if folder else []
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    squares = [
        cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures
    ]
    return np.array(squares, np.uint8).reshape(-1, SIDE, SIDE)


def examples(
    originals: Originals, indices: NDArray, drawn: NDArray[np.uint8], count: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Make so many examples of some of the faces: float [count,1,64,64] and targets [count,3]."""
    random = np.random.default_rng(seed)
    chosen = random.permutation(np.resize(random.permutation(indices), count))
    pairs = [example(originals, index, drawn, random) for index in chosen]
    pictures, targets = (np.array(part) for part in zip(*pairs, strict=True))
    return torch.from_numpy(pictures).float().unsqueeze(1), torch.from_numpy(targets)


def known_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Average the cross-entropy over a batch; open targets cost nothing."""
    losses = F.binary_cross_entropy_with_logits(logits, targets.clamp(0), reduction="none")
    return (losses * (targets >= 0)).sum() / len(targets)


def found_shares(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Measure what is found of each fault where `REFUSED` of the clear faces would be refused."""
    clear = (targets == 0).all(1)
    result = {}
    for column, name in enumerate(OUTPUTS):
        bound = torch.quantile(logits[clear, column], 1 - REFUSED)
        faulty = logits[targets[:, column] == 1, column]
        result[f"dev_{name}"] = float((faulty > bound).float().mean())
    return result


def train(
    originals: Originals,
    splits: NDArray[np.str_],
    drawn: NDArray[np.uint8],
    counts: tuple[int, int],
    schedule: Schedule,
    folder: Path,
) -> QualityNet:
    """Train on `train`, watching `dev`; examples are made anew every epoch.

    Args:
        originals: All faces.
        splits: Theirs.
        drawn: Pictures of drawn faces.
        counts: Examples an epoch, and to watch.
        schedule: How long and how fast.
        folder: Receives the checkpoints.
    """
    torch.manual_seed(schedule.seed)
    network = QualityNet().to(memory_format=torch.channels_last)
    train_indices, dev_indices = (np.nonzero(splits == name)[0] for name in ("train", "dev"))
    for_dev = np.arange(len(drawn)) % 3 == 2
    watched, truth = examples(originals, dev_indices, drawn[for_dev], counts[1], schedule.seed)
    made: dict[str, Tensor | int] = {"left": 0}

    def loss(indices: Tensor) -> Tensor:
        if made["left"] < len(indices):
            seed = int(torch.randint(2**31, ()))
            made["pictures"], made["targets"] = examples(
                originals, train_indices, drawn[~for_dev], counts[0], seed
            )
            made["left"] = counts[0]
        made["left"] -= len(indices)
        return known_loss(network(made["pictures"][indices]).float(), made["targets"][indices])

    def evaluate() -> dict[str, float]:
        logits = torch.cat([network(part) for part in watched.split(500)])
        return {"dev_loss": float(known_loss(logits, truth)), **found_shares(logits, truth)}

    fit(network, counts[0], loss, evaluate, schedule, folder)
    return network


def main(arguments: list[str] | None = None) -> None:
    """Train the network; it continues from its last checkpoint."""
    parser = command.parser(__doc__)
    parser.add_argument("--drawn", type=Path, help="folder of PNG pictures of drawn faces, statues")
    options = command.start(parser, arguments)
    folder = options.out / "face"
    few = QUICK_PHOTOGRAPHS if options.quick else None
    originals, splits = keep_faces(options.data, folder / "quality.npz", PHOTOGRAPHS, few)
    counts = (256, 128) if options.quick else (EXAMPLES, WATCHED)
    schedule = command.scaled(SCHEDULE, options)
    train(originals, splits, read_drawn(options.drawn), counts, schedule, folder / "quality")


if __name__ == "__main__":
    command.run(main)
