"""Measure the trained unimodal networks: `python -m training.report --data DIR`.

Prints a Markdown table and writes `report.json`, with 95 % bootstrap intervals and, beside each
figure, what answering without looking gives: the training data's commonest class or its median age.
"""

from __future__ import annotations

import itertools
import json
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from training import command, metrics
from training.contract import EMOTIONS
from training.face import predict
from training.face_data import Faces, emotion_faces, people_faces, wide_faces
from training.face_views import FRAMINGS, framed
from training.fit import trained
from training.manifest import UNKNOWN
from training.networks.face import AttributeNet, EmotionNet
from training.networks.speech import Heads
from training.networks.text import TextNet
from training.sentence_kinds import own_figures
from training.speech import clip_predictions, parser
from training.speech_data import cached_windows
from training.text import Sentences, answer_to, baseline, read_sentences
from training.text import predict as read_text

NEUTRAL = EMOTIONS.index("neutral")
AGE_BANDS = (0, 13, 20, 40, 60, 200)
Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured, on whom.
        metric: The figure of merit.
        figure: `value` and `n`, and where an interval was taken `low` and `high`, or `why` not.
        blind: What a constant answer gives, if that means anything.
    """

    what: str
    metric: str
    figure: dict[str, float | str]
    blind: float | None = None

    def __str__(self) -> str:
        """Format as a Markdown row."""
        value, low, high = (self.figure.get(key) for key in ("value", "low", "high"))
        why = self.figure.get("why", "")
        interval = why if low is None else f"{low:.3f} to {high:.3f}"
        blind = "" if self.blind is None else f"{self.blind:.3f}"
        cells = (self.what, self.metric, f"{value:.3f}", interval, blind, str(self.figure["n"]))
        return f"| {' | '.join(cells)} |"


def row(
    what: str,
    metric: Metric,
    truth: np.ndarray,
    guess: np.ndarray,
    constant: float,
    groups: np.ndarray | None = None,
) -> Row:
    """Measure a guess, and a constant one beside it."""
    blind = metric(truth, np.full_like(truth, constant))
    name = metric.__name__.replace("_", " ")
    return Row(what, name, metrics.with_interval(metric, truth, guess, groups), blind)


def commonest(labels: np.ndarray) -> int:
    """Return the commonest label of [N]."""
    return int(np.bincount(labels).argmax())


def posterior_rows(
    what: str, truth: np.ndarray, posteriors: np.ndarray, groups: np.ndarray | None = None
) -> Iterator[Row]:
    """Measure how far posteriors [N,C] are to be believed."""
    error = metrics.calibration_error(truth, posteriors)
    yield Row(what, "calibration error", {"value": error, "n": len(truth)})
    for metric in (metrics.negative_log_likelihood, metrics.brier_score):
        figure = metrics.with_interval(metric, truth, posteriors, groups)
        yield Row(what, metric.__name__.replace("_", " "), figure)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits [N,C] into posteriors."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def face_rows(options: Namespace) -> Iterator[Row]:
    """Emotion of unseen faces."""
    folder = options.out / "face"
    faces = emotion_faces(command.open_data(options), folder)
    test = faces.part("test")
    network = trained(EmotionNet(), folder / "emotion")
    logits = predict(network, test.tensor())[1]
    truth, common = test.labels["emotion"], commonest(faces.part("train").labels["emotion"])
    for metric in (metrics.accuracy, metrics.unweighted_recall, metrics.macro_f1):
        yield row("face emotion", metric, truth, logits.argmax(1), common)
    yield from posterior_rows("face emotion", truth, softmax(logits))


def people_rows(options: Namespace) -> Iterator[Row]:
    """Age and gender of unseen faces: over all, by group, and cut otherwise."""
    folder, manifest = options.out / "face", command.open_data(options)
    faces, wide = people_faces(manifest, folder), wide_faces(manifest, folder).part("test")
    train, test = faces.part("train"), faces.part("test")
    network = trained(AttributeNet(), folder / "attributes")
    common, median = commonest(train.labels["gender"]), float(np.median(train.labels["age"]))

    def rows(name: str, years: np.ndarray, logits: np.ndarray, keep: np.ndarray) -> Iterator[Row]:
        genders, ages = test.labels["gender"][keep], test.labels["age"][keep]
        guess = logits[keep].argmax(1)
        yield row(f"face gender, {name}", metrics.accuracy, genders, guess, common)
        for metric in (metrics.mean_absolute_error, metrics.bias):
            yield row(f"face age, {name}", metric, ages, years[keep, 0], median)

    years, logits = predict(network, test.tensor())
    groups = {name: keep for name, keep in _groups(test) if keep.any()}
    for name, keep in groups.items():
        yield from rows(name, years, logits, keep)
    yield row("face age, all", metrics.concordance, test.labels["age"], years[:, 0], median)
    for name, framing in FRAMINGS.items():
        answers = predict(network, framed(wide.tensor(), torch.from_numpy(wide.shares), framing))
        for corpus in _corpora(test):
            yield from rows(f"{corpus}, {name}", *answers, groups[corpus])


def _corpora(faces: Faces) -> list[str]:
    """Name the corpora; rows need not state one."""
    return [name for name in np.unique(faces.labels["corpus"]) if name]


def _groups(faces: Faces) -> Iterator[tuple[str, np.ndarray]]:
    ages, genders = faces.labels["age"], faces.labels["gender"]
    yield "all", np.ones(len(ages), bool)
    for index, gender in enumerate(("male", "female")):
        yield gender, genders == index
    for corpus in _corpora(faces):
        yield corpus, faces.labels["corpus"] == corpus
    for low, high in itertools.pairwise(AGE_BANDS):
        yield f"{low} to {high - 1} years", (ages >= low) & (ages < high)


@dataclass(frozen=True)
class VoiceAnswers:
    """What was said of C clips.

    Attributes:
        labels: The truth, one value a clip, as `manifest.labels_of` gives it.
        guess: What `speech.clip_predictions` returns.
    """

    labels: dict[str, np.ndarray]
    guess: dict[str, np.ndarray]

    def of(self, keep: np.ndarray) -> VoiceAnswers:
        """Keep the clips of a mask [C]."""
        parts = ({k: v[keep] for k, v in part.items()} for part in (self.labels, self.guess))
        return VoiceAnswers(*parts)

    def named(self, what: str) -> str:
        """Say how many speakers there are."""
        return f"{what}, {len(np.unique(self.labels['person']))} speakers"


def speech_rows(options: Namespace) -> Iterator[Row]:
    """Emotion by corpus, gender and age of unheard speakers.

    Speakers are few, so those of `dev` count too, although settings were chosen by them.
    """
    folder = options.out / "speech"
    windows = cached_windows(command.open_data(options), options.whisper, folder, options.quick)
    network = trained(Heads(), folder)
    held_back = np.concatenate([windows.of("dev"), windows.of("test")])
    guess = clip_predictions(network, windows, held_back)
    labels = {name: values[guess["clip"]] for name, values in windows.labels.items()}
    heard = windows.labels["age"][windows.labels["split"] == "train"]
    return voice_rows(VoiceAnswers(labels, guess), float(np.nanmedian(heard)))


def voice_rows(answers: VoiceAnswers, median_age: float) -> Iterator[Row]:
    """Measure answers to clips; intervals resample speakers."""
    labels = answers.labels
    for corpus in np.unique(labels["corpus"]):
        known = (labels["corpus"] == corpus) & (labels["emotion"] != UNKNOWN)
        if known.any():
            yield from _voice_emotion_rows(corpus, answers.of(known))
    yield row(
        answers.named("voice gender"),
        metrics.accuracy,
        labels["gender"],
        answers.guess["gender"].argmax(1),
        commonest(labels["gender"]),
        labels["person"],
    )
    known, grouped = ~np.isnan(labels["age"]), labels["age_group"] != ""
    for name, keep in (("real ages", known & ~grouped), ("age groups", known & grouped)):
        if keep.any():
            part = answers.of(keep)
            yield row(
                part.named(f"voice age, {name}"),
                metrics.mean_absolute_error,
                part.labels["age"],
                part.guess["age"],
                median_age,
                part.labels["person"],
            )


def _voice_emotion_rows(corpus: str, answers: VoiceAnswers) -> Iterator[Row]:
    truth, posteriors = answers.labels["emotion"], answers.guess["emotion"]
    what = answers.named(f"speech emotion, {corpus}")
    for metric in (metrics.unweighted_recall, metrics.macro_f1):
        yield row(
            what, metric, truth, posteriors.argmax(1), commonest(truth), answers.labels["person"]
        )
    yield from posterior_rows(what, truth, posteriors, answers.labels["person"])
    held = np.unique(truth)
    if len(held) < len(EMOTIONS):
        own = held[posteriors[:, held].argmax(1)]
        yield row(
            f"{what}, choosing among its {len(held)} emotions",
            metrics.unweighted_recall,
            truth,
            own,
            commonest(truth),
            answers.labels["person"],
        )


def text_rows(options: Namespace) -> Iterator[Row]:
    """Emotion of unseen Korean sentences by corpus, a linear n-gram model's, and of our own."""
    sentences = read_sentences(command.open_data(options))
    network = trained(TextNet(), options.out / "text")
    common = commonest(sentences.emotions[sentences.of("train")])
    for corpus, indices in sentences.by_corpus("test").items():
        posteriors = softmax(read_text(network, sentences, indices)[1])
        for name, kept in _agreed(sentences, indices):
            what = f"text emotion, {corpus}{name}"
            truth, answers = sentences.emotions[indices[kept]], posteriors[kept]
            for metric in (metrics.unweighted_recall, metrics.macro_f1):
                yield row(what, metric, truth, answers.argmax(1), common)
            neutral = truth == NEUTRAL
            if neutral.any():
                guess = answers[neutral].argmax(1)
                share = metrics.with_interval(metrics.accuracy, truth[neutral], guess)
                yield Row(what, "recall of neutral", share)
            yield from posterior_rows(what, truth, answers)
    for name, value in baseline(sentences, "test").items():
        corpus, _, metric = name.removeprefix("test_").rpartition("_")
        count = len(sentences.by_corpus("test")[corpus])
        yield Row(f"linear n-gram model, {corpus}", metric, {"value": value, "n": count})
    for kind, (share, count) in own_figures(lambda text: answer_to(network, text)).items():
        yield Row(f"own sentences, {kind}", "share right", {"value": share, "n": count})


def _agreed(sentences: Sentences, indices: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """All sentences of a corpus; and those on which all raters agree, if several were asked."""
    yield "", np.arange(len(indices))
    largest = sentences.votes[indices].max(1)
    if (largest < 1).any():
        yield ", raters agree", np.flatnonzero(largest == 1)


def main(arguments: list[str] | None = None) -> None:
    """Print the table and write it as `report.json` beside the checkpoints."""
    options_of = parser(__doc__)
    parts = {"face": face_rows, "people": people_rows, "speech": speech_rows, "text": text_rows}
    options_of.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    options = command.start(options_of, arguments)
    rows = itertools.chain.from_iterable(parts[part](options) for part in options.only)
    write_table(rows, options.out / "report.json")


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Print rows as a Markdown table, each as soon as it is there, and write them as JSON."""
    print("| what | metric | figure | 95 % interval | constant answer | n |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    kept = []
    for line in rows:
        print(line, flush=True)  # noqa: T201
        kept.append(asdict(line))
    path.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    command.run(main)
