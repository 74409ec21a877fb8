"""Text network: a small transformer over word pieces, and a linear model of character n-grams."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from training.contract import EMOTIONS, TEXT_FEATURE
from training.networks.attention import FAR_BELOW
from training.serving_code import front_end

WIDTH = 384
HEADS = 12
#: The first of multilingual-e5-small's twelve layers.
LAYERS = 8
#: How much the n-grams' opinion counts beside the encoder's; the sum is scaled down to stay as
#: sure as it is right. Both were chosen on `dev`.
GRAM_SHARE = 0.5
SCALE = 0.9
_EPSILON = 1e-12


class Layer(nn.Module):
    """A transformer layer that normalises after each sum, as BERT's do."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.merge = nn.Linear(WIDTH, WIDTH)
        self.merge_norm = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.narrow_norm = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States [B,L,384] and what padding adds to scores [B,1,1,L] to states."""
        batch, length, _ = x.shape
        split = self.project(x).view(batch, length, 3, HEADS, WIDTH // HEADS)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        # Written out: for sentences this short PyTorch's fused attention learns much slower.
        scores = queries @ keys.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + mask
        seen = scores.softmax(-1).to(values.dtype) @ values
        merged = self.merge(seen.transpose(1, 2).reshape(batch, length, WIDTH))
        x = self.merge_norm(x + self.dropout(merged))
        return self.narrow_norm(x + self.dropout(self.narrow(F.gelu(self.widen(x)))))


class Encoder(nn.Module):
    """Word pieces int [B,L], 0 being padding, to states [B,L,384]."""

    def __init__(self, pieces: int, longest: int, layers: int = LAYERS) -> None:
        super().__init__()
        self.word = nn.Embedding(pieces, WIDTH)
        self.position = nn.Parameter(torch.zeros(longest, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.dropout = nn.Dropout(0.1)

    def keep(self, lowest: int) -> None:
        """Leave the embeddings and the lowest layers as they are in training."""
        for part in (self.word, self.norm, *self.layers[:lowest]):
            part.requires_grad_(False)
        self.position.requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        """Embed and let the pieces see each other."""
        x = self.dropout(self.norm(self.word(ids) + self.position[: ids.shape[1]]))
        mask = ((ids == 0).to(x.dtype) * FAR_BELOW)[:, None, None]
        for layer in self.layers:
            x = layer(x, mask)
        return x


class GramModel(nn.Module):
    """A linear TF-IDF model of n-grams that another program has fitted.

    Row g of the table holds the seven weights of n-gram g times its idf, and its idf squared: the
    sum over a sentence's n-grams is its score and the squared length that TF-IDF divides by.
    """

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(buckets + 1, len(EMOTIONS) + 1))
        self.register_buffer("bias", torch.zeros(len(EMOTIONS)))

    def forward(self, grams: Tensor) -> Tensor:
        """Different n-grams int [B,G], 0 being padding, to log posteriors [B,7]."""
        total = F.embedding(grams, self.table).sum(1)
        length = total[:, len(EMOTIONS) :].clamp(min=1e-6).sqrt()
        return (total[:, : len(EMOTIONS)] / length + self.bias).log_softmax(-1)


class TextNet(nn.Module):
    """Word pieces [B,L] and n-grams [B,G] to features [B,512] and logits [B,7]."""

    def __init__(self) -> None:
        super().__init__()
        tokenizer = front_end("text_tokenizer", "tokenizer")
        self.encoder = Encoder(tokenizer.piece_count(), tokenizer.LONGEST)
        self.hide = nn.Dropout(0.1)
        self.feature = nn.Linear(WIDTH, TEXT_FEATURE)
        self.dropout = nn.Dropout(0.1)
        self.emotion = nn.Linear(TEXT_FEATURE, len(EMOTIONS))
        self.grams = GramModel(tokenizer.BUCKETS)

    def read(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder alone says: features [B,512] and logits [B,7]."""
        present = (ids > 0).to(torch.float32).unsqueeze(-1)
        pooled = (self.encoder(ids) * present).sum(1) / present.sum(1).clamp(min=1)
        features = F.gelu(self.feature(self.hide(pooled)))
        return features, self.emotion(self.dropout(features))

    def forward(self, ids: Tensor, grams: Tensor) -> tuple[Tensor, Tensor]:
        """Add what the n-grams say."""
        features, logits = self.read(ids)
        return features, SCALE * (logits.log_softmax(-1) + GRAM_SHARE * self.grams(grams))


class ServedText(nn.Module):
    """`text_encoder` as served: IDS and GRAMS to FEATURES and EMOTION, a posterior."""

    def __init__(self, network: TextNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, grams: Tensor) -> tuple[Tensor, Tensor]:
        """IDS int32 [B,L] and GRAMS int32 [B,G] to [B,512] and [B,7]."""
        features, logits = self.network(ids, grams)
        return features, logits.softmax(-1)


def lose(tokens: Tensor, share: float, instead: int = 0) -> Tensor:
    """Replace a random share of the tokens; ids 0 to 3 are padding and marks, and stay."""
    lost = (torch.rand(tokens.shape) < share) & (tokens > 3)
    return torch.where(lost, torch.full_like(tokens, instead), tokens)
