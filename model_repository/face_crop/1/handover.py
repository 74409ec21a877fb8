"""Messages between a process and the one that decodes for it.

A message is a line of JSON on a socket; the arrays that belong to it lie in memory that both
processes have open. JSON, because whoever decodes foreign bytes may have been taken over by them:
nothing that it sends can do more than be wrong. The memory has no name, so that nobody else can
open it and nothing of it outlives its processes, and it is given back when a message has been read.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

#: A message without its arrays is far smaller.
_MOST_BYTES = 1 << 16


class HandoverError(RuntimeError):
    """The other process has ended, or sent what is no message."""


@dataclass(frozen=True)
class Message:
    """What is handed over.

    Attributes:
        values: Whatever JSON can hold.
        arrays: Numbers of any shape, by name.
    """

    values: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


#: From the owner: the request is given up. It may come after the answer has gone.
STOP = Message({"stop": True})


class Handover:
    """One of the two ends.

    Args:
        line: A connected socket that keeps messages apart (SOCK_SEQPACKET).
        outbox: File descriptor of the memory for what this end sends.
        inbox: That of the memory for what it receives.
    """

    def __init__(self, line: socket.socket, outbox: int, inbox: int) -> None:
        self._line = line
        self._outbox = outbox
        self._inbox = inbox

    def fileno(self) -> int:
        """Return the descriptor that is readable when a message, or the other's end, has come."""
        return self._line.fileno()

    def send(self, message: Message) -> None:
        """Hand a message over.

        Raises:
            HandoverError: The other process has ended.
            OSError: There is no memory left for the arrays.
        """
        layout, offset = [], 0
        for name, array in message.arrays.items():
            layout.append([name, array.dtype.str, list(array.shape)])
            offset = _write(self._outbox, np.ascontiguousarray(array), offset)
        line = json.dumps({"values": message.values, "arrays": layout}, allow_nan=False)
        try:
            self._line.send(line.encode())
        except OSError as error:
            raise HandoverError("the other process has ended") from error

    def receive(self) -> Message:
        """Wait for a message.

        Raises:
            HandoverError: The other process has ended, or sent what is no message.
        """
        try:
            line = self._line.recv(_MOST_BYTES)
            if not line:
                raise HandoverError("the other process has ended")
            document = json.loads(line)
            arrays, offset = {}, 0
            for name, dtype, shape in document["arrays"]:
                arrays[name], offset = _read(self._inbox, np.dtype(dtype), shape, offset)
            os.ftruncate(self._inbox, 0)
            return Message(document["values"], arrays)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HandoverError(f"the other process sent what is no message: {error}") from error

    def close(self) -> None:
        """Let go of the socket and the memory."""
        self._line.close()
        os.close(self._outbox)
        os.close(self._inbox)


def _write(memory: int, array: np.ndarray, offset: int) -> int:
    """Write an array's bytes; return where they end."""
    rest = memoryview(array.reshape(-1).view(np.uint8))
    while rest:
        written = os.pwrite(memory, rest, offset)
        rest, offset = rest[written:], offset + written
    return offset


def _read(memory: int, dtype: np.dtype, shape: list[int], offset: int) -> tuple[np.ndarray, int]:
    """Read an array; return it and where it ends.

    Raises:
        ValueError: The memory does not hold so much.
    """
    size = dtype.itemsize * prod(shape)
    if dtype.hasobject or min(shape, default=0) < 0 or offset + size > os.fstat(memory).st_size:
        raise ValueError(f"an array of {dtype} {shape} is announced, the memory ends before it")
    array = np.empty(shape, dtype)
    rest = memoryview(array.reshape(-1).view(np.uint8))
    while rest:
        count = os.preadv(memory, [rest], offset)
        if not count:
            raise ValueError("the memory was cut short")
        rest, offset = rest[count:], offset + count
    return array, offset
