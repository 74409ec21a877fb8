"""Cross-validation holds back speakers, and scripts with them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from training.speech_folds import fold_splits

FOLDS = 5


@pytest.fixture(scope="module")
def labels() -> dict[str, np.ndarray]:
    """Ten speakers, men and women; each reads ten shared scripts and two of their own."""
    rows = [
        (f"speaker {speaker}", speaker % 2, f"script {script}" if script < 10 else "", script % 2)
        for speaker in range(10)
        for script in range(12)
    ]
    person, gender, script, emotion = (np.array(column) for column in zip(*rows, strict=True))
    same = np.full(len(rows), "")
    return {
        "person": person,
        "gender": gender,
        "script": script,
        "emotion": emotion,
        "corpus": same,
        "age_group": same,
    }


def test_no_speaker_and_no_script_is_in_two_splits(labels):
    for fold in range(FOLDS):
        splits = fold_splits(labels, FOLDS, fold, fold)
        for column in ("person", "script"):
            train, held = (set(labels[column][splits == name]) - {""} for name in ("train", "dev"))
            assert train and held and not train & held


def test_every_speaker_is_held_back_once_with_men_and_women_in_each_fold(labels):
    held = []
    for fold in range(FOLDS):
        people = np.unique(labels["person"][fold_splits(labels, FOLDS, fold, fold) == "dev"])
        genders = {labels["gender"][labels["person"] == person][0] for person in people}
        assert genders == {0, 1}
        held += people.tolist()
    assert sorted(held) == sorted(np.unique(labels["person"]))


def test_what_nobody_else_reads_is_measured_whole(labels):
    own = labels["script"] == ""
    held = sum(
        (fold_splits(labels, FOLDS, fold, fold) == "dev")[own].sum() for fold in range(FOLDS)
    )
    assert held == own.sum()


def test_as_many_turns_as_folds_measure_every_clip_once(labels):
    times = np.zeros(len(labels["person"]), int)
    for turn in range(FOLDS):
        for fold in range(FOLDS):
            times += fold_splits(labels, FOLDS, fold, (fold + turn) % FOLDS) == "dev"
    assert set(times[labels["script"] != ""]) == {1}
