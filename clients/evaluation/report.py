"""A run's report: as a JSON document and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from clients.contract import EMOTIONS
from clients.evaluation import metrics
from clients.evaluation.asking import SOURCES
from clients.evaluation.figures import (
    Answers,
    Pairs,
    corpora_of,
    emotion_answers,
    gender_answers,
    measurements_of,
)
from clients.evaluation.manifest import GENDERS

#: More would bury the figures.
ERRORS_TOLD = 20


def document(
    pairs: Pairs, classes: Mapping[str, Sequence[str]] | None, origin: Mapping[str, object]
) -> dict:
    """Report a run.

    Args:
        pairs: Samples and their outcomes.
        classes: See `measurements_of`.
        origin: What was asked of whom, put first.

    Returns:
        A JSON document: `rows` and `sources` count answers and failures, `several_people` the rows
        with more than one person in the video; `measurements` is a list
        of `Measurement`; `confusion` holds counts by true (row) and answered class; `reliability`
        holds mean confidence, accuracy and share of each confidence bin; `failures` names every
        row with an error, also when other sources of the row answered.
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
        "several_people": sum(outcome.people > 1 for _, outcome in pairs),
        "classes": classes,
        "measurements": [asdict(one) for one in measurements_of(pairs, classes)],
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
    """Write a document of `document` as lines: counts, the first errors, tables of the figures."""
    rows = report["rows"]
    lines = [f"{rows['selected']} rows, {rows['answered']} answered, {rows['failed']} failed"]
    for source, counts in report["sources"].items():
        if any(counts.values()):
            lines.append(f"{source}: {counts['answered']} answered, {counts['failed']} failed")
    if report["several_people"]:
        lines.append(f"{report['several_people']} rows with more than one person in the video")
    errors = [
        f"row {failure['row']}: {source}: {why}"
        for failure in report["failures"]
        for source, why in failure["errors"].items()
    ]
    lines += errors[:ERRORS_TOLD]
    if len(errors) > ERRORS_TOLD:
        lines.append(f"and {len(errors) - ERRORS_TOLD} more errors, told in the JSON report")
    for targets in (("emotion", "restricted emotion"), ("gender",), ("age",)):
        chosen = [one for one in report["measurements"] if one["target"] in targets]
        if chosen:
            lines += ["", *_table(chosen)]
    return "\n".join(lines) + "\n"


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


def _table(measurements: Sequence[Mapping]) -> list[str]:
    """Lay out measurements by the same metrics as a Markdown table, with intervals."""
    names = ("group", "source", "target", "n", "people")
    cells = [[*names, *measurements[0]["figures"]]]
    for one in measurements:
        told = ["" if one[name] is None else str(one[name]) for name in names]
        cells.append([*told, *map(_figure, one["figures"].values())])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in cells
    ]


def _figure(figure: Mapping[str, float | None]) -> str:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
