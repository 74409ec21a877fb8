"""The exporter refuses files that answer differently from their network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="exporting needs PyTorch (requirements/export.txt)")

from export.onnx_file import ParityError, Served, _check, export  # noqa: E402


def served(half: bool = False) -> Served:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.Tanh())
    axes = {"IN": {0: "batch"}, "OUT": {0: "batch"}}
    return Served(module, ["IN"], ["OUT"], axes, [(torch.rand(n, 300),) for n in (2, 1, 5)], half)


def test_a_network_is_written_with_its_names_and_free_batch(tmp_path):
    export("tiny", served(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert [tensor.name for tensor in (*graph.input, *graph.output)] == ["IN", "OUT"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_an_input_that_the_network_ignores_stays_in_the_file(tmp_path):
    class First(torch.nn.Module):
        def forward(self, ignored, rows):
            return rows * 2

    trials = [(torch.zeros(1, dtype=torch.int32), torch.rand(rows, 3)) for rows in (2, 1)]
    network = Served(First(), ["COUNT", "IN"], ["OUT"], {"IN": {0: "T"}, "OUT": {0: "T"}}, trials)
    export("tiny", network, tmp_path / "model.onnx")
    count, rows = onnx.load(tmp_path / "model.onnx").graph.input
    assert (count.name, rows.name) == ("COUNT", "IN")
    assert count.type.tensor_type.elem_type == onnx.TensorProto.INT32
    assert count.type.tensor_type.shape.dim[0].dim_value == 1


def test_a_dimension_that_tracing_loses_is_stated_in_the_file(tmp_path):
    class Joined(torch.nn.Module):
        def forward(self, rows):
            return torch.cat([rows, rows.new_zeros(rows.shape[0], 1)], dim=1)

    axes = {"IN": {0: "batch"}, "OUT": {0: "batch"}}
    trials = [(torch.rand(rows, 3),) for rows in (2, 1)]
    export("tiny", Served(Joined(), ["IN"], ["OUT"], axes, trials), tmp_path / "model.onnx")
    (output,) = onnx.load(tmp_path / "model.onnx").graph.output
    batch, width = output.type.tensor_type.shape.dim
    assert (batch.dim_param, width.dim_value) == ("batch", 4)


def test_half_storage_halves_the_file_and_keeps_the_answers(tmp_path):
    export("tiny", served(), tmp_path / "whole.onnx")
    export("tiny", served(half=True), tmp_path / "half.onnx")
    whole, half = ((tmp_path / f"{name}.onnx").stat().st_size for name in ("whole", "half"))
    assert half < 0.6 * whole


def test_a_differing_output_is_named():
    with pytest.raises(ParityError, match=r"tiny: OUT differs by 1\.0e-01"):
        _check("tiny", "OUT", np.full(3, 0.1), np.zeros(3))


def test_an_output_that_is_not_a_number_is_refused():
    with pytest.raises(ParityError, match="OUT"):
        _check("tiny", "OUT", np.array([np.nan]), np.zeros(1))
