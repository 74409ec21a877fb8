"""How sure an answer is said to be."""

from __future__ import annotations

import json

import numpy as np
import pytest
from decision import Decision, conflict, read_decision

CERTAIN = np.eye(7)
EVEN = np.full(7, 1 / 7)


def test_one_modality_is_in_no_conflict():
    assert conflict([]) == conflict([CERTAIN[0]]) == 0


@pytest.mark.parametrize("count", [2, 3])
def test_conflict_is_whole_when_each_is_certain_of_another_emotion(count):
    assert conflict(CERTAIN[:count]) == pytest.approx(1)
    assert conflict([CERTAIN[0]] * count) == pytest.approx(0)


def test_what_tells_nothing_is_in_less_conflict_than_what_contradicts():
    sad, happy = CERTAIN[5] * 0.93 + 0.01, CERTAIN[0] * 0.93 + 0.01
    assert 0 < conflict([sad, EVEN]) < conflict([sad, happy]) < 1


def test_the_order_of_the_modalities_does_not_matter():
    three = np.random.default_rng(0).dirichlet(np.ones(7), 3)
    assert conflict(three) == pytest.approx(conflict(three[::-1]))


def test_networks_that_nobody_measured_have_no_bound(tmp_path):
    assert read_decision(tmp_path / "decision.json") is None


def test_the_bound_is_read_from_its_file(tmp_path):
    file = tmp_path / "decision.json"
    file.write_text(json.dumps({"error_rate": 0.2, "confidence": 0.55}), encoding="utf-8")
    assert read_decision(file) == Decision(0.2, 0.55)
