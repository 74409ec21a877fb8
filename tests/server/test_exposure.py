"""What others on the machine, and requests without the key, get of a running server."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from clients.shared_memory import Region
from tests.server.processes import SHARED_MEMORY, launch_name, triton_of

INFER = "/v2/models/text/infer"
#: Every endpoint that reads a body.
ENDPOINTS = [
    INFER,
    "/v2/models/text/versions/1/infer",
    "/v2/models/text/generate",
    "/v2/models/text/generate_stream",
    "/v2/models/text/trace/setting",
    "/v2/trace/setting",
    "/v2/logging",
    "/v2/repository/index",
    "/v2/repository/models/text/load",
    "/v2/repository/models/text/unload",
    "/v2/systemsharedmemory/region/one/register",
    "/v2/systemsharedmemory/unregister",
    "/v2/cudasharedmemory/region/one/register",
    "/v2/cudasharedmemory/unregister",
]
#: Every call that changes the server, or tells what only its owner needs to know.
CHANGES = {
    "RepositoryIndex": service_pb2.RepositoryIndexRequest(),
    "RepositoryModelLoad": service_pb2.RepositoryModelLoadRequest(model_name="text"),
    "RepositoryModelUnload": service_pb2.RepositoryModelUnloadRequest(model_name="text"),
    "SystemSharedMemoryStatus": service_pb2.SystemSharedMemoryStatusRequest(),
    "SystemSharedMemoryRegister": service_pb2.SystemSharedMemoryRegisterRequest(name="a", key="/a"),
    "SystemSharedMemoryUnregister": service_pb2.SystemSharedMemoryUnregisterRequest(),
    "CudaSharedMemoryStatus": service_pb2.CudaSharedMemoryStatusRequest(),
    "CudaSharedMemoryRegister": service_pb2.CudaSharedMemoryRegisterRequest(name="a"),
    "CudaSharedMemoryUnregister": service_pb2.CudaSharedMemoryUnregisterRequest(),
    "TraceSetting": service_pb2.TraceSettingRequest(),
    "LogSettings": service_pb2.LogSettingsRequest(),
}
HUGE_SHAPE = (
    b'{"inputs":[{"name":"TEXT","shape":[4611686018427387905],"datatype":"UINT8","data":[1]}]}'
)
NESTED = b"[" * 200_000
#: So many chunks that a thread's stack of 8 MiB would not hold 16 bytes for each.
CHUNKS = 600_000
BOMB_BYTES = 256 << 20


def post(url: str, path: str, headers: str, body: Iterable[bytes]) -> int:
    """Send a request as it is and return the status."""
    host, _, port = url.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = f"POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n"
        connection.sendall(head.encode())
        for part in body:
            connection.sendall(part)
        return int(connection.recv(64).split()[1])


def sized(body: bytes) -> tuple[str, list[bytes]]:
    return f"content-length: {len(body)}\r\n", [body]


def in_chunks_of_one_byte() -> tuple[str, list[bytes]]:
    chunks = [b"1\r\n[\r\n" * 1000] * (CHUNKS // 1000)
    return "transfer-encoding: chunked\r\n", [*chunks, b"0\r\n\r\n"]


def bomb() -> tuple[str, list[bytes]]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB_BYTES >> 20))
    headers, body = sized(packed + packer.flush())
    return f"content-encoding: gzip\r\n{headers}", body


def memory(process) -> int:
    return psutil.Process(process.pid).memory_info().rss


@pytest.mark.parametrize(
    "request_of",
    [lambda: sized(HUGE_SHAPE), lambda: sized(NESTED), bomb],
    ids=["shape", "depth", "bomb"],
)
def test_a_hostile_body_is_refused_unread_without_the_key(server, request_of):
    process = triton_of(server)
    before = memory(process)
    assert post(server.http_url, INFER, *request_of()) == 403
    assert triton_of(server) == process
    assert memory(process) - before < BOMB_BYTES // 4


def test_a_body_in_very_many_chunks_is_refused_without_the_key(server):
    process = triton_of(server)
    assert post(server.http_url, INFER, *in_chunks_of_one_byte()) == 403
    assert triton_of(server) == process


def test_every_endpoint_that_reads_a_body_asks_for_the_key(server):
    process = triton_of(server)
    statuses = {path: post(server.http_url, path, *sized(NESTED)) for path in ENDPOINTS}
    assert set(statuses.values()) == {403}, statuses
    assert triton_of(server) == process


def test_the_key_opens_inference_over_http_and_health_needs_none(server):
    body = b'{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["hello"]}]}'
    address = f"http://{server.http_url}"
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(address + INFER, body, {"admin-key": "a-wrong-key-of-that-length"}))
    with urlopen(Request(address + INFER, body, {"admin-key": server.admin_key})) as answer:
        assert b'"hello"' in answer.read()
    with urlopen(f"{address}/v2/health/ready") as answer:
        assert answer.status == 200


def test_what_changes_the_server_asks_for_the_key_over_grpc(server):
    key = [("triton-grpc-protocol-admin-key", server.admin_key)]
    with grpc.insecure_channel(server.grpc_url) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for name, request in CHANGES.items():
            with pytest.raises(grpc.RpcError, match="restricted"):
                getattr(stub, name)(request)
        stub.SystemSharedMemoryStatus(service_pb2.SystemSharedMemoryStatusRequest(), metadata=key)


def test_no_command_line_shows_the_key(server):
    arguments = "\0".join(triton_of(server).arguments)
    assert "--http-restricted-api=(hidden)" in arguments
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        assert server.admin_key not in _read(file), file


def test_only_the_owner_reads_what_is_in_shared_memory(server):
    text = triton.InferInput("TEXT", [1], "BYTES")
    text.set_data_from_numpy(np.array([b"x" * (4 << 20)], np.object_))
    with triton.InferenceServerClient(server.grpc_url) as client:
        client.infer("recognize", [text])
    regions = list(SHARED_MEMORY.glob(f"{launch_name(server)}*"))
    assert len(regions) > len({"lock"})
    assert {oct(region.stat().st_mode & 0o777) for region in regions} == {"0o600"}


def test_only_the_owner_reads_a_clients_shared_memory():
    with Region({"TEXT": np.array([b"hello"], np.object_)}) as region:
        assert (SHARED_MEMORY / region.name).stat().st_mode & 0o777 == 0o600


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
