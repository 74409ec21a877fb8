"""The figures of merit of a run: for each source, over all samples and by group.

Figures are over the samples that a source answered and whose label is known; failures are counted
beside them and never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clients.contract import AGE_CODE, EMOTION_CODES, EMOTIONS, GENDER_CODES
from clients.evaluation import metrics
from clients.evaluation.asking import SOURCES, Outcome
from clients.evaluation.manifest import GENDERS, Sample

Pairs = Sequence[tuple[Sample, Outcome]]

#: [low, high) in years.
AGE_BANDS = {
    "0-12": (0, 13),
    "13-19": (13, 20),
    "20-39": (20, 40),
    "40-59": (40, 60),
    "60+": (60, float("inf")),
}
_CLASS_METRICS = (metrics.accuracy, metrics.unweighted_recall, metrics.macro_f1)
_AGE_METRICS = (metrics.within_five_years, metrics.mean_absolute_error)


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval.

    Attributes:
        value: Ages' mean absolute error is in years, all others are shares of 1.
        low: Lower end; None for the calibration error, which resampling only raises, and where
            there is but one sample or person to draw from.
        high: Upper end, likewise.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Measurement:
    """How well one source told one thing.

    Attributes:
        group: "all", or what the samples share: "corpus ...", "gender ..." or "age ...".
        source: One of SOURCES.
        target: "emotion", "restricted emotion", "gender" or "age".
        n: Samples.
        people: How many people they are of, whole people being resampled; None when no sample
            names one, and samples are.
        figures: By name of the metric.
    """

    group: str
    source: str
    target: str
    n: int
    people: int | None
    figures: dict[str, Interval]


@dataclass(frozen=True)
class Answers:
    """What one source said, beside the truth; N samples.

    Attributes:
        truth: Class indices [N], or years [N].
        guess: Posteriors [N, C], or years [N].
        people: A name for each sample's person [N]; None when no sample names one.
    """

    truth: np.ndarray
    guess: np.ndarray
    people: np.ndarray | None

    @property
    def decision(self) -> np.ndarray:
        """The most probable classes, or the years, [N]."""
        return self.guess.argmax(1) if self.guess.ndim == 2 else self.guess


def groups_of(pairs: Pairs) -> dict[str, Pairs]:
    """Return the samples as a whole and by corpus, gender and age band, without empty groups."""
    groups: dict[str, Pairs] = {"all": pairs} | corpora_of(pairs)
    for gender in GENDERS:
        groups[f"gender {gender}"] = [pair for pair in pairs if pair[0].gender == gender]
    for band, (low, high) in AGE_BANDS.items():
        known = [pair for pair in pairs if pair[0].age is not None]
        groups[f"age {band}"] = [pair for pair in known if low <= pair[0].age < high]
    return {name: members for name, members in groups.items() if members}


def corpora_of(pairs: Pairs) -> dict[str, Pairs]:
    """Return the samples by corpus."""
    names = sorted({sample.corpus for sample, _ in pairs} - {""})
    return {f"corpus {name}": [pair for pair in pairs if pair[0].corpus == name] for name in names}


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
    pairs: Pairs, classes: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Measurement]:
    """Measure every source in every group by all that is known.

    Args:
        pairs: Samples and their outcomes.
        classes: By corpus, the emotions that "restricted emotion" chooses among; None leaves
            that target out.
    """
    for group, members in groups_of(pairs).items():
        for source in SOURCES:
            targets = {"emotion": emotion_answers(members, source)}
            if classes is not None:
                targets["restricted emotion"] = emotion_answers(members, source, classes)
            targets["gender"] = gender_answers(members, source)
            targets["age"] = age_answers(members, source)
            for target, answers in targets.items():
                if n := len(answers.truth):
                    people = None if answers.people is None else len(np.unique(answers.people))
                    figures = dict(_figures(answers))
                    yield Measurement(group, source, target, n, people, figures)


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
    kept = [pair for pair in _answered(pairs, source) if pair[0].emotion]
    if classes is None:
        return _collected(kept, _posteriors(kept, source, EMOTION_CODES), EMOTIONS)
    kept = [pair for pair in kept if pair[0].emotion in classes[pair[0].corpus]]
    possible = [[emotion in classes[one.corpus] for emotion in EMOTIONS] for one, _ in kept]
    mask = np.array(possible, np.float64).reshape(-1, len(EMOTIONS))
    # An answer is rounded to 4 decimals: what is left of it may be nothing, which tells nothing.
    posteriors = np.maximum(_posteriors(kept, source, EMOTION_CODES), 1e-9) * mask
    return _collected(kept, posteriors / posteriors.sum(1, keepdims=True), EMOTIONS)


def age_answers(pairs: Pairs, source: str) -> Answers:
    """Collect a source's ages [N] in years."""
    answered = _answered(pairs, source)
    kept = [
        (sample, outcome)
        for sample, outcome in answered
        if sample.age is not None and AGE_CODE in outcome.answers[source]
    ]
    guess = np.array([outcome.answers[source][AGE_CODE] for _, outcome in kept])
    return Answers(np.array([sample.age for sample, _ in kept]), guess, _people(kept))


def gender_answers(pairs: Pairs, source: str) -> Answers:
    """Collect a source's posteriors [male, female], [N, 2]."""
    codes = set(GENDER_CODES)
    kept = [
        (sample, outcome)
        for sample, outcome in _answered(pairs, source)
        if sample.gender and codes <= outcome.answers[source].keys()
    ]
    truth = np.array([GENDERS.index(sample.gender) for sample, _ in kept], int)
    return Answers(truth, _posteriors(kept, source, GENDER_CODES), _people(kept))


def _answered(pairs: Pairs, source: str) -> Pairs:
    return [pair for pair in pairs if source in pair[1].answers]


def _posteriors(pairs: Pairs, source: str, codes: Mapping[str, str]) -> np.ndarray:
    rows = [[outcome.answers[source][code] for code in codes] for _, outcome in pairs]
    return np.array(rows, np.float64).reshape(-1, len(codes))


def _collected(pairs: Pairs, posteriors: np.ndarray, names: Sequence[str]) -> Answers:
    truth = np.array([names.index(sample.emotion) for sample, _ in pairs], int)
    return Answers(truth, posteriors, _people(pairs))


def _people(pairs: Pairs) -> np.ndarray | None:
    """Name everybody; a sample that names nobody is somebody by itself."""
    if not any(sample.person for sample, _ in pairs):
        return None
    return np.array([sample.person or f"row {sample.row}" for sample, _ in pairs])


def _figures(answers: Answers) -> Iterator[tuple[str, Interval]]:
    is_class = answers.guess.ndim == 2
    units = answers.truth if answers.people is None else np.unique(answers.people)
    for metric in _CLASS_METRICS if is_class else _AGE_METRICS:
        figure = metrics.with_interval(metric, answers.truth, answers.decision, answers.people)
        ends = (figure["low"], figure["high"]) if len(units) > 1 else (None, None)
        yield metric.__name__.replace("_", " "), Interval(figure["value"], *ends)
    if is_class:
        yield "calibration error", Interval(metrics.calibration_error(answers.truth, answers.guess))
