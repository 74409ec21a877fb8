"""A gRPC server that answers like Triton, by a script, so that a client's behaviour shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from clients.contract import SCHEMA, SPEECH_ROW, VIDEO_ROW

Step = Callable[[service_pb2.ModelInferRequest, grpc.ServicerContext], None]

EMOTIONS = {f"1000{index}": value for index, value in enumerate((0.7, *[0.05] * 6), start=1)}
RESULT = EMOTIONS | {"20000": 31.5, "30001": 0.25, "30002": 0.75}
REPORT = {"error_code": 0, "message": "", "message_ko": "", "count": 3}
DOCUMENT = {
    "schema": SCHEMA,
    "result": RESULT,
    "modalities": {
        "text": REPORT | {"count": 1, "result": EMOTIONS},
        "speech": REPORT | {"result": RESULT},
        "video": REPORT | {"result": RESULT},
    },
    "weights": {"text": 0.2, "speech": 0.3, "video": 0.5},
    "confidence": 0.7,
    "conflict": 0.25,
    "undecided": False,
}
TENSORS = {
    "TEXT_FEATURES": np.full((1, 512), 1, np.float32),
    "SPEECH_FEATURES": np.full((3, 768), 2, np.float32),
    "VIDEO_FEATURES": np.full((3, 4096), 3, np.float32),
    "SPEECH_CONTEXT": np.full((3, SPEECH_ROW), 4, np.float32),
    "VIDEO_CONTEXT": np.full((3, VIDEO_ROW), 5, np.float32),
    "CROPS": np.full((2, 224, 224, 3), 128, np.uint8),
    "BOXES": np.array([[100, 80, 300, 320]] * 2, np.float32),
    "TIMES": np.array([0.0, 1.0], np.float32),
    "COUNT": np.array([2], np.int32),
    "FEATURES": np.full((1, 4096), 6, np.float32),
    "EMOTION": np.array([[0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1]], np.float32),
    "AGE": np.array([[40]], np.float32),
    "GENDER": np.array([[0.75, 0.25]], np.float32),
}


def refuse(code: grpc.StatusCode, sentence: str) -> Step:
    """Return a step that answers with an error."""

    def step(request: service_pb2.ModelInferRequest, context: grpc.ServicerContext) -> None:
        context.abort(code, sentence)

    return step


def wait_for(event: threading.Event) -> Step:
    """Return a step that answers only after the event."""

    def step(request: service_pb2.ModelInferRequest, context: grpc.ServicerContext) -> None:
        event.wait(30)

    return step


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Takes the script's steps one by one, request by request; then answers well.

    Attributes:
        document: What RESULT holds.
        script: What happens to the next requests.
        requests: Those that came.
        metadata: What came with them.
        grpc: host:port.
    """

    def __init__(self) -> None:
        self.document: object = DOCUMENT
        self.script: list[Step] = []
        self.requests: list[service_pb2.ModelInferRequest] = []
        self.metadata: list[dict[str, str]] = []
        self.grpc = ""

    def ModelInfer(self, request, context):  # noqa: N802
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.script:
            self.script.pop(0)(request, context)
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        for output in request.outputs:
            self._add(response, output.name)
        return response

    def sent(self, request: int) -> dict[str, np.ndarray]:
        """Return the tensors of a request that came."""
        kinds = {"UINT8": np.uint8, "FP32": np.float32}
        message = self.requests[request]
        return {
            tensor.name: np.frombuffer(raw, kinds[tensor.datatype]).reshape(tensor.shape)
            if tensor.datatype in kinds
            else np.array(raw)
            for tensor, raw in zip(message.inputs, message.raw_input_contents, strict=True)
        }

    def asked_outputs(self, request: int) -> set[str]:
        """Return the names of the outputs that a request asked for."""
        return {output.name for output in self.requests[request].outputs}

    def _add(self, response: service_pb2.ModelInferResponse, name: str) -> None:
        if name == "RESULT":
            text = json.dumps(self.document).encode()
            array = np.array([text], np.object_)
            raw = serialize_byte_tensor(array).item()
        else:
            array = TENSORS[name]
            raw = array.tobytes()
        datatype = "BYTES" if name == "RESULT" else np_to_triton_dtype(array.dtype)
        response.outputs.add(name=name, datatype=datatype, shape=array.shape)
        response.raw_output_contents.append(raw)


@contextmanager
def serve(credentials: grpc.ServerCredentials | None = None) -> Iterator[FakeTriton]:
    """Run a fake on a free port of this machine."""
    fake = FakeTriton()
    server = grpc.server(
        futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)]
    )
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    fake.grpc = f"127.0.0.1:{port}"
    server.start()
    try:
        yield fake
    finally:
        server.stop(None).wait()
