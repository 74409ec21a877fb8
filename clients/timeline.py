"""A recording over time as a file: a row for each moment, in the format that the ending names.

| ending | holds |
|---|---|
| .csv | a table with a heading, UTF-8 |
| .jsonl | a JSON object a line |
| .parquet | the same table; needs the package pyarrow |
| .vtt | WebVTT: a cue a moment, for players |
| .eaf | ELAN's annotations: the tiers emotion, confidence, age, gender, people |
"""

from __future__ import annotations

import csv
import importlib.util
import itertools
import json
import mimetypes
import os
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from clients.contract import EMOTIONS, GENDER_CODES, MODALITIES
from clients.errors import TimelineError
from clients.reports import causes, name_of_code
from clients.seconds import Moment

Write = Callable[[Moment], None]

#: The columns of a table, with the types that Parquet has them in.
COLUMNS = {
    "recording": "string",
    "begin": "float64",
    "end": "float64",
    **dict.fromkeys(EMOTIONS, "float64"),
    "top": "string",
    "confidence": "float64",
    "conflict": "float64",
    "undecided": "bool",
    "age": "float64",
    **dict.fromkeys(GENDER_CODES.values(), "float64"),
    **{f"{name}_weight": "float64" for name in MODALITIES},
    **{f"{name}_error_code": "int64" for name in MODALITIES},
    "people": "int64",
    "refusal": "string",
}
#: Rows that Parquet keeps in memory before it writes them.
ROW_GROUP = 1_000
#: How many letters of a refusal in unknown words a player shows.
CUE_WIDTH = 60
ELAN_TIERS = ("emotion", "confidence", "age", "gender", "people")
#: What ELAN's files name as their schema.
ELAN_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def check(path: Path) -> None:
    """Refuse a file that could not be written, before the recording is looked at.

    Raises:
        TimelineError: Its ending is no format's, or the format's package is missing.
    """
    if path.suffix.lower() not in _FORMATS:
        raise TimelineError(
            f"timeline: expected a file that ends in {', '.join(_FORMATS)}, came {path}"
        )
    if path.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise TimelineError(
            f"{path} needs the package pyarrow: pip install -r requirements/timeline.txt"
        )


@contextmanager
def timeline(path: Path, recording: str, media: Path | None = None) -> Iterator[Write]:
    """Write a file for the length of a `with` block, which calls what it gets for each moment.

    Args:
        path: The file; its folder is made.
        recording: What the rows call the recording.
        media: The file of the recording, which ELAN opens.

    Raises:
        TimelineError: See `check`.
        OSError: The file cannot be written.
    """
    check(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _FORMATS[path.suffix.lower()](path, recording, media) as write:
        yield write


def row(moment: Moment, recording: str) -> dict[str, Any]:
    """Return a moment by COLUMNS; what is not known is None."""
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    values |= {"recording": recording, "begin": moment.begin, "end": moment.end}
    values["refusal"] = moment.refusal
    for name, (code, _) in causes(moment.refusal or "").items():
        values[f"{name}_error_code"] = code
    if (answer := moment.recognition) is not None:
        values |= answer.emotion | answer.gender
        values |= {name: getattr(answer, name) for name in ("top", "confidence", "age")}
        values |= {"conflict": answer.conflict, "undecided": answer.undecided}
        values |= {f"{name}_weight": weight for name, weight in answer.weights.items()}
        for name, modality in answer.by_modality.items():
            values[f"{name}_error_code"] = modality.error_code
            if "people" in modality.report:
                values["people"] = len(modality.people)
    return values


@contextmanager
def _csv(path: Path, recording: str, _media: Path | None) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        yield lambda moment: writer.writerow(row(moment, recording))


@contextmanager
def _json_lines(path: Path, recording: str, _media: Path | None) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", buffering=1) as file:

        def write(moment: Moment) -> None:
            file.write(json.dumps(row(moment, recording), ensure_ascii=False) + "\n")

        yield write


@contextmanager
def _parquet(path: Path, recording: str, _media: Path | None) -> Iterator[Write]:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(list(COLUMNS.items()))
    waiting: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(waiting, schema))
            waiting.clear()

        def write(moment: Moment) -> None:
            waiting.append(row(moment, recording))
            if len(waiting) == ROW_GROUP:
                flush()

        yield write
        flush()


