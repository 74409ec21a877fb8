"""Compare a converted network with its source, and keep what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

#: The greatest difference accepted, in parts of an output's largest value, of 1 if that is less.
TOLERANCE = 1e-4
#: Of a model, in its folder.
REPORT = "conversion.json"
INT8_REPORT = "int8.json"


class ParityError(RuntimeError):
    """A converted network does not answer what its source network answers."""


@dataclass(frozen=True)
class Difference:
    """How far one output is from the source's.

    Attributes:
        output: Its name.
        dims: Its shape.
        absolute: The greatest absolute difference.
        relative: The greatest difference relative to the source's value, where that is above 1e-3.
    """

    output: str
    dims: list[int]
    absolute: float
    relative: float

    @classmethod
    def between(cls, output: str, found: np.ndarray, wanted: np.ndarray) -> Difference:
        """Measure two arrays of one shape."""
        apart = np.abs(found.astype(np.float64) - wanted)
        large = np.abs(wanted) > 1e-3
        relative = (apart[large] / np.abs(wanted[large])).max() if large.any() else 0.0
        return cls(output, list(found.shape), float(apart.max(initial=0.0)), float(relative))


@dataclass(frozen=True)
class Report:
    """What one conversion found.

    Attributes:
        model: The model's name.
        files: Names of its source files.
        notes: Decisions that were taken while reading them.
        differences: One for each output and trial.
    """

    model: str
    files: Sequence[str]
    notes: Sequence[str]
    differences: Sequence[Difference]

    def lines(self) -> list[str]:
        """Give the worst of each output in a line."""
        outputs = dict.fromkeys(difference.output for difference in self.differences)
        return [*(f"{self.model}: {note}" for note in self.notes), *map(self._line, outputs)]

    def _line(self, output: str) -> str:
        those = [one for one in self.differences if one.output == output]
        absolute = max(one.absolute for one in those)
        relative = max(one.relative for one in those)
        return (
            f"{self.model}: {output} differs from the source by at most {absolute:.1e}, "
            f"relative {relative:.1e}"
        )


def compare(name: str, found: Mapping, wanted: Mapping) -> list[Difference]:
    """Compare the outputs of a network with its source's.

    Raises:
        ParityError: An output is missing, has other dims or differs by more than `TOLERANCE`
            allows.
    """
    if found.keys() != wanted.keys():
        raise ParityError(f"{name}: gives {sorted(found)}, the source {sorted(wanted)}")
    return [_compared(name, output, found[output], wanted[output]) for output in wanted]


def first_difference(found: Mapping, wanted: Mapping) -> str | None:
    """Name the first of `wanted` that `found` differs from; None when all agree."""
    return next((name for name in wanted if not _agree(found[name], wanted[name])), None)


def write_report(file: Path, report: Report) -> None:
    """Keep a report as JSON."""
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False)
    file.write_text(f"{text}\n", encoding="utf-8")


def _compared(name: str, output: str, found: np.ndarray, wanted: np.ndarray) -> Difference:
    if found.shape != wanted.shape:
        raise ParityError(
            f"{name}: {output} has dims {list(found.shape)}, the source's {list(wanted.shape)}"
        )
    difference = Difference.between(output, found, wanted)
    if not _agree(found, wanted):
        raise ParityError(
            f"{name}: {output} differs from the source by {difference.absolute:.1e}, "
            f"at most {TOLERANCE:g} of its largest value is accepted"
        )
    return difference


def _agree(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Compare within `TOLERANCE` of the largest value: float32 rounds sums of large numbers."""
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return False
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    return bool(np.abs(found - wanted).max(initial=0.0) <= TOLERANCE * scale)
