"""Films whose pixels are no squares, and films that are turned and mirrored."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from orientation import turned_upright
from video import VideoClip

from tests.face_crop.scenes import encode, person, with_matrix


def first_picture(film: bytes) -> np.ndarray:
    return next(VideoClip(film).seconds())[0].pixels()


def mp4(picture: np.ndarray, **options) -> bytes:
    return encode([picture] * 2, container="mp4", codec="mpeg4", **options)


def differ(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, 1, 1, 0), lambda p: np.swapaxes(p, 0, 1)),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((0, -1, 1, 0), np.rot90),
        ((0, -1, -1, 0), lambda p: np.rot90(np.swapaxes(p, 0, 1), 2)),
        ((0, 0, 0, 0), lambda p: p),
    ],
)
def test_a_film_is_turned_and_mirrored_as_its_matrix_says(matrix, shown):
    film = mp4(person())
    plain = first_picture(film)
    assert differ(first_picture(with_matrix(film, *matrix)), shown(plain)) == 0


@pytest.mark.parametrize(("a", "b", "c", "d"), [(7, 1, -2, 9), (1, -30, 20, 2)])
def test_a_slant_is_taken_for_the_nearest_quarter_turn(a, b, c, d):
    pixels = np.arange(6).reshape(2, 3)
    nearest = pixels if abs(a) > abs(b) else np.rot90(pixels)
    assert (turned_upright(pixels, (a, b, c, d)) == nearest).all()


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(16, 15), Fraction(1, 2)])
def test_pixels_are_made_square(aspect):
    height, width = person().shape[:2]
    stored = cv2.resize(person(), (round(width / aspect), height), interpolation=cv2.INTER_AREA)
    shown = first_picture(encode([stored] * 2, codec="mpeg4", aspect=aspect))
    assert abs(shown.shape[1] - width) <= 1 and shown.shape[0] == height
    assert differ(cv2.resize(shown, (width, height)), person()) < 12


def test_a_turned_film_of_wide_pixels_is_made_square_before_it_is_turned():
    stored = np.ascontiguousarray(np.rot90(person(), -1))[:, ::2]
    shown = first_picture(mp4(stored, rotation=90, aspect=Fraction(2)))
    assert shown.shape == person().shape


def test_an_absurd_aspect_is_not_believed():
    assert first_picture(encode([person()] * 2, codec="mpeg4", aspect=Fraction(100))).shape == (
        person().shape
    )
