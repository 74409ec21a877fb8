"""How requests share an execution."""

from __future__ import annotations

import numpy as np

from server.onnxruntime_backend.batching import InferenceError, run_requests


class Network:
    """Adds one, refuses negative numbers, and remembers the shapes that it was given."""

    def __init__(self):
        self.shapes = []

    def __call__(self, inputs):
        self.shapes.append(inputs["X"].shape)
        if (inputs["X"] < 0).any():
            raise InferenceError("negative")
        return {"Y": inputs["X"] + 1}


def request(*rows):
    return {"X": np.array(rows, np.float32)}


def test_requests_share_one_execution_and_get_their_own_rows():
    network = Network()
    answers = run_requests(network, [request([1], [2]), request([3])], batched=True)
    assert network.shapes == [(3, 1)]
    assert [answer["Y"].tolist() for answer in answers] == [[[2], [3]], [[4]]]


def test_a_bad_request_fails_alone():
    answers = run_requests(Network(), [request([1]), request([-1]), request([3])], batched=True)
    assert answers[0]["Y"].tolist() == [[2]]
    assert isinstance(answers[1], InferenceError)
    assert answers[2]["Y"].tolist() == [[4]]


def test_rows_of_different_shapes_do_not_share_an_execution():
    network = Network()
    answers = run_requests(network, [request([1]), request([1, 2]), request([3])], batched=True)
    assert sorted(network.shapes) == [(1, 2), (2, 1)]
    assert [answer["Y"].tolist() for answer in answers] == [[[2]], [[2, 3]], [[4]]]


def test_without_batching_each_request_runs_by_itself():
    network = Network()
    answers = run_requests(network, [request([1]), request([-2]), request([3])], batched=False)
    assert network.shapes == [(1, 1)] * 3
    assert isinstance(answers[1], InferenceError)
    assert answers[2]["Y"].tolist() == [[4]]


def test_an_output_without_the_batch_is_an_error_that_names_it():
    def run(inputs):
        return {"Y": np.zeros(1)} if len(inputs["X"]) > 1 else {"Y": inputs["X"]}

    answers = run_requests(run, [request([1]), request([2])], batched=True)
    assert [answer["Y"].tolist() for answer in answers] == [[[1]], [[2]]]
