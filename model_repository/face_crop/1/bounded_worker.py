"""The process that decodes foreign bytes, and what it may use for each request."""

from __future__ import annotations

import json
import logging
import select
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from budget import Budget
from confinement import allow_cpu, confine
from handover import Handover, HandoverError, Message

logger = logging.getLogger(__name__)

#: Seconds of CPU by which the kernel's limit lies above the one that is checked here.
_SLACK = 1.0


class OverBudgetError(RuntimeError):
    """The request needs more CPU time than what it brings may take."""


class StoppedError(RuntimeError):
    """The request was given up."""


class Leash(Protocol):
    """Says how far the work has come; raises when it must not go on."""

    def __call__(self, seconds: float = 0.0) -> None:
        """Go on, or not.

        Args:
            seconds: How much of the media has been worked through; less than before says nothing.

        Raises:
            OverBudgetError: It took too much CPU time.
            StoppedError: Nobody waits for the answer any more.
        """
        ...


def no_leash(seconds: float = 0.0) -> None:
    """Let the work go on for ever: for training, and for media that one knows."""


Work = Callable[[Message, Leash], Message]


@dataclass
class _RequestLeash:
    """The leash of one request: it grows with the media, so that an endless loop is short.

    Attributes:
        budget: What the request may take.
        line: Where a message says that the request was given up.
        begin: CPU seconds of the process before the request.
        reached: Whole seconds of the media so far.
    """

    budget: Budget
    line: Handover
    begin: float
    reached: int = -1

    def __call__(self, seconds: float = 0.0) -> None:
        used = time.process_time() - self.begin
        if int(seconds) > self.reached:
            self.reached = int(seconds)
            allow_cpu(self.budget.cpu(self.reached) - used + _SLACK)
        if used > self.budget.cpu(self.reached):
            raise OverBudgetError
        if select.select([self.line], [], [], 0)[0]:
            raise StoppedError


def serve(prepare: Callable[[], Work]) -> None:
    """Answer the owner's requests until one of the two ends.

    Args:
        prepare: Loads what is needed and returns what answers one request. Whatever that raises
            ends this process, and is told to the owner in a sentence that says nothing of this
            machine.
    """
    work = prepare()
    budget = Budget(**json.loads(sys.argv[1]))
    line, outbox, inbox = map(int, sys.argv[2:])
    handover = Handover(socket.socket(fileno=line), outbox, inbox)
    confine(budget.address_space)
    with suppress(HandoverError):
        handover.send(Message())  # ready
        while True:
            request = handover.receive()
            if "stop" not in request.values:
                handover.send(_answer(work, request, handover, budget))


def _answer(
    work: Work,
    request: Message,
    handover: Handover,
    budget: Budget,
) -> Message:
    leash = _RequestLeash(budget, handover, time.process_time())
    leash()
    try:
        return work(request, leash)
    except StoppedError:
        return Message({"stopped": True})
    except OverBudgetError:
        return Message({"error": budget.too_slow, "reason": "too slow"})
    except MemoryError:
        return Message({"error": budget.too_large, "reason": "too large"})
    except Exception as error:
        logger.exception("a request could not be worked on")
        return Message({"error": f"failed ({type(error).__name__})", "reason": "failed"})
