"""Everything that can go wrong between a recording and its answer: one tree of named errors."""

from __future__ import annotations

from tritonclient.utils import InferenceServerException

from clients.addresses import explanation

#: Triton's words for a restricted endpoint that is asked without its key.
RESTRICTED = "protocol is restricted"
#: Triton's words for a model that is not loaded now: a server that stops takes it out first.
NOT_LOADED = "has no available versions"


class RecogniserError(Exception):
    """Any failure of the client library."""


class MediaTypeError(RecogniserError, TypeError):
    """Media of a type, shape or rate that is not taken; says what was expected and what came."""


class AddressError(RecogniserError, ValueError):
    """An address at which no gRPC server can be; says what was expected and what came."""


class ClientNotOpenError(RecogniserError, RuntimeError):
    """The client is not open: closed already, not entered yet, or entered in another event loop."""


class UnreadableFileError(RecogniserError):
    """A file of the caller's (media, certificate, key) cannot be read."""


class UncuttableMediaError(RecogniserError):
    """A long recording offers no place to be cut within the server's limits."""


class ManifestError(RecogniserError):
    """A manifest cannot be used; the message names the row and says why."""


class TimelineError(RecogniserError):
    """A timeline's file is of no known format, or its format needs a package that is missing."""


class ServerUnavailableError(RecogniserError):
    """Nobody answers at the address, or the server is too busy, after every attempt."""


class RequestTimeoutError(RecogniserError):
    """The answer did not come in time."""


class InputRefusedError(RecogniserError):
    """The server cannot use the input.

    Attributes:
        sentence: The server's own explanation.
    """

    def __init__(self, message: str, sentence: str) -> None:
        """Keep the server's sentence beside the whole message."""
        super().__init__(message)
        self.sentence = sentence


class AccessDeniedError(RecogniserError):
    """The server does not accept the token or the client certificate."""


class SharedMemoryRefusedError(RecogniserError):
    """The server does not take inputs from memory that this process shares."""


class ServerFailedError(RecogniserError):
    """The server failed in a way that is neither the input's fault nor a matter of waiting."""


class UnexpectedAnswerError(RecogniserError):
    """The answer is not what this version of the library understands."""


def from_grpc(
    error: InferenceServerException, url: str, model: str, timeout: float, attempts: int
) -> RecogniserError:
    """Name a gRPC failure.

    Args:
        error: What tritonclient raised.
        url: The server's host:port.
        model: The model asked.
        timeout: Seconds that the request was allowed to take in all.
        attempts: How often it was sent.

    Returns:
        The named error; its text says what was asked, what was expected and what came.
    """
    status = (error.status() or "UNKNOWN").removeprefix("StatusCode.")
    sentence = error.message() or "no explanation"
    asked = f"{model} at {url}"
    # Triton says UNAVAILABLE where the key of an endpoint is missing; waiting does not mend it.
    if status in ("UNAUTHENTICATED", "PERMISSION_DENIED") or RESTRICTED in sentence:
        return AccessDeniedError(f"{asked} denied access ({status}): {sentence}")
    if status == "UNAVAILABLE" or (status == "NOT_FOUND" and NOT_LOADED in sentence):
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        why = explanation(url, sentence) if status == "UNAVAILABLE" else ""
        return ServerUnavailableError(f"{asked}: no answer after {times}: {sentence}{why}")
    if status == "DEADLINE_EXCEEDED":
        why = explanation(url, sentence)
        return RequestTimeoutError(
            f"{asked}: expected an answer within {timeout:g} s, none came{why}"
        )
    if status == "INVALID_ARGUMENT":
        return InputRefusedError(f"{asked} refused the input: {sentence}", sentence)
    return ServerFailedError(f"{asked} failed with {status}: {sentence}")
