"""Read Keras JSON and HDF5 files, of Keras 2.2.4 and of later ones, into a current Keras.

Nothing in a file is run: only the layers listed here are rebuilt, and a `Lambda`, whose code would
be in the file, is refused. Weights are loaded strictly; Keras itself skips in silence what it does
not find by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from export.flagship.errors import SourceError

Layers = dict[str, dict[str, np.ndarray]]

KNOWN_LAYERS = frozenset(
    (
        "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D",
        "BatchNormalization", "Bidirectional", "Concatenate", "Conv1D", "Conv2D",
        "Cropping1D", "Cropping2D", "Dense", "DepthwiseConv2D", "Dot",
        "Dropout", "ELU", "Embedding", "Flatten", "GRU",
        "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D",
        "InputLayer", "LSTM", "LeakyReLU", "Masking", "MaxPooling1D",
        "MaxPooling2D", "Maximum", "Multiply", "PReLU", "Permute",
        "ReLU", "RepeatVector", "Reshape", "SeparableConv1D", "SeparableConv2D",
        "SimpleRNN", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "Subtract",
        "TimeDistributed", "ZeroPadding1D", "ZeroPadding2D",
    )
)  # fmt: skip
MODELS = frozenset(("Model", "Functional", "Sequential"))
#: What a network answers does not depend on these, and old ones have forgotten parameters.
_OF_TRAINING = ("_initializer", "_regularizer", "_constraint", "dropout")
_BUILD_ERRORS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError, tf.errors.OpError,
)  # fmt: skip


def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """Keras 2's line of slope 0.2 through 0.5; that of Keras 3 has a slope of 1/6."""
    return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)


def read_json(file: Path) -> dict:
    """Read a model's configuration from a JSON file.

    Raises:
        SourceError: It holds no model.
    """
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceError(file, f"is no JSON file: {error}") from error
    return _checked_model(file, config)


def read_config(file: Path) -> dict:
    """Read a model's configuration from an HDF5 file of a whole model.

    Raises:
        SourceError: It is no HDF5 file, or holds weights alone.
    """
    with _opened(file) as root:
        text = root.attrs.get("model_config")
        version = _text(root.attrs.get("keras_version", b""))
    if text is None:
        raise SourceError(file, "holds weights without a model; a whole model is needed here")
    try:
        config = json.loads(_text(text))
    except ValueError as error:
        raise SourceError(file, f"its model_config is no JSON: {error}") from error
    return _checked_model(file, {"keras_version": version, **config})


def read_weights(file: Path) -> Layers:
    """Read an HDF5 file's weights, of a whole model or alone.

    Returns:
        Layer name to weight name (without `:0`) to array, in the order of the file.

    Raises:
        SourceError: It is no HDF5 file of Keras.
    """
    with _opened(file) as root:
        group = root.get("model_weights", root)
        if "layer_names" not in group.attrs:
            raise SourceError(file, "holds no weights of Keras: attribute layer_names is missing")
        return {
            name: _layer_weights(file, group, name)
            for name in map(_text, group.attrs["layer_names"])
        }


def read_version(file: Path) -> tuple[int, int]:
    """Read which Keras wrote an HDF5 file, as (major, minor); (2, 2) when it does not say."""
    with _opened(file) as root:
        groups = [root, *([root["model_weights"]] if "model_weights" in root else [])]
        versions = [_text(group.attrs.get("keras_version", "")) for group in groups]
    parts = next(filter(None, versions), "2.2").split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        raise SourceError(file, f"names no version of Keras: {'.'.join(parts)}") from None


def build(file: Path, config: dict, own_layers: Mapping[str, type] | None = None) -> keras.Model:
    """Rebuild a model from its configuration, with weights of no meaning.

    Args:
        file: Where the configuration is from, for messages.
        config: As `read_json` and `read_config` give it.
        own_layers: Class names of layers that Keras does not know.

    Raises:
        SourceError: A layer is not known, or the layers do not fit together.
    """
    own_layers = own_layers or {}
    old = not str(config.get("keras_version", "2")).startswith("3")
    _check_layers(file, config["config"], own_layers)
    kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    try:
        return kind.from_config(_current(config["config"], old), custom_objects=dict(own_layers))
    except _BUILD_ERRORS as error:
        raise SourceError(file, f"its layers cannot be rebuilt: {error}") from error


