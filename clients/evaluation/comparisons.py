"""What is told by comparing: two runs, fused and single modalities, groups, and modalities.

Differences have intervals of their own, from resamples that draw the same people, or samples, for
both sides (the paired bootstrap). Two intervals that overlap say nothing of a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clients.contract import EMOTION_CODES, MODALITIES
from clients.evaluation import metrics
from clients.evaluation.asking import SOURCES
from clients.evaluation.figures import (
    Answers,
    Columns,
    Pairs,
    all_groups,
    answers_of,
    conflicts_of,
    emotion_answers,
    leaders_of,
)
from clients.evaluation.metrics import Interval

#: What groups are compared by: whom the answers are right about, and who gets one.
HEADLINES = {
    "emotion": ("accuracy", "refused"),
    "gender": ("accuracy", "refused"),
    "age": ("mean absolute error", "refused"),
}
#: Of these, what is better when it is less.
LESS_IS_BETTER = ("mean absolute error", "refused")
#: What fused and single answers are compared by.
GAINS = ("accuracy", "negative log likelihood", "brier score")
#: Probabilities of an answer that should hardly ever be wrong.
SURE = (0.9, 0.95)


@dataclass(frozen=True)
class Change:
    """What became of one source's figures from one run to another, over the same samples.

    Attributes:
        group: As in `figures.Measurement`.
        source: Likewise.
        target: Likewise.
        n: Samples that were answered in both runs; those of `figures.OVER_ALL` are over all.
        people: How many people these are of; None when no sample names one.
        mended: Samples that are right now and were not; None of ages.
        spoilt: Samples that were right and are not now; None of ages.
        before: The other run's figures, by name.
        after: This run's.
        change: After - before.
    """

    group: str
    source: str
    target: str
    n: int
    people: int | None
    mended: int | None
    spoilt: int | None
    before: dict[str, float]
    after: dict[str, float]
    change: dict[str, Interval]


@dataclass(frozen=True)
class Gain:
    """How much better the fused emotion is than the best single one, where several were told.

    Attributes:
        present: The modalities that answered, e.g. "text+speech".
        n: Samples of which exactly these answered.
        people: How many people these are of; None when no sample names one.
        best: The modality of the greatest accuracy on these very samples, which flatters it.
        accuracy: By source.
        gain: Fused - best, by each of `GAINS`.
    """

    present: str
    n: int
    people: int | None
    best: str
    accuracy: dict[str, float]
    gain: dict[str, Interval]


@dataclass(frozen=True)
class Gap:
    """The widest difference between two groups of one column.

    Attributes:
        column: The column.
        source: One of SOURCES.
        target: As in `figures.Measurement`.
        metric: What was compared.
        best: The better group.
        worst: The worse one; both with at least `metrics.FEWEST_GROUPS` people, or samples.
        groups: How many groups had so many; the more there are, the wider the gap by chance alone.
        difference: The better group's figure - the worse one's.
    """

    column: str
    source: str
    target: str
    metric: str
    best: str
    worst: str
    groups: int
    difference: Interval


def changes_between(
    before: Pairs,
    after: Pairs,
    columns: Columns,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Change]:
    """Compare two runs by the samples that are in both.

    Args:
        before: The other run's samples and outcomes.
        after: This run's.
        columns: What `groups_of` returns for `after`.
        classes: See `measurements_of`.
    """
    earlier = {sample.row: outcome for sample, outcome in before}
    for group, members, targets in all_groups(after, columns):
        for source in SOURCES:
            both = [
                pair
                for pair in members
                if pair[1].asked(source)
                and pair[0].row in earlier
                and earlier[pair[0].row].asked(source)
            ]
            other = [(one, earlier[one.row]) for one, _ in both]
            old, new = (answers_of(run, source, classes, targets) for run in (other, both))
            for target in new:
                yield _change(group, source, target, old[target], new[target])


def _change(group: str, source: str, target: str, old: Answers, new: Answers) -> Change:
    # A figure of both runs is over what both answered: the easier samples must not be one's own.
    both = old.told & new.told
    told = [replace(one, told=both) for one in (old, new)]

    def sides(draw: np.ndarray) -> list[dict[str, float]]:
        return [
            shared.of(draw).over_answered() | whole.of(draw).over_all()
            for shared, whole in zip(told, (old, new), strict=True)
        ]

    first, second = sides(np.arange(len(new.truth)))
    names = [
        name for name in second if name in first and not np.isnan([first[name], second[name]]).any()
    ]

    def difference(draw: np.ndarray) -> np.ndarray:
        one, other = sides(draw)
        return np.array([other.get(name, np.nan) - one.get(name, np.nan) for name in names])

    changes = metrics.bootstrap(difference, len(new.truth), new.people)
    mended = spoilt = None
    if new.guess.ndim == 2:
        was, is_now = (both & (one.truth == one.decision) for one in (old, new))
        mended, spoilt = int((is_now & ~was).sum()), int((was & ~is_now).sum())
    return Change(
        group,
        source,
        target,
        int(both.sum()),
        _people(new),
        mended,
        spoilt,
        {name: first[name] for name in names},
        {name: second[name] for name in names},
        dict(zip(names, changes, strict=True)),
    )


def gains_of(pairs: Pairs) -> Iterator[Gain]:
    """Compare the fused emotion with single ones, by which modalities answered; two at least."""
    subsets: dict[tuple[str, ...], list[tuple]] = {}
    for sample, outcome in pairs:
        present = tuple(name for name in MODALITIES if name in outcome.answers)
        if len(present) > 1 and "fused" in outcome.answers and sample.emotion:
            subsets.setdefault(present, []).append((sample, outcome))
    for present, members in sorted(subsets.items(), key=lambda item: (len(item[0]), item[0])):
        by_source = {name: emotion_answers(members, name) for name in (*present, "fused")}
        accuracy = {
            name: metrics.accuracy(one.truth, one.decision) for name, one in by_source.items()
        }
        best = max(present, key=accuracy.__getitem__)
        fused = by_source["fused"]
        yield Gain(
            "+".join(present),
            len(members),
            _people(fused),
            best,
            accuracy,
            _gain(fused, by_source[best]),
        )


def _gain(fused: Answers, single: Answers) -> dict[str, Interval]:
    def difference(draw: np.ndarray) -> np.ndarray:
        one, other = fused.of(draw).over_answered(), single.of(draw).over_answered()
        return np.array([one[name] - other[name] for name in GAINS])

    intervals = metrics.bootstrap(difference, len(fused.truth), fused.people)
    return dict(zip(GAINS, intervals, strict=True))


def gaps_of(columns: Columns) -> Iterator[Gap]:
    """Find the widest gap between the groups of each column, by each target's headlines."""
    for column, groups in columns.items():
        for source in SOURCES:
            collected: dict[str, dict[str, Answers]] = {}
            for group, members in groups.items():
                for target, answers in answers_of(members, source).items():
                    if _units(answers.answered) >= metrics.FEWEST_GROUPS:
                        collected.setdefault(target, {})[group] = answers
            for target, by_group in collected.items():
                for metric in HEADLINES[target]:
                    gap = _gap(by_group, metric)
                    if gap is not None:
                        yield Gap(column, source, target, metric, *gap)


