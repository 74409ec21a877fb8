"""What the quality network is taught: targets follow what is hidden, examples are reproducible."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training import covers
from training.networks.quality import QualityNet, ServedQuality
from training.quality import SCHEDULE, found_shares, known_loss, train
from training.quality_data import INPUT, SIDE, Originals, blur_truly, example
from training.quality_faces import without_copies

#: Where MTCNN sees eyes, nose and mouth of a face from the front, in pixels of a kept face.
LANDMARKS = np.array([[54, 58], [82, 58], [68, 76], [57, 90], [79, 90]], np.float32)


@pytest.fixture
def originals() -> Originals:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    faces = [
        128 + 60 * np.sin(x / random.uniform(3, 9)) + 40 * np.cos(y / random.uniform(3, 9))
        for _ in range(6)
    ]
    inside = np.zeros((6, SIDE, SIDE), np.uint8)
    inside[:, 20:-20, 20:-20] = 255
    return Originals(np.array(faces).astype(np.uint8), inside, np.repeat(LANDMARKS[None], 6, 0))


def drawn_often(draw, originals: Originals, times: int = 30) -> list[bool | None]:
    frame, found = covers.Frame(LANDMARKS), []
    for seed in range(times):
        face = originals.pictures[seed % 6].copy()
        _, mask = draw(face, frame, np.random.default_rng(seed))
        found.append(covers.is_covered(covers.shares(mask, frame)))
    return found


@pytest.mark.parametrize("draw", covers.COVERS + covers.HELD_BACK_COVERS)
def test_a_cover_mostly_covers(draw, originals):
    found = drawn_often(draw, originals)
    assert found.count(True) > len(found) / 3 and found.count(True) > found.count(False)


@pytest.mark.parametrize("draw", sorted(set(covers.ORDINARY), key=lambda draw: draw.__name__))
def test_ordinary_things_seldom_cover(draw, originals):
    found = drawn_often(draw, originals)
    assert found.count(False) > 2 * found.count(True)


def test_targets_tell_what_was_done(originals):
    random = np.random.default_rng(1)
    nothing = np.zeros((0, SIDE, SIDE), np.uint8)
    targets = []
    for index in range(120):
        picture, target = example(originals, index % 6, nothing, random)
        assert picture.shape == (INPUT, INPUT) and picture.dtype == np.uint8
        targets.append(tuple(target))
    assert {(0, 0, 0), (1, -1, 0), (-1, 1, 0), (-1, -1, 1)} <= set(targets)


@pytest.mark.parametrize("way", ["soft", "focus", "motion", "shrunk"])
def test_a_blur_takes_detail_away(way, originals):
    face = originals.pictures[0]
    blurred = blur_truly(face, np.random.default_rng(0), way)
    assert np.abs(np.diff(blurred.astype(int))).mean() < np.abs(np.diff(face.astype(int))).mean()


def test_open_targets_cost_nothing():
    logits = torch.tensor([[50.0, -3.0, 2.0]], requires_grad=True)
    known_loss(logits, torch.tensor([[-1.0, 0.0, -1.0]])).backward()
    assert logits.grad[0, 0] == logits.grad[0, 2] == 0 and logits.grad[0, 1] > 0


def test_shares_are_measured_where_few_clear_faces_are_refused():
    logits = torch.tensor([[0.0, 0, 0]] * 50 + [[1.0, 0, 0], [-1, 0, 0]])
    targets = torch.tensor([[0.0, 0, 0]] * 50 + [[1.0, -1, -1]] * 2)
    assert found_shares(logits, targets)["dev_blurred"] == 0.5


def test_exposure_is_no_quality():
    network = QualityNet().eval()
    face = torch.rand(1, 1, INPUT, INPUT) * 100 + 50
    with torch.no_grad():
        assert torch.allclose(network(face), network(face + 40), atol=1e-3)
        served = ServedQuality(network)(face[:, 0].to(torch.uint8))
    assert served.shape == (1, 3) and bool(((served >= 0) & (served <= 1)).all())


def test_a_copy_of_what_is_held_back_is_not_learnt_from(originals):
    pictures = np.concatenate([originals.pictures, originals.pictures[:1]])
    splits = np.array(["test", "train", "train", "train", "train", "dev", "train"])
    assert without_copies(pictures, splits)[-1] == "unused"


def test_a_training_leaves_its_checkpoint(originals, tmp_path):
    splits = np.array(["train"] * 4 + ["dev"] * 2)
    nothing = np.zeros((0, SIDE, SIDE), np.uint8)
    schedule = SCHEDULE.__class__(epochs=1, batch=16, rate=1e-3, decay=0.0)
    train(originals, splits, nothing, (32, 64), schedule, tmp_path)
    assert (tmp_path / "last.pt").exists() and (tmp_path / "curves.png").exists()
