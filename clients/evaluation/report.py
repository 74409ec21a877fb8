"""A run's report: as a JSON document and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from clients.contract import EMOTIONS
from clients.evaluation import metrics
from clients.evaluation.asking import SOURCES
from clients.evaluation.figures import (
    Answers,
    Figure,
    Pairs,
    corpora_of,
    emotion_answers,
    figures_of,
    gender_answers,
)
from clients.evaluation.manifest import GENDERS

HEADING = ("group", "source", "target", "metric", "figure", "95 % interval", "n", "people")


def document(
    pairs: Pairs, classes: Mapping[str, Sequence[str]] | None, origin: Mapping[str, object]
) -> dict:
    """Report a run.

    Args:
        pairs: Samples and their outcomes.
        classes: See `figures_of`.
        origin: What was asked of whom, put first.

    Returns:
        A JSON document: `rows` and `sources` count answers and failures; `figures` is a list of
        `Figure`; `confusion` holds counts by true (row) and answered class; `reliability` holds
        mean confidence, accuracy and share of each confidence bin; `failures` names every row
        with an error, also when other sources of the row answered.
    """
    answered = sum(bool(outcome.answers) for _, outcome in pairs)
    return {
        **origin,
        "rows": {
            "selected": len(pairs),
            "answered": answered,
            "failed": len(pairs) - answered,
        },
        "sources": {source: _counts(pairs, source) for source in SOURCES},
        "classes": classes,
        "figures": [asdict(figure) for figure in figures_of(pairs, classes)],
        "confusion": [
            where | {"labels": labels, "counts": counts.tolist()}
            for where, labels, answers in _classified(pairs)
            for counts in [metrics.confusion(answers.truth, answers.decision, len(labels))]
        ],
        "reliability": [
            where | {"bins": metrics.reliability(answers.truth, answers.guess).tolist()}
            for where, _, answers in _classified(pairs)
        ],
        "failures": [
            {"row": sample.row, "media": sample.media, "errors": outcome.errors}
            for sample, outcome in pairs
            if outcome.errors
        ],
    }


def text(report: Mapping) -> str:
    """Write a document of `document` as lines: counts, failures and a table of the figures."""
    rows = report["rows"]
    lines = [f"{rows['selected']} rows, {rows['answered']} answered, {rows['failed']} failed"]
    for source, counts in report["sources"].items():
        if any(counts.values()):
            lines.append(f"{source}: {counts['answered']} answered, {counts['failed']} failed")
    for failure in report["failures"]:
        lines += [f"row {failure['row']}: {at}: {why}" for at, why in failure["errors"].items()]
    cells = [HEADING, *(_cells(Figure(**figure)) for figure in report["figures"])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    table = [_line(row, widths) for row in cells]
    rule = _line(["-" * width for width in widths], widths)
    return "\n".join([*lines, "", table[0], rule, *table[1:]]) + "\n"


def _counts(pairs: Pairs, source: str) -> dict[str, int]:
    answered = sum(source in outcome.answers for _, outcome in pairs)
    failed = sum(source in outcome.errors and source not in outcome.answers for _, outcome in pairs)
    return {"answered": answered, "failed": failed}


def _classified(pairs: Pairs) -> Iterator[tuple[dict[str, str], tuple[str, ...], Answers]]:
    for group, members in ({"all": pairs} | corpora_of(pairs)).items():
        for source in SOURCES:
            emotion, gender = emotion_answers(members, source), gender_answers(members, source)
            targets = {"emotion": (EMOTIONS, emotion), "gender": (GENDERS, gender)}
            for target, (labels, answers) in targets.items():
                if len(answers.truth):
                    yield {"group": group, "source": source, "target": target}, labels, answers


def _cells(figure: Figure) -> tuple[str, ...]:
    interval = "" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"
    people = "" if figure.people is None else str(figure.people)
    names = (figure.group, figure.source, figure.target, figure.metric)
    return (*names, f"{figure.value:.3f}", interval, str(figure.n), people)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
