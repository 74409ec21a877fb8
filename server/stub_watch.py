"""Notice that one of the server's Python model processes is dead, stopped or stuck.

Each stub's main thread wakes once a second while it waits for a request, and not at all while a
request makes it wait. So a main thread that sleeps on for seconds, with no processor time used by
the stub or its child processes, waits for something that does not come. A busy stub, or one that
waits for a worker process of its own, uses processor time, or would if there were any.

Time is counted in looks: a launcher that was itself stopped for a while, with the whole machine,
has missed looks, and its stubs have not been silent meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from server.process import Stub, Vitals, families, read_stub, read_turns, read_vitals

#: Processor time between two looks, in hundredths of a second, that counts as work: an idle stub
#: uses less than one in ten seconds.
_WORK = 2
#: Waits for a processor or a disk, so the fault is not its own.
_HELD_UP = ("R", "D")
_STOPPED = "T"
#: Ended, and its parent has not noticed yet.
_ENDED = "Z"


class Ailment(Enum):
    """Why a process cannot answer."""

    STOPPED = "stopped"
    STUCK = "stuck"


@dataclass(frozen=True)
class Limits:
    """How long a stub may be silent, in looks.

    Attributes:
        silence: Until it is stuck.
        calls: The same for a stub that waits for other models, which may be working for it.
        calling: The model whose stubs do so.
        replacement: For how long a child process that has ended is missed. A model that starts
            another one does so at its next request; one that never asks is not to blame for ever.
    """

    silence: int = 5
    calls: int = 60
    calling: str = ""
    replacement: int = 30


@dataclass
class _Pulse:
    """What was seen of one stub; the counts are looks.

    Attributes:
        stub: The stub.
        silent: Since its main thread last woke, or its family used the processor.
        alone: The same, or since any other stub was not idle.
        idle: For how long it has woken regularly and done nothing.
        stopped: Its own id or a descendant's, when that is stopped.
        bereft: For how long a child process has been dead.
    """

    stub: Stub
    turns: int | None = None
    ticks: int = 0
    silent: int = 0
    alone: int = 0
    idle: int = 0
    works: bool = False
    stopped: int | None = None
    bereft: int = 0

    def update(self, turns: int | None, family: dict[int, Vitals]) -> None:
        states = {one.state: pid for pid, one in family.items()}
        self.stopped = states.get(_STOPPED)
        self.bereft = self.bereft + 1 if _ENDED in states else 0
        ticks = sum(one.ticks for one in family.values())
        self.works = ticks - self.ticks >= _WORK or any(state in _HELD_UP for state in states)
        self.silent = 0 if self.works or turns != self.turns else self.silent + 1
        # A main thread that wakes once a second may do so just before and just after two looks.
        self.idle = 0 if self.works or self.silent > 1 else self.idle + 1
        self.turns, self.ticks = turns, ticks


class StubWatch:
    """The stubs of one server.

    A stub also ends when its model is unloaded, or loaded again: an instance counts as lost when
    no live process runs it, and whoever asks has to know whether the model should be loaded.

    Args:
        server: The server's process id.
        limits: How long a stub may be silent.
    """

    def __init__(self, server: int, limits: Limits = Limits()) -> None:
        self._server = server
        self._limits = limits
        self._pulses: dict[int, _Pulse] = {}
        self._handles: dict[int, int] = {}
        self._retired: set[int] = set()
        self._seen: set[tuple[str, str]] = set()
        self._ended = asyncio.Event()
        self._is_server_stopped = False

    def look(self) -> None:
        """Take the pulse of every stub; to be called once a second."""
        vitals = read_vitals()
        children = families(vitals, self._server)
        self._find_stubs(children)
        server = vitals.get(self._server)
        self._is_server_stopped = server is not None and server.state == _STOPPED
        for pid, pulse in self._pulses.items():
            pulse.update(read_turns(pid), {one: vitals[one] for one in children.get(pid, ())})
        for pulse in self._pulses.values():
            others = (other for other in self._pulses.values() if other is not pulse)
            pulse.alone = pulse.alone + 1 if pulse.silent and all(o.idle for o in others) else 0
        self._seen |= {(pulse.stub.model, pulse.stub.instance) for pulse in self._in_service()}

    def ailing(self) -> list[tuple[Stub, Ailment, int]]:
        """The stubs that cannot answer, why, and the process to kill: its own or a worker of it."""
        found = []
        for pulse in self._pulses.values():
            if pulse.stopped is not None:
                found.append((pulse.stub, Ailment.STOPPED, pulse.stopped))
            elif self._is_stuck(pulse):
                found.append((pulse.stub, Ailment.STUCK, pulse.stub.pid))
        return found

    def bereft_models(self) -> set[str]:
        """The models of which a child process has ended and is not replaced yet."""
        return {
            pulse.stub.model
            for pulse in self._in_service()
            if 1 <= pulse.bereft <= self._limits.replacement
        }

    def _is_stuck(self, pulse: _Pulse) -> bool:
        if pulse.stub.model != self._limits.calling:
            return pulse.silent >= self._limits.silence
        return pulse.alone >= self._limits.silence or pulse.silent >= self._limits.calls

    def lost_models(self) -> set[str]:
        """The models of which an instance has no live process any more."""
        live = {(pulse.stub.model, pulse.stub.instance) for pulse in self._in_service()}
        return {model for model, _ in self._seen - live}

    def is_idle(self, pids: Iterable[int], looks: int = 1) -> bool:
        """Whether those of the processes that have not ended do nothing."""
        return all(self._pulses[pid].idle >= looks for pid in self.alive(pids))

    def is_working(self) -> bool:
        """Whether any stub used the processor before the last look."""
        return any(pulse.works for pulse in self._pulses.values())

    def in_service(self, model: str) -> set[int]:
        """The ids of a model's live processes."""
        return {pulse.stub.pid for pulse in self._in_service() if pulse.stub.model == model}

    def everyone(self) -> set[int]:
        """The ids of all live processes, retired ones too."""
        return set(self._pulses)

    def is_server_stopped(self) -> bool:
        """Whether the server itself was stopped at the last look."""
        return self._is_server_stopped

    def kill(self, pid: int) -> None:
        """Kill a stub, or a process that it started, without waiting for its end."""
        with suppress(ProcessLookupError):
            if handle := self._handles.get(pid):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)

    def retire(self, model: str, pids: Iterable[int]) -> None:
        """Take a model's processes out of service; its others are its new ones."""
        self._retired |= set(pids) & self._pulses.keys()
        self._seen = {key for key in self._seen if key[0] != model}

    def forget(self, model: str) -> None:
        """Do not miss a model that was unloaded."""
        self.retire(model, self.in_service(model))

    def alive(self, pids: Iterable[int]) -> set[int]:
        """Those of the processes that have not ended yet."""
        return set(pids) & self._pulses.keys()

    async def wait_for_end(self, seconds: float) -> None:
        """Return when any stub ends, or after a while."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)
        self._ended.clear()

    def close(self) -> None:
        """Stop watching."""
        for pid in list(self._handles):
            self._unwatch(pid)

    def _in_service(self) -> list[_Pulse]:
        return [pulse for pid, pulse in self._pulses.items() if pid not in self._retired]

    def _find_stubs(self, pids: Iterable[int]) -> None:
        for pid in pids:
            if pid not in self._pulses and (stub := read_stub(pid)):
                with suppress(ProcessLookupError):
                    self._handles[pid] = os.pidfd_open(pid)
                    asyncio.get_running_loop().add_reader(self._handles[pid], self._on_end, pid)
                    self._pulses[pid] = _Pulse(stub)

    def _on_end(self, pid: int) -> None:
        self._unwatch(pid)
        self._retired.discard(pid)
        self._ended.set()

    def _unwatch(self, pid: int) -> None:
        handle = self._handles.pop(pid)
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
        self._pulses.pop(pid, None)
