"""Processes of the bridge's own in which foreign bytes are decoded: they may come to harm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

#: The process finds this package wherever the bridge was started. Libraries shall not set up what
#: they would need for many threads.
ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).parents[1]),
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}
#: Seconds for a process that has closed its pipe to end.
LAST_STEPS = 2.0


class Worker:
    """A process that is told things on its standard input and answers on its standard output.

    Attributes:
        reader: What it answers.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        transport: asyncio.ReadTransport,
    ) -> None:
        """Take over what `start` has started."""
        self.reader = reader
        self._process = process
        self._transport = transport

    @classmethod
    async def start(cls, command: Sequence[str]) -> Worker:
        """Start one; it is for the command to confine itself."""
        process = subprocess.Popen(
            command,
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # FFmpeg's own messages name addresses, and with them keys
            start_new_session=True,  # Ctrl-C is the bridge's to answer
        )
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        return cls(process, reader, transport)

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def tell(self, data: bytes) -> None:
        """Write to it; more than 64 KiB wait until it reads.

        Raises:
            BrokenPipeError: It has ended.
        """
        self._process.stdin.write(data)
        self._process.stdin.flush()

    async def cause_of_end(self) -> signal.Signals | int | None:
        """Return why it has closed its pipe: a signal or an exit code; None when it goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, LAST_STEPS)
        code = self._process.returncode
        return code if code is None or code >= 0 else signal.Signals(-code)

    async def end(self) -> None:
        """Kill it, and return when it is gone."""
        self._process.kill()
        self._transport.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        await asyncio.to_thread(self._process.wait)


def worded(cause: signal.Signals | int | None) -> str:
    """Name what ended a process."""
    return cause.name if isinstance(cause, signal.Signals) else f"exit code {cause}"
