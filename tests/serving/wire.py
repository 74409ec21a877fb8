"""Raw requests to a server, over gRPC or HTTP, without the client library under test."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

from .hostile import Inputs

TIMEOUT_S = 60.0


class Wire(Protocol):
    """One connection; not shared between threads."""

    def infer(self, model: str, inputs: Inputs, outputs: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return the outputs by name; raises InferenceServerException."""


class Grpc:
    """A gRPC connection."""

    def __init__(self, server) -> None:
        self._client = grpcclient.InferenceServerClient(server.grpc_url)

    def infer(self, model: str, inputs: Inputs, outputs: tuple[str, ...]) -> dict[str, np.ndarray]:
        answer = self._client.infer(
            model,
            _tensors(grpcclient, inputs),
            outputs=[grpcclient.InferRequestedOutput(name) for name in outputs] or None,
            client_timeout=TIMEOUT_S,
        )
        return {
            tensor.name: answer.as_numpy(tensor.name) for tensor in answer.get_response().outputs
        }


class Http:
    """An HTTP connection."""

    def __init__(self, server) -> None:
        self._client = httpclient.InferenceServerClient(server.http_url, network_timeout=TIMEOUT_S)
        self._headers = {"admin-key": server.admin_key}

    def infer(self, model: str, inputs: Inputs, outputs: tuple[str, ...]) -> dict[str, np.ndarray]:
        answer = self._client.infer(
            model,
            _tensors(httpclient, inputs),
            outputs=[httpclient.InferRequestedOutput(name) for name in outputs] or None,
            headers=self._headers,
        )
        named = answer.get_response()["outputs"]
        return {tensor["name"]: answer.as_numpy(tensor["name"]) for tensor in named}


def _tensors(library, inputs: Inputs) -> list:
    tensors = []
    for name, (datatype, array) in inputs.items():
        tensor = library.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return tensors
