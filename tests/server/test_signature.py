"""What the onnxruntime backend refuses to serve."""

from __future__ import annotations

import onnxruntime
import pytest

from server.onnxruntime_backend.signature import differences, session_signature
from tests.server.tiny_repository import double_graph


def config(max_batch_size=8, name="X", data_type="TYPE_FP32", dims=(2,), output="Y"):
    return {
        "name": "double",
        "max_batch_size": max_batch_size,
        "input": [{"name": name, "data_type": data_type, "dims": list(dims)}],
        "output": [{"name": output, "data_type": "TYPE_FP32", "dims": [2]}],
    }


@pytest.fixture
def double():
    return session_signature(onnxruntime.InferenceSession(double_graph().SerializeToString()))


@pytest.fixture
def double_of_one():
    return session_signature(onnxruntime.InferenceSession(double_graph(1).SerializeToString()))


def test_a_configuration_that_describes_its_onnx_file_is_accepted(double):
    assert differences(config(), double) == []


def test_a_fixed_dimension_may_be_symbolic_in_the_onnx_file(double):
    unbatched = config(max_batch_size=0, dims=(5, 2))
    unbatched["output"][0]["dims"] = [-1, 2]
    assert differences(unbatched, double) == []


@pytest.mark.parametrize(
    ("wrong", "both_sides"),
    [
        ({"dims": (3,)}, ["input X", "[3]", "[2]"]),
        ({"dims": (-1,)}, ["input X", "[-1]", "[2]"]),
        ({"dims": (2, 2)}, ["input X", "[2,2]", "[2]"]),
        ({"data_type": "TYPE_UINT8"}, ["input X", "TYPE_UINT8", "tensor(float)"]),
        ({"data_type": "TYPE_STRING"}, ["input X", "TYPE_STRING", "does not serve"]),
        ({"name": "Z"}, ["input Z is in config.pbtxt", "has X"]),
        ({"name": "Z"}, ["input X is in the ONNX file", "has Z"]),
        ({"output": "Z"}, ["output Z is in config.pbtxt", "has Y"]),
    ],
)
def test_a_difference_names_the_model_the_tensor_and_both_sides(double, wrong, both_sides):
    message = "; ".join(differences(config(**wrong), double))
    assert message.startswith("double: ")
    for words in both_sides:
        assert words in message


def test_a_batch_needs_a_free_first_dimension(double_of_one):
    message = "; ".join(differences(config(max_batch_size=8), double_of_one))
    assert "double: input X has max_batch_size 8" in message
    assert "[1,2]" in message


def test_every_difference_is_reported(double):
    assert len(differences(config(dims=(3,), data_type="TYPE_INT64"), double)) == 2