@contextmanager
def _web_vtt(path: Path, recording: str, _media: Path | None) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", buffering=1) as file:
        file.write("WEBVTT\n")

        def write(moment: Moment) -> None:
            begin, end = _clock(moment.begin), _clock(moment.end)
            file.write(f"\n{begin} --> {end}\n{_escaped(_cue(moment))}\n")

        yield write


def _cue(moment: Moment) -> str:
    answer = moment.recognition
    if answer is None:
        return _short(moment.refusal or "no answer")
    parts = [answer.named]
    if answer.age is not None:
        parts.append(f"age {answer.age:.0f}")
    if answer.gender:
        parts.append(_likelier(answer.gender))
    return ", ".join(parts)


def _short(refusal: str) -> str:
    """Return what a player has room for: the names of the causes, e.g. "video: no face"."""
    named = [f"{name}: {name_of_code(name, code)}" for name, (code, _) in causes(refusal).items()]
    return ", ".join(named) or textwrap.shorten(refusal, CUE_WIDTH, placeholder="…")


def _likelier(gender: dict[str, float]) -> str:
    name = max(gender, key=gender.__getitem__)
    return f"{name} {gender[name]:.2f}"


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds / 1000:06.3f}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@contextmanager
def _elan(path: Path, recording: str, media: Path | None) -> Iterator[Write]:
    tiers: dict[str, list[tuple[int, int, str]]] = {name: [] for name in ELAN_TIERS}

    def write(moment: Moment) -> None:
        if (answer := moment.recognition) is None:
            return
        emotion = "undecided" if answer.undecided else answer.top
        said = {"emotion": emotion, "confidence": f"{answer.confidence:.2f}"}
        if answer.age is not None:
            said["age"] = f"{answer.age:.0f}"
        if answer.gender:
            said["gender"] = _likelier(answer.gender)
        if answer.people:
            said["people"] = str(len(answer.people))
        for name, value in said.items():
            tiers[name].append((round(moment.begin * 1000), round(moment.end * 1000), value))

    yield write
    tree = ElementTree.ElementTree(_elan_document(tiers, media, path.parent))
    ElementTree.indent(tree)
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def _elan_document(
    tiers: dict[str, list[tuple[int, int, str]]], media: Path | None, folder: Path
) -> ElementTree.Element:
    ElementTree.register_namespace("xsi", _INSTANCE)
    document = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "multimodal recogniser",
            "DATE": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_INSTANCE}}}noNamespaceSchemaLocation": ELAN_SCHEMA,
        },
    )
    header = _child(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if media is not None:
        place = media.resolve()
        _child(
            header,
            "MEDIA_DESCRIPTOR",
            MEDIA_URL=place.as_uri(),
            MIME_TYPE=_mime_type(place),
            RELATIVE_MEDIA_URL=Path(os.path.relpath(place, folder.resolve())).as_posix(),
        )
    slots = _child(document, "TIME_ORDER")
    # Each annotation has its own two slots, in the order of time, as ELAN itself writes them.
    ends = sorted(
        (time, name, index, which)
        for name, said in tiers.items()
        for index, (*span, _) in enumerate(said)
        for which, time in enumerate(span)
    )
    slot_of = {}
    for number, (time, *place) in enumerate(ends, start=1):
        slot_of[tuple(place)] = f"ts{number}"
        _child(slots, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(time))
    number = itertools.count(1)
    for name, said in tiers.items():
        tier = _child(document, "TIER", LINGUISTIC_TYPE_REF="default-lt", TIER_ID=name)
        for index, (_, _, value) in enumerate(said):
            annotation = _child(
                _child(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{next(number)}",
                TIME_SLOT_REF1=slot_of[name, index, 0],
                TIME_SLOT_REF2=slot_of[name, index, 1],
            )
            _child(annotation, "ANNOTATION_VALUE").text = value
    _child(
        document,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="default-lt",
        TIME_ALIGNABLE="true",
    )
    return document


def _child(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _mime_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "unknown"


_FORMATS = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".vtt": _web_vtt,
    ".eaf": _elan,
}
