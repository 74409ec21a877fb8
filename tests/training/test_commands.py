"""A manifest, training commands and an export make a repository folder that answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

import export.__main__
import training.face
import training.report
from export.repository import MODEL_REPOSITORY
from server.lint import lint
from tests.training.tiny_corpus import write_corpus

ENSEMBLE = MODEL_REPOSITORY.parent / "ensemble"
NETWORKS = ("face/emotion", "face/attributes")
MODELS = ("vgg_face", "age_gender")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus")).parent


@pytest.fixture(scope="module")
def checkpoints(data, tmp_path_factory) -> Path:
    """What the commands leave behind; none of them may ask for anything but the corpus."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        training.face.main(["--data", str(data), "--out", str(folder / "checkpoints"), "--quick"])
    return folder / "checkpoints"


@pytest.mark.parametrize("network", NETWORKS)
def test_each_training_leaves_a_log_and_its_pictures(checkpoints, network):
    names = {path.name for path in (checkpoints / network).iterdir()}
    assert {"last.pt", "log.csv", "curves.png", "confusion.png"} <= names
    with (checkpoints / network / "log.csv").open(encoding="utf-8") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_the_report_measures_the_test_split_as_a_table_and_as_json(checkpoints, data, capsys):
    options = ["--data", str(data), "--out", str(checkpoints), "--quick"]
    training.report.main([*options, "--only", "face", "people"])
    table = capsys.readouterr().out
    rows = json.loads((checkpoints / "report.json").read_text("utf-8"))
    assert {row["what"] for row in rows} >= {"face emotion", "face age, all", "face gender, female"}
    assert all(row["what"] in table for row in rows)
    # Two of the ten people are held back, with a face for each emotion.
    assert rows[0]["figure"]["n"] == 14


def test_what_was_trained_makes_a_repository_that_fits_the_projects_ensembles(checkpoints):
    folder = checkpoints.parent / "repository"
    arguments = ["--checkpoints", str(checkpoints), "--repository", str(folder), "--quick"]
    export.__main__.main([*arguments, "--only", *MODELS])
    assert lint([folder, ENSEMBLE]) == []
