"""Three-way splits, so that fusion learns from data that the unimodal networks never trained on.

`train` fits the unimodal networks, `dev` tunes them and fits fusion, `test` is only measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable

import numpy as np

SPLITS = ("train", "dev", "test")


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


def splits_by_rank(groups: dict[str, Hashable]) -> dict[str, str]:
    """Split few names evenly: in each group a fifth (at least one) for `test`, likewise `dev`.

    Args:
        groups: Name to the group it belongs to, e.g. speaker to corpus and gender.

    Returns:
        Name to split.
    """
    result = {}
    for group in set(groups.values()):
        names = sorted(name for name, its in groups.items() if its == group)
        names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        share = max(1, len(names) // 5)
        for rank, name in enumerate(names):
            result[name] = SPLITS[2 - min(rank // share, 2)]
    return result
