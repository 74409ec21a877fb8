"""The data manifest: one CSV that says what there is to learn from and to measure.

Its columns, of which any may be missing or empty, and in which every row brings a sentence or a
file at least:

| column | holds |
|---|---|
| text | a sentence |
| speech, face | a recording, a cropped face image: files, relative to the manifest's folder |
| video | likewise a clip, or a folder of frames; only evaluation reads it |
| person | whoever must not be divided between splits; empty: the row's own sentence or file |
| emotion | one of the seven names in `contract.EMOTIONS` |
| age | years |
| age_group | a name for the group when `age` only stands for one, as 32 does for "20-40s" |
| gender | male or female |
| split | train, dev, test or unused; in all rows or in none |
| script | a name for the words when several people speak the same; cross-validation holds it back |
| corpus | a name; a corpus that never holds an emotion does not teach against it |

A manifest without splits is split by person: a fifth is `test`, and of the rest a fifth is `dev`.
"""

from __future__ import annotations

import csv
import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.contract import EMOTIONS, GENDER_CODES
from training.splits import SPLITS, UNUSED, sentence_name, splits_in_order

log = logging.getLogger(__name__)

FILES = ("speech", "video", "face")
MEDIA = ("text", *FILES)
LABELS = ("person", "emotion", "age", "age_group", "gender", "split", "script", "corpus")
COLUMNS = (*MEDIA, *LABELS)
#: The index of an emotion or gender that a row does not state.
UNKNOWN = -1
GENDERS = tuple(GENDER_CODES.values())
OLDEST = 120.0
_CLASSES = {"emotion": EMOTIONS, "gender": GENDERS}


class ManifestError(ValueError):
    """A manifest, or a file that it names, cannot be used; the message says which row and why."""


@dataclass(frozen=True)
class Example:
    """One row.

    Attributes:
        where: The manifest and the row, for messages; the heading is row 1.
        text: The sentence, or empty.
        speech: A recording, or None.
        video: A clip or a folder of frames, or None.
        face: A cropped face image, or None.
        person: Whoever must not be divided between splits; never empty.
        emotion: Index in code order, -1 unknown.
        age: Years, NaN unknown.
        age_group: Not empty when `age` only stands for a group.
        gender: 0 male, 1 female, -1 unknown.
        split: "train", "dev", "test" or "unused".
        script: A name for the words when several people speak the same, or empty.
        corpus: A name, or empty.
    """

    where: str
    text: str
    speech: Path | None
    video: Path | None
    face: Path | None
    person: str
    emotion: int
    age: float
    age_group: str
    gender: int
    split: str
    script: str
    corpus: str

    def states(self, column: str) -> bool:
        """Tell whether the row fills a column."""
        value = getattr(self, column)
        if column in _CLASSES:
            return value != UNKNOWN
        return not math.isnan(value) if column == "age" else bool(value)


@dataclass(frozen=True)
class Manifest:
    """All rows of a manifest, in its order."""

    path: Path
    examples: tuple[Example, ...]

    def having(self, *columns: str) -> list[Example]:
        """Rows that fill all these columns."""
        return [row for row in self.examples if all(row.states(column) for column in columns)]

    def few(self, count: int) -> Manifest:
        """Keep the first `count` rows of each medium, split, emotion and gender."""
        taken: Counter[tuple[object, ...]] = Counter()
        kept = []
        for row in self.examples:
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
            classes = _CLASSES.get(label, ())
            missing = [name for index, name in enumerate(classes) if index not in found]
            if missing or not found:
                raise ManifestError(
                    f"{self.path}: the rows with {medium} in split {split} have no {label} "
                    f"{', '.join(missing)}".rstrip()
                    + f"; train, dev and test each need {'every one' if classes else 'some'}"
                )


def labels_of(examples: Sequence[Example]) -> dict[str, np.ndarray]:
    """Put the labels of N rows into arrays [N], by column name; ages are float32."""
    labels = {column: np.array([getattr(row, column) for row in examples]) for column in LABELS}
    return labels | {"age": labels["age"].astype(np.float32)}


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, check every cell, and split it by person when it has no splits.

    Raises:
        FileNotFoundError: There is no such manifest.
        ManifestError: A cell does not hold what its column is for, a file is missing, or a person
            is in two splits.
    """
    # Excel begins its CSV files with a byte order mark, which "utf-8-sig" passes over.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            rows = list(reader)
        except UnicodeDecodeError as error:
            raise ManifestError(f"{path}: expected UTF-8, {error}") from error
    _check_heading(path, reader.fieldnames or ())
    examples = [_example(path, number, row) for number, row in enumerate(rows, start=2)]
    if not any(row.split for row in examples):
        examples = split_by_person(examples)
    _check_splits(examples)
    return Manifest(path, tuple(examples))


def write_manifest(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows by column name; an older file stays until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def row_of(example: Example, folder: Path) -> dict[str, object]:
    """Turn an example into a row of a manifest in `folder`."""
    row: dict[str, object] = {column: getattr(example, column) for column in COLUMNS}
    for column in FILES:
        row[column] = relative(row[column], folder) if row[column] else ""
    for column, names in _CLASSES.items():
        row[column] = names[row[column]] if example.states(column) else ""
    row["age"] = f"{example.age:g}" if example.states("age") else ""
    return row


def relative(path: Path, folder: Path) -> str:
    """Name a file from a manifest's folder, with links followed, so that `..` leads back."""
    return os.path.relpath(path.resolve(), folder.resolve())


