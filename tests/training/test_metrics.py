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


def test_likelihood_and_brier_score_are_those_counted_by_hand():
    truth, posteriors = np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]])
    likelihood = -(np.log(0.8) + np.log(0.4)) / 2
    assert metrics.negative_log_likelihood(truth, posteriors) == pytest.approx(likelihood)
    # (0.2^2 + 0.2^2 + 0.6^2 + 0.6^2) / 2
    assert metrics.brier_score(truth, posteriors) == pytest.approx(0.4)


def test_a_class_rounded_to_nothing_costs_no_infinite_likelihood():
    likelihood = metrics.negative_log_likelihood(np.array([1]), np.array([[1.0, 0.0]]))
    assert likelihood == pytest.approx(-np.log(5e-5))


def test_concordance_is_lowered_by_bias_and_by_narrowness():
    truth = np.array([20.0, 30.0, 40.0])
    assert metrics.concordance(truth, truth) == 1
    # Moments over three: each variance 200/3, covariance 200/3, means 10 apart.
    expected = 2 * (200 / 3) / (400 / 3 + 100)
    assert metrics.concordance(truth, truth + 10) == pytest.approx(expected)
    assert metrics.bias(truth, truth + 10) == 10
    assert metrics.concordance(truth, np.full(3, 30.0)) == 0


def test_there_is_no_interval_of_nine_people_and_it_is_said_why():
    truth = np.zeros(90, int)
    told = metrics.with_interval(metrics.accuracy, truth, truth, groups=np.arange(90) % 9)
    assert told == {"value": 1, "n": 90, "why": "people: 9, at least 10 needed"}
