"""Answers as pictures: the faces' boxes lie on the pictures that the server saw."""

from __future__ import annotations

import io
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from clients.contract import AGE_CODE, EMOTION_CODES, GENDER_CODES
from clients.drawing import MARGIN, PANEL_WIDTH, PICTURE_HEIGHT, _Sheet, draw
from clients.media import Media
from clients.protocol import Faces, Recognition
from tests.face_crop.heif import heic
from tests.face_crop.scenes import encode, person, with_matrix

RESULT = {**dict.fromkeys(EMOTION_CODES, 1 / 7), AGE_CODE: 30.0, **dict.fromkeys(GENDER_CODES, 0.5)}


def animated() -> bytes:
    target = io.BytesIO()
    pictures = [Image.fromarray(person(x)) for x in (60, 60, 60)]
    pictures[1].putpixel((0, 0), (255, 0, 0))
    pictures[0].save(target, "WEBP", save_all=True, append_images=pictures[1:], duration=100)
    return target.getvalue()


def mirrored() -> bytes:
    held = np.ascontiguousarray(person()[:, ::-1])
    return with_matrix(encode([held] * 3, container="mp4", codec="mpeg4"), -1, 0, 0, 1)


def anamorphic() -> bytes:
    return encode([cv2.resize(person(), (160, 240))] * 3, codec="mpeg4", aspect=Fraction(2))


SURE = {"confidence": 0.5, "conflict": 0.0, "undecided": False}


def captions(monkeypatch, video, verdict=SURE):
    """Draw one face of a video with such a report; return what is written."""
    written = []
    text = _Sheet.text

    def keep(sheet, left, top, words, *style, **named):
        written.append(words)
        text(sheet, left, top, words, *style, **named)

    monkeypatch.setattr(_Sheet, "text", keep)
    document = {"result": RESULT, "modalities": {"video": video}, "weights": {}} | verdict
    crops, box = np.zeros((1, 224, 224, 3), np.uint8), np.zeros((1, 4), np.float32)
    faces = Faces(crops, box, np.zeros(1, np.float32))
    draw(Recognition(document), Media(video=[person()]), faces)
    return "\n".join(written)


def test_one_person_in_three_parts_is_one_and_the_part_that_is_shown_is_told(monkeypatch):
    people = [{"id": 0, "main": True, "offset": begin} for begin in (0.0, 52.0, 104.0)]
    video = {"people": people, "people_seen": 1, "parts": [0.0, 52.0, 104.0]}
    words = captions(monkeypatch, video)
    assert "main person" not in words
    assert "1 crops of the first 52 s; 3 parts in all" in words


def test_people_of_a_short_recording_are_counted(monkeypatch):
    words = captions(monkeypatch, {"people": [], "people_seen": 20})
    assert "the main person of 20" in words
    assert "parts" not in words


def test_an_answer_that_is_not_sure_enough_is_drawn_as_undecided(monkeypatch):
    verdict = {"confidence": 1 / 7, "conflict": 0.75, "undecided": True}
    words = captions(monkeypatch, {"people": [], "people_seen": 1}, verdict)
    assert "undecided (happiness 0.14)" in words
    assert "conflict 0.75" in words


@pytest.mark.parametrize(
    "video",
    [animated(), mirrored(), anamorphic(), [heic(np.ascontiguousarray(np.rot90(person())), 3)] * 3],
    ids=["animated", "mirrored", "anamorphic", "heic"],
)
def test_the_picture_is_drawn_as_the_server_saw_it(video):
    document = {"result": RESULT, "modalities": {}, "weights": {}} | SURE
    faces = Faces(
        np.zeros((1, 224, 224, 3), np.uint8),
        np.array([[80.0, 60.0, 200.0, 180.0]], np.float32),
        np.array([0.1], np.float32),
    )
    sheet = draw(Recognition(document), Media(video=video), faces)
    expected = Image.fromarray(person())
    expected.thumbnail((PANEL_WIDTH, PICTURE_HEIGHT))
    top = MARGIN + 92
    shown = sheet.crop((MARGIN, top, MARGIN + expected.width, top + expected.height))
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(expected)).mean() < 14
