"""Turned pictures without a tag are told from pictures without a face."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from clip_worker import LIKE_TURNED, answer_clip
from contract import MESSAGES, TURNED_MESSAGE, VideoStatus
from mtcnn import Face
from PIL import Image
from turned import CERTAIN, turned_by

from tests.face_crop.scenes import encode, jpeg, person, wall


def turned(picture: np.ndarray, turns: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(picture, turns))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_picture_is_said_to_be_turned_back_by_the_rest(turns, detector):
    assert turned_by(turned(person(), turns), detector.detect) == 4 - turns


@pytest.mark.parametrize("picture", [person(), person(covered=True), wall()])
def test_an_upright_picture_is_not_turned(picture, detector):
    assert turned_by(picture, detector.detect) == 0


@pytest.mark.parametrize("turns", [1, 3])
def test_a_turned_clips_message_says_so(turns, eyes):
    film = encode([turned(person(), turns)] * 10)
    answer = answer_clip(film, None, None, eyes)
    assert answer.code in LIKE_TURNED
    assert answer.message == TURNED_MESSAGE


def test_a_clip_of_a_wall_has_no_face(eyes):
    answer = answer_clip(None, [jpeg(wall())] * 10, 10.0, eyes)
    assert answer.message == MESSAGES[VideoStatus.NO_FACE]


def test_a_clip_in_which_a_certain_face_was_seen_is_not_searched_again(eyes):
    searched = []

    def detect(picture, like):
        searched.append(picture.shape)
        return [Face((-50.0, -50.0, 120.0, 120.0), CERTAIN)]

    answer_clip(None, [jpeg(person())] * 10, 10.0, replace(eyes, detect=detect))
    assert len(searched) <= 10 and set(searched) == {person().shape}


def test_a_picture_that_says_how_it_is_turned_is_none(eyes):
    exif = Image.Exif()
    exif[0x0112] = 6
    target = io.BytesIO()
    Image.fromarray(turned(person(), 1)).save(target, "JPEG", exif=exif)
    answer = answer_clip(None, [target.getvalue()] * 4, 10.0, eyes)
    assert answer.code is VideoStatus.OK and answer.crops
