"""Threads and execution providers of an ONNX model's instances."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from server.runtime import ONNXRUNTIME_BACKEND

TENSORRT_CONFIG = {
    "optimization": {
        "execution_accelerators": {
            "gpu_execution_accelerator": [
                {"name": "tensorrt", "parameters": {"precision_mode": "FP16"}}
            ]
        }
    }
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
    providers = session.execution_providers("m", TENSORRT_CONFIG, "GPU", 0, GPU_BUILD)
    assert providers[0][0] == "TensorrtExecutionProvider"
    assert providers[0][1]["trt_fp16_enable"] == "True"
    assert providers[1][0] == "CUDAExecutionProvider"


def test_cuda_serves_where_tensorrt_is_not_built_in(session):
    providers = session.execution_providers("m", TENSORRT_CONFIG, "GPU", 0, GPU_BUILD[1:])
    assert providers[0][0] == "CUDAExecutionProvider"


def test_a_gpu_instance_without_cuda_is_refused_with_the_remedy(session):
    with pytest.raises(session.SessionError, match=r"m: .*CUDAExecutionProvider.*onnxruntime-gpu"):
        session.execution_providers("m", {}, "GPU", 0, ["CPUExecutionProvider"])
