"""`age_gender`: two FaceNets, the original's rules for age and gender inside the graph.

Age is the class with the greatest mean logit over ten views of the face: five boxes, each also
mirrored. Gender is judged on the whole face with the channels reversed. A crop of 224 px becomes a
view by two matrices of linear interpolation, as `tf.image.crop_and_resize` and `cv2.resize` do it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import tensorflow as tf

from export.flagship.conversion import Network
from export.flagship.errors import MissingPackageError, SourceError
from export.flagship.facenet import (
    SIDE,
    Checkpoint,
    Place,
    Record,
    StateDict,
    Weights,
    dense,
    embed,
    normalise,
)
from export.flagship.files import TORCH, Files
from export.flagship.surgery import softmax
from export.flagship.torch_files import State, read_state
from export.flagship.vgg_face import SIDE as CROP_SIDE
from export.flagship.vgg_face import crops

#: (y1, x1, y2, x2) of a view, in parts of the crop.
BOXES = (
    (0.0, 0.0, 0.9, 0.9),
    (0.0, 0.1, 0.9, 1.0),
    (0.1, 0.0, 1.0, 0.9),
    (0.1, 0.1, 1.0, 1.0),
    (0.05, 0.05, 0.95, 0.95),
)
YOUNGEST = 16
AGES = 62
#: The gender network's classes are female, male.
FEMALE, MALE = 0, 1

FC1, FC1_NORM, FC2 = Place("fc1", "fc1"), Place("fc1_bn", "fc1_bn"), Place("fc2", "fc2")
FC8 = Place("fc8", "fc8")

Embed = Callable[[np.ndarray], np.ndarray]


def read(files: Files) -> Network:
    """Read the networks of the slots `face_age` and `face_gender`.

    Raises:
        SourceError: A file is of no known layout, or a weight is missing or does not fit.
    """
    age, age_source = _weights(files.find("face_age"))
    gender, gender_source = _weights(files.find("face_gender"))
    _check_classes(age, FC2, AGES)
    _check_classes(gender, FC8, 2)

    def served(pixels: tf.Tensor, record: Record) -> dict[str, tf.Tensor]:
        faces = tf.cast(pixels, tf.float32)
        return {
            "AGE": _years(_age_logits(scaled(_views(faces)), age, record)),
            "GENDER": _gender(scaled(_whole(faces)[..., ::-1]), gender, record),
        }

    # Every weight is met once here, so that a wrong one is named before anything is converted.
    served(tf.constant(crops(1, 9)["CROPS"]), {})

    def source(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        faces = tensors["CROPS"].astype(np.float32)
        logits = np.stack([age_source(FC2, scaled(_augmented(face))).mean(0) for face in faces])
        resized = np.stack([cv2.resize(face[:, :, ::-1], (SIDE, SIDE)) for face in faces])
        probability = softmax(gender_source(FC8, scaled(resized)))
        return {
            "AGE": (YOUNGEST + logits.argmax(1)[:, None]).astype(np.float32),
            "GENDER": probability[:, [MALE, FEMALE]],
        }

    def layers(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        record: Record = {}
        served(pixels, record)
        return record

    return Network(
        [tf.TensorSpec((None, CROP_SIDE, CROP_SIDE, 3), tf.uint8, "CROPS")],
        lambda pixels: served(pixels, {}),
        source,
        layers,
        [crops(2, 0), crops(1, 1)],
        [age.file, gender.file],
    )


def scaled(faces: tf.Tensor) -> tf.Tensor:
    """Scale pixels to [-1, 1], of TensorFlow or numpy."""
    return (faces - 127.5) / 127.5


def interpolation(start: float, stop: float) -> np.ndarray:
    """Weigh 224 pixels into 160 that lie evenly from one place to another, both met.

    Args:
        start: In parts of the distance from the first pixel to the last.
        stop: Likewise.

    Returns:
        float32 [160, 224], rows that sum to 1.
    """
    return _between(np.linspace(start, stop, SIDE) * (CROP_SIDE - 1))


def _between(places: np.ndarray) -> np.ndarray:
    below = np.clip(np.floor(places).astype(int), 0, CROP_SIDE - 2)
    part = np.clip(places - below, 0.0, 1.0)
    rows = np.arange(len(places))
    weights = np.zeros((len(places), CROP_SIDE), np.float32)
    weights[rows, below], weights[rows, below + 1] = 1 - part, part
    return weights


def _views(faces: tf.Tensor) -> tf.Tensor:
    """Cut ten views of each face: [B,224,224,3] to [10 B,160,160,3]."""
    down = np.stack([interpolation(y1, y2) for y1, _, y2, _ in BOXES])
    across = np.stack([interpolation(x1, x2) for _, x1, _, x2 in BOXES])
    # A mirrored view takes its columns in the other order.
    down, across = np.concatenate([down, down]), np.concatenate([across, across[:, ::-1]])
    views = tf.einsum("vyh,bhwc->bvywc", down, faces)
    views = tf.einsum("vxw,bvywc->bvyxc", across, views)
    return tf.reshape(views, (-1, SIDE, SIDE, 3))


def _whole(faces: tf.Tensor) -> tf.Tensor:
    """Resize each face: pixels are areas here, and their centres meet."""
    centres = (np.arange(SIDE) + 0.5) * CROP_SIDE / SIDE - 0.5
    weights = _between(centres)
    return tf.einsum("xw,bywc->byxc", weights, tf.einsum("yh,bhwc->bywc", weights, faces))


def _age_logits(views: tf.Tensor, weights: Weights, record: Record) -> tf.Tensor:
    """Run ten views of each face: [10 B,160,160,3] to mean logits [B,62]."""
    own: Record = {}
    logits = _age_head(embed(views, weights, own), weights)
    record |= {f"age/{name}": value for name, value in own.items()} | {"age/fc2": logits}
    return tf.reduce_mean(tf.reshape(logits, (-1, 2 * len(BOXES), AGES)), axis=1)


def _age_head(bottleneck: tf.Tensor, weights: Weights) -> tf.Tensor:
    unit = tf.nn.l2_normalize(bottleneck, axis=1)
    hidden = normalise(dense(unit, weights, FC1), weights.norm(FC1_NORM))
    return dense(tf.nn.relu(hidden), weights, FC2)


def _years(logits: tf.Tensor) -> tf.Tensor:
    return tf.cast(YOUNGEST + tf.argmax(logits, axis=1, output_type=tf.int32), tf.float32)[:, None]


def _gender(faces: tf.Tensor, weights: Weights, record: Record) -> tf.Tensor:
    own: Record = {}
    scores = dense(embed(faces, weights, own), weights, FC8)
    record |= {f"gender/{name}": value for name, value in own.items()} | {"gender/fc8": scores}
    return tf.gather(tf.nn.softmax(scores), [MALE, FEMALE], axis=1)


def _augmented(face: np.ndarray) -> np.ndarray:
    """Cut the ten views of a face as the original does, by TensorFlow's own operation."""
    boxes = np.array(BOXES, np.float32)
    views = tf.image.crop_and_resize(
        face[None], boxes, np.zeros(len(BOXES), np.int32), (SIDE, SIDE)
    )
    return np.concatenate([views, views[:, :, ::-1]])


