"""Own weights go into a repository folder of their own that serves like the project's."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="export needs PyTorch (requirements/export.txt)")

from export.__main__ import main  # noqa: E402
from export.repository import MODEL_REPOSITORY, RepositoryError  # noqa: E402
from server.lint import lint  # noqa: E402
from training.command import QUICK_MARK, QuickError  # noqa: E402
from training.networks.video import VideoNet  # noqa: E402

ENSEMBLE = MODEL_REPOSITORY.parent / "ensemble"


@pytest.fixture
def checkpoints(tmp_path) -> Path:
    """An untrained video network; seeded, as it must differ from the project's own."""
    folder = tmp_path / "checkpoints"
    (folder / "fusion" / "video").mkdir(parents=True)
    torch.manual_seed(1)
    state = {"network": VideoNet().state_dict()}
    torch.save(state, folder / "fusion" / "video" / "last.pt")
    return folder


def export(checkpoints: Path, repository: Path, *flags: str) -> None:
    arguments = ["--checkpoints", checkpoints, "--repository", repository]
    main([*map(str, arguments), "--only", "video_emotion", *flags])


def test_the_copy_serves_with_the_projects_ensembles_and_holds_the_new_weights(
    checkpoints, tmp_path
):
    repository = tmp_path / "own"
    export(checkpoints, repository)
    assert lint([repository, ENSEMBLE]) == []
    weights = sorted(
        path.relative_to(MODEL_REPOSITORY) for path in MODEL_REPOSITORY.rglob("*.onnx")
    )
    _, changed, missing = filecmp.cmpfiles(MODEL_REPOSITORY, repository, weights, shallow=False)
    assert [str(path) for path in changed] == ["video_emotion/1/model.onnx"] and not missing


def test_links_of_the_copy_lead_into_the_copy(checkpoints, tmp_path):
    export(checkpoints, tmp_path / "own")
    links = [path for path in (tmp_path / "own").rglob("*") if path.is_symlink()]
    assert len(links) == len([path for path in MODEL_REPOSITORY.rglob("*") if path.is_symlink()])
    assert all(tmp_path / "own" in link.resolve(strict=True).parents for link in links)


def test_the_projects_figures_are_not_passed_off_as_those_of_other_weights(checkpoints, tmp_path):
    export(checkpoints, tmp_path / "own")
    cards = [
        (folder / "video_emotion" / "README.md") for folder in (tmp_path / "own", MODEL_REPOSITORY)
    ]
    own, projects = (card.read_text("utf-8") for card in cards)
    assert "Measured" in projects and "Measured" not in own and "of our own" in own


def test_an_earlier_copy_takes_the_next_weights(checkpoints, tmp_path):
    export(checkpoints, tmp_path / "own")
    file = tmp_path / "own" / "video_emotion" / "1" / "model.onnx"
    before = file.read_bytes()
    torch.save({"network": VideoNet().state_dict()}, checkpoints / "fusion" / "video" / "last.pt")
    export(checkpoints, tmp_path / "own")
    assert file.read_bytes() != before


def test_a_failed_export_leaves_no_model_with_other_weights(checkpoints, tmp_path):
    (checkpoints / "fusion" / "video" / "last.pt").unlink()
    with pytest.raises(FileNotFoundError, match="train the network first"):
        export(checkpoints, tmp_path / "own")
    assert not (tmp_path / "own" / "video_emotion" / "1" / "model.onnx").exists()


def test_a_folder_of_something_else_is_left_alone(checkpoints, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").touch()
    with pytest.raises(RepositoryError, match="is neither empty nor a copy"):
        export(checkpoints, tmp_path / "own")


def test_what_quick_trained_is_exported_only_when_asked_and_never_over_the_real_thing(
    checkpoints, tmp_path
):
    (checkpoints / QUICK_MARK).touch()
    with pytest.raises(QuickError, match="export it with --quick"):
        export(checkpoints, tmp_path / "own")
    with pytest.raises(QuickError, match="a --repository of its own"):
        export(checkpoints, MODEL_REPOSITORY, "--quick")
    export(checkpoints, tmp_path / "own", "--quick")
    card = (tmp_path / "own" / "video_emotion" / "README.md").read_text("utf-8")
    assert "recognises nothing" in card
