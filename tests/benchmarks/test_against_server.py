"""What is measured of a running server is the server's own account of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.growth import watch_growth
from benchmarks.media import demo_sentence
from benchmarks.perf import INPUTS, Source
from benchmarks.server_state import Batching, read_batching, read_holdings
from benchmarks.sweeps import Load, PerfAnalyzerError, measure
from clients import Media, Recogniser

ROOT = Path(__file__).parents[2]
DEMO_CLIP = ROOT / "demo" / "clip.mp4"


@pytest.mark.parametrize("load", [Load(concurrency=2), Load(rate=5.0)], ids=["clients", "Poisson"])
def test_a_measurement_has_percentiles_and_the_servers_counts(triton, load):
    point = measure(triton, "text", load, DEMO_CLIP, requests=3)
    assert point.throughput > 0
    assert 0 < point.latency_ms["p50"] <= point.latency_ms["p95"]
    # Three windows of three requests each.
    assert point.batching["text_encoder"].requests >= 9


def test_what_perf_analyzer_refuses_is_no_measurement(triton, monkeypatch):
    monkeypatch.setattr("benchmarks.sweeps._options", lambda requests: ["--no-such-option"])
    with pytest.raises(PerfAnalyzerError, match="text"):
        measure(triton, "text", Load(concurrency=1), DEMO_CLIP, requests=1)


def test_every_served_model_has_an_input():
    folders = [*(ROOT / "model_repository").iterdir(), *(ROOT / "ensemble").iterdir()]
    assert INPUTS.keys() == {folder.name for folder in folders}


def test_the_input_of_an_inner_model_is_what_the_models_before_it_made(triton):
    source = Source(DEMO_CLIP.read_bytes(), demo_sentence(), triton.grpc_url)
    inputs = INPUTS["fusion"](source)
    assert set(source.ask("fusion", inputs)) == {"EMOTION", "AGE", "GENDER", "WEIGHTS"}
    assert inputs["VIDEO_COUNT"].item() == len(inputs["VIDEO_FEATURES"]) > 0


def test_requests_are_counted_by_model(triton):
    before = read_batching(triton.metrics_url)["fusion"]
    with Recogniser(triton.grpc_url) as recogniser:
        for _ in range(3):
            recogniser.recognise(Media(text=demo_sentence()))
    added = read_batching(triton.metrics_url)["fusion"].since(before)
    # The launcher's own probes may add to them.
    assert added.requests >= 3
    assert Batching(3, 3, 3).since(Batching(1, 1, 1)) == Batching(2, 2, 2)


def test_a_servers_processes_are_looked_at_by_name(triton):
    holdings = read_holdings(triton)
    assert {"tritonserver", "launcher", "face_crop", "recognize"} <= set(
        holdings.memory_by_process_mb
    )
    assert holdings.memory_mb == pytest.approx(sum(holdings.memory_by_process_mb.values()))
    assert holdings.shared_memory_mb > 0
    assert holdings.file_descriptors > holdings.processes


def test_growth_is_looked_at_after_equal_parts(triton):
    asked = []
    stages = watch_growth(triton, lambda: asked.append(1), requests=12, stages=3, clients=2)
    assert [stage.requests for stage in stages] == [4, 8, 12]
    assert len(asked) == 12
