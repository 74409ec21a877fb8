"""The manifest: a CSV file (UTF-8) with one recording, or part of one, a row, and these columns.

text          a sentence
speech        a sound file
video         a film (its sound is used without `speech`) or a folder of frame images
face          the image of an already cropped face
person        whose recording it is
emotion       happiness, anger, disgust, fear, neutral, sadness or surprise
age           years
gender        male or female
split         any name, to select rows by
corpus        any name, to select rows by; results are also given by corpus

Training reads the same file, and three columns more, age_group, script and votes, which say nothing
here.
Files are relative to the manifest's folder. Any column may be missing and any cell empty, as long
as each row brings text or a file.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clients.containers import cause_of
from clients.contract import EMOTIONS, GENDER_CODES
from clients.errors import ManifestError

logger = logging.getLogger(__name__)

FILES = ("speech", "video", "face")
MEDIA = ("text", *FILES)
GENDERS = tuple(GENDER_CODES.values())
#: Columns whose cells are taken as they are.
NAMES = ("person", "emotion", "gender", "split", "corpus", "age_group", "script", "votes")
COLUMNS = (*MEDIA, *NAMES, "age")
OLDEST = 120.0


@dataclass(frozen=True)
class Sample:
    """One row; an empty cell is None or an empty string.

    Attributes:
        row: Its number; the heading is row 1.
        media: What the cells of MEDIA say, in that order; the same media need to be asked once.
        text: The sentence.
        speech: The sound file.
        video: The film or folder of frames.
        face: The image of a face.
        person: Whose recording it is.
        emotion: One of EMOTIONS.
        age: Years.
        gender: "male" or "female".
        split: A name.
        corpus: A name.
        age_group: A name when `age` only stands for a group.
        script: A name for the words when several people speak the same.
        votes: How many raters chose which emotion, as "anger:2 neutral:3".
        where: The manifest and the row, for messages.
    """

    row: int
    media: tuple[str, ...]
    text: str | None = None
    speech: Path | None = None
    video: Path | None = None
    face: Path | None = None
    person: str = ""
    emotion: str = ""
    age: float | None = None
    gender: str = ""
    split: str = ""
    corpus: str = ""
    age_group: str = ""
    script: str = ""
    votes: str = ""
    where: str = ""

    def states(self, column: str) -> bool:
        """Tell whether the row fills a column."""
        return getattr(self, column) not in (None, "")


def read_manifest(path: Path) -> list[Sample]:
    """Read a manifest and check every cell.

    Raises:
        ManifestError: The file cannot be read, or a cell does not hold what its column is for, or
            names a file that is not there.
    """
    try:
        # Spreadsheets begin a CSV file with a byte order mark, which "utf-8-sig" passes over.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            heading, rows = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"cannot read {path}: {error}") from error
    _check_heading(path, heading)
    if not rows:
        raise ManifestError(f"{path}: has a heading and no rows")
    return [_sample(path, number, cells) for number, cells in enumerate(rows, start=2)]


def select(
    samples: Sequence[Sample],
    split: str | None = None,
    corpora: Sequence[str] = (),
    limit: int | None = None,
) -> list[Sample]:
    """Keep the rows of a split and of some corpora, and of these `limit`, spread evenly.

    Raises:
        ManifestError: Nothing is left; the message says what there would be.
    """
    for column, wanted in (("split", (split,) if split else ()), ("corpus", corpora)):
        there = {getattr(sample, column) for sample in samples}
        for name in wanted:
            if name not in there:
                names = ", ".join(sorted(there - {""})) or "none"
                raise ManifestError(f"no row has {column} {name!r}; the manifest has: {names}")
    kept = [
        sample
        for sample in samples
        if (not split or sample.split == split) and (not corpora or sample.corpus in corpora)
    ]
    if not kept:
        raise ManifestError(f"no row has split {split!r} and corpus {' or '.join(corpora)}")
    if limit is None or limit >= len(kept):
        return kept
    return [kept[index] for index in np.linspace(0, len(kept) - 1, limit).round().astype(int)]


def _check_heading(path: Path, names: Sequence[str]) -> None:
    if not set(names) & set(MEDIA):
        raise ManifestError(
            f"{path}: expected at least one of the columns {', '.join(MEDIA)}, "
            f"found {', '.join(names) or 'none'}"
        )
    others = [name for name in names if name not in COLUMNS]
    if others:
        logger.warning("%s: ignoring the columns %s", path, ", ".join(others))


def _sample(path: Path, number: int, row: Mapping[str | None, str | None]) -> Sample:
    where = f"{path}, row {number}"
    # Cells beyond the heading come under None; missing ones are None.
    if row.get(None):
        raise ManifestError(f"{where}: more cells than the heading; quote cells with commas")
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    if not any(cells[medium] for medium in MEDIA):
        raise ManifestError(f"{where}: expected one of {', '.join(MEDIA)}, all are empty")
    _check_choice(where, "emotion", cells["emotion"], EMOTIONS)
    _check_choice(where, "gender", cells["gender"], GENDERS)
    return Sample(
        row=number,
        media=tuple(cells[medium] for medium in MEDIA),
        text=cells["text"] or None,
        **{column: _file(where, path.parent, column, cells[column]) for column in FILES},
        age=_years(where, cells["age"]),
        **{name: cells[name] for name in NAMES},
        where=where,
    )


def _file(where: str, folder: Path, column: str, cell: str) -> Path | None:
    if not cell:
        return None
    file = folder / cell
    try:
        file.stat()
    except (OSError, ValueError) as error:
        raise ManifestError(f"{where}: {column}: no file {file}: {cause_of(error)}") from error
    return file


def _check_choice(where: str, column: str, cell: str, names: Sequence[str]) -> None:
    if cell and cell not in names:
        raise ManifestError(f"{where}: {column}: expected {', '.join(names)}, found {cell!r}")


def _years(where: str, cell: str) -> float | None:
    try:
        years = float(cell) if cell else None
    except ValueError:
        years = math.nan
    if years is not None and not 0 <= years <= OLDEST:
        raise ManifestError(f"{where}: age: expected years from 0 to {OLDEST:g}, found {cell!r}")
    return years
