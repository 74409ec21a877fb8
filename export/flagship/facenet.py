"""FaceNet's Inception-ResNet-v1, rebuilt around the weights of one of two layouts.

Architecture: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", 2017, in the version of David Sandberg's facenet. Its TensorFlow
checkpoints name a convolution by its place, e.g. `Repeat/block35_1/Branch_1/Conv2d_0b_3x3`;
facenet-pytorch calls the same one `repeat_1.0.branch1.1`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

from export.flagship.errors import SourceError
from export.flagship.torch_files import State

SIDE = 160
#: Of every batch normalisation.
EPSILON = 1e-3

#: The scope of a checkpoint's network, itself in any scope; heads are beside it.
BODY = "InceptionResnetV1"

Branches = tuple[tuple[str, ...], ...]
Record = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Place:
    """A part of the network, by its name in both layouts."""

    slim: str
    torch: str

    def branch(self, number: int, layers: tuple[str, ...], index: int) -> Place:
        """Name the layer `index` of a branch; alone, facenet-pytorch does not number it."""
        own = f".{index}" if len(layers) > 1 else ""
        return Place(
            f"{self.slim}/Branch_{number}/{layers[index]}", f"{self.torch}.branch{number}{own}"
        )


@dataclass(frozen=True)
class Residual:
    """A block whose branches are joined, widened by a 1x1 convolution, scaled and added."""

    slim: str
    torch: str
    count: int
    scale: float
    branches: Branches

    def places(self) -> list[Place]:
        """Name every repetition."""
        return [
            Place(self.slim.format(index + 1), self.torch.format(index))
            for index in range(self.count)
        ]


BLOCK35 = Residual(
    BODY + "/Repeat/block35_{}", "repeat_1.{}", 5, 0.17,
    (
        ("Conv2d_1x1",),
        ("Conv2d_0a_1x1", "Conv2d_0b_3x3"),
        ("Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_0c_3x3"),
    ),
)  # fmt: skip
BLOCK17 = Residual(
    BODY + "/Repeat_1/block17_{}", "repeat_2.{}", 10, 0.10,
    (("Conv2d_1x1",), ("Conv2d_0a_1x1", "Conv2d_0b_1x7", "Conv2d_0c_7x1")),
)  # fmt: skip
BLOCK8 = Residual(
    BODY + "/Repeat_2/block8_{}", "repeat_3.{}", 5, 0.20,
    (("Conv2d_1x1",), ("Conv2d_0a_1x1", "Conv2d_0b_1x3", "Conv2d_0c_3x1")),
)  # fmt: skip
LAST_BLOCK8 = Residual(f"{BODY}/Block8", "block8", 1, 1.0, BLOCK8.branches)
#: The last layer of each branch halves the picture; a pooling branch comes after them.
REDUCTION_A: Branches = (
    ("Conv2d_1a_3x3",),
    ("Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_1a_3x3"),
)
REDUCTION_B: Branches = (
    ("Conv2d_0a_1x1", "Conv2d_1a_3x3"),
    ("Conv2d_0a_1x1", "Conv2d_1a_3x3"),
    ("Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_1a_3x3"),
)


@dataclass(frozen=True)
class Norm:
    """A batch normalisation at rest; `scale` is None where the layout has none."""

    mean: np.ndarray
    variance: np.ndarray
    offset: np.ndarray
    scale: np.ndarray | None = None


class Weights(Protocol):
    """Weights of a FaceNet and of what is put on it, by place."""

    file: Path

    def kernel(self, place: Place) -> np.ndarray:
        """Return a convolution's kernel [height, width, in, out], or a matrix [in, out]."""

    def bias(self, place: Place) -> np.ndarray:
        """Return a bias [out]."""

    def norm(self, place: Place) -> Norm:
        """Return the normalisation that follows a convolution or is named by itself."""


