"""Face networks: emotion from 48 px grey faces, age and gender from 112 px colour ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from training.contract import EMOTIONS, GENDER_CODES, VIDEO_FEATURE
from training.networks.attention import FAR_BELOW

CROP_SIDE = 224
FACE_SIDE = 48
WIDTHS = (48, 96, 192, 384)
#: Grey is the ITU-R BT.601 luma, as in OpenCV's RGB to grey.
LUMA = (0.299, 0.587, 0.114)
COLOUR_SIDE = 112
#: The mean colour of a face that face-api's networks subtract.
MEAN_COLOUR = (122.782, 117.001, 104.298)
#: Right and below only, as TensorFlow pads an even side for a stride of 2.
PADDING_OF_HALVES = (0, 1, 0, 1)
#: face-api's expression network votes where the logarithm of its odds passes `SURE`, a thousand to
#: one; a vote adds `VOTE` to the logit, and the logits are scaled down to stay as sure as they are
#: right. All three were chosen on `dev`.
SURE, VOTE, SCALE = 7.0, 1.25, 0.9


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


class ShrinkColour(nn.Module):
    """CROPS uint8 [B,224,224,3] RGB to float [B,3,112,112] in 0..255, by area averaging."""

    def forward(self, crops: Tensor) -> Tensor:
        """Average squares of four pixels; TensorRT takes bytes into a cast alone."""
        return F.avg_pool2d(crops.float().permute(0, 3, 1, 2), CROP_SIDE // COLOUR_SIDE)


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
    """The network of the slot `vgg_face`: a 4096-wide feature and the emotion's logits.

    Two networks read a face: a slim VGG, which is trained, and face-api's expression network, kept
    as it is. That one is often wrong about faces of the web, but hardly where it is very sure, as
    it is of posed faces: there it votes. The feature is what the slim VGG's last layer reads, and
    the votes.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        own = VIDEO_FEATURE - len(EMOTIONS)
        self.trunk = Trunk(widths)
        self.feature = nn.Sequential(nn.Linear(widths[-1], own), nn.ReLU())
        self.dropout = nn.Dropout(0.4)
        self.emotion = nn.Linear(own, len(EMOTIONS))
        self.expression = ExpressionNet().requires_grad_(False)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Grey faces [B,1,48,48] in 0..255 to features [B,4096] and logits [B,7].

        Unless it trains, the slim VGG looks at each face and at its mirror image, and averages the
        features: an expression means the same either way. While it trains, nobody votes.
        """
        if self.training:
            own = self.dropout(self.feature(self.trunk(faces)))
            return F.pad(own, (0, len(EMOTIONS))), self.emotion(own)
        own = mirror_mean(self.feature(self.trunk(with_mirrors(faces))))
        features = torch.cat([own, self.expression.votes(faces)], 1)
        return features, F.linear(features, *self.last_layer())

    def last_layer(self) -> tuple[Tensor, Tensor]:
        """What turns features into logits, votes included: weights [7,4096] and bias [7]."""
        votes = VOTE * torch.eye(len(EMOTIONS))
        weights = torch.cat([self.emotion.weight, votes], 1)
        return SCALE * weights, SCALE * self.emotion.bias


def with_mirrors(faces: Tensor) -> Tensor:
    """Put the mirror images behind the faces: [B,C,S,S] to [2B,C,S,S]."""
    return torch.cat([faces, faces.flip(3)])


def mirror_mean(rows: Tensor) -> Tensor:
    """Average what is said of faces and of their mirror images: [2B,D] to [B,D]."""
    return rows.reshape(2, -1, rows.shape[1]).mean(0)


def _entry() -> nn.Sequential:
    """What face-api's networks begin with: [B,3,S,S] to [B,32,S/2,S/2]."""
    return nn.Sequential(nn.ZeroPad2d(PADDING_OF_HALVES), nn.Conv2d(3, 32, 3, stride=2))


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution over all channels."""

    def __init__(self, inputs: int, outputs: int, halve: bool = False) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d(PADDING_OF_HALVES) if halve else nn.Identity()
        stride, padding = (2, 0) if halve else (1, 1)
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,inputs,S,S] to [B,outputs,S,S], or to S/2 when it halves."""
        return self.pointwise(self.depthwise(self.pad(maps)))


