"""The data manifest as training reads it: what there is to learn from and to measure.

`clients.evaluation.manifest` reads the file and checks its cells; `training/README.md` lists the
columns. Here every row gets a person, which is its own sentence or file where it names none, and a
split: without any in the file, a fifth of the people is `test`, and of the rest a fifth is `dev`.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clients.errors import ManifestError
from clients.evaluation.manifest import COLUMNS, FILES, GENDERS, MEDIA, Sample
from clients.evaluation.manifest import read_manifest as read_samples
from training.contract import EMOTIONS
from training.splits import SPLITS, UNUSED, sentence_name, splits_in_order

#: The index of an emotion or gender that a row does not state.
UNKNOWN = -1
#: Columns that hold one of a few names.
CLASSES = {"emotion": EMOTIONS, "gender": GENDERS}


@dataclass(frozen=True)
class Manifest:
    """All rows of a manifest, in its order; each has a person and a split."""

    path: Path
    samples: tuple[Sample, ...]

    def having(self, *columns: str) -> list[Sample]:
        """Rows that fill all these columns."""
        return [row for row in self.samples if all(row.states(column) for column in columns)]

    def few(self, count: int) -> Manifest:
        """Keep the first `count` rows of each medium, split, emotion and gender."""
        taken: Counter[tuple[object, ...]] = Counter()
        kept = []
        for row in self.samples:
            media = tuple(medium for medium in MEDIA if row.states(medium))
            kind = (media, row.split, row.emotion, row.gender, row.states("age"))
            taken[kind] += 1
            if taken[kind] <= count:
                kept.append(row)
        return Manifest(self.path, tuple(kept))

    def require(self, medium: str, label: str) -> None:
        """Check that a network can be trained and measured on a label.

        Args:
            medium: The column that the network reads, e.g. "face".
            label: "emotion" or "gender", of which each split must hold each class, or "age".

        Raises:
            ManifestError: A split lacks a class, or the label altogether.
        """
        rows = self.having(medium, label)
        for split in SPLITS:
            found = {getattr(row, label) for row in rows if row.split == split}
            classes = CLASSES.get(label, ())
            missing = [name for name in classes if name not in found]
            if missing or not found:
                raise ManifestError(
                    f"{self.path}: the rows with {medium} in split {split} have no {label} "
                    f"{', '.join(missing)}".rstrip()
                    + f"; train, dev and test each need {'every one' if classes else 'some'}"
                )


def labels_of(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Put the labels of N rows into arrays [N], by column name.

    Emotions and genders are indices in code order, `UNKNOWN` where a row does not state one; ages
    are years in float32, NaN likewise. All other columns are strings.
    """
    names = ("person", "age_group", "split", "script", "corpus")
    labels = {column: np.array([getattr(row, column) for row in samples]) for column in names}
    for column, classes in CLASSES.items():
        index = {name: number for number, name in enumerate(classes)} | {"": UNKNOWN}
        labels[column] = np.array([index[getattr(row, column)] for row in samples])
    ages = [np.nan if row.age is None else row.age for row in samples]
    return labels | {"age": np.array(ages, np.float32)}


def votes_of(samples: Sequence[Sample]) -> np.ndarray:
    """Share of the raters that chose each emotion, float32 [N,7]; zeros where nobody was asked.

    Raises:
        ManifestError: A cell is not a list like "anger:2 neutral:3".
    """
    votes = np.zeros((len(samples), len(EMOTIONS)), np.float32)
    for place, row in zip(votes, samples, strict=True):
        for vote in row.votes.split():
            name, _, count = vote.partition(":")
            if name not in EMOTIONS or not count.isdecimal():
                raise ManifestError(
                    f"{row.where}: votes: expected emotions with counts like 'anger:2 neutral:3', "
                    f"found {row.votes!r}"
                )
            place[EMOTIONS.index(name)] += int(count)
    return votes / votes.sum(1, keepdims=True).clip(min=1)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, check every cell, and split it by person when it has no splits.

    Raises:
        ManifestError: The file cannot be read, a cell does not hold what its column is for, a file
            is missing, or a person is in two splits.
    """
    samples = [replace(row, person=row.person or _item(row)) for row in read_samples(path)]
    if not any(row.split for row in samples):
        samples = split_by_person(samples)
    _check_splits(samples)
    return Manifest(path, tuple(samples))


def write_manifest(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows by column name; an older file stays until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def row_of(sample: Sample, folder: Path) -> dict[str, object]:
    """Turn a sample into a row of a manifest in `folder`."""
    row: dict[str, object] = {column: getattr(sample, column) for column in COLUMNS}
    for column in FILES:
        row[column] = relative(row[column], folder) if row[column] else ""
    return row | {"age": "" if sample.age is None else f"{sample.age:g}"}


def relative(path: Path, folder: Path) -> str:
    """Name a file from a manifest's folder, with links followed, so that `..` leads back."""
    return os.path.relpath(path.resolve(), folder.resolve())


def split_by_person(samples: Sequence[Sample]) -> list[Sample]:
    """Split evenly over media, corpora, genders and emotions; a person stays in one piece."""
    people: dict[str, list[Sample]] = {}
    for row in samples:
        people.setdefault(row.person, []).append(row)
    splits = splits_in_order({person: _kind(rows) for person, rows in people.items()})
    return [replace(row, split=splits[row.person]) for row in samples]


def _kind(rows: Sequence[Sample]) -> tuple[object, ...]:
    """Describe a person by what splits should hold evenly."""
    media = tuple(medium for medium in MEDIA if any(row.states(medium) for row in rows))
    emotions = tuple(sorted({row.emotion for row in rows}))
    return media, rows[0].corpus, rows[0].gender, emotions


def _item(row: Sample) -> str:
    """Name a row without a person by what it brings; equal sentences share a name."""
    file = next((cell for cell in row.media[1:] if cell), "")
    return f"file {file}" if file else f"sentence {sentence_name(row.text)}"


def _check_splits(samples: Sequence[Sample]) -> None:
    """Check that every row has a split that training knows, and that nobody is in two."""
    first: dict[str, Sample] = {}
    for row in samples:
        if not row.split:
            raise ManifestError(f"{row.where}: split is empty, expected one in all rows or in none")
        if row.split == UNUSED:
            continue
        if row.split not in SPLITS:
            raise ManifestError(
                f"{row.where}: split: expected {', '.join(SPLITS)}, {UNUSED} or nothing, "
                f"found {row.split!r}"
            )
        earlier = first.setdefault(row.person, row)
        if earlier.split != row.split:
            raise ManifestError(
                f"{row.where}: {row.person!r} is in split {row.split}, but in {earlier.split} in "
                f"{earlier.where}"
            )
