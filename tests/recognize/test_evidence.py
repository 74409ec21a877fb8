"""What the front door makes of the modules' outputs, without a server."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from contract import (
    AGE_YEARS,
    EMOTION_CODES,
    SPEECH_ROW,
    VIDEO_ROW,
    MediaError,
    VideoStatus,
)
from evidence import (
    absent,
    from_speech,
    from_text,
    from_video,
    fusion_inputs,
    refused,
    unanswered,
    with_past,
)
from past_rows import check_rows
from refusals import NotFiniteError
from result import result_json

MESSAGE = np.array([b"", b""], np.object_)
MALE = np.array([[0.75, 0.25]], np.float32)


def posterior(*codes: int) -> np.ndarray:
    """Return one sure row for each emotion index."""
    return np.eye(7, dtype=np.float32)[list(codes)]


def speech_outputs(count: int = 2) -> dict[str, np.ndarray]:
    return {
        "FEATURES": np.arange(count * 768, dtype=np.float32).reshape(count, 768),
        "EMOTION": posterior(*range(count)),
        "AGE": np.linspace(30, 40, count, dtype=np.float32)[:, None],
        "GENDER": np.repeat(MALE, count, axis=0),
        "TIMES": np.arange(count, dtype=np.float32),
        "VOICE": np.linspace(0.5, 1.0, count, dtype=np.float32),
        "COUNT": np.array([count], np.int32),
        "STATUS": np.array([0], np.int32),
        "MESSAGE": MESSAGE,
    }


def video_outputs() -> dict[str, np.ndarray]:
    return {
        "FEATURES": np.ones((4, 4096), np.float32),
        "EMOTION": posterior(0, 1, 2, 3),
        "AGE": np.array([[20.0], [60.0]], np.float32),
        "GENDER": np.array([[1.0, 0.0], [0.0, 1.0]], np.float32),
        "AGE_ROWS": np.array([0, 3], np.int32),
        "TIMES": np.arange(4, dtype=np.float32),
        "BOXES": np.ones((4, 4), np.float32),
        "SCORES": np.ones(4, np.float32),
        "SHARPNESS": np.ones(4, np.float32),
        "PLACES": np.full((4, 4), 0.5, np.float32),
        "IDENTITY": np.full(128, 0.1, np.float32),
        "COUNT": np.array([4], np.int32),
        "ERROR_CODE": np.array([0], np.int32),
        "SECOND_ERROR_CODES": np.array([0, 6], np.int32),
        "MESSAGE": MESSAGE,
    }


def document(**evidence) -> dict:
    """Fuse to fixed figures and read the JSON back."""
    present = {name: evidence.get(name, absent(name)) for name in ("text", "speech", "video")}
    weights = np.array([0.5, 0.25, 0.25])
    return json.loads(result_json(present, posterior(4)[0], np.array([33.3]), MALE[0], weights))


def test_speech_context_rows_can_be_handed_back_as_past():
    evidence = from_speech(speech_outputs())
    assert evidence.context.shape == (2, SPEECH_ROW)
    again = with_past(absent("speech"), evidence.context)
    assert again.present and again.count == 2
    for name in ("features", "emotion", "age", "gender", "weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(evidence, name))


def test_a_voices_own_result_is_the_mean_of_its_windows_by_their_voice():
    outputs = speech_outputs(2) | {"VOICE": np.array([0.25, 0.75], np.float32)}
    report = document(speech=from_speech(outputs))["modalities"]["speech"]
    assert report["result"]["20000"] == pytest.approx(0.25 * 30 + 0.75 * 40)
    assert report["result"]["10002"] == pytest.approx(3 * report["result"]["10001"], rel=0.01)
    assert (report["times"], report["voice"]) == ([0.0, 1.0], [0.25, 0.75])


def test_fusion_gets_how_much_each_window_counts():
    inputs = fusion_inputs({"speech": from_speech(speech_outputs(3)), "text": absent("text")})
    np.testing.assert_array_equal(inputs["SPEECH_WEIGHTS"], [0.5, 0.75, 1.0])
    assert "TEXT_WEIGHTS" not in inputs


def test_around_an_age_stands_between_which_years_it_may_be():
    modalities = document(speech=from_speech(speech_outputs()), video=from_video(video_outputs()))
    for name in ("speech", "video"):
        result = modalities["modalities"][name]["result"]
        assert result["20000_low"] <= result["20000"] <= result["20000_high"]
        assert result["20000_high"] - result["20000_low"] > 1
    assert set(modalities["result"]) == {*map(str, range(10001, 10008)), "20000", "30001", "30002"}


def test_past_rows_come_before_the_chunks_own():
    evidence = from_speech(speech_outputs())
    joint = with_past(evidence, evidence.context[:1])
    assert joint.count == 3
    np.testing.assert_array_equal(joint.features[1:], evidence.features)


def test_each_crop_carries_the_age_of_the_aged_crop_nearest_in_time():
    evidence = from_video(video_outputs())
    assert evidence.context.shape == (4, VIDEO_ROW)
    assert evidence.context[:, 4096 + 7].tolist() == [20, 20, 60, 60]
    assert evidence.context[:, 4096 : 4096 + 7].argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_video_without_sound_brings_no_speech():
    outputs = speech_outputs(1) | {"COUNT": np.array([0], np.int32)}
    assert not from_speech(outputs).present


def test_ages_of_the_middle_years_are_reported():
    """The original's post-processing turned 26 to 45 years into None."""
    outputs = speech_outputs(1)
    for age in range(16, 79):
        outputs["AGE"] = np.array([[age]], np.float32)
        result = document(speech=from_speech(outputs))["modalities"]["speech"]["result"]
        assert result["20000"] == age
        assert sum(result[code] for code in ("20003", "20004", "20005")) == 1


