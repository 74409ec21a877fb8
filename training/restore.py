"""Served weights back into a network, so that a training can go on from what is served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from training.networks.text import TextNet

#: What `export` adds to the name of a weight that it stores as levels, their scale, or in half.
_LEVELS, _SCALE, _HALF = "_int8", "_scale", "_half"
#: The matrices of a layer in the order in which they multiply. Without a name of their own they are
#: stored transposed.
_MATRICES = ("project", "merge", "widen", "narrow")


def restore_text(network: TextNet, path: Path) -> None:
    """Fill a text network with the weights of a served `model.onnx`, in place.

    Raises:
        ValueError: The file lacks a weight, or has one of another shape.
    """
    stored = _weights(path)
    nameless = [weight.T for name, weight in stored.items() if name.startswith("onnx::MatMul")]
    state = {name.removeprefix("network."): weight for name, weight in stored.items()}
    names = [
        f"encoder.layers.{layer}.{matrix}.weight"
        for layer in range(len(network.encoder.layers))
        for matrix in _MATRICES
    ]
    state |= dict(zip(names, nameless, strict=False))
    wanted = network.state_dict()
    for name, weight in wanted.items():
        found = state.get(name)
        if found is None or found.shape != tuple(weight.shape):
            shape = "nothing" if found is None else f"dims {list(found.shape)}"
            raise ValueError(f"{path}: expected {name} {list(weight.shape)}, found {shape}")
    network.load_state_dict({name: torch.from_numpy(state[name].copy()) for name in wanted})


def _weights(path: Path) -> dict[str, np.ndarray]:
    """Read all weights as float32, in the order of the graph."""
    stored = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in onnx.load(path).graph.initializer
    }
    weights = {}
    for name, weight in stored.items():
        if name.endswith(_LEVELS):
            whole = name.removesuffix(_LEVELS)
            weights[whole] = weight * stored[whole + _SCALE]
        elif not name.endswith(_SCALE):
            weights[name.removesuffix(_HALF)] = weight
    return weights
