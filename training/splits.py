"""Three-way splits, so that fusion learns from data that the unimodal networks never trained on.

`train` fits the unimodal networks, `dev` tunes them and fits fusion, `test` is only measured.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Hashable, Iterable

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SPLITS = ("train", "dev", "test")
#: The split of what takes no part, such as a known speaker's reading of a script held back.
UNUSED = "unused"
#: Pictures are near-copies when their thumbnails, of so many pixels a side, have a greater cosine.
THUMBNAIL, ALIKE = 16, 0.97
#: So many thumbnails are compared with all others at a time.
_ROWS = 2_000
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


def like_pictures(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Find the near-copies among pictures: one photograph cut, lit, scaled or mirrored otherwise.

    Args:
        pictures: N grey pictures, uint8 [height,width] of any size.

    Returns:
        The index of the first picture of each one's group, int [N], its own where nothing is like
        it; near-copies of near-copies are in the same group.
    """
    plain = thumbnails(pictures)
    mirrored = plain.reshape(-1, THUMBNAIL, THUMBNAIL)[..., ::-1].reshape(plain.shape)
    pairs = [np.empty((2, 0), int)]
    for start in range(0, len(plain), _ROWS):
        for other in (plain, mirrored):
            alike = plain[start : start + _ROWS] @ other[start:].T > ALIKE
            pairs.append(start + np.array(np.nonzero(alike)))
    rows, columns = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(plain), len(plain)))
    _, groups = connected_components(graph, directed=False)
    _, firsts = np.unique(groups, return_index=True)
    return firsts[groups]


def thumbnails(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Shrink grey pictures to rows of mean 0 and length 1, whose products are cosines.

    Returns:
        float32 [N, THUMBNAIL**2].
    """
    size = (THUMBNAIL, THUMBNAIL)
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    rows = np.array(small, np.float32).reshape(-1, THUMBNAIL**2)
    rows -= rows.mean(1, keepdims=True)
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6)


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
