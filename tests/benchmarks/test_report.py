"""The report says what was measured and what of it holds."""

from __future__ import annotations

import pytest

from benchmarks.charts import draw_charts
from benchmarks.report import SECTIONS, growth_of, write_report

HOLDINGS = {
    "memory_mb": 900.0,
    "shared_memory_mb": 14.0,
    "file_descriptors": 200,
    "processes": 16,
    "memory_by_process_mb": {"face_crop": 180.0, "tritonserver": 40.0},
}
STAGE = {"seconds": 0.5, "operations": 1e10, "network_seconds": 0.3, "network_runs": 4}
BATCHING = {"requests": 24, "inferences": 960, "executions": 12}
POINT = {
    "throughput": 2.0,
    "latency_ms": {"p50": 500.0, "p90": 600.0, "p95": 700.0, "p99": 800.0},
    "batching": {"vgg_face": BATCHING},
}
PARTS = {
    "pairs": {
        "clip_seconds": 10,
        "latency_s": {"served": [0.5, 0.6], "floor": [0.5, 0.5], "peer": [9.0, 9.0]},
        "throughput": {"served": [2.0, 2.0], "floor": [2.5, 2.5], "peer": [0.1, 0.1]},
        "ratios": {
            "latency_to_floor": [1.0, 1.2],
            "latency_to_peer": [0.06, 0.07],
            "throughput_to_floor": [0.8, 0.8],
            "throughput_to_peer": [20.0, 20.0],
        },
        "floor_settings": {"latency": "one way", "throughput": "another"},
        "processor_s": {"served": 0.9, "floor": 0.8, "peer": 15.0},
    },
    "stages": {
        "stages": {"face_crop": STAGE, "fusion": STAGE | {"seconds": 0.01}},
        "decoding_seconds": 0.15,
        "peak_operations_a_second": {"one": 1e11, "all": 2e11},
        "cores": 2,
    },
    "lengths": [
        {"clip_seconds": 2, "latency_s": 0.2},
        {"clip_seconds": 10, "latency_s": 0.8},
        {"clip_seconds": 60, "latency_s": 4.7},
    ],
    "sweeps": [
        POINT | {"model": "recognize", "load": {"concurrency": 4, "rate": 0.0}},
        POINT | {"model": "recognize", "load": {"concurrency": 0, "rate": 1.25}},
        POINT | {"model": "vgg_face", "load": {"concurrency": 1, "rate": 0.0}},
    ],
    "streams": [
        {
            "streams": 2,
            "lost": 0.0,
            "latency_p50": 0.3,
            "latency_p95": 0.5,
            "cores_a_stream": 0.4,
        }
    ],
    "growth": [
        {"requests": 200, "median_ms": 90.0, "holdings": HOLDINGS},
        {"requests": 400, "median_ms": 80.0, "holdings": HOLDINGS},
        {"requests": 600, "median_ms": 80.0, "holdings": HOLDINGS | {"file_descriptors": 300}},
    ],
    "holdings": HOLDINGS,
}


@pytest.fixture
def document():
    when = {"begun": "2026-01-01 00:00:00", "seconds": 10.0, "load_average": 0.1}
    machine = {"cpu": "a processor", "cores": 2, "memory_gb": 24.0, "versions": "numpy 1"}
    parts = {name: when | {"result": result} for name, result in PARTS.items()}
    return {"machine": machine, "parts": parts}


def row(report: str, label: str) -> list[str]:
    (line,) = [line for line in report.splitlines() if line.startswith(f"| {label}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_part_has_a_section_and_a_picture(document, tmp_path):
    charts = {name: path.name for name, path in draw_charts(PARTS, tmp_path).items()}
    report = write_report(document, charts)
    assert charts.keys() == PARTS.keys() == SECTIONS.keys()
    for name in charts.values():
        assert (tmp_path / name).is_file()
        assert f"]({name})" in report


def test_wanted_ratios_are_judged_by_their_medians(document):
    report = write_report(document, {})
    assert row(report, "latency, served to floor")[1:] == [
        *("at most 1.20", "1.10", "1.00 to 1.20", "yes")
    ]
    assert row(report, "throughput, served to floor")[-1] == "no"
    assert row(report, "latency, served to peer")[-1] == "yes"


def test_the_dominant_stage_is_named(document):
    assert "dominant stage is `face_crop`" in write_report(document, {})


def test_the_time_of_face_crop_is_told_apart(document):
    assert "150 ms" in write_report(document, {})
    assert "the other 50 ms go to" in write_report(document, {})


def test_whole_clips_tell_how_their_crops_shared_runs(document):
    assert row(write_report(document, {}), "recognize | 4 clients")[-1] == "24 / 12"


def test_growth_is_counted_from_the_second_look(document):
    assert growth_of(PARTS["growth"])["latency"] == 0
    assert "Grown by more than 5 %: file_descriptors" in write_report(document, {})


def test_a_part_that_was_not_measured_is_left_out(document):
    del document["parts"]["streams"]
    assert "Live streams" not in write_report(document, {})
