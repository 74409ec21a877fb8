"""A request's inputs in memory that this process and the server on the same machine share.

The server is told where they are instead of getting them over gRPC. Each request has a region of
its own, which the server knows for the length of the request, so none goes stale when the server
starts anew. A request that is given up while the server works on it leaves its region there until
the client's next request.
"""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.shared_memory import SharedMemory
from types import TracebackType
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.utils import serialize_byte_tensor

from clients.protocol import datatype_of


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


def _content(array: np.ndarray) -> memoryview:
    """Return a tensor's bytes as they would travel."""
    raw = serialize_byte_tensor(array).item() if array.dtype == np.object_ else array
    return memoryview(raw).cast("B")
