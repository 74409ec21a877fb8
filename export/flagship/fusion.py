"""`fusion`: the original's three networks, which see the first 20 faces and 5 windows of speech.

What is absent is zeros, as the original trained it; here rows beyond a count are zeros too, and a
clip's posteriors, ages and genders are means over the rows that count, a window of speech by how
much of it is voice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from export.flagship import keras_files
from export.flagship.conversion import Network
from export.flagship.files import Files
from export.flagship.surgery import is_posterior, posterior, softmax
from export.flagship.wiring import check_inputs, check_outputs
from training.contract import EMOTIONS, SPEECH_FEATURE, TEXT_FEATURE, VIDEO_FEATURE

FACES, WINDOWS = 20, 5

TEXT, VIDEO, SPEECH = (1, TEXT_FEATURE), (FACES, VIDEO_FEATURE), (WINDOWS, SPEECH_FEATURE)
POSTERIOR, YEARS, GENDER = (len(EMOTIONS),), (1,), (2,)


class Clip(NamedTuple):
    """The served inputs, in the order of config.pbtxt."""

    text_features: tf.Tensor
    text_emotion: tf.Tensor
    text_count: tf.Tensor
    speech_features: tf.Tensor
    speech_emotion: tf.Tensor
    speech_age: tf.Tensor
    speech_gender: tf.Tensor
    speech_weights: tf.Tensor
    speech_count: tf.Tensor
    video_features: tf.Tensor
    video_emotion: tf.Tensor
    video_age: tf.Tensor
    video_gender: tf.Tensor
    video_count: tf.Tensor


#: Dims of the served inputs; None is free.
DIMS = Clip(
    (1, TEXT_FEATURE), (1, 7), (1,),
    (None, SPEECH_FEATURE), (None, 7), (None, 1), (None, 2), (None,), (1,),
    (None, VIDEO_FEATURE), (7,), (None, 1), (None, 2), (1,),
)  # fmt: skip


class Fixed(NamedTuple):
    """What the networks take of a clip, each with a batch of one in front."""

    text: tf.Tensor
    video: tf.Tensor
    speech: tf.Tensor
    text_emotion: tf.Tensor
    video_emotion: tf.Tensor
    speech_emotion: tf.Tensor
    video_age: tf.Tensor
    speech_age: tf.Tensor
    video_gender: tf.Tensor
    speech_gender: tf.Tensor

    def of_emotion(self) -> list[tf.Tensor]:
        """Choose the emotion network's inputs."""
        return list(self[:6])

    def of_age(self) -> list[tf.Tensor]:
        """Choose the age network's inputs."""
        return [self.video, self.speech, self.video_age, self.speech_age]

    def of_gender(self) -> list[tf.Tensor]:
        """Choose the gender network's inputs."""
        return [self.video, self.speech, self.video_gender, self.speech_gender]


