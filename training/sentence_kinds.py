"""Kinds of sentences that a corpus mixes, and our own sentences of the kinds that it lacks."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.contract import EMOTIONS

OWN = Path(__file__).with_name("own_sentences.csv")
_POLITE = re.compile(r"(?:요|죠|니다|니까|세요|십시오)[^가-힣]*$")
#: Kind to what a sentence of it is like; one may be of several.
KINDS: dict[str, Callable[[str], object]] = {
    "negated": re.compile(r"(?:^| )(?:안|못) |지(?:는|도|를)? ?(?:않|못|마|말)").search,
    "short": re.compile(".{1,7}").fullmatch,
    "question": re.compile(r"\?").search,
    "polite": _POLITE.search,
    "plain": lambda text: not _POLITE.search(text),
}


class Own(NamedTuple):
    """A sentence of ours.

    Attributes:
        kind: What it tries, e.g. "negation".
        text: As somebody might write it.
        right: The emotions that are right answers; none where only a refusal is.
    """

    kind: str
    text: str
    right: frozenset[str]


def own_sentences() -> Iterator[Own]:
    """Read `own_sentences.csv`, which nothing is learned from and nothing is chosen by."""
    with OWN.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Own(row["kind"], row["text"], _right(row["right"]))


def _right(cell: str) -> frozenset[str]:
    """Read a cell: emotions, `not` and one that is wrong, or `refused`."""
    if cell == "refused":
        return frozenset()
    first, *others = cell.split()
    named = frozenset(others if first == "not" else (first, *others))
    if not named <= set(EMOTIONS):
        raise ValueError(f"{OWN}: expected emotions, 'not' and one, or 'refused', found {cell!r}")
    return frozenset(EMOTIONS) - named if first == "not" else named


def own_figures(answer: Callable[[str], np.ndarray | None]) -> dict[str, tuple[float, int]]:
    """Tell what share of each kind is answered rightly, and how many there are.

    Args:
        answer: Gives a sentence's posterior [7], or None where it is refused.
    """
    held: dict[str, list[bool]] = {}
    for own in own_sentences():
        posterior = answer(own.text)
        name = None if posterior is None else EMOTIONS[int(posterior.argmax())]
        held.setdefault(own.kind, []).append(name in own.right if own.right else name is None)
    return {kind: (float(np.mean(right)), len(right)) for kind, right in held.items()}
