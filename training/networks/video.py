"""Video network: one clip's face features over time to one emotion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.contract import EMOTIONS, VIDEO_FEATURE
from training.networks.attention import masked_weights, rows_present


class VideoNet(nn.Module):
    """Attention over time in front of the face network's own emotion layer.

    The emotion layer is copied and frozen, so a clip of one face is read exactly as `vgg_face`
    reads it; what is learned is which faces of a clip to trust.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(VIDEO_FEATURE, width), nn.ReLU(), nn.Linear(width, 1))
        self.emotion = nn.Linear(VIDEO_FEATURE, len(EMOTIONS)).requires_grad_(False)

    def forward(self, features: Tensor, counts: Tensor) -> Tensor:
        """Features [B,T,4096] and counts [B] to logits [B,7]; rows beyond a count are ignored."""
        present = rows_present(features, counts)
        features = torch.where(present > 0, features, torch.zeros_like(features))
        scores = self.score(features).transpose(1, 2)
        weights = masked_weights(scores, present.transpose(1, 2))
        return self.emotion((weights @ features).squeeze(1))


class ServedVideo(nn.Module):
    """`video_emotion` as served: FEATURES and COUNT to EMOTION, a posterior."""

    def __init__(self, network: VideoNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, count: Tensor) -> Tensor:
        """FEATURES [T,4096] and COUNT int32 [1] to [7]."""
        return self.network(features.unsqueeze(0), count).softmax(-1).squeeze(0)
