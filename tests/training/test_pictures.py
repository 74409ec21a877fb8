"""The pictures of a training can be opened and hold what they are made of."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need Matplotlib (requirements/export.txt)")

from training.pictures import draw_confusions, draw_curves

CLASSES = ("happiness", "anger", "fear")


def test_each_part_adds_a_panel_and_a_class_without_examples_is_drawn(tmp_path):
    truth, guess = np.array([0, 0, 2]), np.array([0, 1, 1])
    draw_confusions(tmp_path / "one.png", {"dev": (truth, guess)}, CLASSES)
    parts = {"dev": (truth, guess), "test": (truth, truth)}
    draw_confusions(tmp_path / "two.png", parts, CLASSES)
    one, two = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("one", "two"))
    assert two.shape[1] == pytest.approx(2 * one.shape[1], abs=2)
    assert two.std() > 0


def test_curves_grow_with_the_log_and_bear_a_figure_that_came_later(tmp_path):
    rows = [{"epoch": 1, "loss": 2.0}]
    draw_curves(tmp_path / "curves.png", rows)
    first = cv2.imread(str(tmp_path / "curves.png"))
    draw_curves(tmp_path / "curves.png", [*rows, {"epoch": 2, "loss": 1.0, "dev_accuracy": 0.5}])
    second = cv2.imread(str(tmp_path / "curves.png"))
    assert second.shape[1] > first.shape[1]
