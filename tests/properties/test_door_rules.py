"""Past rows of any values: refused, or good for a result that is JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from contract import (
    EMOTION_CODES,
    LIMITS,
    OLD_SPEECH_ROW,
    OLD_VIDEO_ROW,
    ROW_TAIL,
    SPEECH_FEATURE,
    SPEECH_ROW,
    VIDEO_FEATURE,
    VIDEO_ROW,
)
from evidence import absent, with_past
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from result import result_json

WIDTHS = {"speech": SPEECH_ROW, "video": VIDEO_ROW}
OLD_WIDTHS = {"speech": OLD_SPEECH_ROW, "video": OLD_VIDEO_ROW}
FEATURES = {"speech": SPEECH_FEATURE, "video": VIDEO_FEATURE}
MOST = {"speech": LIMITS.windows, "video": LIMITS.crops}
FUSED = (np.full(7, 1 / 7, np.float32), np.float32([30]), np.float32([0.5, 0.5]), np.zeros(3))
modalities = st.sampled_from(("speech", "video"))
any_float = st.floats(width=32)
SENTENCE = np.array(["나는".encode()], np.object_)
MEDIA = {
    "TEXT": SENTENCE,
    "AUDIO": np.zeros(9, np.uint8),
    "VIDEO": np.zeros(9, np.uint8),
    "FRAMES": SENTENCE,
    "FPS": np.float32([10]),
}


@pytest.fixture(scope="module")
def inputs(load):
    return load("recognize", "inputs")


def rows_of(modality: str, count: int, seed: int) -> np.ndarray:
    """Return rows that an answer can have held."""
    rng = np.random.default_rng(seed)
    rows = np.abs(rng.normal(0, 1, (count, WIDTHS[modality])))
    tail = FEATURES[modality]
    rows[:, tail : tail + 7] = rng.dirichlet(np.full(7, rng.uniform(0.01, 5)), count)
    rows[:, tail + 7] = rng.uniform(0, 100, count)
    rows[:, tail + 8] = rng.uniform(0, 1, count)
    rows[:, tail + 9] = 1 - rows[:, tail + 8]
    rows[:, tail + 10 :] = rng.uniform(0, 1, rows[:, tail + 10 :].shape)
    return rows.astype(np.float32)


def read(inputs, modality: str, rows: np.ndarray) -> np.ndarray:
    found = inputs.read_inputs({"TEXT": SENTENCE, f"PAST_{modality.upper()}": rows})
    return getattr(found, f"past_{modality}")


@given(modalities, st.integers(0, 64), st.integers(0, 1_000))
def test_rows_that_an_answer_can_have_held_are_taken_as_they_are(inputs, modality, count, seed):
    rows = rows_of(modality, min(count, MOST[modality]), seed)
    np.testing.assert_array_equal(read(inputs, modality, rows), rows)


@given(modalities, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=70))
def test_rows_of_another_shape_are_refused_with_the_one_expected(inputs, modality, shape):
    width = WIDTHS[modality]
    if shape[1:] in ((width,), (OLD_WIDTHS[modality],)):
        return
    with pytest.raises(inputs.InvalidRequestError, match=rf"PAST_{modality.upper()}.*{width}"):
        read(inputs, modality, np.zeros(shape, np.float32))


@given(modalities, st.integers(1, 200))
def test_more_rows_than_a_request_may_bring_are_refused_with_the_limit(inputs, modality, more):
    rows = rows_of(modality, MOST[modality] + more, 0)
    with pytest.raises(inputs.InvalidRequestError, match=f"at most {MOST[modality]}"):
        read(inputs, modality, rows)


@st.composite
def spoilt_rows(draw) -> tuple[str, np.ndarray]:
    """Draw rows of which a column, or everything, is any number."""
    modality = draw(modalities)
    rows = rows_of(modality, draw(st.integers(1, 3)), draw(st.integers(0, 5)))
    tail = FEATURES[modality]
    columns = draw(
        st.just(slice(None))
        | st.integers(tail, tail + ROW_TAIL)
        | st.integers(0, WIDTHS[modality] - 1)
        | st.just(slice(tail, tail + 7))
    )
    rows[:, columns] = draw(any_float)
    return modality, rows


@settings(max_examples=200)
@given(spoilt_rows())
def test_rows_of_any_values_are_refused_or_make_a_result_that_is_json(inputs, found):
    modality, rows = found
    try:
        past = read(inputs, modality, rows)
    except inputs.InvalidRequestError as error:
        assert f"PAST_{modality.upper()} row" in str(error)
        return
    joint = with_past(absent(modality), past)
    evidence = {name: absent(name) for name in ("text", "speech", "video")} | {modality: joint}
    document = json.loads(result_json(evidence, *FUSED), parse_constant=pytest.fail)
    result = document["modalities"][modality]["result"]
    assert 0 <= result["20000"] <= 150
    assert result["30001"] + result["30002"] == pytest.approx(1, abs=0.01)
    if modality == "speech":  # a clip's posterior over all its rows is another model's to give
        assert sum(result[code] for code in EMOTION_CODES) == pytest.approx(1, abs=0.01)


@given(st.sets(st.sampled_from(sorted(MEDIA))))
def test_a_request_needs_media_and_a_rate_alone_is_none(inputs, names):
    request = {name: MEDIA[name] for name in names}
    if names - {"FPS"}:
        assert inputs.read_inputs(request).media
        return
    with pytest.raises(inputs.InvalidRequestError, match="no modality"):
        inputs.read_inputs(request)