def test_the_videos_own_gender_is_the_networks_average():
    """The original ignored the predicted label of the video's gender."""
    clip = replace(from_video(video_outputs()), emotion=posterior(5)[0])
    result = document(video=clip)["modalities"]["video"]["result"]
    assert (result["30001"], result["30002"]) == (0.5, 0.5)
    assert result["10006"] == 1 and result["20000"] == 40


def test_the_flat_result_is_the_fused_one_in_code_order():
    result = document(video=from_video(video_outputs()))["result"]
    assert list(result) == [*EMOTION_CODES, "20000", "30001", "30002"]
    assert result["10005"] == 1 and result["20000"] == 33.3


def test_text_alone_says_nothing_of_age_and_gender():
    outputs = {
        "FEATURES": np.ones((1, 512), np.float32),
        "EMOTION": posterior(1),
        "COUNT": np.array([1], np.int32),
        "STATUS": np.array([0], np.int32),
        "MESSAGE": MESSAGE,
    }
    answer = document(text=from_text(outputs))
    assert list(answer["result"]) == list(EMOTION_CODES)
    assert answer["modalities"].keys() == {"text"}
    assert list(answer["modalities"]["text"]["result"]) == list(EMOTION_CODES)


@pytest.mark.parametrize("modality", ["text", "speech", "video"])
def test_a_module_that_does_not_answer_is_reported_with_its_cause(modality):
    entry = document(**{modality: unanswered(modality, "stub is gone")})["modalities"][modality]
    assert entry["error_code"] == 1 and "stub is gone" in entry["message"]
    assert entry["message_ko"] and "result" not in entry


def test_an_age_that_no_network_should_say_is_held_to_the_years_of_the_contract():
    outputs = speech_outputs(2) | {"AGE": np.array([[-400.0], [400.0]], np.float32)}
    evidence = from_speech(outputs)
    assert tuple(evidence.age[:, 0]) == AGE_YEARS
    check_rows("PAST_SPEECH", evidence.context)


def test_media_over_a_limit_is_reported_with_the_limit_in_its_own_modality():
    error = MediaError(VideoStatus.UNKNOWN, "VIDEO has 9 bytes, at most 8 are accepted")
    entry = document(video=refused("video", error))["modalities"]["video"]
    assert entry["error_code"] == VideoStatus.UNKNOWN and "at most 8" in entry["message"]
    assert "영상" in entry["message_ko"] and "result" not in entry


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_figure_that_json_cannot_hold_is_an_error_not_a_result(value):
    present = {name: absent(name) for name in ("text", "speech", "video")}
    emotion = np.full(7, value)
    with pytest.raises(NotFiniteError, match="not finite"):
        result_json(present, emotion, np.array([33.3]), MALE[0], np.array([0.5, 0.25, 0.25]))
