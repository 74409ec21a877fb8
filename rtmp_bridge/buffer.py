"""Chunks that wait to be recognised, with a named strategy for when there are too many."""

from __future__ import annotations

import asyncio
from collections import deque

from rtmp_bridge.chunks import Chunk
from rtmp_bridge.settings import Buffering


class ChunkBuffer:
    """A bounded queue within one event loop."""

    def __init__(self, size: int, strategy: Buffering) -> None:
        """Begin empty.

        Args:
            size: How many chunks may wait.
            strategy: What happens to the next one.
        """
        self._size = size
        self._strategy = strategy
        self._chunks: deque[Chunk] = deque()
        self._changed = asyncio.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._chunks)

    async def put(self, chunk: Chunk) -> list[Chunk]:
        """Add the newest chunk.

        Returns:
            The chunks that had to go for it; with WAIT none: there the call waits for room.
        """
        async with self._changed:
            if self._strategy is Buffering.WAIT:
                await self._changed.wait_for(lambda: len(self._chunks) < self._size)
            self._chunks.append(chunk)
            dropped = [self._chunks.popleft() for _ in range(len(self._chunks) - self._size)]
            self._changed.notify_all()
            return dropped

    async def get(self) -> Chunk | None:
        """Take the oldest chunk; wait for one if there is none. None: there will be no more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._chunks or self._closed)
            chunk = self._chunks.popleft() if self._chunks else None
            self._changed.notify_all()
            return chunk

    async def close(self) -> None:
        """Say that no chunk follows; those that wait can still be taken."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[Chunk]:
        """Return the chunks that wait and let go of them."""
        chunks = list(self._chunks)
        self._chunks.clear()
        return chunks
