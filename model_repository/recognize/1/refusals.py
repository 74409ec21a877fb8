"""Why a request gets no result."""

from __future__ import annotations


class RefusalError(Exception):
    """A request that gets no result, with a sentence for its sender.

    Attributes:
        outcome: How the request ended, for the operator.
        code: The name of Triton's error code.
        reason: What kind of cause it had, for the operator; one of few words.
    """

    outcome = "failed"
    code = "INTERNAL"

    def __init__(self, reason: str, message: str) -> None:
        """Keep the reason beside the sentence."""
        super().__init__(message)
        self.reason = reason


class InvalidRequestError(RefusalError):
    """A request that nobody can answer."""

    outcome = "invalid"
    code = "INVALID_ARG"


class UnavailableError(RefusalError):
    """A request that cannot be answered now, through no fault of its own."""

    outcome = "unavailable"
    code = "UNAVAILABLE"


class RequestCancelledError(RefusalError):
    """A request whose client is gone."""

    outcome = "cancelled"
    code = "CANCELLED"


class RequestExpiredError(RefusalError):
    """A request whose own time limit has passed; Triton's codes have none for it."""

    outcome = "expired"
    code = "CANCELLED"


class NotFiniteError(RefusalError):
    """A result that cannot be written: the networks gave a figure that is not finite."""
