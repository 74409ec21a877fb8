"""The launcher's small requests reach every model and are answered."""

from __future__ import annotations

import pytest
import tritonclient.grpc as grpcclient

from server.leaf_probes import probe_of

from .wire import Grpc

ENSEMBLES = {"text", "speech", "video", "multimodal"}


@pytest.fixture(scope="module")
def probes(triton):
    """Return the probe of every model that is served, by the model's name."""
    key = {"triton-grpc-protocol-admin-key": triton.admin_key}
    with grpcclient.InferenceServerClient(triton.grpc_url) as client:
        models = [model.name for model in client.get_model_repository_index(headers=key).models]
        configs = {name: client.get_model_config(name, as_json=True)["config"] for name in models}
    return {name: probe_of(config) for name, config in configs.items()}


def ask(triton, probes, model, *outputs):
    inputs = {one.name: (one.datatype, one.values) for one in probes[model]}
    return Grpc(triton).infer(model, inputs, outputs)


def test_every_model_but_the_wiring_has_a_probe_that_it_answers(triton, probes):
    assert {model for model, probe in probes.items() if not probe} == ENSEMBLES
    for model in probes.keys() - ENSEMBLES:
        assert ask(triton, probes, model)


def test_the_probes_show_a_face_and_hold_a_voice(triton, probes):
    assert ask(triton, probes, "face_crop", "COUNT")["COUNT"] == [1]
    assert ask(triton, probes, "speech_frontend", "COUNT")["COUNT"] == [1]
