"""How the number of streams that holds is found."""

from __future__ import annotations

import pytest

from benchmarks.streams import MOST_LOST, search, trial_of

CORES = {"server": 1.2, "bridge": 0.4, "publishers": 0.1}


def line(kind="result", latency=0.2, reason=""):
    return {"kind": kind, "latency": latency, "reason": reason}


def measured(count, capacity):
    kinds = ["result"] if count <= capacity else ["drop"]
    return trial_of(count, [line(kind, reason="buffer_full") for kind in kinds], CORES)


@pytest.mark.parametrize("capacity", [*range(17), 40])
def test_the_search_ends_at_the_most_that_hold(capacity):
    trials = list(search(lambda count: measured(count, capacity), 16))
    held = [trial.streams for trial in trials if trial.lost <= MOST_LOST]
    assert max(held, default=0) == min(capacity, 16)
    assert all(1 <= trial.streams <= 16 for trial in trials)
    assert len(trials) <= 9


def test_a_trial_tells_what_was_lost_how_late_and_what_it_cost():
    lines = [line(latency=index / 100) for index in range(99)]
    trial = trial_of(8, [*lines, line("drop", reason="buffer_full")], CORES)
    assert (trial.chunks, trial.lost, trial.reasons) == (100, 0.01, {"buffer_full": 1})
    assert trial.latency_p50 == pytest.approx(0.49)
    assert trial.latency_p95 == pytest.approx(0.931)
    assert trial.cores_a_stream == pytest.approx(0.2)


def test_a_trial_without_a_result_has_no_latency():
    trial = trial_of(1, [line("error", reason="timeout")], CORES)
    assert (trial.lost, trial.latency_p95) == (1.0, None)
