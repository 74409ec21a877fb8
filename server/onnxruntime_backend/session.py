"""Open an onnxruntime session the way a model configuration asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from batching import InferenceError, Tensors
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors
from signature import differences, session_signature

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

_RUN_ERRORS = (
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.NotImplemented,
    onnxruntime_errors.RuntimeException,
)
_LOAD_ERRORS = (
    *_RUN_ERRORS,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NoSuchFile,
)

Provider = tuple[str, dict[str, str]]


class SessionError(RuntimeError):
    """The model's file, configuration or execution provider cannot be used."""


class Network:
    """One instance of an ONNX model, checked against its configuration.

    Args:
        model: The model's name, for messages.
        config: The model configuration as Triton hands it to a backend.
        file: The ONNX file.
        providers: Execution providers in order of preference.

    Raises:
        SessionError: The file is missing, onnxruntime cannot load it, or it is not what the
            configuration describes.
    """

    def __init__(
        self, model: str, config: Mapping, file: Path, providers: Sequence[Provider]
    ) -> None:
        self._model = model
        if not file.is_file():
            raise SessionError(f"{model}: {file} is missing")
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), session_options(config), providers=list(providers)
            )
        except _LOAD_ERRORS as error:
            raise SessionError(f"{model}: onnxruntime cannot load {file}: {error}") from error
        wrong = differences(config, session_signature(self._session))
        if wrong:
            raise SessionError("; ".join(wrong))
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Tensors) -> Tensors:
        """Run the network once.

        Args:
            inputs: Every input by name.

        Returns:
            Every output by name.

        Raises:
            InferenceError: onnxruntime refused the inputs or failed on them.
        """
        try:
            outputs: list[np.ndarray] = self._session.run(self._outputs, inputs)
        except _RUN_ERRORS as error:
            raise InferenceError(f"{self._model}: {error}") from error
        return dict(zip(self._outputs, outputs, strict=True))


def session_options(config: Mapping) -> onnxruntime.SessionOptions:
    """Threads as `intra_op_thread_count` and `inter_op_thread_count` say, without spinning.

    Idle threads that spin take the cores away from the other models' processes.

    Raises:
        SessionError: A thread count is no whole number.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _thread_count(config, "intra_op_thread_count")
    options.inter_op_num_threads = _thread_count(config, "inter_op_thread_count")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def execution_providers(
    model: str, config: Mapping, kind: str, device: int, available: Sequence[str]
) -> list[Provider]:
    """The execution providers for an instance, in order of preference.

    Args:
        model: The model's name, for messages.
        config: The model configuration.
        kind: The instance's kind, "CPU" or "GPU".
        device: The instance's GPU.
        available: What this onnxruntime was built with.

    Returns:
        (name, options) of each provider. TensorRT comes first when config.pbtxt asks for it and
        it is available.

    Raises:
        SessionError: A GPU instance without CUDAExecutionProvider, or a TensorRT setting that is
            not known.
    """
    if kind != "GPU":
        return [(CPU, {})]
    if CUDA not in available:
        raise SessionError(
            f"{model}: the instance is KIND_GPU, but onnxruntime offers no {CUDA}, only "
            f"{', '.join(available)}: install onnxruntime-gpu or choose KIND_CPU"
        )
    providers: list[Provider] = [(CUDA, {"device_id": str(device)}), (CPU, {})]
    tensorrt = _tensorrt_accelerator(config)
    if tensorrt is not None and TENSORRT in available:
        options = _tensorrt_options(model, tensorrt.get("parameters", {}))
        providers.insert(0, (TENSORRT, {"device_id": str(device), **options}))
    return providers


def _thread_count(config: Mapping, parameter: str) -> int:
    value = config.get("parameters", {}).get(parameter, {}).get("string_value", "0")
    try:
        return int(value)
    except ValueError:
        raise SessionError(
            f"{config['name']}: {parameter} must be a whole number, config.pbtxt says {value!r}"
        ) from None


def _tensorrt_accelerator(config: Mapping) -> Mapping | None:
    accelerators = (
        config.get("optimization", {})
        .get("execution_accelerators", {})
        .get("gpu_execution_accelerator", [])
    )
    return next((a for a in accelerators if a["name"].lower() == "tensorrt"), None)


def _tensorrt_options(model: str, parameters: Mapping[str, str]) -> dict[str, str]:
    options = {}
    for key, value in parameters.items():
        if key == "precision_mode":
            options["trt_fp16_enable"] = str(value.upper() == "FP16")
            options["trt_int8_enable"] = str(value.upper() == "INT8")
        elif key == "max_workspace_size_bytes":
            options["trt_max_workspace_size"] = value
        elif key.startswith("trt_"):
            options[key] = value
        else:
            raise SessionError(f"{model}: tensorrt has no parameter {key!r}")
    return options
