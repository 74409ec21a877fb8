"""Figures of merit, each with its 95 % bootstrap interval.

Training and evaluation share them: `training/metrics.py` is a link to this file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

#: Of fewer people or samples, resampling claims more than it knows: whoever is rare among all is
#: hardly ever drawn, so intervals come out too narrow.
FEWEST_GROUPS = 10
ROUNDS = 1_000
#: Why the calibration error has no interval: a resample leaves less in each bin.
RAISED = "resampling only raises it"
#: What a true class has at least: answers are rounded to four decimals, so 0 may be nearly this.
LEAST_PROBABILITY = 5e-5


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


def bias(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean of guess - truth; [N], in the unit of its inputs. Above 0: guessed too high."""
    return float((guess - truth).mean())


def concordance(truth: np.ndarray, guess: np.ndarray) -> float:
    """Lin's concordance correlation coefficient of [N] and [N], -1 to 1.

    2 s_tg / (s_t^2 + s_g^2 + (mean_t - mean_g)^2) with moments over N (Lin, Biometrics 45, 1989):
    correlation, lowered by what is guessed too high or low, or with too much or too little spread.
    """
    shared = float(((truth - truth.mean()) * (guess - guess.mean())).mean())
    apart = float(truth.var() + guess.var() + (truth.mean() - guess.mean()) ** 2)
    return 2 * shared / apart if apart else 1.0


def negative_log_likelihood(truth: np.ndarray, posteriors: np.ndarray) -> float:
    """Mean of -ln p of the true class, in nats: labels [N], posteriors [N,C].

    The logarithmic score, which is least in expectation for the true probabilities alone (Gneiting
    and Raftery, JASA 102, 2007). No p counts as less than `LEAST_PROBABILITY`.
    """
    told = posteriors[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(told, LEAST_PROBABILITY)).mean())


def brier_score(truth: np.ndarray, posteriors: np.ndarray) -> float:
    """Mean over N of the squared error summed over classes, 0 to 2: labels [N], posteriors [N,C].

    As Brier defined it for several classes (Monthly Weather Review 78, 1950).
    """
    told = posteriors[np.arange(len(truth)), truth]
    return float(((posteriors**2).sum(1) - 2 * told + 1).mean())


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


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval.

    Attributes:
        value: The figure.
        low: Lower end; None where there is no interval.
        high: Upper end, likewise.
        why: Why there is none; empty where there is one.
    """

    value: float
    low: float | None = None
    high: float | None = None
    why: str = ""


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray],
    count: int,
    groups: np.ndarray | None = None,
    rounds: int | None = None,
) -> list[Interval]:
    """Measure several figures at once, on all N samples and on `rounds` resamples of them.

    The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993), which
    is paired where the figures are differences of what two answers to the same samples give.

    Args:
        statistic: Takes the indices of the samples drawn, and returns K figures; NaN, of which
            intervals take no notice, where these samples have none.
        count: N.
        groups: [N] people; when given, whole people are resampled, as clips of one are alike.
        rounds: Number of resamples, `ROUNDS` unless told otherwise.

    Returns:
        K figures; without an interval where there are fewer than `FEWEST_GROUPS` to draw from.
    """
    values = statistic(np.arange(count))
    units = count if groups is None else len(np.unique(groups))
    if units < FEWEST_GROUPS:
        kind = "samples" if groups is None else "people"
        why = f"{kind}: {units}, at least {FEWEST_GROUPS} needed"
        return [Interval(float(value), why=why) for value in values]
    drawn = np.array([statistic(draw) for draw in _resamples(count, groups, rounds or ROUNDS)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        ends = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return [
        Interval(float(value), float(low), float(high))
        for value, low, high in zip(values, *ends, strict=True)
    ]


def _resamples(count: int, groups: np.ndarray | None, rounds: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    if groups is None:
        for _ in range(rounds):
            yield random.integers(0, count, count)
        return
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(np.unique(groups, return_inverse=True)[1][order])])
    members = np.split(order, starts[1:])
    for _ in range(rounds):
        yield np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])


def with_interval(
    metric: Callable[[np.ndarray, np.ndarray], float],
    truth: np.ndarray,
    guess: np.ndarray,
    groups: np.ndarray | None = None,
    rounds: int | None = None,
) -> dict[str, float | str]:
    """Measure once and on resamples; see `bootstrap`.

    Args:
        metric: Takes truth and guess.
        truth: [N].
        guess: [N].
        groups: [N] people, who are then resampled whole.
        rounds: Number of resamples, `ROUNDS` unless told otherwise.

    Returns:
        `value` and `n`, and `low` and `high` (95 % percentile interval), or `why` there is none.
    """

    def statistic(draw: np.ndarray) -> np.ndarray:
        return np.array([metric(truth[draw], guess[draw])])

    (figure,) = bootstrap(statistic, len(truth), groups, rounds)
    told = {"value": figure.value, "n": len(truth)}
    if figure.why:
        return told | {"why": figure.why}
    return told | {"low": figure.low, "high": figure.high}
