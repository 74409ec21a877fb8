"""How sure an answer is, and whether that is enough to name an emotion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: Written by `training.fusion` for the networks beside it; other networks err otherwise.
FILE = Path(__file__).with_name("decision.json")


class Decision(NamedTuple):
    """From where on an emotion is named.

    Attributes:
        error_rate: The share of named emotions that are wrong, at most, where it was measured.
        confidence: The least probability of an emotion that is named.
    """

    error_rate: float
    confidence: float


def read_decision(file: Path = FILE) -> Decision | None:
    """Read what was measured; None where there is no file."""
    if not file.exists():
        return None
    document = json.loads(file.read_text(encoding="utf-8"))
    return Decision(document["error_rate"], document["confidence"])


def conflict(posteriors: Sequence[np.ndarray]) -> float:
    """Say how far posteriors are from each other.

    Args:
        posteriors: Of each modality that is present, [7].

    Returns:
        The generalised Jensen-Shannon divergence (Lin 1991, doi 10.1109/18.61115) with equal
        weights, in units of its maximum, the logarithm of their number: 0 if all are equal or there
        is but one, 1 if each is certain of another emotion.
    """
    if len(posteriors) < 2:
        return 0.0
    spread = _entropy(np.mean(posteriors, axis=0)) - np.mean([_entropy(one) for one in posteriors])
    return float(np.clip(spread / np.log(len(posteriors)), 0.0, 1.0))


def _entropy(posterior: np.ndarray) -> float:
    known = posterior[posterior > 0]
    return float(-(known * np.log(known)).sum())
