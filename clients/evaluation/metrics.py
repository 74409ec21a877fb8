"""Figures of merit, each with its 95 % bootstrap interval.

Training and evaluation share them: `training/metrics.py` is a link to this file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    """Share of equal labels [N]."""
    return float((truth == guess).mean())


def unweighted_recall(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean recall over the classes that occur (UAR); class indices [N]."""
    counts = _confusion(truth, guess)
    occurring = counts.sum(1)
    return float((counts.diagonal() / np.maximum(occurring, 1))[occurring > 0].mean())


def macro_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean F1 over the classes that occur; class indices [N]."""
    counts = _confusion(truth, guess)
    occurring, guessed = counts.sum(1), counts.sum(0)
    scores = 2 * counts.diagonal() / np.maximum(occurring + guessed, 1)
    return float(scores[occurring > 0].mean())


def mean_absolute_error(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean of |truth - guess|; [N], in the unit of its inputs."""
    return float(np.abs(truth - guess).mean())


def within_five_years(truth: np.ndarray, guess: np.ndarray) -> float:
    """Share of ages, [N] in years, that are at most 5 years off."""
    return float((np.abs(truth - guess) <= 5).mean())


def confusion(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs of class indices [N]; returns int [classes,classes], a row for each truth."""
    pairs = np.bincount(truth * classes + guess, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def _confusion(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    return confusion(truth, guess, 1 + int(max(truth.max(), guess.max())))


def reliability(truth: np.ndarray, posteriors: np.ndarray, bins: int = 15) -> np.ndarray:
    """Compare how sure the winning class was with how often it was right.

    Args:
        truth: Labels [N].
        posteriors: [N,C].
        bins: Equal parts of the confidence range 0 to 1.

    Returns:
        [bins,3]: the bin's mean confidence, its accuracy and its share of N; empty bins are zero.
    """
    confidence, right = posteriors.max(1), posteriors.argmax(1) == truth
    slot = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(slot, minlength=bins)
    sums = [np.bincount(slot, values, minlength=bins) for values in (confidence, right)]
    means = [total / np.maximum(count, 1) for total in sums]
    return np.stack([*means, count / len(truth)], axis=1)


def calibration_error(truth: np.ndarray, posteriors: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the winning class; labels [N], posteriors [N,C]."""
    confidence, right, share = reliability(truth, posteriors, bins).T
    return float((np.abs(right - confidence) * share).sum())


def with_interval(
    metric: Callable[[np.ndarray, np.ndarray], float],
    truth: np.ndarray,
    guess: np.ndarray,
    groups: np.ndarray | None = None,
    rounds: int = 1_000,
) -> dict[str, float]:
    """Measure once and on `rounds` resamples.

    Args:
        metric: Takes truth and guess.
        truth: [N].
        guess: [N].
        groups: [N] people; when given, whole people are resampled, as clips of one are alike.
        rounds: Number of bootstrap resamples.

    Returns:
        `value`, `low`, `high` (95 % percentile interval) and `n`.
    """
    random = np.random.default_rng(0)
    if groups is None:
        draws = (random.integers(0, len(truth), len(truth)) for _ in range(rounds))
    else:
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        draws = (
            np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
            for _ in range(rounds)
        )
    values = [metric(truth[draw], guess[draw]) for draw in draws]
    low, high = np.percentile(values, [2.5, 97.5])
    return {"value": metric(truth, guess), "low": low, "high": high, "n": len(truth)}
