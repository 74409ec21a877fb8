"""Cross-validate the speech network: `python -m training.speech_folds --data DIR`.

Speakers are few, and figures on a handful of them are chance. So as many networks are trained as
there are folds, each by the recipe of `training.speech` and without one fold of the speakers, who
are then what it is measured on. Where several people speak the same scripts, one fold of these is
held back as well, and counts only when held-back speakers read it. What is served is not measured
here.
"""

from __future__ import annotations

import dataclasses
import logging
from argparse import Namespace
from pathlib import Path

import numpy as np

from training import command
from training.report import VoiceAnswers, voice_rows, write_table
from training.speech import clip_predictions, parser, train_network
from training.speech_data import Windows, cached_windows
from training.splits import UNUSED, fold_of

log = logging.getLogger(__name__)


def fold_splits(labels: dict[str, np.ndarray], folds: int, fold: int, scripts: int) -> np.ndarray:
    """Split clips for one network: "train", "dev" (held back) or "unused" [C].

    Args:
        labels: One value a clip, as `manifest.labels_of` gives them.
        folds: How many folds there are.
        fold: The fold of the speakers that are held back.
        scripts: The fold of the scripts that are held back.
    """
    speaker_fold = fold_of(_kinds(labels, "person", ("corpus", "gender", "age_group")), folds)
    script_fold = fold_of(_kinds(labels, "script", ("corpus",)), folds)
    held = np.array([speaker_fold[name] == fold for name in labels["person"]])
    scripted = labels["script"] != ""
    held_script = np.array([script_fold[name] == scripts for name in labels["script"]])
    splits = np.where(held, "dev", "train")
    return np.where(scripted & (held != held_script), UNUSED, splits)


def _kinds(
    labels: dict[str, np.ndarray], column: str, alike: tuple[str, ...]
) -> dict[str, tuple[object, ...]]:
    """Describe each value of a column by what the folds should hold evenly."""
    kinds = {}
    for name in np.unique(labels[column]):
        rows = labels[column] == name
        same = tuple(str(labels[other][rows][0]) for other in alike)
        kinds[str(name)] = (*same, tuple(np.unique(labels["emotion"][rows]).tolist()))
    return kinds


def cross_validate(options: Namespace, windows: Windows, folder: Path) -> VoiceAnswers:
    """Train the networks of all folds and gather what each says of those it has not heard."""
    answers = []
    for turn in range(options.turns):
        for fold in range(options.folds):
            scripts = (fold + turn) % options.folds
            splits = fold_splits(windows.labels, options.folds, fold, scripts)
            part = dataclasses.replace(windows, labels=windows.labels | {"split": splits})
            network = train_network(part, options, folder / f"fold-{turn}-{fold}")
            answers.append(clip_predictions(network, part, part.of("dev")))
    guess = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
    labels = {name: values[guess["clip"]] for name, values in windows.labels.items()}
    return VoiceAnswers(labels, guess)


def main(arguments: list[str] | None = None) -> None:
    """Train, print the table and write it as `folds.json`."""
    options_of = parser(__doc__)
    options_of.add_argument("--folds", type=int, default=5)
    options_of.add_argument(
        "--turns", type=int, default=1, help="rounds through the folds, each with other scripts"
    )
    options = command.start(options_of, arguments)
    folder = options.out / "speech"
    manifest = command.open_data(options)
    windows = cached_windows(manifest, options.whisper, folder, options.quick)
    answers = cross_validate(options, windows, folder)
    median = float(np.nanmedian(windows.labels["age"]))
    write_table(voice_rows(answers, median), folder / "folds.json")


if __name__ == "__main__":
    command.run(main)
