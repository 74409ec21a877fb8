"""Keep one Triton server answering.

What the supervisor acts on, and why:

- **A dead server.** It leaves model processes and shared memory behind; they are reaped and the
  server is started again: at once, and after growing pauses when it does not stay up.
- **A stopped server** is told to go on.
- **A server that lives but does not answer.** Readiness does not tell (a deadlocked front end says
  ready), so a request is sent over gRPC, and over HTTP the question whether it is live. One that
  answers any of them, or whose models are working, is left alone; only a front end that has said
  nothing for a minute while the other did is worth a restart in order.
- **Its models**, each by itself: see `model_care`.

At the end new requests are refused at the front door while the other models still answer, since a
Triton server that is itself told to stop fails the calls that models make to each other, answers
new requests with NOT_FOUND and waits for idle connections. When nothing is under way any more there
is nothing left that it could finish, and it is killed.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from server.errors import ServerFailedError
from server.flags import Settings
from server.front_ends import FAILURES, Answer, FrontEnds
from server.health import Health
from server.launch import Launch
from server.model_care import FRONT_DOOR, ModelCare
from server.pauses import Pauses
from server.process import dying_with_parent

logger = logging.getLogger(__name__)

T = TypeVar("T")


#: Seconds after which a task that was cancelled and goes on is cancelled again.
_CANCELLING = 0.1


class State(Enum):
    """What the supervisor is doing."""

    STARTING = auto()
    SERVING = auto()
    RESTARTING = auto()
    STOPPING = auto()
    STOPPED = auto()


#: The states that may follow each state.
TRANSITIONS = {
    State.STARTING: {State.SERVING, State.RESTARTING, State.STOPPING},
    State.SERVING: {State.RESTARTING, State.STOPPING},
    State.RESTARTING: {State.STARTING, State.STOPPING},
    State.STOPPING: {State.STOPPED},
    State.STOPPED: set(),
}


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits for what, in seconds unless said otherwise."""

    ready_interval: float = 0.1
    start: float = 300.0
    #: Starts until one that never came to serve is given up. On a machine that is busy Triton's
    #: model processes may fail to lock memory that they share; a wrong configuration fails again.
    first_starts: int = 2
    probe_interval: float = 5.0
    probe: float = 5.0
    #: Probes in a row that nothing answers, until the server is restarted.
    misses: int = 3
    #: The same while its models work, or of one front end while the other answers.
    long_misses: int = 12
    #: A server that served for this long had started well.
    stable: float = 60.0
    longest_pause: float = 60.0
    look: float = 1.0
    #: Looks in a row at which nothing is under way until the server has finished.
    quiet_looks: int = 2
    #: For the front door to be closed.
    close: float = 10.0
    #: What of the time for the end is kept for clearing up.
    clear_up: float = 3.0


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
        on_serving: Called whenever every model is known to answer.
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
        self._health = Health()
        self._state = State.STARTING
        self._steps: dict[State, Callable[[], Coroutine[Any, Any, State]]] = {
            State.STARTING: self._start,
            State.SERVING: self._serve,
            State.RESTARTING: self._restart,
            State.STOPPING: self._stop,
        }
        self._stop_requested = asyncio.Event()
        self._stop_forced = asyncio.Event()
        self._server: asyncio.subprocess.Process | None = None
        self._front_ends: FrontEnds | None = None
        self._care: ModelCare | None = None
        self._deaf: list[str] = []
        self._has_served = False
        self._first_starts = 0
        self._serving_since: float | None = None
        self._pauses = Pauses(patience.longest_pause)
        self._restart_cause = ""

    async def run(self) -> None:
        """Serve until a signal asks to stop.

        Raises:
            ServerFailedError: The server does not start for the first time.
            OSError: The health address cannot be used.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_stop_signal)
        async with self._health.served(self._settings.health):
            try:
                while self._state is not State.STOPPED:
                    self._enter(await self._next_state())
            finally:
                await self._discard_server()

    def _on_stop_signal(self) -> None:
        self._health.set_reason("the server is stopping")
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
            self._restart_cause = "died"
            return State.RESTARTING

    def _enter(self, state: State) -> None:
        if state not in TRANSITIONS[self._state]:
            raise RuntimeError(f"{self._state.name} cannot be followed by {state.name}")
        logger.debug("%s -> %s", self._state.name, state.name)
        self._state = state

    async def _start(self) -> State:
        self._health.set_reason("the server is starting")
        self._server = await asyncio.create_subprocess_exec(
            *dying_with_parent(self._command),
            env=self._environment,
            # What models print must not get between the launcher's own lines.
            stdout=sys.stderr.fileno(),
            # Ctrl-C in a terminal reaches the supervisor alone, which stops the server in order.
            start_new_session=True,
        )
        self._front_ends = FrontEnds(self._settings)
        self._care = ModelCare(
            self._front_ends, self._server.pid, self._settings.reloads_models, self._health
        )
        try:
            await self._while_server_lives(self._wait_until_answering(), self._patience.start)
        except asyncio.TimeoutError:
            logger.error("the server did not answer within %.0f s", self._patience.start)
            self._restart_cause = "did not start"
            return State.RESTARTING
        self._has_served = True
        self._serving_since = time.monotonic()
        self._health.set_serving(True)
        return State.SERVING

    async def _wait_until_answering(self) -> None:
        while not await self._front_ends.is_ready():
            await asyncio.sleep(self._patience.ready_interval)
        await self._care.wait_for_first_answers()

    async def _serve(self) -> State:
        tasks = {
            asyncio.ensure_future(self._watch_models()),
            asyncio.ensure_future(self._watch_front_ends()),
        }
        try:
            await self._while_server_lives(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
            (self._restart_cause,) = {task.result() for task in tasks if task.done()}
        finally:
            await _cancel(tasks)
        return State.RESTARTING

    async def _watch_models(self) -> str:
        """Look after the models; return why the server has to be restarted."""
        await self._care.run(self._on_look)
        return "model lost"

    def _on_look(self) -> None:
        stopped = self._care.stubs.is_server_stopped()
        if stopped:
            logger.warning("the server is stopped, telling it to go on")
            self._server.send_signal(signal.SIGCONT)
        troubles = ["the server is stopped"] * stopped + self._deaf + self._care.troubles()
        was_ready = self._health.is_ready
        self._health.set_reason("; ".join(troubles))
        if self._health.is_ready and not was_ready:
            self._on_serving()

    async def _watch_front_ends(self) -> str:
        """Return, with the cause, when the server, or one of its front ends, says nothing."""
        silence, deafness = 0, 0
        while True:
            await asyncio.sleep(self._patience.probe_interval)
            self._deaf = await self._deaf_front_ends()
            is_silent = len(self._deaf) == 1 + self._front_ends.has_grpc
            silence = silence + 1 if is_silent else 0
            deafness = deafness + 1 if self._deaf else 0
            works = self._care.stubs.is_working()
            if silence >= (self._patience.long_misses if works else self._patience.misses):
                logger.error("the server has not answered %d probes in a row", silence)
                return "silent"
            if deafness >= self._patience.long_misses and not is_silent:
                logger.error("%s for a minute, restarting in order", self._deaf[0])
                await self._finish_requests()
                return "deaf"

    async def _deaf_front_ends(self) -> list[str]:
        """Name those that do not answer."""
        patience = self._patience.probe
        checks = {"HTTP": self._front_ends.ask_whether_live(patience)}
        if self._front_ends.has_grpc:
            checks["gRPC"] = self._ask_grpc()
        answers = await asyncio.gather(*checks.values())
        named = zip(checks, answers, strict=True)
        return [f"{name} does not answer" for name, answer in named if not answer.is_alive]

    async def _ask_grpc(self) -> Answer:
        """Ask for an inference, which a front end in a deadlock does not answer.

        Where the model is to blame, HTTP is no better, and whether gRPC lives decides.
        """
        patience = self._patience.probe
        if probe := self._care.lightest_probe():
            by_grpc = await self._front_ends.ask_grpc(*probe, patience)
            if by_grpc.is_alive or (await self._front_ends.ask(*probe, patience)).is_alive:
                return by_grpc
        return await self._front_ends.ask_grpc_whether_live(patience)

    async def _restart(self) -> State:
        self._first_starts += not self._has_served
        if self._first_starts >= self._patience.first_starts and not self._has_served:
            raise ServerFailedError("the server could not start; its own message is above")
        if self._serving_since and self._lived() > self._patience.stable:
            self._pauses.reset()
        await self._discard_server()
        self._health.count_restart(self._restart_cause)
        pause = self._pauses.take()
        logger.warning("restarting the server in %.0f s (%s)", pause, self._restart_cause)
        self._health.set_reason(
            f"the server is restarted ({self._restart_cause}) after a pause of {pause:.0f} s"
        )
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop_requested.wait(), pause)
        return State.STOPPING if self._stop_requested.is_set() else State.STARTING

    def _lived(self) -> float:
        return time.monotonic() - self._serving_since

    async def _stop(self) -> State:
        self._health.set_reason("the server is stopping")
        if self._server is not None and self._server.returncode is None:
            await self._first_of(
                self._finish_requests(),
                self._server.wait(),
                self._stop_forced.wait(),
                timeout=max(0.0, self._settings.exit_seconds - self._patience.clear_up),
            )
        return State.STOPPED

    async def _finish_requests(self) -> None:
        """Refuse new requests and return when nothing is under way."""
        stubs = self._care.stubs
        stubs.look()
        busy = stubs.everyone()
        if self._settings.reloads_models and stubs.in_service(FRONT_DOOR):
            try:
                await asyncio.wait_for(
                    self._front_ends.refuse_requests(FRONT_DOOR), self._patience.close
                )
            except FAILURES as error:
                logger.error("%s goes on taking requests: %r", FRONT_DOOR, error)
        quiet = 0
        while quiet < self._patience.quiet_looks:
            await asyncio.sleep(self._patience.look)
            stubs.look()
            quiet = quiet + 1 if stubs.is_idle(busy) else 0

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

    async def _discard_server(self) -> None:
        """Make sure that nothing of the server is left."""
        if self._care is not None:
            self._care.close()
            self._care = None
        if self._front_ends is not None:
            await self._front_ends.close()
            self._front_ends = None
        # Model processes that outlive their server by a moment complain about it.
        self._launch.reap_server()
        if self._server is not None and self._server.returncode is None:
            self._server.kill()
            await self._server.wait()
        self._server = None
        self._deaf = []
        self._serving_since = None
        self._health.set_serving(False)


async def _cancel(tasks: Iterable[asyncio.Future]) -> None:
    pending = set(tasks)
    # Before Python 3.12 `asyncio.wait_for` loses a cancellation that comes with its result.
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCELLING)
