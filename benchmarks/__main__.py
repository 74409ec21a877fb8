"""Measure everything and write a report: `make bench`, or `python -m benchmarks`.

A server of its own is started. The figures go to build/benchmarks/report.json and report.md, with
pictures; with --parts the others are kept from the run before.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.charts import draw_charts
from benchmarks.live import cpu_model
from benchmarks.measurements import PARTS, SAMPLE, Bench, Plan
from benchmarks.media import OUT
from benchmarks.report import write_report
from clients import Connection, Recogniser
from server import running_server

PACKAGES = ("nvidia-pytriton", "onnxruntime", "av", "opencv-python-headless", "numpy")

logger = logging.getLogger("benchmarks")


def main() -> int:
    """Run the parts that are asked for; a part that is done is written before the next begins.

    Returns:
        1 when a part failed; the others are in the report all the same.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sample", action="store_true", help="only see that everything runs")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.out.mkdir(parents=True, exist_ok=True)
    document = _earlier(options.out / "report.json") | {"machine": _machine()}
    with running_server() as server:
        connection = Connection(server.grpc_url, timeout=300.0)
        with Recogniser(connection) as recogniser:
            bench = Bench(SAMPLE if options.sample else Plan(), server, recogniser)
            failed = [
                name for name in options.parts if not _run(name, bench, document, options.out)
            ]
    logger.info("%s", options.out / "report.md")
    return 1 if failed else 0


def _run(name: str, bench: Bench, document: dict, folder: Path) -> bool:
    """Measure a part and write it down; return whether it could be measured."""
    logger.info("%s", name)
    begin, load = time.time(), os.getloadavg()[0]
    try:
        result = PARTS[name](bench)
    except Exception:
        logger.exception("%s could not be measured", name)
        return False
    document["parts"][name] = {
        "begun": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(begin)),
        "seconds": time.time() - begin,
        "load_average": load,
        "result": result,
    }
    _write(document, folder)
    return True


def _write(document: dict, folder: Path) -> None:
    parts = {name: part["result"] for name, part in document["parts"].items()}
    charts = {name: path.name for name, path in draw_charts(parts, folder).items()}
    text = json.dumps(document, indent=1)
    (folder / "report.json").write_text(text, encoding="utf-8")
    (folder / "report.md").write_text(write_report(document, charts), encoding="utf-8")


def _earlier(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"parts": {}}


def _machine() -> dict:
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": psutil.virtual_memory().total / 2**30,
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


if __name__ == "__main__":
    sys.exit(main())
