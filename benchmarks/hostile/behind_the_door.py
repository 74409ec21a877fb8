"""What is asked of the models behind `recognize`, which anybody can call as well.

Each function takes a file that is not to be trusted, and gives a model's name and its inputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hostile.chance import any_of, floats, integers
from benchmarks.hostile.requests import Tensor, array, file, strings

Asked = tuple[str, tuple[Tensor, ...]]


def _face_crop(rng: np.random.Generator, media: bytes) -> Asked:
    tensors = [any_of(rng, (file("VIDEO", media), strings("FRAMES", media, b"", media)))]
    if rng.random() < 0.3:
        tensors.append(array("PAST_PERSON", floats(rng, int(any_of(rng, (133, 133, 132))))))
    return "face_crop", tuple(tensors)


def _speech_frontend(rng: np.random.Generator, media: bytes) -> Asked:
    return "speech_frontend", (file(any_of(rng, ("AUDIO", "VIDEO")), media),)


def _text_tokenizer(rng: np.random.Generator, media: bytes) -> Asked:
    return "text_tokenizer", (strings("TEXT", media[:5_000]),)


def _crops(rng: np.random.Generator, media: bytes) -> Asked:
    count = int(any_of(rng, (0, 1, 2, 8)))
    side = int(any_of(rng, (224, 224, 224, 223, 1, 0)))
    pixels = rng.integers(256, size=(count, side, side, 3), dtype=np.uint8)
    return any_of(rng, ("vgg_face", "age_gender")), (array("CROPS", pixels),)


def _speech_cnn(rng: np.random.Generator, media: bytes) -> Asked:
    count, bands = int(any_of(rng, (0, 1, 2))), int(any_of(rng, (80, 80, 79)))
    return "speech_cnn", (array("MELS", floats(rng, count, 200, bands)),)


def _text_encoder(rng: np.random.Generator, media: bytes) -> Asked:
    shapes = [(1, int(any_of(rng, (0, 1, 8, 256, 10_000)))) for _ in "ab"]
    tensors = (array("IDS", integers(rng, *shapes[0])), array("GRAMS", integers(rng, *shapes[1])))
    return "text_encoder", tensors


def _video_emotion(rng: np.random.Generator, media: bytes) -> Asked:
    features = array("FEATURES", floats(rng, int(any_of(rng, (0, 1, 5, 200))), 4096))
    return "video_emotion", (features, array("COUNT", integers(rng, 1)))


def _fusion(rng: np.random.Generator, media: bytes) -> Asked:
    rows = {"TEXT": 1, "SPEECH": int(rng.integers(4)), "VIDEO": int(rng.integers(4))}
    widths = {"TEXT": 512, "SPEECH": 768, "VIDEO": 4096}
    tensors = []
    for name, count in rows.items():
        shape = (7,) if name == "VIDEO" else (count, 7)
        tensors += [
            array(f"{name}_FEATURES", floats(rng, count, widths[name])),
            array(f"{name}_EMOTION", floats(rng, *shape)),
            array(f"{name}_COUNT", integers(rng, 1)),
        ]
        if name != "TEXT":
            tensors.append(array(f"{name}_AGE", floats(rng, count, 1)))
            tensors.append(array(f"{name}_GENDER", floats(rng, count, 2)))
        if name == "SPEECH":
            tensors.append(array("SPEECH_WEIGHTS", floats(rng, count)))
    return "fusion", tuple(tensors)


def _ensembles(rng: np.random.Generator, media: bytes) -> Asked:
    model = any_of(rng, ("speech", "video", "multimodal"))
    return model, (file("AUDIO" if model == "speech" else "VIDEO", media),)


BEHIND_THE_DOOR: dict[str, Callable[[np.random.Generator, bytes], Asked]] = {
    "face_crop": _face_crop,
    "speech_frontend": _speech_frontend,
    "text_tokenizer": _text_tokenizer,
    "crops": _crops,
    "speech_cnn": _speech_cnn,
    "text_encoder": _text_encoder,
    "video_emotion": _video_emotion,
    "fusion": _fusion,
    "ensembles": _ensembles,
}
