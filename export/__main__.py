"""Export trained networks: `python -m export --checkpoints build/training`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from export.networks import NETWORKS
from export.onnx_file import Served, export

PARITY = Path(__file__).resolve().parent / "parity"


def save_parity(name: str, served: Served, outputs: list[np.ndarray]) -> None:
    """Keep the last trial and the source network's answers, to test the file without PyTorch."""
    PARITY.mkdir(exist_ok=True)
    inputs = zip(served.inputs, served.trials[-1], strict=True)
    arrays = {f"input.{key}": value.numpy() for key, value in inputs}
    arrays |= {f"output.{key}": value for key, value in zip(served.outputs, outputs, strict=True)}
    np.savez_compressed(PARITY / f"{name}.npz", **arrays)


def main(arguments: list[str] | None = None) -> None:
    """Write `model.onnx` and the parity fixture of each chosen model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=Path, default=Path("build/training"))
    parser.add_argument("--whisper", type=Path, default=Path("build/whisper"), help="wheels")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in options.only:
        served = NETWORKS[name](options.checkpoints, options.whisper)
        outputs = export(name, served, options.repository / name / "1" / "model.onnx")
        save_parity(name, served, outputs)


if __name__ == "__main__":
    main()