def read(files: Files) -> Network:
    """Read the networks of the slots `fusion_emotion`, `fusion_age` and `fusion_gender`.

    Raises:
        SourceError: One has other inputs or outputs.
    """
    found = [files.find(f"fusion_{name}") for name in ("emotion", "age", "gender")]
    emotion, age, gender = map(keras_files.load_model, found)
    check_inputs(found[0], emotion, [TEXT, VIDEO, SPEECH, *[POSTERIOR] * 3])
    check_inputs(found[1], age, [VIDEO, SPEECH, YEARS, YEARS])
    check_inputs(found[2], gender, [VIDEO, SPEECH, GENDER, GENDER])
    for file, model, shape in zip(
        found, (emotion, age, gender), (POSTERIOR, YEARS, GENDER), strict=True
    ):
        check_outputs(file, model, [shape])

    def ask(fixed: Fixed) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return (
            emotion(fixed.of_emotion(), training=False)[0],
            age(fixed.of_age(), training=False)[0],
            gender(fixed.of_gender(), training=False)[0],
        )

    trials = [
        trial(6, 5, 3, (1, 4, 5), 0),
        trial(64, 60, 8, (1, 60, 64), 1),
        trial(1, 1, 1, (0, 0, 0), 2),
        trial(9, 1, 8, (0, 1, 4), 3),
    ]
    first = ask(fixed_by_numpy(trials[0]))
    ready = [is_posterior(np.asarray(first[0])), is_posterior(np.asarray(first[2]))]

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        clip = Clip(*tensors)
        feeling, years, sex = ask(fixed(clip))
        return {
            "EMOTION": posterior(feeling, ready[0]),
            "AGE": years,
            "GENDER": posterior(sex, ready[1]),
            "WEIGHTS": _equal_shares(clip),
        }

    def source(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        feeling, years, sex = map(np.asarray, ask(fixed_by_numpy(tensors)))
        counts = [tensors[f"{name}_COUNT"][0] > 0 for name in ("TEXT", "SPEECH", "VIDEO")]
        return {
            "EMOTION": feeling if ready[0] else softmax(feeling),
            "AGE": years,
            "GENDER": sex if ready[1] else softmax(sex),
            "WEIGHTS": np.array(counts, np.float32) / max(1, sum(counts)),
        }

    def layers(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = fixed(Clip(*tensors))
        return {
            f"{name}/{layer}": value
            for name, model, given in (
                ("emotion", emotion, inputs.of_emotion()),
                ("age", age, inputs.of_age()),
                ("gender", gender, inputs.of_gender()),
            )
            for layer, value in keras.Model(model.inputs, keras_files.steps(model))(given).items()
        }

    names = [name.upper() for name in Clip._fields]
    return Network(
        [
            tf.TensorSpec(dims, tf.int32 if name.endswith("COUNT") else tf.float32, name)
            for name, dims in zip(names, DIMS, strict=True)
        ],
        serve,
        source,
        layers,
        trials,
        found,
        [*emotion.weights, *age.weights, *gender.weights],
        ["the networks weigh nothing: WEIGHTS are equal among the modalities that are present"],
    )


def fixed(clip: Clip) -> Fixed:
    """Bring a clip's rows to the networks' sizes: the first ones, zeros where there are fewer."""
    return Fixed(
        _first(clip.text_features, clip.text_count, 1)[None],
        _first(clip.video_features, clip.video_count, FACES)[None],
        _first(clip.speech_features, clip.speech_count, WINDOWS)[None],
        _mean(clip.text_emotion, clip.text_count)[None],
        _mean(clip.video_emotion[None], clip.video_count)[None],
        _mean(clip.speech_emotion, clip.speech_count, clip.speech_weights)[None],
        _mean(clip.video_age, clip.video_count)[None],
        _mean(clip.speech_age, clip.speech_count, clip.speech_weights)[None],
        _mean(clip.video_gender, clip.video_count)[None],
        _mean(clip.speech_gender, clip.speech_count, clip.speech_weights)[None],
    )


def fixed_by_numpy(tensors: Mapping[str, np.ndarray]) -> Fixed:
    """Do the same as the original does it: slices and zeros."""

    def rows(name: str) -> np.ndarray:
        return tensors[name][: tensors[f"{name.split('_')[0]}_COUNT"][0]]

    def padded(name: str, count: int) -> np.ndarray:
        whole = np.zeros((1, count, tensors[name].shape[1]), np.float32)
        chosen = rows(name)[:count]
        whole[0, : len(chosen)] = chosen
        return whole

    def mean(name: str) -> np.ndarray:
        chosen = rows(name)
        weights = rows("SPEECH_WEIGHTS") if name.startswith("SPEECH") else np.ones(len(chosen))
        if not weights.sum():
            return np.zeros((1, tensors[name].shape[1]), np.float32)
        return np.average(chosen, axis=0, weights=weights).astype(np.float32)[None]

    seen = np.float32(tensors["VIDEO_COUNT"][0] > 0)
    return Fixed(
        padded("TEXT_FEATURES", 1),
        padded("VIDEO_FEATURES", FACES),
        padded("SPEECH_FEATURES", WINDOWS),
        mean("TEXT_EMOTION"),
        tensors["VIDEO_EMOTION"][None] * seen,
        mean("SPEECH_EMOTION"),
        mean("VIDEO_AGE"),
        mean("SPEECH_AGE"),
        mean("VIDEO_GENDER"),
        mean("SPEECH_GENDER"),
    )


def trial(
    faces: int, windows: int, aged: int, counts: tuple[int, int, int], seed: int
) -> dict[str, np.ndarray]:
    """Draw a clip's tensors by name; `counts` are of text, speech and video."""
    random = np.random.default_rng(seed)
    rows = {"TEXT": 1, "SPEECH": windows, "VIDEO": faces}
    tensors = {}
    for name, dims in zip(Clip._fields, DIMS, strict=True):
        modality = name.split("_")[0].upper()
        free = aged if name in ("video_age", "video_gender") else rows[modality]
        shape = [free if size is None else size for size in dims]
        drawn = random.random(shape, np.float32)
        if name.endswith("age"):
            drawn *= 80
        elif name.endswith(("emotion", "gender")):
            drawn /= drawn.sum(-1, keepdims=True)
        tensors[name.upper()] = drawn
    for modality, count in zip(rows, counts, strict=True):
        tensors[f"{modality}_COUNT"] = np.array([count], np.int32)
    return tensors


def _first(rows: tf.Tensor, count: tf.Tensor, size: int) -> tf.Tensor:
    kept = rows[: tf.minimum(count[0], size)]
    padded = tf.pad(kept, [[0, size - tf.shape(kept)[0]], [0, 0]])
    return tf.ensure_shape(padded, (size, rows.shape[1]))


def _mean(rows: tf.Tensor, count: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    # A slice rather than a mask: a product with 0 does not take away what is not a number.
    kept = rows[: count[0]]
    shares = tf.ones_like(kept[:, 0]) if weights is None else weights[: count[0]]
    total = tf.maximum(tf.reduce_sum(shares), 1e-3)
    return tf.reduce_sum(kept * shares[:, None], axis=0) / total


def _equal_shares(clip: Clip) -> tf.Tensor:
    counts = tf.concat([clip.text_count, clip.speech_count, clip.video_count], axis=0)
    present = tf.cast(counts > 0, tf.float32)
    return present / tf.maximum(tf.reduce_sum(present), 1.0)