def split_by_person(examples: Sequence[Example]) -> list[Example]:
    """Split evenly over media, corpora, genders and emotions; a person stays in one piece."""
    people: dict[str, list[Example]] = {}
    for row in examples:
        people.setdefault(row.person, []).append(row)
    splits = splits_in_order({person: _kind(rows) for person, rows in people.items()})
    return [replace(row, split=splits[row.person]) for row in examples]


def _kind(rows: Sequence[Example]) -> tuple[object, ...]:
    """Describe a person by what splits should hold evenly."""
    media = tuple(medium for medium in MEDIA if any(row.states(medium) for row in rows))
    emotions = tuple(sorted({row.emotion for row in rows}))
    return media, rows[0].corpus, rows[0].gender, emotions


def _check_heading(path: Path, names: Sequence[str]) -> None:
    if not set(names) & set(MEDIA):
        raise ManifestError(
            f"{path}: the columns are {', '.join(names) or 'missing'}; expected at least one of "
            f"{', '.join(MEDIA)}"
        )
    others = [name for name in names if name not in COLUMNS]
    if others:
        log.warning("%s: ignoring the columns %s", path, ", ".join(others))


def _example(path: Path, number: int, row: Mapping[str | None, str | None]) -> Example:
    where = f"{path}, row {number}"
    # Cells beyond the heading come under None; missing ones are None.
    if row.get(None):
        raise ManifestError(f"{where}: has more cells than the heading; quote cells with commas")
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    if not any(cells[medium] for medium in MEDIA):
        raise ManifestError(f"{where}: {', '.join(MEDIA)} are all empty; expected one at least")
    files = {column: _file(where, path.parent, column, cells[column]) for column in FILES}
    return Example(
        where=where,
        text=cells["text"],
        **files,
        person=cells["person"] or _item(cells),
        emotion=_choice(where, "emotion", cells["emotion"], EMOTIONS),
        age=_years(where, cells["age"]),
        age_group=cells["age_group"],
        gender=_choice(where, "gender", cells["gender"], GENDERS),
        split=_split(where, cells["split"]),
        script=cells["script"],
        corpus=cells["corpus"],
    )


def _item(cells: Mapping[str, str]) -> str:
    """Name a row without a person by what it brings; equal sentences share a name."""
    file = next((cells[column] for column in FILES if cells[column]), "")
    return f"file {file}" if file else f"sentence {sentence_name(cells['text'])}"


def _file(where: str, folder: Path, column: str, cell: str) -> Path | None:
    if not cell:
        return None
    path = folder / cell
    if not path.exists():
        raise ManifestError(f"{where}: {column} is {cell!r}, but there is no file {path}")
    return path


def _choice(where: str, column: str, cell: str, names: Sequence[str]) -> int:
    if not cell:
        return UNKNOWN
    if cell not in names:
        raise ManifestError(f"{where}: {column} is {cell!r}, expected {', '.join(names)} or empty")
    return names.index(cell)


def _years(where: str, cell: str) -> float:
    if not cell:
        return math.nan
    try:
        years = float(cell)
    except ValueError:
        years = math.nan
    if not 0 <= years <= OLDEST:
        raise ManifestError(
            f"{where}: age is {cell!r}, expected years from 0 to {OLDEST:g} or empty"
        )
    return years


def _split(where: str, cell: str) -> str:
    if cell and cell not in (*SPLITS, UNUSED):
        raise ManifestError(
            f"{where}: split is {cell!r}, expected {', '.join(SPLITS)}, {UNUSED} or empty"
        )
    return cell


def _check_splits(examples: Sequence[Example]) -> None:
    """Check that every row has a split and that nobody is in two."""
    first: dict[str, Example] = {}
    for row in examples:
        if not row.split:
            raise ManifestError(f"{row.where}: split is empty, expected one in all rows or in none")
        if row.split == UNUSED:
            continue
        earlier = first.setdefault(row.person, row)
        if earlier.split != row.split:
            raise ManifestError(
                f"{row.where}: {row.person!r} is in split {row.split}, but in {earlier.split} in "
                f"{earlier.where}"
            )
