"""The work for one request, given up when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from abandonment import abandon, forget, new_id
from refusals import RefusalError, RequestCancelledError, RequestExpiredError

T = TypeVar("T")

#: Seconds between looks at whether the client still waits.
INTERVAL = 0.05


class Effort:
    """The work for one request.

    Triton hands on neither a cancellation nor a time limit to the models that a model calls, and a
    call that was made has to be awaited: the tensors that it reads must outlive it. So whoever
    works for the request is told to stop, and answers early.

    Args:
        request: What Triton gave.

    Attributes:
        id: The request id for the calls of other models, by which they learn that they may stop.
    """

    def __init__(self, request) -> None:
        self.id = new_id()
        self._request = request
        self._limit = request.timeout() / 1e6
        self._began = time.monotonic()
        self._cause: RefusalError | None = None

    def check(self) -> None:
        """Return while somebody waits for the result.

        Raises:
            RefusalError: The request was cancelled, or its time limit has passed.
        """
        if self._cause is not None:
            raise self._cause

    async def carry_out(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; whoever does it calls `check` between its steps.

        Raises:
            RefusalError: The request was cancelled, or its time limit has passed.
        """
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=INTERVAL))[0]:
                if self._cause is None:
                    self._look()
            failure = task.exception()
            self.check()
            if failure is not None:
                raise failure
            return task.result()
        finally:
            if self._cause is not None:
                forget(self.id)

    def _look(self) -> None:
        if self._request.is_cancelled():
            self._cause = RequestCancelledError("cancelled", "the client gave up")
        elif self._limit and time.monotonic() - self._began > self._limit:
            self._cause = RequestExpiredError(
                "expired", f"the request's own time limit of {self._limit:g} s has passed"
            )
        if self._cause is not None:
            abandon(self.id)
