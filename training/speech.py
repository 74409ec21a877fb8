"""Train the speech network: heads first, then the encoder's upper layers with them.

Run `python -m training.speech --data DIR`; see `training/whisper.py` for the four wheels that
`--whisper` must hold. The frozen layers' states are computed once and kept.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from training import command, metrics
from training.contract import EMOTIONS
from training.fit import Schedule, fit, multiply_fast
from training.manifest import UNKNOWN
from training.networks.speech import AGE_SCALE, FROZEN, LAYERS, Encoder, UpperNet
from training.pictures import draw_confusions
from training.speech_data import Windows, cached_windows
from training.whisper import load_encoder

log = logging.getLogger(__name__)

HEADS_SCHEDULE = Schedule(epochs=12, batch=128, rate=6e-4, decay=0.05)
SCHEDULE = Schedule(epochs=6, batch=32, rate=1e-4, decay=0.05, bfloat16=True)
#: Most windows that an epoch draws, corpora and emotions more evenly than they come.
DRAWN = 2_400
#: What is added to the logits of emotions that a clip's corpus never holds. Minus infinity would
#: leave them free to win, nothing would teach that Koreans are never afraid.
ABSENT = -2.0
#: Fewest of a window's 100 frames that a training step hears.
FEWEST_FRAMES = 70


def class_masks(windows: Windows) -> Tensor:
    """Tell which emotions each window's corpus holds, float [N,7]: 0 held, `ABSENT` never.

    Korean clips have four emotions. Asked to choose among seven, the network would learn from the
    language alone that Koreans are never afraid.
    """
    corpora, emotions = windows.labels["corpus"], windows.labels["emotion"]
    masks = np.zeros((len(corpora), len(EMOTIONS)), np.float32)
    for corpus in np.unique(corpora):
        held = np.isin(np.arange(len(EMOTIONS)), emotions[corpora == corpus])
        masks[corpora == corpus] = np.where(held, 0.0, ABSENT)
    return torch.from_numpy(masks[windows.clips])


def pooled_states(network: UpperNet, windows: Windows, indices: np.ndarray) -> Tensor:
    """States of all layers [len(indices),layers+1,1024]."""
    parts = np.array_split(indices, max(1, len(indices) // 64))
    with torch.no_grad(), multiply_fast():
        return torch.cat([network.pool(*windows.inputs(part)).float() for part in parts])


def clip_predictions(
    network: UpperNet, windows: Windows, indices: np.ndarray
) -> dict[str, np.ndarray]:
    """Average the windows' posteriors and ages over each clip.

    Returns:
        `clip` [C], `emotion` [C,7], `age` [C], `gender` [C,2].
    """
    with torch.no_grad():
        outputs = network.heads(pooled_states(network, windows, indices))
    values = (outputs[1].softmax(-1), outputs[2], outputs[3].softmax(-1))
    clips, slots = np.unique(windows.clips[indices], return_inverse=True)
    counts = np.bincount(slots)[:, None]
    means = []
    for value in values:
        total = np.zeros((len(clips), value.shape[1]))
        np.add.at(total, slots, value.numpy())
        means.append(total / counts)
    return {"clip": clips, "emotion": means[0], "age": means[1][:, 0], "gender": means[2]}


def recalls(network: UpperNet, windows: Windows, split: str) -> dict[str, float]:
    """Emotion UAR by corpus, gender accuracy and age error on a split, by clip."""
    guess = clip_predictions(network, windows, windows.of(split))
    labels = {name: values[guess["clip"]] for name, values in windows.labels.items()}
    row = {}
    for corpus in np.unique(labels["corpus"]):
        known = (labels["corpus"] == corpus) & (labels["emotion"] != UNKNOWN)
        if known.any():
            row[f"{split}_{corpus}_uar"] = metrics.unweighted_recall(
                labels["emotion"][known], guess["emotion"][known].argmax(1)
            )
    row[f"{split}_gender"] = metrics.accuracy(labels["gender"], guess["gender"].argmax(1))
    aged = ~np.isnan(labels["age"])
    if aged.any():
        row[f"{split}_age_mae"] = metrics.mean_absolute_error(
            labels["age"][aged], guess["age"][aged]
        )
    return row


def evenness(windows: Windows, train: np.ndarray) -> Tensor:
    """How often to draw each training window: corpora and emotions by the root of their number."""
    clips = windows.clips[train]
    names = np.char.add(windows.label("corpus")[train], windows.label("emotion")[train].astype(str))
    _, kinds, counts = np.unique(names, return_inverse=True, return_counts=True)
    known = windows.label("emotion")[train] != UNKNOWN
    shares = counts[kinds] ** -0.5 / np.bincount(clips)[clips]
    return torch.from_numpy(np.where(known, shares, 0.3 * shares))


def train_network(
    windows: Windows, layers: nn.ModuleList, options: argparse.Namespace, folder: Path
) -> UpperNet:
    """Train the heads on the pretrained states, then all of `UpperNet`, watching `dev`."""
    torch.manual_seed(options.seed)
    network = UpperNet()
    network.layers.load_state_dict(layers.state_dict())
    network.eval()
    train = windows.of("train", disturbed=True)
    pooled = pooled_states(network, windows, train)
    network.heads.standardise_by(pooled)
    emotions, genders, ages = (
        torch.from_numpy(windows.label(name)[train]) for name in ("emotion", "gender", "age")
    )
    masks, shares = class_masks(windows)[train], evenness(windows, train)

    def loss(drawn: Tensor, outputs: tuple[Tensor, ...]) -> Tensor:
        _, emotion, years, gender = outputs
        known, aged = emotions[drawn] != UNKNOWN, ~ages[drawn].isnan()
        total = 0.5 * F.cross_entropy(gender, genders[drawn], label_smoothing=0.02)
        if known.any():
            logits = (emotion + masks[drawn])[known]
            total = total + F.cross_entropy(logits, emotions[drawn][known], label_smoothing=0.05)
        if aged.any():
            error = (years.squeeze(1) - ages[drawn])[aged] / AGE_SCALE
            total = total + 0.3 * F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.3)
        return total

    def heads_loss(indices: Tensor) -> Tensor:
        drawn = torch.multinomial(shares, len(indices), replacement=True)
        return loss(drawn, network.heads(pooled[drawn]))

    def whole_loss(indices: Tensor) -> Tensor:
        drawn = torch.multinomial(shares, len(indices), replacement=True)
        lower, states = windows.inputs(train[drawn.numpy()])
        frames = int(torch.randint(FEWEST_FRAMES, Encoder.FRAMES + 1, ()))
        first = int(torch.randint(0, Encoder.FRAMES - frames + 1, ()))
        heard = network.pool(lower, states[:, first : first + frames])
        with torch.autocast("cpu", enabled=False):
            return loss(drawn, network.heads(heard.float()))

    def watch() -> dict[str, float]:
        return recalls(network, windows, "dev")

    heads_schedule = command.scaled(HEADS_SCHEDULE, options)
    fit(network.heads, len(train), heads_loss, dict, heads_schedule, folder / "heads")
    drawn = min(DRAWN, len(train))
    fit(network, drawn, whole_loss, watch, command.scaled(SCHEDULE, options), folder / "upper")
    return network


def upper_layers(options: argparse.Namespace) -> nn.ModuleList:
    """Read the encoder's layers that are tuned."""
    return load_encoder(options.whisper, LAYERS, options.quick).layers[FROZEN:]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Build a parser with the options of every command that hears recordings."""
    result = command.parser(description)
    result.add_argument("--whisper", type=Path, default=Path("build/whisper"), help="wheels")
    return result


def main(arguments: list[str] | None = None) -> None:
    """Embed the data if that has not been done, then train and measure."""
    options = command.start(parser(__doc__), arguments)
    folder = options.out / "speech"
    manifest = command.open_data(options)
    windows = cached_windows(manifest, options.whisper, folder, options.quick)
    network = train_network(windows, upper_layers(options), options, folder)
    for name, value in recalls(network, windows, "test").items():
        log.info("%s %.4f", name, value)
    _draw(network, windows, folder / "upper" / "confusion.png")


def _draw(network: UpperNet, windows: Windows, path: Path) -> None:
    """Draw what the clips of `dev` and `test` are taken for."""
    parts = {}
    for split in ("dev", "test"):
        guess = clip_predictions(network, windows, windows.of(split))
        truth = windows.labels["emotion"][guess["clip"]]
        known = truth != UNKNOWN
        parts[split] = truth[known], guess["emotion"][known].argmax(1)
    draw_confusions(path, parts, EMOTIONS)


if __name__ == "__main__":
    command.run(main)
