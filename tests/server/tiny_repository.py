"""A repository of tiny models with the shapes of the real one: batches, branches, a front door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: `lookup` answers with the entry at INDEX and fails beyond the table.
TABLE = np.arange(10, 20, dtype=np.float32)

_ONNX_CONFIG = """
name: "{name}"
backend: "onnxruntime"
max_batch_size: {max_batch_size}
default_model_filename: "model.onnx"
input [ {{ name: "{input}", data_type: {type}, dims: {dims} }} ]
output [ {{ name: "Y", data_type: TYPE_FP32, dims: {output_dims} }} ]
instance_group [ {{ count: {count} }} ]
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
{extra}
"""

_PYTHON_CONFIG = """
name: "{name}"
backend: "python"
max_batch_size: 0
input [ {{ name: "TEXT", data_type: TYPE_STRING, dims: [ 1 ] }} ]
output [ {{ name: "{output}", data_type: TYPE_STRING, dims: [ 1 ] }} ]
instance_group [ {{ count: {count}, kind: KIND_CPU }} ]
"""

_BRANCHES_CONFIG = """
name: "branches"
platform: "ensemble"
max_batch_size: 0
input [ { name: "X", data_type: TYPE_FP32, dims: [ -1, 2 ] } ]
output [
  { name: "DOUBLED", data_type: TYPE_FP32, dims: [ -1, 2 ] },
  { name: "SUM", data_type: TYPE_FP32, dims: [ 1 ] }
]
ensemble_scheduling {
  step [
    { model_name: "double", model_version: -1,
      input_map { key: "X" value: "X" }, output_map { key: "Y" value: "DOUBLED" } },
    { model_name: "total", model_version: -1,
      input_map { key: "X" value: "X" }, output_map { key: "Y" value: "SUM" } }
  ]
}
"""

_WORDS_CONFIG = """
name: "words"
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "X", data_type: TYPE_STRING, dims: [ 2 ] } ]
output [ { name: "Y", data_type: TYPE_STRING, dims: [ 2 ] } ]
dynamic_batching { max_queue_delay_microseconds: 200000 }
instance_group [ { count: 1 } ]
model_warmup [
  {
    name: "a full batch"
    batch_size: 8
    inputs { key: "X" value { data_type: TYPE_STRING, dims: [ 2 ], zero_data: true } }
  }
]
"""

_MEASURES_CONFIG = """
name: "measures"
backend: "onnxruntime"
max_batch_size: 0
input [
  { name: "X", data_type: TYPE_FP32, dims: [ 4 ], reshape { shape: [ 2, 2 ] } },
  { name: "SCALE", data_type: TYPE_FP32, dims: [ 1 ] }
]
output [
  { name: "SCALED", data_type: TYPE_FP32, dims: [ 4 ], reshape { shape: [ 2, 2 ] } },
  { name: "MEAN", data_type: TYPE_FP32, dims: [ 1 ] }
]
instance_group [ { count: 1 } ]
"""

_TEXT_MODEL = '''
import time
from pathlib import Path

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Answers with its input.

    The path of a pipe is answered when the pipe's writer closes it, `work for N s` after so long.
    """

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        text = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()
        if text[0].startswith(b"/"):
            Path(text[0].decode()).read_text()
        if text[0].startswith(b"work for "):
            end = time.monotonic() + float(text[0].split()[2])
            while time.monotonic() < end:
                pass
        return pb_utils.InferenceResponse([pb_utils.Tensor("ECHO", text)])
