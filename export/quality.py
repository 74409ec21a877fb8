"""Export the network that judges faces: `python -m export.quality --checkpoints build/training`.

It goes beside the face detector, into `model_repository/face_crop/1/quality.onnx`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch
from torch import Tensor

from export.__main__ import save_parity
from export.onnx_file import Served, export
from export.repository import MODEL_REPOSITORY
from training.command import QuickError, is_quick
from training.fit import trained
from training.networks.quality import INPUT, QualityNet, ServedQuality

TARGET = MODEL_REPOSITORY / "face_crop" / "1" / "quality.onnx"


def _faces(count: int, seed: int) -> tuple[Tensor, ...]:
    """Draw smooth random pictures of every contrast."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 9, 9, generator=random) * 255
    fine = torch.nn.functional.interpolate(coarse, size=(INPUT, INPUT), mode="bilinear")
    return (fine[:, 0].to(torch.uint8).contiguous(),)


def quality(checkpoints: Path) -> Served:
    """Describe the network as it is served."""
    network = trained(QualityNet(), checkpoints / "face" / "quality")
    axes = {name: {0: "batch"} for name in ("FACES", "QUALITY")}
    trials = [_faces(3, 0), _faces(1, 1), _faces(16, 2)]
    return Served(ServedQuality(network), ["FACES"], ["QUALITY"], axes, trials)


def main(arguments: list[str] | None = None) -> None:
    """Write the file, and the fixture by which it is tested without PyTorch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", type=Path, default=Path("build/training"))
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if is_quick(options.checkpoints) and options.target == TARGET:
        raise QuickError(
            f"{options.checkpoints} was made by --quick and recognises nothing: export it to a "
            "--target of its own"
        )
    served = quality(options.checkpoints)
    outputs = export("quality", served, options.target)
    if options.target == TARGET:
        save_parity("quality", served, outputs)


if __name__ == "__main__":
    try:
        main()
    except QuickError as error:
        sys.exit(f"error: {error}")