class Reduction(nn.Module):
    """Two separable convolutions and a halving, beside a shortcut that halves as well."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = Separable(inputs, outputs), Separable(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2)
        # The last window may reach over the edge, as TensorFlow's "same" pooling does.
        self.halve = nn.MaxPool2d(3, stride=2, ceil_mode=True)

    def forward(self, maps: Tensor, activate: bool = True) -> Tensor:
        """Map [B,inputs,S,S], S even, to [B,outputs,S/2,S/2]."""
        deep = self.second(self.first(maps.relu() if activate else maps).relu())
        return self.halve(deep) + self.shortcut(maps)


class Residual(nn.Module):
    """Three separable convolutions that correct what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Separable(width, width) for _ in range(3))

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,width,S,S] to the same."""
        deep = maps
        for layer in self.layers:
            deep = layer(deep.relu())
        return maps + deep


class AttributeNet(nn.Module):
    """The network of the slot `age_gender`: a small Xception, as face-api's age and gender net is.

    Layers and widths are those of face-api, so that training can start from its weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN_COLOUR).reshape(3, 1, 1), persistent=False)
        self.entry = _entry()
        self.reduce_1, self.reduce_2 = Reduction(32, 64), Reduction(64, 128)
        self.middle = nn.Sequential(Residual(128), Residual(128))
        self.reduce_3, self.exit = Reduction(128, 256), Separable(256, 512)
        self.dropout = nn.Dropout(0.3)
        self.age, self.gender = nn.Linear(512, 1), nn.Linear(512, len(GENDER_CODES))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Colour faces [B,3,112,112] in 0..255 to ages [B,1] in years and gender logits [B,2].

        As in `EmotionNet`, mirror images have a say unless the network trains.
        """
        if self.training:
            features = self.dropout(self.read(faces))
        else:
            features = mirror_mean(self.read(with_mirrors(faces)))
        return self.age(features), self.gender(features)

    def read(self, faces: Tensor) -> Tensor:
        """Colour faces [B,3,112,112] to features [B,512]."""
        maps = self.entry((faces - self.mean) / 255).relu()
        maps = self.reduce_2(self.reduce_1(maps, activate=False))
        return self.exit(self.reduce_3(self.middle(maps))).relu().mean(dim=(2, 3))


class Dense(nn.Module):
    """Four convolutions, the first of which halves; each reads the sum of those before."""

    def __init__(self, first: nn.Module, width: int) -> None:
        super().__init__()
        self.first = first
        self.rest = nn.ModuleList(Separable(width, width) for _ in range(3))

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,inputs,S,S] to [B,width,S/2,S/2], at least 0."""
        total = self.first(maps).relu()
        for layer in self.rest:
            total = total + layer(total.relu())
        return total.relu()


class ExpressionNet(nn.Module):
    """The expression network of face-api: densely connected separable convolutions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        self.register_buffer("mean", torch.tensor(MEAN_COLOUR).reshape(3, 1, 1), persistent=False)
        itself = FAR_BELOW * torch.eye(len(EMOTIONS))
        self.register_buffer("itself", itself, persistent=False)
        halves = (Separable(width, 2 * width, halve=True) for width in widths[:-1])
        self.dense = nn.Sequential(*map(Dense, (_entry(), *halves), widths))
        self.emotion = nn.Linear(widths[-1], len(EMOTIONS))

    def forward(self, faces: Tensor) -> Tensor:
        """Grey faces [B,1,48,48] in 0..255, enlarged to 112 pixels, to logits [B,7]."""
        side = (COLOUR_SIDE, COLOUR_SIDE)
        large = F.interpolate(faces, side, mode="bilinear", align_corners=False)
        maps = self.dense((large.expand(-1, 3, -1, -1) - self.mean) / 255)
        return self.emotion(maps.mean(dim=(2, 3)))

    def votes(self, faces: Tensor) -> Tensor:
        """How decidedly each emotion's odds against all others pass `SURE`: [B,7] in 0..1."""
        logits = self(faces)
        others = (logits.unsqueeze(1) + self.itself).logsumexp(2)
        return torch.sigmoid(logits - others - SURE)


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
        self.shrink, self.network = ShrinkColour(), network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """CROPS uint8 [B,224,224,3] to [B,1] and [B,2]."""
        ages, logits = self.network(self.shrink(crops))
        return ages.clamp(0.0, 110.0), logits.softmax(-1)