'''

_RECOGNIZE_MODEL = '''
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Answers with what `text` answers, and asks it once more before it does."""

    async def execute(self, requests):
        return [await self._answer(request) for request in requests]

    async def _answer(self, request):
        text = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()
        responses = [await ask(text), await ask(np.array([b"once more"], np.object_))]
        for response in responses:
            if response.has_error():
                return pb_utils.InferenceResponse(error=response.error())
        echo = pb_utils.get_output_tensor_by_name(responses[0], "ECHO").as_numpy()
        return pb_utils.InferenceResponse([pb_utils.Tensor("RESULT", echo)])


async def ask(text):
    return await pb_utils.InferenceRequest(
        model_name="text",
        requested_output_names=["ECHO"],
        inputs=[pb_utils.Tensor("TEXT", text)],
    ).async_exec()
'''


def write_repository(folder: Path) -> Path:
    """Write all models: double, lookup, total, text, recognize and the ensemble branches."""
    batching = "dynamic_batching { max_queue_delay_microseconds: 200000 }"
    write_onnx_model(folder, "double", double_graph(), max_batch_size=8, extra=batching)
    write_onnx_model(
        folder,
        "lookup",
        lookup_graph(),
        max_batch_size=8,
        input="INDEX",
        type="TYPE_INT64",
        dims="[ 1 ]",
        output_dims="[ 1 ]",
        extra=batching,
    )
    write_onnx_model(folder, "total", total_graph(), dims="[ -1, 2 ]", output_dims="[ 1 ]", count=2)
    write_python_model(folder, "text", _TEXT_MODEL, output="ECHO", count=1)
    write_python_model(folder, "recognize", _RECOGNIZE_MODEL, output="RESULT", count=2)
    _write_config(folder, "branches", _BRANCHES_CONFIG)
    return folder


def write_official_repository(folder: Path) -> Path:
    """Write `words` and `measures`, which use what the official backend offers beyond numbers."""
    words = _write_config(folder, "words", _WORDS_CONFIG)
    onnx.save(copy_graph(TensorProto.STRING), words / "model.onnx")
    measures = _write_config(folder, "measures", _MEASURES_CONFIG)
    onnx.save(_measures_graph(), measures / "model.onnx")
    return folder


def write_onnx_model(
    folder: Path,
    name: str,
    model: onnx.ModelProto,
    *,
    max_batch_size: int = 0,
    input: str = "X",
    type: str = "TYPE_FP32",
    dims: str = "[ 2 ]",
    output_dims: str = "[ 2 ]",
    count: int = 1,
    extra: str = "",
) -> None:
    """Write one ONNX model and a configuration that may or may not fit it."""
    config = _ONNX_CONFIG.format(
        name=name,
        max_batch_size=max_batch_size,
        input=input,
        type=type,
        dims=dims,
        output_dims=output_dims,
        count=count,
        extra=extra,
    )
    onnx.save(model, _write_config(folder, name, config) / "model.onnx")


def write_python_model(folder: Path, name: str, source: str, *, output: str, count: int) -> None:
    """Write one Python model with the input TEXT."""
    config = _PYTHON_CONFIG.format(name=name, output=output, count=count)
    (_write_config(folder, name, config) / "model.py").write_text(source)


def double_graph(batch: int | str = "batch") -> onnx.ModelProto:
    """Y = 2 X, rows of two numbers."""
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    return _model(
        [helper.make_node("Mul", ["X", "two"], ["Y"])],
        helper.make_tensor_value_info("X", TensorProto.FLOAT, [batch, 2]),
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, [batch, 2]),
        two,
    )


def lookup_graph() -> onnx.ModelProto:
    """Y = TABLE[INDEX]; an index outside the table is an error."""
    return _model(
        [helper.make_node("Gather", ["table", "INDEX"], ["Y"])],
        helper.make_tensor_value_info("INDEX", TensorProto.INT64, ["batch", 1]),
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["batch", 1]),
        numpy_helper.from_array(TABLE, "table"),
    )


def total_graph() -> onnx.ModelProto:
    """Y = the sum of all rows of X."""
    return _model(
        [
            helper.make_node("ReduceSum", ["X"], ["sum"], keepdims=0),
            helper.make_node("Reshape", ["sum", "one"], ["Y"]),
        ],
        helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 2]),
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1]),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    )


def copy_graph(type: int) -> onnx.ModelProto:
    """Y = X, rows of two of any type."""
    return _model(
        [helper.make_node("Identity", ["X"], ["Y"])],
        helper.make_tensor_value_info("X", type, ["batch", 2]),
        helper.make_tensor_value_info("Y", type, ["batch", 2]),
    )


def scalar_graph() -> onnx.ModelProto:
    """Y = X, one number without dimensions."""
    return _model(
        [helper.make_node("Identity", ["X"], ["Y"])],
        helper.make_tensor_value_info("X", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, []),
    )


def _measures_graph() -> onnx.ModelProto:
    """SCALED = SCALE X, MEAN = its mean, ROWS = its rows' means; SCALE and MEAN are scalars."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["X", "SCALE"], ["SCALED"]),
            helper.make_node("ReduceMean", ["SCALED"], ["MEAN"], keepdims=0),
            helper.make_node("ReduceMean", ["SCALED"], ["ROWS"], axes=[1], keepdims=0),
        ],
        "measures",
        [_floats("X", [2, 2]), _floats("SCALE", [])],
        [_floats("SCALED", [2, 2]), _floats("MEAN", []), _floats("ROWS", [2])],
    )
    return _versioned(graph)


def _floats(name: str, dims: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _model(nodes: list, input, output, *constants: onnx.TensorProto) -> onnx.ModelProto:
    return _versioned(helper.make_graph(nodes, "tiny", [input], [output], list(constants)))


def _versioned(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _write_config(folder: Path, name: str, config: str) -> Path:
    version = folder / name / "1"
    version.mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(config)
    return version
