"""The flagship's model repository: the project's models, with its own weights and front ends."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export import repository

FRONT_ENDS = Path(__file__).parent / "front_ends"
NETWORKS = ("vgg_face", "age_gender", "video_emotion", "speech_cnn", "text_encoder", "fusion")
#: Files of the default profile's front ends that these replace without a name.
DROPPED = ("text_tokenizer/1/pieces.model",)
#: Dims that differ from the default profile's, by model and tensor.
DIMS: Mapping[str, Mapping[str, list[int]]] = {
    "speech_frontend": {"MELS": [-1, 200, 40]},
    "speech_cnn": {"MELS": [200, 40]},
    "text_tokenizer": {"IDS": [1, 48], "GRAMS": [1, 27]},
    "text_encoder": {"IDS": [48], "GRAMS": [27]},
}
MORPHEMES = "morphemes.txt"

CARD = """# {model}: flagship profile

{holds}

`conversion.json` in this folder names a network's files and how far it is from its source. The
weights belong to those who handed them out; nothing about them has been measured here.
"""
HOLDS = {
    "vgg_face": "VGG-Face, a VGG-16 cut at a layer of 4096; EMOTION is its own head's.",
    "age_gender": "Two FaceNets: age over ten views of a face, gender over the whole.",
    "video_emotion": "The LSTM over a clip's faces.",
    "speech_cnn": "The speech network of 40 mel bands.",
    "text_encoder": "The text network of 48 characters and 27 morphemes, vectors included.",
    "fusion": "Three networks, of the first 20 faces and 5 windows of speech.",
    "speech_frontend": "The original's cleaning, trimming and normalising of a recording.",
    "text_tokenizer": "The original's character codes and Okt's morphemes; needs KoNLPy and Java.",
}


def prepare(folder: Path) -> None:
    """Make a folder ready for converted networks; an earlier one is left as it is.

    Raises:
        RepositoryError: The folder holds something else.
    """
    known = (folder / "recognize").exists()
    repository.prepare(folder, NETWORKS)
    if known:
        return
    for name in DROPPED:
        (folder / name).unlink()
    shutil.copytree(
        FRONT_ENDS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    for model, tensors in DIMS.items():
        _set_dims(folder / model, tensors)
    for model in (*NETWORKS, *(path.name for path in FRONT_ENDS.iterdir())):
        card = CARD.format(model=model, holds=HOLDS[model])
        (folder / model / "README.md").write_text(card, encoding="utf-8")


def write_morphemes(folder: Path, words: list[str]) -> None:
    """Give the tokenizer the morphemes, a line each, in the order of the encoder's table."""
    # A line break inside a word would shift the numbers of those after it.
    lines = [word.replace("\n", " ") for word in words]
    file = folder / "text_tokenizer" / "1" / MORPHEMES
    file.write_text("\n".join(lines), encoding="utf-8")


def _set_dims(model: Path, tensors: Mapping[str, list[int]]) -> None:
    for file in (model / "config.pbtxt", *model.glob("configs/*.pbtxt")):
        config = text_format.Parse(file.read_text(encoding="utf-8"), ModelConfig())
        for tensor in (*config.input, *config.output):
            if tensor.name in tensors:
                tensor.dims[:] = tensors[tensor.name]
        file.write_text(text_format.MessageToString(config), encoding="utf-8")
