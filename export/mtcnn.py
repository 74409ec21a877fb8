"""Exports MTCNN's three networks to ONNX for the `face_crop` model.

The weights are those of facenet-pytorch 2.5.3 (MIT licence), read from its installed data folder
without importing the package:

    pip install --no-deps facenet-pytorch==2.5.3
    python -m export.mtcnn

Architecture: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016. Each exported network takes RGB pixels as they are (UINT8,
[n, height, width, 3]) and gives the probability of a face and the four box offsets as fractions
of the box's size; the landmark head is left out because nothing uses it.

onnxruntime spends half of these networks' time in PRelu, which it neither vectorises nor fuses, and
which takes it out of its blocked layout. So `fuse` rewrites each network into one that computes the
same with fused convolutions alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
MODEL_FOLDER = ROOT / "model_repository" / "face_crop" / "1"
PARITY_FILE = ROOT / "export" / "parity" / "mtcnn.npz"
OPSET = 17
TOLERANCE = 1e-4
#: onnxruntime keeps channels in blocks of 16 where it has AVX-512, of 8 elsewhere.
BLOCK = 16
LANDMARK_HEADS = ("dense6_3.weight", "dense6_3.bias")

logger = logging.getLogger(__name__)


class Normalisation(nn.Module):
    """Turns RGB pixels in 0..255 into about -1..1."""

    MEAN, SCALE = 127.5, 128.0

    def forward(self, pixels: Tensor) -> Tensor:
        """Map [n, 3, h, w] to the same shape."""
        return (pixels - self.MEAN) / self.SCALE


def channels_first(pixels: Tensor) -> Tensor:
    """Turn pixels [n, h, w, 3] of UINT8 into FP32 [n, 3, h, w]."""
    return pixels.permute(0, 3, 1, 2).float()


def probability_of(logits: Tensor) -> Tensor:
    """Turn the logits [n, 2, ...] of no face and a face into the probability [n, ...] of a face.

    The sigmoid of their difference is the softmax's second value, at a tenth of its cost.
    """
    return torch.sigmoid(logits[:, 1] - logits[:, 0])


class ProposalNet(nn.Module):
    """P-net: scans a picture of any size with a window of 12 pixels and a stride of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalisation()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1 = nn.Conv2d(32, 2, 1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pixels [n, h, w, 3] to probabilities [n, h', w'] and offsets [n, h', w', 4]."""
        hidden = self.pool(self.prelu1(self.conv1(self.normalise(channels_first(pixels)))))
        hidden = self.prelu3(self.conv3(self.prelu2(self.conv2(hidden))))
        return probability_of(self.conv4_1(hidden)), self.conv4_2(hidden).permute(0, 2, 3, 1)


class RefinementNet(nn.Module):
    """R-net: judges candidates of 24x24 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalisation()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.dense5_2 = nn.Linear(128, 4)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pixels [n, 24, 24, 3] to probabilities [n] and offsets [n, 4]."""
        hidden = self.pool(self.prelu1(self.conv1(self.normalise(channels_first(pixels)))))
        hidden = self.pool(self.prelu2(self.conv2(hidden)))
        hidden = self.prelu3(self.conv3(hidden))
        hidden = self.prelu4(self.dense4(flatten_by_column(hidden)))
        return probability_of(self.dense5_1(hidden)), self.dense5_2(hidden)


class OutputNet(nn.Module):
    """O-net: judges candidates of 48x48 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalisation()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pixels [n, 48, 48, 3] to probabilities [n] and offsets [n, 4]."""
        hidden = self.pool(self.prelu1(self.conv1(self.normalise(channels_first(pixels)))))
        hidden = self.pool(self.prelu2(self.conv2(hidden)))
        hidden = self.pool3(self.prelu3(self.conv3(hidden)))
        hidden = self.prelu4(self.conv4(hidden))
        hidden = self.prelu5(self.dense5(flatten_by_column(hidden)))
        return probability_of(self.dense6_1(hidden)), self.dense6_2(hidden)


def flatten_by_column(hidden: Tensor) -> Tensor:
    """Flatten [n, c, h, w] with the column slowest: the order of the weights' Caffe ancestor."""
    return hidden.permute(0, 3, 2, 1).flatten(start_dim=1)


def convolution(weight: Tensor, bias: Tensor | None = None, groups: int = 1) -> nn.Conv2d:
    """Make a layer of its weights [out, in / groups, k, k] and biases [out]."""
    outputs, inputs, *size = weight.shape
    layer = nn.Conv2d(inputs * groups, outputs, size, groups=groups, bias=bias is not None)
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    return layer


class DepthwisePrelu(nn.Module):
    """PReLU as `slope * x + (1 - slope) * relu(x)`, scaled by depthwise convolutions."""

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.whole, self.positive = (
            convolution(factors.view(-1, 1, 1, 1), groups=len(factors))
            for factors in (slopes, 1 - slopes)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, c, h, w] to the same shape."""
        return self.whole(hidden) + self.positive(torch.relu(hidden))


class TwofoldConvolution(nn.Module):
    """A convolution c and its PReLU with slopes of at most 1, as two convolutions.

    `prelu(c) = slope * c + relu((1 - slope) * c)`, and both factors go into the weights. With few
    input channels a second convolution costs less than going over the output again.
    """

    def __init__(self, weight: Tensor, bias: Tensor, slopes: Tensor) -> None:
        super().__init__()
        self.whole, self.positive = (
            convolution(weight * factors.view(-1, 1, 1, 1), bias * factors)
            for factors in (slopes, 1 - slopes)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, i, h, w] to [n, o, h', w']."""
        return self.whole(hidden) + torch.relu(self.positive(hidden))


def fuse(network: nn.Module) -> nn.Module:
    """Rewrite a network in place for onnxruntime; its outputs stay the same up to rounding."""
    fuse_first_layer(network)
    for number in (2, 3, 4):
        if hasattr(network, f"conv{number}"):
            prelu = getattr(network, f"prelu{number}")
            setattr(network, f"prelu{number}", DepthwisePrelu(prelu.weight.data))
    return network.eval()


def fuse_first_layer(network: nn.Module) -> None:
    """Fold normalisation and PReLU into the first convolution, of whole blocks of channels.

    A slope above 1 is no sum with a ReLU; there the PReLU waits until after the pooling, which may
    change places with it because it is monotonous.
    """
    weight = padded(network.conv1.weight.data / Normalisation.SCALE)
    bias = padded(network.conv1.bias.data) - Normalisation.MEAN * weight.sum(dim=(1, 2, 3))
    slopes = padded(network.prelu1.weight.data)
    network.conv1 = TwofoldConvolution(weight, bias, slopes.clamp(max=1))
    network.prelu1 = network.normalise = nn.Identity()
    second = convolution(padded(network.conv2.weight.data, dim=1), network.conv2.bias.data)
    steep = (slopes > 1).any()
    network.conv2 = nn.Sequential(DepthwisePrelu(slopes.clamp(min=1)), second) if steep else second


def padded(weights: Tensor, dim: int = 0) -> Tensor:
    """Fill a dimension up to whole blocks of channels with zeros."""
    shape = list(weights.shape)
    shape[dim] = -shape[dim] % BLOCK
    return torch.cat([weights, weights.new_zeros(shape)], dim)


#: Name, network, and the shape of its parity input.
NETWORKS: tuple[tuple[str, type[nn.Module], tuple[int, int, int, int]], ...] = (
    ("pnet", ProposalNet, (1, 41, 58, 3)),
    ("rnet", RefinementNet, (3, 24, 24, 3)),
    ("onet", OutputNet, (3, 48, 48, 3)),
)


def installed_weights() -> Path:
    """Find the data folder of the installed facenet-pytorch.

    Raises:
        FileNotFoundError: If the package is not installed.
    """
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "facenet-pytorch is not installed; "
            "install it with: pip install --no-deps facenet-pytorch==2.5.3"
        )
    return Path(spec.origin).parent / "data"


