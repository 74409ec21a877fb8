import numpy as np
import pytest

from clients.contract import (
    LIMITS,
    MODALITIES,
    OLD_SPEECH_ROW,
    OLD_VIDEO_ROW,
    SPEECH_ROW,
    VIDEO_ROW,
)
from clients.errors import MediaTypeError
from clients.media import Chunk
from clients.protocol import Context, Recognition, recognise_call
from tests.clients.fake_triton import DOCUMENT, REPORT


def tensors(call):
    return {tensor.name(): (tensor.datatype(), tensor.shape()) for tensor in call.tensors()}


def outputs(call):
    return [output.name() for output in call.outputs]


def rows(width, count):
    return np.repeat(np.arange(count, dtype=np.float32)[:, None], width, axis=1)


def test_every_medium_becomes_its_tensor():
    chunk = Chunk(text="기뻐".encode(), audio=b"abc", film=b"abcd")
    assert tensors(recognise_call(chunk, Context())) == {
        "TEXT": ("BYTES", [1]),
        "AUDIO": ("UINT8", [3]),
        "VIDEO": ("UINT8", [4]),
    }


def test_frames_travel_with_their_rate():
    call = recognise_call(Chunk(frames=(b"a", b"bc"), fps=12.5), Context())
    assert tensors(call) == {"FRAMES": ("BYTES", [2]), "FPS": ("FP32", [1])}


def test_past_rows_travel_when_there_are_any():
    past = Context(rows(VIDEO_ROW, 2), rows(SPEECH_ROW, 0))
    assert tensors(recognise_call(Chunk(), past)) == {"PAST_VIDEO": ("FP32", [2, VIDEO_ROW])}


def test_rows_of_the_schema_before_are_taken_and_join_those_of_this_one():
    old = Context(rows(OLD_VIDEO_ROW, 2), rows(OLD_SPEECH_ROW, 2))
    joint = old.then(Context(rows(VIDEO_ROW, 1), rows(SPEECH_ROW, 1)))
    assert (joint.video.shape, joint.speech.shape) == ((3, VIDEO_ROW), (3, SPEECH_ROW))
    assert not joint.video[:2, OLD_VIDEO_ROW:].any()
    assert joint.speech[:2, -1].tolist() == [1, 1]


def chunk(gap: float | None, faces: int = 0) -> Context:
    """Return the rows of a second of a stream."""
    return Context(rows(VIDEO_ROW, faces), seconds=1.0, gap=gap)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [([0.25], 0.25), ([0.25, None], 1.25), ([0.25, None, None], 2.25), ([0.25, None, 0.5], 0.5)],
)
def test_how_long_a_streams_person_is_away_is_counted_over_its_chunks(gaps, expected):
    past = Context()
    for gap in gaps:
        past = past.then(chunk(gap, faces=0 if gap is None else 4))
    call = recognise_call(Chunk(), past.within_limits())
    assert call.inputs["PAST_GAP"].tolist() == [expected]


def test_a_stream_without_known_faces_says_nothing_of_how_long_they_are_away():
    past = chunk(None).then(chunk(None))
    assert "PAST_GAP" not in recognise_call(Chunk(text=b"a"), past).inputs


def test_nothing_but_the_result_is_asked_for_by_default():
    assert outputs(recognise_call(Chunk(text=b"a"), Context())) == ["RESULT"]


def test_only_the_named_features_are_asked_for():
    call = recognise_call(Chunk(text=b"a"), Context(), features=("speech",))
    assert outputs(call) == ["RESULT", "SPEECH_FEATURES"]


def test_a_feature_of_no_modality_is_refused():
    with pytest.raises(ValueError, match=r"features: expected .*came \['smell'\]"):
        recognise_call(Chunk(), Context(), features=("smell",))


def test_a_long_past_is_spread_evenly_over_the_limits():
    past = Context(rows(VIDEO_ROW, 1000), rows(SPEECH_ROW, 1000)).within_limits()
    assert (len(past.video), len(past.speech)) == (LIMITS.crops, LIMITS.windows)
    for kept in (past.video[:, 0], past.speech[:, 0]):
        assert (kept[0], kept[-1]) == (0, 999)
        assert np.ptp(np.diff(kept)) <= 1


def test_a_short_past_is_kept_whole():
    past = Context(rows(VIDEO_ROW, 5), rows(SPEECH_ROW, 5))
    np.testing.assert_array_equal(past.within_limits().video, past.video)


def test_a_recognition_names_its_emotion_and_its_failures():
    silent = REPORT | {"error_code": 2, "message": "AUDIO is silent", "count": 0}
    document = DOCUMENT | {"modalities": {**DOCUMENT["modalities"], "speech": silent}}
    recognition = Recognition(document)
    assert recognition.top == "happiness"
    assert recognition.failures == {"speech": "error_code 2: AUDIO is silent"}
    assert set(recognition.weights) == set(MODALITIES)


def test_a_recognition_lists_the_people_of_its_video():
    people = [{"id": 3, "main": True}]
    document = DOCUMENT | {"modalities": {"video": REPORT | {"people": people}}}
    assert [person.report for person in Recognition(document).people] == people
    assert Recognition(DOCUMENT | {"modalities": {}}).people == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"video": "rows"}, r"past.video: expected float rows \[n, \d+\].*, came str"),
        ({"video": rows(SPEECH_ROW, 2)}, r"past.video: .*, came float32 \[2, \d+\]"),
        ({"speech": rows(SPEECH_ROW, 1)[0]}, r"past.speech: .*, came float32 \[\d+\]"),
        ({"speech": rows(SPEECH_ROW, 1).astype(int)}, r"past.speech: .*, came int64"),
        ({"seconds": "2"}, "past.seconds: expected seconds, at least 0, came '2'"),
        ({"gap": -1.0}, "past.gap: expected seconds"),
    ],
)
def test_a_context_of_other_rows_is_named(wrong, words):
    with pytest.raises(MediaTypeError, match=words):
        Context(**wrong)
