"""Logs: for people and for machines, with what they are about and without keys."""

import json
import logging

import pytest

from rtmp_bridge.chunks import Chunk
from rtmp_bridge.logs import JsonFormatter, TextFormatter, configure_logs
from rtmp_bridge.outcomes import Kind, Outcome
from rtmp_bridge.state import State, StateChange

CHANGE = StateChange("door", State.STREAMING, State.RECONNECTING, "lost", "the connection was lost")
CHUNK = Chunk(7, 7.0, 1.0, (), None, 0, False, 1e9)
DROP = Outcome("door", CHUNK, Kind.DROP, 1e9 + 0.25, reason="gap", message="nothing here")


def record_of(message, name="rtmp_bridge", **extra):
    record = logging.LogRecord(name, logging.WARNING, "", 0, "%s", (message,), None)
    record.created = 1e9
    vars(record).update(extra)
    return record


def test_a_change_of_state_is_a_document():
    line = JsonFormatter().format(record_of(CHANGE.message, change=CHANGE))
    assert json.loads(line) == {
        "time": "2001-09-09T01:46:40.000Z",
        "level": "warning",
        "message": "the connection was lost",
        "stream": "door",
        "state": "reconnecting",
        "reason": "lost",
    }


def test_an_outcome_is_a_document():
    document = json.loads(JsonFormatter().format(record_of(DROP.message, outcome=DROP)))
    about = {name: document[name] for name in ("stream", "chunk", "kind", "latency", "reason")}
    assert about == {"stream": "door", "chunk": 7, "kind": "drop", "latency": 0.25, "reason": "gap"}


def test_people_get_a_line():
    line = TextFormatter().format(record_of(CHANGE.message, change=CHANGE))
    assert line == (
        "2001-09-09T01:46:40.000Z WARNING the connection was lost "
        "(stream=door state=reconnecting reason=lost)"
    )


def test_other_libraries_are_named():
    assert "logger=grpc" in TextFormatter().format(record_of("busy", name="grpc"))


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_what_was_not_expected_has_its_traceback(formatter):
    try:
        raise KeyError("what")
    except KeyError as error:
        record = record_of("failed", exc_info=(KeyError, error, error.__traceback__))
    assert "Traceback" in formatter.format(record)


@pytest.fixture
def levels():
    """Put the levels back as they were."""
    names = (None, "rtmp_bridge", "libav")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    yield
    for logger, level in before:
        logger.setLevel(level)


def test_ffmpeg_says_nothing_that_could_hold_a_key(levels, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_logs(as_json=True, level="INFO")
    logging.getLogger("libav.rtmp").error("rtmp://host/live/key: broken")
    logging.getLogger("rtmp_bridge").info("here")
    logging.getLogger("httpx").info("not this")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "here"
