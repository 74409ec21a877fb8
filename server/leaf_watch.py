"""Ask each model for an answer when nobody else does, and judge what comes back.

A probe waits behind clips in the model's queue, so a late one tells nothing by itself. It counts
when the model has answered nobody since it was sent and its processes do nothing, or when that
lasts for minutes whatever they do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from server.front_ends import FAILURES, Answer, FrontEnds, Outcome
from server.leaf_probes import Tensor, probe_of
from server.stub_watch import StubWatch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeafPatience:
    """How long a probe may take, in looks (one a second) unless said otherwise."""

    #: Between two probes of a model that nobody asks.
    round: int = 10
    #: Between two probes of a model that answered with an error.
    retry: int = 2
    #: Errors in a row that count: one may have another cause.
    errors: int = 3
    #: Without an answer from processes that do nothing.
    silence: int = 5
    #: Without an answer from processes that do something.
    stall: int = 120
    #: For calls that are no inference, in seconds.
    call: float = 5.0


@dataclass
class _Leaf:
    """What is known of one model; the counts are looks.

    Attributes:
        tensors: What it is asked.
        probe: The question that is under way.
        waited: How long that has gone without the model answering anybody.
        since: How long ago it was last seen to answer.
        successes: How many requests it had answered well then.
        has_answered: Whether a probe of this kind has ever been answered well.
        errors: Probes in a row that were answered with an error.
        message: The last error.
        fault: Why the model has to be loaded again.
    """

    tensors: list[Tensor]
    probe: asyncio.Task[Answer] | None = None
    waited: int = 0
    since: int = 0
    successes: int = 0
    has_answered: bool = False
    errors: int = 0
    message: str = ""
    fault: str = ""


class LeafWatch:
    """The models of one server, as they answer.

    Args:
        front_ends: Where they are asked.
        stubs: Their processes.
        patience: How long a probe may take.
    """

    def __init__(
        self, front_ends: FrontEnds, stubs: StubWatch, patience: LeafPatience = LeafPatience()
    ) -> None:
        self._front_ends = front_ends
        self._stubs = stubs
        self._patience = patience
        self._leaves: dict[str, _Leaf] = {}

    def faults(self) -> dict[str, str]:
        """The models that have to be loaded again, each with the cause."""
        return {model: leaf.fault for model, leaf in self._leaves.items() if leaf.fault}

    def errors(self) -> dict[str, str]:
        """The models whose last probes were answered with an error, each with the error."""
        return {
            model: leaf.message
            for model, leaf in self._leaves.items()
            if leaf.errors > 1 and leaf.has_answered
        }

    def lightest_probe(self, besides: str) -> tuple[str, list[Tensor]] | None:
        """A model that takes a sentence, and what it is asked; None when there is no other one."""
        for model, leaf in self._leaves.items():
            if model != besides and any(tensor.name == "TEXT" for tensor in leaf.tensors):
                return model, leaf.tensors
        return None

    async def look(self, excused: Collection[str] = (), hurried: Collection[str] = ()) -> None:
        """Take in what was answered and ask who is due; to be called once a second.

        Args:
            excused: Models that are being loaded. While there are any, errors do not count, since
                other models need them.
            hurried: Models that are asked at once, since that mends them.
        """
        for leaf in self._leaves.values():
            leaf.since += 1
            leaf.waited += leaf.probe is not None
            if leaf.probe and leaf.probe.done():
                self._take_in(leaf, count_errors=not excused)
        for model in self._leaves.keys() & set(hurried):
            if self._leaves[model].tensors:
                self._send(model, self._leaves[model])
        if any(self._is_due(leaf) or self._is_late(leaf) for leaf in self._leaves.values()):
            with suppress(*FAILURES):
                await asyncio.wait_for(self._go_round(excused), self._patience.call)

    async def ask(self, model: str, seconds: float) -> Answer | None:
        """Wait for a model's answer to a probe; None when there is none in time.

        A model that it is not known how to ask has no answer either.

        Raises:
            One of `FAILURES`: The server says nothing about the model.
        """
        leaf = await self._leaf(model)
        if not leaf.tensors:
            return None
        self._send(model, leaf)
        probe = leaf.probe
        await asyncio.wait({probe}, timeout=seconds)
        return probe.result() if probe.done() and not probe.cancelled() else None

    async def ask_anew(self, model: str, seconds: float) -> Answer | None:
        """Do the same with a model that was loaded again.

        Raises:
            One of `FAILURES`: The server says nothing about the model.
        """
        known = self._leaves.get(model)
        self.forget(model)
        leaf = await self._leaf(model)
        leaf.has_answered = bool(known and known.has_answered)
        answer = await self.ask(model, seconds)
        # What it has never answered well is nothing to ask it.
        return answer if leaf.has_answered else None

    async def find_models(self) -> set[str]:
        """Find out which models are loaded, and forget those that are not.

        Raises:
            One of `FAILURES`: The server does not say.
        """
        loaded = await self._front_ends.ready_models()
        for model in self._leaves.keys() - loaded:
            self.forget(model)
        for model in loaded:
            await self._leaf(model)
        return loaded

    def forget(self, model: str) -> None:
        """Begin anew with a model: it is loaded again, or not loaded any more."""
        leaf = self._leaves.pop(model, None)
        if leaf and leaf.probe:
            leaf.probe.cancel()

    def close(self) -> None:
        """Ask nobody any more."""
        for model in list(self._leaves):
            self.forget(model)

    async def _go_round(self, excused: Collection[str]) -> None:
        await self.find_models()
        successes = await self._front_ends.successes()
        for model, leaf in self._leaves.items():
            if successes.get(model, 0) != leaf.successes:
                leaf.successes = successes.get(model, 0)
                leaf.waited = leaf.since = leaf.errors = 0
            if model in excused:
                continue
            if self._is_late(leaf):
                self._judge(model, leaf)
            elif self._is_due(leaf):
                self._send(model, leaf)

    async def _leaf(self, model: str) -> _Leaf:
        if model not in self._leaves:
            leaf = _Leaf(probe_of(await self._front_ends.config(model)))
            self._leaves.setdefault(model, leaf)
        return self._leaves[model]

    def _send(self, model: str, leaf: _Leaf) -> None:
        if leaf.probe and leaf.probe.done():
            self._take_in(leaf, count_errors=True)
        if leaf.probe is None:
            call = self._front_ends.ask(model, leaf.tensors, timeout=10 * self._patience.stall)
            leaf.probe, leaf.waited = asyncio.create_task(call), 0

    def _take_in(self, leaf: _Leaf, count_errors: bool) -> None:
        answer, leaf.probe, leaf.since = leaf.probe.result(), None, 0
        if answer.is_well:
            leaf.has_answered, leaf.errors = True, 0
            leaf.successes += answer.outcome is Outcome.GOOD
        elif answer.is_alive and count_errors:
            leaf.errors, leaf.message = leaf.errors + 1, answer.message
            # An error to a model's first probe shows only that zeros are nothing to ask it.
            if leaf.errors >= self._patience.errors and leaf.has_answered:
                leaf.fault = "errors"

    def _is_due(self, leaf: _Leaf) -> bool:
        wait = self._patience.retry if leaf.errors else self._patience.round
        return bool(leaf.tensors) and leaf.probe is None and leaf.since >= wait

    def _is_late(self, leaf: _Leaf) -> bool:
        return leaf.probe is not None and leaf.waited >= self._patience.silence

    def _judge(self, model: str, leaf: _Leaf) -> None:
        pids = self._stubs.in_service(model)
        does_nothing = bool(pids) and self._stubs.is_idle(pids, self._patience.silence)
        if does_nothing or leaf.waited >= self._patience.stall:
            leaf.fault = "unanswered"
