"""The server's HTTP and gRPC front ends as the supervisor uses them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import aiohttp
import grpc
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.grpc.aio import InferenceServerClient as GrpcClient
from tritonclient.http.aio import InferenceServerClient as HttpClient
from tritonclient.utils import InferenceServerException

from server.flags import Settings
from server.leaf_probes import Tensor

#: What a call to the server can end with, besides its answer.
FAILURES = (
    InferenceServerException,
    aiohttp.ClientError,
    grpc.RpcError,
    OSError,
    asyncio.TimeoutError,
)

#: Tells the launcher's requests from others' in access logs and traces.
PROBE_ID = "launcher-probe"

#: Seconds; each call has a shorter limit of its own.
_LONGEST_CALL = 3600
#: Triton's words for a request that a queue refused. UNAVAILABLE alone does not tell: gRPC clients
#: say the same when nobody listens.
_QUEUE_REFUSALS = ("maximum queue size", "timeout expired")

#: A model in the place of another that is to take no new requests.
_REFUSAL = """
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        error = pb_utils.TritonError("the server is stopping", pb_utils.TritonError.UNAVAILABLE)
        return [pb_utils.InferenceResponse([], error) for _ in requests]
"""


class Outcome(Enum):
    """What came back from a probe."""

    GOOD = auto()
    #: The server refused at once because a queue is full: it works, it has enough to do.
    BUSY = auto()
    ERROR = auto()
    #: Nothing in time, or no connection.
    NONE = auto()


@dataclass(frozen=True)
class Answer:
    """What came back from a probe, and the server's words if that is an error."""

    outcome: Outcome
    message: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether anything came back."""
        return self.outcome is not Outcome.NONE

    @property
    def is_well(self) -> bool:
        """Whether it shows that the model works."""
        return self.outcome in (Outcome.GOOD, Outcome.BUSY)


class FrontEnds:
    """Calls to one running server.

    Args:
        settings: Where the server listens and what its restricted endpoints ask for.
    """

    def __init__(self, settings: Settings) -> None:
        self._http_headers = settings.http_headers
        self._grpc_headers = settings.grpc_headers
        self._http = HttpClient(settings.http.url, conn_timeout=_LONGEST_CALL)
        tls = settings.tls.client_arguments() if settings.tls else {}
        self._grpc = GrpcClient(settings.grpc.url, **tls) if settings.grpc else None

    @property
    def has_grpc(self) -> bool:
        """Whether gRPC can be asked."""
        return self._grpc is not None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
        if self._grpc:
            await self._grpc.close()

    async def is_ready(self) -> bool:
        """Whether the server says that every model is loaded."""
        try:
            return await self._http.is_server_ready(headers=self._http_headers)
        except FAILURES:
            return False

    async def ready_models(self) -> set[str]:
        """The models that are loaded.

        Raises:
            One of `FAILURES`: The server does not say.
        """
        index = await self._http.get_model_repository_index(headers=self._http_headers)
        return {entry["name"] for entry in index if entry.get("state") == "READY"}

    async def config(self, model: str) -> dict:
        """A loaded model's configuration.

        Raises:
            One of `FAILURES`: The server does not say.
        """
        return await self._http.get_model_config(model, headers=self._http_headers)

    async def successes(self) -> dict[str, int]:
        """How many requests each model has answered well since it was loaded.

        Raises:
            One of `FAILURES`: The server does not say.
        """
        statistics = await self._http.get_inference_statistics(headers=self._http_headers)
        return {
            one["name"]: int(one["inference_stats"]["success"].get("count", 0))
            for one in statistics["model_stats"]
        }

    async def reload_model(self, model: str) -> None:
        """Start a model's processes anew; the old ones finish what they are doing.

        Triton loads a model again only when something in it has changed, so a parameter that no
        model reads is set to the time.

        Raises:
            One of `FAILURES`: The model could not be loaded.
        """
        config = await self.config(model)
        config.setdefault("parameters", {})["reloaded"] = {"string_value": str(time.time())}
        await self._http.load_model(model, headers=self._http_headers, config=json.dumps(config))

    async def refuse_requests(self, model: str) -> None:
        """Let a model answer new requests with UNAVAILABLE and finish those that it has.

        An unloaded model would answer NOT_FOUND. A model that is loaded in its place takes what
        comes from then on, and the server ends the old one when its queue is answered.

        Raises:
            One of `FAILURES`: The server refuses.
        """
        config = await self.config(model)
        kept = {key: config[key] for key in ("name", "max_batch_size", "input", "output")}
        refusal = {
            **kept,
            "backend": "python",
            "instance_group": [{"kind": "KIND_CPU"}],
            # A change of instances alone would be made in the old model, with its own code.
            "parameters": {"refuses": {"string_value": "all"}},
        }
        await self._http.load_model(
            model,
            headers=self._http_headers,
            config=json.dumps(refusal),
            files={"file:1/model.py": _REFUSAL.encode()},
        )

    async def ask(self, model: str, tensors: Sequence[Tensor], timeout: float) -> Answer:
        """Send a model a request over HTTP, which the admin calls take too."""
        inputs = [_input(triton_http, tensor) for tensor in tensors]
        call = self._http.infer(model, inputs, headers=self._http_headers, request_id=PROBE_ID)
        return await _answer(call, timeout)

    async def ask_grpc(self, model: str, tensors: Sequence[Tensor], timeout: float) -> Answer:
        """Send a model a request over gRPC."""
        inputs = [_input(triton_grpc, tensor) for tensor in tensors]
        call = self._grpc.infer(model, inputs, headers=self._grpc_headers, request_id=PROBE_ID)
        return await _answer(call, timeout)

    async def ask_whether_live(self, timeout: float) -> Answer:
        """Ask over HTTP whether the server lives, whatever becomes of its models."""
        return await _answer(self._http.is_server_live(headers=self._http_headers), timeout)

    async def ask_grpc_whether_live(self, timeout: float) -> Answer:
        """Ask the same over gRPC."""
        return await _answer(self._grpc.is_server_live(headers=self._grpc_headers), timeout)


async def _answer(call: Awaitable, timeout: float) -> Answer:
    try:
        result = await asyncio.wait_for(call, timeout)
    except InferenceServerException as error:
        message = error.message() or ""
        if any(words in message for words in _QUEUE_REFUSALS):
            return Answer(Outcome.BUSY)
        if error.status() == str(grpc.StatusCode.UNAVAILABLE):
            return Answer(Outcome.NONE, message)
        return Answer(Outcome.ERROR, message)
    except FAILURES as error:
        return Answer(Outcome.NONE, str(error) or type(error).__name__)
    return Answer(Outcome.ERROR, "not live") if result is False else Answer(Outcome.GOOD)


def _input(client, tensor: Tensor) -> triton_http.InferInput | triton_grpc.InferInput:
    made = client.InferInput(tensor.name, list(tensor.values.shape), tensor.datatype)
    made.set_data_from_numpy(tensor.values)
    return made
