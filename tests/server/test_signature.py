"""What the onnxruntime backend refuses to serve."""

from __future__ import annotations

import onnxruntime
import pytest
from onnx import TensorProto

from server.onnxruntime_backend.signature import differences, session_signature
from tests.server.tiny_repository import copy_graph, double_graph, scalar_graph


def config(max_batch_size=8, name="X", data_type="TYPE_FP32", dims=(2,), output="Y"):
    return {
        "name": "double",
        "max_batch_size": max_batch_size,
        "input": [{"name": name, "data_type": data_type, "dims": list(dims)}],
        "output": [{"name": output, "data_type": "TYPE_FP32", "dims": [2]}],
    }


def signature(model):
    return session_signature(onnxruntime.InferenceSession(model.SerializeToString()))


@pytest.fixture
def double():
    return signature(double_graph())


def test_a_configuration_that_describes_its_onnx_file_is_accepted(double):
    assert differences(config(), double) == []


def test_a_fixed_dimension_of_an_input_may_be_symbolic_in_the_onnx_file_as_officially(double):
    unbatched = config(max_batch_size=0, dims=(5, 2))
    unbatched["output"][0]["dims"] = [-1, 2]
    assert differences(unbatched, double) == []
    unbatched["output"][0]["dims"] = [5, 2]
    assert differences(unbatched, double) == [
        "double: output Y has dims [5,2] in config.pbtxt, the ONNX file says [-1,2]"
    ]


def test_a_reshape_counts_instead_of_the_dimensions(double):
    reshaped = config(dims=(1, 2, 1))
    reshaped["input"][0]["reshape"] = {"shape": ["2"]}
    assert differences(reshaped, double) == []
    reshaped["input"][0]["reshape"] = {}
    assert "[] in config.pbtxt" in differences(reshaped, double)[0]


def test_the_dimensions_of_a_scalar_are_ones():
    scalar = config(max_batch_size=0, dims=(1, 1))
    scalar["output"][0]["dims"] = [1]
    assert differences(scalar, signature(scalar_graph())) == []
    scalar["output"][0]["dims"] = [2]
    assert "output Y has dims [2]" in differences(scalar, signature(scalar_graph()))[0]


def test_outputs_may_be_left_out_but_no_input(double):
    assert differences(config() | {"output": []}, double) == []
    assert "input X is in the ONNX file" in differences(config() | {"input": []}, double)[0]


def test_a_type_that_numpy_lacks_is_refused_in_a_sentence():
    wanted = config(data_type="TYPE_BF16")
    wanted["output"][0]["data_type"] = "TYPE_BF16"
    told = differences(wanted, signature(copy_graph(TensorProto.BFLOAT16)))
    assert len(told) == 2
    assert all(
        "TYPE_BF16" in one and "does not serve: NumPy has no such type" in one for one in told
    )


@pytest.mark.parametrize(
    ("wrong", "both_sides"),
    [
        ({"dims": (3,)}, ["input X", "[3]", "[2]"]),
        ({"dims": (-1,)}, ["input X", "[-1]", "[2]"]),
        ({"dims": (2, 2)}, ["input X", "[2,2]", "[2]"]),
        ({"data_type": "TYPE_UINT8"}, ["input X", "TYPE_UINT8", "tensor(float)"]),
        ({"data_type": "TYPE_STRING"}, ["input X", "TYPE_STRING", "tensor(float)"]),
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


def test_a_batch_needs_a_free_first_dimension():
    message = "; ".join(differences(config(max_batch_size=8), signature(double_graph(1))))
    assert "double: input X has max_batch_size 8" in message
    assert "[1,2]" in message


def test_every_difference_is_reported(double):
    assert len(differences(config(dims=(3,), data_type="TYPE_INT64"), double)) == 2
