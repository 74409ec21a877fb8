"""Write a served network as ONNX and check it against PyTorch."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.int8 import round_to_int8, store_int8

log = logging.getLogger(__name__)

OPSET = 17
#: The newest file format that the onnxruntime of Triton 24.10 reads.
IR_VERSION = 10
TOLERANCE = 1e-4
#: Smaller tensors are not worth a cast.
SMALLEST_HALVED = 1 << 16


@dataclass(frozen=True)
class Served:
    """A network, its tensors and inputs to try it with.

    Attributes:
        module: The served network in evaluation mode.
        inputs: Names of its inputs, in order.
        outputs: Names of its outputs, in order.
        axes: Tensor name to its dynamic axes, as `torch.onnx.export` takes them.
        trials: Inputs of different sizes; the first is traced, all are compared.
        half: Store large weights as float16, cast in the graph. Rounds the module's weights too.
        int8: Store large matrices as int8 first, likewise; see `export.int8`.
    """

    module: nn.Module
    inputs: Sequence[str]
    outputs: Sequence[str]
    axes: dict[str, dict[int, str]]
    trials: Sequence[tuple[Tensor, ...]]
    half: bool = False
    int8: bool = False


class ParityError(RuntimeError):
    """An ONNX file does not answer what its source network answers."""


def export(name: str, served: Served, path: Path) -> list[np.ndarray]:
    """Write `path` once it is known to answer as the network does.

    Args:
        name: The model's, for messages.
        served: What to export.
        path: Where to write; an older file is replaced only after all checks.

    Returns:
        The network's outputs for the last trial.

    Raises:
        ParityError: An output differs by more than `TOLERANCE`.
    """
    module = served.module.eval()
    if served.int8:
        round_to_int8(module)
    elif served.half:
        _round_to_half(module)
    buffer = io.BytesIO()
    torch.onnx.export(
        module,
        served.trials[0],
        buffer,
        input_names=list(served.inputs),
        output_names=list(served.outputs),
        dynamic_axes=served.axes,
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    model.ir_version = min(model.ir_version, IR_VERSION)
    _keep_unused_inputs(model, served)
    _state_output_dims(model, served)
    if served.int8:
        store_int8(model)
    if served.half:
        store_half(model)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    expected = _compare(name, served, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    log.info("%s: %.1f MB", path, len(data) / 1e6)
    return expected


def _keep_unused_inputs(model: onnx.ModelProto, served: Served) -> None:
    """Give the file every input of the model's contract: tracing drops what the network ignores."""
    kept = {value.name for value in model.graph.input}
    for place, (name, trial) in enumerate(zip(served.inputs, served.trials[0], strict=True)):
        if name not in kept:
            axes = served.axes.get(name, {})
            dims = [axes.get(axis, size) for axis, size in enumerate(trial.shape)]
            kind = helper.np_dtype_to_tensor_dtype(trial.numpy().dtype)
            model.graph.input.insert(place, helper.make_tensor_value_info(name, kind, dims))


def _state_output_dims(model: onnx.ModelProto, served: Served) -> None:
    """Give every fixed dimension its size: tracing loses some, and Triton asks for each."""
    for value, output in zip(model.graph.output, _outputs(served, 0), strict=True):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis not in served.axes.get(value.name, {}):
                dim.dim_value = output.shape[axis]


def _outputs(served: Served, trial: int) -> list[np.ndarray]:
    """What the network answers to a trial."""
    with torch.no_grad():
        result = served.module(*served.trials[trial])
    return [output.numpy() for output in (result if isinstance(result, tuple) else (result,))]


def store_half(model: onnx.ModelProto) -> None:
    """Turn large float32 weights into float16 ones with a cast behind each."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALLEST_HALVED:
            continue
        wide, narrow = tensor.name, f"{tensor.name}_half"
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), narrow)
        )
        casts.append(helper.make_node("Cast", [narrow], [wide], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)


def _round_to_half(module: nn.Module) -> None:
    with torch.no_grad():
        for weight in module.parameters():
            if weight.numel() >= SMALLEST_HALVED:
                weight.copy_(weight.half().float())


def _compare(name: str, served: Served, data: bytes) -> list[np.ndarray]:
    """Run every trial through both; return the network's outputs for the last."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected: list[np.ndarray] = []
    for index, trial in enumerate(served.trials):
        feed = {key: value.numpy() for key, value in zip(served.inputs, trial, strict=True)}
        answers = session.run(list(served.outputs), feed)
        expected = _outputs(served, index)
        for output, answer, wanted in zip(served.outputs, answers, expected, strict=True):
            _check(name, output, answer, wanted)
    return expected


def _check(name: str, output: str, answer: np.ndarray, wanted: np.ndarray) -> None:
    if answer.shape != wanted.shape:
        raise ParityError(
            f"{name}: {output} has dims {list(answer.shape)}, the network's {list(wanted.shape)}"
        )
    difference = float(np.abs(answer - wanted).max())
    log.info("%s: %s %s differs by at most %.1e", name, output, list(answer.shape), difference)
    if not difference <= TOLERANCE:
        raise ParityError(
            f"{name}: {output} differs by {difference:.1e} from the network, "
            f"at most {TOLERANCE:g} is accepted"
        )
