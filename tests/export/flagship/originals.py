"""Write files as the original's are: Keras 2.2.4 JSON and HDF5, TensorFlow 1 checkpoints, gensim.

Everything is written by hand from the layouts' descriptions, with no help of the code that reads
them. Weights are random and seeded; widths are small where a name does not fix them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import h5py

KERAS = "2.2.4"
Arrays = dict[str, np.ndarray]


class Writer:
    """Draws weights and keeps them by layer, as an HDF5 file of Keras has them."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.layers: dict[str, Arrays] = {}

    def draw(self, *shape: int) -> np.ndarray:
        """Draw a kernel that keeps what passes through at about its size."""
        deviation = np.sqrt(2.0 / max(1, int(np.prod(shape[:-1]))))
        return (self.random.standard_normal(shape, np.float32) * deviation).astype(np.float32)

    def kernel(self, layer: str, *shape: int, group: str | None = None) -> None:
        """Give a layer a kernel and a bias."""
        self.put(layer, group, kernel=self.draw(*shape), bias=self.small(shape[-1]))

    def small(self, *shape: int) -> np.ndarray:
        return (self.random.standard_normal(shape) * 0.1).astype(np.float32)

    def put(self, layer: str, group: str | None = None, **arrays: np.ndarray) -> None:
        """Give a layer weights; those of a layer in a nested model lie in the model's group."""
        held = self.layers.setdefault(group or layer, {})
        held |= {f"{layer}/{name}:0": array for name, array in arrays.items()}

    def recurrent(self, layer: str, width: int, units: int, scope: str = "") -> Arrays:
        return {
            f"{scope}kernel": self.draw(width, 4 * units),
            f"{scope}recurrent_kernel": self.draw(units, 4 * units),
            f"{scope}bias": self.small(4 * units),
        }

    def save(self, file: Path, model: dict | None = None, others: Iterable[str] = ()) -> Path:
        """Write an HDF5 file: `model.save` with a model, `model.save_weights` without."""
        import h5py

        file.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(file, "w") as root:
            if model is not None:
                root.attrs["keras_version"] = KERAS.encode()
                root.attrs["model_config"] = json.dumps(model).encode()
            group = root if model is None else root.create_group("model_weights")
            group.attrs["keras_version"] = KERAS.encode()
            group.attrs["backend"] = b"tensorflow"
            names = [*self.layers, *others]
            group.attrs["layer_names"] = np.array(names, "S")
            for name in names:
                self._save_layer(group.create_group(name), self.layers.get(name, {}))
        return file

    def _save_layer(self, group: h5py.Group, arrays: Arrays) -> None:
        group.attrs["weight_names"] = np.array(list(arrays), "S")
        for name, array in arrays.items():
            group.create_dataset(name, data=array)


def layer(kind: str, name: str, *inbound: str, **config: object) -> dict:
    """Describe a layer and what comes into it, as Keras 2.2.4 does."""
    nodes = [[[source, 0, 0, {}] for source in inbound]] if inbound else []
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "trainable": True, **config},
        "inbound_nodes": nodes,
    }


def entry(name: str, *shape: int | None, dtype: str = "float32") -> dict:
    described = layer("InputLayer", name)
    shape_of = {"batch_input_shape": [None, *shape], "dtype": dtype, "sparse": False}
    return {**described, "config": {"name": name, **shape_of}}


def dense(name: str, source: str, units: int, activation: str = "linear") -> dict:
    return layer(
        "Dense", name, source, units=units, activation=activation, use_bias=True,
        kernel_initializer={
            "class_name": "VarianceScaling",
            "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
        },
        bias_initializer={"class_name": "Zeros", "config": {}},
        kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
        kernel_constraint=None, bias_constraint=None,
    )  # fmt: skip


def convolution(name: str, source: str, filters: int, activation: str = "relu") -> dict:
    return layer(
        "Conv2D", name, source, filters=filters, kernel_size=[3, 3], strides=[1, 1],
        padding="same", data_format="channels_last", dilation_rate=[1, 1], activation=activation,
        use_bias=True,
    )  # fmt: skip


def pooling(name: str, source: str, *size: int) -> dict:
    return layer(
        "MaxPooling2D", name, source, pool_size=list(size), padding="valid", strides=list(size),
        data_format="channels_last",
    )  # fmt: skip


def lstm(name: str, *inbound: str, units: int, sequences: bool = False) -> dict:
    return layer(
        "LSTM", name, *inbound, return_sequences=sequences, return_state=False, go_backwards=False,
        stateful=False, unroll=False, units=units, activation="tanh",
        recurrent_activation="hard_sigmoid", use_bias=True, unit_forget_bias=True, dropout=0.5,
        recurrent_dropout=0.0, implementation=1,
    )  # fmt: skip


