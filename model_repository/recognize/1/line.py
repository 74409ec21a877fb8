"""The line of clips that wait to be recognised, across all processes of the model.

Sentences take milliseconds and clips seconds. A clip therefore waits in a process of its own until
its turn has come, and there are always processes left for sentences.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import islice
from pathlib import Path

from abandonment import own_folder
from refusals import UnavailableError

#: Seconds between looks at how far the line has moved.
INTERVAL = 0.05
#: Seconds after which a clip that still waits is refused.
PATIENCE = 30.0


class Line:
    """Clips in the order in which they came; the first of them are under way.

    A clip's ticket is a locked file named by the time of its coming. The kernel drops the lock when
    the process ends in whatever way, so a free lock marks a ticket that counts no more.

    Args:
        name: Of the server, so that each has its own line.
        served: How many clips are under way at once.
        admitted: How many there are in all.
    """

    def __init__(self, name: str, served: int, admitted: int) -> None:
        self._name = name
        self._served = served
        self._admitted = admitted
        for ticket in own_folder("line").glob("[0-9]*"):
            # Those of servers that were killed go.
            _is_held(ticket)

    @asynccontextmanager
    async def turn(self, check: Callable[[], None]) -> AsyncIterator[None]:
        """Wait for a clip's turn and keep it until the end of the block.

        Args:
            check: Raises when the clip need not wait any longer.

        Raises:
            UnavailableError: The line is full, or too slow.
        """
        began = time.monotonic()
        with self._ticket() as ticket:
            if self._has_before(ticket, self._admitted):
                raise UnavailableError(
                    "full", f"{self._admitted} clips are under way or waiting: try again later"
                )
            while self._has_before(ticket, self._served):
                check()
                if time.monotonic() - began > PATIENCE:
                    raise UnavailableError(
                        "slow", f"the clip's turn did not come within {PATIENCE:g} s"
                    )
                await asyncio.sleep(INTERVAL)
            yield

    @contextmanager
    def _ticket(self) -> Iterator[Path]:
        folder = own_folder("line")
        ticket = folder / f"{self._name}-{time.monotonic_ns():020}-{os.getpid()}"
        draft = ticket.with_name(f"new-{ticket.name}")
        with draft.open("x") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Under its final name the file has always been locked, so nobody takes it for free.
            draft.rename(ticket)
            try:
                yield ticket
            finally:
                ticket.unlink(missing_ok=True)

    def _has_before(self, ticket: Path, count: int) -> bool:
        """Say whether so many clips that came earlier are still there."""
        earlier = (
            other
            for other in sorted(ticket.parent.glob(f"{self._name}-*"))
            if other.name < ticket.name and _is_held(other)
        )
        return next(islice(earlier, count - 1, None), None) is not None


def _is_held(ticket: Path) -> bool:
    with suppress(FileNotFoundError), ticket.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        ticket.unlink(missing_ok=True)
    return False
