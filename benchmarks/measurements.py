"""The parts of `make bench`: each measures one thing and returns it as plain data."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np

from benchmarks.arithmetic import counting, measure_peak
from benchmarks.floor import Floor, Pipeline, Setting, search
from benchmarks.growth import watch_growth
from benchmarks.media import ROOT, clip_of, demo_sentence
from benchmarks.pairs import Turn, latencies, rates
from benchmarks.perf import INPUTS
from benchmarks.server_state import processor_seconds, read_holdings
from benchmarks.sweeps import Load, measure
from clients import Media, Recogniser
from server import RunningServer


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        clip_seconds: Of the clip that `recognize`, the peer and the floor are compared on.
        short_seconds: Of the clip that the other models are asked about.
        lengths: Seconds of the clips that show what length costs.
        rounds: How often contenders take turns.
        turns: Clips of a turn.
        requests: Answers of a window of perf_analyzer at the models that take whole clips.
        quick_requests: The same at models that take milliseconds.
        concurrencies: Clients of `recognize`; other models are asked by the first and the third.
        shares: Poisson rates of `recognize`, as parts of the most it answered; other models are
            asked at the last.
        growth_requests: How many requests shall leave no trace.
        streams: Numbers of live streams.
        stream_seconds: For how long each number is counted.
    """

    clip_seconds: int = 10
    short_seconds: int = 2
    lengths: tuple[int, ...] = (2, 5, 10, 20, 40, 60)
    rounds: int = 3
    turns: int = 4
    requests: int = 4
    quick_requests: int = 50
    concurrencies: tuple[int, ...] = (1, 2, 4, 8)
    shares: tuple[float, ...] = (0.5, 0.8)
    growth_requests: int = 2000
    streams: tuple[int, ...] = (1, 4, 8)
    stream_seconds: float = 8.0


#: A sample of everything, to see that it runs.
SAMPLE = Plan(
    clip_seconds=1,
    short_seconds=1,
    lengths=(1, 2),
    rounds=1,
    turns=1,
    requests=2,
    quick_requests=2,
    concurrencies=(1, 2),
    shares=(0.5,),
    growth_requests=10,
    streams=(1,),
    stream_seconds=2.0,
)
#: Models that take a whole clip.
WHOLE_CLIP = ("recognize", "multimodal", "video", "face_crop", "speech", "speech_frontend")
#: Clients of the throughput that is compared, and of the server that must not grow.
CLIENTS = 4


@dataclass(frozen=True)
class Bench:
    """What every part measures with.

    Attributes:
        plan: How much.
        server: The server.
        recogniser: A client of it.
    """

    plan: Plan
    server: RunningServer
    recogniser: Recogniser

    def ask(self, film: Path) -> Callable[[], object]:
        """Return a call that has a clip with its sentence recognised."""
        media = Media(text=demo_sentence(), video=film)
        return lambda: self.recogniser.recognise(media)


def measure_pairs(bench: Bench) -> dict:
    """Measure the server, the floor and the peer in turn: seconds a clip and clips a second."""
    from benchmarks.peer_flask import running_peer

    plan, clip = bench.plan, (demo_sentence(), clip_of(bench.plan.clip_seconds))
    quickest, busiest = search(*clip, clips=plan.rounds)
    served = bench.ask(clip_of(plan.clip_seconds))
    with running_peer() as peer, Floor(quickest) as alone, Floor(busiest) as crowded:
        for floor in (alone, crowded):
            floor.warm_up(*clip)
        for recognise in (served, partial(peer.recognise, *clip)):
            recognise()
        seconds = latencies(
            {
                "served": Turn(served, plan.turns),
                "floor": Turn(partial(alone.recognise, *clip), plan.turns),
                "peer": Turn(partial(peer.recognise, *clip), 1),
            },
            plan.rounds,
        )
        clips = rates(
            {
                "served": Turn(served, 2 * CLIENTS, CLIENTS),
                "floor": Turn(partial(crowded.recognise, *clip), 2 * CLIENTS, CLIENTS),
                "peer": Turn(partial(peer.recognise, *clip), CLIENTS, CLIENTS),
            },
            max(1, plan.rounds - 1),
        )
        processor = {
            "served": _processor_seconds([bench.server.process.pid], served, plan.turns),
            "floor": statistics.median(
                alone.recognise(*clip).cpu_seconds for _ in range(plan.turns)
            ),
            "peer": _processor_seconds(peer.pids, partial(peer.recognise, *clip), 1),
        }
    return {
        "clip_seconds": plan.clip_seconds,
        "latency_s": seconds.values,
        "throughput": clips.values,
        "ratios": {
            "latency_to_floor": seconds.ratios("served", "floor"),
            "latency_to_peer": seconds.ratios("served", "peer"),
            "throughput_to_floor": clips.ratios("served", "floor"),
            "throughput_to_peer": clips.ratios("served", "peer"),
        },
        "floor_settings": {"latency": str(quickest), "throughput": str(busiest)},
        "processor_s": processor,
    }


