"""What the readers of corpora share: how a layout is known, and how labels and files are read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.errors import ManifestError
from training.contract import EMOTIONS

Row = dict[str, object]
#: Takes the corpus's folder, the manifest's folder, and a count of what is left out by reason.
Read = Callable[[Path, Path, "Counter[str]"], Iterator[Row]]

#: What publishers call the contract's emotions, misspellings included.
SYNONYMS = {
    **{"happy": "happiness", "joy": "happiness"},
    **{"angry": "anger", "sad": "sadness"},
    **{"fearful": "fear", "surprised": "surprise"},
    **{"disqust": "disgust", "dislike": "disgust"},
}


@dataclass(frozen=True)
class Corpus:
    """A corpus as its publisher lays it out.

    Attributes:
        name: What its rows call it.
        needs: What is in its folder, as patterns of `Path.glob`.
        read: Yields its rows, with paths relative to the manifest's folder. All have a `split`, or
            all have a `person` and none has.
    """

    name: str
    needs: tuple[str, ...]
    read: Read

    def missing(self, folder: Path) -> list[str]:
        """Return what a folder lacks to be this corpus."""
        return [need for need in self.needs if next(folder.glob(need), None) is None]


def emotion_of(label: str, left: Counter[str]) -> str:
    """Return the contract's name of a label; empty, and counted, where there is none."""
    name = emotion_named(label)
    if not name:
        left[f"labelled {_plain(label) or 'nothing'}"] += 1
    return name


def emotion_named(label: str) -> str:
    """Give a label its name in the contract; empty when it is none of the seven."""
    name = _plain(label)
    return name if name in EMOTIONS else ""


def _plain(label: str) -> str:
    name = label.strip().lower()
    return SYNONYMS.get(name, name)


def counted(labels: Iterable[str]) -> Counter[str]:
    """Count raters' choices, by the contract's names where it has them."""
    return Counter(name for name in map(_plain, labels) if name)


def winner(votes: Mapping[str, int], left: Counter[str]) -> str:
    """Return the emotion that most raters chose; empty, and counted, where that is no single one.

    Args:
        votes: How many chose what; also what is none of the contract's emotions.
        left: Counts what is left out.
    """
    most = max(votes.values(), default=0)
    leaders = [name for name, count in votes.items() if count == most and most]
    if len(leaders) == 1:
        return emotion_of(leaders[0], left)
    left["without a majority"] += 1
    return ""


def votes_cell(votes: Mapping[str, int]) -> str:
    """Write votes as the manifest holds them: "anger:2 neutral:3"; other labels are left out."""
    return " ".join(f"{name}:{votes[name]}" for name in EMOTIONS if votes.get(name))


def is_there(file: Path, left: Counter[str]) -> bool:
    """Tell whether a file is there; count it where it is not."""
    if not file.is_file():
        left["without a file"] += 1
        return False
    return True


def read_lines(path: Path) -> list[str]:
    """Read a text file in UTF-8 or, as older Korean ones are, in CP949.

    Raises:
        ManifestError: It is neither.
    """
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
    raise ManifestError(f"{path}: expected UTF-8 or CP949, found neither")


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a heading.

    Raises:
        ManifestError: It lacks a column.
    """
    reader = csv.DictReader(read_lines(path))
    heading = [(name or "").strip() for name in reader.fieldnames or ()]
    if missing := [name for name in columns if name not in heading]:
        raise ManifestError(
            f"{path}: expected the columns {', '.join(columns)}; {', '.join(missing)} not found, "
            f"there are {', '.join(heading) or 'none'}"
        )
    reader.fieldnames = heading
    return list(reader)
