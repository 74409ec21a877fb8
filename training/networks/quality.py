"""The network that judges a detected face: blurred, covered, artificial."""

from __future__ import annotations

import torch
from torch import Tensor, nn

INPUT = 64
OUTPUTS = ("blurred", "covered", "artificial")
#: Added to a face's contrast, in levels of 0..255, so that plain pictures are not blown up.
LEAST_CONTRAST = 4.0


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class QualityNet(nn.Module):
    """Grey faces [B,1,64,64] in 0..255 to logits [B,3] in the order of `OUTPUTS`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            _block(1, 16, 2), _block(16, 32, 2), _block(32, 32, 1),
            _block(32, 64, 2), _block(64, 64, 1), _block(64, 96, 2), _block(96, 96, 1),
        )  # fmt: skip
        # Where in the face a thing is tells a hat from a mask, so the map is not averaged away.
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(96 * 16, 64), nn.ReLU(True), nn.Linear(64, 3)
        )

    def forward(self, faces: Tensor) -> Tensor:
        """Take brightness and contrast away first: exposure is no quality of the face."""
        mean = faces.mean((1, 2, 3), keepdim=True)
        centred = faces - mean
        contrast = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
        return self.head(self.trunk(centred / (contrast + LEAST_CONTRAST)))


class ServedQuality(nn.Module):
    """FACES uint8 [B,64,64] to the probabilities [B,3] of `OUTPUTS`."""

    def __init__(self, network: QualityNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        """Judge faces."""
        return torch.sigmoid(self.network(faces.float().unsqueeze(1)))
