"""The figures of merit on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training import metrics

TRUTH = np.array([0, 0, 0, 1])
GUESS = np.array([0, 0, 1, 1])


def test_accuracy_counts_clips_and_unweighted_recall_counts_classes():
    assert metrics.accuracy(TRUTH, GUESS) == 0.75
    assert metrics.unweighted_recall(TRUTH, GUESS) == pytest.approx((2 / 3 + 1) / 2)


def test_macro_f1_is_the_mean_of_both_classes():
    assert metrics.macro_f1(TRUTH, GUESS) == pytest.approx((0.8 + 2 / 3) / 2)


def test_a_sure_and_right_posterior_is_calibrated():
    assert metrics.calibration_error(np.array([0, 1]), np.eye(2)) == 0
    assert metrics.calibration_error(np.array([1, 0]), np.eye(2)) == 1


def test_an_interval_holds_its_value_and_widens_when_whole_people_are_drawn():
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(20), 20)
    guess = np.repeat(random.integers(0, 2, 20), 20)
    truth = np.ones(400, int)
    by_clip = metrics.with_interval(metrics.accuracy, truth, guess)
    by_person = metrics.with_interval(metrics.accuracy, truth, guess, groups=people)
    assert by_person["low"] <= by_clip["low"] <= by_clip["value"] <= by_clip["high"]
    assert by_clip["n"] == 400
