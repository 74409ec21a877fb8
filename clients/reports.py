"""What the chunks of one recording say of each modality, joined to one report.

Of several chunks a report tells, beside what the server says of one:

- `second_error_codes`: a code for each second of the recording, 0 where nothing was wrong. A second
  of sound is well if a window with voice covers it, else it has NO_VOICE; in a chunk that could not
  be used it has the chunk's code.
- `left_out`: the stretches that were not used, which are those whose seconds have a code: `begin`
  and `end` in seconds, `error_code`, `message` and `message_ko`.
- `worst` and `commonest`: of their causes the gravest and the one of most seconds, with these
  `seconds`; None where nothing was left out.
- `error_code` and the messages are 0 and empty if any chunk could be used, else the commonest.
- `parts`: where each chunk begins, in seconds.
- `faces`, `people`, `times` and `voice` of all chunks, with times in seconds of the recording.
  Nobody is recognised again in the next chunk: a person's `id` and `main` are the chunk's own, and
  `offset` says which chunk that is, by where it begins. `people_seen` are the most in one chunk.

The order of the chunks changes nothing but times.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from clients.contract import (
    MESSAGES,
    MODALITIES,
    SPEECH_WINDOW,
    SpeechStatus,
    TextStatus,
    VideoStatus,
)
from clients.media import Chunk, Span

STATUSES = {"text": TextStatus, "speech": SpeechStatus, "video": VideoStatus}
#: The code of what could not be read at all, of any modality.
UNREADABLE = 1
#: Of less sound after its last whole second, in seconds, the server hears none.
LEAST_REST = 0.1
#: The names of statuses from the gravest on: the less there is of a person, the graver.
_GRAVITY = (
    *("UNREADABLE", "UNKNOWN", "SILENT", "NO_FACE", "NO_VOICE", "TOO_FEW_FACES", "OCCLUDED"),
    *("OUT_OF_BOUNDS", "BLURRED", "TOO_SHORT", "TOO_LONG"),
)
#: How a refusal names each modality, its code and the cause.
_CAUSE = re.compile(r"(text|speech|video) \(error_code (\d+)\): (.*?)(?=; (?:speech|video) \(|$)")


class _Portion(NamedTuple):
    """What one chunk says of one modality; a chunk that was refused says only what was wrong."""

    span: Span
    report: Mapping[str, Any]

    @property
    def codes(self) -> list[int]:
        """A code for each of its seconds; what the server says of seconds, or of the whole."""
        if told := self.report.get("second_error_codes"):
            return list(told)
        whole = self.report["error_code"]
        if whole or "times" not in self.report:
            return [whole] * self._seconds(1e-3)
        heard = self._heard()
        seconds = range(self._seconds(LEAST_REST))
        return [0 if second in heard else int(SpeechStatus.NO_VOICE) for second in seconds]

    def _heard(self) -> set[int]:
        """The seconds that windows with voice cover."""
        times = self.report["times"]
        voice = self.report.get("voice") or [1.0] * len(times)
        begins = [math.floor(time) for time, share in zip(times, voice, strict=False) if share > 0]
        return {begin + second for begin in begins for second in range(SPEECH_WINDOW)}

    def _seconds(self, rest: float) -> int:
        """How many seconds it has; a last one of at most `rest` is none."""
        return max(1, math.ceil((self.span.seconds or 1.0) - rest))


class Reports:
    """The reports of a recording's chunks, taken one by one."""

    def __init__(self) -> None:
        """Begin without a chunk."""
        self._portions: dict[str, list[_Portion]] = {}
        self._latest: dict[str, Mapping[str, Any]] = {}
        self._chunks = 0

    def add(self, chunk: Chunk, modalities: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what an answer says of a chunk's modalities."""
        self._chunks += 1
        brought = _brought(chunk)
        for name, report in modalities.items():
            if "result" in report or name not in self._latest:
                self._latest[name] = report
            # Rows of earlier chunks alone say nothing of this one.
            if name in brought:
                self._portions.setdefault(name, []).append(_Portion(_span(chunk, name), report))

    def refused(self, chunk: Chunk, sentence: str) -> None:
        """Take note of a chunk that was refused, with the server's sentence."""
        self._chunks += 1
        told = causes(sentence)
        for name in told or _brought(chunk):
            code, text = told.get(name, (UNREADABLE, sentence))
            report = {"error_code": code, **_said(name, code), "count": 0}
            if text:
                report["message"] = text
            self._latest.setdefault(name, report)
            self._portions.setdefault(name, []).append(_Portion(_span(chunk, name), report))

    def left_out(self) -> Iterator[tuple[str, str]]:
        """Yield each modality of which seconds were left out though others were used, and why."""
        for name, report in self.joined().items():
            stretches = report.get("left_out", ())
            if not stretches or 0 not in report["second_error_codes"]:
                continue
            seconds: Counter[tuple[int, str]] = Counter()
            for one in stretches:
                seconds[one["error_code"], one["message"]] += one["end"] - one["begin"]
            for (code, message), count in seconds.items():
                yield name, f"error_code {code}: {message} ({count} s)"

    def joined(self) -> dict[str, dict[str, Any]]:
        """Return one report for each modality; that of a single chunk is the server's own."""
        reports = {}
        for name in MODALITIES:
            if name in self._latest:
                # The last chunk with a result speaks for those before it.
                reports[name] = dict(self._latest[name])
                # Every chunk brings the same text.
                if self._chunks > 1 and name != "text" and name in self._portions:
                    reports[name] |= _joined(name, self._portions[name])
        return reports


def causes(sentence: str) -> dict[str, tuple[int, str]]:
    """Return the code and the message of each modality that a refusal names."""
    return {name: (int(code), text) for name, code, text in _CAUSE.findall(sentence)}


def name_of_code(modality: str, code: int) -> str:
    """Return what a modality's code is called, e.g. "no face"."""
    try:
        return STATUSES[modality](code).name.lower().replace("_", " ")
    except ValueError:  # a newer server's
        return f"error_code {code}"


def _joined(name: str, portions: list[_Portion]) -> dict[str, Any]:
    codes = _by_second(name, portions)
    words = {p.report["error_code"]: _words(p.report) for p in sorted(portions, key=_message)}
    seconds = Counter(code for code in codes if code)

    def told(code: int) -> dict[str, Any]:
        return {"error_code": code, **(words.get(code) or _said(name, code))}

    by_gravity = sorted(seconds, key=lambda code: _gravity(name, code))
    worst = by_gravity[0] if seconds else 0
    commonest = max(by_gravity, key=seconds.__getitem__) if seconds else 0
    report: dict[str, Any] = {"second_error_codes": codes}
    report["left_out"] = [
        {"begin": begin, "end": end, **told(code)} for begin, end, code in _stretches(codes)
    ]
    for key, code in (("worst", worst), ("commonest", commonest)):
        report[key] = told(code) | {"seconds": seconds[code]} if code else None
    well = next((p.report for p in portions if not p.report["error_code"]), None)
    # Where faces were too few in each chunk, every second of them may be well.
    whole = commonest or min(p.report["error_code"] for p in portions)
    report |= told(whole) if well is None else {"error_code": 0, **_words(well)}
    report["parts"] = [_later(0.0, portion.span.begin) for portion in portions]
    return report | _details(portions)


def _details(portions: list[_Portion]) -> dict[str, Any]:
    """Return the lists of what was seen and heard, with times of the recording."""
    shifted = [(portion.span.begin, portion.report) for portion in portions]
    details = {
        "faces": [
            face | {"time": _later(face["time"], offset)}
            for offset, report in shifted
            for face in report.get("faces", ())
        ],
        "people": [
            _person(person, offset)
            for offset, report in shifted
            for person in report.get("people", ())
        ],
        "times": [
            _later(time, offset) for offset, report in shifted for time in report.get("times", ())
        ],
        "voice": [share for _, report in shifted for share in report.get("voice", ())],
    }
    reports = [report for _, report in shifted]
    if any("people_seen" in report for report in reports):
        details["people_seen"] = max(report.get("people_seen", 0) for report in reports)
    if any("person_changed" in report for report in reports):
        details["person_changed"] = any(report.get("person_changed") for report in reports)
    return {key: one for key, one in details.items() if any(key in report for report in reports)}


def _person(person: Mapping[str, Any], offset: float) -> dict[str, Any]:
    times = {key: _later(person[key], offset) for key in ("begin", "end") if key in person}
    boxes = [box | {"time": _later(box["time"], offset)} for box in person.get("boxes", ())]
    return {**person, **times, **({"boxes": boxes} if boxes else {}), "offset": _later(0.0, offset)}


def _later(time: float, offset: float) -> float:
    return round(time + offset, 3)


def _by_second(name: str, portions: list[_Portion]) -> list[int]:
    """Lay codes on the seconds of the recording.

    Parts begin within seconds: a second has the code of the part that most of it lies in. Pieces of
    sound share a second, which is well if it is in either.
    """
    seconds: dict[int, int] = {}
    for portion in sorted(portions, key=lambda one: one.span.begin):
        for second, code in enumerate(portion.codes, start=round(portion.span.begin)):
            if name != "speech" or seconds.get(second) != 0:
                seconds[second] = code
    return [seconds.get(second, 0) for second in range(max(seconds, default=-1) + 1)]


def _stretches(codes: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (begin, end, code) of each run of seconds with the same code but 0."""
    begin = 0
    for code, run in itertools.groupby(codes):
        end = begin + len(list(run))
        if code:
            yield begin, end, code
        begin = end


def _span(chunk: Chunk, name: str) -> Span:
    if name == "speech" and chunk.audio is not None:
        return chunk.sound_span
    return chunk.picture_span


def _brought(chunk: Chunk) -> list[str]:
    brought = {
        "text": chunk.text is not None,
        "speech": chunk.audio is not None,
        "video": chunk.film is not None or bool(chunk.frames),
    }
    return [name for name, there in brought.items() if there]


def _gravity(name: str, code: int) -> int:
    try:
        return _GRAVITY.index(STATUSES[name](code).name)
    except ValueError:  # a newer server's
        return len(_GRAVITY)


def _said(name: str, code: int) -> dict[str, str]:
    try:
        english, korean = MESSAGES[STATUSES[name](code)]
    except (ValueError, KeyError):
        english = korean = ""
    return {"message": english, "message_ko": korean}


def _words(report: Mapping[str, Any]) -> dict[str, str]:
    return {key: report.get(key, "") for key in ("message", "message_ko")}


def _message(portion: _Portion) -> str:
    return portion.report["message"]
