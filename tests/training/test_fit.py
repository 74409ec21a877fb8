"""Training learns, and an interrupted training ends where an uninterrupted one does."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from training.fit import Schedule, checkpoint, fit, here, trained  # noqa: E402

SCHEDULE = Schedule(epochs=4, batch=16, rate=0.05, decay=0.0)


class InterruptionError(Exception):
    pass


def train(folder, stop_after=None, schedule=SCHEDULE):
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 1)
    inputs = torch.randn(64, 3)
    targets = inputs.sum(1, keepdim=True)
    finished = []

    def loss(indices):
        if stop_after is not None and len(finished) == stop_after:
            raise InterruptionError
        return (network(inputs[indices]) - targets[indices]).square().mean()

    def evaluate():
        finished.append(1)
        return {"error": float((network(inputs) - targets).square().mean())}

    fit(network, 64, loss, evaluate, schedule, folder)
    return network


def test_the_error_falls_and_is_logged(tmp_path):
    train(tmp_path)
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        errors = [float(row["error"]) for row in csv.DictReader(file)]
    assert len(errors) == 4
    assert errors[-1] < errors[0]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_epoch_that_was_logged_but_not_kept_is_logged_once(tmp_path):
    with pytest.raises(InterruptionError):
        train(tmp_path, stop_after=2)
    with (tmp_path / "log.csv").open("a", encoding="utf-8") as file:
        file.write("3,0.5,0.5\n")
    train(tmp_path)
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        assert [float(row["epoch"]) for row in csv.DictReader(file)] == [1, 2, 3, 4]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize(("uphill", "memory"), [(0.0, 0.0), (0.1, 0.9)])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, optimiser, uphill, memory):
    schedule = replace(SCHEDULE, optimiser=optimiser, uphill=uphill, memory=memory)
    whole = train(tmp_path / "whole", schedule=schedule)
    with pytest.raises(InterruptionError):
        train(tmp_path / "parts", stop_after=2, schedule=schedule)
    resumed = train(tmp_path / "parts", schedule=schedule)
    torch.testing.assert_close(resumed.weight, whole.weight, rtol=0, atol=0)
    logs = [(tmp_path / name / "log.csv").read_text("utf-8") for name in ("whole", "parts")]
    assert logs[0] == logs[1]


def test_a_checkpoint_of_a_graphics_card_is_taken_up_without_one(tmp_path, monkeypatch):
    with monkeypatch.context() as there:
        # What a tensor on a graphics card is written as.
        there.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        with pytest.raises(InterruptionError):
            train(tmp_path / "parts", stop_after=2)
    resumed, whole = train(tmp_path / "parts"), train(tmp_path / "whole")
    torch.testing.assert_close(resumed.weight, whole.weight, rtol=0, atol=0)
    again = trained(torch.nn.Linear(3, 1), tmp_path / "parts")
    torch.testing.assert_close(again.weight, whole.weight, rtol=0, atol=0)


def test_data_keep_their_type_where_they_are_trained_with():
    faces = here(np.full((2, 3), 200, np.uint8))
    assert (faces.dtype, faces.device) == (torch.uint8, torch.get_default_device())


def test_the_gradient_is_taken_uphill_and_the_weights_stay(tmp_path):
    network = torch.nn.Linear(1, 1, bias=False)
    seen = []

    def loss(_):
        weight = network.weight
        seen.append(weight.item())
        return (weight**2).sum()

    torch.nn.init.constant_(network.weight, 3.0)
    still = Schedule(epochs=1, batch=1, rate=0.0, decay=0.0, optimiser="sgd", uphill=0.5)
    fit(network, 1, loss, dict, still, tmp_path)
    assert seen == pytest.approx([3.0, 3.5])
    assert network.weight.item() == pytest.approx(3.0)
    assert network.weight.grad.item() == pytest.approx(5.0)  # Of 7, clipped.


def test_a_running_mean_is_steadier_than_the_last_weights(tmp_path):
    """A step that overshoots leaves the weight on either side of the best by turns."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    steady = Schedule(epochs=1, batch=1, rate=0.5, decay=0.0, optimiser="adamw", memory=0.95)

    def loss(_):
        return network.weight.abs().sum()

    fit(network, 200, loss, lambda: {"weight": network.weight.item()}, steady, tmp_path / "mean")
    mean = network.weight.item()
    assert checkpoint(tmp_path / "mean" / "last.pt")["network"]["weight"].item() == mean
    assert abs(mean) < abs(checkpoint(tmp_path / "mean" / "last.pt")["latest"]["weight"].item())


def test_a_network_that_was_never_trained_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="train the network first"):
        trained(torch.nn.Linear(1, 1), tmp_path)
