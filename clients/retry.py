"""When to try again, and when to stop."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from clients.errors import RecogniserError, ServerUnavailableError


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off: each pause is up to `factor` times the one before.

    Every pause is drawn from the upper half of its range, so that clients which were turned away
    together do not come back together.

    Attributes:
        attempts: How often a request is sent at most; 1 means no retry.
        first: Upper bound of the first pause in seconds.
        factor: Growth of the bound from pause to pause.
        longest: What the bound never exceeds, in seconds.
    """

    attempts: int = 5
    first: float = 0.25
    factor: float = 2.0
    longest: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a policy that would never send anything."""
        if self.attempts < 1:
            raise ValueError(f"attempts: expected at least 1, came {self.attempts}")

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after this many failures in a row, counted from 1."""
        bound = min(self.longest, self.first * self.factor ** (failures - 1))
        return bound * random.uniform(0.5, 1.0)


class Attempts:
    """One request's attempts, its pauses and the time that it has left."""

    def __init__(self, backoff: Backoff, timeout: float) -> None:
        """Start the clock.

        Args:
            backoff: The policy.
            timeout: Seconds for all attempts and pauses together.
        """
        self._backoff = backoff
        self._end = time.monotonic() + timeout
        self.failures = 0

    def seconds_left(self) -> float:
        """Return how long the next attempt may take."""
        return max(0.0, self._end - time.monotonic())

    def pause_after(self, failure: RecogniserError) -> float | None:
        """Return the seconds to wait before the next attempt.

        Returns:
            None when there is none: waiting cannot mend the failure, the attempts are used up, or
            the time would be over.
        """
        if not isinstance(failure, ServerUnavailableError):
            return None
        pause = self._backoff.pause(self.failures)
        if self.failures >= self._backoff.attempts or pause >= self.seconds_left():
            return None
        return pause
