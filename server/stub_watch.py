"""Notice at once when one of the server's Python model processes dies."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from server.process import Stub, find_stubs

#: Seconds between looks for the processes of models that were loaded meanwhile.
_LOOK_INTERVAL = 3.0


class StubWatch:
    """The stubs in service, each watched through a pidfd.

    A stub also ends when its model is unloaded, or loaded again: an instance counts as lost when
    no live process runs it, and whoever asks has to know whether the model should be loaded.

    Args:
        region_prefix: The shm-region-prefix-name of the launch.
    """

    def __init__(self, region_prefix: str) -> None:
        self._region_prefix = region_prefix
        self._handles: dict[int, int] = {}
        self._retired: set[int] = set()
        self._seen: set[tuple[str, str]] = set()
        self._ended = asyncio.Event()

    def lost_models(self) -> set[str]:
        """The models of which an instance has no live process any more."""
        live = {(stub.model, stub.instance) for stub in self._in_service()}
        self._seen |= live
        return {model for model, _ in self._seen - live}

    async def wait_for_loss(self) -> None:
        """Return when `lost_models` names any."""
        while not self.lost_models():
            await self._wait_for_end()

    async def wait_for_all_to_end(self, model: str | None = None) -> None:
        """Return when no stub (of one model, or of any) is in service."""
        while any(model in (None, stub.model) for stub in self._in_service()):
            await self._wait_for_end()

    def retire(self, model: str) -> set[int]:
        """Take a model's processes out of service; those that it gets later are its new ones.

        Returns:
            The ids of the live processes, which may still have requests to finish.
        """
        pids = {stub.pid for stub in self._in_service() if stub.model == model}
        self._retired |= pids
        self._seen = {key for key in self._seen if key[0] != model}
        return pids

    def still_retired(self, pids: set[int]) -> set[int]:
        """Those of the retired processes that have not ended yet."""
        return pids & self._retired

    def close(self) -> None:
        """Stop watching."""
        for pid in list(self._handles):
            self._unwatch(pid)

    def _in_service(self) -> list[Stub]:
        stubs = find_stubs(self._region_prefix)
        for stub in stubs:
            self._watch(stub.pid)
        return [stub for stub in stubs if stub.pid not in self._retired]

    async def _wait_for_end(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _LOOK_INTERVAL)
        self._ended.clear()

    def _watch(self, pid: int) -> None:
        if pid not in self._handles:
            with suppress(ProcessLookupError):
                self._handles[pid] = os.pidfd_open(pid)
                asyncio.get_running_loop().add_reader(self._handles[pid], self._on_end, pid)

    def _on_end(self, pid: int) -> None:
        self._unwatch(pid)
        self._retired.discard(pid)
        self._ended.set()

    def _unwatch(self, pid: int) -> None:
        handle = self._handles.pop(pid)
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
