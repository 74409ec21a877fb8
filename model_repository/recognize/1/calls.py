"""Calls of the other models of this server, on behalf of one request."""

from __future__ import annotations

import time

import numpy as np
import triton_python_backend_utils as pb_utils
from effort import Effort
from metrics import Counters
from refusals import UnavailableError


class Calls:
    """Calls other models until the request is given up.

    Args:
        effort: The work for the request.
        trace: The request's trace, of which the calls become a part.
        counters: Where the seconds of each call are counted.
    """

    def __init__(self, effort: Effort, trace, counters: Counters) -> None:
        self._effort = effort
        self._trace = trace
        self._counters = counters

    async def infer(
        self, model: str, tensors: list[pb_utils.Tensor], outputs: tuple[str, ...]
    ) -> dict[str, pb_utils.Tensor]:
        """Call a model.

        Returns:
            The outputs by name, in CPU memory: a GPU's would not be for numpy to read.

        Raises:
            UnavailableError: The model answers with an error; media never makes it do so.
            RefusalError: The request was given up.
        """
        self._effort.check()
        request = pb_utils.InferenceRequest(
            model_name=model,
            requested_output_names=list(outputs),
            inputs=tensors,
            request_id=self._effort.id,
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
            trace=self._trace,
        )
        began = time.monotonic()
        response = await request.async_exec()
        self._counters.add("stage_seconds", time.monotonic() - began, stage=model)
        self._effort.check()
        if response.has_error():
            raise UnavailableError("models", response.error().message())
        return {tensor.name(): tensor for tensor in response.output_tensors()}


def arrays(tensors: dict[str, pb_utils.Tensor]) -> dict[str, np.ndarray]:
    """Return tensors as arrays."""
    return {name: tensor.as_numpy() for name, tensor in tensors.items()}
