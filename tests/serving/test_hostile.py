"""A storm of requests, most of them bad: each is answered, and the good ones are right."""

from __future__ import annotations

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from tritonclient.utils import InferenceServerException

from .hostile import SENTENCE, Kind, file, kinds, text
from .wire import Grpc, Http, Wire

THREADS = 8
#: The full storm is 2000; the suite runs enough to meet every kind over both protocols.
REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "160"))


def good_inputs(clip: bytes, turn: int) -> dict:
    """Vary the good request: the clip with its sentence, each alone."""
    variants = ({"TEXT": text(SENTENCE), "VIDEO": file(clip)}, {"TEXT": text(SENTENCE)})
    return variants[turn % 8 != 0]


def check_bad(wire: Wire, kind: Kind) -> None:
    """Send a bad request and compare the answer with what the kind must be answered with."""
    try:
        answer = wire.infer("recognize", kind.inputs, kind.outputs)
    except InferenceServerException as error:
        assert not kind.failed, f"{kind.name}: refused as a whole: {error}"
        assert kind.cause in str(error), f"{kind.name}: the error does not name its cause: {error}"
        return
    assert kind.failed, f"{kind.name}: was answered with {answer}"
    modality = json.loads(answer["RESULT"][0])["modalities"][kind.failed]
    assert modality["error_code"] != 0, kind.name
    assert kind.cause in modality["message"], f"{kind.name}: {modality}"


@pytest.mark.parametrize("protocol", [Grpc, Http])
def test_every_kind_of_bad_input_is_answered_with_its_cause(triton, clip, protocol):
    wire = protocol(triton)
    for kind in kinds(clip):
        check_bad(wire, kind)


def test_good_requests_are_right_amid_a_storm_of_bad_ones(triton, clip):
    before = server_processes(triton)
    wire = Grpc(triton)
    expected = {
        turn: wire.infer("recognize", good_inputs(clip, turn), ("EMOTION", "AGE"))
        for turn in range(2)
    }
    bad = itertools.cycle(kinds(clip))
    work = [next(bad) if turn % 4 else turn for turn in range(REQUESTS)]

    def run(share: list) -> int:
        wires = [Grpc(triton), Http(triton)]
        for number, item in enumerate(share):
            wire = wires[number % 2]
            if isinstance(item, Kind):
                check_bad(wire, item)
                continue
            answer = wire.infer("recognize", good_inputs(clip, item), ("EMOTION", "AGE"))
            for name, value in expected[int(item % 8 != 0)].items():
                np.testing.assert_allclose(answer[name], value, atol=1e-4)
        return len(share)

    with ThreadPoolExecutor(THREADS) as pool:
        answered = sum(pool.map(run, [work[start::THREADS] for start in range(THREADS)]))
    assert answered == REQUESTS
    assert server_processes(triton) == before
    again = wire.infer("recognize", good_inputs(clip, 0), ("EMOTION", "AGE"))
    np.testing.assert_allclose(again["EMOTION"], expected[0]["EMOTION"], atol=1e-4)


def server_processes(triton) -> set[int]:
    """Return the server's process and all its stubs; none may die of bad input."""
    return {child.pid for child in psutil.Process(triton.process.pid).children(recursive=True)}
