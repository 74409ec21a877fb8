"""Logs for people, or a JSON document a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from rtmp_bridge.outcomes import Outcome, iso_time
from rtmp_bridge.state import StateChange


class JsonFormatter(logging.Formatter):
    """A JSON document a line: time, level, message, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        document = {
            "time": iso_time(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **details_of(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line that a person reads."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        details = " ".join(f"{name}={value}" for name, value in details_of(record).items())
        line = f"{iso_time(record.created)} {record.levelname} {record.getMessage()}"
        line = f"{line} ({details})" if details else line
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def details_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record of the bridge is about; of other libraries, who says it."""
    change: StateChange | None = getattr(record, "change", None)
    outcome: Outcome | None = getattr(record, "outcome", None)
    if change is not None:
        details = {"stream": change.stream, "state": change.after.value, "reason": change.reason}
    elif outcome is not None:
        details = {
            "stream": outcome.stream,
            "chunk": outcome.chunk.index,
            "kind": outcome.kind.value,
            "latency": round(outcome.latency, 3),
            "reason": outcome.reason,
        }
    else:
        details = {} if record.name == "rtmp_bridge" else {"logger": record.name}
    return {name: value for name, value in details.items() if value != ""}


def configure_logs(as_json: bool, level: str) -> None:
    """Send everything to stderr.

    Args:
        as_json: Whether machines read it.
        level: The least that is told, e.g. "INFO".
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("rtmp_bridge").setLevel(level)
    # FFmpeg's own messages name addresses, and with them keys.
    logging.getLogger("libav").setLevel(logging.CRITICAL)
