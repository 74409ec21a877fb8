"""The figures of merit of a run: for each source, over all samples and by group.

A source that was asked and did not answer is counted twice over: beside the figures, which are over
the samples that it answered and whose label is known, with the reasons; and inside "accuracy over
all", where no answer is a wrong one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from clients.contract import AGE_CODE, EMOTION_CODES, EMOTIONS, GENDER_CODES, MODALITIES
from clients.errors import ManifestError
from clients.evaluation import metrics
from clients.evaluation.asking import SOURCES, Outcome
from clients.evaluation.manifest import GENDERS, Sample
from clients.evaluation.metrics import Interval

Pairs = Sequence[tuple[Sample, Outcome]]
#: Groups by the column that makes them, then by name.
Columns = Mapping[str, Mapping[str, Pairs]]

#: [low, high) in years.
AGE_BANDS = {
    "0-12": (0, 13),
    "13-19": (13, 20),
    "20-39": (20, 40),
    "40-59": (40, 60),
    "60+": (60, float("inf")),
}
EMOTION_TARGETS = ("emotion", "restricted emotion")
TARGETS = (*EMOTION_TARGETS, "gender", "age")
#: The figures that are over all that were asked, answered or not.
OVER_ALL = ("accuracy over all", "refused")
#: More groups than this of one column would bury the figures.
MOST_GROUPS = 30
_DECISIONS = (metrics.accuracy, metrics.unweighted_recall, metrics.macro_f1)
_POSTERIORS = (metrics.negative_log_likelihood, metrics.brier_score)
_YEARS = (
    metrics.within_five_years,
    metrics.mean_absolute_error,
    metrics.bias,
    metrics.concordance,
)


@dataclass(frozen=True)
class Measurement:
    """How well one source told one thing.

    Attributes:
        group: "all", or what the samples share, e.g. "gender female".
        source: One of SOURCES.
        target: One of TARGETS.
        n: Samples that were answered.
        people: How many people those that were asked are of, whole people being resampled; None
            when no sample names one, and samples are.
        refused: Samples that were asked and not answered.
        reasons: How many of these for which reason.
        figures: By name of the metric. Ages' error and bias are in years, the likelihood in nats,
            the Brier score goes from 0 to 2 and the concordance from -1 to 1; all others are
            shares of 1. Where nothing was answered there are only "refused" and "accuracy over
            all".
    """

    group: str
    source: str
    target: str
    n: int
    people: int | None
    refused: int
    reasons: dict[str, int]
    figures: dict[str, Interval]


@dataclass(frozen=True)
class Answers:
    """What one source said, beside the truth, of N samples that it was asked about.

    Attributes:
        truth: Class indices [N], or years [N].
        guess: Posteriors [N, C], or years [N]; NaN where it did not answer.
        people: A name for each sample's person [N]; None when no sample names one.
        told: Where it answered [N].
        reasons: Why it did not [N]; empty where it did.
        undecided: Where it names no emotion [N]; None when it does not say so.
    """

    truth: np.ndarray
    guess: np.ndarray
    people: np.ndarray | None
    told: np.ndarray
    reasons: np.ndarray
    undecided: np.ndarray | None = None

    @property
    def decision(self) -> np.ndarray:
        """The most probable classes, or the years, [N]."""
        return self.guess.argmax(1) if self.guess.ndim == 2 else self.guess

    @property
    def answered(self) -> Answers:
        """Those that it answered."""
        return self.of(self.told)

    def of(self, chosen: np.ndarray) -> Answers:
        """Keep some samples, by index or by mask [N]."""
        return Answers(
            self.truth[chosen],
            self.guess[chosen],
            None if self.people is None else self.people[chosen],
            self.told[chosen],
            self.reasons[chosen],
            None if self.undecided is None else self.undecided[chosen],
        )

    def figures(self) -> dict[str, float]:
        """Measure by every metric, by name; see `Measurement.figures`."""
        return self.over_answered() | self.over_all()

    def over_answered(self) -> dict[str, float]:
        """Measure those that were answered."""
        one = self if self.told.all() else self.answered
        if not len(one.truth):
            return {}
        metrics_of = _DECISIONS if one.guess.ndim == 2 else _YEARS
        decision = one.decision
        figures = {_name(metric): metric(one.truth, decision) for metric in metrics_of}
        if one.guess.ndim == 2:
            figures |= {_name(metric): metric(one.truth, one.guess) for metric in _POSTERIORS}
        if one.undecided is not None:
            named = ~one.undecided
            figures["undecided"] = float(one.undecided.mean())
            figures["accuracy of decided"] = (
                metrics.accuracy(one.truth[named], decision[named]) if named.any() else np.nan
            )
        return figures

    def over_all(self) -> dict[str, float]:
        """Measure all that were asked, by `OVER_ALL`."""
        if not len(self.truth):
            return {}
        figures = {"refused": float(1 - self.told.mean())}
        if self.guess.ndim == 2:
            right = self.told & (np.nan_to_num(self.guess).argmax(1) == self.truth)
            figures["accuracy over all"] = float(right.mean())
        return figures


def groups_of(pairs: Pairs, columns: Sequence[str] = ()) -> Columns:
    """Return the samples by column and group: by corpus, gender and age band, and as asked.

    Args:
        pairs: Samples and their outcomes.
        columns: Further columns of the manifest.

    Raises:
        ManifestError: A column has too many names for groups.
    """
    groups: dict[str, dict[str, Pairs]] = {}
    for column in dict.fromkeys(["corpus", "gender", *columns]):
        names = sorted({sample.name_in(column) for sample, _ in pairs} - {""})
        if column in columns and len(names) > MOST_GROUPS:
            raise ManifestError(
                f"--group-by {column}: expected at most {MOST_GROUPS} names, found {len(names)}"
            )
        groups[column] = {
            f"{column} {name}": [pair for pair in pairs if pair[0].name_in(column) == name]
            for name in names
        }
    known = [pair for pair in pairs if pair[0].age is not None]
    bands = {
        f"age {band}": [pair for pair in known if low <= pair[0].age < high]
        for band, (low, high) in AGE_BANDS.items()
    }
    return groups | {"age": {name: members for name, members in bands.items() if members}}


def conflicts_of(pairs: Pairs) -> dict[str, Pairs]:
    """Return the samples of which several modalities told something, by whether they agree.

    Agreed: each one's most probable emotion is the same.
    """
    parts: dict[str, list[tuple[Sample, Outcome]]] = {"agree": [], "disagree": []}
    for sample, outcome in pairs:
        leaders = leaders_of(outcome)
        if len(leaders) > 1:
            parts["agree" if len(set(leaders.values())) == 1 else "disagree"].append(
                (sample, outcome)
            )
    return {f"modalities {name}": members for name, members in parts.items() if members}


def leaders_of(outcome: Outcome) -> dict[str, str]:
    """Return the code of the most probable emotion of each modality that answered."""
    return {
        name: max(EMOTION_CODES, key=outcome.answers[name].__getitem__)
        for name in MODALITIES
        if name in outcome.answers
    }


def all_groups(pairs: Pairs, columns: Columns) -> Iterator[tuple[str, Pairs, Sequence[str]]]:
    """Yield every group that is measured, the whole first: its name, samples and targets.

    Where modalities agree or disagree, they do so about the emotion.
    """
    yield "all", pairs, TARGETS
    for name, members in chain.from_iterable(groups.items() for groups in columns.values()):
        yield name, members, TARGETS
    for name, members in conflicts_of(pairs).items():
        yield name, members, EMOTION_TARGETS


def classes_of(samples: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    """Return the emotions that occur in each corpus, in code order."""
    labels: dict[str, set[str]] = {}
    for sample in samples:
        labels.setdefault(sample.corpus, set()).add(sample.emotion)
    return {
        corpus: tuple(emotion for emotion in EMOTIONS if emotion in those)
        for corpus, those in labels.items()
    }


def measurements_of(
    pairs: Pairs,
    columns: Columns | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Measurement]:
    """Measure every source in every group by all that is known.

    Args:
        pairs: Samples and their outcomes.
        columns: What `groups_of` returns; None takes its own columns.
        classes: By corpus, the emotions that "restricted emotion" chooses among; None leaves
            that target out.
    """
    columns = groups_of(pairs) if columns is None else columns
    for group, members, targets in all_groups(pairs, columns):
        for source in SOURCES:
            for target, answers in answers_of(members, source, classes, targets).items():
                yield _measured(group, source, target, answers)


def _measured(group: str, source: str, target: str, answers: Answers) -> Measurement:
    told = answers.told
    return Measurement(
        group,
        source,
        target,
        n=int(told.sum()),
        people=None if answers.people is None else len(np.unique(answers.people)),
        refused=int((~told).sum()),
        reasons=dict(Counter(answers.reasons[~told].tolist()).most_common()),
        figures=_intervals(answers),
    )


def answers_of(
    pairs: Pairs,
    source: str,
    classes: Mapping[str, Sequence[str]] | None = None,
    targets: Sequence[str] = TARGETS,
) -> dict[str, Answers]:
    """Collect what a source was asked about some samples, by target; nothing empty."""
    collected = {"emotion": emotion_answers(pairs, source)}
    if classes is not None:
        collected["restricted emotion"] = emotion_answers(pairs, source, classes)
    collected |= {"gender": gender_answers(pairs, source), "age": age_answers(pairs, source)}
    return {name: one for name, one in collected.items() if name in targets and len(one.truth)}


def emotion_answers(
    pairs: Pairs, source: str, classes: Mapping[str, Sequence[str]] | None = None
) -> Answers:
    """Collect a source's posteriors [N, 7].

    Args:
        pairs: Samples and their outcomes.
        source: One of SOURCES.
        classes: By corpus, the emotions to restrict posteriors to: the others become 0 and the
            rest is scaled to 1. Samples of other emotions are left out.
    """
    kept = [pair for pair in pairs if pair[1].asked(source) and pair[0].emotion]
    if classes is not None:
        kept = [pair for pair in kept if pair[0].emotion in classes[pair[0].corpus]]
    truth = np.array([EMOTIONS.index(sample.emotion) for sample, _ in kept], int)
    guess = _numbers(kept, source, EMOTION_CODES)
    if classes is not None:
        possible = [[emotion in classes[one.corpus] for emotion in EMOTIONS] for one, _ in kept]
        mask = np.array(possible, np.float64).reshape(-1, len(EMOTIONS))
        # Answers are rounded to 4 decimals: what is left of one may be nothing, which says nothing
        # of it.
        guess = np.maximum(guess, 1e-9) * mask
        guess = guess / guess.sum(1, keepdims=True)
    answers = _collected(kept, source, truth, guess)
    if source != "fused" or classes is not None:
        return answers
    said = [outcome.certainty.get("undecided") for _, outcome in kept]
    undecided = None if set(said) <= {None} else np.array([bool(one) for one in said])
    return replace(answers, undecided=undecided)


def age_answers(pairs: Pairs, source: str) -> Answers:
    """Collect a source's ages [N] in years."""
    kept = [pair for pair in _shown(pairs, source) if pair[0].age is not None]
    truth = np.array([sample.age for sample, _ in kept], np.float64)
    return _collected(kept, source, truth, _numbers(kept, source, [AGE_CODE])[:, 0])


