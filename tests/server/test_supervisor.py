"""What becomes of a server that is killed, stopped or stuck, in parts or whole."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from server import running_server
from server.launch import reap_dead_launches
from server.supervisor import TRANSITIONS, State
from tests.server.processes import (
    SHARED_MEMORY,
    is_alive,
    kill,
    launch_name,
    stubs_of,
    triton_of,
    wait_for_end,
)


def text_input(text):
    one = triton.InferInput("TEXT", [1], "BYTES")
    one.set_data_from_numpy(np.array([text.encode()], np.object_))
    return one


def assert_answers(server):
    """Every model answers, and right."""
    rows = triton.InferInput("X", [3, 2], "FP32")
    rows.set_data_from_numpy(np.ones((3, 2), np.float32))
    with triton.InferenceServerClient(server.grpc_url) as client:
        echo = client.infer("recognize", [text_input("hello")]).as_numpy("RESULT")
        branches = client.infer("branches", [rows])
    assert echo[0] == b"hello"
    assert branches.as_numpy("SUM") == [6]
    np.testing.assert_array_equal(branches.as_numpy("DOUBLED"), np.full((3, 2), 2))


def leftovers(name):
    folders = (SHARED_MEMORY, Path(tempfile.gettempdir()))
    return [path for folder in folders for path in folder.glob(f"{name}*")]


def ask(server, path):
    """Return the status and the body of an answer of the launcher's own address."""
    try:
        with urlopen(f"http://{server.health_url}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def wait_for_reason(server, words):
    """Return when the launcher says that the server is not ready, with these words."""
    reason = ""
    while words not in reason:
        status, body = ask(server, "/ready")
        reason = json.loads(body).get("reason", "")
        assert (status == 200) == (not reason)


def stub_of(server, model):
    return next(stub for stub in stubs_of(server) if stub.model == model)


@pytest.mark.parametrize("model", ["double", "total", "text", "recognize"])
def test_a_killed_model_process_is_replaced(server, model):
    kill(stub_of(server, model))
    wait_for_reason(server, f"{model}: a process of the model died, loading it again")
    server.wait_until_ready()
    assert_answers(server)
    assert ask(server, "/ready") == (200, '{"ready": true}')
    assert f'model_reloads_total{{cause="died",model="{model}"}}' in ask(server, "/metrics")[1]


@pytest.mark.parametrize("model", ["total", "recognize"])
def test_a_stopped_instance_is_replaced_while_the_server_stays(server, model):
    before, victim = triton_of(server), stub_of(server, model)
    os.kill(victim.pid, signal.SIGSTOP)
    wait_for_reason(server, f"{model}: an instance is stopped, loading it again")
    server.wait_until_ready()
    assert_answers(server)
    assert not is_alive(victim)
    assert triton_of(server) == before


def test_a_stuck_instance_is_replaced_while_the_server_stays(server, pipe, send_path_of_pipe):
    before, victim = triton_of(server), stub_of(server, "text")
    answer = send_path_of_pipe(server)
    with pipe.open("w"):
        wait_for_reason(server, "text: an instance is stuck, loading it again")
        server.wait_until_ready()
        assert answer.exception() is not None
        assert_answers(server)
    assert not is_alive(victim)
    assert triton_of(server) == before


def test_a_model_that_works_for_long_is_left_alone(server):
    before, victim = stubs_of(server), stub_of(server, "text")
    with triton.InferenceServerClient(server.grpc_url) as client:
        answer = client.infer("text", [text_input("work for 8 s")])
    assert answer.as_numpy("ECHO")[0] == b"work for 8 s"
    assert is_alive(victim)
    assert stubs_of(server) == before


def test_a_stopped_server_goes_on(server):
    before = triton_of(server)
    os.kill(before.pid, signal.SIGSTOP)
    wait_for_reason(server, "the server is stopped")
    server.wait_until_ready()
    assert_answers(server)
    assert triton_of(server) == before


def test_a_server_that_is_killed_again_is_restarted_after_a_pause(server):
    before = [triton_of(server), *stubs_of(server)]
    kill(before[0])
    server.wait_until_ready()
    kill(triton_of(server))
    wait_for_reason(server, "the server is restarted (died) after a pause of 1 s")
    assert ask(server, "/live")[0] == 200
    server.wait_until_ready()
    assert_answers(server)
    assert not any(is_alive(process) for process in before)
    assert 'recogniser_server_restarts_total{cause="died"} 2.0' in ask(server, "/metrics")[1]


@pytest.fixture
def pipe(tmp_path):
    """A pipe whose path keeps the model `text` busy until the pipe's writer closes it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def send_path_of_pipe(pipe):
    """Send the pipe's path to `recognize`, which asks `text`, and return a future of the answer."""

    def send(server):
        client = triton.InferenceServerClient(server.grpc_url)
        return pool.submit(client.infer, "recognize", [text_input(str(pipe))])

    with ThreadPoolExecutor(1) as pool:
        yield send


@contextmanager
def idle_connection(url):
    """Keep an HTTP connection open that has been used once."""
    host, port = url.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: any\r\n\r\n")
        assert b"200 OK" in connection.recv(4096)
        yield


def refusal_of(server):
    """Ask until a request is refused; return the refusal.

    One that comes just before is let in and waits behind the request under way.
    """
    with triton.InferenceServerClient(server.grpc_url) as client:
        while True:
            try:
                client.infer("recognize", [text_input("one more")], client_timeout=1)
            except InferenceServerException as error:
                if error.status() != "StatusCode.DEADLINE_EXCEEDED":
                    return error


def test_sigterm_refuses_new_requests_lets_those_under_way_finish_and_leaves_nothing(
    repository, pipe, send_path_of_pipe
):
    with running_server(f"--model-repository={repository}") as server:
        processes, name = [triton_of(server), *stubs_of(server)], launch_name(server)
        assert leftovers(name)
        with idle_connection(server.http_url):
            answer = send_path_of_pipe(server)
            with pipe.open("w"):
                # The model has opened its end, so the request is being worked on.
                server.process.send_signal(signal.SIGTERM)
                wait_for_reason(server, "the server is stopping")
                refusal = refusal_of(server)
            assert answer.result().as_numpy("RESULT")[0] == str(pipe).encode()
            assert server.process.wait(30) == 0
    assert refusal.status() == "StatusCode.UNAVAILABLE"
    assert "the server is stopping" in refusal.message()
    assert not any(is_alive(process) for process in processes)
    assert leftovers(name) == []


def test_a_second_signal_does_not_wait_for_the_request_in_flight(
    repository, pipe, send_path_of_pipe
):
    with running_server(f"--model-repository={repository}") as server:
        answer = send_path_of_pipe(server)
        with pipe.open("w"):
            server.process.send_signal(signal.SIGINT)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait() == 0
        assert answer.exception() is not None


def test_a_killed_launcher_takes_its_server_along_and_the_next_one_clears_up(repository):
    with running_server(f"--model-repository={repository}") as server:
        triton_process, name = triton_of(server), launch_name(server)
        server.process.kill()
        server.process.wait()
        wait_for_end(triton_process)
    reap_dead_launches()
    assert leftovers(name) == []


def test_every_state_can_lead_to_the_end():
    for state in State:
        seen, frontier = {state}, {state}
        while frontier:
            frontier = set().union(*(TRANSITIONS[one] for one in frontier)) - seen
            seen |= frontier
        assert State.STOPPED in seen
