"""`speech_cnn`: the speech network of 200 frames of 40 mel bands."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from export.flagship import keras_files
from export.flagship.conversion import Network
from export.flagship.files import Files
from export.flagship.surgery import both_genders, is_posterior, posterior, softmax
from export.flagship.wiring import check_inputs, check_outputs, feature_layer
from training.contract import EMOTIONS, SPEECH_FEATURE

FRAMES, MELS = 200, 40
FEATURES = "model_features"
#: Years the network's age was normalised by.
MEAN_AGE, AGE_DEVIATION = 38.36, 11.01


def read(files: Files) -> Network:
    """Read the network of the slot `speech_cnn`.

    Raises:
        SourceError: It has other inputs or outputs, or no sub-model `model_features`.
    """
    file = files.find("speech_cnn")
    model = keras_files.load_model(file)
    check_inputs(file, model, [(FRAMES, MELS, 1)])
    check_outputs(file, model, [(len(EMOTIONS),), (1,), (1,)])
    features = feature_layer(file, model, FEATURES, SPEECH_FEATURE)
    network = keras.Model(model.inputs, [features, *model.outputs])
    ready = is_posterior(np.asarray(network([_trial(2)["MELS"][..., None]])[1]))

    def serve(mels: tf.Tensor) -> dict[str, tf.Tensor]:
        features, emotion, age, male = network([mels[..., None]], training=False)
        return {
            "FEATURES": features,
            "EMOTION": posterior(emotion, ready),
            "AGE": AGE_DEVIATION * age + MEAN_AGE,
            "GENDER": both_genders(male),
        }

    def source(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        windows = tensors["MELS"][..., None]
        emotion, age, male = map(np.asarray, model([windows], training=False))
        inner = model.get_layer(FEATURES)
        return {
            "FEATURES": np.asarray(inner([windows], training=False)),
            "EMOTION": emotion if ready else softmax(emotion),
            "AGE": AGE_DEVIATION * age + MEAN_AGE,
            "GENDER": np.concatenate([male, 1 - male], axis=1),
        }

    def layers(mels: tf.Tensor) -> dict[str, tf.Tensor]:
        every = keras.Model(model.inputs, keras_files.steps(model))
        return every([mels[..., None]], training=False)

    return Network(
        [tf.TensorSpec((None, FRAMES, MELS), tf.float32, "MELS")],
        serve,
        source,
        layers,
        [_trial(3), _trial(14), _trial(1)],
        [file],
        model.weights,
    )


def _trial(count: int) -> dict[str, np.ndarray]:
    return {"MELS": np.random.default_rng(count).normal(size=(count, FRAMES, MELS)).astype("f4")}