Source = Callable[[Place, np.ndarray], np.ndarray]


def _weights(file: Path) -> tuple[Weights, Source]:
    """Read a FaceNet, and what runs it in its own framework: (head, faces) to the head's logits."""
    if file.suffix.lower() in TORCH:
        state = read_state(file)
        weights: Weights = StateDict(file, state)
        embedding = _published(file, state)
    else:
        weights = Checkpoint(file)

        def embedding(faces: np.ndarray) -> np.ndarray:
            return embed(tf.constant(faces), weights, {}).numpy()

    def source(head: Place, faces: np.ndarray) -> np.ndarray:
        bottleneck = tf.constant(embedding(faces))
        scores = _age_head if head is FC2 else lambda x, y: dense(x, y, FC8)
        return scores(bottleneck, weights).numpy()

    return weights, source


def _check_classes(weights: Weights, place: Place, count: int) -> None:
    found = weights.kernel(place).shape[-1]
    if found != count:
        raise SourceError(weights.file, f"gives {found} classes, expected {count}", place.slim)


def _published(file: Path, state: State) -> Embed:
    """Load facenet-pytorch's own network: scaled faces [B,160,160,3] to the bottleneck [B,512]."""
    import torch

    network = _published_class()()
    # It gives what comes before its classifier only when it is told to classify.
    network.classify, network.logits = True, torch.nn.Identity()
    own = {key: torch.from_numpy(state[key]) for key in network.state_dict() if key in state}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise SourceError(file, f"is no InceptionResnetV1 of facenet-pytorch: {error}") from error
    network.eval()

    def embedding(faces: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            pictures = torch.from_numpy(np.ascontiguousarray(faces, np.float32))
            return network(pictures.permute(0, 3, 1, 2)).numpy()

    return embedding


def _published_class() -> type:
    """Import the network alone: the package as a whole asks for an old torchvision."""
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            "a FaceNet of facenet-pytorch is compared with its own code: "
            "pip install --no-deps -r requirements/mtcnn.txt"
        )
    shell = ModuleType("facenet_pytorch")
    shell.__path__ = list(spec.submodule_search_locations)
    before = sys.modules.get("facenet_pytorch")
    sys.modules["facenet_pytorch"] = shell
    try:
        return importlib.import_module(
            "facenet_pytorch.models.inception_resnet_v1"
        ).InceptionResnetV1
    finally:
        sys.modules.pop("facenet_pytorch")
        if before is not None:
            sys.modules["facenet_pytorch"] = before
