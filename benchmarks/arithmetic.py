"""Multiplications that a clip needs, model by model, and how many this machine can do.

Counted from the ONNX files as they run: every convolution and matrix product, at the sizes that
a real clip gives it, two operations for a multiplication and an addition. The peak is the best
rate of a large single-precision matrix product on onnxruntime.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

#: Side of the square matrices whose product gives the peak.
PEAK_SIDE = 2048
COUNTED = ("Conv", "MatMul", "Gemm")

Shapes = tuple[tuple[str, str, tuple[int, ...]], ...]


@dataclass
class Work:
    """What the networks of a model did.

    Attributes:
        operations: Floating-point operations.
        seconds: Processor seconds inside onnxruntime.
        runs: How often a network ran.
    """

    operations: int = 0
    seconds: float = 0.0
    runs: int = 0


@dataclass
class Ledger:
    """The work of every model that ran inside `counting`."""

    models: defaultdict[str, Work] = field(default_factory=lambda: defaultdict(Work))

    def add(self, path: Path, inputs: Mapping[str, np.ndarray], seconds: float) -> None:
        """Write down a run of a model's network."""
        shapes = tuple((name, array.dtype.str, array.shape) for name, array in inputs.items())
        work = self.models[path.parents[1].name]
        work.operations += operations(path, shapes)
        work.seconds += seconds
        work.runs += 1


@contextmanager
def counting() -> Iterator[Ledger]:
    """Count what every session does that is opened in the block."""
    ledger = Ledger()

    class CountingSession(onnxruntime.InferenceSession):
        def __init__(self, path: Path, *arguments: object, **keywords: object) -> None:
            self._path = Path(path)
            super().__init__(path, *arguments, **keywords)

        def run(self, names: list[str], inputs: dict[str, np.ndarray], *rest: object) -> list:
            begin = time.process_time()
            outputs = super().run(names, inputs, *rest)
            ledger.add(self._path, inputs, time.process_time() - begin)
            return outputs

    with mock.patch.object(onnxruntime, "InferenceSession", CountingSession):
        yield ledger


@cache
def operations(path: Path, shapes: Shapes) -> int:
    """Count a network's operations for inputs of given names, types and shapes."""
    session, nodes, constants = _observed(path)
    inputs = {name: np.zeros(shape, kind) for name, kind, shape in shapes}
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, inputs), strict=True))
    sizes = constants | {name: np.shape(array) for name, array in (inputs | found).items()}
    return sum(_node_operations(node, sizes) for node in nodes)


def measure_peak(threads: int, repeats: int = 8) -> float:
    """Return the operations a processor second of a large float32 matrix product.

    Args:
        threads: How many threads onnxruntime uses; each core is then a processor of its own.
        repeats: The best of so many products counts.
    """
    a, b = (np.random.default_rng(seed).random((PEAK_SIDE,) * 2, np.float32) for seed in (0, 1))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, a.shape)],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, a.shape)],
        [onnx.numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        session.run(["c"], {"a": a})
        seconds.append(time.process_time() - begin)
    return 2 * PEAK_SIDE**3 / min(seconds)


@cache
def _observed(path: Path) -> tuple[onnxruntime.InferenceSession, list, dict[str, tuple]]:
    """Open a network so that it also gives what its counted nodes read and write.

    Returns:
        The session, the counted nodes, and the shapes of the stored tensors.
    """
    model = onnx.load(path)
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in COUNTED]
    known = {output.name for output in model.graph.output} | constants.keys()
    known |= {tensor.name for tensor in model.graph.input}
    wanted = {name for node in nodes for name in (*node.input[:2], node.output[0])} - known
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = _plain_session()(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session, nodes, constants


def _plain_session() -> type[onnxruntime.InferenceSession]:
    """Return the session class itself, not one that counts."""
    return onnxruntime.capi.onnxruntime_inference_collection.InferenceSession


def _node_operations(node: onnx.NodeProto, sizes: Mapping[str, tuple[int, ...]]) -> int:
    written = math.prod(sizes[node.output[0]])
    if node.op_type == "Conv":
        return 2 * written * math.prod(sizes[node.input[1]][1:])
    left = sizes[node.input[0]]
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return 2 * written * left[0 if transposed else -1]
