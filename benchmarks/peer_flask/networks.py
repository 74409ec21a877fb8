"""This project's networks on plain onnxruntime, and arrays that pass between modules as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

MODEL_REPOSITORY = Path(__file__).parents[2] / "model_repository"


class Network:
    """An ONNX file of the model repository with onnxruntime's own settings."""

    def __init__(self, model: str) -> None:
        """Load a network by its model's name."""
        path = MODEL_REPOSITORY / model / "1" / "model.onnx"
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network once; every input and output by name."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))


def save(folder: Path, modality: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a modality's arrays, each to a file of its own."""
    for name, array in arrays.items():
        np.save(folder / f"{modality}_{name}.npy", array)


def load(folder: Path, modality: str, name: str) -> np.ndarray | None:
    """Read an array that another module wrote, or None when it wrote none."""
    path = folder / f"{modality}_{name}.npy"
    return np.load(path) if path.exists() else None
