"""Face networks: a slim VGG on 48 px grey faces, made from the served 224 px RGB crops."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.contract import EMOTIONS, GENDER_CODES, VIDEO_FEATURE

CROP_SIDE = 224
FACE_SIDE = 48
WIDTHS = (32, 64, 128, 256)
#: Grey is the ITU-R BT.601 luma, as in OpenCV's RGB to grey.
LUMA = (0.299, 0.587, 0.114)
#: Ages are learnt as (years - AGE_CENTRE) / AGE_SCALE.
AGE_CENTRE, AGE_SCALE = 35.0, 25.0


def area_matrix(source: int, target: int) -> Tensor:
    """Build the matrix that shrinks `source` pixels to `target` by area averaging.

    Returns:
        [target, source] float32; each row holds the overlap of one target pixel with each source
        pixel and sums to 1.
    """
    edges = torch.linspace(0, source, target + 1, dtype=torch.float64)
    pixels = torch.arange(source, dtype=torch.float64)
    left = torch.maximum(edges[:-1, None], pixels[None])
    right = torch.minimum(edges[1:, None], pixels[None] + 1)
    return ((right - left).clamp(min=0) * target / source).float()


class Shrink(nn.Module):
    """CROPS uint8 [B,224,224,3] RGB to grey float [B,1,48,48] in 0..255, by area averaging."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", area_matrix(CROP_SIDE, FACE_SIDE), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA).reshape(3, 1), persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        """Weigh the channels first: two thirds less to average."""
        grey = (crops.float() @ self.luma).squeeze(-1)
        return (self.rows @ grey @ self.rows.T).unsqueeze(1)


class Standardise(nn.Module):
    """Give each face zero mean and unit contrast, so that lighting matters little.

    Sixteen grey levels are added to the deviation: a flat, empty crop stays flat.
    """

    def forward(self, faces: Tensor) -> Tensor:
        """Standardise [B,1,48,48] over its pixels."""
        centred = faces - faces.mean(dim=(2, 3), keepdim=True)
        deviation = (centred * centred).mean(dim=(2, 3), keepdim=True).sqrt()
        return centred / (deviation + 16.0)


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    """Two 3x3 convolutions and a halving, VGG's building block with batch normalisation."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return [*layers, nn.MaxPool2d(2)]


class Trunk(nn.Module):
    """Grey faces [B,1,48,48] in 0..255 to [B,256], a slim VGG pooled over its 3x3 map."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        pairs = zip((1, *widths[:-1]), widths, strict=True)
        stages = [layer for inputs, outputs in pairs for layer in _stage(inputs, outputs)]
        self.layers = nn.Sequential(Standardise(), *stages)

    def forward(self, faces: Tensor) -> Tensor:
        """Average the last map: where in the crop a face sits should not matter."""
        return self.layers(faces).mean(dim=(2, 3))


class EmotionNet(nn.Module):
    """The network of the slot `vgg_face`: a 4096-wide feature and the emotion's logits."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.feature = nn.Sequential(nn.Linear(widths[-1], VIDEO_FEATURE), nn.ReLU())
        self.dropout = nn.Dropout(0.4)
        self.emotion = nn.Linear(VIDEO_FEATURE, len(EMOTIONS))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Grey faces [B,1,48,48] to features [B,4096] and logits [B,7]."""
        features = self.feature(self.trunk(faces))
        return features, self.emotion(self.dropout(features))


class AttributeNet(nn.Module):
    """The network of the slot `age_gender`."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.feature = nn.Sequential(nn.Linear(widths[-1], 512), nn.ReLU(), nn.Dropout(0.4))
        self.age = nn.Linear(512, 1)
        self.gender = nn.Linear(512, len(GENDER_CODES))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Grey faces [B,1,48,48] to ages [B,1] in years and gender logits [B,2]."""
        features = self.feature(self.trunk(faces))
        return self.age(features) * AGE_SCALE + AGE_CENTRE, self.gender(features)


class ServedEmotion(nn.Module):
    """`vgg_face` as served: CROPS to FEATURES and EMOTION, a posterior."""

    def __init__(self, network: EmotionNet) -> None:
        super().__init__()
        self.shrink, self.network = Shrink(), network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """CROPS uint8 [B,224,224,3] to [B,4096] and [B,7]."""
        features, logits = self.network(self.shrink(crops))
        return features, logits.softmax(-1)


class ServedAttributes(nn.Module):
    """`age_gender` as served: CROPS to AGE in years and GENDER, a posterior."""

    def __init__(self, network: AttributeNet) -> None:
        super().__init__()
        self.shrink, self.network = Shrink(), network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """CROPS uint8 [B,224,224,3] to [B,1] and [B,2]."""
        ages, logits = self.network(self.shrink(crops))
        return ages.clamp(0.0, 110.0), logits.softmax(-1)
