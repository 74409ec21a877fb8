"""Measure recognition over time: `python -m clients.evaluation.timelines --help`.

A timeline says what is recognised moment by moment: a .csv or .jsonl file of
`clients.recognition_client --timeline`, or the .jsonl file of the bridge. The labels are a CSV file
with a row for each stretch of a recording in which one emotion is shown:

recording     as the timeline calls it (the bridge: the stream); may be missing if there is but one
begin, end    seconds
emotion       happiness, anger, disgust, fear, neutral, sadness or surprise

Moments without a label count for flicker and refusals only.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from clients import command
from clients.contract import EMOTION_CODES, EMOTIONS
from clients.errors import ManifestError, RecogniserError
from clients.evaluation import metrics
from clients.reports import causes, name_of_code

logger = logging.getLogger("timelines")

#: How far an answer is looked for behind its label, in seconds: two of the windows it speaks for.
LONGEST_LAG = 12.0
#: Moments further apart than this many steps do not follow each other.
_GAP = 1.5
_COLUMNS = ("begin", "end", "emotion")


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


def read_timeline(path: Path) -> dict[str, list[Moment]]:
    """Read a timeline; return its moments by recording.

    Raises:
        ManifestError: It cannot be read, or is no timeline.
    """
    recordings: dict[str, list[Moment]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file) if path.suffix.lower() == ".csv" else map(json.loads, file)
            for row in rows:
                name, moment = _named_moment(row)
                recordings.setdefault(name, []).append(moment)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"cannot read {path}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        read = sum(map(len, recordings.values()))
        raise ManifestError(
            f"{path}: expected a timeline (.csv, .jsonl) or the bridge's .jsonl; "
            f"record {read + 1}: {error!r}"
        ) from error
    return {name: sorted(those, key=lambda one: one.end) for name, those in recordings.items()}


def _named_moment(row: Mapping[str, object]) -> tuple[str, Moment]:
    return _bridge_moment(row) if "stream_time" in row else _client_moment(row)


def _client_moment(row: Mapping[str, object]) -> tuple[str, Moment]:
    leader, refusal = str(row["top"] or ""), str(row["refusal"] or "")
    undecided = row.get("undecided")
    moment = Moment(
        float(row["begin"]),
        float(row["end"]),
        leader,
        "" if leader else _reason(refusal),
        None if undecided in (None, "") else str(undecided).lower() in ("true", "1"),
    )
    return str(row["recording"]), moment


def _bridge_moment(row: Mapping[str, object]) -> tuple[str, Moment]:
    end, latency = float(row["stream_time"]), float(row["latency"])
    if row["kind"] != "result":
        return str(row["stream"]), Moment(end - 1, end, "", str(row["reason"]), None, latency)
    result = row["result"]
    leader = EMOTION_CODES[max(EMOTION_CODES, key=result.__getitem__)]
    return str(row["stream"]), Moment(end - 1, end, leader, "", row.get("undecided"), latency)


def _reason(refusal: str) -> str:
    named = [name_of_code(name, code) for name, (code, _) in causes(refusal).items()]
    return ", ".join(named) or refusal or "no answer"


def read_labels(path: Path) -> dict[str, list[Stretch]]:
    """Read labels; return them by recording, "" where the file names none.

    Raises:
        ManifestError: It cannot be read, or a cell does not hold what its column is for.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            heading, rows = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"cannot read {path}: {error}") from error
    if missing := [name for name in _COLUMNS if name not in heading]:
        raise ManifestError(
            f"{path}: expected the columns {', '.join(_COLUMNS)}; {', '.join(missing)} not found"
        )
    labels: dict[str, list[Stretch]] = {}
    for number, row in enumerate(rows, start=2):
        where = f"{path}, row {number}"
        if row["emotion"] not in EMOTIONS:
            raise ManifestError(
                f"{where}: emotion: expected {', '.join(EMOTIONS)}, found {row['emotion']!r}"
            )
        try:
            begin, end = float(row["begin"]), float(row["end"])
        except (TypeError, ValueError) as error:
            raise ManifestError(f"{where}: begin, end: expected seconds: {error}") from error
        if not 0 <= begin < end:
            raise ManifestError(f"{where}: expected 0 <= begin < end, found {begin:g} and {end:g}")
        stretch = Stretch(begin, end, row["emotion"])
        labels.setdefault(row.get("recording") or "", []).append(stretch)
    return {name: sorted(those, key=lambda one: one.begin) for name, those in labels.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0, or 2 if a file cannot be used.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(name)s: %(levelname)s: %(message)s", stream=sys.stderr)
    try:
        recordings: dict[str, list[Moment]] = {}
        for path in options.timeline:
            for name, moments in read_timeline(path).items():
                recordings.setdefault(name, []).extend(moments)
        labels = read_labels(options.labels) if options.labels else {}
        if unknown := set(labels) - set(recordings) - {""}:
            raise ManifestError(
                f"{options.labels}: no timeline of {', '.join(sorted(unknown))}; there are: "
                f"{', '.join(sorted(recordings))}"
            )
        if "" in labels and len(recordings) > 1:
            raise ManifestError(
                f"{options.labels}: expected the column recording, as there are several: "
                f"{', '.join(sorted(recordings))}"
            )
        courses = [
            course_of(name, moments, labels.get(name) or labels.get("", []))
            for name, moments in sorted(recordings.items())
        ]
        options.out.mkdir(parents=True, exist_ok=True)
        result = {"summary": summary_of(courses), "recordings": [asdict(one) for one in courses]}
        path = options.out / "timelines.json"
        path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except (RecogniserError, OSError) as error:
        logger.error("%s", error)
        return command.exit_code(error)
    print(text(courses), end="")  # noqa: T201
    return command.OK


def text(courses: Sequence[Course]) -> str:
    """Write a line for each recording, and the mean of several."""
    lines = []
    for one in courses:
        why = ", ".join(f"{reason} {count}" for reason, count in one.reasons.items())
        parts = [f"{one.answered} of {one.moments} moments answered" + (f" ({why})" if why else "")]
        figures = {
            "changes of the leader a minute": one.flicker,
            "changes shown": one.changes_shown,
            "accuracy": one.accuracy,
            "best when delayed by seconds": one.lag,
            "accuracy then": one.accuracy_at_lag,
            "median lag of changes": one.median_lag,
            "changes followed": one.followed,
            "undecided": one.undecided,
            "seconds to the answer": one.latency,
        }
        parts += [f"{name} {value:.3g}" for name, value in figures.items() if value is not None]
        lines.append(f"{one.recording}: {'; '.join(parts)}")
    if len(courses) > 1:
        for name, figure in summary_of(courses).items():
            interval = figure["why"] or f"{figure['low']:.3g} to {figure['high']:.3g}"
            lines.append(f"mean {name.replace('_', ' ')}: {figure['value']:.3g} ({interval})")
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.evaluation.timelines",
        description="Measure how steady and how late recognition over time is.",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("timeline", metavar="TIMELINE", nargs="+", type=Path)
    parser.add_argument("--labels", metavar="LABELS.csv", type=Path, help="what is shown when")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, required=True, help="receives timelines.json"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
