"""What earlier seconds of a stream left behind: their context rows, for as long as they count."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import reduce

from clients import Context
from rtmp_bridge.chunks import Chunk


class RollingContext:
    """The rows of the last seconds, each second's embedded once."""

    def __init__(self, seconds: int) -> None:
        """Begin without a past.

        Args:
            seconds: How far back rows count from the beginning of a chunk. Five seconds are 20
                crops and 5 windows.
        """
        self._seconds = seconds
        self._rows: deque[tuple[float, Context]] = deque()

    def before(self, chunk: Chunk) -> Context:
        """Return the rows that go with a chunk, oldest first."""
        if chunk.fresh:
            self._rows.clear()
        while self._rows and self._rows[0][0] < chunk.start - self._seconds:
            self._rows.popleft()
        return reduce(Context.then, (rows for _, rows in self._rows), Context())

    def add(self, chunk: Chunk, rows: Context) -> None:
        """Keep a chunk's rows; those of a padded window are not the stream's."""
        kept = rows if chunk.windows else replace(rows, speech=rows.speech[:0])
        self._rows.append((chunk.start, kept))
