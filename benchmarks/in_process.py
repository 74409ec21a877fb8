"""The served Python models in this process, without a server.

Their `model.py` asks for `triton_python_backend_utils`, which exists only inside Triton. The few
names of it that a model uses are made here, so what is measured is the served code itself.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToJson

from server.lint import read_config
from training.serving_code import MODEL_REPOSITORY

Arrays = dict[str, np.ndarray]


class Tensor:
    """A named array, as `pb_utils.Tensor`."""

    def __init__(self, name: str, array: np.ndarray) -> None:
        self._name, self._array = name, array

    def name(self) -> str:
        """Return the tensor's name."""
        return self._name

    def as_numpy(self) -> np.ndarray:
        """Return the array."""
        return self._array

    def shape(self) -> list[int]:
        """Return the array's shape."""
        return list(self._array.shape)


@dataclass(frozen=True)
class Request:
    """What a model is asked; it wants every output."""

    inputs: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Response:
    """What a model answers."""

    output_tensors: list[Tensor] = field(default_factory=list)
    error: Any = None


class InProcess:
    """Decodes here: stands for `bounded.BoundedProcess`."""

    def __init__(self, script: Path, budget: object) -> None:
        """Prepare what the script would serve."""
        self._work = importlib.import_module(script.stem).prepare()

    def ask(self, request: Any, is_given_up: object) -> Any:
        """Answer a request."""
        return self._work(request, lambda seconds=0.0: None)


class PythonModel:
    """A Python model of the repository."""

    def __init__(self, model: str) -> None:
        """Load a model by its name, as its stub would."""
        folder = MODEL_REPOSITORY / model / "1"
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        spec = importlib.util.spec_from_file_location(f"{model}_model", folder / "model.py")
        module = importlib.util.module_from_spec(spec)
        with _importable("triton_python_backend_utils", _backend_utils()):
            spec.loader.exec_module(module)
        if hasattr(module, "BoundedProcess"):
            module.BoundedProcess = InProcess
        self._model = module.TritonPythonModel()
        if hasattr(self._model, "initialize"):
            config = read_config(MODEL_REPOSITORY / model / "config.pbtxt")
            described = MessageToJson(config, preserving_proto_field_name=True)
            self._model.initialize({"model_name": model, "model_config": described})

    def run(self, **inputs: np.ndarray) -> Arrays:
        """Answer one request; every output by name."""
        (response,) = self._model.execute([Request(inputs)])
        return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors}


@contextmanager
def _importable(name: str, module: ModuleType) -> Iterator[None]:
    """Let `import name` find this module, whatever else stands there before and after."""
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


def _backend_utils() -> ModuleType:
    module = ModuleType("triton_python_backend_utils")
    module.Tensor = Tensor
    module.InferenceResponse = Response
    module.get_input_tensor_by_name = _input_tensor
    module.Logger = type("Logger", (), {"log_error": staticmethod(logging.error)})
    return module


def _input_tensor(request: Request, name: str) -> Tensor | None:
    return Tensor(name, request.inputs[name]) if name in request.inputs else None
