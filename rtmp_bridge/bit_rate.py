"""How much a live stream brings."""

from __future__ import annotations

import time

from rtmp_bridge.errors import SourceError

#: Seconds over which the bit rate is measured: a server may send its newest key frame's group of
#: pictures at once.
RATE_SECONDS = 5.0


class BitRate:
    """Refuses a connection that brings more than it may."""

    def __init__(self, most: int) -> None:
        """Start counting.

        Args:
            most: Bits a second, on average over `RATE_SECONDS`.
        """
        self._most = most
        self._begin = time.monotonic()
        self._bits = 0

    def spend(self, size: int) -> None:
        """Count some bytes.

        Raises:
            SourceError: They are too many.
        """
        now = time.monotonic()
        if now - self._begin >= RATE_SECONDS:
            self._begin, self._bits = now, 0
        self._bits += 8 * size
        if self._bits > self._most * RATE_SECONDS:
            raise SourceError(
                "limit", f"more than {self._most} bits a second over {RATE_SECONDS:g} s"
            )
