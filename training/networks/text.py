"""Text network: hashed character n-grams, embedded and pooled by attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.contract import EMOTIONS, TEXT_FEATURE
from training.networks.attention import masked_weights
from training.serving_code import front_end

WIDTH = 64
HEADS = 8


class TextNet(nn.Module):
    """IDS int [B,L], 0 being padding, to features [B,512] and logits [B,7].

    Each head weighs the n-grams by itself, so that a telling word outweighs a long sentence; the
    512 pooled numbers see every n-gram regardless of order, as a linear n-gram model does.
    """

    def __init__(self, buckets: int | None = None, width: int = WIDTH, heads: int = HEADS) -> None:
        super().__init__()
        buckets = buckets or front_end("text_tokenizer", "tokenizer").BUCKETS
        self.embedding = nn.Embedding(buckets + 1, width)
        # Nearly nothing, so that n-grams which training never met stay silent.
        nn.init.normal_(self.embedding.weight, std=0.01)
        self.score = nn.Linear(width, heads)
        self.hide = nn.Dropout(0.3)
        self.feature = nn.Sequential(nn.Linear(heads * width, TEXT_FEATURE), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.emotion = nn.Linear(TEXT_FEATURE, len(EMOTIONS))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Embed, weigh, pool, read."""
        grams = self.embedding(ids)
        present = (ids > 0).to(grams.dtype).unsqueeze(1)
        weights = masked_weights(self.score(grams).transpose(1, 2), present)
        pooled = (weights @ grams).flatten(1)
        features = self.feature(self.hide(pooled))
        return features, self.emotion(self.dropout(features))


class ServedText(nn.Module):
    """`text_encoder` as served: IDS to FEATURES and EMOTION, a posterior."""

    def __init__(self, network: TextNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """IDS int32 [B,L] to [B,512] and [B,7]."""
        features, logits = self.network(ids)
        return features, logits.softmax(-1)


def drop_grams(ids: Tensor, share: float) -> Tensor:
    """Turn a random share of the ids into padding: no n-gram may be relied upon."""
    return torch.where(torch.rand(ids.shape) < share, torch.zeros_like(ids), ids)
