"""Networks of face-api (MIT licence), from its npm package: age and gender, expression, identity.

    npm pack @vladmandic/face-api@1.7.15 --pack-destination build/face-api

A network is two files: a manifest, which gives each tensor's name, shape and how it was rounded to
8 bits, and the tensors' bytes one after the other.
"""

from __future__ import annotations

import hashlib
import json
import math
import tarfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.contract import EMOTIONS

PACKAGE = "vladmandic-face-api-1.7.15.tgz"
#: SHA-256 of each network's weights.
WEIGHTS = {
    "age_gender_model": "49f92bbc0afef2342c4385e4a2b0acb6d7a727c6f0aa539499719a81acf9abaa",
    "face_recognition_model": "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
    "face_expression_model": "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
}
#: The order in which the expression network names the emotions.
_EXPRESSIONS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
#: face-api's name of each block of the age and gender network to this project's.
_BLOCKS = {
    "entry_flow/conv_in": "entry.1",
    "entry_flow/reduction_block_0": "reduce_1",
    "entry_flow/reduction_block_1": "reduce_2",
    "middle_flow/main_block_0": "middle.0",
    "middle_flow/main_block_1": "middle.1",
    "exit_flow/reduction_block": "reduce_3",
    "exit_flow/separable_conv": "exit",
    "fc/age": "age",
    "fc/gender": "gender",
}
_PARTS = {
    "filters": "weight",
    "weights": "weight",
    "bias": "bias",
    "depthwise_filter": "depthwise.weight",
    "pointwise_filter": "pointwise.weight",
    "expansion_conv": "shortcut",
}


def age_gender_state(folder: Path) -> dict[str, Tensor]:
    """Read the age and gender network as a state dictionary of `AttributeNet`.

    Args:
        folder: Holds the package as `npm pack` writes it.

    Raises:
        FileNotFoundError: The package is missing.
        ValueError: The weights are not the published ones.
    """
    arrays = _read(folder, "age_gender_model")
    return {_name(name): _arranged(name, array) for name, array in arrays.items()}


def expression_state(folder: Path) -> dict[str, Tensor]:
    """Read the expression network as a state dictionary of `ExpressionNet`; see above."""
    state = {}
    for name, array in _read(folder, "face_expression_model").items():
        tensor = _arranged(name, array)
        if name.startswith("fc/"):
            tensor = tensor[[_EXPRESSIONS.index(emotion) for emotion in EMOTIONS]]
        state[_expression_name(name)] = tensor
    return state


def identity_state(folder: Path) -> dict[str, Tensor]:
    """Read the identity network as a state dictionary of `IdentityNet`; see above.

    The scale and shift behind each convolution are folded into it.
    """
    arrays = _read(folder, "face_recognition_model")
    state = {"fc.weight": _arranged("fc", arrays["fc"])}
    for name, filters in arrays.items():
        layer, _, part = name.rpartition("/conv/")
        if part != "filters":
            continue
        bias, scale, shift = (
            torch.from_numpy(arrays[f"{layer}/{end}"])
            for end in ("conv/bias", "scale/weights", "scale/biases")
        )
        weight = _arranged(name, filters) * scale.view(-1, 1, 1, 1)
        target = _identity_name(layer)
        state |= {f"{target}.weight": weight, f"{target}.bias": bias * scale + shift}
    return state


def _read(folder: Path, model: str) -> dict[str, np.ndarray]:
    path = folder / PACKAGE
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; see training/face_api.py for the download")
    with tarfile.open(path) as archive:
        manifest, data = (
            archive.extractfile(f"package/model/{model}{end}").read()
            for end in ("-weights_manifest.json", ".bin")
        )
    digest = hashlib.sha256(data).hexdigest()
    if digest != WEIGHTS[model]:
        raise ValueError(f"{path}: SHA-256 of {model} is {digest}, expected {WEIGHTS[model]}")
    entries = [entry for group in json.loads(manifest) for entry in group["weights"]]
    return tensors(entries, data)


def tensors(entries: list[dict], data: bytes) -> dict[str, np.ndarray]:
    """Cut a model's bytes into its tensors, by name.

    Args:
        entries: The manifest's entries, in the order of the bytes. A rounded tensor's values are
            integer * scale + min.
        data: All bytes.
    """
    result, position = {}, 0
    for entry in entries:
        rounding = entry.get("quantization")
        kind = np.dtype(rounding["dtype"] if rounding else entry["dtype"])
        count = math.prod(entry["shape"])
        array = np.frombuffer(data, kind, count, position).astype(np.float32)
        position += count * kind.itemsize
        if rounding:
            array = array * np.float32(rounding["scale"]) + np.float32(rounding["min"])
        result[entry["name"]] = array.reshape(entry["shape"])
    return result


def _name(name: str) -> str:
    """Translate `entry_flow/reduction_block_0/separable_conv1/bias` to `reduce_1.second...`."""
    block = next(block for block in _BLOCKS if name.startswith(f"{block}/"))
    parts = name.removeprefix(f"{block}/").split("/")
    names = [_BLOCKS[block]]
    for part in parts:
        if part.startswith("separable_conv"):
            index = int(part.removeprefix("separable_conv"))
            names.append(f"layers.{index}" if "main" in block else ("first", "second")[index])
        elif part == "bias" and ("separable" in parts[0] or block.endswith("separable_conv")):
            names.append("pointwise.bias")
        else:
            names.append(_PARTS[part])
    return ".".join(names)


def _expression_name(name: str) -> str:
    """Translate `dense1/conv2/bias` to `dense.1.rest.1.pointwise.bias`."""
    if name.startswith("fc/"):
        return f"emotion.{_PARTS[name.removeprefix('fc/')]}"
    block, layer, part = name.split("/")
    index = int(layer.removeprefix("conv"))
    names = [f"dense.{block.removeprefix('dense')}", f"rest.{index - 1}" if index else "first"]
    if (block, index) == ("dense0", 0):
        names += ["1", _PARTS[part]]
    else:
        names.append("pointwise.bias" if part == "bias" else _PARTS[part])
    return ".".join(names)


def _identity_name(layer: str) -> str:
    """Translate `conv64_down/conv1` to `blocks.conv64_down.first.layer`."""
    block, _, convolution = layer.partition("/")
    if not convolution:
        return f"{block}.layer"
    return f"blocks.{block}.{'first' if convolution == 'conv1' else 'second'}.layer"


def _arranged(name: str, array: np.ndarray) -> Tensor:
    """Turn TensorFlow's order of axes into PyTorch's."""
    if name.endswith("depthwise_filter"):
        array = array.transpose(2, 3, 0, 1)
    elif array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif array.ndim == 2:
        array = array.T
    return torch.from_numpy(np.ascontiguousarray(array))
