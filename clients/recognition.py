"""What an answer says, by name: of the recording, of each modality and of each person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clients.contract import (
    AGE_CODE,
    AGE_HIGH_CODE,
    AGE_LOW_CODE,
    EMOTION_CODES,
    GENDER_CODES,
)


class Judgement:
    """A flat dictionary of result codes, by name; what it does not hold is empty or None."""

    @property
    def result(self) -> Mapping[str, float]:
        """The flat dictionary: probabilities by emotion code, and age and gender if known."""
        raise NotImplementedError

    @property
    def emotion(self) -> dict[str, float]:
        """The probability of each emotion by its name, in code order."""
        return _named(self.result, EMOTION_CODES)

    @property
    def top(self) -> str | None:
        """The most probable emotion's name."""
        return max(self.emotion, key=self.emotion.__getitem__, default=None)

    @property
    def confidence(self) -> float | None:
        """The probability of the most probable emotion."""
        return max(self.emotion.values(), default=None)

    @property
    def age(self) -> float | None:
        """Years."""
        return self.result.get(AGE_CODE)

    @property
    def age_interval(self) -> tuple[float, float] | None:
        """Between which years the age is in 80 % of cases."""
        low, high = (self.result.get(code) for code in (AGE_LOW_CODE, AGE_HIGH_CODE))
        return None if low is None or high is None else (low, high)

    @property
    def gender(self) -> dict[str, float]:
        """The probability of "male" and of "female"."""
        return _named(self.result, GENDER_CODES)


@dataclass(frozen=True)
class Person(Judgement):
    """Somebody who is seen in the video.

    Attributes:
        report: What the server says: `id`, `main`, `begin`, `end`, `seconds`, `share` and `boxes`;
            of the first few people also `result`. Of a recording of several chunks `id` and `main`
            are the chunk's own, and `offset` is where that chunk begins: whoever is in two chunks
            is told of twice.
    """

    report: Mapping[str, Any]

    @property
    def result(self) -> Mapping[str, float]:
        """The person's own flat dictionary; empty where there is none."""
        return self.report.get("result", {})

    @property
    def id(self) -> int:
        """A number for the person, among those of the same `offset`."""
        return self.report["id"]

    @property
    def offset(self) -> float:
        """Where the chunk that shows the person begins, in seconds of the recording."""
        return self.report.get("offset", 0.0)

    @property
    def main(self) -> bool:
        """Whether the answer speaks of this person."""
        return bool(self.report.get("main"))

    @property
    def seconds(self) -> float:
        """How long the person is seen."""
        return self.report.get("seconds", 0.0)

    @property
    def boxes(self) -> list[tuple[float, list[float]]]:
        """(time in seconds, [left, top, right, bottom] in the picture's pixels)."""
        return [(one["time"], one["box"]) for one in self.report.get("boxes", ())]


@dataclass(frozen=True)
class ModalityRecognition(Judgement):
    """What one modality says by itself.

    Attributes:
        report: The server's own report: `error_code`, `message`, `message_ko`, `count`, where it
            could be used `result`, and details; see `clients.reports` for several chunks.
        weight: How much it counted.
    """

    report: Mapping[str, Any]
    weight: float | None = None

    @property
    def result(self) -> Mapping[str, float]:
        """Its own flat dictionary; empty where it could not be used."""
        return self.report.get("result", {})

    @property
    def error_code(self) -> int:
        """What was wrong, 0 if nothing was."""
        return self.report["error_code"]

    @property
    def message(self) -> str:
        """The same in English, for the person who is filmed."""
        return self.report["message"]

    @property
    def people(self) -> tuple[Person, ...]:
        """Who is seen, the main person first as the server lists them."""
        return tuple(Person(report) for report in self.report.get("people", ()))


def _named(result: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    return {name: result[code] for code, name in names.items() if code in result}
