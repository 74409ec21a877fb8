"""Triton's own traces: what a request passed through, sent to a collector."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tritonclient.grpc as triton

from server import running_server

#: A W3C trace context, as a caller that is traced itself sends it.
TRACE = "0af7651916cd43dd8448eb211c80319c"
TIMEOUT_S = 30.0


class Collector(ThreadingHTTPServer):
    """Takes spans as OTLP over HTTP and keeps what was posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.posts: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posts.put((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_collector_receives_the_spans_of_a_request_under_its_callers_trace(collector, repository):
    traced = [
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=1",
        f"opentelemetry,url=http://127.0.0.1:{collector.server_port}/v1/traces",
        "opentelemetry,resource=service.name=recogniser",
        "opentelemetry,bsp_schedule_delay=100",
    ]
    flags = [f"--trace-config={setting}" for setting in traced]
    text = triton.InferInput("TEXT", [1], "BYTES")
    text.set_data_from_numpy(np.array([b"hello"], np.object_))
    with (
        running_server(f"--model-repository={repository}", *flags) as server,
        triton.InferenceServerClient(server.grpc_url) as client,
    ):
        client.infer(
            "recognize", [text], headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        )
        path, body = collector.posts.get(timeout=TIMEOUT_S)
        while TRACE.encode() not in body:
            path, body = collector.posts.get(timeout=TIMEOUT_S)
    assert path == "/v1/traces"
    assert b'"recognize"' in body
    assert b'"recogniser"' in body
