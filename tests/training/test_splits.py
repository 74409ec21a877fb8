"""Nobody is on two sides of a split."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np

from training.splits import like_pictures, split_of, splits_in_order, splits_of


def test_a_name_always_falls_into_the_same_split():
    assert split_of("한국어 문장", 0.1, 0.1) == split_of("한국어 문장", 0.1, 0.1)


def test_the_shares_are_about_as_asked():
    counts = Counter(splits_of((str(index) for index in range(5_000)), dev=0.2, test=0.1))
    assert 0.17 < counts["dev"] / 5_000 < 0.23
    assert 0.08 < counts["test"] / 5_000 < 0.12


def test_every_fifth_is_held_back_whatever_its_kind():
    kinds = {f"{kind}{index}": kind for kind in ("f", "m") for index in range(50)}
    splits = splits_in_order(kinds)
    assert Counter(splits.values()) == {"train": 64, "dev": 16, "test": 20}
    for kind in ("f", "m"):
        assert Counter(split for name, split in splits.items() if kinds[name] == kind) == {
            "train": 32,
            "dev": 8,
            "test": 10,
        }


def test_fewer_are_held_back_when_asked():
    kinds = {f"{kind}{index}": kind for kind in ("f", "m") for index in range(24)}
    splits = splits_in_order(kinds, test=8, dev=6)
    assert Counter(splits.values()) == {"train": 35, "dev": 7, "test": 6}
    for kind in ("f", "m"):
        assert {split for name, split in splits.items() if kinds[name] == kind} == {
            "train",
            "dev",
            "test",
        }


def _photographs(count: int) -> list[np.ndarray]:
    """Grey pictures of 60 pixels with soft shapes; no two are alike."""
    draw = np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)
    return [cv2.resize(small, (60, 60), interpolation=cv2.INTER_CUBIC) for small in draw]


def test_a_photograph_and_its_copies_are_one_group():
    first, second, third = _photographs(3)
    mirrored, dim = second[:, ::-1], cv2.convertScaleAbs(second, alpha=0.6, beta=20)
    smaller = cv2.resize(third, (40, 44), interpolation=cv2.INTER_AREA)
    pictures = [first, second, third, dim, mirrored, smaller]
    assert like_pictures(pictures).tolist() == [0, 1, 2, 1, 1, 2]


def test_copies_of_copies_are_one_group():
    first, other = (picture.astype(float) for picture in _photographs(2))
    steps = [(first * (1 - share) + other * share).astype(np.uint8) for share in (0, 0.17, 0.3)]
    assert like_pictures(steps[::2]).tolist() == [0, 1]
    assert like_pictures(steps).tolist() == [0, 0, 0]


def test_empty_pictures_are_nobodys_copies():
    assert like_pictures([np.zeros((20, 20), np.uint8)] * 2).tolist() == [0, 1]
