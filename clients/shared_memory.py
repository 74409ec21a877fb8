"""A request's inputs in memory that this process and the server on the same machine share.

The server is told where they are instead of getting them over gRPC. Each request has a region of
its own, which the server knows for the length of the request, so none goes stale when the server
starts anew. A request that is given up while the server works on it leaves its region there until
the client's next request. Only processes of the same user can open a region. Triton takes memory
from clients by itself up to release 2.68, and from 2.69 on only with `--allow-client-shm=true`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from types import TracebackType
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

from clients.errors import RESTRICTED, SharedMemoryRefusedError
from clients.protocol import datatype_of

#: How any release's refusal of memory can be told from a server that is not reached.
_ABOUT_MEMORY = ("shared memory", "shared-memory", "shm")


class Region:
    """Inputs laid one after another in system shared memory; use it in a `with` statement.

    Attributes:
        name: What the server calls it.
        tensors: The inputs as a request refers to them.
    """

    def __init__(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Copy the inputs there.

        Args:
            inputs: By name; a BYTES tensor is an array of objects.

        Raises:
            OSError: There is not enough shared memory.
        """
        contents = {name: _content(array) for name, array in inputs.items()}
        size = sum(content.nbytes for content in contents.values())
        self._memory = SharedMemory(create=True, size=max(1, size))
        self.name = self._memory.name
        self.tensors: list[InferInput] = []
        offset = 0
        for name, content in contents.items():
            end = offset + content.nbytes
            self._memory.buf[offset:end] = content
            tensor = InferInput(name, list(inputs[name].shape), datatype_of(inputs[name]))
            self.tensors.append(tensor.set_shared_memory(self.name, content.nbytes, offset))
            offset = end

    def __enter__(self) -> Region:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._memory.close()
        self._memory.unlink()

    def registration(self) -> dict[str, Any]:
        """Return what both of tritonclient's `register_system_shared_memory` are called with."""
        return {"name": self.name, "key": f"/{self.name}", "byte_size": self._memory.size}


@contextmanager
def registering(url: str) -> Iterator[None]:
    """Name the server's refusal to take note of a region.

    Raises:
        SharedMemoryRefusedError: Says what the server said, and what it needs.
    """
    try:
        yield
    except InferenceServerException as error:
        sentence = error.message() or ""
        if RESTRICTED in sentence or not any(word in sentence.lower() for word in _ABOUT_MEMORY):
            raise
        raise SharedMemoryRefusedError(
            f"{url} does not take shared memory: {sentence} (it must run on this machine as the "
            "same user, and from Triton 2.69 on with --allow-client-shm=true)"
        ) from error


def _content(array: np.ndarray) -> memoryview:
    """Return a tensor's bytes as they would travel."""
    raw = serialize_byte_tensor(array).item() if array.dtype == np.object_ else array
    return memoryview(raw).cast("B")
