"""Between which years four of five people are whose face or voice reads as an age."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from contract import AGE_YEARS

#: Written by `training.age_intervals` for the networks beside it; other networks err otherwise.
FILE = Path(__file__).with_name("age_intervals.json")


class AgeInterval:
    """The interval of one modality's network."""

    def __init__(self, rows: Sequence[Sequence[float]]) -> None:
        """Take the bounds.

        Args:
            rows: (years read, lower bound, upper bound), rising in the first.
        """
        self._read, self._low, self._high = np.array(rows, np.float64).T

    def around(self, years: float) -> tuple[float, float]:
        """Return the bounds of an age, within `AGE_YEARS` and around it.

        Args:
            years: As the network reads it. Beyond the ages that were measured, the distances of
                the nearest one hold.
        """
        nearest = float(np.clip(years, self._read[0], self._read[-1]))
        low, high = (
            np.interp(nearest, self._read, bound) + years - nearest
            for bound in (self._low, self._high)
        )
        low, high = np.clip((min(low, years), max(high, years)), *AGE_YEARS)
        return float(low), float(high)


def read_intervals(file: Path = FILE) -> dict[str, AgeInterval]:
    """Read the intervals by modality; none where there is no file."""
    if not file.exists():
        return {}
    document = json.loads(file.read_text(encoding="utf-8"))
    return {name: AgeInterval(rows) for name, rows in document.items() if name != "coverage"}
