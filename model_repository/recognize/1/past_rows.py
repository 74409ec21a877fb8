"""Context rows of earlier chunks, held against what an answer can have held."""

from __future__ import annotations

import numpy as np
from contract import (
    AGE_YEARS,
    EMOTIONS,
    FEATURE_LIMIT,
    GENDER_CODES,
    OLD_SPEECH_ROW,
    OLD_VIDEO_ROW,
    PLACE,
    SPEECH_FEATURE,
    SPEECH_ROW,
    VIDEO_FEATURE,
    VIDEO_ROW,
)
from refusals import InvalidRequestError

#: Far over the rounding of float32, of half precision, and of figures cut to three decimals.
TOLERANCE = 0.01
#: No figure of an identity, and no edge of a face in parts of its picture, is farther from 0.
IDENTITY_LIMIT, PLACE_LIMIT = 10.0, 10.0
#: The width of each input's rows, and of those of the schema before.
WIDTHS = {
    "PAST_SPEECH": (SPEECH_ROW, OLD_SPEECH_ROW),
    "PAST_VIDEO": (VIDEO_ROW, OLD_VIDEO_ROW),
}


def current_rows(name: str, rows: np.ndarray) -> np.ndarray:
    """Bring rows of the schema before to this one's width.

    Their windows count in full, and whose their faces are is not known.

    Args:
        name: The input's name.
        rows: float32 [n, w], w one of the input's `WIDTHS`.
    """
    missing = WIDTHS[name][0] - rows.shape[1]
    if not missing:
        return rows
    filling = 1.0 if name == "PAST_SPEECH" else 0.0
    return np.pad(rows, ((0, 0), (0, missing)), constant_values=filling)


def check_rows(name: str, rows: np.ndarray) -> None:
    """Check the values of context rows.

    Args:
        name: The input's name.
        rows: float32 [n, SPEECH_ROW] or [n, VIDEO_ROW]: feature, 7 posteriors, age,
            [male, female], and a window's weight or a face's place and identity.

    Raises:
        InvalidRequestError: A row holds what no answer can have held; names the row, the kind of
            column, and what is expected.
    """
    width = VIDEO_FEATURE if name == "PAST_VIDEO" else SPEECH_FEATURE
    features, emotion, age, gender, rest = np.split(
        rows, np.cumsum([width, len(EMOTIONS), 1, len(GENDER_CODES)]), axis=1
    )
    _require(name, "a feature", f"within ±{FEATURE_LIMIT:g}", np.abs(features) <= FEATURE_LIMIT)
    _require_posterior(name, "the emotion", emotion)
    low, high = AGE_YEARS
    _require(name, "the age", f"{low:g} to {high:g} years", (age >= low) & (age <= high))
    _require_posterior(name, "the gender", gender)
    if name == "PAST_SPEECH":
        sure = (rest > 0) & (rest <= 1 + TOLERANCE)
        _require(name, "the weight", "more than 0 and at most 1", sure)
    else:
        place, identity = np.split(rest, [PLACE], axis=1)
        inside = np.abs(place) <= PLACE_LIMIT
        _require(name, "the place", "in parts of the picture", inside)
        likely = np.abs(identity) <= IDENTITY_LIMIT
        _require(name, "the identity", f"within ±{IDENTITY_LIMIT:g}", likely)


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
