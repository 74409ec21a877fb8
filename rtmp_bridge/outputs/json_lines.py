"""One JSON document a line, to stdout or a file that is rotated."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import IO

from rtmp_bridge.outcomes import Outcome
from rtmp_bridge.outputs.hub import Output
from rtmp_bridge.settings import JsonLinesSettings


class JsonLines(Output):
    """Every outcome of every stream, a line each, in order."""

    def __init__(self, settings: JsonLinesSettings) -> None:
        """Prepare; the file is opened, and continued, on entering."""
        self._settings = settings
        self._file: IO[bytes] = sys.stdout.buffer
        self._order = asyncio.Lock()

    async def __aenter__(self) -> JsonLines:
        if self._settings.path is not None:
            self._settings.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._settings.path.open("ab")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._settings.path is not None:
            self._file.close()

    async def publish(self, outcome: Outcome) -> None:
        """Write a line; a slow disk must not hold up the other streams, so a thread does it."""
        line = json.dumps(outcome.record(), ensure_ascii=False).encode() + b"\n"
        async with self._order:
            await asyncio.to_thread(self._write, line)

    def _write(self, line: bytes) -> None:
        if self._must_rotate(len(line)):
            self._rotate(self._settings.path)
        self._file.write(line)
        self._file.flush()
        if self._settings.fsync and self._settings.path is not None:
            os.fsync(self._file.fileno())

    def _must_rotate(self, size: int) -> bool:
        most = self._settings.most_bytes
        position = self._file.tell() if self._settings.path and most else 0
        return position > 0 and position + size > most

    def _rotate(self, path: Path) -> None:
        self._file.close()
        for number in range(self._settings.files, 0, -1):
            older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number}"))
        self._file = path.open("wb")
