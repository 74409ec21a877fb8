"""Run one module of the peer: `python -m benchmarks.peer_flask MODULE --port PORT`."""

from __future__ import annotations

import argparse
import importlib

import waitress

from benchmarks.peer_flask.processes import MODULES


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", choices=MODULES)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    module = importlib.import_module(f"benchmarks.peer_flask.{options.module}")
    waitress.serve(module.create_app(), host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
