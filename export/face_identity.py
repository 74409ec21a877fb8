"""Exports the network that tells one face from another to ONNX for the `face_crop` model.

It is dlib's face recognition network (a ResNet of 29 convolutions; its author put the model into
the public domain) as face-api ships it (MIT licence), read from its npm package:

    npm pack @vladmandic/face-api@1.7.15 --pack-destination build/face-api
    python -m export.face_identity

The exported network takes RGB faces as they are (UINT8 [n, 150, 150, 3]) and gives descriptors
[n, 128]: the nearer two are, the likelier the faces are one person's. face-api's weights have eight
bits each; so have the exported ones, a scale for every filter, into which the network's
normalisation layers are folded.
"""

from __future__ import annotations

import argparse
import io
import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.int8 import store_levels
from training.face_api import identity_state

ROOT = Path(__file__).resolve().parents[1]
MODEL_FILE = ROOT / "model_repository" / "face_crop" / "1" / "identity.onnx"
PARITY_FILE = ROOT / "export" / "parity" / "face_identity.npz"
PACKAGE_FOLDER = ROOT / "build" / "face-api"
OPSET = 17
IR_VERSION = 10
SIDE = 150
#: How far rounding may move a descriptor; those of two people are over 0.5 apart.
TOLERANCE = 0.03

logger = logging.getLogger(__name__)


class Convolution(nn.Module):
    """A convolution and the scale and shift that follow it, folded into one."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        padding = 0 if stride > 1 else size // 2
        self.layer = nn.Conv2d(inputs, outputs, size, stride, padding)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, inputs, h, w] to [n, outputs, h', w']."""
        return self.layer(hidden)


class Block(nn.Module):
    """Two convolutions beside an identity; one that goes down halves the picture."""

    def __init__(self, inputs: int, outputs: int, down: bool = False) -> None:
        super().__init__()
        self.down = down
        self.first = Convolution(inputs, outputs, 3, stride=2 if down else 1)
        self.second = Convolution(outputs, outputs, 3)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, inputs, h, w] to [n, outputs, h', w']."""
        inner = self.second(torch.relu(self.first(hidden)))
        if not self.down:
            return torch.relu(hidden + inner)
        halved = functional.avg_pool2d(hidden, 2)
        height, width = (int(size) for size in halved.shape[2:])
        # A convolution without padding is a row short where the picture's side is even.
        inner = functional.pad(
            inner, (0, width - int(inner.shape[3]), 0, height - int(inner.shape[2]))
        )
        halved = functional.pad(halved, (0, 0, 0, 0, 0, int(inner.shape[1] - halved.shape[1])))
        return torch.relu(halved + inner)


class IdentityNet(nn.Module):
    """dlib's face recognition network."""

    MEANS = (122.782, 117.001, 104.298)
    #: Name, inputs, outputs and whether it goes down, of each block.
    BLOCKS = (
        *((f"conv32_{n}", 32, 32, False) for n in (1, 2, 3)),
        ("conv64_down", 32, 64, True),
        *((f"conv64_{n}", 64, 64, False) for n in (1, 2, 3)),
        ("conv128_down", 64, 128, True),
        *((f"conv128_{n}", 128, 128, False) for n in (1, 2)),
        ("conv256_down", 128, 256, True),
        *((f"conv256_{n}", 256, 256, False) for n in (1, 2)),
        ("conv256_down_out", 256, 256, True),
    )

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("means", torch.tensor(self.MEANS), persistent=False)
        self.conv32_down = Convolution(3, 32, 7, stride=2)
        self.blocks = nn.ModuleDict(
            {name: Block(inputs, outputs, down) for name, inputs, outputs, down in self.BLOCKS}
        )
        self.fc = nn.Linear(256, 128, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map faces, UINT8 [n, 150, 150, 3], to descriptors [n, 128]."""
        hidden = ((pixels.float() - self.means) / 255).permute(0, 3, 1, 2)
        hidden = functional.max_pool2d(torch.relu(self.conv32_down(hidden)), 3, 2)
        for block in self.blocks.values():
            hidden = block(hidden)
        return self.fc(hidden.mean(dim=(2, 3)))


def export(package: Path, path: Path = MODEL_FILE, parity_file: Path = PARITY_FILE) -> None:
    """Write identity.onnx and the fixture that later checks it.

    Args:
        package: Folder with face-api's package as `npm pack` writes it.
        path: Where the ONNX file goes.
        parity_file: Where a trial's `pixels` and the source network's `descriptors` are kept.

    Raises:
        ValueError: The file's descriptors are farther than `TOLERANCE` from the source's.
    """
    network = IdentityNet()
    network.load_state_dict(identity_state(package))
    network.eval()
    pixels = trial(3)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    data = onnx_bytes(network, torch.from_numpy(pixels))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (got,) = session.run(["descriptor"], {"pixels": pixels})
    worst = float(np.linalg.norm(got - expected, axis=1).max())
    if worst > TOLERANCE:
        raise ValueError(f"{path.name} is {worst:.3f} from its source, at most {TOLERANCE}")
    path.write_bytes(data)
    logger.info("%s: %.1f MB, greatest distance %.1e", path.name, len(data) / 1e6, worst)
    np.savez_compressed(parity_file, pixels=pixels, descriptors=expected)


def trial(count: int) -> np.ndarray:
    """Draw smooth random pictures, UINT8 [count, 150, 150, 3]."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 15, 15, generator=random) * 255
    fine = functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    return fine.permute(0, 2, 3, 1).to(torch.uint8).numpy()


def onnx_bytes(network: nn.Module, example: Tensor) -> bytes:
    """Write a network to ONNX with its filters in eight bits; a batch is dynamic."""
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        buffer,
        dynamo=False,
        opset_version=OPSET,
        input_names=["pixels"],
        output_names=["descriptor"],
        dynamic_axes={"pixels": {0: "n"}, "descriptor": {0: "n"}},
    )
    model = onnx.load_from_string(buffer.getvalue())
    model.ir_version = IR_VERSION
    filters = [tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 4]
    store_levels(model, dict.fromkeys(filters, (1, 2, 3)))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def main() -> None:
    """Run the export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, default=PACKAGE_FOLDER, help="face-api's folder")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    export(arguments.package)


if __name__ == "__main__":
    main()
