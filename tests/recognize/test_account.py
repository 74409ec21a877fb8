"""What operators see of a request."""

from __future__ import annotations

import json

import numpy as np
import pytest
from account import Account, Visit
from evidence import Evidence, absent, unanswered


class Counts(dict):
    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        key = (name, *sorted(labels.values()))
        self[key] = self.get(key, 0) + value


def evidence() -> dict[str, Evidence]:
    video = Evidence(
        "video", True, 3, context=np.zeros((2, 4106)), error_code=2, message="secret", seconds=4.0
    )
    return {"text": absent("text"), "speech": unanswered("speech", "gone"), "video": video}


def test_a_request_is_counted_by_outcome_and_its_modalities_by_status():
    counts = Counts()
    Account(counts, logs=False).close(Visit("", evidence=evidence()))
    assert counts == {
        ("requests", "ok"): 1,
        ("modalities", "DOWN", "speech"): 1,
        ("modalities", "BLURRED", "video"): 1,
        ("clip_seconds", "video"): 4,
        ("faces",): 2,
    }


def test_a_refusal_is_counted_by_its_reason():
    counts = Counts()
    Account(counts, logs=False).close(Visit("", outcome="invalid", reason="past rows"))
    assert counts == {("requests", "invalid"): 1, ("refusals", "past rows"): 1}


@pytest.mark.parametrize("request_id", ["plain", 'quote" and\nline', "x" * 10_000, "한글"])
def test_a_request_is_one_line_of_json_without_its_content(capsys, request_id):
    Account(Counts(), logs=True).close(Visit(request_id, bytes=12, evidence=evidence()))
    written = capsys.readouterr().err
    assert written.count("\n") == 1 and len(written) < 1_000 and "secret" not in written
    entry = json.loads(written)
    assert entry["request_id"] == request_id[:64] and entry["bytes"] == 12
    assert entry["modalities"] == {"speech": "DOWN", "video": "BLURRED"}
    assert entry["outcome"] == "ok" and entry["seconds"] >= 0


def test_the_access_log_can_be_turned_off(capsys):
    Account(Counts(), logs=False).close(Visit("id"))
    assert capsys.readouterr().err == ""
