"""From a source network to `model.onnx`, compared with what the source framework answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from export.flagship.parity import ParityError, Report, compare, first_difference

Tensors = Mapping[str, np.ndarray]

#: What the onnxruntime of Triton 24.10 reads, as in `export.onnx_file`.
OPSET = 17
IR_VERSION = 10
#: Numbers in a matrix that is not worth a copy.
LARGE = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A source network and the model that it becomes.

    Attributes:
        inputs: The served inputs, in the order of `serve`'s arguments; the name of each is the
            tensor's.
        serve: TensorFlow function of the inputs to the served outputs by name, everything that the
            original does around its network included.
        source: The same by the original's own steps: numpy around the source framework's network.
            Takes and gives tensors by name.
        layers: TensorFlow function of the inputs to what the source network's layers give, in
            order, to find the one that differs.
        trials: Inputs of different sizes to compare with.
        files: The files that it was read from.
        weights: The variables of its Keras models, large ones among them.
        notes: Decisions that were taken while reading, for the report.
    """

    inputs: Sequence[tf.TensorSpec]
    serve: Callable[..., dict[str, tf.Tensor]]
    source: Callable[[Tensors], dict[str, np.ndarray]]
    layers: Callable[..., dict[str, tf.Tensor]]
    trials: Sequence[Tensors]
    files: Sequence[Path]
    weights: Sequence[keras.Variable] = ()
    notes: Sequence[str] = ()


def convert(name: str, network: Network, path: Path) -> Report:
    """Write `path` once it is known to answer as the source network does.

    Args:
        name: The model's, for messages.
        network: What to convert.
        path: Where to write; an older file is replaced only after all checks.

    Raises:
        ParityError: The ONNX file answers differently; the message names the layer.
    """
    data = to_onnx(network.serve, network.inputs, network.weights)
    session = open_session(data)
    differences = []
    for trial in network.trials:
        answers = run(session, trial)
        try:
            differences += compare(name, answers, network.source(trial))
        except ParityError as error:
            raise ParityError(f"{error}; {_culprit(network, trial)}") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    log.info("%s: %.1f MB", path, len(data) / 1e6)
    return Report(name, [file.name for file in network.files], list(network.notes), differences)


def to_onnx(
    function: Callable[..., dict], inputs: Sequence[tf.TensorSpec], weights: Sequence = ()
) -> bytes:
    """Convert a TensorFlow function.

    Args:
        function: Takes `inputs`, gives tensors by name.
        inputs: Their names become those of the ONNX inputs.
        weights: Keras variables that the function may use.

    Returns:
        An ONNX file; it fits in 2 GB, or there is none.
    """
    # tf2onnx copies constants many times. Large matrices are inputs to it, and come back after.
    large = [one for one in weights if len(one.shape) == 2 and np.prod(one.shape) >= LARGE]
    given = [tf.TensorSpec(one.shape, one.dtype, f"weight_{i}") for i, one in enumerate(large)]
    specs = [*inputs, *given]

    def with_weights(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        with keras.StatelessScope(list(zip(large, tensors[len(inputs) :], strict=True))):
            return function(*tensors[: len(inputs)])

    traced = tf.function(with_weights, input_signature=specs, autograph=False)
    model, _ = tf2onnx.convert.from_function(traced, input_signature=specs, opset=OPSET)
    # TensorFlow makes lower case of the names, and keeps the order.
    names = {found.name: spec.name for found, spec in zip(model.graph.input, specs, strict=True)}
    _rename_inputs(model.graph, names)
    del model.graph.input[len(inputs) :]
    for spec, variable in zip(given, large, strict=True):
        matrix = np.asarray(variable)
        model.graph.initializer.append(onnx.numpy_helper.from_array(matrix, spec.name))
    model.ir_version = min(model.ir_version, IR_VERSION)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def open_session(data: bytes | str) -> onnxruntime.InferenceSession:
    """Load an ONNX file, or its content, on the CPU."""
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, tensors: Tensors) -> dict[str, np.ndarray]:
    """Run a session on tensors by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(tensors)), strict=True))


def _culprit(network: Network, trial: Tensors) -> str:
    """Say which layer is the first to differ, the source network run by TensorFlow."""
    wanted = network.layers(*(tf.constant(trial[spec.name]) for spec in network.inputs))
    found = run(open_session(to_onnx(network.layers, network.inputs, network.weights)), trial)
    layer = first_difference(found, {name: value.numpy() for name, value in wanted.items()})
    return f"the first layer that differs is {layer}" if layer else "every layer agrees"


def _rename_inputs(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for tensor in graph.input:
        tensor.name = names[tensor.name]
    for node in graph.node:
        _rename_in_node(node, names)


def _rename_in_node(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    for index, name in enumerate(node.input):
        node.input[index] = names.get(name, name)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _rename_in_node(inner, names)
