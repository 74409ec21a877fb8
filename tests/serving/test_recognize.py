"""The front door and the ensembles, through the real server, with real media."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from clients.contract import SPEECH_ROW, VIDEO_ROW, TextStatus

from .hostile import RANDOM, file, rows, text, wav
from .media import film, frames, jpegs, looped, voice
from .wire import Grpc

EMOTIONS = [f"1000{number}" for number in range(1, 8)]
FEATURES = ("TEXT_FEATURES", "SPEECH_FEATURES", "VIDEO_FEATURES")
CONTEXTS = ("SPEECH_CONTEXT", "VIDEO_CONTEXT")
FUSED = ("EMOTION", "AGE", "GENDER")


@pytest.fixture(scope="module")
def wire(triton) -> Grpc:
    return Grpc(triton)


@pytest.fixture(scope="module")
def pictures(clip) -> list[np.ndarray]:
    return frames(clip)


@pytest.fixture(scope="module")
def media(sentence, pictures, clip) -> dict:
    """One good input for each modality."""
    return {
        "text": {"TEXT": text(sentence.encode())},
        "speech": {"AUDIO": file(wav(voice(clip, 3.5)))},
        "video": {"VIDEO": file(film(pictures[:20]))},
    }


def recognize(wire, inputs: dict, *outputs: str) -> tuple[dict, dict]:
    answer = wire.infer("recognize", inputs, ("RESULT", *outputs))
    return json.loads(answer["RESULT"][0]), answer


def test_the_demo_clip_is_recognised_from_all_three_modalities(wire, clip, sentence):
    inputs = {"TEXT": text(sentence.encode()), "VIDEO": file(clip)}
    result, answer = recognize(wire, inputs, *FUSED, *FEATURES, *CONTEXTS)
    assert list(result["modalities"]) == ["text", "speech", "video"]
    for entry in result["modalities"].values():
        assert entry["error_code"] == 0 and entry["message"] == entry["message_ko"] == ""
        assert sum(entry["result"][code] for code in EMOTIONS) == pytest.approx(1, abs=1e-3)
    assert list(result["result"]) == [*EMOTIONS, "20000", "30001", "30002"]
    assert sum(result["weights"].values()) == pytest.approx(1, abs=1e-3)
    assert answer["EMOTION"].shape == (7,)
    assert answer["EMOTION"].sum() == pytest.approx(1, abs=1e-4)
    assert [round(float(p), 4) for p in answer["EMOTION"]] == [
        result["result"][code] for code in EMOTIONS
    ]
    assert result["confidence"] == max(result["result"][code] for code in EMOTIONS)
    assert 0 < result["conflict"] < 1
    assert result["undecided"] in (True, False)
    crops, windows = (result["modalities"][name]["count"] for name in ("video", "speech"))
    assert answer["TEXT_FEATURES"].shape == (1, 512)
    assert answer["VIDEO_FEATURES"].shape == (crops, 4096)
    assert answer["SPEECH_FEATURES"].shape == (windows, 768)
    assert answer["VIDEO_CONTEXT"].shape == (crops, VIDEO_ROW)
    assert answer["SPEECH_CONTEXT"].shape == (windows, SPEECH_ROW)


@pytest.mark.parametrize(
    "names", [*itertools.combinations(("text", "speech", "video"), 1),
              *itertools.combinations(("text", "speech", "video"), 2)]
)  # fmt: skip
def test_each_modality_alone_and_each_pair_is_recognised(wire, media, names):
    inputs = {key: value for name in names for key, value in media[name].items()}
    result, answer = recognize(wire, inputs, *FUSED, *FEATURES)
    assert tuple(result["modalities"]) == names
    assert {name for name, weight in result["weights"].items() if weight} == set(names)
    assert all(np.isfinite(value).all() for name, value in answer.items() if name != "RESULT")
    assert ("20000" in result["result"]) == (names != ("text",))
    if len(names) == 1:
        assert result["conflict"] == 0
        own = result["modalities"][names[0]]["result"]
        assert [result["result"][code] for code in EMOTIONS] == pytest.approx(
            [own[code] for code in EMOTIONS], abs=2e-4
        )


def test_the_four_ensembles_answer_when_called_directly(wire, clip, media):
    answer = wire.infer("text", media["text"], ("FEATURES", "EMOTION", "COUNT", "STATUS"))
    assert answer["EMOTION"].shape == (1, 7) and answer["COUNT"] == 1
    answer = wire.infer("speech", media["speech"], ("FEATURES", "EMOTION", "AGE", "GENDER"))
    assert answer["FEATURES"].shape == (3, 768) and answer["GENDER"].shape == (3, 2)
    answer = wire.infer("video", media["video"], ("FEATURES", "EMOTION", "AGE", "TIMES", "COUNT"))
    assert answer["FEATURES"].shape == (answer["COUNT"][0], 4096)
    assert (np.diff(answer["TIMES"]) > 0).all()
    answer = wire.infer("multimodal", {"VIDEO": file(clip)}, (*FUSED, "WEIGHTS", "TEXT_COUNT"))
    assert answer["TEXT_COUNT"] == 0 and answer["WEIGHTS"][0] == 0


def test_multimodal_and_recognize_agree(wire, clip, media):
    everything = media["text"] | {"VIDEO": file(clip)}
    for inputs, features in ((everything, FEATURES), (media["speech"], ()), (media["text"], ())):
        direct = wire.infer("multimodal", inputs, (*FUSED, *features))
        front = wire.infer("recognize", inputs, (*FUSED, *features))
        for name, value in direct.items():
            np.testing.assert_allclose(front[name], value, atol=1e-4, err_msg=name)


def test_a_failed_modality_is_reported_while_the_others_answer(wire, media):
    alone, _ = recognize(wire, media["text"])
    result, _ = recognize(
        wire, media["text"] | {"VIDEO": file(RANDOM), "AUDIO": file(wav(np.zeros(32_000)))}
    )
    assert result["result"] == alone["result"]
    assert result["weights"] == {"text": 1.0, "speech": 0.0, "video": 0.0}
    assert result["modalities"]["text"]["error_code"] == 0
    for name in ("speech", "video"):
        entry = result["modalities"][name]
        assert entry["error_code"] != 0 and entry["message"] and entry["message_ko"]
        assert "result" not in entry


def test_a_script_that_nobody_taught_the_network_says_nothing(wire, media):
    alone, _ = recognize(wire, media["speech"])
    result, _ = recognize(wire, media["speech"] | {"TEXT": text("我很生气".encode())})
    entry = result["modalities"]["text"]
    assert entry["error_code"] == TextStatus.UNSUPPORTED and "result" not in entry
    assert "Korean" in entry["message"] and "한국어" in entry["message_ko"]
    assert result["result"] == alone["result"] and result["weights"]["text"] == 0


def test_when_no_modality_can_be_used_the_request_is_refused_with_every_reason(wire):
    with pytest.raises(InferenceServerException) as caught:
        recognize(wire, {"TEXT": text(b"\xff"), "AUDIO": file(RANDOM)})
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "text (error_code 1): TEXT is not UTF-8" in str(caught.value)
    assert "speech (error_code 1): AUDIO could not be decoded" in str(caught.value)


def test_a_face_that_is_not_there_is_reported_in_korean_and_english(wire, media):
    empty = np.random.default_rng(3).integers(0, 256, (240, 320, 3), np.uint8)
    result, _ = recognize(wire, media["text"] | {"FRAMES": text(*jpegs([empty] * 10))})
    video = result["modalities"]["video"]
    assert video["error_code"] == 6
    assert "face" in video["message"] and "얼굴" in video["message_ko"]


def test_frames_and_the_video_made_of_them_are_seen_alike(wire, pictures):
    shown = pictures[:20]
    (as_video, _), (as_frames, _) = (
        recognize(wire, {"VIDEO": file(film(shown))}),
        recognize(wire, {"FRAMES": text(*jpegs(shown)), "FPS": rows(np.array([10.0]))}),
    )
    times = [
        [face["time"] for face in one["modalities"]["video"]["faces"]]
        for one in (as_video, as_frames)
    ]
    assert times[0] == pytest.approx(times[1], abs=1e-3)
    assert as_video["result"]["20000"] == pytest.approx(as_frames["result"]["20000"], abs=5)


def test_chunks_with_past_rows_count_like_the_whole(wire, pictures):
    """Each second is embedded once; its rows come back as context of the next."""
    chunks = [{"VIDEO": file(film(pictures[start : start + 10]))} for start in (0, 10)]
    _, first = recognize(wire, chunks[0], "VIDEO_CONTEXT", "VIDEO_FEATURES")
    past = {"PAST_VIDEO": rows(first["VIDEO_CONTEXT"])}
    result, joint = recognize(wire, chunks[1] | past, "VIDEO_FEATURES", "VIDEO_CONTEXT")
    own = len(joint["VIDEO_CONTEXT"])
    assert result["modalities"]["video"]["count"] == len(first["VIDEO_CONTEXT"]) + own
    np.testing.assert_array_equal(
        joint["VIDEO_FEATURES"],
        np.concatenate([first["VIDEO_FEATURES"], joint["VIDEO_CONTEXT"][:, :4096]]),
    )


def test_past_rows_alone_repeat_the_answer_of_the_chunk_they_came_from(wire, clip):
    result, chunk = recognize(wire, {"VIDEO": file(clip)}, *CONTEXTS, "EMOTION", "GENDER")
    past = {f"PAST_{name.split('_')[0]}": rows(chunk[name]) for name in CONTEXTS}
    again, repeated = recognize(wire, past, "EMOTION", "GENDER")
    assert again["modalities"].keys() == result["modalities"].keys()
    np.testing.assert_allclose(repeated["EMOTION"], chunk["EMOTION"], atol=1e-4)


def test_an_absent_modality_has_no_context_rows(wire, media):
    _, answer = recognize(wire, media["text"], *CONTEXTS)
    assert answer["VIDEO_CONTEXT"].shape == (0, VIDEO_ROW)
    assert answer["SPEECH_CONTEXT"].shape == (0, SPEECH_ROW)
    past = {"PAST_VIDEO": rows(answer["VIDEO_CONTEXT"])}
    result, _ = recognize(wire, media["text"] | past)
    assert list(result["modalities"]) == ["text"]


@pytest.mark.parametrize(("seconds", "windows"), [(0.5, 1), (2.0, 1), (3.0, 2), (60.0, 59)])
def test_speech_of_any_length_up_to_a_minute_is_heard(wire, clip, seconds, windows):
    result, answer = recognize(wire, {"AUDIO": file(wav(voice(clip, seconds)))}, "SPEECH_FEATURES")
    assert answer["SPEECH_FEATURES"].shape == (windows, 768)
    assert result["modalities"]["speech"]["count"] == windows


@pytest.mark.parametrize(("count", "most"), [(1, 1), (10, 4), (600, 64)])
def test_video_of_any_length_up_to_a_minute_is_seen(wire, pictures, count, most):
    """The original lost what was over a batch of 32, and repeated frame 20 beyond 20."""
    small = [picture[::2, ::2] for picture in pictures]
    shown = {"FRAMES": text(*jpegs(looped(small, count))), "FPS": rows(np.array([10.0]))}
    result, answer = recognize(wire, shown, "VIDEO_FEATURES")
    features = answer["VIDEO_FEATURES"]
    assert len(features) == most
    assert len(np.unique(features, axis=0)) > len(features) // 4
    times = [face["time"] for face in result["modalities"]["video"]["faces"]]
    assert times == sorted(times)
    if count > 1:
        assert max(np.diff([0.0, *times, count / 10])) <= 2.5 * count / 10 / most


def test_two_clips_at_once_do_not_touch_each_others_result(triton, clip, pictures):
    """The original wrote the features of every request into one folder."""
    mirrored = film([np.ascontiguousarray(picture[:, ::-1]) for picture in pictures[20:40]])
    requests = [
        {"VIDEO": file(clip)},
        {"VIDEO": file(mirrored), "AUDIO": file(wav(voice(clip, 2.5)))},
        {"TEXT": text("너무 화가 나".encode())},
    ]
    outputs = (*FUSED, *FEATURES)
    wire = Grpc(triton)
    alone = [wire.infer("recognize", inputs, outputs) for inputs in requests]

    def run(number: int) -> list[dict]:
        own = Grpc(triton)
        return [own.infer("recognize", requests[number], outputs) for _ in range(3)]

    with ThreadPoolExecutor(len(requests)) as pool:
        together = list(pool.map(run, range(len(requests))))
    for expected, answers in zip(alone, together, strict=True):
        for answer, name in itertools.product(answers, outputs):
            np.testing.assert_allclose(answer[name], expected[name], atol=1e-4)


def test_the_same_clip_gives_the_same_answer_twice(wire, clip):
    """The original chose frames at random and then ignored the choice."""
    first, second = (
        wire.infer("recognize", {"VIDEO": file(clip)}, (*FUSED, "VIDEO_FEATURES")) for _ in "ab"
    )
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, atol=1e-5)


def test_a_failure_does_not_leak_the_previous_requests_features(wire, clip, media):
    """The original answered a failed modality with the previous request's file."""
    before, _ = recognize(wire, media["text"])
    recognize(wire, media["text"] | {"VIDEO": file(clip)})
    after, _ = recognize(wire, media["text"] | {"VIDEO": file(RANDOM)})
    assert after["result"] == before["result"]
    assert after["modalities"]["video"]["error_code"] == 1


def test_a_full_queue_answers_unavailable_and_loses_nobody(triton, media):
    inputs = media["video"]
    clients = 64

    def call(_: int) -> str:
        try:
            Grpc(triton).infer("recognize", inputs, ("EMOTION",))
        except InferenceServerException as error:
            return error.status()
        return "OK"

    with ThreadPoolExecutor(clients) as pool:
        statuses = list(pool.map(call, range(clients)))
    assert set(statuses) == {"OK", "StatusCode.UNAVAILABLE"}
    assert call(0) == "OK"
