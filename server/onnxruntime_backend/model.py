"""A Triton backend for ONNX models, written in Python.

The server that ships in the nvidia-pytriton wheel has no onnxruntime backend of its own. The
launcher links this folder into the backend directory as `onnxruntime`, so that
`backend: "onnxruntime"` in config.pbtxt means the same here as on the official server. Triton runs
one process of it for each instance of each model, and sends the warm-up requests itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import triton_python_backend_utils as pb_utils
from batching import InferenceError, Tensors, run_requests
from session import Network, SessionError, execution_providers


class TritonPythonModel:
    """One instance of one ONNX model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the ONNX file and hold it against config.pbtxt.

        Raises:
            TritonModelException: Names the model and what is wrong with it.
        """
        config = json.loads(args["model_config"])
        name = args["model_name"]
        filename = config.get("default_model_filename") or "model.onnx"
        file = Path(args["model_repository"]) / args["model_version"] / filename
        try:
            providers = execution_providers(
                name,
                config,
                args["model_instance_kind"],
                int(args["model_instance_device_id"]),
                onnxruntime.get_available_providers(),
            )
            self._network = Network(name, config, file, providers)
        except SessionError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self._batched = config["max_batch_size"] > 0

    def execute(self, requests: list) -> list:
        """Answer each request with its own rows, or with what was wrong with that request."""
        answers = run_requests(self._network.run, [_read(r) for r in requests], self._batched)
        return [
            _response(request, answer) for request, answer in zip(requests, answers, strict=True)
        ]


def _read(request) -> Tensors:
    return {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}


def _response(request, answer: Tensors | InferenceError):
    if isinstance(answer, InferenceError):
        error = pb_utils.TritonError(str(answer), pb_utils.TritonError.INVALID_ARG)
        return pb_utils.InferenceResponse(error=error)
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, tensor) for name, tensor in answer.items() if name in wanted]
    )
