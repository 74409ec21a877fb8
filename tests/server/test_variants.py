"""The GPU variants: nothing is left for the first request, and no request is outside a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.lint import read_config
from server.runtime import REPOSITORIES
from server.variants import variants, write_variants
from tests.server.tiny_repository import double_graph, write_onnx_model

REPOSITORY = REPOSITORIES[0]
WEIGHTS = b"weights"


def built(model: str, weights: bytes = WEIGHTS) -> dict:
    return variants(read_config(REPOSITORY / model / "config.pbtxt"), weights)


def tensorrt_parameters(model: str, weights: bytes = WEIGHTS) -> dict[str, str]:
    accelerators = built(model, weights)["tensorrt"].optimization.execution_accelerators
    (accelerator,) = accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    return dict(accelerator.parameters)


def test_a_profile_holds_every_size_that_the_model_is_sent():
    parameters = tensorrt_parameters("text_encoder")
    shapes = [parameters[f"trt_profile_{size}_shapes"] for size in ("min", "opt", "max")]
    assert shapes == ["IDS:1x8,GRAMS:1x64", "IDS:1x16,GRAMS:1x64", "IDS:16x256,GRAMS:16x16384"]


def test_a_profile_names_no_input_whose_size_is_fixed():
    parameters = tensorrt_parameters("video_emotion")
    assert parameters["trt_profile_max_shapes"] == "FEATURES:128x4096"


def test_engines_outlive_the_container_but_not_their_weights():
    first, second = (
        tensorrt_parameters("fusion", weights)["trt_engine_cache_path"]
        for weights in (b"first", b"second")
    )
    assert first.startswith("/var/cache/recogniser/tensorrt/fusion-")
    assert first != second


@pytest.mark.parametrize("name", ["gpu", "tensorrt"])
def test_a_variant_is_warmed_up_up_to_its_largest_batch_and_differs_in_nothing_else(name):
    base = read_config(REPOSITORY / "vgg_face" / "config.pbtxt")
    variant = built("vgg_face")[name]
    assert [warmup.batch_size for warmup in variant.model_warmup] == [40, 64]
    assert list(variant.model_warmup[0].inputs["CROPS"].dims) == [224, 224, 3]
    (group,) = variant.instance_group
    assert group.kind == group.KIND_GPU
    for field in ("instance_group", "model_warmup", "optimization", "parameters"):
        variant.ClearField(field)
        base.ClearField(field)
    assert variant == base


def test_variants_are_written_for_onnx_models_that_have_weights(tmp_path):
    write_onnx_model(tmp_path, "double", double_graph(), max_batch_size=8)
    write_onnx_model(tmp_path, "bare", double_graph(), max_batch_size=8)
    (tmp_path / "bare" / "1" / "model.onnx").unlink()
    write_variants(tmp_path)
    assert [path.parent.parent.name for path in Path(tmp_path).rglob("gpu.pbtxt")] == ["double"]
    assert read_config(tmp_path / "double" / "configs" / "gpu.pbtxt").max_batch_size == 8
