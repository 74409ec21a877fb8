"""Send generated hostile requests over gRPC and report what came of them.

    python -m benchmarks.hostile [--requests 10000] [--threads 8] [--seed 0] [--out build/hostile]

A server of its own is started unless one is named. Real media of many containers and codecs is made
from the demo clip and spoilt; beside it go files that were made to do harm, tensors that lie, and
requests whose sender gives up. Every eighth request is a good one with a known answer. The server's
processes are watched. The report goes to OUT/report.json and, in short, OUT/report.txt; the exit
status is 1 when something in it must not be.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.hostile.collection import collect
from benchmarks.hostile.generator import Generator
from benchmarks.hostile.odd_sounds import wav_of_channels
from benchmarks.hostile.report import document, text
from benchmarks.hostile.requests import good_requests
from benchmarks.hostile.seeds import read_source
from benchmarks.hostile.storm import known_answers, run_storm
from benchmarks.hostile.watch import Watch
from server import running_server

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "demo" / "clip.mp4"


def main() -> int:
    """Run a storm; return 1 when something must not be."""
    options = _options()
    clip = CLIP.read_bytes()
    good = good_requests(clip, wav_of_channels(read_source(clip).samples, 1))
    generator = Generator(collect(clip), good, options.seed)
    with _server(options) as (url, launcher):
        known = known_answers(url, good)
        watch = Watch(launcher) if launcher else None
        with watch.running() if watch else nullcontext():
            begin = time.monotonic()
            outcomes = run_storm(
                url,
                generator.request,
                options.only or range(options.requests),
                known,
                options.threads,
                stop=lambda: bool(options.until_death and watch and watch.noticed_deaths),
            )
            seconds = time.monotonic() - begin
    settings = {name: str(value) for name, value in vars(options).items()}
    report = document(outcomes, watch, seconds, settings)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    (options.out / "report.txt").write_text(text(report))
    sys.stdout.write(text(report))
    return 1 if report["faults"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--threads", type=int, default=8, help="how many at a time (8)")
    parser.add_argument("--seed", type=int, default=0, help="another one sends others (0)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "hostile", help="a folder")
    parser.add_argument("--url", help="host:port of a running server's gRPC front end")
    parser.add_argument("--pid", type=int, help="the process id of its launcher, to watch it")
    parser.add_argument("--only", type=int, nargs="+", help="only the requests of these numbers")
    parser.add_argument("--until-death", action="store_true", help="stop when a process has died")
    return parser.parse_args()


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[tuple[str, int | None]]:
    if options.url:
        yield options.url, options.pid
        return
    with running_server() as server:
        yield server.grpc_url, server.process.pid


if __name__ == "__main__":
    sys.exit(main())