def gender_answers(pairs: Pairs, source: str) -> Answers:
    """Collect a source's posteriors [male, female], [N, 2]."""
    kept = [pair for pair in _shown(pairs, source) if pair[0].gender]
    truth = np.array([GENDERS.index(sample.gender) for sample, _ in kept], int)
    return _collected(kept, source, truth, _numbers(kept, source, GENDER_CODES))


def _shown(pairs: Pairs, source: str) -> Pairs:
    """Keep the samples that a source was asked about and that bring a voice or a face to it."""
    if source == "text":
        return []
    return [
        (sample, outcome)
        for sample, outcome in pairs
        if outcome.asked(source)
        and (source != "fused" or sample.speech or sample.video or sample.face)
    ]


def _numbers(pairs: Pairs, source: str, codes: Sequence[str]) -> np.ndarray:
    """Return an answer's numbers [N, codes]; NaN where it has none."""
    rows = [
        [outcome.answers.get(source, {}).get(code, np.nan) for code in codes]
        for _, outcome in pairs
    ]
    return np.array(rows, np.float64).reshape(-1, len(codes))


def _collected(pairs: Pairs, source: str, truth: np.ndarray, guess: np.ndarray) -> Answers:
    missing = np.isnan(guess) if guess.ndim == 1 else np.isnan(guess).any(1)
    reasons = [
        outcome.reasons.get(source, "not told") if silent else ""
        for (_, outcome), silent in zip(pairs, missing, strict=True)
    ]
    return Answers(truth, guess, _people(pairs), ~missing, np.array(reasons, object))


def _people(pairs: Pairs) -> np.ndarray | None:
    """Name everybody; a sample that names nobody is somebody by itself."""
    if not any(sample.person for sample, _ in pairs):
        return None
    return np.array([sample.person or f"row {sample.row}" for sample, _ in pairs])


def _intervals(answers: Answers) -> dict[str, Interval]:
    names = list(answers.figures())

    def statistic(draw: np.ndarray) -> np.ndarray:
        figures = answers.of(draw).figures()
        return np.array([figures.get(name, np.nan) for name in names])

    intervals = metrics.bootstrap(statistic, len(answers.truth), answers.people)
    figures = {
        name: figure
        for name, figure in zip(names, intervals, strict=True)
        if not np.isnan(figure.value)
    }
    one = answers.answered
    if len(one.truth) and one.guess.ndim == 2:
        error = metrics.calibration_error(one.truth, one.guess)
        figures["calibration error"] = Interval(error, why=metrics.RAISED)
    return figures


def _name(metric: object) -> str:
    return metric.__name__.replace("_", " ")
