"""The pictures of a report."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

SIZE = (7.0, 3.6)


def draw_charts(parts: dict, folder: Path) -> dict[str, Path]:
    """Draw what was measured.

    Args:
        parts: The measurements by the part's name, as `benchmarks.measurements` gives them.
        folder: Where the PNG files go.

    Returns:
        The files by the part's name.
    """
    drawn = {}
    for name, draw in CHARTS.items():
        if name in parts:
            figure = draw(parts[name])
            figure.tight_layout()
            drawn[name] = folder / f"{name}.png"
            figure.savefig(drawn[name], dpi=120)
            plt.close(figure)
    return drawn


def _pairs(pairs: dict) -> plt.Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=SIZE)
    for axes, values, label in (
        (left, pairs["latency_s"], "seconds a clip, one at a time"),
        (right, pairs["throughput"], "clips a second, 4 clients"),
    ):
        names = list(values)
        middles = [sorted(values[name])[len(values[name]) // 2] for name in names]
        axes.bar_label(axes.bar(names, middles), fmt="%.2f")
        axes.set_yscale("log")
        axes.set_title(label, fontsize=9)
    return figure


def _sweeps(points: list[dict]) -> plt.Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=SIZE, sharey=True)
    whole = [point for point in points if point["model"] == "recognize"]
    for axes, kind, label in (
        (left, "concurrency", "clients"),
        (right, "rate", "requests a second, Poisson"),
    ):
        chosen = [point for point in whole if point["load"][kind]]
        for percentile in ("p50", "p95"):
            latency = [point["latency_ms"][percentile] / 1000 for point in chosen]
            axes.plot([point["load"][kind] for point in chosen], latency, "o-", label=percentile)
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
        axes.legend()
    left.set_ylabel("seconds, recognize")
    return figure


def _lengths(lengths: list[dict]) -> plt.Figure:
    figure, axes = plt.subplots(figsize=SIZE)
    seconds = [one["clip_seconds"] for one in lengths]
    axes.plot(seconds, [one["latency_s"] for one in lengths], "o-")
    axes.set_xlabel("seconds of the clip")
    axes.set_ylabel("seconds a request")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    return figure


def _stages(measured: dict) -> plt.Figure:
    figure, axes = plt.subplots(figsize=SIZE)
    stages, peak = measured["stages"], measured["peak_operations_a_second"]["one"]
    names = sorted(stages, key=lambda name: stages[name]["seconds"])
    axes.barh(names, [1000 * stages[name]["seconds"] for name in names], label="measured")
    least = [1000 * stages[name]["operations"] / peak for name in names]
    axes.barh(names, least, height=0.4, label="its operations at the matrix peak")
    axes.set_xlabel("ms of one core")
    axes.legend()
    return figure


def _holdings(holdings: dict) -> plt.Figure:
    figure, axes = plt.subplots(figsize=SIZE)
    memory = holdings["memory_by_process_mb"]
    names = sorted(memory, key=memory.__getitem__)
    axes.barh(names, [memory[name] for name in names])
    axes.set_xlabel("MB")
    return figure


def _growth(stages: list[dict]) -> plt.Figure:
    figure, grid = plt.subplots(2, 2, figsize=(SIZE[0], 1.5 * SIZE[1]), sharex=True)
    requests = [stage["requests"] for stage in stages]
    rows = {
        "median ms": [stage["median_ms"] for stage in stages],
        "memory, MB": [stage["holdings"]["memory_mb"] for stage in stages],
        "/dev/shm, MB": [stage["holdings"]["shared_memory_mb"] for stage in stages],
        "file descriptors": [stage["holdings"]["file_descriptors"] for stage in stages],
    }
    for axes, (label, values) in zip(grid.flat, rows.items(), strict=True):
        axes.plot(requests, values, "o-")
        axes.set_ylim(bottom=0, top=1.2 * max(values))
        axes.set_title(label, fontsize=9)
    return figure


def _streams(trials: list[dict]) -> plt.Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=SIZE)
    streams = [trial["streams"] for trial in trials]
    left.plot(streams, [100 * trial["lost"] for trial in trials], "o-")
    left.set_ylabel("% of the seconds lost")
    right.plot(streams, [trial["latency_p95"] for trial in trials], "o-")
    right.set_ylabel("p95 seconds to the result")
    for axes in (left, right):
        axes.set_xlabel("streams")
        axes.set_ylim(bottom=0)
    return figure


CHARTS = {
    "pairs": _pairs,
    "stages": _stages,
    "lengths": _lengths,
    "sweeps": _sweeps,
    "streams": _streams,
    "growth": _growth,
    "holdings": _holdings,
}
