"""Operations are counted as the networks run."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.arithmetic import counting, measure_peak


@pytest.fixture
def network(tmp_path):
    """A convolution of 3 to 4 channels, 3x3, then a product with a [4, 5] matrix."""
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["maps"]),
        helper.make_node("ReduceMean", ["maps"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "matrix"], ["scores"]),
    ]
    random = np.random.default_rng(0)
    stored = {"kernel": random.random((4, 3, 3, 3)), "matrix": random.random((4, 5))}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in stored.items()],
    )
    path = tmp_path / "some_model" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    return path


def test_every_run_counts_by_its_own_size(network):
    with counting() as ledger:
        session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
        for shape in ((1, 3, 10, 12), (2, 3, 5, 5)):
            session.run(["scores"], {"pixels": np.zeros(shape, np.float32)})
    convolutions = 2 * (4 * 8 * 10 + 2 * 4 * 3 * 3) * (3 * 3 * 3)
    products = 2 * (1 + 2) * 4 * 5
    work = ledger.models["some_model"]
    assert work.operations == convolutions + products
    assert work.runs == 2
    assert work.seconds > 0


def test_sessions_of_before_and_after_are_left_alone(network):
    plain = onnxruntime.InferenceSession
    with counting() as ledger:
        pass
    assert onnxruntime.InferenceSession is plain
    assert not ledger.models


def test_the_peak_is_a_rate_of_operations():
    assert measure_peak(threads=1, repeats=1) > 1e8
