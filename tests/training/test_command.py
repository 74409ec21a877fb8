"""What every training command does with its options."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from training import command  # noqa: E402
from training.fit import Schedule  # noqa: E402

SCHEDULE = Schedule(epochs=9, batch=16, rate=0.1, decay=0.0)


def start(*arguments: str):
    return command.start(command.parser(None), ["--data", "data", *arguments])


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_schedule_is_the_networks_own_unless_told_otherwise():
    assert command.scaled(SCHEDULE, start()) == SCHEDULE
    told = command.scaled(SCHEDULE, start("--epochs", "3", "--seed", "5"))
    assert (told.epochs, told.seed) == (3, 5)
    assert command.scaled(SCHEDULE, start("--quick")).epochs == command.QUICK_EPOCHS


def test_quick_checkpoints_keep_to_a_marked_folder_of_their_own():
    assert start("--quick").out == Path("build/quick")
    assert command.is_quick(Path("build/quick"))
    assert start().out == Path("build/training")
    assert not command.is_quick(Path("build/training"))


@pytest.mark.parametrize(("first", "second"), [([], ["--quick"]), (["--quick"], [])])
def test_real_and_quick_checkpoints_do_not_mix(first, second):
    options = start("--out", "checkpoints", *first)
    (options.out / "face").mkdir(parents=True)
    start("--out", "checkpoints", *first)
    with pytest.raises(command.QuickError, match="need another --out"):
        start("--out", "checkpoints", *second)


def test_quick_keeps_a_few_rows_of_each_label_and_split(tmp_path):
    lines = [
        f"{emotion} {split} {index},{emotion},{split}"
        for emotion in ("fear", "anger")
        for split in ("train", "dev", "test")
        for index in range(9)
    ]
    text = "\n".join(["text,emotion,split", *lines])
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    parser = command.parser(None)
    whole = command.open_data(command.start(parser, ["--data", str(tmp_path)]))
    few = command.open_data(command.start(parser, ["--data", str(tmp_path), "--quick"]))
    assert len(whole.samples) == 54
    assert len(few.samples) == 6 * command.QUICK_ROWS


def test_data_that_cannot_be_used_end_a_command_with_the_cause(tmp_path):
    with pytest.raises(SystemExit, match="error: data: expected manifest"):
        command.run(lambda: command.open_data(start()))


def test_training_is_on_the_processor_unless_told_otherwise():
    assert start().device == "cpu"
    assert torch.get_default_device().type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_a_graphics_card_that_is_not_there_is_named_or_done_without(monkeypatch):
    assert start("--device", "auto").device == "cpu"
    with pytest.raises(SystemExit, match="--device cuda: expected a graphics card with CUDA"):
        command.run(lambda: start("--device", "cuda"))