class Checkpoint:
    """Weights of a TensorFlow checkpoint; every variable is found by the end of its name."""

    def __init__(self, index: Path) -> None:
        """Open a checkpoint by its `.index` file.

        Raises:
            SourceError: It is no checkpoint, or incomplete.
        """
        self.file = index.with_suffix("")
        try:
            self._reader = tf.train.load_checkpoint(str(self.file))
            self._names = list(self._reader.get_variable_to_shape_map())
        except (tf.errors.OpError, ValueError) as error:
            raise SourceError(index, f"cannot be read as a checkpoint: {error}") from error

    def kernel(self, place: Place) -> np.ndarray:
        """See `Weights`."""
        return self._variable(place.slim, "weights", "kernel")

    def bias(self, place: Place) -> np.ndarray:
        """See `Weights`."""
        return self._variable(place.slim, "biases", "bias")

    def norm(self, place: Place) -> Norm:
        """See `Weights`."""
        inner = f"{place.slim}/BatchNorm"
        scope = inner if self._found(f"{inner}/beta") else place.slim
        return Norm(
            self._variable(scope, "moving_mean"),
            self._variable(scope, "moving_variance"),
            self._variable(scope, "beta"),
            self._variable(scope, "gamma") if self._found(f"{scope}/gamma") else None,
        )

    def _found(self, ending: str) -> list[str]:
        return [name for name in self._names if name == ending or name.endswith(f"/{ending}")]

    def _variable(self, scope: str, *names: str) -> np.ndarray:
        found = [one for name in names for one in self._found(f"{scope}/{name}")]
        if len(found) != 1:
            there = ", ".join(found) or "none"
            raise SourceError(self.file, f"one {' or '.join(names)} expected, found {there}", scope)
        try:
            return self._reader.get_tensor(found[0])
        except (tf.errors.OpError, IndexError) as error:
            raise SourceError(self.file, f"{found[0]} cannot be read: {error}", scope) from error


class StateDict:
    """Weights of a facenet-pytorch state dict, those of the heads beside them."""

    def __init__(self, file: Path, state: State) -> None:
        """Take a state dict that was read from a file."""
        self.file = file
        self._state = state

    def kernel(self, place: Place) -> np.ndarray:
        """See `Weights`."""
        weight = self._state.get(f"{place.torch}.conv.weight")
        weight = self._tensor(place, "weight") if weight is None else weight
        return weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T

    def bias(self, place: Place) -> np.ndarray:
        """See `Weights`."""
        return self._tensor(place, "bias")

    def norm(self, place: Place) -> Norm:
        """See `Weights`."""
        own = f"{place.torch}.bn" if f"{place.torch}.bn.bias" in self._state else place.torch
        where = Place(own, own)
        return Norm(
            self._tensor(where, "running_mean"),
            self._tensor(where, "running_var"),
            self._tensor(where, "bias"),
            self._tensor(where, "weight"),
        )

    def _tensor(self, place: Place, name: str) -> np.ndarray:
        key = f"{place.torch}.{name}"
        if key not in self._state:
            raise SourceError(self.file, f"has no {name}", place.torch)
        return self._state[key]


def embed(pixels: tf.Tensor, weights: Weights, record: Record) -> tf.Tensor:
    """Run the network up to its bottleneck.

    Args:
        pixels: Scaled faces [B,160,160,3].
        weights: Of the network.
        record: Receives what each part gives, by its name.

    Returns:
        The bottleneck, normalised by its own batch normalisation and by nothing else, [B,E].

    Raises:
        SourceError: A weight is missing or does not fit.
    """
    layer = _Layers(weights, record)
    hidden = layer.stem(pixels)
    for place in BLOCK35.places():
        hidden = layer.residual(hidden, place, BLOCK35, tf.nn.relu)
    hidden = layer.reduction(hidden, Place(f"{BODY}/Mixed_6a", "mixed_6a"), REDUCTION_A)
    for place in BLOCK17.places():
        hidden = layer.residual(hidden, place, BLOCK17, tf.nn.relu)
    hidden = layer.reduction(hidden, Place(f"{BODY}/Mixed_7a", "mixed_7a"), REDUCTION_B)
    for place in BLOCK8.places():
        hidden = layer.residual(hidden, place, BLOCK8, tf.nn.relu)
    hidden = layer.residual(hidden, LAST_BLOCK8.places()[0], LAST_BLOCK8, tf.identity)
    pooled = tf.reduce_mean(hidden, axis=(1, 2))
    narrow = dense(pooled, weights, Place(f"{BODY}/Bottleneck", "last_linear"), biased=False)
    record["Bottleneck"] = normalise(narrow, weights.norm(Place(f"{BODY}/Bottleneck", "last_bn")))
    return record["Bottleneck"]


