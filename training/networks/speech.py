"""Speech network: five layers of Whisper base's encoder as they come, and trained heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from training.contract import EMOTIONS, GENDER_CODES, SPEECH_FEATURE

#: Of the encoder's six.
LAYERS = 5
#: How wide the layer is from which age and gender are read.
SPEAKER_WIDTH = 256
#: Ages are learnt as (years - AGE_CENTRE) / AGE_SCALE.
AGE_CENTRE, AGE_SCALE = 35.0, 15.0
#: Whisper keeps the loudest 8 decades of power.
DYNAMIC_RANGE = 8.0


class EncoderLayer(nn.Module):
    """A pre-norm transformer layer of width 512 with 8 heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, states: Tensor) -> Tensor:
        """Map [N,100,512] to [N,100,512]."""
        _, frames, width = states.shape
        joined = self.project(self.attention_norm(states))
        parts = joined.reshape(-1, frames, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = queries @ keys.transpose(-1, -2) * (width // self.heads) ** -0.5
        heard = (scores.softmax(-1) @ values).transpose(1, 2).reshape(-1, frames, width)
        states = states + self.merge(heard)
        return states + self.narrow(F.gelu(self.widen(self.feed_norm(states))))


class Encoder(nn.Module):
    """The frozen beginning of Whisper's encoder: MELS [N,200,80] to what each layer hears."""

    WIDTH, HEADS, FRAMES = 512, 8, 100

    def __init__(self, layers: int = LAYERS) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(80, self.WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(self.WIDTH, self.WIDTH, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(self.FRAMES, self.WIDTH))
        self.layers = nn.ModuleList(EncoderLayer(self.WIDTH, self.HEADS) for _ in range(layers))
        self.requires_grad_(False)

    def forward(self, mels: Tensor) -> Tensor:
        """Clamp and scale each window as Whisper does, then encode.

        Returns:
            The pooled output of the convolutions and of each layer [N,layers+1,1024].
        """
        loudest = mels.amax(dim=(1, 2), keepdim=True)
        scaled = (torch.maximum(mels, loudest - DYNAMIC_RANGE) + 4.0) / 4.0
        heard = F.gelu(self.conv1(scaled.transpose(1, 2)))
        states = F.gelu(self.conv2(heard)).transpose(1, 2) + self.positions
        pooled = [pool(states)]
        for layer in self.layers:
            states = layer(states)
            pooled.append(pool(states))
        return torch.stack(pooled, 1)


def pool(states: Tensor) -> Tensor:
    """Mean and standard deviation over time: [N,T,D] to [N,2D]."""
    mean = states.mean(1)
    centred = states - mean.unsqueeze(1)
    return torch.cat([mean, ((centred * centred).mean(1) + 1e-6).sqrt()], 1)


class Heads(nn.Module):
    """Pooled states [N,layers+1,1024] to the feature and its three readings."""

    def __init__(self, layers: int = LAYERS) -> None:
        super().__init__()
        pooled = 2 * Encoder.WIDTH
        self.register_buffer("mean", torch.zeros(layers + 1, pooled))
        self.register_buffer("deviation", torch.ones(layers + 1, pooled))
        self.hide = nn.Dropout(0.6)
        # Layers hear different things: read side by side they tell more than their weighted sum.
        self.feature = nn.Sequential(nn.Linear((layers + 1) * pooled, SPEECH_FEATURE), nn.ReLU())
        # Who speaks is learnt from corpora without emotions too, and apart: emotion is not moved.
        self.speaker = nn.Sequential(nn.Linear((layers + 1) * pooled, SPEAKER_WIDTH), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.emotion = nn.Linear(SPEECH_FEATURE, len(EMOTIONS))
        self.age = nn.Linear(SPEAKER_WIDTH, 1)
        self.gender = nn.Linear(SPEAKER_WIDTH, len(GENDER_CODES))

    def standardise_by(self, pooled: Tensor) -> None:
        """Take mean and deviation from training data [N,layers+1,1024]."""
        self.mean.copy_(pooled.mean(0))
        self.deviation.copy_(pooled.std(0) + 1e-3)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features [N,768], emotion logits [N,7], years [N,1], gender logits [N,2]."""
        standard = ((pooled - self.mean) / self.deviation).flatten(1)
        features = self.feature(self.hide(standard))
        speaker = self.dropout(self.speaker(self.hide(standard)))
        years = self.age(speaker) * AGE_SCALE + AGE_CENTRE
        return features, self.emotion(self.dropout(features)), years, self.gender(speaker)


class ServedSpeech(nn.Module):
    """`speech_cnn` as served: MELS to FEATURES, EMOTION, AGE and GENDER."""

    def __init__(self, encoder: Encoder, heads: Heads) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, heads

    def forward(self, mels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """MELS [N,200,80] to [N,768], [N,7], [N,1], [N,2]."""
        features, emotion, years, gender = self.heads(self.encoder(mels))
        return features, emotion.softmax(-1), years.clamp(0.0, 110.0), gender.softmax(-1)
