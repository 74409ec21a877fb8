"""Every committed ONNX file answers as the network that it was exported from did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).parents[2]
FIXTURES = sorted((ROOT / "export" / "parity").glob("*.npz"))
MODELS = ("age_gender", "fusion", "speech_cnn", "text_encoder", "vgg_face", "video_emotion")
MEGABYTE = 1_000_000


def onnx_path(model: str) -> Path:
    return ROOT / "model_repository" / model / "1" / "model.onnx"


def test_every_model_has_a_parity_fixture():
    assert set(MODELS) <= {path.stem for path in FIXTURES}


@pytest.mark.parametrize("model", MODELS)
def test_the_file_answers_as_its_source_network(run, model):
    with np.load(ROOT / "export" / "parity" / f"{model}.npz") as fixture:
        arrays = dict(fixture)
    feed = {
        name.removeprefix("input."): array
        for name, array in arrays.items()
        if name.startswith("input.")
    }
    answers = run(model, **feed)
    for name, answer in answers.items():
        np.testing.assert_allclose(
            answer, arrays[f"output.{name}"], rtol=1e-4, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("model", MODELS)
def test_the_file_loads_in_the_official_container(model):
    file = onnx.load(onnx_path(model), load_external_data=False)
    assert file.ir_version <= 10
    assert max(entry.version for entry in file.opset_import if entry.domain == "") <= 17
    assert {node.domain for node in file.graph.node} <= {"", "ai.onnx"}


def test_the_files_keep_a_clone_small():
    sizes = [onnx_path(model).stat().st_size for model in MODELS]
    assert max(sizes) <= 30 * MEGABYTE
    assert sum(sizes) <= 90 * MEGABYTE
