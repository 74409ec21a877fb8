"""Keep one Triton server answering.

What the supervisor acts on, and why:

- **A dead model process.** Triton goes on saying that the model is ready while each of its calls
  takes a second and fails, so the supervisor watches the processes themselves and loads the model
  again. It does so over HTTP: the gRPC front end is the one that deadlocks when a step of an
  ensemble fails beside a running sibling.
- **A dead server.** It leaves model processes and shared memory behind; they are reaped and the
  server is started again.
- **A server that lives but does not answer.** Readiness does not tell (a deadlocked front end says
  ready), so a sentence is sent through the `text` ensemble, over HTTP and over gRPC. That path
  never waits behind clips: its two models take milliseconds, and clips pass through them as single
  sentences too. On two cores kept busy by a full queue of clips it still answers in well under the
  timeout, and only several misses in a row count.
- **A front door that stands still.** `recognize` does queue behind clips, and may refuse with
  UNAVAILABLE for as long as there are more clips than it can take. So it counts as stuck only when
  for minutes it has answered neither the probe nor anybody else.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

import aiohttp
from tritonclient.utils import InferenceServerException

from server.errors import ServerFailedError
from server.flags import Settings
from server.front_ends import Answer, FrontEnds
from server.launch import Launch
from server.process import dying_with_parent, kill_processes
from server.stub_watch import StubWatch

logger = logging.getLogger(__name__)

T = TypeVar("T")

FRONT_DOOR = "recognize"
#: An ensemble with the input TEXT that does not wait behind clips.
LIGHT_MODEL = "text"

_ADMIN_FAILURES = (InferenceServerException, aiohttp.ClientError, OSError, asyncio.TimeoutError)


class State(Enum):
    """What the supervisor is doing."""

    STARTING = auto()
    SERVING = auto()
    RECOVERING = auto()
    RESTARTING = auto()
    STOPPING = auto()
    STOPPED = auto()


#: The states that may follow each state.
TRANSITIONS = {
    State.STARTING: {State.SERVING, State.RESTARTING, State.STOPPING},
    State.SERVING: {State.RECOVERING, State.RESTARTING, State.STOPPING},
    State.RECOVERING: {State.SERVING, State.RESTARTING, State.STOPPING},
    State.RESTARTING: {State.STARTING, State.STOPPING},
    State.STOPPING: {State.STOPPED},
    State.STOPPED: set(),
}


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits for what, in seconds unless said otherwise."""

    ready_interval: float = 0.1
    start: float = 300.0
    probe_interval: float = 3.0
    probe: float = 5.0
    #: Probes without an answer, one after the other, until the server is restarted.
    probe_misses: int = 3
    load: float = 30.0
    front_door_interval: float = 10.0
    front_door_stall: float = 120.0
    #: A server that served for this long had started well.
    stable: float = 30.0
    #: Restarts in a row of servers that had not.
    restarts: int = 5
    #: As long as a clip may wait in the front door's queue, and as long again to be recognised.
    drain: float = 60.0
    #: What a server gets beyond its own exit timeout, or beyond its last live model process.
    exit_grace: float = 2.0
    #: The exit timeout of a server that has lost a model process.
    wounded_exit: float = 15.0


class _StopRequestedError(Exception):
    """A signal asked the supervisor to stop."""


class _ServerDiedError(Exception):
    """The server process ended by itself."""