def measure_sweeps(bench: Bench) -> list[dict]:
    """Run perf_analyzer at rising load on every model."""
    points = []
    for model in INPUTS:
        points += _sweep_recognize(bench) if model == "recognize" else _sweep(bench, model)
    return points


def _sweep_recognize(bench: Bench) -> list[dict]:
    plan, film = bench.plan, clip_of(bench.plan.clip_seconds)
    loads = [Load(concurrency=clients) for clients in plan.concurrencies]
    closed = [measure(bench.server, "recognize", load, film, plan.requests) for load in loads]
    most = max(point.throughput for point in closed)
    loads = [Load(rate=share * most) for share in plan.shares]
    chance = [measure(bench.server, "recognize", load, film, plan.requests) for load in loads]
    return [asdict(point) for point in closed + chance]


def _sweep(bench: Bench, model: str) -> list[dict]:
    plan, film = bench.plan, clip_of(bench.plan.short_seconds)
    requests = plan.requests if model in WHOLE_CLIP else plan.quick_requests
    loads = [Load(concurrency=clients) for clients in plan.concurrencies[::2]]
    closed = [measure(bench.server, model, load, film, requests) for load in loads]
    most = max(point.throughput for point in closed)
    chance = measure(bench.server, model, Load(rate=plan.shares[-1] * most), film, requests)
    return [asdict(point) for point in [*closed, chance]]


def measure_lengths(bench: Bench) -> list[dict]:
    """Measure seconds a request by the length of its clip."""
    found = []
    for length in bench.plan.lengths:
        ask = bench.ask(clip_of(length))
        ask()
        seconds = [_seconds(ask) for _ in range(3)]
        found.append({"clip_seconds": length, "latency_s": statistics.median(seconds)})
    return found


def measure_stages(bench: Bench) -> dict:
    """Measure the processor time of each model for a clip, and count its operations."""
    film, sentence = clip_of(bench.plan.clip_seconds), demo_sentence()
    pipeline = Pipeline(Setting(1, side_by_side=False, intra_op=1))
    pipeline.recognise(sentence, film)
    costs = [pipeline.recognise(sentence, film) for _ in range(bench.plan.turns)]
    with counting() as ledger:
        counted = Pipeline(Setting(1, side_by_side=False, intra_op=1))
        counted.recognise(sentence, film)
    cores = os.cpu_count() or 1
    stages = {
        name: {
            "seconds": float(np.median([cost.stage_seconds[name] for cost in costs])),
            "operations": ledger.models[name].operations,
            "network_seconds": ledger.models[name].seconds,
            "network_runs": ledger.models[name].runs,
        }
        for name in costs[0].stage_seconds
    }
    return {
        "stages": stages,
        "decoding_seconds": statistics.median(_decoding_seconds(film) for _ in range(3)),
        "peak_operations_a_second": {"one": measure_peak(1), "all": cores * measure_peak(cores)},
        "cores": cores,
    }


def measure_growth(bench: Bench) -> list[dict]:
    """Send many short clips and watch latency, memory, /dev/shm and file descriptors."""
    ask = bench.ask(clip_of(1))
    requests = bench.plan.growth_requests
    return [asdict(stage) for stage in watch_growth(bench.server, ask, requests, clients=CLIENTS)]


def measure_streams(bench: Bench) -> list[dict]:
    """Count what live streams lose, by their number, with a server and a bridge of their own."""
    plan = bench.plan
    options = ["--text", "--seconds", str(plan.stream_seconds), "--streams"]
    command = [sys.executable, "-m", "benchmarks.streams", *options, *map(str, plan.streams)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [record for record in map(json.loads, run.stdout.splitlines()) if "lost" in record]


def measure_holdings(bench: Bench) -> dict:
    """Look at the server's processes after everything else."""
    return asdict(read_holdings(bench.server))


PARTS: dict[str, Callable[[Bench], object]] = {
    "pairs": measure_pairs,
    "stages": measure_stages,
    "lengths": measure_lengths,
    "sweeps": measure_sweeps,
    "streams": measure_streams,
    "growth": measure_growth,
    "holdings": measure_holdings,
}


def _processor_seconds(pids: Sequence[int], ask: Callable[[], object], clips: int) -> float:
    """Measure what processes, and the client in this one, use of the processor for a clip."""
    begin = processor_seconds(pids) + time.process_time()
    for _ in range(clips):
        ask()
    return (processor_seconds(pids) + time.process_time() - begin) / clips


def _decoding_seconds(film: Path) -> float:
    """Measure the processor seconds of decoding every picture of a film."""
    begin = time.process_time()
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for _ in container.decode(stream):
            pass
    return time.process_time() - begin


def _seconds(ask: Callable[[], object]) -> float:
    begin = time.perf_counter()
    ask()
    return time.perf_counter() - begin
