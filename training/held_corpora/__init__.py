"""Corpora that people hold under their own agreements, read as their publishers lay them out.

`training.corpora` finds them in the data folder by what is in it; nothing has to be renamed. What
is found where, and what a reader takes its labels from, is told in `training/README.md`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from clients.errors import ManifestError
from training.held_corpora import clips, faces, korean
from training.held_corpora.layout import Corpus, Row
from training.splits import split_of, splits_in_order

log = logging.getLogger(__name__)

CORPORA: tuple[Corpus, ...] = (*korean.CORPORA, *faces.CORPORA, *clips.CORPORA)
NAMES = tuple(corpus.name for corpus in CORPORA)
#: How far below the data folder a corpus may lie.
_DEPTH = 2


def found_in(data: Path) -> list[tuple[Corpus, Path]]:
    """Return the corpora that a data folder holds, each with its folder.

    A folder around a corpus may look like it, as patterns go down; the innermost one is meant.
    """
    found = [
        (corpus, folder)
        for folder in _folders(data)
        for corpus in CORPORA
        if not corpus.missing(folder)
    ]
    return [
        (corpus, folder)
        for corpus, folder in found
        if not any(corpus is other and folder in place.parents for other, place in found)
    ]


def corpus_in(folder: Path, name: str) -> Corpus:
    """Return a corpus that a folder should hold.

    Args:
        folder: Where it lies.
        name: One of `NAMES`.

    Raises:
        ManifestError: It is laid out otherwise; the message says what was expected and what came.
    """
    layouts = [corpus for corpus in CORPORA if corpus.name == name]
    for corpus in layouts:
        if not corpus.missing(folder):
            return corpus
    inside = folder.iterdir() if folder.is_dir() else ()
    came = ", ".join(sorted(one.name for one in inside)[:10]) or "nothing"
    expected = "; or ".join(", ".join(corpus.needs) for corpus in layouts)
    missing = ", ".join(layouts[0].missing(folder))
    raise ManifestError(
        f"{folder} is no {name}: expected {expected} in it; {missing} not found; it holds {came}"
    )


def rows_of(
    corpus: Corpus, folder: Path, out: Path, placed: Mapping[str, str] | None = None
) -> list[Row]:
    """Read a corpus, with its splits.

    Official splits are kept; where a corpus has no `dev` of its own, a tenth of `train` is. Without
    official ones every fifth person is `test` and every fifth of the others `dev`.

    Args:
        corpus: What is read.
        folder: Where it lies.
        out: The manifest's folder, which receives what has to be cut out of the corpus's files.
        placed: The splits of people who are in other corpora too.

    Raises:
        ManifestError: Its files are not as expected, or nothing of it can be used.
    """
    left: Counter[str] = Counter()
    rows = [row | {"corpus": corpus.name} for row in corpus.read(folder, out, left)]
    told = ", ".join(f"{count} {reason}" for reason, count in left.most_common())
    if not rows:
        raise ManifestError(
            f"{folder}: no row of {corpus.name} can be used: {told or 'it is empty'}"
        )
    log.info("%s: %d rows of %s; left out: %s", folder, len(rows), corpus.name, told or "none")
    if rows[0].get("split"):
        _add_dev(rows)
    else:
        _split_by_person(rows, placed or {})
    return rows


def _add_dev(rows: list[Row]) -> None:
    if any(row["split"] == "dev" for row in rows):
        return
    for row in rows:
        if row["split"] == "train":
            name = str(row.get("person") or row.get("face") or row.get("speech"))
            row["split"] = split_of(f"{row['corpus']}/{Path(name).name}", dev=0.1, test=0.0)


def _split_by_person(rows: list[Row], placed: Mapping[str, str]) -> None:
    kinds = {str(row["person"]): str(row.get("gender", "")) for row in rows}
    splits = splits_in_order(kinds) | {name: placed[name] for name in kinds if name in placed}
    for row in rows:
        row["split"] = splits[str(row["person"])]


def _folders(data: Path, depth: int = _DEPTH) -> Iterator[Path]:
    if data.is_dir():
        yield data
    if depth and data.is_dir():
        for folder in sorted(one for one in data.iterdir() if one.is_dir()):
            yield from _folders(folder, depth - 1)
