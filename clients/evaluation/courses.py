"""How steady and how late the recognition of a recording is over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from clients.evaluation import metrics

#: How far an answer is looked for behind its label, in seconds: two of the windows it speaks for.
LONGEST_LAG = 12.0
#: Moments further apart than this many steps do not follow each other.
_GAP = 1.5


@dataclass(frozen=True)
class Moment:
    """What is recognised of a moment.

    Attributes:
        begin: Where it begins, in seconds.
        end: Where it ends.
        leader: The most probable emotion; empty where there is no answer.
        reason: Why there is none, in a word or two.
        undecided: Whether the answer names no emotion; None where it does not say so.
        latency: Seconds from its end to its answer, where that is told.
    """

    begin: float
    end: float
    leader: str = ""
    reason: str = ""
    undecided: bool | None = None
    latency: float | None = None


@dataclass(frozen=True)
class Stretch:
    """A stretch of a recording in which one emotion is shown, in seconds."""

    begin: float
    end: float
    emotion: str


@dataclass(frozen=True)
class Change:
    """A change of the emotion shown, and when the answers followed.

    Attributes:
        at: When, in seconds of the recording.
        before: The emotion before.
        after: The one from then on.
        lag: Seconds until an answer has it as its leader; None if none does before the next change.
    """

    at: float
    before: str
    after: str
    lag: float | None


@dataclass(frozen=True)
class Course:
    """How one recording was recognised over time.

    Attributes:
        recording: Its name.
        moments: How many moments it has.
        answered: How many were answered.
        reasons: How many were not for which reason.
        undecided: Share of the answers that name no emotion; None where they do not say so.
        flicker: Changes of the leader a minute, between answers that follow each other.
        changes_shown: Changes of the label a minute, which flicker would equal at best.
        accuracy: Share of the labelled answers whose leader is the label.
        lag: By how many seconds the labels must be delayed for the greatest accuracy.
        accuracy_at_lag: That accuracy.
        changes: Each change of the label.
        median_lag: Of the changes that were followed, in seconds.
        followed: Share of the changes that were followed.
        latency: Median seconds from a moment's end to its answer, where that is told.
        slowest: The 95th percentile of it.
    """

    recording: str
    moments: int
    answered: int
    reasons: dict[str, int]
    undecided: float | None
    flicker: float | None
    changes_shown: float | None
    accuracy: float | None
    lag: float | None
    accuracy_at_lag: float | None
    changes: list[Change]
    median_lag: float | None
    followed: float | None
    latency: float | None
    slowest: float | None


def course_of(recording: str, moments: Sequence[Moment], labels: Sequence[Stretch]) -> Course:
    """Measure one recording.

    Args:
        recording: Its name.
        moments: In order of time.
        labels: Likewise; none where nothing is known.
    """
    answered = [one for one in moments if one.leader]
    said = [one.undecided for one in answered if one.undecided is not None]
    lags = {lag: _accuracy(answered, labels, lag) for lag in _lags(moments)}
    known = {lag: value for lag, value in lags.items() if value is not None}
    best = max(known, key=lambda lag: (known[lag], -lag), default=None)
    changes = list(_changes(answered, labels))
    followed = [one.lag for one in changes if one.lag is not None]
    waits = [one.latency for one in moments if one.latency is not None]
    return Course(
        recording=recording,
        moments=len(moments),
        answered=len(answered),
        reasons=dict(Counter(one.reason for one in moments if not one.leader).most_common()),
        undecided=float(np.mean(said)) if said else None,
        flicker=flicker(moments),
        changes_shown=_changes_shown(labels),
        accuracy=known.get(0.0),
        lag=best,
        accuracy_at_lag=None if best is None else known[best],
        changes=changes,
        median_lag=float(np.median(followed)) if followed else None,
        followed=len(followed) / len(changes) if changes else None,
        latency=float(np.median(waits)) if waits else None,
        slowest=float(np.percentile(waits, 95)) if waits else None,
    )


def flicker(moments: Sequence[Moment]) -> float | None:
    """Return changes of the leader a minute, between answers that follow each other.

    Over a gap or a moment without an answer nothing is counted, neither changes nor time.
    """
    step = _step(moments)
    steps = [
        (one, other)
        for one, other in pairwise(moments)
        if one.leader and other.leader and other.end - one.end <= _GAP * step
    ]
    seconds = sum(other.end - one.end for one, other in steps)
    changed = sum(one.leader != other.leader for one, other in steps)
    return 60 * changed / seconds if seconds else None


def _step(moments: Sequence[Moment]) -> float:
    return float(np.median([b.end - a.end for a, b in pairwise(moments)] or [1.0]))


def _lags(moments: Sequence[Moment]) -> list[float]:
    step = _step(moments)
    return [round(index * step, 3) for index in range(int(LONGEST_LAG / step) + 1)]


def _accuracy(answered: Sequence[Moment], labels: Sequence[Stretch], lag: float) -> float | None:
    """Return the share of right leaders when each moment has the label of `lag` seconds before."""
    shown = [_shown(labels, (one.begin + one.end) / 2 - lag) for one in answered]
    known = [one.leader == label for one, label in zip(answered, shown, strict=True) if label]
    return float(np.mean(known)) if known else None


def _shown(labels: Sequence[Stretch], time: float) -> str:
    return next((one.emotion for one in labels if one.begin <= time < one.end), "")


def _changes(answered: Sequence[Moment], labels: Sequence[Stretch]) -> Iterator[Change]:
    for (one, other), until in zip(pairwise(labels), _next_begins(labels), strict=True):
        if one.emotion == other.emotion:
            continue
        # An answer is there when its moment ends.
        times = [m.end for m in answered if other.begin < m.end <= until]
        leaders = [m.leader for m in answered if other.begin < m.end <= until]
        lag = next(
            (
                end - other.begin
                for end, who in zip(times, leaders, strict=True)
                if who == other.emotion
            ),
            None,
        )
        yield Change(
            other.begin, one.emotion, other.emotion, None if lag is None else round(lag, 3)
        )


def _next_begins(labels: Sequence[Stretch]) -> list[float]:
    """Return until when each label but the first may be followed: the next one's begin."""
    return [*(one.begin for one in labels[2:]), *([labels[-1].end] if len(labels) > 1 else [])]


def _changes_shown(labels: Sequence[Stretch]) -> float | None:
    seconds = sum(one.end - one.begin for one in labels)
    changed = sum(one.emotion != other.emotion for one, other in pairwise(labels))
    return 60 * changed / seconds if seconds else None


def summary_of(courses: Sequence[Course]) -> dict[str, dict[str, object]]:
    """Average the recordings' figures, each with its 95 % bootstrap interval over recordings."""
    told = {}
    for name in (
        "flicker",
        "changes_shown",
        "accuracy",
        "accuracy_at_lag",
        "median_lag",
        "followed",
    ):
        values = np.array([v for one in courses if (v := getattr(one, name)) is not None])
        if len(values):

            def mean(draw: np.ndarray, values: np.ndarray = values) -> np.ndarray:
                return np.array([values[draw].mean()])

            (figure,) = metrics.bootstrap(mean, len(values))
            told[name] = asdict(figure) | {"recordings": len(values)}
    return told
