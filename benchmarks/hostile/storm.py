"""A storm: many requests from many threads, and what became of each."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import grpc
import numpy as np
from tritonclient.grpc import InferResult, service_pb2_grpc

from benchmarks.hostile.requests import Request

#: How an answer to a good request may differ from the one before the storm.
TOLERANCE = 1e-3
FUSED = ("EMOTION", "AGE", "GENDER")
EMOTION_CODES = tuple(f"1000{number}" for number in range(1, 8))
#: Seconds for which a good request is sent again while the server says that it is busy.
BUSY_PATIENCE = 60.0
BUSY_PAUSE = 0.25
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]

#: answered: with outputs. refused: with an error. gave up: its sender did, in time. hung: no answer
#: came. wrong: an answer that is not as it must be.
Fate = Literal["answered", "refused", "gave up", "hung", "wrong"]


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    Attributes:
        number: The request's.
        kind: The request's.
        fate: See `Fate`.
        cause: The error's status and words, what is wrong, or what failed modalities say; figures
            and names are left out, so that like causes are alike.
        begin: When it was sent, in seconds of the storm.
        seconds: How long it took.
        busy: How often a good request was told that the server is busy.
    """

    number: int
    kind: str
    fate: Fate
    cause: str
    begin: float
    seconds: float
    busy: int = 0


class WrongAnswerError(AssertionError):
    """An answer that is not as it must be."""


class Wire:
    """A connection; used by one thread at a time."""

    def __init__(self, url: str) -> None:
        """Connect to a server's gRPC front end at host:port when the first request is sent."""
        self._channel = grpc.insecure_channel(url, options=_CHANNEL)
        self._infer = service_pb2_grpc.GRPCInferenceServiceStub(self._channel).ModelInfer

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()

    def ask(self, request: Request) -> InferResult:
        """Send a request and wait for its answer.

        Raises:
            grpc.RpcError: It was refused, or the time was up.
        """
        return InferResult(self._infer(request.message(), timeout=request.seconds))


def known_answers(url: str, good: dict[str, Request]) -> dict[str, dict[str, np.ndarray]]:
    """Ask the good requests of a calm server, by name; their tensors by name."""
    with Wire(url) as wire:
        return {name: _fused(wire.ask(request)) for name, request in good.items()}


def run_storm(
    url: str,
    request: Callable[[int], Request],
    numbers: Iterable[int],
    known: dict[str, dict[str, np.ndarray]],
    threads: int,
    stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Send requests from several threads until all are sent or it is to stop.

    Args:
        url: host:port of the server's gRPC front end.
        request: Makes the request of a number.
        numbers: Which are sent.
        known: What the good ones are answered with, by name.
        threads: How many requests are under way at a time.
        stop: Says whether no more shall be sent.

    Returns:
        The outcomes in the order in which they ended.
    """
    waiting, lock, begin = iter(numbers), threading.Lock(), time.monotonic()
    outcomes: list[Outcome] = []

    def work(_: int) -> None:
        with Wire(url) as wire:
            for number in _shared(waiting, lock):
                if stop():
                    return
                one = request(number)
                outcome = send(wire, one, number, known, begin)
                outcomes.append(outcome)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return outcomes


def send(
    wire: Wire,
    request: Request,
    number: int,
    known: dict[str, dict[str, np.ndarray]],
    storm_began: float = 0.0,
) -> Outcome:
    """Send one request and judge what came of it; a good one is sent again when all are busy."""
    begin = time.monotonic()
    fate, cause = _fate(wire, request, known)
    busy = 0
    while request.good and cause.startswith("UNAVAILABLE"):
        if time.monotonic() - begin > BUSY_PATIENCE:
            break
        time.sleep(BUSY_PAUSE)
        busy += 1
        fate, cause = _fate(wire, request, known)
    if request.good and fate == "refused":
        fate, cause = "wrong", f"a good request was refused: {cause}"
    seconds = time.monotonic() - begin
    return Outcome(number, request.kind, fate, cause, begin - storm_began, seconds, busy)


def normalised(message: str) -> str:
    """Leave out of a message what differs between like causes: figures, names, quoted bytes."""
    message = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", message)
    message = re.sub(r"\[[^\[\]]{0,200}\]", "[...]", message)
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "N", message)[:300]


def _shared(numbers: Iterator[int], lock: threading.Lock) -> Iterator[int]:
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        yield number


def _fate(wire: Wire, request: Request, known: dict[str, dict]) -> tuple[Fate, str]:
    try:
        answer = wire.ask(request)
    except grpc.RpcError as error:
        return _refusal(request, error)
    try:
        return "answered", _checked(request, answer, known)
    except WrongAnswerError as error:
        return "wrong", str(error)


def _refusal(request: Request, error: grpc.RpcError) -> tuple[Fate, str]:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ("gave up", "") if request.impatient else ("hung", "")
    cause = f"{error.code().name}: {normalised(error.details() or '')}"
    if request.speaks and error.code() is not grpc.StatusCode.UNAVAILABLE:
        return "wrong", f"the sentence beside bad media was lost: {cause}"
    return "refused", cause


def _checked(request: Request, answer: InferResult, known: dict[str, dict]) -> str:
    """Judge an answer; return what its failed modalities say.

    Raises:
        WrongAnswerError: It is not as it must be.
    """
    if request.good:
        _check_like(_fused(answer), known[request.good])
    if request.model != "recognize" or "RESULT" not in request.outputs:
        return ""
    document = _document(answer)
    _check_document(document)
    if request.speaks and document["modalities"].get("text", {}).get("error_code") != 0:
        raise WrongAnswerError("the sentence beside bad media was not read")
    failed = {
        name: normalised(part["message"])
        for name, part in document["modalities"].items()
        if part["error_code"]
    }
    return "; ".join(f"{name}: {message}" for name, message in failed.items())


def _fused(answer: InferResult) -> dict[str, np.ndarray]:
    return {name: answer.as_numpy(name) for name in FUSED}


def _check_like(answer: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, values in expected.items():
        if answer[name] is None or not np.allclose(answer[name], values, atol=TOLERANCE):
            raise WrongAnswerError(f"{name} of a good request is not what it was")


def _document(answer: InferResult) -> dict:
    def refuse(name: str) -> None:
        raise WrongAnswerError(f"RESULT holds {name}, which is no JSON")

    try:
        return json.loads(answer.as_numpy("RESULT")[0], parse_constant=refuse)
    except (ValueError, TypeError, IndexError) as error:
        raise WrongAnswerError(f"RESULT is no JSON: {normalised(str(error))}") from error


def _check_document(document: dict) -> None:
    """Check that every posterior in a result is one."""
    parts = [document, *document["modalities"].values()]
    for result in (part["result"] for part in parts if part.get("result")):
        if any(not math.isfinite(value) for value in result.values()):
            raise WrongAnswerError("a result holds figures that are not finite")
        total = sum(result[code] for code in EMOTION_CODES)
        if abs(total - 1) > TOLERANCE or min(result[code] for code in EMOTION_CODES) < 0:
            raise WrongAnswerError("the emotions' probabilities do not sum to 1")
        if not 0 <= result.get("20000", 30.0) <= 150:
            raise WrongAnswerError("an age is not one")
