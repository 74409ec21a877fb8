"""Compare what config.pbtxt says about a model with what its ONNX file says.

The official onnxruntime backend makes the same comparison when it loads a model. Without it a
wrong dimension or type is served in silence, or served here and refused there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
from google.protobuf.message import Message

#: config.pbtxt data type -> ONNX element type, as onnxruntime spells it.
ONNX_TYPES = {
    "TYPE_BOOL": "tensor(bool)",
    "TYPE_UINT8": "tensor(uint8)",
    "TYPE_UINT16": "tensor(uint16)",
    "TYPE_UINT32": "tensor(uint32)",
    "TYPE_UINT64": "tensor(uint64)",
    "TYPE_INT8": "tensor(int8)",
    "TYPE_INT16": "tensor(int16)",
    "TYPE_INT32": "tensor(int32)",
    "TYPE_INT64": "tensor(int64)",
    "TYPE_FP16": "tensor(float16)",
    "TYPE_FP32": "tensor(float)",
    "TYPE_FP64": "tensor(double)",
    "TYPE_STRING": "tensor(string)",
}

#: A dimension of any size.
ANY = -1


@dataclass(frozen=True)
class TensorSignature:
    """One input or output of a model.

    Attributes:
        name: The tensor's name.
        type: Its type, `TYPE_FP32` in a configuration and `tensor(float)` in an ONNX file.
        dims: Its dimensions, `ANY` where any size will do, none for a scalar. A configuration's
            dimensions leave out the batch when max_batch_size is above 0; an ONNX file's never do.
    """

    name: str
    type: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class ModelSignature:
    """A model's inputs and outputs by name."""

    inputs: Mapping[str, TensorSignature]
    outputs: Mapping[str, TensorSignature]


def read_signature(file: Path) -> ModelSignature:
    """The signature of an ONNX file.

    Raises:
        Exception: onnxruntime's own, when it cannot load the file.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return session_signature(
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    )


def session_signature(session: onnxruntime.InferenceSession) -> ModelSignature:
    """The signature of a loaded ONNX file; a symbolic or unknown dimension becomes `ANY`."""
    return ModelSignature(
        _by_name(_onnx_tensor(argument) for argument in session.get_inputs()),
        _by_name(_onnx_tensor(argument) for argument in session.get_outputs()),
    )


def differences(config: Mapping | Message, found: ModelSignature) -> list[str]:
    """Where a configuration does not describe its ONNX file.

    As for the official backend, an input's dimension that is fixed in config.pbtxt may be symbolic
    in the ONNX file, an output's dimensions must be the same; `reshape` counts where it is given;
    a scalar's dimensions are ones, as many as config.pbtxt likes; and outputs may be left out.

    Args:
        config: The model configuration, as the JSON object that Triton hands to a backend or as
            the protobuf message. When max_batch_size is above 0 the first ONNX dimension of every
            tensor is the batch.
        found: The signature of the ONNX file.

    Returns:
        One sentence for each difference, naming the model, the tensor and both sides.
    """
    if isinstance(config, Message):
        # Not at the top: a model's process never needs it and would start 0.1 s later.
        from google.protobuf.json_format import MessageToDict

        config = MessageToDict(config, preserving_proto_field_name=True)
    max_batch_size = config.get("max_batch_size", 0)
    return [
        f"{config['name']}: {difference}"
        for kind, onnx in (("input", found.inputs), ("output", found.outputs))
        for difference in _kind_differences(
            kind, max_batch_size, _by_name(map(_configured_tensor, config.get(kind, ()))), onnx
        )
    ]


def _by_name(tensors: Iterable[TensorSignature]) -> dict[str, TensorSignature]:
    return {tensor.name: tensor for tensor in tensors}


def _onnx_tensor(argument: onnxruntime.NodeArg) -> TensorSignature:
    dims = tuple(d if isinstance(d, int) else ANY for d in argument.shape)
    return TensorSignature(argument.name, argument.type, dims)


def _configured_tensor(tensor: Mapping) -> TensorSignature:
    dims = tensor["reshape"].get("shape", ()) if "reshape" in tensor else tensor["dims"]
    return TensorSignature(tensor["name"], tensor["data_type"], tuple(int(d) for d in dims))


def _kind_differences(
    kind: str,
    max_batch_size: int,
    configured: Mapping[str, TensorSignature],
    found: Mapping[str, TensorSignature],
) -> Iterator[str]:
    for name, tensor in configured.items():
        if name in found:
            yield from _tensor_differences(kind, max_batch_size, tensor, found[name])
        else:
            names = ", ".join(found) or "none"
            yield f"{kind} {name} is in config.pbtxt, the ONNX file has {names}"
    for name in found if kind == "input" else ():
        if name not in configured:
            names = ", ".join(configured) or "none"
            yield f"{kind} {name} is in the ONNX file, config.pbtxt has {names}"


def _tensor_differences(
    kind: str, max_batch_size: int, configured: TensorSignature, found: TensorSignature
) -> Iterator[str]:
    label = f"{kind} {configured.name}"
    expected_type = ONNX_TYPES.get(configured.type)
    if expected_type is None:
        yield (
            f"{label} has type {configured.type} in config.pbtxt, which this project's onnxruntime "
            "backend does not serve: NumPy has no such type"
        )
    elif expected_type != found.type:
        yield (
            f"{label} has type {configured.type} in config.pbtxt ({expected_type}), "
            f"the ONNX file says {found.type}"
        )
    dims = found.dims
    if max_batch_size > 0:
        if not dims or dims[0] != ANY:
            yield (
                f"{label} has max_batch_size {max_batch_size} in config.pbtxt, "
                f"the ONNX file says {_format(dims)} without a free batch dimension"
            )
            return
        dims = dims[1:]
    if not found.dims:
        dims = (1,) * len(configured.dims)
    if not _accepts(dims, configured.dims, exactly=kind == "output"):
        batch = " after the batch" if max_batch_size > 0 else ""
        yield (
            f"{label} has dims {_format(configured.dims)} in config.pbtxt, "
            f"the ONNX file says {_format(dims)}{batch}"
        )


def _accepts(found: Sequence[int], configured: Sequence[int], exactly: bool) -> bool:
    return len(found) == len(configured) and all(
        onnx == config or (onnx == ANY and not exactly)
        for onnx, config in zip(found, configured, strict=True)
    )


def _format(dims: Sequence[int]) -> str:
    return "[" + ",".join(str(d) for d in dims) + "]"