def load(file: Path, model: keras.Model, weights: Layers) -> keras.Model:
    """Give a model its weights, every one by its layer's name.

    Args:
        file: Where the weights are from, for messages.
        model: The model, built.
        weights: As `read_weights` gives them.

    Raises:
        SourceError: A layer is missing, or its weights have other shapes.
    """
    for layer in model.layers:
        wanted = [*layer.trainable_weights, *layer.non_trainable_weights]
        if not wanted:
            continue
        if not weights.get(layer.name):
            known = ", ".join(name for name, arrays in weights.items() if arrays) or "none"
            raise SourceError(file, f"is missing; the file has weights of {known}", layer.name)
        _assign(file, layer.name, wanted, weights[layer.name])
    return model


def load_model(file: Path, own_layers: Mapping[str, type] | None = None) -> keras.Model:
    """Read a whole model from an HDF5 file.

    Raises:
        SourceError: As `read_config`, `build` and `load`.
    """
    return load(file, build(file, read_config(file), own_layers), read_weights(file))


def steps(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Name what each layer of a model gives, in order; a nested model is one layer."""
    depths = keras.Model(model.inputs, model.outputs)._nodes_by_depth
    return {
        node.operation.name: node.output_tensors[0]
        for depth in sorted(depths, reverse=True)
        for node in depths[depth]
        if not isinstance(node.operation, keras.layers.InputLayer)
    }


@contextmanager
def _opened(file: Path) -> Iterator[h5py.File]:
    try:
        with h5py.File(file, "r") as root:
            yield root
    except (OSError, KeyError, RuntimeError) as error:
        raise SourceError(file, f"cannot be read as HDF5: {error}") from error


def _layer_weights(file: Path, group: h5py.Group, layer: str) -> dict[str, np.ndarray]:
    if layer not in group:
        raise SourceError(file, "is named in layer_names, its group is missing", layer)
    arrays = {}
    for name in map(_text, group[layer].attrs.get("weight_names", ())):
        if name not in group[layer]:
            raise SourceError(file, f"has no weight {name}", layer)
        arrays[name.removesuffix(":0")] = np.asarray(group[layer][name], np.float32)
    return arrays


def _assign(file: Path, layer: str, variables: list, arrays: dict[str, np.ndarray]) -> None:
    if len(variables) != len(arrays):
        names = ", ".join(arrays)
        raise SourceError(
            file, f"has {len(arrays)} weights ({names}), {len(variables)} expected", layer
        )
    for variable, (name, array) in zip(variables, arrays.items(), strict=True):
        if tuple(variable.shape) != array.shape:
            raise SourceError(
                file,
                f"{name} has shape {list(array.shape)}, expected {list(variable.shape)}",
                layer,
            )
        if not np.isfinite(array).all():
            raise SourceError(file, f"{name} holds values that are not finite", layer)
        variable.assign(array)


def _checked_model(file: Path, config: object) -> dict:
    if not isinstance(config, dict) or config.get("class_name") not in MODELS:
        raise SourceError(file, "holds no configuration of a Keras model")
    return config


def _check_layers(file: Path, config: object, own_layers: Mapping[str, type]) -> None:
    """Refuse what is not listed, at any depth: nested models, wrapped layers."""
    for name, kind, module in _classes(config):
        if kind in own_layers:
            continue
        if kind not in KNOWN_LAYERS | MODELS or (module or "keras").split(".")[0] != "keras":
            problem = "its code would be in the file" if kind == "Lambda" else "is not known here"
            raise SourceError(file, f"of class {kind} is refused: {problem}", name)


def _classes(config: object) -> Iterator[tuple[str, str, str | None]]:
    """Yield (name, class, module) of everything that is built as a layer."""
    if isinstance(config, dict):
        inner = config.get("config")
        if "class_name" in config and isinstance(inner, dict) and "name" in inner:
            yield str(inner["name"]), str(config["class_name"]), config.get("module")
        for key, value in config.items():
            if not key.endswith(_OF_TRAINING):
                yield from _classes(value)
    elif isinstance(config, list):
        for entry in config:
            yield from _classes(entry)


def _current(config: object, old: bool) -> object:
    """Copy a configuration for a current Keras: nothing of training, Keras 2's own functions."""
    if isinstance(config, dict):
        copy = {
            key: hard_sigmoid if old and value == "hard_sigmoid" else _current(value, old)
            for key, value in config.items()
            if not key.endswith(_OF_TRAINING)
        }
        if isinstance(copy.get("layer"), dict):
            # A wrapped layer is looked up by its module.
            copy["layer"] = {"module": "keras.layers", "registered_name": None, **copy["layer"]}
        return copy
    if isinstance(config, list):
        return [_current(entry, old) for entry in config]
    return config


def _text(value: bytes | str) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
