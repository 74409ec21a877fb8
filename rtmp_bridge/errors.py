"""Everything that can go wrong in the bridge: one tree of named errors."""

from __future__ import annotations


class BridgeError(Exception):
    """Any failure of the bridge."""


class SettingsError(BridgeError):
    """What the bridge is asked to do makes no sense or is not safe."""


class SourceError(BridgeError):
    """A connection ended or was ended.

    Attributes:
        reason: One word for metrics and logs: "unreachable", "unreadable", "lost", "silent",
            "limit", "key", "crashed", "hung", "failed".
    """

    def __init__(self, reason: str, message: str) -> None:
        """Keep the word beside the sentence."""
        super().__init__(message)
        self.reason = reason


class SentenceError(BridgeError):
    """A sentence or a subtitle file cannot be used."""
