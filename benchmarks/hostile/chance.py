"""Choices, and the values that arithmetic does not expect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")

#: float32 that arithmetic does not expect.
EXTREME_FLOATS = (0.0, -0.0, np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 1.0, -1.0, 1e9)
EXTREME_INTS = (0, -1, 1, 7, 64, 65, 2**31 - 1, -(2**31), 131_073)


def any_of(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Choose one, all alike."""
    return choices[int(rng.integers(len(choices)))]


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return noise, float32, mostly with one of `EXTREME_FLOATS` in it."""
    values = rng.normal(0, 1, shape).astype(np.float32)
    if values.size and rng.random() < 0.7:
        values.flat[int(rng.integers(values.size))] = any_of(rng, EXTREME_FLOATS)
    return values


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return numbers, int32, one of `EXTREME_INTS` among them."""
    values = rng.integers(0, 250_000, shape).astype(np.int32)
    if values.size:
        values.flat[int(rng.integers(values.size))] = any_of(rng, EXTREME_INTS)
    return values
