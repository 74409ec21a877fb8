"""The hostile storm's own parts: what it sends, whom it watches, how it judges."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import av
import pytest
from PIL import Image

from benchmarks.hostile.collection import Collection, collect
from benchmarks.hostile.generator import GOOD_EVERY, Generator
from benchmarks.hostile.report import document, judge, text
from benchmarks.hostile.requests import good_requests
from benchmarks.hostile.seeds import make_seeds, read_source
from benchmarks.hostile.storm import Outcome, normalised
from benchmarks.hostile.watch import Death, Sample, Watch, family, growth


@pytest.fixture(scope="module")
def files(clip) -> Collection:
    return collect(clip)


def generator(files: Collection, clip: bytes, seed: int) -> Generator:
    return Generator(files, good_requests(clip, files.good["sound"][0].data), seed)


def test_writing_media_leaves_the_process_scheduled_as_it_was(clip):
    """First in the file: what an encoder does to its caller would stay for the other tests."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    make_seeds(read_source(clip))
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before


def test_what_is_spoilt_is_good_media_of_many_containers(files):
    containers = set()
    for seed in (*files.good["film"], *files.good["sound"]):
        if seed.name == "animated webp":  # FFmpeg reads none
            continue
        with av.open(io.BytesIO(seed.data)) as container:
            assert next(container.decode(), None) is not None, seed.name
            containers.add(container.format.name)
    assert len(containers) >= 12
    for seed in files.good["picture"]:
        Image.open(io.BytesIO(seed.data)).load()


def test_a_seed_and_a_number_say_what_a_request_is(files, clip):
    one, again, other = (generator(files, clip, seed) for seed in (1, 1, 2))
    numbers = range(1, 60)
    sent = [one.request(number).message() for number in numbers]
    assert sent == [again.request(number).message() for number in reversed(numbers)][::-1]
    assert sent != [other.request(number).message() for number in numbers]


def test_every_way_of_asking_and_every_good_request_comes(files, clip):
    requests = [generator(files, clip, 0).request(number) for number in range(800)]
    good = [request for request in requests if request.good]
    assert [requests.index(request) % GOOD_EVERY for request in good] == [0] * len(good)
    assert {request.good for request in good} == {"text", "clip", "sound"}
    kinds = Counter(request.kind.split(":")[0].split()[0] for request in requests)
    assert {"VIDEO", "AUDIO", "FRAMES", "TEXT", "PAST_VIDEO", "PAST_SPEECH", "lie", "directly"} <= (
        kinds.keys()
    )
    assert 20 < sum(request.impatient for request in requests) < 140


def test_like_causes_are_alike_whatever_their_figures():
    one = normalised("FRAMES[3] has 17 bytes, at most 12.5: 'a.png' is [1, 2]")
    other = normalised("FRAMES[0] has 99 bytes, at most 7: 'b.png' is [3]")
    assert one == other and "bytes" in one


def test_a_holding_is_flat_when_its_last_half_is_whatever_was_before():
    assert growth([10.0, 90.0] * 10 + [100.0] * 30) == pytest.approx(0)
    assert growth([100.0] * 20 + [100.0] * 19 + [900.0]) == pytest.approx(0)
    assert growth([100.0 + number for number in range(40)]) == pytest.approx(19 / 129.5)
    assert growth([1.0] * 8) is None


def sample(time: float, memory: float) -> Sample:
    return Sample(time, memory, 50.0, memory, 30.0, 200, 10, {"face_crop_0_0 (stub)": memory})


def outcome(number: int, fate: str, cause: str = "") -> Outcome:
    return Outcome(number, "TEXT: noise", fate, cause, float(number), 0.5)


def test_a_report_names_what_must_not_be():
    outcomes = [
        outcome(1, "answered"),
        outcome(2, "refused", "INVALID_ARGUMENT: TEXT"),
        outcome(3, "hung"),
        outcome(4, "wrong", "an age is not one"),
    ]
    watch = Watch(os.getpid())
    watch.deaths = [
        Death("speech_frontend_0_0", "stub", 2.9, 3.2),
        Death("speech_frontend_0_0", "worker", 2.9, 3.2),
    ]
    watch.samples = [sample(number, 1_000.0 + 10 * number) for number in range(40)]
    report = document(outcomes, watch, 10.0, {})
    faults = "\n".join(report["faults"])
    for words in ("no answer: 3", "wrong: 4", "speech_frontend_0_0 (stub)", "memory_mb grew"):
        assert words in faults
    assert len(report["faults"]) == 4
    (death,) = report["deaths"]
    assert [one["number"] for one in death["under way"]] == [3]
    assert report["refused by cause"] == {"INVALID_ARGUMENT: TEXT": 1}
    assert "an age is not one" in text(report)
    assert "face_crop_0_0 (stub)" in text(report)


def test_a_calm_storm_has_no_faults():
    watch = Watch(os.getpid())
    watch.samples = [sample(number, 1_000.0 + number % 3) for number in range(40)]
    assert judge([outcome(1, "answered"), outcome(2, "gave up")], watch).faults == []


def test_a_process_that_ends_is_seen():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watch = Watch(os.getpid())
    assert child.pid in {member.pid for member in family(os.getpid())}
    with watch.running():
        child.communicate(b"\n")
    assert [(death.role, death.name) for death in watch.deaths] == [
        ("helper", Path(sys.executable).name)
    ]
    assert watch.noticed_deaths == []
    assert watch.samples[-1].memory_mb > 0
