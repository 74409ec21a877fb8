"""The embedded Triton server: launcher, supervisor and the onnxruntime backend."""

from server.running import RunningServer, running_server

__all__ = ["RunningServer", "running_server"]
