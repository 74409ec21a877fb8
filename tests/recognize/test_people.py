"""Whose rows a stream's window holds, and what a result says of the people in a video."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from contract import IDENTITY, OLD_SPEECH_ROW, OLD_VIDEO_ROW, PAST_PERSON, VIDEO_FEATURE, VIDEO_ROW
from evidence import from_video
from past_rows import check_rows, current_rows
from people import of_one_person, past_person, with_past_faces, with_people
from refusals import InvalidRequestError

from tests.recognize.test_evidence import document, posterior, video_outputs

HER, HIM = np.zeros((2, IDENTITY), np.float32)
HER[0] = HIM[1] = 1.0


def rows(*identities: np.ndarray) -> np.ndarray:
    """Return a row of each identity; its feature's first number is its position from 1."""
    made = np.zeros((len(identities), VIDEO_ROW), np.float32)
    made[:, 0] = np.arange(1, len(identities) + 1)
    made[:, VIDEO_FEATURE] = made[:, VIDEO_FEATURE + 8] = 1.0
    made[:, VIDEO_FEATURE + 10 : VIDEO_FEATURE + 14] = [0.25, 0.5, 0.75, 1.0]
    made[:, VIDEO_ROW - IDENTITY :] = np.reshape(identities, (-1, IDENTITY))
    return made


def outputs(changed: bool = False, others: int = 0) -> dict[str, np.ndarray]:
    """Return what `face_crop` and the networks say of a clip, with crops of a second person."""
    people = [
        {"id": 2, "main": True, "begin": 0.0, "end": 3.0, "seconds": 3.0, "share": 1.0},
        {"id": 5, "main": False, "begin": 1.0, "end": 2.0, "seconds": 1.0, "share": 0.3},
    ]
    told = {"people": people, "people_seen": 2, "person_changed": changed}
    made = video_outputs() | {
        "IDENTITY": HER,
        "PEOPLE": np.array([json.dumps(told).encode()], np.object_),
        "OTHER_PERSON": np.full(max(1, others), 5, np.int32),
        "OTHER_COUNT": np.array([others], np.int32),
    }
    if others:
        made |= {
            "OTHER_EMOTION": posterior(*range(others)),
            "OTHER_AGE": np.linspace(40, 60, others, dtype=np.float32)[:, None],
            "OTHER_GENDER": np.repeat(np.float32([[0.25, 0.75]]), others, axis=0),
        }
    return made


def evidence(**settings):
    made = outputs(**settings)
    return with_people(from_video(made), made)


def test_a_row_carries_its_faces_place_and_person():
    context = evidence().context
    check_rows("PAST_VIDEO", context)
    assert context[:, -IDENTITY:].tolist() == [HER.tolist()] * 4
    assert (context[:, VIDEO_FEATURE + 10 : VIDEO_FEATURE + 14] == 0.5).all()


def test_whom_a_stream_is_about_is_whose_the_newest_known_row_is():
    person = past_person(rows(HIM, HER, np.zeros(IDENTITY)), gap=1.5)
    assert person.shape == (PAST_PERSON,)
    assert person[:IDENTITY].tolist() == HER.tolist()
    assert person[IDENTITY:].tolist() == [0.25, 0.5, 0.75, 1.0, 1.5]


@pytest.mark.parametrize("past", [rows(), rows(np.zeros(IDENTITY))])
def test_rows_that_do_not_know_whose_they_are_are_about_nobody(past):
    assert past_person(past, 0.0) is None


def test_rows_of_an_earlier_person_are_left_out_of_the_window():
    near_her = HER + np.float32(0.01)
    kept = of_one_person(rows(HIM, near_her, np.zeros(IDENTITY), HER))
    assert kept[:, 0].tolist() == [2, 3, 4]


def test_a_window_goes_on_with_the_rows_of_the_same_person():
    joint = with_past_faces(evidence(), rows(HIM, HER, HER))
    assert joint.count == 4 + 2
    assert joint.features[:2, 0].tolist() == [2, 3]


def test_a_window_begins_anew_when_the_main_person_changes():
    video = evidence(changed=True)
    assert video.person_changed
    assert with_past_faces(video, rows(HIM, HIM)) is video


def test_old_rows_are_joined_as_before():
    old = rows(HER, HER)[:, :OLD_VIDEO_ROW]
    past = current_rows("PAST_VIDEO", old)
    check_rows("PAST_VIDEO", past)
    assert past_person(past, 0.0) is None
    assert with_past_faces(evidence(), past).count == 4 + 2


def test_the_windows_of_old_rows_count_in_full():
    past = current_rows("PAST_SPEECH", np.zeros((2, OLD_SPEECH_ROW), np.float32))
    assert past[:, -1].tolist() == [1, 1]


@pytest.mark.parametrize("weight", [-0.5, 1.5, np.nan])
def test_a_windows_weight_is_a_part(weight):
    past = current_rows("PAST_SPEECH", np.zeros((1, OLD_SPEECH_ROW), np.float32))
    past[:, 768] = past[:, 768 + 8] = 1.0
    check_rows("PAST_SPEECH", past)
    past[:, -1] = weight
    with pytest.raises(InvalidRequestError, match="weight"):
        check_rows("PAST_SPEECH", past)


def test_a_result_lists_the_people_each_with_their_own():
    video = replace(evidence(others=2), emotion=posterior(5)[0])
    part = document(video=video)["modalities"]["video"]
    main, other = part["people"]
    assert part["people_seen"] == 2 and part["person_changed"] is False
    assert main["result"] == part["result"]
    assert other["result"]["20000"] == 50 and other["result"]["30002"] == 0.75
    assert other["result"]["10001"] == other["result"]["10002"] == 0.5


def test_a_person_without_usable_faces_has_no_result():
    part = document(video=evidence())["modalities"]["video"]
    assert "result" in part["people"][0] and "result" not in part["people"][1]


def test_a_result_of_no_video_lists_nobody():
    assert "people" not in str(document())
