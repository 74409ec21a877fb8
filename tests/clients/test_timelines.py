"""Flicker and lag of timelines whose figures can be counted by hand."""

from __future__ import annotations

import csv
import json

import pytest

from clients.contract import EMOTION_CODES
from clients.evaluation.timelines import Change, Moment, Stretch, course_of, flicker, main


def moments(*leaders):
    """One moment a second; None stands for a refusal."""
    return [
        Moment(second, second + 1, leader or "", "" if leader else "no face")
        for second, leader in enumerate(leaders)
    ]


def test_flicker_counts_changes_between_answers_that_follow_each_other():
    # Three steps between answers, two of which change the leader; nothing over the refusal.
    assert flicker(moments("fear", "anger", "fear", None, "anger", "anger")) == 60 * 2 / 3
    assert flicker(moments("fear", None, "anger")) is None


def test_lag_is_told_of_the_whole_and_of_each_change():
    said = moments(*["fear"] * 5, *["anger"] * 5)
    shown = [Stretch(0, 3, "fear"), Stretch(3, 8, "anger"), Stretch(8, 10, "sadness")]
    course = course_of("film", said, shown)
    # Seconds 3 and 4 are late, 8 and 9 are wrong.
    assert course.accuracy == 6 / 10
    # Delayed by 2 s: only what is sad is missed, and that is beyond the end.
    assert (course.lag, course.accuracy_at_lag) == (2, 1)
    assert course.changes == [
        Change(3, "fear", "anger", 3),
        Change(8, "anger", "sadness", None),
    ]
    assert (course.median_lag, course.followed) == (3, 0.5)
    assert course.changes_shown == 60 * 2 / 10


def test_refusals_are_counted_by_reason_and_labels_are_not_needed():
    course = course_of("film", moments("fear", None, None), [])
    assert (course.moments, course.answered, course.reasons) == (3, 1, {"no face": 2})
    assert (course.accuracy, course.lag, course.changes) == (None, None, [])


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("recording,begin,end,emotion\nfilm,0,2,fear\nfilm,2,4,anger\n", "utf-8")
    return path


def client_csv(path):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["recording", "begin", "end", "top", "refusal"])
        writer.writerows([["film", 0, 1, "fear", ""], ["film", 1, 2, "fear", ""]])
        writer.writerow(["film", 2, 3, "", "video (error_code 6): No face was found."])
        writer.writerow(["film", 3, 4, "anger", ""])


def bridge_jsonl(path):
    def record(second, **told):
        return {"stream": "film", "stream_time": second, "latency": second / 10} | told

    def result(leader):
        codes = {code: float(name == leader) for code, name in EMOTION_CODES.items()}
        return {"kind": "result", "result": codes}

    records = [record(second, **result("fear")) for second in (1, 2)]
    records.append(record(3, kind="drop", reason="buffer_full", message=""))
    records.append(record(4, **result("anger")))
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "write", "reason", "latency"),
    [
        ("client.csv", client_csv, "no face", None),
        ("bridge.jsonl", bridge_jsonl, "buffer_full", 0.25),
    ],
)
def test_timelines_of_the_client_and_of_the_bridge_are_measured(
    tmp_path, labels, capsys, name, write, reason, latency
):
    write(tmp_path / name)
    arguments = [str(tmp_path / name), "--labels", str(labels), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    written = json.loads((tmp_path / "out/timelines.json").read_text(encoding="utf-8"))
    (course,) = written["recordings"]
    assert (course["answered"], course["reasons"]) == (3, {reason: 1})
    assert (course["accuracy"], course["latency"]) == (1, latency)
    assert course["changes"] == [{"at": 2, "before": "fear", "after": "anger", "lag": 2}]
    assert written["summary"]["accuracy"]["why"] == "samples: 1, at least 10 needed"
    assert capsys.readouterr().out.startswith(f"film: 3 of 4 moments answered ({reason} 1)")


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ("begin,end,emotion\n0,1,joy\n", "row 2: emotion: expected happiness"),
        ("begin,end,emotion\n2,1,fear\n", "row 2: expected 0 <= begin < end"),
        ("begin,emotion\n0,fear\n", "end not found"),
        ("recording,begin,end,emotion\nother,0,1,fear\n", "no timeline of other; there are: film"),
    ],
)
def test_wrong_labels_are_named(tmp_path, caplog, told, cause):
    client_csv(tmp_path / "client.csv")
    (tmp_path / "labels.csv").write_text(told, encoding="utf-8")
    arguments = ["--labels", str(tmp_path / "labels.csv"), "--out", str(tmp_path / "out")]
    assert main([str(tmp_path / "client.csv"), *arguments]) == 2
    assert cause in caplog.text


def test_what_is_no_timeline_is_named(tmp_path, caplog):
    (tmp_path / "wrong.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    assert main([str(tmp_path / "wrong.jsonl"), "--out", str(tmp_path / "out")]) == 2
    assert "wrong.jsonl: expected a timeline" in caplog.text
