"""Three-way splits, so that fusion learns from data that the unimodal networks never trained on.

`train` fits the unimodal networks, `dev` tunes them and fits fusion, `test` is only measured.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Hashable, Iterable

import numpy as np

SPLITS = ("train", "dev", "test")
#: The split of what takes no part, such as a known speaker's reading of a script held back.
UNUSED = "unused"
_LONG_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)


def sentence_name(text: str) -> str:
    """Name a sentence so that spellings which differ in case, spaces or long runs are one.

    Splits depend on it, so it does not follow the served tokenizer when that changes.
    """
    composed = unicodedata.normalize("NFC", text).lower()
    visible = "".join(" " if unicodedata.category(c) == "Cc" else c for c in composed)
    return _LONG_RUN.sub(r"\1\1", " ".join(visible.split()))


def split_of(name: str, dev: float, test: float) -> str:
    """Place a name by its hash: stable whatever else the data holds.

    Args:
        name: A person, speaker, image or sentence that must not be divided.
        dev: Share of names for `dev`, 0 to 1.
        test: Share of names for `test`, 0 to 1.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < test:
        return "test"
    return "dev" if position < test + dev else "train"


def splits_of(names: Iterable[str], dev: float, test: float) -> np.ndarray:
    """Place each name; returns an array of split names [len(names)]."""
    return np.array([split_of(name, dev, test) for name in names])


def splits_in_order(kinds: dict[str, Hashable], test: int = 5, dev: int = 5) -> dict[str, str]:
    """Split names evenly over their kinds.

    Args:
        kinds: Name to what it is like, e.g. person to gender; like names are spread over splits.
        test: One of so many names is `test`.
        dev: One of so many of the others is `dev`.

    Returns:
        Name to split.
    """
    ordered = _in_order(kinds)
    splits = dict.fromkeys(ordered, "train")
    splits |= dict.fromkeys(ordered[::test], "test")
    rest = [name for name in ordered if splits[name] == "train"]
    return splits | dict.fromkeys(rest[::dev], "dev")


def fold_of(kinds: dict[str, Hashable], folds: int) -> dict[str, int]:
    """Deal names out to folds, like ones to different folds.

    Args:
        kinds: Name to what it is like.
        folds: How many folds there are.

    Returns:
        Name to fold, 0 to folds - 1.
    """
    return {name: rank % folds for rank, name in enumerate(_in_order(kinds))}


def _in_order(kinds: dict[str, Hashable]) -> list[str]:
    """Put like names side by side, and by chance among themselves."""

    def place(name: str) -> tuple[str, bytes]:
        return repr(kinds[name]), hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()

    return sorted(kinds, key=place)
