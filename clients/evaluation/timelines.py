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
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from clients import command
from clients.contract import EMOTION_CODES, EMOTIONS
from clients.errors import ManifestError, RecogniserError
from clients.evaluation.courses import Course, Moment, Stretch, course_of, summary_of
from clients.evaluation.manifest import read_rows
from clients.reports import causes, name_of_code

logger = logging.getLogger("timelines")

_COLUMNS = ("begin", "end", "emotion")


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
    heading, rows = read_rows(path)
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
