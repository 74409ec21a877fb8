"""Small requests that show whether a model answers: a face, a voice, a sentence, or zeros."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_MEDIA = Path(__file__).parent / "probe_media"
_MEDIA_TYPES = {"TEXT": "BYTES", "AUDIO": "UINT8", "FRAMES": "BYTES"}
_DTYPES = {
    "BOOL": np.bool_,
    "BYTES": np.object_,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    **{f"INT{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True)
class Tensor:
    """One input of a probe."""

    name: str
    datatype: str
    values: npt.NDArray


def probe_of(config: dict[str, Any]) -> list[Tensor]:
    """Make up a cheap request for a model.

    Args:
        config: Its configuration, as the server tells it.

    Returns:
        The first medium that it takes (a sentence, a voice, a face) and zeros for all else that it
        needs; nothing when there is no telling what it takes, or when it is only wiring.
    """
    if config.get("platform") == "ensemble":
        return []
    inputs = {one["name"]: one for one in config.get("input", ())}
    types = {name: _datatype(one["data_type"]) for name, one in inputs.items()}
    medium = next((name for name in _media() if types.get(name) == _MEDIA_TYPES[name]), None)
    needed = [name for name, one in inputs.items() if name == medium or not one.get("optional")]
    if any(types[name] not in _DTYPES for name in needed):
        return []
    batch = [1] if int(config.get("max_batch_size", 0)) else []
    return [
        Tensor(
            name,
            types[name],
            _medium(name, batch) if name == medium else _zeros(inputs[name], types[name], batch),
        )
        for name in needed
    ]


@cache
def _media() -> dict[str, npt.NDArray]:
    """Return the media by the names of the inputs that take them, the cheapest first."""
    return {
        "TEXT": np.array(["안녕하세요".encode()], np.object_),
        "AUDIO": np.frombuffer((_MEDIA / "voice.ogg").read_bytes(), np.uint8),
        "FRAMES": np.array([(_MEDIA / "face.jpg").read_bytes()], np.object_),
    }


def _datatype(data_type: str) -> str:
    name = data_type.removeprefix("TYPE_")
    return "BYTES" if name == "STRING" else name


def _medium(name: str, batch: list[int]) -> npt.NDArray:
    values = _media()[name]
    return values.reshape([*batch, *values.shape])


def _zeros(one: dict[str, Any], datatype: str, batch: list[int]) -> npt.NDArray:
    shape = [*batch, *(max(1, int(size)) for size in one["dims"])]
    return np.full(shape, b"" if datatype == "BYTES" else 0, _DTYPES[datatype])
