"""A stand-in for what the Python backend gives a model inside a server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pytest


class Tensor:
    """A tensor in CPU or, with `on_gpu`, in GPU memory, which as_numpy refuses to read."""

    def __init__(self, name: str, values: np.ndarray, on_gpu: bool = False) -> None:
        self._name, self._values, self._on_gpu = name, values, on_gpu
        self.was_read = False

    def name(self) -> str:
        return self._name

    def shape(self) -> tuple[int, ...]:
        return self._values.shape

    def is_cpu(self) -> bool:
        return not self._on_gpu

    def as_numpy(self) -> np.ndarray:
        if self._on_gpu:
            raise RuntimeError("tensor is stored in GPU and cannot be converted to NumPy")
        self.was_read = True
        return self._values


class PreferredMemory:
    def __init__(self, kind: str, device: int) -> None:
        self.kind, self.device = kind, device


class TritonError:
    INVALID_ARG, UNAVAILABLE, CANCELLED, INTERNAL = (
        "invalid",
        "unavailable",
        "cancelled",
        "internal",
    )

    def __init__(self, message: str, code: str = INTERNAL) -> None:
        self._message, self.code = message, code

    def message(self) -> str:
        return self._message


class InferenceResponse:
    def __init__(self, output_tensors: list | None = None, error: TritonError | None = None):
        self._tensors, self._error = output_tensors or [], error

    def output_tensors(self) -> list:
        return self._tensors

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error


class InferenceRequest:
    """A call of another model, answered by `answer`."""

    answer: Callable[[InferenceRequest], InferenceResponse]

    def __init__(self, **arguments) -> None:
        self.__dict__.update(arguments)

    async def async_exec(self) -> InferenceResponse:
        answer = type(self).answer(self)
        return await answer if hasattr(answer, "__await__") else answer


@dataclass
class Request:
    """What a client sent."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    microseconds: int = 0
    cancelled: bool = False

    def is_cancelled(self) -> bool:
        return self.cancelled

    def timeout(self) -> int:
        return self.microseconds


def _module() -> ModuleType:
    module = ModuleType("triton_python_backend_utils")
    for one in (Tensor, PreferredMemory, TritonError, InferenceResponse, InferenceRequest):
        setattr(module, one.__name__, one)
    module.TRITONSERVER_MEMORY_CPU = "cpu"
    module.get_input_tensor_by_name = lambda request, name: request.tensors.get(name)
    return module


sys.modules.setdefault("triton_python_backend_utils", _module())


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Make a request of named arrays."""
    return lambda **arrays: Request({name: Tensor(name, a) for name, a in arrays.items()})


@pytest.fixture
def answering(monkeypatch) -> Callable[[Callable], None]:
    """Let a function answer the calls of other models."""
    import triton_python_backend_utils as pb_utils

    def answer_with(function: Callable) -> None:
        monkeypatch.setattr(
            pb_utils.InferenceRequest, "answer", staticmethod(function), raising=False
        )

    return answer_with
