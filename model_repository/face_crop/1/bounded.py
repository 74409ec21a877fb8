"""A process of one's own for work that may crash, loop or swell.

Foreign bytes are decoded there. Its owner hands over a request and gets an answer, or learns in a
sentence why there is none; the process is kept from request to request, and replaced at once when
it died, was stopped, took too long, or did not let go of a request that was given up. The owner
imports nothing of what the process needs.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from abandonment import is_abandoned
from budget import Budget
from handover import STOP, Handover, HandoverError, Message

#: Seconds between looks at whether a request was given up and whether its process still runs.
_LOOK = 0.1
#: Seconds within which a process lets go of a request that was given up.
_LETTING_GO = 0.7
#: Seconds within which a new process has imported what it needs.
_START = 60.0
#: How memory is allocated there: in one heap, since each thread's own reserves 64 MiB of what may
#: be mapped, and with large blocks given back as soon as they are free. Matrix products get one
#: thread: instances are the parallelism.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "OPENBLAS_NUM_THREADS": "1",
}


class BoundedError(RuntimeError):
    """The process gave no answer; the text says why, to go on after "the decoder".

    Attributes:
        reason: The same in a word or two, for counting.
    """

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class GivenUpError(BoundedError):
    """Whoever sent the request waits for its answer no longer."""


class BoundedProcess:
    """The owner's side.

    Args:
        script: What the process runs; it calls `bounded_worker.serve`.
        budget: What it may use.

    Raises:
        BoundedError: It cannot be started; its own words are on stderr.
    """

    def __init__(self, script: Path, budget: Budget) -> None:
        self._script = script
        self._budget = budget
        self._start()
        try:
            self._wait_until_ready()
        except HandoverError:
            end = self._end()
            self.close()
            raise BoundedError(f"{script.name} {end}", end.reason) from None

    @property
    def pid(self) -> int:
        """The id of the process that works now."""
        return self._process.pid

    def ask(self, request: Message, is_given_up: Callable[[], bool]) -> Message:
        """Have a request worked on.

        Args:
            request: What is handed over.
            is_given_up: Says whether nobody waits for the answer any longer.

        Raises:
            BoundedError: There is no answer; another process is on its way.
            GivenUpError: The request was given up.
        """
        if self._process.poll() is not None:
            self._replace()  # it died between two requests, by no fault of this one
        try:
            self._wait_until_ready()
            self._line.send(request)
            self._wait(self._budget.seconds, is_given_up)
            answer = self._line.receive()
            if "error" in answer.values:
                raise BoundedError(answer.values["error"], answer.values["reason"])
        except HandoverError:
            end = self._end()
            self._replace()
            raise end from None
        except BoundedError:
            self._replace()
            raise
        if self._resident() > self._budget.kept:
            self._replace()
        if "stopped" in answer.values:
            raise GivenUpError("stopped, since the request was given up", "given up")
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._line.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        requests, answers = os.memfd_create("requests"), os.memfd_create("answers")
        passed = (theirs.fileno(), answers, requests)
        command = [_python(), str(self._script), json.dumps(asdict(self._budget))]
        self._process = subprocess.Popen(
            [*command, *map(str, passed)],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            env=os.environ | _ENVIRONMENT,
        )
        theirs.close()
        self._line = Handover(ours, outbox=requests, inbox=answers)
        self._is_ready = False

    def _wait_until_ready(self) -> None:
        if not self._is_ready:
            self._wait(_START, lambda: False)
            self._line.receive()
            self._is_ready = True

    def _replace(self) -> None:
        self.close()
        self._start()

    def _wait(self, seconds: float, is_given_up: Callable[[], bool]) -> None:
        """Return when a message has come.

        Raises:
            BoundedError: None has within so many seconds, or the process stands still.
        """
        begin = time.monotonic()
        letting_go = None
        while not select.select([self._line], [], [], _LOOK)[0]:
            now = time.monotonic()
            if letting_go is not None and now > letting_go:
                raise GivenUpError("did not let go of a request that was given up", "given up")
            if now - begin > seconds:
                raise BoundedError(self._budget.too_late, "too late")
            if self._is_stopped():
                raise BoundedError("was stopped", "stopped")
            if letting_go is None and is_given_up():
                self._line.send(STOP)
                letting_go = now + _LETTING_GO

    def _resident(self) -> int:
        """Return the bytes of memory that the process holds."""
        statistics = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii")
        return int(statistics.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _is_stopped(self) -> bool:
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return False  # it has just ended, which the line tells too

    def _end(self) -> BoundedError:
        """Say how the process ended; one that closed the line and lives breaks off."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_LETTING_GO)
            if code == -signal.SIGXCPU:
                return BoundedError(self._budget.too_slow, "too slow")
            if code < 0:
                return BoundedError(f"crashed ({signal.Signals(-code).name})", "crashed")
            return BoundedError(f"ended with exit code {code}", "crashed")
        return BoundedError("broke off", "crashed")


def is_given_up(request: object) -> bool:
    """Tell whether nobody waits for the answer to a Triton request any longer."""
    return request.is_cancelled() or is_abandoned(request.request_id())


def _python() -> str:
    """Return the interpreter with the models' packages; a stub may not know its own."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    return shutil.which("python3") or "python3"
