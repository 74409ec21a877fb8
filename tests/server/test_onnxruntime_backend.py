"""ONNX models behind the real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from server import running_server
from server.errors import ServerFailedError
from tests.server.processes import stubs_of
from tests.server.tiny_repository import (
    TABLE,
    double_graph,
    write_official_repository,
    write_onnx_model,
)


@pytest.fixture(scope="module")
def server(repository, tmp_path_factory):
    repositories = (repository, write_official_repository(tmp_path_factory.mktemp("official")))
    flags = [f"--model-repository={folder}" for folder in repositories]
    with running_server(*flags) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.grpc_url) as client:
        yield client


def tensor(name, array):
    one = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    one.set_data_from_numpy(array)
    return one


def infer_at_once(client, model, tensors):
    """Send requests without waiting for each other; return results and errors in order."""

    def infer(one):
        try:
            return client.infer(model, [one]).as_numpy("Y")
        except InferenceServerException as error:
            return error

    with ThreadPoolExecutor(len(tensors)) as pool:
        return list(pool.map(infer, tensors))


def test_a_batch_across_requests_is_split_back_right(client):
    batches = [np.full((1 + i % 3, 2), i, np.float32) for i in range(12)]
    answers = infer_at_once(client, "double", [tensor("X", batch) for batch in batches])
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer, 2 * batch)


def test_one_bad_request_spares_the_others_in_its_batch(client):
    indices = [3, 99, 5, 0]
    answers = infer_at_once(
        client, "lookup", [tensor("INDEX", np.array([[index]], np.int64)) for index in indices]
    )
    bad = answers.pop(1)
    assert [answer[0, 0] for answer in answers] == [TABLE[3], TABLE[5], TABLE[0]]
    assert bad.status() == "StatusCode.INVALID_ARGUMENT"
    assert "lookup" in bad.message()


def test_strings_are_served_in_batches(client):
    words = [np.array([["마음", f"{index}"]] * (1 + index % 2), np.object_) for index in range(6)]
    answers = infer_at_once(client, "words", [tensor("X", one) for one in words])
    for sent, answer in zip(words, answers, strict=True):
        assert [[word.decode() for word in row] for row in answer] == sent.tolist()


def test_bytes_that_are_no_text_fail_alone(client):
    words = [np.array([[b"before", b"\xff"]], np.object_), np.array([[b"a", b"b"]], np.object_)]
    bad, good = infer_at_once(client, "words", [tensor("X", one) for one in words])
    assert bad.status() == "StatusCode.INVALID_ARGUMENT"
    assert "words: X is no UTF-8" in bad.message()
    assert good.tolist() == [[b"a", b"b"]]


def test_reshapes_scalars_and_a_choice_of_outputs_are_served_as_officially(client):
    given = [tensor("X", np.array([1, 2, 3, 4], np.float32)), tensor("SCALE", np.float32([10]))]
    answer = client.infer("measures", given)
    assert answer.as_numpy("SCALED").tolist() == [10, 20, 30, 40]
    assert answer.as_numpy("MEAN").tolist() == [25]
    assert answer.as_numpy("ROWS") is None


def test_without_batching_the_first_dimension_may_be_anything(client):
    for rows in (1, 7, 500):
        answer = client.infer("total", [tensor("X", np.ones((rows, 2), np.float32))])
        assert answer.as_numpy("Y") == [2 * rows]


def test_an_ensemble_runs_its_branches_on_the_same_input(client):
    answer = client.infer("branches", [tensor("X", np.ones((3, 2), np.float32))])
    assert answer.as_numpy("SUM") == [6]
    np.testing.assert_array_equal(answer.as_numpy("DOUBLED"), np.full((3, 2), 2))


def test_only_the_outputs_that_were_asked_for_are_returned(client):
    wanted = [triton.InferRequestedOutput("SUM")]
    answer = client.infer("branches", [tensor("X", np.ones((1, 2), np.float32))], outputs=wanted)
    assert [output.name for output in answer.get_response().outputs] == ["SUM"]


def test_each_instance_has_a_process_of_its_own(server):
    models = [stub.model for stub in stubs_of(server)]
    assert models.count("total") == 2
    assert models.count("double") == 1


def test_loading_a_model_takes_the_key(client):
    with pytest.raises(InferenceServerException, match="restricted"):
        client.load_model("double")


def test_a_model_that_is_not_what_its_configuration_says_is_refused(tmp_path):
    write_onnx_model(tmp_path, "wrong", double_graph(), max_batch_size=8, dims="[ 3 ]")
    with (
        (tmp_path / "messages").open("w") as messages,
        pytest.raises(ServerFailedError, match="exit code 1"),
        running_server(f"--model-repository={tmp_path}", stderr=messages),
    ):
        pass
    assert (
        "wrong: input X has dims [3] in config.pbtxt, the ONNX file says [2] after the batch"
    ) in (tmp_path / "messages").read_text()
