"""What becomes of a server that is killed, in parts or whole."""

from __future__ import annotations

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

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


@pytest.mark.parametrize("model", ["double", "total", "text", "recognize"])
def test_a_killed_model_process_is_replaced(server, model):
    kill(next(stub for stub in stubs_of(server) if stub.model == model))
    server.wait_until_ready()
    assert_answers(server)


def test_a_killed_server_is_replaced_and_its_processes_are_gone(server):
    before = [triton_of(server), *stubs_of(server)]
    kill(before[0])
    server.wait_until_ready()
    assert_answers(server)
    assert not any(is_alive(process) for process in before)


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


def wait_until_stopping(server):
    with triton.InferenceServerClient(server.grpc_url) as client:
        while client.is_model_ready("recognize"):
            pass


def test_sigterm_lets_the_request_in_flight_finish_and_leaves_nothing(
    repository, pipe, send_path_of_pipe
):
    with running_server(f"--model-repository={repository}") as server:
        processes, name = [triton_of(server), *stubs_of(server)], launch_name(server)
        assert leftovers(name)
        answer = send_path_of_pipe(server)
        with pipe.open("w"):
            # The model has opened its end, so the request is being worked on.
            server.process.send_signal(signal.SIGTERM)
            wait_until_stopping(server)
        assert answer.result().as_numpy("RESULT")[0] == str(pipe).encode()
        assert server.process.wait() == 0
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
