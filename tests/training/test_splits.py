"""Nobody is on two sides of a split."""

from __future__ import annotations

from collections import Counter

from training.splits import split_of, splits_in_order, splits_of


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