def _gap(by_group: Mapping[str, Answers], metric: str) -> tuple[str, str, int, Interval] | None:
    """Return the better and the worse group, how many there are, and the difference."""
    values = {group: answers.figures()[metric] for group, answers in by_group.items()}
    worst, best = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    if values[worst] == values[best]:
        return None
    if metric in LESS_IS_BETTER:
        worst, best = best, worst
    sides = by_group[best], by_group[worst]
    first = len(sides[0].truth)
    people = None
    if all(one.people is not None for one in sides):
        people = np.concatenate([one.people for one in sides])

    def difference(draw: np.ndarray) -> np.ndarray:
        drawn = sides[0].of(draw[draw < first]), sides[1].of(draw[draw >= first] - first)
        better, worse = (one.figures().get(metric, np.nan) for one in drawn)
        return np.array([better - worse])

    (interval,) = metrics.bootstrap(difference, first + len(sides[1].truth), people)
    return best, worst, len(by_group), interval


def _people(answers: Answers) -> int | None:
    return None if answers.people is None else _units(answers)


def _units(answers: Answers) -> int:
    return len(answers.truth) if answers.people is None else len(np.unique(answers.people))


def conflict_of(pairs: Pairs) -> dict[str, dict[str, float]]:
    """Describe the fused answers where several modalities told something, with or without labels.

    Returns:
        By whether the modalities' most probable emotions agree ("modalities agree", "modalities
        disagree"): `rows`; the shares of these whose fused answer is surer than each of `SURE`, and
        whose emotion no modality puts first (`nobody's choice`); where the answers say so, the
        share `undecided` and the mean `conflict`. Of the `labelled` rows, the shares that are that
        sure and wrong.
    """
    described = {}
    for name, members in conflicts_of(pairs).items():
        fused = [(one, outcome) for one, outcome in members if "fused" in outcome.answers]
        if fused:
            described[name] = _described(fused)
    return described


def _described(pairs: Pairs) -> dict[str, float]:
    posteriors = np.array(
        [[outcome.answers["fused"][code] for code in EMOTION_CODES] for _, outcome in pairs]
    )
    codes = list(EMOTION_CODES)
    leaders = [codes[index] for index in posteriors.argmax(1)]
    confidence = posteriors.max(1)
    unchosen = [
        leader not in leaders_of(outcome).values()
        for leader, (_, outcome) in zip(leaders, pairs, strict=True)
    ]
    told: dict[str, float] = {
        "rows": len(pairs),
        **{f"above {sure:g}": float((confidence > sure).mean()) for sure in SURE},
        "nobody's choice": float(np.mean(unchosen)),
    }
    for name in ("undecided", "conflict"):
        said = [outcome.certainty[name] for _, outcome in pairs if name in outcome.certainty]
        if said:
            told[name] = float(np.mean(said))
    labelled = np.array([bool(sample.emotion) for sample, _ in pairs])
    if labelled.any():
        wrong = np.array(
            [
                EMOTION_CODES[leader] != sample.emotion
                for leader, (sample, _) in zip(leaders, pairs, strict=True)
            ]
        )
        told["labelled"] = int(labelled.sum())
        for sure in SURE:
            share = float((wrong & (confidence > sure))[labelled].mean())
            told[f"above {sure:g} and wrong"] = share
    return told
