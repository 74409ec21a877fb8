"""Context rows of earlier chunks, held against what an answer can have held."""

from __future__ import annotations

import numpy as np
from contract import AGE_YEARS, EMOTIONS, FEATURE_LIMIT
from refusals import InvalidRequestError

#: Far over the rounding of float32, of half precision, and of figures cut to three decimals.
TOLERANCE = 0.01


def check_rows(name: str, rows: np.ndarray, feature_width: int) -> None:
    """Check the values of context rows.

    Args:
        name: The input's name for error texts.
        rows: float32 [n, feature_width + 10]: feature, 7 posteriors, age, [male, female].
        feature_width: Width of the feature.

    Raises:
        InvalidRequestError: A row holds what no answer can have held; names the row, the kind of
            column, and what is expected.
    """
    features, emotion, age, gender = np.split(
        rows, np.cumsum([feature_width, len(EMOTIONS), 1]), axis=1
    )
    _require(name, "a feature", f"within ±{FEATURE_LIMIT:g}", np.abs(features) <= FEATURE_LIMIT)
    _require_posterior(name, "the emotion", emotion)
    low, high = AGE_YEARS
    _require(name, "the age", f"{low:g} to {high:g} years", (age >= low) & (age <= high))
    _require_posterior(name, "the gender", gender)


def _require_posterior(name: str, kind: str, values: np.ndarray) -> None:
    # Comparisons with values that are not finite are false, so they are refused too.
    likely = ((values >= 0) & (values <= 1 + TOLERANCE)).all(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        total = values.sum(axis=1, dtype=np.float64, keepdims=True)
    sure = likely & (np.abs(total - 1) <= TOLERANCE)
    _require(name, kind, "probabilities from 0 to 1 that sum to 1", sure)


def _require(name: str, kind: str, expected: str, holds: np.ndarray) -> None:
    wrong = ~holds.all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidRequestError(
            "past rows", f"{name} row {row}: {kind} is not {expected}, as in an answer's context"
        )
