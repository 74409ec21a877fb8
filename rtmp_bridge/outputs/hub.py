"""Hands every outcome and every change of state to all outputs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rtmp_bridge.outcomes import Kind, Outcome
from rtmp_bridge.state import State, StateChange

logger = logging.getLogger("rtmp_bridge")


class Output:
    """What an output may do; use it in an `async with` statement."""

    async def __aenter__(self) -> Output:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Deliver what can be delivered and let go of files and connections."""

    def state_changed(self, change: StateChange) -> None:
        """Take a change of a stream's state; must not block."""

    async def publish(self, outcome: Outcome) -> None:
        """Take what became of a chunk; the stream's next chunk waits for it."""


class Hub:
    """All outputs together, and the log."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        """Gather the outputs."""
        self._outputs = outputs

    def announce(self, change: StateChange) -> None:
        """Tell a change of state."""
        level = logging.WARNING if change.after is State.FAILED else logging.INFO
        logger.log(level, "%s", change.message or change.after.value, extra={"change": change})
        for output in self._outputs:
            output.state_changed(change)

    async def publish(self, outcome: Outcome) -> None:
        """Tell what became of a chunk; an output that fails is logged and the others go on."""
        level = logging.DEBUG if outcome.kind is Kind.RESULT else logging.WARNING
        logger.log(level, "%s", outcome.message or "recognised", extra={"outcome": outcome})
        for output in self._outputs:
            try:
                await output.publish(outcome)
            except OSError as error:
                logger.error("%s: %s", type(output).__name__, error)
            except Exception:  # an output must not stop a stream
                logger.exception("%s failed", type(output).__name__)
