"""`video_emotion`: the LSTM over a clip's features, rebuilt around a file of weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.flagship import keras_files
from export.flagship.conversion import Network
from export.flagship.errors import SourceError
from export.flagship.files import Files
from export.flagship.surgery import TO_CODE_ORDER
from training.contract import EMOTIONS, VIDEO_FEATURE

HIDDEN = 512


def read(files: Files) -> Network:
    """Read the network of the slot `video_emotion`.

    Raises:
        SourceError: The file's layers are not an LSTM and two dense ones.
    """
    file = files.find("video_emotion")
    model = _rebuilt(file)

    def ask(rows: tf.Tensor) -> tf.Tensor:
        return model(rows[None], training=False)[0]

    def clip_rows(features: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Keep the rows that count; one of zeros when none does, as an LSTM needs a step."""
        kept = features[: tf.maximum(count[0], 1)]
        return tf.where(count[0] > 0, kept, tf.zeros_like(kept))

    def serve(features: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"EMOTION": tf.gather(ask(clip_rows(features, count)), TO_CODE_ORDER)}

    def source(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = int(tensors["COUNT"][0])
        rows = tensors["FEATURES"][:count] if count else np.zeros((1, VIDEO_FEATURE), np.float32)
        return {"EMOTION": np.asarray(ask(tf.constant(rows)))[TO_CODE_ORDER]}

    def layers(features: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        every = keras.Model(model.inputs, keras_files.steps(model))
        return every(clip_rows(features, count)[None], training=False)

    return Network(
        [
            tf.TensorSpec((None, VIDEO_FEATURE), tf.float32, "FEATURES"),
            tf.TensorSpec((1,), tf.int32, "COUNT"),
        ],
        serve,
        source,
        layers,
        [_trial(6, 4), _trial(64, 64), _trial(1, 1), _trial(1, 0)],
        [file],
        model.weights,
        [f"gates: {_gate_name(file)}"],
    )


def _rebuilt(file: Path) -> keras.Model:
    weights = {name: arrays for name, arrays in keras_files.read_weights(file).items() if arrays}
    if [len(arrays) for arrays in weights.values()] != [3, 2, 2]:
        found = ", ".join(f"{name} ({len(arrays)} weights)" for name, arrays in weights.items())
        raise SourceError(
            file, f"has {found or 'no weights'}; expected an LSTM and two dense layers"
        )
    recurrent, hidden, last = weights
    units = len(list(weights[recurrent].values())[1])
    gate = keras_files.hard_sigmoid if _gate_name(file) == "hard_sigmoid" else "sigmoid"
    model = keras.Sequential(
        [
            keras.Input((None, VIDEO_FEATURE)),
            keras.layers.LSTM(units, recurrent_activation=gate, name=recurrent),
            keras.layers.Dense(HIDDEN, activation="relu", name=hidden),
            keras.layers.Dense(len(EMOTIONS), activation="softmax", name=last),
        ]
    )
    return keras_files.load(file, model, weights)


def _gate_name(file: Path) -> str:
    """Name the gates' default when the file was written: Keras changed it in 2.3."""
    return "hard_sigmoid" if keras_files.read_version(file) < (2, 3) else "sigmoid"


def _trial(rows: int, count: int) -> dict[str, np.ndarray]:
    features = np.random.default_rng(rows).random((rows, VIDEO_FEATURE), np.float32)
    return {"FEATURES": features, "COUNT": np.array([count], np.int32)}