def load(network: nn.Module, weights: Path) -> nn.Module:
    """Load a state dictionary into a network, every key accounted for."""
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict({k: v for k, v in state.items() if k not in LANDMARK_HEADS})
    return network.eval()


def write_onnx(network: nn.Module, example: Tensor, path: Path) -> None:
    """Write a network to ONNX; a batch is dynamic everywhere, the picture's size in P-net."""
    pixels_axes = {0: "n"}
    output_axes = {0: "n"}
    if isinstance(network, ProposalNet):
        pixels_axes |= {1: "height", 2: "width"}
        output_axes |= {1: "rows", 2: "columns"}
    torch.onnx.export(
        network,
        (example,),
        path,
        dynamo=False,
        opset_version=OPSET,
        input_names=["pixels"],
        output_names=["probability", "offsets"],
        dynamic_axes={"pixels": pixels_axes, "probability": output_axes, "offsets": output_axes},
    )


def check_parity(path: Path, pixels: np.ndarray, expected: list[np.ndarray]) -> float:
    """Compare an ONNX file with its source network's outputs.

    Returns:
        The greatest absolute difference.

    Raises:
        ValueError: If it exceeds `TOLERANCE`.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = session.run(["probability", "offsets"], {"pixels": pixels})
    worst = max(float(np.abs(a - b).max()) for a, b in zip(got, expected, strict=True))
    if worst > TOLERANCE:
        raise ValueError(f"{path.name} differs from its source by {worst:.2e}, at most {TOLERANCE}")
    return worst


def export(weights: Path, folder: Path = MODEL_FOLDER, parity_file: Path = PARITY_FILE) -> None:
    """Write pnet.onnx, rnet.onnx, onet.onnx and the fixture that later checks them.

    Args:
        weights: Folder with pnet.pt, rnet.pt and onet.pt.
        folder: Where the ONNX files go.
        parity_file: Where inputs and the source networks' outputs are kept (NPZ with
            `<name>_pixels`, `<name>_probability` and `<name>_offsets`).
    """
    random = np.random.default_rng(0)
    fixture: dict[str, np.ndarray] = {}
    for name, network_class, shape in NETWORKS:
        network = load(network_class(), weights / f"{name}.pt")
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        example = torch.from_numpy(pixels)
        with torch.inference_mode():
            expected = [output.numpy() for output in network(example)]
        path = folder / f"{name}.onnx"
        write_onnx(fuse(network), example, path)
        worst = check_parity(path, pixels, expected)
        logger.info("%s: greatest difference %.1e", path.name, worst)
        fixture[f"{name}_pixels"] = pixels
        fixture[f"{name}_probability"], fixture[f"{name}_offsets"] = expected
    parity_file.parent.mkdir(exist_ok=True)
    np.savez_compressed(parity_file, **fixture)


def main() -> None:
    """Run the export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="folder with pnet.pt, rnet.pt and onet.pt")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    export(arguments.weights or installed_weights())


if __name__ == "__main__":
    main()
