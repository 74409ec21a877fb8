"""Train the speech network's heads: `python -m training.speech --data DIR`.

See `training/whisper.py` for the four wheels that `--whisper` must hold. What the encoder hears is
computed once and kept; the heads take minutes.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from training import command, metrics
from training.contract import EMOTIONS
from training.fit import Schedule, fit, here, keep
from training.manifest import UNKNOWN
from training.networks.speech import AGE_CENTRE, AGE_SCALE, Heads
from training.pictures import draw_confusions
from training.speech_data import Windows, cached_windows

log = logging.getLogger(__name__)

SCHEDULE = Schedule(epochs=6, batch=384, rate=1.3e-3, decay=0.05, bfloat16=True)
#: What is added to the logits of emotions that a clip's corpus never holds. Minus infinity would
#: leave them free to win, nothing would teach that Koreans are never afraid.
ABSENT = -1.0
#: The age's share of the loss, and a child's part in it. A third of the speakers of known age are
#: under 13; a voice that says little of its age would be read as between theirs and the adults'.
AGE_WEIGHT, CHILD_SHARE, CHILD_YEARS = 0.3, 0.3, 13.0
#: How much of a clip's share in training its windows get by their voice; the rest they get alike.
VOICE_SHARE = 0.7


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
    return here(masks[windows.clips])


def clip_predictions(
    network: Heads, windows: Windows, indices: np.ndarray
) -> dict[str, np.ndarray]:
    """Average the windows' posteriors and ages over each clip, weighted by their voice.

    Returns:
        `clip` [C], `emotion` [C,7], `age` [C], `gender` [C,2].
    """
    with torch.no_grad():
        outputs = network(here(windows.heard(indices)))
    values = (outputs[1].softmax(-1), outputs[2], outputs[3].softmax(-1))
    clips, slots = np.unique(windows.clips[indices], return_inverse=True)
    voice = windows.voice[indices].astype(float)
    counts = np.bincount(slots, voice)[:, None]
    means = []
    for value in values:
        total = np.zeros((len(clips), value.shape[1]))
        np.add.at(total, slots, value.numpy(force=True) * voice[:, None])
        means.append(total / counts)
    return {"clip": clips, "emotion": means[0], "age": means[1][:, 0], "gender": means[2]}


def recalls(network: Heads, windows: Windows, split: str) -> dict[str, float]:
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
    """How often to draw each training window.

    Corpora and emotions count by the root of their number; of a clip, windows with little voice are
    drawn less, as they count less.
    """
    clips, voice = windows.clips[train], windows.voice[train]
    names = np.char.add(windows.label("corpus")[train], windows.label("emotion")[train].astype(str))
    _, kinds, counts = np.unique(names, return_inverse=True, return_counts=True)
    known = windows.label("emotion")[train] != UNKNOWN
    alike = 1 / np.bincount(clips)[clips]
    by_voice = voice / np.bincount(clips, voice)[clips]
    shares = counts[kinds] ** -0.5 * (VOICE_SHARE * by_voice + (1 - VOICE_SHARE) * alike)
    return here(np.where(known, shares, 0.3 * shares))


def train_network(windows: Windows, options: argparse.Namespace, folder: Path) -> Heads:
    """Train the heads on `train` and its disturbed copies, watching `dev`."""
    torch.manual_seed(options.seed)
    network = Heads()
    train = windows.of("train", disturbed=True)
    heard = here(windows.heard(train))
    network.standardise_by(heard)
    emotions, genders, ages = (
        here(windows.label(name)[train]) for name in ("emotion", "gender", "age")
    )
    masks, shares = class_masks(windows)[train], evenness(windows, train)

    def loss(indices: Tensor) -> Tensor:
        drawn = torch.multinomial(shares, len(indices), replacement=True)
        _, emotion, years, gender = network(heard[drawn])
        known, aged = emotions[drawn] != UNKNOWN, ~ages[drawn].isnan()
        total = 0.5 * F.cross_entropy(gender, genders[drawn], label_smoothing=0.02)
        if known.any():
            logits = (emotion + masks[drawn])[known]
            total = total + F.cross_entropy(logits, emotions[drawn][known], label_smoothing=0.05)
        if aged.any():
            error = (years.squeeze(1) - ages[drawn])[aged] / AGE_SCALE
            errors = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.3, reduction="none")
            parts = torch.where(ages[drawn][aged] < CHILD_YEARS, CHILD_SHARE, 1.0)
            total = total + AGE_WEIGHT * (errors * parts).mean()
        return total

    schedule = command.scaled(SCHEDULE, options)
    fit(network, len(train), loss, lambda: recalls(network, windows, "dev"), schedule, folder)
    return network


def settle_age(network: Heads, windows: Windows) -> None:
    """Shrink and shift the ages read by the line that fits `dev` best, in absolute error.

    What is read of voices never heard varies more than it knows, and clips of real age of `train`
    and `dev` are all there is to tell by how much.
    """
    guess = clip_predictions(network, windows, windows.of("dev"))
    labels = {name: values[guess["clip"]] for name, values in windows.labels.items()}
    real = ~np.isnan(labels["age"]) & (labels["age_group"] == "")
    true, read = labels["age"][real], guess["age"][real]
    if not real.any():
        return
    counts = np.where(true < CHILD_YEARS, CHILD_SHARE, 1.0)
    shrinks = np.linspace(0, 1, 21)
    shifts = [_weighted_median(true - shrink * read, counts) for shrink in shrinks]
    errors = [
        (counts * np.abs(true - shrink * read - shift)).sum()
        for shrink, shift in zip(shrinks, shifts, strict=True)
    ]
    shrink, shift = shrinks[np.argmin(errors)], shifts[np.argmin(errors)]
    log.info("ages: %.2f of what is read and %.1f years", shrink, shift)
    with torch.no_grad():
        network.age.weight.mul_(shrink)
        network.age.bias.mul_(shrink).add_((shrink * AGE_CENTRE + shift - AGE_CENTRE) / AGE_SCALE)


def _weighted_median(values: np.ndarray, counts: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(counts[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


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
    network = train_network(windows, options, folder)
    settle_age(network, windows)
    keep(network, folder)
    for name, value in recalls(network, windows, "test").items():
        log.info("%s %.4f", name, value)
    _draw(network, windows, folder / "confusion.png")


def _draw(network: Heads, windows: Windows, path: Path) -> None:
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
