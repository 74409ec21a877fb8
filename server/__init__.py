"""The embedded Triton server: launcher, supervisor and the onnxruntime backend."""

from server.errors import ServerFailedError
from server.running import RunningServer, running_server

__all__ = ["RunningServer", "ServerFailedError", "running_server"]
