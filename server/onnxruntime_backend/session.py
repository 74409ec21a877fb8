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
    onnxruntime_errors.EPFail,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NoSuchFile,
    # What it raises when it cannot register a provider.
    RuntimeError,
)

_PRECISIONS = {
    "FP32": {},
    "FP16": {"trt_fp16_enable": "True"},
    "BF16": {"trt_bf16_enable": "True"},
    "INT8": {"trt_int8_enable": "True"},
}

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
        SessionError: The file is missing, onnxruntime cannot load it or starts without one of the
            providers, or it is not what the configuration describes.
    """

    def __init__(
        self, model: str, config: Mapping, file: Path, providers: Sequence[Provider]
    ) -> None:
        self._model = model
        if not file.is_file():
            raise SessionError(f"{model}: {file} is missing")
        self._session = _open_session(model, config, file, providers)
        found = session_signature(self._session)
        wrong = differences(config, found)
        if wrong:
            raise SessionError("; ".join(wrong))
        self._inputs = found.inputs
        #: A scalar is served with as many ones for dimensions as the configuration says.
        self._outputs = {
            output["name"]: None if found.outputs[output["name"]].dims else _dims(output)
            for output in config["output"]
        }

    def run(self, inputs: Tensors) -> Tensors:
        """Run the network once.

        Args:
            inputs: Every input by name; strings as UTF-8 bytes, as Triton has them.

        Returns:
            Every output of the configuration by name.

        Raises:
            InferenceError: onnxruntime refused the inputs or failed on them.
        """
        feed = {name: self._to_onnx(name, tensor) for name, tensor in inputs.items()}
        try:
            outputs: list[np.ndarray] = self._session.run(list(self._outputs), feed)
        except _RUN_ERRORS as error:
            raise InferenceError(f"{self._model}: {error}") from error
        return {
            name: _to_triton(output, dims)
            for (name, dims), output in zip(self._outputs.items(), outputs, strict=True)
        }

    def _to_onnx(self, name: str, tensor: np.ndarray) -> np.ndarray:
        if tensor.dtype == np.object_:
            try:
                tensor = np.vectorize(bytes.decode, otypes=[np.object_])(tensor)
            except UnicodeDecodeError as error:
                raise InferenceError(f"{self._model}: {name} is no UTF-8: {error}") from error
        return tensor if self._inputs[name].dims else tensor.reshape(())


def _open_session(
    model: str, config: Mapping, file: Path, providers: Sequence[Provider]
) -> onnxruntime.InferenceSession:
    wanted = [provider for provider, _ in providers]
    if wanted != [CPU]:
        # CUDA's libraries may be Python packages, which no library path names.
        onnxruntime.preload_dlls()
    try:
        session = onnxruntime.InferenceSession(
            str(file), session_options(config), providers=list(providers), enable_fallback=0
        )
    except _LOAD_ERRORS as error:
        raise SessionError(
            f"{model}: onnxruntime cannot load {file} with {', '.join(wanted)}: {error}"
        ) from error
    dropped = [provider for provider in wanted if provider not in session.get_providers()]
    if dropped:
        raise SessionError(
            f"{model}: onnxruntime went on without {', '.join(dropped)}, which config.pbtxt asks "
            "for; what it lacks stands in its own message above (the driver, CUDA, cuDNN or "
            "TensorRT)"
        )
    return session


def _to_triton(output: np.ndarray, scalar_dims: tuple[int, ...] | None) -> np.ndarray:
    if output.dtype == np.object_:
        output = np.vectorize(str.encode, otypes=[np.object_])(output)
    return output if scalar_dims is None else output.reshape(scalar_dims)


def _dims(output: Mapping) -> tuple[int, ...]:
    return tuple(int(dim) for dim in output["dims"])


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
        (name, options) of each provider. TensorRT comes first when config.pbtxt asks for it.

    Raises:
        SessionError: onnxruntime was built without a provider that is asked for, or the
            configuration asks for an accelerator or a TensorRT setting that is not known.
    """
    if kind != "GPU":
        return [(CPU, {})]
    providers: list[Provider] = [(CUDA, {"device_id": str(device)}), (CPU, {})]
    for accelerator in _accelerators(config):
        if accelerator["name"] != "tensorrt":
            raise SessionError(
                f"{model}: the accelerator {accelerator['name']!r} is not known, only 'tensorrt'"
            )
        options = _tensorrt_options(model, accelerator.get("parameters", {}))
        providers.insert(0, (TENSORRT, {"device_id": str(device), **options}))
    missing = [provider for provider, _ in providers if provider not in available]
    if missing:
        raise SessionError(
            f"{model}: config.pbtxt asks for {', '.join(missing)}, but onnxruntime offers only "
            f"{', '.join(available)}: install requirements/gpu.txt or serve the model on the CPU"
        )
    return providers


def _thread_count(config: Mapping, parameter: str) -> int:
    value = config.get("parameters", {}).get(parameter, {}).get("string_value", "0")
    try:
        return int(value)
    except ValueError:
        raise SessionError(
            f"{config['name']}: {parameter} must be a whole number, config.pbtxt says {value!r}"
        ) from None


def _accelerators(config: Mapping) -> Sequence[Mapping]:
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    return accelerators.get("gpu_execution_accelerator", [])


def _tensorrt_options(model: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """The official backend's parameters under onnxruntime's own names."""
    options = {}
    for key, value in parameters.items():
        if key == "precision_mode":
            if value not in _PRECISIONS:
                raise SessionError(
                    f"{model}: precision_mode is {value!r}, expected {', '.join(_PRECISIONS)}"
                )
            options |= _PRECISIONS[value]
        elif key == "max_workspace_size_bytes":
            options["trt_max_workspace_size"] = value
        elif key.startswith("int8_"):
            options[f"trt_{key}"] = value
        elif key.startswith("trt_"):
            options[key] = value
        else:
            raise SessionError(f"{model}: tensorrt has no parameter {key!r}")
    return options
