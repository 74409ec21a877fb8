"""Requests as they travel, whether or not their parts agree."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
from tritonclient.grpc import service_pb2

#: Seconds after which a request that has no answer hangs.
PATIENCE = 60.0
SENTENCE = "나는 지금 너무 슬퍼".encode()
_TYPES = {"UINT8": np.uint8, "FP32": np.float32, "INT32": np.int32}


@dataclass(frozen=True)
class Tensor:
    """An input as it travels; nothing says that its parts agree.

    Attributes:
        name: Its name.
        datatype: Triton's name of its type.
        shape: Its shape.
        content: Its bytes.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    content: bytes


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        kind: What is wrong with it.
        tensors: The inputs.
        model: The model asked.
        version: Its version; empty for the newest.
        outputs: The outputs asked for; all when empty.
        seconds: When its sender gives up.
        good: The name of the good request that it is; empty for hostile ones.
        speaks: Whether it brings a good sentence, which must be answered whatever else it brings.
        parameters: Triton's own, of the request.
    """

    kind: str
    tensors: tuple[Tensor, ...]
    model: str = "recognize"
    version: str = ""
    outputs: tuple[str, ...] = ("RESULT",)
    seconds: float = PATIENCE
    good: str = ""
    speaks: bool = False
    parameters: dict[str, int | str | bool] = field(default_factory=dict)

    @property
    def impatient(self) -> bool:
        """Whether its sender gives up before a hang could be told."""
        return self.seconds < PATIENCE

    def message(self) -> service_pb2.ModelInferRequest:
        """Return it as gRPC sends it."""
        message = service_pb2.ModelInferRequest(model_name=self.model, model_version=self.version)
        for tensor in self.tensors:
            message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            message.raw_input_contents.append(tensor.content)
        for name in self.outputs:
            message.outputs.add(name=name)
        for name, value in self.parameters.items():
            kind = {bool: "bool_param", int: "int64_param", str: "string_param"}[type(value)]
            setattr(message.parameters[name], kind, value)
        return message


def array(name: str, values: np.ndarray) -> Tensor:
    """Make an input of numbers."""
    datatype = next(name for name, kind in _TYPES.items() if kind == values.dtype)
    return Tensor(name, datatype, values.shape, np.ascontiguousarray(values).tobytes())


def file(name: str, data: bytes) -> Tensor:
    """Make an input of a file's bytes."""
    return Tensor(name, "UINT8", (len(data),), data)


def strings(name: str, *values: bytes) -> Tensor:
    """Make a BYTES input."""
    content = b"".join(struct.pack("<I", len(value)) + value for value in values)
    return Tensor(name, "BYTES", (len(values),), content)


def good_requests(clip: bytes, sound: bytes) -> dict[str, Request]:
    """Return the good requests, by name; each is to be answered the same at any time."""
    said = strings("TEXT", SENTENCE)
    tensors = {
        "text": (said,),
        "clip": (said, file("VIDEO", clip)),
        "sound": (file("AUDIO", sound),),
    }
    outputs = ("RESULT", "EMOTION", "AGE", "GENDER")
    return {
        name: Request(f"good {name}", parts, outputs=outputs, good=name)
        for name, parts in tensors.items()
    }
