"""The configuration lint: silent about this project's repositories, plain about broken ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format

from server.lint import lint, read_config
from server.runtime import REPOSITORIES


@pytest.fixture
def repositories(tmp_path: Path) -> list[Path]:
    """Copy both repositories, following links, as a container build does."""
    return [
        Path(shutil.copytree(repository, tmp_path / repository.name)) for repository in REPOSITORIES
    ]


def edit(path: Path, before: str, after: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert before in content
    path.write_text(content.replace(before, after, 1), encoding="utf-8")


def test_this_projects_repositories_have_no_problem():
    assert lint(REPOSITORIES) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "problem"),
    [
        ("model_repository/vgg_face/config.pbtxt", '"vgg_face"', '"vgg"', "the folder 'vgg_face'"),
        ("model_repository/vgg_face/config.pbtxt", "[ 224, 224, 3 ]", "[ 112, 112, 3 ]", "112"),
        ("model_repository/fusion/config.pbtxt", '"WEIGHTS"', '"SHARES"', "SHARES"),
        (
            "model_repository/speech_cnn/configs/gpu.pbtxt",
            "TYPE_FP32",
            "TYPE_FP16",
            "in input: run",
        ),
        ("model_repository/speech_cnn/config.pbtxt", "size: 64", "size: 32", "configs/gpu.pbtxt"),
        ("model_repository/fusion/config.pbtxt", '"VIDEO_AGE"', '"AGES"', "how large it becomes"),
        ("model_repository/face_crop/config.pbtxt", "count: 3, ", "", "no count"),
        ("ensemble/text/config.pbtxt", '"text_tokenizer"', '"tokeniser"', "tokeniser is in none"),
        ("ensemble/text/config.pbtxt", 'key: "IDS"', 'key: "TOKENS"', "has no output TOKENS"),
        ("ensemble/video/config.pbtxt", "TYPE_UINT8", "TYPE_FP32", "TYPE_FP32 is not TYPE_UINT8"),
        ("ensemble/speech/config.pbtxt", "[ -1, 768 ]", "[ -1, 512 ]", "does not fit"),
        ("model_repository/text_tokenizer/config.pbtxt", ", optional: true", "", "optional input"),
    ],
)
def test_a_broken_repository_is_explained(repositories, tmp_path, file, before, after, problem):
    edit(tmp_path / file, before, after)
    assert any(problem in sentence for sentence in lint(repositories)), lint(repositories)


def test_a_missing_file_is_named(repositories, tmp_path):
    (tmp_path / "model_repository/fusion/1/model.onnx").unlink()
    (tmp_path / "model_repository/recognize/1/model.py").unlink()
    assert lint(repositories) == [
        "fusion: 1/model.onnx is missing",
        "recognize: 1/model.py is missing",
    ]


@pytest.mark.parametrize("path", sorted(p for r in REPOSITORIES for p in r.rglob("*.pbtxt")))
def test_every_configuration_is_what_triton_itself_would_parse(path):
    config = read_config(path)
    assert text_format.Parse(text_format.MessageToString(config), type(config)()) == config


def test_a_variant_of_other_weights_is_named(repositories, tmp_path):
    weights = tmp_path / "model_repository/fusion/1/model.onnx"
    weights.write_bytes(weights.read_bytes() + b"\x7a\x00")  # an empty doc string
    (problem,) = lint(repositories)
    assert "fusion: configs/tensorrt.pbtxt does not belong" in problem
    assert "optimization" in problem


def test_onnx_models_have_a_gpu_and_a_tensorrt_variant_and_the_base_names_no_device():
    bases = [
        path
        for repository in REPOSITORIES
        for path in repository.glob("*/config.pbtxt")
        if read_config(path).backend == "onnxruntime"
    ]
    assert len(bases) == 6
    for path in bases:
        assert all(g.kind == g.KIND_AUTO for g in read_config(path).instance_group)
        assert {variant.stem for variant in path.parent.glob("configs/*")} == {"gpu", "tensorrt"}
