"""A run's report: as a JSON document and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from clients.contract import EMOTIONS
from clients.evaluation import comparisons, metrics
from clients.evaluation.asking import SOURCES
from clients.evaluation.figures import (
    Answers,
    Columns,
    Pairs,
    emotion_answers,
    gender_answers,
    groups_of,
    measurements_of,
)
from clients.evaluation.manifest import GENDERS
from clients.evaluation.metrics import RAISED

#: More would bury the figures.
ERRORS_TOLD = 20
#: The targets of each table, which have their metrics in common.
TABLES = (("emotion", "restricted emotion"), ("gender",), ("age",))
#: What stands for an interval that `metrics.FEWEST_GROUPS` forbids, in a table.
TOO_FEW = "(too few)"


def document(
    pairs: Pairs,
    origin: Mapping[str, object],
    columns: Columns | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
    before: Pairs = (),
) -> dict:
    """Report a run.

    Args:
        pairs: Samples and their outcomes.
        origin: What was asked of whom, put first.
        columns: What `groups_of` returns; None takes its own columns.
        classes: See `measurements_of`.
        before: Samples and outcomes of another run to compare with.

    Returns:
        A JSON document: `rows` and `sources` count answers and failures, the latter by reason,
        `several_people` the rows with more than one person in the video; `measurements`, `gains`,
        `gaps` and `changes` are lists of `Measurement`, `Gain`, `Gap` and `Change`; `conflict` is
        what `conflict_of` returns; `confusion` holds counts by true (row) and answered class;
        `reliability` holds mean confidence, accuracy and share of each confidence bin; `failures`
        names every row with an error, also when other sources of the row answered.
    """
    columns = groups_of(pairs) if columns is None else columns
    answered = sum(bool(outcome.answers) for _, outcome in pairs)
    changes = comparisons.changes_between(before, pairs, columns, classes) if before else ()
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
        "measurements": [asdict(one) for one in measurements_of(pairs, columns, classes)],
        "gains": [asdict(one) for one in comparisons.gains_of(pairs)],
        "gaps": [asdict(one) for one in comparisons.gaps_of(columns)],
        "conflict": comparisons.conflict_of(pairs),
        "changes": [asdict(one) for one in changes],
        "confusion": [
            where | {"labels": labels, "counts": counts.tolist()}
            for where, labels, answers in _classified(pairs, columns)
            for counts in [metrics.confusion(answers.truth, answers.decision, len(labels))]
        ],
        "reliability": [
            where | {"bins": metrics.reliability(answers.truth, answers.guess).tolist()}
            for where, _, answers in _classified(pairs, columns)
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
        if counts["answered"] or counts["failed"]:
            why = ", ".join(f"{reason} {count}" for reason, count in counts["reasons"].items())
            told = f" ({why})" if why else ""
            lines.append(
                f"{source}: {counts['answered']} answered, {counts['failed']} failed{told}"
            )
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
    tables = [*_measured(report), *_compared(report)]
    for title, cells in tables:
        lines += ["", f"{title}:", "", *_table(cells)]
    if any(TOO_FEW in cell for _, cells in tables for row in cells for cell in row):
        lines += ["", f"{TOO_FEW}: fewer than {metrics.FEWEST_GROUPS} people or samples, of which"]
        lines[-1] += " no interval is taken"
    return "\n".join(lines) + "\n"


def _counts(pairs: Pairs, source: str) -> dict[str, object]:
    silent = [
        outcome.reasons.get(source, "not told")
        for _, outcome in pairs
        if source in outcome.errors and source not in outcome.answers
    ]
    return {
        "answered": sum(source in outcome.answers for _, outcome in pairs),
        "failed": len(silent),
        "reasons": dict(Counter(silent).most_common()),
    }


def _classified(
    pairs: Pairs, columns: Columns
) -> Iterator[tuple[dict[str, str], tuple[str, ...], Answers]]:
    for group, members in ({"all": pairs} | dict(columns["corpus"])).items():
        for source in SOURCES:
            emotion, gender = emotion_answers(members, source), gender_answers(members, source)
            targets = {"emotion": (EMOTIONS, emotion), "gender": (GENDERS, gender)}
            for target, (labels, answers) in targets.items():
                if answers.told.any():
                    where = {"group": group, "source": source, "target": target}
                    yield where, labels, answers.answered


def _measured(report: Mapping) -> Iterator[tuple[str, list[list[str]]]]:
    for targets in TABLES:
        chosen = [one for one in report["measurements"] if one["target"] in targets]
        if chosen:
            yield targets[0].capitalize(), _cells(chosen, ("n", "people"), "figures")


def _compared(report: Mapping) -> Iterator[tuple[str, list[list[str]]]]:
    if report["gains"]:
        names = ("present", "n", "people", "best")
        cells = _rows(report["gains"], names, "gain")
        yield "Fused minus the best modality, where several answered", cells
    if report["conflict"]:
        parts = [
            {"modalities": name.removeprefix("modalities "), "told": told}
            for name, told in report["conflict"].items()
        ]
        yield "Fused, where modalities agree and disagree", _rows(parts, ("modalities",), "told")
    if report["gaps"]:
        names = ("column", "source", "target", "metric", "best", "worst", "groups")
        cells = [[*names, "difference"]]
        cells += [[*_named(one, names), _figure(one["difference"])] for one in report["gaps"]]
        yield "The widest gaps between groups", cells
    for targets in TABLES:
        chosen = [one for one in report["changes"] if one["target"] in targets]
        if chosen:
            cells = _cells(chosen, ("n", "people", "mended", "spoilt"), "change")
            yield f"{targets[0].capitalize()}, change since {report['compared with']}", cells


def _cells(parts: Sequence[Mapping], counts: Sequence[str], figures: str) -> list[list[str]]:
    return _rows(parts, ("group", "source", "target", *counts), figures)


def _rows(parts: Sequence[Mapping], names: Sequence[str], figures: str) -> list[list[str]]:
    """Lay out what has names and figures, of which some may lack some, as a table's cells."""
    metrics_told = list(dict.fromkeys(name for one in parts for name in one[figures]))
    rows = [
        [*_named(one, names), *(_figure(one[figures].get(name)) for name in metrics_told)]
        for one in parts
    ]
    return [[*names, *metrics_told], *rows]


def _named(one: Mapping, names: Sequence[str]) -> list[str]:
    return ["" if one[name] is None else str(one[name]) for name in names]


def _table(cells: list[list[str]]) -> list[str]:
    """Write cells, the heading first, as a Markdown table."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [cells[0], ["-" * width for width in widths], *cells[1:]]
    return [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in lines
    ]


def _figure(figure: Mapping[str, object] | float | None) -> str:
    if figure is None:
        return ""
    if not isinstance(figure, Mapping):
        return str(figure) if isinstance(figure, int) else f"{figure:.3f}"
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    if low is not None:
        return f"{value:.3f} ({low:.3f} to {high:.3f})"
    return f"{value:.3f}" if figure["why"] == RAISED else f"{value:.3f} {TOO_FEW}"