def dense(x: tf.Tensor, weights: Weights, place: Place, biased: bool = True) -> tf.Tensor:
    """Apply a fully connected layer.

    Raises:
        SourceError: It is missing, or of another width than what comes in.
    """
    kernel = weights.kernel(place)
    if kernel.ndim != 2 or kernel.shape[0] != x.shape[-1]:
        raise SourceError(
            weights.file,
            f"has shape {list(kernel.shape)}, {x.shape[-1]} numbers come in",
            place.slim,
        )
    return x @ kernel + weights.bias(place) if biased else x @ kernel


def normalise(x: tf.Tensor, norm: Norm) -> tf.Tensor:
    """Apply a batch normalisation at rest."""
    return tf.nn.batch_normalization(x, norm.mean, norm.variance, norm.offset, norm.scale, EPSILON)


@dataclass(frozen=True)
class _Layers:
    """The network's parts, each under its name in the checkpoint."""

    weights: Weights
    record: Record

    def stem(self, x: tf.Tensor) -> tf.Tensor:
        x = self.convolution(x, Place(f"{BODY}/Conv2d_1a_3x3", "conv2d_1a"), 2, "VALID")
        x = self.convolution(x, Place(f"{BODY}/Conv2d_2a_3x3", "conv2d_2a"), 1, "VALID")
        x = self.convolution(x, Place(f"{BODY}/Conv2d_2b_3x3", "conv2d_2b"))
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        x = self.convolution(x, Place(f"{BODY}/Conv2d_3b_1x1", "conv2d_3b"), 1, "VALID")
        x = self.convolution(x, Place(f"{BODY}/Conv2d_4a_3x3", "conv2d_4a"), 1, "VALID")
        return self.convolution(x, Place(f"{BODY}/Conv2d_4b_3x3", "conv2d_4b"), 2, "VALID")

    def convolution(
        self, x: tf.Tensor, place: Place, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        y = self._convolved(x, place, stride, padding)
        y = tf.nn.relu(normalise(y, self.weights.norm(place)))
        self.record[place.slim] = y
        return y

    def residual(
        self, x: tf.Tensor, place: Place, block: Residual, activation: Callable
    ) -> tf.Tensor:
        mixed = tf.concat(self._branches(x, place, block.branches), axis=3)
        up = Place(f"{place.slim}/Conv2d_1x1", f"{place.torch}.conv2d")
        widened = self._convolved(mixed, up, 1, "SAME") + self.weights.bias(up)
        y = activation(x + block.scale * widened)
        self.record[place.slim] = y
        return y

    def reduction(self, x: tf.Tensor, place: Place, branches: Branches) -> tf.Tensor:
        parts = [*self._branches(x, place, branches), tf.nn.max_pool2d(x, 3, 2, "VALID")]
        self.record[place.slim] = tf.concat(parts, axis=3)
        return self.record[place.slim]

    def _branches(self, x: tf.Tensor, place: Place, branches: Branches) -> list[tf.Tensor]:
        return [self._branch(x, place, number, layers) for number, layers in enumerate(branches)]

    def _branch(
        self, x: tf.Tensor, place: Place, number: int, layers: tuple[str, ...]
    ) -> tf.Tensor:
        for index, name in enumerate(layers):
            halves = name.startswith("Conv2d_1a")
            stride, padding = (2, "VALID") if halves else (1, "SAME")
            x = self.convolution(x, place.branch(number, layers, index), stride, padding)
        return x

    def _convolved(self, x: tf.Tensor, place: Place, stride: int, padding: str) -> tf.Tensor:
        kernel = self.weights.kernel(place)
        if kernel.ndim != 4 or kernel.shape[2] != x.shape[-1]:
            raise SourceError(
                self.weights.file,
                f"has shape {list(kernel.shape)}, {x.shape[-1]} channels come in",
                place.slim,
            )
        return tf.nn.conv2d(x, kernel, stride, padding)
