"""What a stream is doing, and what it may do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """The states of a stream."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing comes after it."""
        return not NEXT_STATES[self]


#: From each state the states that may follow it.
NEXT_STATES: dict[State, frozenset[State]] = {
    State.CONNECTING: frozenset(
        {State.STREAMING, State.RECONNECTING, State.ENDED, State.FAILED},
    ),
    State.STREAMING: frozenset(
        {State.STALLED, State.RECONNECTING, State.ENDED, State.FAILED},
    ),
    State.STALLED: frozenset(
        {State.STREAMING, State.RECONNECTING, State.ENDED, State.FAILED},
    ),
    State.RECONNECTING: frozenset({State.CONNECTING, State.ENDED, State.FAILED}),
    State.ENDED: frozenset(),
    State.FAILED: frozenset(),
}


@dataclass(frozen=True)
class StateChange:
    """A stream went from one state to another.

    Attributes:
        stream: Its name.
        before: The state it left; None when it begins.
        after: The state it is in.
        reason: One word why, e.g. "lost"; empty where there is nothing to explain.
        message: The sentence that goes with it.
    """

    stream: str
    before: State | None
    after: State
    reason: str = ""
    message: str = ""


class StateMachine:
    """A stream's state; every change is announced."""

    def __init__(self, stream: str, announce: Callable[[StateChange], None]) -> None:
        """Begin with connecting.

        Args:
            stream: The stream's name.
            announce: Is told every change, the first state included.
        """
        self._stream = stream
        self._announce = announce
        self.last = StateChange(stream, None, State.CONNECTING)
        announce(self.last)

    @property
    def state(self) -> State:
        """The present state."""
        return self.last.after

    def to(self, state: State, reason: str = "", message: str = "") -> None:
        """Go to another state.

        Raises:
            ValueError: It may not follow the present one.
        """
        if state not in NEXT_STATES[self.state]:
            raise ValueError(
                f"{self._stream}: {state.name} may not follow {self.state.name}, expected one of "
                f"{sorted(following.name for following in NEXT_STATES[self.state])}"
            )
        self.last = StateChange(self._stream, self.state, state, reason, message)
        self._announce(self.last)
