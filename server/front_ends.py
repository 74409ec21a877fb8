"""The server's HTTP and gRPC front ends as the supervisor uses them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from enum import Enum, auto

import aiohttp
import grpc
import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.grpc.aio import InferenceServerClient as GrpcClient
from tritonclient.http.aio import InferenceServerClient as HttpClient
from tritonclient.utils import InferenceServerException

from server.flags import Settings

#: A request that touches every part of the text path and costs a few milliseconds.
PROBE_SENTENCE = "안녕하세요"

#: Seconds; each call has a shorter limit of its own.
_LONGEST_CALL = 3600
_FAILURES = (InferenceServerException, aiohttp.ClientError, grpc.RpcError, OSError, TimeoutError)
#: Triton's words for a request that a queue refused. UNAVAILABLE alone does not tell: gRPC says the
#: same when nobody listens.
_QUEUE_REFUSALS = ("maximum queue size", "timeout expired")


class Answer(Enum):
    """What came back from a probe."""

    GOOD = auto()
    #: The server refused at once because a queue is full: it works, it has enough to do.
    BUSY = auto()
    #: An error, or nothing in time.
    NONE = auto()


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

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
        if self._grpc:
            await self._grpc.close()

    async def is_ready(self) -> bool:
        """Whether the server says that every model is loaded."""
        try:
            return await self._http.is_server_ready(headers=self._http_headers)
        except _FAILURES:
            return False

    async def ready_models(self) -> set[str]:
        """The models that are loaded.

        Raises:
            InferenceServerException, aiohttp.ClientError: The server does not say.
        """
        index = await self._http.get_model_repository_index(headers=self._http_headers)
        return {entry["name"] for entry in index if entry.get("state") == "READY"}

    async def reload_model(self, model: str) -> None:
        """Start a model's processes anew; the old ones finish what they are doing.

        Triton loads a model again only when something in it has changed, so a parameter that no
        model reads is set to the time.

        Raises:
            InferenceServerException, aiohttp.ClientError: The model could not be loaded.
        """
        config = await self._http.get_model_config(model, headers=self._http_headers)
        config.setdefault("parameters", {})["reloaded"] = {"string_value": str(time.time())}
        await self._http.load_model(model, headers=self._http_headers, config=json.dumps(config))

    async def unload_model(self, model: str) -> None:
        """Let a model take no new requests and end its processes when its own are answered.

        Raises:
            InferenceServerException, aiohttp.ClientError: The server refuses.
        """
        await self._http.unload_model(model, headers=self._http_headers)

    async def answered_requests(self, model: str) -> int:
        """How many requests the model has answered well since it was loaded.

        Raises:
            InferenceServerException, aiohttp.ClientError: The server does not say.
        """
        statistics = await self._http.get_inference_statistics(model, headers=self._http_headers)
        return int(statistics["model_stats"][0]["inference_stats"]["success"].get("count", 0))

    async def probe(self, model: str, timeout: float) -> Answer:
        """Send the model one sentence through every front end; the worst answer counts.

        Args:
            model: A model whose input TEXT is one string.
            timeout: Seconds until no answer counts as none.
        """
        calls = [self._http.infer(model, [_text(triton_http)], headers=self._http_headers)]
        if self._grpc:
            calls.append(self._grpc.infer(model, [_text(triton_grpc)], headers=self._grpc_headers))
        answers = await asyncio.gather(*(_answer(call, timeout) for call in calls))
        return max(answers, key=lambda answer: answer.value)

    async def probe_readiness(self, timeout: float) -> Answer:
        """Ask every front end whether the server is ready; the worst answer counts."""
        calls = [self._http.is_server_ready(headers=self._http_headers)]
        if self._grpc:
            calls.append(self._grpc.is_server_ready(headers=self._grpc_headers))
        answers = await asyncio.gather(*(_answer(call, timeout) for call in calls))
        return max(answers, key=lambda answer: answer.value)


async def _answer(call: Awaitable, timeout: float) -> Answer:
    try:
        result = await asyncio.wait_for(call, timeout)
    except InferenceServerException as error:
        refused = any(words in (error.message() or "") for words in _QUEUE_REFUSALS)
        return Answer.BUSY if refused else Answer.NONE
    except (*_FAILURES, asyncio.TimeoutError):
        return Answer.NONE
    return Answer.NONE if result is False else Answer.GOOD


def _text(client) -> triton_http.InferInput | triton_grpc.InferInput:
    tensor = client.InferInput("TEXT", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([PROBE_SENTENCE.encode()], dtype=np.object_))
    return tensor
