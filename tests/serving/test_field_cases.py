"""What a file from the field costs: its own request at most, and nobody else anything."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc
import numpy as np
import psutil
import pytest
from contract import VideoStatus

from benchmarks.hostile.collection import collect
from benchmarks.hostile.generator import Generator
from benchmarks.hostile.odd_sounds import wav_of_channels
from benchmarks.hostile.report import judge
from benchmarks.hostile.requests import Request, file, good_requests
from benchmarks.hostile.seeds import Source, read_source
from benchmarks.hostile.storm import TOLERANCE, Wire, known_answers, run_storm
from benchmarks.hostile.watch import NEEDED, Watch, family, of_role, weigh

from .field_cases import CASES, Case, large_film

#: What a server may keep of a file when it has answered, beside what it had.
MOST_KEPT_MB = 300
#: Enough for every way of the generator, several times.
SLICE = 150
#: A request that nobody waits for stops within a second.
STOPPED_AFTER_S = 1.0
#: How long is looked at whether anybody works on; a process that replaces another does briefly.
LOOKED_AT_S = 3.0


@pytest.fixture(scope="module")
def source(clip) -> Source:
    return read_source(clip)


@pytest.fixture(scope="module")
def good(clip, source) -> dict[str, Request]:
    return good_requests(clip, wav_of_channels(source.samples, 1))


@pytest.fixture(scope="module")
def known(triton, good) -> dict[str, dict[str, np.ndarray]]:
    return known_answers(triton.grpc_url, good)


@pytest.fixture()
def wire(triton) -> Iterator[Wire]:
    with Wire(triton.grpc_url) as wire:
        yield wire


@contextmanager
def nobody_disturbed(triton, wire: Wire, good: dict, known: dict) -> Iterator[None]:
    """Check that the same processes serve as before, keep no more, and answer well."""
    before = family(triton.process.pid)
    held = weigh(before, 0.0).memory_mb
    yield
    for name in ("text", "sound"):
        answer = wire.ask(good[name])
        np.testing.assert_allclose(
            answer.as_numpy("EMOTION"), known[name]["EMOTION"], atol=TOLERANCE
        )
    after = family(triton.process.pid)
    assert of_role(after, *NEEDED) == of_role(before, *NEEDED), "a process died"
    assert weigh(after, 0.0).memory_mb - held < MOST_KEPT_MB


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_odd_file_is_answered_or_refused_alone(triton, wire, source, good, known, case: Case):
    request = case.request(source)
    with nobody_disturbed(triton, wire, good, known):
        processes = processes_of(triton)
        begin = processor_seconds(processes)
        answer = wire.ask(request)
        seconds = processor_seconds(processes) - begin
    modalities = json.loads(answer.as_numpy("RESULT")[0])["modalities"]
    assert modalities["text"]["error_code"] == 0
    told = modalities[case.modality]
    assert "did not answer" not in told["message"]
    if case.is_good:
        assert told["error_code"] == 0 and told["count"], told
    elif not told["count"] and not was_judged(case, told):
        assert re.search(case.says, told["message"]), told
    assert seconds < case.seconds, f"{seconds:.1f} s: {told}"


def was_judged(case: Case, told: dict) -> bool:
    """Say whether a picture was looked at and found to show no usable face."""
    return case.modality == "video" and told["error_code"] > VideoStatus.UNKNOWN


def test_a_request_that_its_sender_gave_up_stops(triton, wire, good, known):
    request = Request("given up", (file("VIDEO", large_film()),), seconds=1.0)
    with nobody_disturbed(triton, wire, good, known):
        with pytest.raises(grpc.RpcError) as caught:
            wire.ask(request)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        time.sleep(STOPPED_AFTER_S)
        processes = processes_of(triton)
        begin = processor_seconds(processes)
        time.sleep(LOOKED_AT_S)
        assert processor_seconds(processes) - begin < LOOKED_AT_S / 2


def processes_of(triton) -> list[psutil.Process]:
    return [psutil.Process(member.pid) for member in family(triton.process.pid)]


def processor_seconds(processes: list[psutil.Process]) -> float:
    """Return what processes have worked; one that has ended counts no more."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def test_a_slice_of_the_hostile_storm_disturbs_nobody(triton, clip, good, known):
    generator = Generator(collect(clip), good, seed=17)
    watch = Watch(triton.process.pid)
    with watch.running():
        outcomes = run_storm(triton.grpc_url, generator.request, range(SLICE), known, threads=8)
    assert len(outcomes) == SLICE
    assert judge(outcomes, watch).faults == []
