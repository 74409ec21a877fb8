"""Export trained networks: `python -m export --checkpoints build/training`.

This replaces the weights in the project's own `model_repository`. With `--repository FOLDER` they
go into a copy of it instead, which is served by

    python -m server --model-repository FOLDER --model-repository ensemble
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

import numpy as np

from export.networks import NETWORKS
from export.onnx_file import Served, export
from export.repository import (
    DECISION,
    MODEL_REPOSITORY,
    WEIGHTS,
    RepositoryError,
    is_own,
    prepare,
    write_card,
)
from server.variants import write_variants
from training.command import QuickError, is_quick

PARITY = Path(__file__).resolve().parent / "parity"


def save_parity(name: str, served: Served, outputs: list[np.ndarray]) -> None:
    """Keep the last trial and the source network's answers, to test the file without PyTorch."""
    PARITY.mkdir(exist_ok=True)
    inputs = zip(served.inputs, served.trials[-1], strict=True)
    arrays = {f"input.{key}": value.numpy() for key, value in inputs}
    arrays |= {f"output.{key}": value for key, value in zip(served.outputs, outputs, strict=True)}
    np.savez_compressed(PARITY / f"{name}.npz", **arrays)


def main(arguments: list[str] | None = None) -> None:
    """Write `model.onnx` of each chosen model; of the project's own also the parity fixture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", type=Path, default=Path("build/training"))
    parser.add_argument("--whisper", type=Path, default=Path("build/whisper"), help="wheels")
    parser.add_argument(
        "--repository",
        type=Path,
        default=MODEL_REPOSITORY,
        help="a new folder, or an earlier one, instead of the project's own",
    )
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--quick", action="store_true", help="export what --quick trained, which recognises nothing"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quick = is_quick(options.checkpoints)
    if quick and (not options.quick or is_own(options.repository)):
        raise QuickError(
            f"{options.checkpoints} was made by --quick and recognises nothing: export it with "
            "--quick and to a --repository of its own"
        )
    if not is_own(options.repository):
        prepare(options.repository, options.only)
    for name in options.only:
        served = NETWORKS[name](options.checkpoints, options.whisper)
        outputs = export(name, served, options.repository / name / "1" / WEIGHTS)
        if name == "fusion":
            measured = options.checkpoints / "fusion" / DECISION
            shutil.copyfile(measured, options.repository / "recognize" / "1" / DECISION)
        if is_own(options.repository):
            save_parity(name, served, outputs)
        else:
            write_card(options.repository, name, options.checkpoints, quick)
    write_variants(options.repository)


if __name__ == "__main__":
    try:
        main()
    except (QuickError, RepositoryError) as error:
        sys.exit(f"error: {error}")
