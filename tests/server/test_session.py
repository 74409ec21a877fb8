"""Threads and execution providers of an ONNX model's instances."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from server.runtime import ONNXRUNTIME_BACKEND
from tests.server.tiny_repository import double_graph


def accelerated(name="tensorrt", **parameters):
    accelerator = {"name": name, "parameters": parameters}
    return {
        "optimization": {"execution_accelerators": {"gpu_execution_accelerator": [accelerator]}}
    }


GPU_BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def session(monkeypatch) -> ModuleType:
    """Import the module as the backend does, from its own folder."""
    monkeypatch.syspath_prepend(str(ONNXRUNTIME_BACKEND))
    return importlib.import_module("session")


def test_thread_counts_come_from_the_configuration_and_threads_do_not_spin(session):
    parameters = {"intra_op_thread_count": {"string_value": "3"}}
    options = session.session_options({"name": "m", "parameters": parameters})
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_thread_count_that_is_no_number_is_refused_by_name(session):
    parameters = {"intra_op_thread_count": {"string_value": "all"}}
    with pytest.raises(session.SessionError, match=r"m: intra_op_thread_count .* 'all'"):
        session.session_options({"name": "m", "parameters": parameters})


def test_a_cpu_instance_runs_on_the_cpu_even_where_there_is_a_gpu(session):
    providers = session.execution_providers("m", {}, "CPU", 0, GPU_BUILD)
    assert [name for name, _ in providers] == ["CPUExecutionProvider"]


def test_a_gpu_instance_runs_on_its_gpu(session):
    providers = session.execution_providers("m", {}, "GPU", 1, GPU_BUILD)
    assert providers[0] == ("CUDAExecutionProvider", {"device_id": "1"})


def test_tensorrt_leads_when_the_configuration_asks_for_it(session):
    config = accelerated(
        precision_mode="FP16", int8_calibration_table_name="table", trt_engine_cache_path="/cache"
    )
    providers = session.execution_providers("m", config, "GPU", 0, GPU_BUILD)
    assert providers[0] == (
        "TensorrtExecutionProvider",
        {
            "device_id": "0",
            "trt_fp16_enable": "True",
            "trt_int8_calibration_table_name": "table",
            "trt_engine_cache_path": "/cache",
        },
    )
    assert providers[1][0] == "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("config", "available", "named"),
    [
        ({}, GPU_BUILD[2:], "m: .* CUDAExecutionProvider, .*gpu.txt"),
        (accelerated(), GPU_BUILD[1:], "m: .* TensorrtExecutionProvider, .*gpu.txt"),
        (accelerated("openvino"), GPU_BUILD, "m: the accelerator 'openvino'"),
        (accelerated(precision_mode="FP4"), GPU_BUILD, "m: precision_mode is 'FP4'"),
        (accelerated(workspace="1"), GPU_BUILD, "m: tensorrt has no parameter 'workspace'"),
    ],
)
def test_a_gpu_instance_is_refused_when_it_cannot_have_what_it_asks_for(
    session, config, available, named
):
    with pytest.raises(session.SessionError, match=named):
        session.execution_providers("m", config, "GPU", 0, available)


# What onnxruntime says when it drops a provider: the tests run with its CPU build.
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_onnxruntime_drops_without_an_error_is_one(session, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(double_graph().SerializeToString())
    providers = [(session.CUDA, {"device_id": "0"}), (session.CPU, {})]
    with pytest.raises(session.SessionError, match=r"m: .* without CUDAExecutionProvider"):
        session.Network("m", {}, file, providers)
