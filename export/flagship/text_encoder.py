"""`text_encoder`: the text network of 48 characters and 27 morphemes.

The morphemes' vectors go into the graph as a table, so that a sentence is two rows of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from export.flagship import keras_files
from export.flagship.conversion import Network
from export.flagship.files import Files
from export.flagship.surgery import TO_CODE_ORDER, is_posterior, posterior, softmax
from export.flagship.wiring import check_inputs, check_outputs, feature_layer
from export.flagship.word2vec import WIDTH, read_word2vec
from training.contract import EMOTIONS, TEXT_FEATURE

CHARACTERS, MORPHEMES = 48, 27
#: Digits, the letters a to z and Hangul's syllables, after 0 for nothing.
CODES = 1 + 10 + 26 + 11_172
FEATURES = "concatenate_1"


class AttentionLayer(keras.layers.Layer):
    """The original's layer: which steps count, softmax(tanh(x W + b) u), [B,T,D] to [B,T].

    Yang et al., "Hierarchical Attention Networks for Document Classification", 2016.
    """

    def __init__(self, attention_dim: int, **kwargs: object) -> None:
        """Take the width of W, as the file's configuration gives it."""
        super().__init__(**kwargs)
        self.attention_dim = attention_dim

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make W, b and u, which the file holds in this order."""
        width = self.attention_dim
        self.W = self.add_weight(shape=(input_shape[-1], width), name="Attention_Weight")
        self.b = self.add_weight(shape=(width,), name="Attention_Bias")
        self.u = self.add_weight(shape=(width, 1), name="Attention_Context_Vector")

    def call(self, steps: keras.KerasTensor) -> keras.KerasTensor:
        """Weigh the steps."""
        scores = ops.matmul(ops.tanh(ops.matmul(steps, self.W) + self.b), self.u)
        return ops.softmax(ops.squeeze(scores, -1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return [B,T]."""
        return input_shape[:-1]


def read(files: Files) -> Network:
    """Read the network of the slot `text_encoder` and the vectors of the slot `word2vec`.

    Raises:
        SourceError: It has other inputs or outputs, or no layer `concatenate_1`.
    """
    file, vectors = files.find("text_encoder"), read_word2vec(files.find("word2vec"))
    model = keras_files.load_model(file, {"AttentionLayer": AttentionLayer})
    check_inputs(file, model, [(CHARACTERS,), (MORPHEMES, WIDTH)])
    check_outputs(file, model, [(len(EMOTIONS),)])
    features = feature_layer(file, model, FEATURES, TEXT_FEATURE)
    network = keras.Model(model.inputs, [features, model.outputs[0]])
    # Id 0 is no morpheme, a vector of zeros.
    table = np.concatenate([np.zeros((1, WIDTH), np.float32), vectors.table])

    def inputs(ids: tf.Tensor, grams: tf.Tensor) -> list[tf.Tensor]:
        return [tf.cast(ids, model.inputs[0].dtype), tf.gather(table, grams)]

    def serve(ids: tf.Tensor, grams: tf.Tensor) -> dict[str, tf.Tensor]:
        features, emotion = network(inputs(ids, grams), training=False)
        ordered = tf.gather(posterior(emotion, ready), TO_CODE_ORDER, axis=1)
        return {"FEATURES": features, "EMOTION": ordered}

    def ask(tensors: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        morphemes = np.zeros((*tensors["GRAMS"].shape, WIDTH), np.float32)
        known = tensors["GRAMS"] > 0
        morphemes[known] = vectors.table[tensors["GRAMS"][known] - 1]
        return list(map(np.asarray, network([tensors["IDS"], morphemes], training=False)))

    def source(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        features, emotion = ask(tensors)
        emotion = emotion if ready else softmax(emotion)
        return {"FEATURES": features, "EMOTION": emotion[:, TO_CODE_ORDER]}

    def layers(ids: tf.Tensor, grams: tf.Tensor) -> dict[str, tf.Tensor]:
        every = keras.Model(model.inputs, keras_files.steps(model))
        return every(inputs(ids, grams), training=False)

    trials = [_trial(count, len(vectors.words)) for count in (3, 16, 1)]
    ready = is_posterior(ask(trials[0])[1])
    return Network(
        [
            tf.TensorSpec((None, CHARACTERS), tf.int32, "IDS"),
            tf.TensorSpec((None, MORPHEMES), tf.int32, "GRAMS"),
        ],
        serve,
        source,
        layers,
        trials,
        [file, files.find("word2vec")],
        model.weights,
        [f"{len(vectors.words)} morphemes"],
    )


def _trial(count: int, words: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(count)
    ids = random.integers(0, CODES, (count, CHARACTERS), dtype=np.int32)
    ids[:, : CHARACTERS // 2] = 0
    grams = random.integers(0, words + 1, (count, MORPHEMES), dtype=np.int32)
    return {"IDS": ids, "GRAMS": grams}
