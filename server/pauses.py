"""Pauses between attempts that grow as long as attempts fail."""

from __future__ import annotations


class Pauses:
    """None before the first attempt, then 1, 2, 4 ... seconds.

    Args:
        longest: Where the pauses stop to grow, in seconds.
    """

    def __init__(self, longest: float = 60.0) -> None:
        self._longest = longest
        self._next = 0.0

    def take(self) -> float:
        """Return how long to wait before the next attempt, in seconds."""
        pause, self._next = self._next, min(max(1.0, 2 * self._next), self._longest)
        return pause

    def reset(self) -> None:
        """Begin anew: an attempt has succeeded."""
        self._next = 0.0