def model(layers: Sequence[dict], inputs: Sequence[str], outputs: Sequence[str]) -> dict:
    """Describe a functional model as `model.to_json` does."""
    config = {
        "name": "model_1",
        "layers": list(layers),
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {
        "class_name": "Model", "config": config, "keras_version": KERAS, "backend": "tensorflow",
    }  # fmt: skip


BLOCKS = (2, 2, 3, 3, 3)
VGG_WIDTHS = (64, 128, 256, 512, 512)


def vgg_widths(divisor: int) -> list[int]:
    return [width // divisor for width in VGG_WIDTHS]


def write_vgg_face(folder: Path, divisor: int = 16, head: str = "softmax") -> Path:
    """Write VGG-Face as the original has it: JSON, HDF5, a second input, a head of 7."""
    writer, layers, last, channels = Writer(1), [entry("input_1", 224, 224, 3)], "input_1", 3
    for block, (count, width) in enumerate(zip(BLOCKS, vgg_widths(divisor), strict=True), 1):
        for number in range(1, count + 1):
            name = f"conv{block}_{number}"
            layers.append(convolution(name, last, width))
            writer.kernel(name, 3, 3, channels, width)
            last, channels = name, width
        layers.append(pooling(f"pool{block}", last, 2, 2))
        last = f"pool{block}"
    layers += [
        layer("Flatten", "flatten", last, data_format="channels_last"),
        dense("fc6", "flatten", 4096, "relu"),
        layer("Dropout", "dropout_1", "fc6", rate=0.5, noise_shape=None, seed=None),
        dense("fc7", "dropout_1", 4096, "relu"),
        layer("Dropout", "dropout_2", "fc7", rate=0.5, noise_shape=None, seed=None),
        entry("input_2", 1),
        dense("centres", "input_2", 4),
        dense("predictions", "dropout_2", 7, head),
    ]
    writer.kernel("fc6", 49 * channels, 4096)
    writer.kernel("fc7", 4096, 4096)
    writer.kernel("centres", 1, 4)
    writer.kernel("predictions", 4096, 7)
    described = model(layers, ["input_1", "input_2"], ["predictions", "centres"])
    file = writer.save(folder / "AffectNet_scratch_best.h5", others=["dropout_1", "dropout_2"])
    Path(f"{file}.json").write_text(json.dumps(described), encoding="utf-8")
    return file


def write_vggface_keras(file: Path, divisor: int = 16, classes: int = 2622) -> Path:
    """Write weights in the common vggface layout."""
    writer, channels = Writer(2), 3
    for block, (count, width) in enumerate(zip(BLOCKS, vgg_widths(divisor), strict=True), 1):
        for number in range(1, count + 1):
            writer.kernel(f"conv{block}_{number}", 3, 3, channels, width)
            channels = width
    writer.kernel("fc6", 49 * channels, 4096)
    writer.kernel("fc7", 4096, 4096)
    writer.kernel("fc8", 4096, classes)
    return writer.save(file, others=["pool1", "flatten", "fc8/softmax"])


def vggface_state(divisor: int = 16, classes: int = 2622, underscore: bool = False) -> Arrays:
    """Draw a state dict in the layout of the PyTorch ports."""
    writer, state, channels = Writer(3), {}, 3
    for block, (count, width) in enumerate(zip(BLOCKS, vgg_widths(divisor), strict=True), 1):
        for number in range(1, count + 1):
            name = f"conv_{block}_{number}" if underscore else f"conv{block}_{number}"
            state[f"{name}.weight"] = writer.draw(3, 3, channels, width).transpose(3, 2, 0, 1)
            state[f"{name}.bias"] = writer.small(width)
            channels = width
    for name, (wide, narrow) in {
        "fc6": (49 * channels, 4096), "fc7": (4096, 4096), "fc8": (4096, classes),
    }.items():  # fmt: skip
        state[f"{name}.weight"] = writer.draw(wide, narrow).T
        state[f"{name}.bias"] = writer.small(narrow)
    return state


def write_video_emotion(folder: Path, units: int = 24) -> Path:
    """Write the emotion LSTM's weights; its units are 4096 in the original."""
    writer = Writer(4)
    writer.put("lstm_1", None, **writer.recurrent("lstm_1", 4096, units))
    writer.kernel("dense_1", units, 512)
    writer.kernel("dense_2", 512, 7)
    return writer.save(folder / "lstm-features.sample.hdf5", others=["dropout_1"])


def write_speech(folder: Path, width: int = 8) -> Path:
    """Write the speech network: a nested `model_features` and three heads."""
    writer = Writer(5)
    inner = [
        entry("input_2", 200, 40, 1),
        convolution("conv2d_1", "input_2", width, "linear"),
        layer("BatchNormalization", "bn_1", "conv2d_1", axis=-1, momentum=0.99, epsilon=0.001,
              center=True, scale=True),
        layer("Activation", "activation_1", "bn_1", activation="relu"),
        pooling("max_pooling2d_1", "activation_1", 4, 4),
        layer("Reshape", "reshape_1", "max_pooling2d_1", target_shape=[50, 10 * width]),
        layer(
            "Bidirectional", "bidirectional_1", "reshape_1", merge_mode="concat",
            layer=without_nodes(lstm("lstm_1", units=12)),
        ),
        dense("dense_1", "bidirectional_1", 768, "tanh"),
    ]  # fmt: skip
    nested = model(inner, ["input_2"], ["dense_1"])
    nested["config"]["name"] = "model_features"
    outer = [
        entry("input_1", 200, 40, 1),
        layer("Model", "model_features", "input_1") | {"config": nested["config"]},
        dense("emotion", "model_features", 7, "softmax"),
        dense("age", "model_features", 1),
        dense("gender", "model_features", 1, "sigmoid"),
    ]
    inside = "model_features"
    writer.kernel("conv2d_1", 3, 3, 1, width, group=inside)
    writer.put("bn_1", inside, gamma=1 + writer.small(width), beta=writer.small(width))
    for way in ("forward", "backward"):
        writer.put(
            f"bidirectional_1/{way}_lstm_1", inside, **writer.recurrent("lstm_1", 10 * width, 12)
        )
    writer.kernel("dense_1", 24, 768, group=inside)
    # What is not trained comes last, whatever its layer.
    writer.put(
        "bn_1",
        inside,
        moving_mean=writer.small(width),
        moving_variance=1 + writer.small(width) ** 2,
    )
    for name, units in (("emotion", 7), ("age", 1), ("gender", 1)):
        writer.kernel(name, 768, units)
    whole = model(outer, ["input_1"], ["emotion", "age", "gender"])
    return writer.save(folder / "Model_emotion_age_gender.h5", whole, ["input_1"])


def without_nodes(described: dict) -> dict:
    return {key: value for key, value in described.items() if key in ("class_name", "config")}


def write_text(folder: Path) -> Path:
    """Write the text network: characters and morphemes, each read and weighed by attention."""
    writer = Writer(6)
    layers = [
        entry("input_1", 48),
        entry("input_2", 27, 200),
        layer("Embedding", "embedding_1", "input_1", input_dim=11_300, output_dim=16,
              batch_input_shape=[None, 48], dtype="float32", mask_zero=False, input_length=48),
        layer("Bidirectional", "bidirectional_1", "embedding_1", merge_mode="concat",
              layer=without_nodes(lstm("lstm_1", units=128, sequences=True))),
        layer("AttentionLayer", "attention_layer_1", "bidirectional_1", attention_dim=20),
        layer("Dot", "dot_1", "attention_layer_1", "bidirectional_1", axes=[1, 1],
              normalize=False),
        lstm("lstm_2", "input_2", units=256, sequences=True),
        layer("AttentionLayer", "attention_layer_2", "lstm_2", attention_dim=20),
        layer("Dot", "dot_2", "attention_layer_2", "lstm_2", axes=[1, 1], normalize=False),
        layer("Concatenate", "concatenate_1", "dot_1", "dot_2", axis=-1),
        dense("dense_1", "concatenate_1", 7, "softmax"),
    ]  # fmt: skip
    for entry_layer in layers[:2]:
        entry_layer["config"].pop("trainable", None)
    writer.put("embedding_1", embeddings=writer.small(11_300, 16))
    for way in ("forward", "backward"):
        arrays = writer.recurrent("lstm_1", 16, 128, scope=f"{way}_lstm_1/")
        writer.put("bidirectional_1", None, **arrays)
    writer.put("lstm_2", None, **writer.recurrent("lstm_2", 200, 256))
    for number in (1, 2):
        writer.put(
            f"attention_layer_{number}", None, Attention_Weight=writer.draw(256, 20),
            Attention_Bias=writer.small(20), Attention_Context_Vector=writer.draw(20, 1),
        )  # fmt: skip
    writer.kernel("dense_1", 512, 7)
    whole = model(layers, ["input_1", "input_2"], ["dense_1"])
    return writer.save(folder / "5Y_text_emotion_200728.h5", whole)


def write_fusion(folder: Path) -> None:
    """Write the three fusion networks."""
    inputs = {
        "emotion": [(1, 512), (20, 4096), (5, 768), (7,), (7,), (7,)],
        "age": [(20, 4096), (5, 768), (1,), (1,)],
        "gender": [(20, 4096), (5, 768), (2,), (2,)],
    }
    for seed, (name, shapes) in enumerate(inputs.items(), 7):
        writer, layers, ends, width = Writer(seed), [], [], 0
        for number, shape in enumerate(shapes, 1):
            layers.append(entry(f"input_{number}", *shape))
            if len(shape) == 1:
                ends.append(f"input_{number}")
                width += shape[0]
                continue
            pooled, narrow = f"pool_{number}", f"narrow_{number}"
            layers += [
                layer("GlobalAveragePooling1D", pooled, f"input_{number}",
                      data_format="channels_last"),
                dense(narrow, pooled, 16, "relu"),
            ]  # fmt: skip
            writer.kernel(narrow, shape[1], 16)
            ends.append(narrow)
            width += 16
        units, activation = {"emotion": (7, "softmax"), "age": (1, "linear"),
                             "gender": (2, "softmax")}[name]  # fmt: skip
        layers += [
            layer("Concatenate", "concatenate_1", *ends, axis=-1),
            dense("last", "concatenate_1", units, activation),
        ]
        writer.kernel("last", width, units)
        whole = model(layers, [f"input_{n}" for n in range(1, len(shapes) + 1)], ["last"])
        writer.save(folder / f"{name}_200915.h5", whole)


#: Layers of each branch with their sizes; widths of the original by place.
Sizes = Sequence[tuple[str, int, int, int]]
STEM: Sizes = (
    ("Conv2d_1a_3x3", 3, 3, 32), ("Conv2d_2a_3x3", 3, 3, 32), ("Conv2d_2b_3x3", 3, 3, 64),
    ("Conv2d_3b_1x1", 1, 1, 80), ("Conv2d_4a_3x3", 3, 3, 192), ("Conv2d_4b_3x3", 3, 3, 256),
)  # fmt: skip
BLOCK35 = (
    (("Conv2d_1x1", 1, 1, 32),),
    (("Conv2d_0a_1x1", 1, 1, 32), ("Conv2d_0b_3x3", 3, 3, 32)),
    (("Conv2d_0a_1x1", 1, 1, 32), ("Conv2d_0b_3x3", 3, 3, 32), ("Conv2d_0c_3x3", 3, 3, 32)),
)
MIXED_6A = (
    (("Conv2d_1a_3x3", 3, 3, 384),),
    (("Conv2d_0a_1x1", 1, 1, 192), ("Conv2d_0b_3x3", 3, 3, 192), ("Conv2d_1a_3x3", 3, 3, 256)),
)
BLOCK17 = (
    (("Conv2d_1x1", 1, 1, 128),),
    (("Conv2d_0a_1x1", 1, 1, 128), ("Conv2d_0b_1x7", 1, 7, 128), ("Conv2d_0c_7x1", 7, 1, 128)),
)
MIXED_7A = (
    (("Conv2d_0a_1x1", 1, 1, 256), ("Conv2d_1a_3x3", 3, 3, 384)),
    (("Conv2d_0a_1x1", 1, 1, 256), ("Conv2d_1a_3x3", 3, 3, 256)),
    (("Conv2d_0a_1x1", 1, 1, 256), ("Conv2d_0b_3x3", 3, 3, 256), ("Conv2d_1a_3x3", 3, 3, 256)),
)
BLOCK8 = (
    (("Conv2d_1x1", 1, 1, 192),),
    (("Conv2d_0a_1x1", 1, 1, 192), ("Conv2d_0b_1x3", 1, 3, 192), ("Conv2d_0c_3x1", 3, 1, 192)),
)


class FaceNetWriter(Writer):
    """Draws a FaceNet's variables under their names in a checkpoint."""

    def __init__(self, seed: int, divisor: int, scope: str) -> None:
        super().__init__(seed)
        self.divisor, self.scope, self.variables = divisor, scope, {}
        channels = 3
        for name, *size in STEM:
            channels = self.normed(f"{scope}/{name}", *size[:2], channels, size[2] // divisor)
        for number in range(1, 6):
            self.residual(f"{scope}/Repeat/block35_{number}", BLOCK35, channels)
        channels = self.reduction(f"{scope}/Mixed_6a", MIXED_6A, channels)
        for number in range(1, 11):
            self.residual(f"{scope}/Repeat_1/block17_{number}", BLOCK17, channels)
        channels = self.reduction(f"{scope}/Mixed_7a", MIXED_7A, channels)
        for number in range(1, 6):
            self.residual(f"{scope}/Repeat_2/block8_{number}", BLOCK8, channels)
        self.residual(f"{scope}/Block8", BLOCK8, channels)
        self.normed(f"{scope}/Bottleneck", channels, 512 // divisor)

    def normed(self, place: str, *shape: int) -> int:
        """Draw a kernel and its batch normalisation, which has no scale; give the width."""
        width = shape[-1]
        self.variables |= {
            f"{place}/weights": self.draw(*shape),
            f"{place}/BatchNorm/beta": self.small(width),
            f"{place}/BatchNorm/moving_mean": self.small(width),
            f"{place}/BatchNorm/moving_variance": 1 + self.small(width) ** 2,
        }
        return width

    def branches(self, place: str, branches: tuple, channels: int) -> int:
        total = 0
        for number, layers in enumerate(branches):
            width = channels
            for name, height, across, size in layers:
                width = self.normed(
                    f"{place}/Branch_{number}/{name}", height, across, width, size // self.divisor
                )
            total += width
        return total

    def reduction(self, place: str, branches: tuple, channels: int) -> int:
        return channels + self.branches(place, branches, channels)

    def residual(self, place: str, branches: tuple, channels: int) -> None:
        mixed = self.branches(place, branches, channels)
        self.variables[f"{place}/Conv2d_1x1/weights"] = self.draw(1, 1, mixed, channels)
        self.variables[f"{place}/Conv2d_1x1/biases"] = self.small(channels)


def age_variables(divisor: int = 16) -> Arrays:
    """Draw the age network: FaceNet, 128 with batch normalisation, 62 classes."""
    writer = FaceNetWriter(10, divisor, "InceptionResnetV1")
    return writer.variables | {
        "fc1/kernel": writer.draw(512 // divisor, 128),
        "fc1/bias": writer.small(128),
        "fc1_bn/gamma": 1 + writer.small(128),
        "fc1_bn/beta": writer.small(128),
        "fc1_bn/moving_mean": writer.small(128),
        "fc1_bn/moving_variance": 1 + writer.small(128) ** 2,
        "fc2/kernel": writer.draw(128, 62),
        "fc2/bias": writer.small(62),
        # What an optimiser leaves behind.
        "fc2/kernel/Adam": writer.draw(128, 62),
    }


def gender_variables(divisor: int = 16) -> Arrays:
    """Draw the gender network: FaceNet in a scope of its own, 2 classes."""
    writer = FaceNetWriter(11, divisor, "EmbedModel/InceptionResnetV1")
    return writer.variables | {
        "EmbedModel/fc8/weights": writer.draw(512 // divisor, 2),
        "EmbedModel/fc8/biases": writer.small(2),
    }


def write_checkpoint(prefix: Path, variables: Arrays) -> Path:
    """Write a TensorFlow 1 checkpoint without its graph."""
    import tensorflow as tf

    prefix.parent.mkdir(parents=True, exist_ok=True)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        made = {
            name: v1.get_variable(name, initializer=np.asarray(array, np.float32))
            for name, array in variables.items()
        }
        session.run(v1.global_variables_initializer())
        v1.train.Saver(made).save(session, str(prefix), write_meta_graph=False, write_state=False)
    return prefix.with_name(f"{prefix.name}.index")


def write_age(folder: Path, divisor: int = 16) -> Path:
    return write_checkpoint(folder / "weights" / "age" / "ckpt-30000", age_variables(divisor))


def write_gender(folder: Path, divisor: int = 16) -> Path:
    return write_checkpoint(
        folder / "weights" / "gender" / "model.ckpt-6747", gender_variables(divisor)
    )


MORPHEMES = ("나", "는", "지금", "너무", "슬프다", "행복하다", "하루", "정말", "이다", "에서")


def write_word2vec(folder: Path) -> Path:
    """Save a Word2Vec model by gensim itself."""
    from gensim.models import Word2Vec

    file = folder / "5Y_w2v.model"
    file.parent.mkdir(parents=True, exist_ok=True)
    Word2Vec([MORPHEMES] * 5, vector_size=200, min_count=1, seed=1, workers=1).save(str(file))
    return file


def write_all(folder: Path) -> Path:
    """Write every file, in a tree like the original's."""
    write_vgg_face(folder / "video" / "weights")
    write_video_emotion(folder / "video" / "weights")
    write_age(folder / "video")
    write_gender(folder / "video")
    write_speech(folder / "speech" / "model")
    write_text(folder / "text" / "model")
    write_word2vec(folder / "text" / "model")
    write_fusion(folder / "multimodal" / "model")
    return folder
