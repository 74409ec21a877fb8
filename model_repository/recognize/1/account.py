"""What operators see of the requests: counters, and one line each; never their content."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from evidence import STATUSES, Evidence
from metrics import Counters

#: Longer request ids are cut: they are their sender's choice.
LONGEST_ID = 64


@dataclass
class Visit:
    """One request, as far as it is known.

    Attributes:
        request_id: The client's own.
        bytes: Bytes of its media.
        evidence: What its modalities brought, by name.
        outcome: How it ended: ok, invalid, unavailable, cancelled, expired or failed.
        reason: Why it was refused.
        began: On the monotonic clock, in seconds.
    """

    request_id: str
    bytes: int = 0
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    outcome: str = "ok"
    reason: str = ""
    began: float = field(default_factory=time.monotonic)


class Account:
    """Counts requests and writes the access log.

    Args:
        counters: The model's counters.
        logs: Whether each request gets its line on stderr.
    """

    def __init__(self, counters: Counters, logs: bool) -> None:
        self._counters = counters
        self._logs = logs

    def close(self, visit: Visit) -> None:
        """Take down a request that has been answered."""
        statuses = {name: _status(one) for name, one in visit.evidence.items() if one.present}
        self._counters.add("requests", outcome=visit.outcome)
        if visit.reason:
            self._counters.add("refusals", reason=visit.reason)
        for modality, status in statuses.items():
            self._counters.add("modalities", modality=modality, status=status)
        self._count_media(visit.evidence)
        if self._logs:
            sys.stderr.write(_line(visit, statuses))

    def _count_media(self, evidence: Mapping[str, Evidence]) -> None:
        for modality, one in evidence.items():
            if one.seconds:
                self._counters.add("clip_seconds", one.seconds, modality=modality)
        faces = len(evidence["video"].context) if "video" in evidence else 0
        if faces:
            self._counters.add("faces", faces)


def _status(evidence: Evidence) -> str:
    return STATUSES[evidence.modality](evidence.error_code).name if evidence.answered else "DOWN"


def _line(visit: Visit, statuses: Mapping[str, str]) -> str:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    entry = {
        "time": now,
        "model": "recognize",
        "request_id": visit.request_id[:LONGEST_ID],
        "modalities": statuses,
        "bytes": visit.bytes,
        "seconds": round(time.monotonic() - visit.began, 4),
        "outcome": visit.outcome,
    }
    if visit.reason:
        entry["reason"] = visit.reason
    return json.dumps(entry) + "\n"
