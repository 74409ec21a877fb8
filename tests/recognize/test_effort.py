"""Work for a request that is given up, and the models that do it."""

from __future__ import annotations

import asyncio

import abandonment
import numpy as np
import pytest
import triton_python_backend_utils as pb_utils
from abandonment import is_abandoned
from calls import Calls
from effort import Effort
from inputs import Inputs
from metrics import Counters
from modules import gather_evidence
from refusals import RefusalError, RequestCancelledError, RequestExpiredError, UnavailableError


@pytest.fixture(autouse=True)
def markers(tmp_path, monkeypatch):
    monkeypatch.setattr(abandonment, "SHARED_MEMORY", tmp_path)
    return tmp_path


def calls(effort: Effort) -> Calls:
    return Calls(effort, None, Counters(pb_utils, "recognize"))


def tensor(name: str, values: list) -> pb_utils.Tensor:
    return pb_utils.Tensor(name, np.array(values))


async def until_abandoned(work: str) -> None:
    """Work as a front end does: until told to stop, for ten seconds at most."""
    for _ in range(1_000):
        if is_abandoned(work):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody said that the work was given up")


@pytest.mark.parametrize(
    ("given_up", "error"),
    [({"cancelled": True}, RequestCancelledError), ({"microseconds": 1}, RequestExpiredError)],
)
def test_who_works_for_a_request_that_is_given_up_is_told_and_awaited(
    request_of, answering, markers, given_up, error
):
    request = request_of()
    request.__dict__.update(given_up)
    effort, asked = Effort(request), []

    async def work_until_told(call):
        asked.append(call.model_name)
        await until_abandoned(call.request_id)
        return pb_utils.InferenceResponse([tensor("COUNT", [1])])

    answering(work_until_told)

    async def work():
        await calls(effort).infer("face_crop", [], ("COUNT",))
        await calls(effort).infer("vgg_face", [], ("COUNT",))

    with pytest.raises(error):
        asyncio.run(effort.carry_out(work()))
    assert asked == ["face_crop"]
    assert not [file for folder in markers.iterdir() for file in folder.iterdir()]


def test_work_that_fails_says_how_unless_it_was_given_up(request_of, answering):
    answering(lambda call: pb_utils.InferenceResponse([], pb_utils.TritonError("stub is gone")))
    effort = Effort(request_of())
    with pytest.raises(UnavailableError, match="stub is gone"):
        asyncio.run(effort.carry_out(calls(effort).infer("fusion", [], ("EMOTION",))))


def test_models_are_asked_for_tensors_in_cpu_memory_that_numpy_can_read(request_of, answering):
    """The official backend answers with tensors in GPU memory unless it is asked not to."""

    def like_a_gpu(call):
        on_gpu = call.preferred_memory.kind != pb_utils.TRITONSERVER_MEMORY_CPU
        answer = pb_utils.Tensor("EMOTION", np.eye(7)[0], on_gpu=on_gpu)
        return pb_utils.InferenceResponse([answer])

    answering(like_a_gpu)
    effort = Effort(request_of())
    answer = asyncio.run(effort.carry_out(calls(effort).infer("fusion", [], ("EMOTION",))))
    assert answer["EMOTION"].is_cpu() and answer["EMOTION"].as_numpy()[0] == 1


def film(seconds: int) -> list[pb_utils.Tensor]:
    """Return what `face_crop` says of a film with a face in its first picture alone."""
    return [
        tensor("CROPS", [[0]]),
        tensor("AGE_CROPS", [[0]]),
        tensor("AGE_ROWS", [0]),
        tensor("TIMES", [0.0]),
        tensor("BOXES", [[0.0] * 4]),
        tensor("SCORES", [1.0]),
        tensor("SHARPNESS", [1.0]),
        tensor("COUNT", [min(seconds, 1)]),
        tensor("ERROR_CODE", [0 if seconds else 6]),
        tensor("SECOND_ERROR_CODES", [0]),
        tensor("MESSAGE", [b"", b""]),
        tensor("PLACES", [[0.0] * 4]),
        tensor("IDENTITY", [0.0] * 128),
        tensor("OTHER_CROPS", [[0]]),
        tensor("OTHER_PERSON", [0]),
        tensor("OTHER_COUNT", [0]),
        tensor("PEOPLE", [b'{"people": [], "people_seen": 0, "person_changed": false}']),
    ]


def seen(effort: Effort) -> dict:
    inputs = Inputs({"video": [tensor("VIDEO", [0])]})
    return asyncio.run(effort.carry_out(gather_evidence(calls(effort), inputs)))


def test_a_film_without_a_face_is_not_sent_to_the_networks(request_of, answering):
    asked = []

    def answer(call):
        asked.append(call.model_name)
        return pb_utils.InferenceResponse(film(0))

    answering(answer)
    evidence = seen(Effort(request_of()))
    assert asked == ["face_crop"] and evidence["video"].error_code == 6


def test_a_network_that_refuses_costs_its_modality_after_its_sibling_has_answered(
    request_of, answering
):
    ended = []

    async def answer(call):
        if call.model_name == "face_crop":
            return pb_utils.InferenceResponse(film(1))
        if call.model_name == "vgg_face":
            return pb_utils.InferenceResponse([], pb_utils.TritonError("queue is full"))
        await asyncio.sleep(0.05)
        ended.append(call.model_name)
        return pb_utils.InferenceResponse([tensor("AGE", [[30.0]]), tensor("GENDER", [[1.0, 0.0]])])

    answering(answer)
    evidence = seen(Effort(request_of()))
    assert ended == ["age_gender"]
    assert "queue is full" in evidence["video"].message and not evidence["video"].answered


def test_being_given_up_is_never_taken_for_a_modality_that_failed(request_of, answering):
    request = request_of()
    effort = Effort(request)

    async def answer(call):
        request.cancelled = True
        await until_abandoned(call.request_id)
        return pb_utils.InferenceResponse([], pb_utils.TritonError("whatever"))

    answering(answer)
    with pytest.raises(RefusalError, match="gave up"):
        seen(effort)