class Supervisor:
    """An explicit state machine around one server process at a time.

    Args:
        settings: What is served and where.
        command: The server's command line.
        environment: Its environment.
        launch: Names what the server leaves behind.
        on_serving: Called whenever the server is known to answer.
        patience: How long to wait for what.
    """

    def __init__(
        self,
        settings: Settings,
        command: Sequence[str],
        environment: dict[str, str],
        launch: Launch,
        on_serving: Callable[[], None],
        patience: Patience = Patience(),
    ) -> None:
        self._settings = settings
        self._command = command
        self._environment = environment
        self._launch = launch
        self._on_serving = on_serving
        self._patience = patience
        self._state = State.STARTING
        self._steps: dict[State, Callable[[], Coroutine[Any, Any, State]]] = {
            State.STARTING: self._start,
            State.SERVING: self._serve,
            State.RECOVERING: self._recover,
            State.RESTARTING: self._restart,
            State.STOPPING: self._stop,
        }
        self._stop_requested = asyncio.Event()
        self._stop_forced = asyncio.Event()
        self._server: asyncio.subprocess.Process | None = None
        self._front_ends: FrontEnds | None = None
        self._stubs = StubWatch(launch.region_prefix)
        self._draining: set[asyncio.Task] = set()
        self._has_lost_stubs = False
        self._serving_since: float | None = None
        self._short_lives = 0

    async def run(self) -> None:
        """Serve until a signal asks to stop.

        Raises:
            ServerFailedError: The server does not start, or dies again and again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_stop_signal)
        try:
            while self._state is not State.STOPPED:
                self._enter(await self._next_state())
        finally:
            await self._discard_server()

    def _on_stop_signal(self) -> None:
        if self._stop_requested.is_set():
            self._stop_forced.set()
        self._stop_requested.set()

    async def _next_state(self) -> State:
        try:
            return await self._steps[self._state]()
        except _StopRequestedError:
            return State.STOPPING
        except _ServerDiedError:
            logger.error("the server ended with exit code %s", self._server.returncode)
            return State.RESTARTING

    def _enter(self, state: State) -> None:
        if state not in TRANSITIONS[self._state]:
            raise RuntimeError(f"{self._state.name} cannot be followed by {state.name}")
        logger.debug("%s -> %s", self._state.name, state.name)
        self._state = state

    async def _start(self) -> State:
        self._server = await asyncio.create_subprocess_exec(
            *dying_with_parent(self._command),
            env=self._environment,
            # What models print must not get between the launcher's own lines.
            stdout=sys.stderr.fileno(),
            # Ctrl-C in a terminal reaches the supervisor alone, which stops the server in order.
            start_new_session=True,
        )
        self._front_ends = FrontEnds(self._settings)
        self._stubs = StubWatch(self._launch.region_prefix)
        try:
            await self._while_server_lives(self._wait_until_answering(), self._patience.start)
        except asyncio.TimeoutError:
            logger.error("the server did not answer within %.0f s", self._patience.start)
            return State.RESTARTING
        self._serving_since = time.monotonic()
        return State.SERVING

    async def _serve(self) -> State:
        if not self._stubs.lost_models():
            self._on_serving()
        loss = asyncio.ensure_future(self._stubs.wait_for_loss())
        trouble = asyncio.ensure_future(self._wait_for_silence())
        stall = asyncio.ensure_future(self._wait_for_stalled_front_door())
        tasks = {loss, trouble, stall}
        try:
            await self._while_server_lives(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
        finally:
            await _cancel(tasks)
        return State.RECOVERING if loss in _finished(tasks) else State.RESTARTING

    async def _recover(self) -> State:
        self._has_lost_stubs = True
        if not self._settings.reloads_models:
            logger.error("a model process died and models are not under explicit control")
            return State.RESTARTING
        try:
            return await self._while_server_lives(self._reload_lost_models())
        except _ADMIN_FAILURES as error:
            logger.error("a model could not be loaded again: %s", error or type(error).__name__)
            return State.RESTARTING

    async def _restart(self) -> State:
        lived = time.monotonic() - self._serving_since if self._serving_since else None
        if lived is None and self._short_lives == 0:
            raise ServerFailedError("the server could not start; its own message is above")
        self._short_lives = 1 if (lived or 0) > self._patience.stable else self._short_lives + 1
        if self._short_lives > self._patience.restarts:
            raise ServerFailedError(
                f"the server failed {self._short_lives} times in a row, each time within "
                f"{self._patience.stable:.0f} s"
            )
        await self._discard_server()
        delay = 0.0 if self._short_lives == 1 else 0.25 * 2**self._short_lives
        logger.warning("restarting the server in %.1f s", delay)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop_requested.wait(), delay)
        return State.STOPPING if self._stop_requested.is_set() else State.STARTING

    async def _stop(self) -> State:
        if self._server is not None and self._server.returncode is None:
            await self._first_of(self._end_server(), self._server.wait(), self._stop_forced.wait())
        return State.STOPPED

    async def _end_server(self) -> None:
        """Let requests finish and ask the server to end; return when it has had its time."""
        self._has_lost_stubs |= bool(self._stubs.lost_models())
        await self._close_front_door()
        # Triton waits for open HTTP connections, idle ones too, until its exit timeout.
        await self._close_front_ends()
        self._server.terminate()
        await self._wait_out_server()

    async def _close_front_door(self) -> None:
        """Let the clips in flight finish while the other models still answer.

        A server that is stopping refuses the calls that a model makes to other models, so every
        clip in flight would fail. An unloaded model takes no new requests but finishes its own.
        """
        if not self._settings.reloads_models or self._front_ends is None:
            return
        with suppress(*_ADMIN_FAILURES):
            await asyncio.wait_for(self._unload(FRONT_DOOR), self._patience.drain)

    async def _unload(self, model: str) -> None:
        if model in await self._front_ends.ready_models():
            await self._front_ends.unload_model(model)
            await self._stubs.wait_for_all_to_end(model)

    async def _wait_out_server(self) -> None:
        """Return when the server has had the time that it needs to finish its requests.

        A server that has lost a model process waits for it, or for a request that died with it,
        until its exit timeout. Nobody else does: live model processes end when their requests are
        answered.
        """
        limit = self._settings.exit_seconds
        if self._has_lost_stubs:
            limit = min(limit, self._patience.wounded_exit)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stubs.wait_for_all_to_end(), limit)
        else:
            await asyncio.sleep(limit)
        await asyncio.sleep(self._patience.exit_grace)

    async def _wait_until_answering(self) -> None:
        while not await self._front_ends.is_ready():
            await asyncio.sleep(self._patience.ready_interval)
        while await self._probe(LIGHT_MODEL, FRONT_DOOR) is Answer.NONE:
            await asyncio.sleep(self._patience.ready_interval)

    async def _reload_lost_models(self) -> State:
        while lost := self._stubs.lost_models():
            loaded = await self._front_ends.ready_models()
            for model in sorted(lost):
                retired = self._stubs.retire(model)
                # A model that is not loaded any more was unloaded on request.
                if model in loaded:
                    await self._reload(model, retired)
        if await self._probe(LIGHT_MODEL) is Answer.NONE and not self._stubs.lost_models():
            logger.error("the server does not answer after a model was loaded again")
            return State.RESTARTING
        return State.SERVING

    async def _reload(self, model: str, retired: set[int]) -> None:
        logger.warning("%s: a process of the model died, loading it again", model)
        await asyncio.wait_for(self._front_ends.reload_model(model), self._patience.load)
        drain = asyncio.create_task(self._end_after_drain(retired))
        self._draining.add(drain)
        drain.add_done_callback(self._draining.discard)

    async def _end_after_drain(self, pids: set[int]) -> None:
        """End a reloaded model's old processes, which Triton keeps beside their dead sibling."""
        await asyncio.sleep(self._settings.exit_seconds)
        kill_processes(self._stubs.still_retired(pids))

    async def _wait_for_silence(self) -> None:
        """Return when the server has stopped answering."""
        misses = 0
        while misses < self._patience.probe_misses:
            await asyncio.sleep(self._patience.probe_interval)
            misses = misses + 1 if await self._probe(LIGHT_MODEL) is Answer.NONE else 0
        logger.error("the server has not answered %d probes in a row", misses)

    async def _wait_for_stalled_front_door(self) -> None:
        """Return when the front door has answered nobody for a long time."""
        answered, progress = None, time.monotonic()
        while time.monotonic() - progress < self._patience.front_door_stall:
            await asyncio.sleep(self._patience.front_door_interval)
            before, answered = answered, await self._answers_of_front_door()
            if answered != before:
                progress = time.monotonic()
        logger.error("%s has answered nobody for minutes", FRONT_DOOR)

    async def _answers_of_front_door(self) -> int | None:
        """A number that changes while the front door answers; None when it cannot be asked."""
        with suppress(*_ADMIN_FAILURES):
            if FRONT_DOOR not in await self._front_ends.ready_models():
                return time.monotonic_ns()
            await self._front_ends.probe(FRONT_DOOR, self._patience.front_door_stall)
            return await self._front_ends.answered_requests(FRONT_DOOR)
        return None

    async def _probe(self, *models: str) -> Answer:
        """Send a sentence to those of the models that are loaded; the worst answer counts."""
        patience = self._patience.probe
        try:
            loaded = await asyncio.wait_for(self._front_ends.ready_models(), patience)
        except _ADMIN_FAILURES:
            return Answer.NONE
        probed = loaded.intersection(models)
        if not probed:
            return await self._front_ends.probe_readiness(patience)
        answers = await asyncio.gather(*(self._front_ends.probe(m, patience) for m in probed))
        return max(answers, key=lambda answer: answer.value)

    async def _while_server_lives(self, work: Awaitable[T], timeout: float | None = None) -> T:
        """Do the work unless the server dies or a signal asks to stop.

        Raises:
            asyncio.TimeoutError: The work took too long.
        """
        task = asyncio.ensure_future(work)
        await self._first_of(
            task, self._server.wait(), self._stop_requested.wait(), timeout=timeout
        )
        if self._stop_requested.is_set():
            raise _StopRequestedError
        if task.done() and not task.cancelled():
            return task.result()
        if self._server.returncode is not None:
            raise _ServerDiedError
        raise asyncio.TimeoutError

    async def _first_of(self, *works: Awaitable, timeout: float | None = None) -> None:
        tasks = {asyncio.ensure_future(work) for work in works}
        try:
            await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(task for task in tasks if not task.done())

    async def _close_front_ends(self) -> None:
        if self._front_ends is not None:
            await self._front_ends.close()
            self._front_ends = None

    async def _discard_server(self) -> None:
        """Make sure that nothing of the server is left."""
        for task in list(self._draining):
            task.cancel()
        self._stubs.close()
        await self._close_front_ends()
        if self._server is not None and self._server.returncode is None:
            self._server.kill()
            await self._server.wait()
        self._server = None
        self._launch.reap_server()
        self._serving_since = None
        self._has_lost_stubs = False


async def _cancel(tasks) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _finished(tasks: set[asyncio.Future]) -> set[asyncio.Future]:
    return {task for task in tasks if task.done() and not task.cancelled()}
