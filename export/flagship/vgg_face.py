"""`vgg_face`: a VGG-16 of one of three layouts, cut at a layer of 4096.

- The original's: an HDF5 file of weights beside the JSON of its model, tuned on AffectNet. The
  model has a second input, one number a face, which nothing that is served depends on.
- HDF5 in the common vggface layout: layers `conv1_1` to `conv5_3`, `fc6` to `fc8`, the colours in
  the order BGR less their means.
- A PyTorch state dict of the published ports: `conv1_1.weight` or `conv_1_1.weight` to
  `fc8.weight`, RGB less the means.

Architecture: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2015; Parkhi, Vedaldi and Zisserman, "Deep Face Recognition", 2015, with its means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.flagship import keras_files
from export.flagship.conversion import Network
from export.flagship.errors import SourceError
from export.flagship.files import TORCH, Files
from export.flagship.surgery import TO_CODE_ORDER, is_posterior, posterior, softmax
from export.flagship.torch_files import State, read_state
from training.contract import EMOTIONS, VIDEO_FEATURE

SIDE = 224
#: Convolutions in each block; a pooling follows each.
BLOCKS = (2, 2, 3, 3, 3)
CONVOLUTIONS = [f"conv{b}_{c}" for b, count in enumerate(BLOCKS, 1) for c in range(1, count + 1)]
DENSE = ("fc6", "fc7", "fc8")
#: The layers that the original takes off the end of its model.
POPPED = 6

_TORCH_NAME = re.compile(r"(conv_?(\d)_(\d)|fc_?(\d))\.(weight|bias)$")


@dataclass(frozen=True)
class Scaling:
    """How pixels become a network's input: (pixels - mean) / deviation.

    Attributes:
        mean: Of the channels, in the network's own order.
        deviation: Of all channels.
        blue_first: The network reads BGR.
    """

    mean: tuple[float, float, float]
    deviation: float
    blue_first: bool = False

    def __call__(self, crops: tf.Tensor) -> tf.Tensor:
        """Scale RGB pixels, of TensorFlow or numpy, float32 [T,224,224,3]."""
        ordered = crops[..., ::-1] if self.blue_first else crops
        return (ordered - np.float32(self.mean)) / np.float32(self.deviation)


INCEPTION = Scaling((127.5, 127.5, 127.5), 127.5)
VGGFACE_KERAS = Scaling((93.5940, 104.7624, 129.1863), 1.0, blue_first=True)
VGGFACE_TORCH = Scaling((129.1863, 104.7624, 93.5940), 1.0)


def read(files: Files, cut: str | None = None) -> Network:
    """Read the network of the slot `vgg_face`.

    Args:
        files: Where to look.
        cut: The layer whose output is the feature; None for the layout's own.

    Raises:
        SourceError: The file is of no known layout, or has no such layer.
    """
    file = files.find("vgg_face")
    if file.suffix.lower() in TORCH:
        state = read_state(file)
        model = _vgg16(file, _from_torch(file, state))
        return _network(file, model, VGGFACE_TORCH, cut or "fc6", _torch_answers(state, cut))
    description = _json_beside(file)
    if description is None:
        model = _vgg16(file, keras_files.read_weights(file))
        return _network(file, model, VGGFACE_KERAS, cut or "fc6")
    model = keras_files.build(description, keras_files.read_json(description))
    keras_files.load(file, model, keras_files.read_weights(file))
    return _network(file, model, INCEPTION, cut or _layer_left(file, model))


def crops(count: int, seed: int) -> dict[str, np.ndarray]:
    """Draw random pictures of 32 px squares, uint8 [count,224,224,3], as a trial."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return {"CROPS": coarse.repeat(32, axis=1).repeat(32, axis=2)}


def _json_beside(file: Path) -> Path | None:
    names = (f"{file.name}.json", f"{file.stem}.json")
    return next((file.with_name(name) for name in names if file.with_name(name).is_file()), None)


def _layer_left(file: Path, model: keras.Model) -> str:
    """Name the layer that is last when the original has taken its layers off the end."""
    left = [layer.name for layer in model.layers][:-POPPED]
    if left and _width(model, left[-1]) == VIDEO_FEATURE:
        return left[-1]
    wide = [name for name in keras_files.steps(model) if _width(model, name) == VIDEO_FEATURE]
    if not wide:
        raise SourceError(file, f"no layer of its model gives {VIDEO_FEATURE} numbers a face")
    return wide[-1]


def _width(model: keras.Model, layer: str) -> int | None:
    shape = keras_files.steps(model)[layer].shape if layer in keras_files.steps(model) else ()
    return shape[1] if len(shape) == 2 else None


def _vgg16(file: Path, weights: keras_files.Layers) -> keras.Model:
    """Build the published network as wide as the weights are, and give it them."""
    for name in (*CONVOLUTIONS, *DENSE):
        if not weights.get(name):
            raise SourceError(file, "is missing; the vggface layout has it", name)
    widths = {name: len(list(arrays.values())[-1]) for name, arrays in weights.items() if arrays}
    hidden = pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    for block, count in enumerate(BLOCKS, 1):
        for name in (f"conv{block}_{number}" for number in range(1, count + 1)):
            layer = keras.layers.Conv2D(
                widths[name], 3, padding="same", activation="relu", name=name
            )
            hidden = layer(hidden)
        hidden = keras.layers.MaxPooling2D(name=f"pool{block}")(hidden)
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    for name in DENSE[:-1]:
        hidden = keras.layers.Dense(widths[name], activation="relu", name=name)(hidden)
    scores = keras.layers.Dense(widths[DENSE[-1]], name=DENSE[-1])(hidden)
    return keras_files.load(file, keras.Model(pixels, scores), weights)


