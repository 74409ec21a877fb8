"""The thin layer that Triton calls."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from contract import VideoStatus
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tests.face_crop.scenes import encode, jpeg, person

DTYPES = {"TYPE_UINT8": np.uint8, "TYPE_INT32": np.int32, "TYPE_FP32": np.float32}


class Request(dict):
    """Inputs by name, as a request that nobody gives up."""

    def is_cancelled(self) -> bool:
        return False

    def request_id(self) -> str:
        return ""


@dataclass
class FakeTensor:
    """Stands for `pb_utils.Tensor`."""

    name: str
    value: np.ndarray

    def as_numpy(self) -> np.ndarray:
        return self.value

    def shape(self) -> list[int]:
        return list(self.value.shape)


@pytest.fixture()
def model(monkeypatch, model_folder):
    fake = SimpleNamespace(
        Tensor=FakeTensor,
        InferenceResponse=lambda output_tensors: {t.name: t.value for t in output_tensors},
        get_input_tensor_by_name=lambda request, name: (
            FakeTensor(name, request[name]) if name in request else None
        ),
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake)
    spec = importlib.util.spec_from_file_location("face_crop_model", model_folder / "1/model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.TritonPythonModel()
    model.initialize({})
    yield model
    model.finalize()


def as_video(data: bytes) -> Request:
    return Request(VIDEO=np.frombuffer(data, np.uint8))


def as_frames(images: list[bytes], fps: float) -> Request:
    return Request(FRAMES=np.array(images, object), FPS=np.array([fps], np.float32))


def test_the_answers_are_the_outputs_of_the_configuration(model, model_folder):
    config = text_format.Parse(
        (model_folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
    )
    for request in (as_video(encode([person()] * 10)), Request(), as_video(b"broken")):
        (response,) = model.execute([request])
        assert list(response) == [output.name for output in config.output]
        for output in config.output:
            value = response[output.name]
            kind = model_config_pb2.DataType.Name(output.data_type)
            assert value.dtype == DTYPES.get(kind, object)
            assert len(value.shape) == len(output.dims) and value.size
            assert all(d in (-1, n) for d, n in zip(output.dims, value.shape, strict=True))


def test_a_broken_request_leaves_its_neighbours_alone(model):
    requests = [
        as_video(encode([person()] * 10)),
        as_video(b"broken"),
        as_frames([jpeg(person())] * 5, 5.0),
        Request(),
    ]
    responses = model.execute(requests)
    assert [response["ERROR_CODE"].item() for response in responses] == [0, 1, 0, 0]
    assert [response["COUNT"].item() for response in responses] == [4, 0, 2, 0]


def test_a_stream_goes_on_about_whom_it_was(model):
    clip = encode([person()] * 10)
    (first,) = model.execute([as_video(clip)])
    past = np.concatenate([first["IDENTITY"], first["PLACES"][-1], [0.1]]).astype(np.float32)
    (second,) = model.execute([Request(VIDEO=np.frombuffer(clip, np.uint8), PAST_PERSON=past)])
    told = json.loads(second["PEOPLE"][0])
    assert told["people_seen"] == 1 and not told["person_changed"]
    past[:128] = -past[:128]
    past[-1] = 3.0
    (other,) = model.execute([Request(VIDEO=np.frombuffer(clip, np.uint8), PAST_PERSON=past)])
    assert json.loads(other["PEOPLE"][0])["person_changed"] and other["COUNT"].item() == 4


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_a_past_person_who_is_no_numbers_is_refused_by_name(model, spoilt):
    past = np.full(133, spoilt, np.float32)
    clip = np.frombuffer(encode([person()]), np.uint8)
    (response,) = model.execute([Request(VIDEO=clip, PAST_PERSON=past)])
    assert response["ERROR_CODE"].item() == VideoStatus.UNKNOWN
    assert "PAST_PERSON" in response["MESSAGE"][0].decode()


def test_a_decoder_that_dies_costs_one_request_and_is_replaced(model):
    model._decoder._process.kill()
    model._decoder._process.wait()
    clip = as_video(encode([person()] * 10))
    (response,) = model.execute([clip])
    assert response["COUNT"].item() == 4
    model._decoder._process.send_signal(signal.SIGSTOP)
    (response,) = model.execute([clip])
    assert response["ERROR_CODE"].item() == VideoStatus.UNKNOWN
    assert response["MESSAGE"][0].decode() == "VIDEO: the decoder was stopped"
    assert response["MESSAGE"][1].decode()
    (response,) = model.execute([clip])
    assert response["COUNT"].item() == 4
