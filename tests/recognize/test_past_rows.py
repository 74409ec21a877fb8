"""Past rows are what an answer can have held, or are refused by row and kind of column."""

from __future__ import annotations

import numpy as np
import pytest
from contract import VIDEO_FEATURE, VIDEO_ROW
from past_rows import check_rows
from refusals import InvalidRequestError

EMOTION = slice(VIDEO_FEATURE, VIDEO_FEATURE + 7)
AGE = VIDEO_FEATURE + 7
GENDER = slice(VIDEO_FEATURE + 8, VIDEO_FEATURE + 10)
PLACE = slice(VIDEO_FEATURE + 10, VIDEO_FEATURE + 14)
IDENTITY = slice(VIDEO_FEATURE + 14, VIDEO_ROW)


def rows(count: int = 3) -> np.ndarray:
    good = np.zeros((count, VIDEO_ROW), np.float32)
    good[:, EMOTION] = np.random.default_rng(0).dirichlet(np.ones(7), count)
    good[:, AGE] = 30
    good[:, GENDER] = [0.25, 0.75]
    return good


def test_rows_of_an_answer_pass_even_in_half_precision_or_rounded():
    good = rows()
    for kept in (good, good.astype(np.float16).astype(np.float32), good.round(3), good[:0]):
        check_rows("PAST_VIDEO", kept)


@pytest.mark.parametrize(
    ("columns", "value", "kind"),
    [
        (5, np.nan, "feature"),
        (5, -20_000, "feature"),
        (slice(None), 3e38, "feature"),
        (EMOTION, 0.0, "emotion"),
        (EMOTION, [5, -3, 0, 0, 0, 0, -1], "emotion"),
        (EMOTION, np.nan, "emotion"),
        (EMOTION, 3e38, "emotion"),
        (EMOTION, 0.2, "emotion"),
        (AGE, -400, "age"),
        (AGE, 111, "age"),
        (AGE, np.inf, "age"),
        (GENDER, 9, "gender"),
        (GENDER, [1.5, -0.5], "gender"),
        (GENDER, [0.2, 0.2], "gender"),
        (PLACE, np.nan, "place"),
        (PLACE, 300, "place"),
        (IDENTITY, np.inf, "identity"),
        (IDENTITY, 3e38, "identity"),
    ],
)
def test_a_row_that_no_answer_can_have_held_is_refused_by_name(columns, value, kind):
    bad = rows()
    bad[1, columns] = value
    with pytest.raises(InvalidRequestError, match=rf"^PAST_VIDEO row 1: (a|the) {kind} "):
        check_rows("PAST_VIDEO", bad)
