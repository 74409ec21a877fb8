"""What was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

#: Ratio, what it is, whether more or less is better, and the bound that is wanted.
WANTED = (
    ("latency_to_floor", "latency, served to floor", "at most", 1.20),
    ("throughput_to_floor", "throughput, served to floor", "at least", 0.90),
    ("latency_to_peer", "latency, served to peer", "at most", 1 / 3),
    ("throughput_to_peer", "throughput, served to peer", "at least", 4.0),
)
#: What may come of noise between the second and the last look at a server.
GROWTH_TOLERANCE = 0.05


def write_report(document: dict, charts: dict[str, str]) -> str:
    """Return the report.

    Args:
        document: `machine` and `parts`; each part has its `result` and under what load it ran.
        charts: Names of the pictures by part.
    """
    lines = ["# Benchmarks", "", *_machine(document["machine"])]
    for name, section in SECTIONS.items():
        part = document["parts"].get(name)
        if part is None:
            continue
        lines += ["", *section(part["result"])]
        if name in charts:
            lines += ["", f"![{name}]({charts[name]})"]
        begun, load = part["begun"], part["load_average"]
        lines += ["", f"Begun {begun}, {part['seconds']:.0f} s, load average before {load:.2f}."]
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lay out a Markdown table."""
    return [
        "| " + " | ".join(map(str, cells)) + " |" for cells in (head, ["---"] * len(head), *rows)
    ]


def _machine(machine: dict) -> list[str]:
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB; "
        f"{machine['versions']}."
    ]


def _pairs(pairs: dict) -> list[str]:
    rows = []
    for key, label, direction, bound in WANTED:
        values = pairs["ratios"][key]
        ratio = median(values)
        holds = ratio <= bound if direction == "at most" else ratio >= bound
        spread = f"{min(values):.2f} to {max(values):.2f}"
        verdict = "yes" if holds else "no"
        rows.append([label, f"{direction} {bound:.2f}", f"{ratio:.2f}", spread, verdict])
    latency, rate = pairs["latency_s"], pairs["throughput"]
    processor = pairs["processor_s"]
    figures = [
        [
            name,
            f"{median(latency[name]):.3f}",
            f"{median(rate[name]):.3f}",
            f"{processor[name]:.3f}",
        ]
        for name in latency
    ]
    settings = pairs["floor_settings"]
    head = ["", "seconds a clip, one client", "clips a second, 4 clients", "processor s a clip"]
    return [
        "## Served, floor and peer",
        "",
        f"One clip of {pairs['clip_seconds']} s, 640x480 at 30 frames a second, with sound and a "
        "sentence; contenders in turn, ratios of neighbouring turns.",
        "",
        *table(["ratio", "wanted", "median", "range", "holds"], rows),
        "",
        *table(head, figures),
        "",
        f"The floor's best settings: latency {settings['latency']}; throughput "
        f"{settings['throughput']}. Processor seconds do not depend on what else the machine does.",
    ]


def _stages(measured: dict) -> list[str]:
    stages, peak = measured["stages"], measured["peak_operations_a_second"]
    total = sum(stage["seconds"] for stage in stages.values())
    names = sorted(stages, key=lambda name: -stages[name]["seconds"])
    rows = [
        [
            name,
            f"{stages[name]['operations'] / 1e9:.2f}",
            f"{1000 * stages[name]['operations'] / peak['one']:.0f}",
            f"{1000 * stages[name]['network_seconds']:.0f}",
            f"{1000 * stages[name]['seconds']:.0f}",
            f"{stages[name]['seconds'] / total:.0%}",
        ]
        for name in names
    ]
    head = ["stage", "GFLOP", "ms at the peak", "ms in networks", "ms", "share"]
    first = names[0]
    least = sum(stage["operations"] for stage in stages.values()) / peak["all"]
    return [
        "## Stages",
        "",
        "The same clip in one process on one core, in processor time: what else the machine does "
        "is not in it.",
        "",
        *table(head, rows),
        "",
        f"A large float32 matrix product reaches {peak['one'] / 1e9:.0f} GFLOP/s on one core and "
        f"{peak['all'] / 1e9:.0f} on {measured['cores']}: all operations of the clip would take "
        f"{1000 * least:.0f} ms on {measured['cores']} cores at that rate. The dominant stage is "
        f"`{first}`.",
        "",
        _face_crop(stages["face_crop"], measured["decoding_seconds"]),
    ]


def _face_crop(stage: dict, decoding: float) -> str:
    """Say where the time of the stage goes that is not its networks alone."""
    rest = stage["seconds"] - decoding - stage["network_seconds"]
    return (
        f"`face_crop` decodes the film, which takes {1000 * decoding:.0f} ms if every picture is "
        f"decoded; its networks run {stage['network_runs']} times in "
        f"{1000 * stage['network_seconds']:.0f} ms; the other {1000 * rest:.0f} ms go to resizing, "
        "sharpness and crops."
    )