def _from_torch(file: Path, state: State) -> keras_files.Layers:
    """Lay PyTorch's weights out as Keras has them, under the vggface names."""
    layers: keras_files.Layers = {}
    for key, tensor in state.items():
        match = _TORCH_NAME.search(key)
        if match:
            _, block, number, dense, kind = match.groups()
            name = f"fc{dense}" if dense else f"conv{block}_{number}"
            layers.setdefault(name, {})[kind] = tensor
    last = layers.get(CONVOLUTIONS[-1], {}).get("bias", np.zeros(1))
    return {
        name: {
            "kernel": _kernel(file, name, parts, len(last)),
            "bias": parts.get("bias", np.zeros(0, np.float32)),
        }
        for name, parts in layers.items()
    }


def _kernel(file: Path, name: str, parts: State, channels: int) -> np.ndarray:
    weight = parts.get("weight", np.zeros(0))
    if weight.ndim != (4 if name in CONVOLUTIONS else 2):
        raise SourceError(file, f"weight has shape {list(weight.shape)}", name)
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    if name == DENSE[0] and weight.shape[1] == channels * 49:
        # PyTorch flattens [channels, 7, 7], Keras [7, 7, channels].
        weight = weight.reshape(-1, channels, 7, 7).transpose(0, 2, 3, 1).reshape(len(weight), -1)
    return weight.T


def _torch_answers(state: State, cut: str | None) -> Callable[[np.ndarray], tuple]:
    """Run the state dict by PyTorch itself: pixels [T,224,224,3] to feature and scores."""
    import torch
    from torch.nn import functional

    weights: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        match = _TORCH_NAME.search(key)
        if match:
            name = match[1].replace("conv_", "conv").replace("fc_", "fc")
            weights[f"{name}.{match[5]}"] = torch.from_numpy(value)

    def layer(name: str, hidden: torch.Tensor) -> torch.Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if name in CONVOLUTIONS:
            return functional.conv2d(hidden, weight, bias, padding=1)
        return functional.linear(hidden, weight, bias)

    def answers(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
        given = {}
        for name in (*CONVOLUTIONS, *DENSE):
            hidden = hidden.flatten(1) if name == DENSE[0] else hidden
            hidden = layer(name, hidden)
            hidden = hidden if name == DENSE[-1] else hidden.relu()
            given[name] = hidden
            if name in (f"conv{block}_{count}" for block, count in enumerate(BLOCKS, 1)):
                hidden = functional.max_pool2d(hidden, 2)
        return given[cut or DENSE[0]].numpy(), given[DENSE[-1]].numpy()

    return answers


def _network(
    file: Path,
    model: keras.Model,
    scaling: Scaling,
    cut: str,
    answers: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Network:
    """Serve a model's layer `cut` as the feature and its end as the posterior of a crop."""
    if _width(model, cut) != VIDEO_FEATURE:
        wide = [name for name in keras_files.steps(model) if _width(model, name) == VIDEO_FEATURE]
        known = ", ".join(wide) or "none"
        raise SourceError(file, f"does not give {VIDEO_FEATURE} numbers a face, but {known}", cut)
    given = keras_files.steps(model)
    network = keras.Model(model.inputs, [given[cut], model.outputs[0]])
    names_emotions = model.outputs[0].shape[-1] == len(EMOTIONS)

    def ask(pixels: tf.Tensor) -> list[tf.Tensor]:
        return network(_all_inputs(model, pixels), training=False)

    answers = answers or (lambda pixels: tuple(map(np.asarray, ask(tf.constant(pixels)))))
    ready = is_posterior(answers(scaling(crops(2, 9)["CROPS"].astype(np.float32)))[1])

    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        features, scores = ask(scaling(tf.cast(pixels, tf.float32)))
        if names_emotions:
            emotion = tf.gather(posterior(scores, ready), TO_CODE_ORDER, axis=1)
        else:
            emotion = tf.fill([tf.shape(features)[0], len(EMOTIONS)], 1 / len(EMOTIONS))
        return {"FEATURES": features, "EMOTION": emotion}

    def source(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        features, scores = answers(scaling(tensors["CROPS"].astype(np.float32)))
        emotion = np.full((len(features), len(EMOTIONS)), 1 / len(EMOTIONS), np.float32)
        if names_emotions:
            emotion = (scores if ready else softmax(scores))[:, TO_CODE_ORDER]
        return {"FEATURES": features, "EMOTION": emotion}

    def layers(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        every = keras.Model(model.inputs, given)
        scaled = scaling(tf.cast(pixels, tf.float32))
        return {"scaling": scaled, **every(_all_inputs(model, scaled), training=False)}

    head = "its 7 classes" if names_emotions else "it names no emotions, EMOTION is always 1/7"
    return Network(
        [tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8, "CROPS")],
        serve,
        source,
        layers,
        [crops(2, 0), crops(1, 1)],
        [file],
        model.weights,
        [f"FEATURES are layer {cut}", f"EMOTION: {head}"],
    )


def _all_inputs(model: keras.Model, pixels: tf.Tensor) -> list[tf.Tensor]:
    """Give the pictures to the input that takes pictures, and zeros to any other."""
    count = tf.shape(pixels)[0]
    return [
        pixels
        if len(tensor.shape) == 4
        else tf.zeros(tf.concat([[count], tensor.shape[1:]], 0), tensor.dtype)
        for tensor in model.inputs
    ]
