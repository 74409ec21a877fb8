"""A manifest, four commands and an export make a repository folder that answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

import export.__main__
import training.face
import training.fusion
import training.report
import training.speech
import training.speech_folds
import training.text
from clients import Media, Recogniser
from clients.contract import EMOTION_CODES
from export.repository import MODEL_REPOSITORY
from server import running_server
from server.lint import lint
from tests.training.tiny_corpus import write_corpus
from training.fit import trained
from training.networks.face import EmotionNet

DEMO = MODEL_REPOSITORY.parent / "demo"
ENSEMBLE = MODEL_REPOSITORY.parent / "ensemble"
NETWORKS = (
    "face/emotion",
    "face/attributes",
    "speech",
    "text",
    "fusion/video",
    "fusion/fusion",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus")).parent


@pytest.fixture(scope="module")
def checkpoints(data, tmp_path_factory) -> Path:
    """What the commands leave behind, and beside it the repository that fusion asks.

    None of them may ask for anything but the corpus.
    """
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for network in (training.face, training.speech, training.text):
            network.main(_options(data, folder / "checkpoints"))
        _export(folder / "checkpoints", "vgg_face", "age_gender", "speech_cnn", "text_encoder")
        options = ["--repository", str(folder / "repository")]
        training.fusion.main([*_options(data, folder / "checkpoints"), *options])
        _export(folder / "checkpoints", "video_emotion", "fusion")
    return folder / "checkpoints"


def _export(checkpoints: Path, *models: str) -> None:
    folder = checkpoints.parent / "repository"
    arguments = ["--checkpoints", str(checkpoints), "--repository", str(folder), "--quick"]
    export.__main__.main([*arguments, "--only", *models])


def _options(data: Path, checkpoints: Path) -> list[str]:
    return ["--data", str(data), "--out", str(checkpoints), "--quick"]


@pytest.fixture(scope="module")
def repository(checkpoints) -> Path:
    return checkpoints.parent / "repository"


@pytest.mark.parametrize("network", NETWORKS)
def test_each_training_leaves_a_log_and_its_pictures(checkpoints, network):
    names = {path.name for path in (checkpoints / network).iterdir()}
    assert {"last.pt", "log.csv", "curves.png", "confusion.png"} <= names
    with (checkpoints / network / "log.csv").open(encoding="utf-8") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_a_trained_face_network_is_refined(checkpoints, data, tmp_path):
    start = checkpoints / "face" / "emotion" / "last.pt"
    options = [*_options(data, tmp_path / "refined"), "--only", "emotion", "--start", str(start)]
    training.face.main(options)
    before, after = (
        trained(EmotionNet(), folder / "face" / "emotion")
        for folder in (checkpoints, tmp_path / "refined")
    )
    assert not after.emotion.weight.equal(before.emotion.weight)
    assert after.expression.emotion.weight.equal(before.expression.emotion.weight)


def test_the_report_measures_the_test_split_as_a_table_and_as_json(checkpoints, data, capsys):
    training.report.main(_options(data, checkpoints))
    table = capsys.readouterr().out
    rows = json.loads((checkpoints / "report.json").read_text("utf-8"))
    found = {row["what"] for row in rows}
    assert found >= {"face emotion", "face age, all", "voice gender, 4 speakers"}
    assert found >= {"text emotion, tiny", "own sentences, negation"}
    assert all(what in table for what in found)
    # Two of the ten people are held back, with a face for each emotion.
    assert rows[0]["figure"]["n"] == 14


def test_cross_validation_measures_every_speaker(checkpoints, data, capsys):
    training.speech_folds.main([*_options(data, checkpoints), "--folds", "2"])
    rows = json.loads((checkpoints / "speech" / "folds.json").read_text("utf-8"))
    assert "voice gender, 10 speakers" in {row["what"] for row in rows}
    assert "voice gender, 10 speakers" in capsys.readouterr().out


def test_the_new_repository_fits_the_projects_ensembles(repository):
    assert lint([repository, ENSEMBLE]) == []


def test_the_new_repository_serves_all_three_modalities(repository):
    folders = [f"--model-repository={path}" for path in (repository, ENSEMBLE)]
    with running_server(*folders) as server, Recogniser(server.grpc_url) as recogniser:
        sentence = (DEMO / "sentence.txt").read_text(encoding="utf-8")
        answer = recogniser.recognise(Media(text=sentence, video=DEMO / "clip.mp4"))
    assert answer.failures == {}
    assert answer.document["undecided"] in (True, False)
    assert sum(answer.result[code] for code in EMOTION_CODES) == pytest.approx(1, abs=1e-3)