def _lengths(lengths: list[dict]) -> list[str]:
    seconds = np.array([one["clip_seconds"] for one in lengths], float)
    latency = np.array([one["latency_s"] for one in lengths])
    slope, start = np.polyfit(seconds, latency, 1)
    rest = latency - (slope * seconds + start)
    explained = 1 - rest.var() / latency.var()
    rows = [
        [f"{a:.0f}", f"{b:.3f}", f"{1000 * b / a:.0f}"]
        for a, b in zip(seconds, latency, strict=True)
    ]
    return [
        "## Cost by length",
        "",
        *table(["seconds of the clip", "seconds a request", "ms a second of the clip"], rows),
        "",
        f"A line, {start:.2f} s and {1000 * slope:.0f} ms a second, explains {explained:.1%} of "
        "the variance. Beyond 16 s a request has 64 crops, however long it is.",
    ]


def _sweeps(points: list[dict]) -> list[str]:
    rows = [
        [
            point["model"],
            _load(point["load"]),
            f"{point['throughput']:.2f}",
            f"{point['latency_ms']['p50']:.1f}",
            f"{point['latency_ms']['p95']:.1f}",
            _runs(point),
        ]
        for point in points
    ]
    head = ["model", "load", "answers a second", "p50 ms", "p95 ms", "requests / runs"]
    return [
        "## Latency against load",
        "",
        "perf_analyzer; `recognize` on the clip above, the other models on a shorter one. Requests "
        "share runs where there are fewer runs than requests; of whole clips it is said of "
        "`vgg_face`. perf_analyzer leaves answers out that cross an end of its windows, so of few "
        "requests it counts fewer answers a second than were given.",
        "",
        *table(head, rows),
    ]


def _load(load: dict) -> str:
    clients = load["concurrency"]
    return f"{clients} clients" if clients else f"{load['rate']:.2f}/s, Poisson"


def _runs(point: dict) -> str:
    """Return requests and runs of the model, or of the network that a clip's crops share."""
    whole = point["model"] in ("recognize", "multimodal", "video")
    counts = point["batching"].get("vgg_face" if whole else point["model"])
    return f"{counts['requests']} / {counts['executions']}" if counts else ""


def _streams(trials: list[dict]) -> list[str]:
    rows = [
        [
            trial["streams"],
            f"{trial['lost']:.1%}",
            trial["latency_p50"],
            trial["latency_p95"],
            trial["cores_a_stream"],
        ]
        for trial in trials
    ]
    head = ["streams", "seconds lost", "p50 s", "p95 s", "cores a stream"]
    return ["## Live streams", "", *table(head, rows)]


def _growth(stages: list[dict]) -> list[str]:
    rows = [
        [
            stage["requests"],
            f"{stage['median_ms']:.0f}",
            f"{stage['holdings']['memory_mb']:.0f}",
            f"{stage['holdings']['shared_memory_mb']:.1f}",
            stage["holdings"]["file_descriptors"],
        ]
        for stage in stages
    ]
    head = ["requests", "median ms", "memory, MB", "/dev/shm, MB", "file descriptors"]
    grown = [name for name, values in growth_of(stages).items() if values > GROWTH_TOLERANCE]
    verdict = f"Grown by more than 5 %: {', '.join(grown)}." if grown else "Nothing grew by 5 %."
    return [
        "## Growth",
        "",
        "Clips of 1 s from 4 clients.",
        "",
        *table(head, rows),
        "",
        f"From the second look to the last: {verdict}",
    ]


def growth_of(stages: list[dict]) -> dict[str, float]:
    """Return by how much of itself each figure grew from the second look to the last."""
    first, last = stages[min(1, len(stages) - 1)], stages[-1]
    figures = {"latency": (first["median_ms"], last["median_ms"])}
    for name in ("memory_mb", "shared_memory_mb", "file_descriptors"):
        figures[name] = (first["holdings"][name], last["holdings"][name])
    return {
        name: after / before - 1 if before else 0.0 for name, (before, after) in figures.items()
    }


def _holdings(holdings: dict) -> list[str]:
    memory = holdings["memory_by_process_mb"]
    rows = [[name, f"{memory[name]:.0f}"] for name in sorted(memory, key=lambda one: -memory[one])]
    return [
        "## Memory",
        "",
        f"{holdings['memory_mb']:.0f} MB in {holdings['processes']} processes after all of the "
        f"above; {holdings['shared_memory_mb']:.0f} MB in /dev/shm.",
        "",
        *table(["process", "MB"], rows),
    ]


SECTIONS: dict[str, Callable[..., list[str]]] = {
    "pairs": _pairs,
    "stages": _stages,
    "lengths": _lengths,
    "sweeps": _sweeps,
    "streams": _streams,
    "growth": _growth,
    "holdings": _holdings,
}
