"""Keep the models of one running server answering, each by itself.

What is acted on, and why:

- **A dead process.** Triton goes on saying that the model is ready while each of its calls takes a
  second and fails, so the processes themselves are watched and the model is loaded again.
- **A stopped or stuck process** is killed, and so becomes a dead one. What tells a stuck process
  from a busy one is in `stub_watch`.
- **A model that does not answer** though its processes are well, or answers with errors only, is
  loaded again. What tells it from a busy one is in `leaf_watch`.

All of it goes over HTTP: the gRPC front end is the one that deadlocks when a step of an ensemble
fails beside a running sibling.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from server.front_ends import FAILURES, FrontEnds
from server.health import Health
from server.leaf_probes import Tensor
from server.leaf_watch import LeafWatch
from server.pauses import Pauses
from server.stub_watch import Ailment, Limits, StubWatch

logger = logging.getLogger(__name__)

#: The model that calls all others.
FRONT_DOOR = "recognize"

_WORDS = {
    "died": "a process of the model died",
    Ailment.STOPPED.value: "an instance is stopped",
    Ailment.STUCK.value: "an instance is stuck",
    "unanswered": "the model does not answer",
    "errors": "the model answers with errors only",
}


@dataclass(frozen=True)
class CarePatience:
    """How long to wait for what, in seconds unless said otherwise."""

    look: float = 1.0
    load: float = 60.0
    #: For the first answer of a model that was loaded again.
    answer: float = 10.0
    #: For the old processes of a model that was loaded again to finish what they are doing.
    drain: float = 30.0
    idle_looks: int = 10


class ModelCare:
    """The models of one server.

    Args:
        front_ends: Where the server is called.
        server: The server's process id.
        reloads: Whether a single model can be loaded again (explicit model control).
        health: Where reloads are counted.
        patience: How long to wait for what.
    """

    def __init__(
        self,
        front_ends: FrontEnds,
        server: int,
        reloads: bool,
        health: Health,
        patience: CarePatience = CarePatience(),
    ) -> None:
        self.stubs = StubWatch(server, Limits(calling=FRONT_DOOR))
        self._front_ends = front_ends
        self._leaves = LeafWatch(front_ends, self.stubs)
        self._can_reload = reloads
        self._health = health
        self._patience = patience
        self._ill: dict[str, str] = {}
        self._ending: list[str] = []
        self._reloads: dict[str, asyncio.Task] = {}
        self._pauses: defaultdict[str, Pauses] = defaultdict(Pauses)
        self._drains: set[asyncio.Task] = set()

    async def wait_for_first_answers(self) -> None:
        """Return when every model that is known how to ask has answered, the front door well."""
        while True:
            with suppress(*FAILURES):
                models = await self._leaves.find_models()
                answers = [self._leaves.ask(model, self._patience.answer) for model in models]
                named = dict(zip(models, await asyncio.gather(*answers), strict=True))
                door = named.get(FRONT_DOOR)
                if FRONT_DOOR not in named or (door and door.is_well):
                    return
            await asyncio.sleep(self._patience.look)

    async def run(self, on_look: Callable[[], None]) -> None:
        """Look after the models; return when one is lost that cannot be loaded again.

        Args:
            on_look: Called after every look.
        """
        while True:
            self._look()
            if self._ill and not self._can_reload:
                logger.error("%s, and models are not under explicit control", self.troubles()[0])
                return
            for model in self._ill.keys() - self._reloads.keys():
                self._begin_reload(model)
            on_look()
            await self._leaves.look(self._ill, self.stubs.bereft_models())
            await self.stubs.wait_for_end(self._patience.look)

    def lightest_probe(self) -> tuple[str, list[Tensor]] | None:
        """A loaded model that does not wait behind clips, and what it is asked."""
        return self._leaves.lightest_probe(besides=FRONT_DOOR)

    def troubles(self) -> list[str]:
        """Say why not every model can answer; nothing when all can."""
        errors = self._leaves.errors()
        return [
            *self._ending,
            *(f"{model}: a worker has ended" for model in self.stubs.bereft_models()),
            *(f"{model}: {_WORDS[cause]}, loading it again" for model, cause in self._ill.items()),
            *(f"{model}: {errors[model]}" for model in errors.keys() - self._ill.keys()),
        ]

    def close(self) -> None:
        """Stop looking after the models."""
        for task in [*self._reloads.values(), *self._drains]:
            task.cancel()
        self._leaves.close()
        self.stubs.close()

    def _look(self) -> None:
        self.stubs.look()
        self._ending = []
        for stub, ailment, pid in self.stubs.ailing():
            if pid != stub.pid:
                self._ending.append(f"{stub.model}: a worker is {ailment.value}, ending it")
            elif pid in self.stubs.in_service(stub.model):
                self._ill.setdefault(stub.model, ailment.value)
            logger.warning("%s: process %d is %s, ending it", stub.instance, pid, ailment.value)
            self.stubs.kill(pid)
        lost = dict.fromkeys(self.stubs.lost_models(), "died")
        self._ill = lost | self._leaves.faults() | self._ill

    def _begin_reload(self, model: str) -> None:
        task = asyncio.create_task(self._reload(model))
        self._reloads[model] = task
        task.add_done_callback(lambda _: self._reloads.pop(model))

    async def _reload(self, model: str) -> None:
        pause = self._pauses[model].take()
        logger.warning("%s: %s, loading it again in %.0f s", model, _WORDS[self._ill[model]], pause)
        await asyncio.sleep(pause)
        try:
            if model not in await asyncio.wait_for(
                self._front_ends.ready_models(), self._patience.answer
            ):
                # It was unloaded on request.
                self.stubs.forget(model)
                self._leaves.forget(model)
                del self._ill[model]
                return
            self._health.count_reload(model, self._ill[model])
            old = self.stubs.in_service(model)
            await asyncio.wait_for(self._front_ends.reload_model(model), self._patience.load)
            self.stubs.retire(model, old)
            self._drain(old)
            answer = await self._leaves.ask_anew(model, self._patience.answer)
        except FAILURES as error:
            logger.error("%s could not be loaded again: %s", model, error or type(error).__name__)
            return
        if answer and not answer.is_well:
            logger.error("%s answers with an error after it was loaded again", model)
            return
        self._pauses.pop(model)
        del self._ill[model]

    def _drain(self, pids: set[int]) -> None:
        """End a model's old processes later, where Triton keeps them beside their dead sibling."""
        task = asyncio.create_task(self._end_when_idle(pids))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def _end_when_idle(self, pids: set[int]) -> None:
        """End processes that have nothing to do.

        One that Triton talks to at that moment would leave a lock behind that ends the server.
        """
        await asyncio.sleep(self._patience.drain)
        while alive := self.stubs.alive(pids):
            for pid in alive:
                if self.stubs.is_idle([pid], self._patience.idle_looks):
                    self.stubs.kill(pid)
            await asyncio.sleep(self._patience.look)
