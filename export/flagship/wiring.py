"""Check that a Keras model takes and gives what the original's does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from export.flagship import keras_files
from export.flagship.errors import SourceError

Shape = tuple[int, ...]


def check_inputs(file: Path, model: keras.Model, shapes: Sequence[Shape]) -> None:
    """Compare a model's inputs, in order and without the batch.

    Raises:
        SourceError: They differ.
    """
    _check(file, "takes", [tensor.shape[1:] for tensor in model.inputs], shapes)


def check_outputs(file: Path, model: keras.Model, shapes: Sequence[Shape]) -> None:
    """Compare a model's outputs, in order and without the batch.

    Raises:
        SourceError: They differ.
    """
    _check(file, "gives", [tensor.shape[1:] for tensor in model.outputs], shapes)


def feature_layer(file: Path, model: keras.Model, name: str, width: int) -> keras.KerasTensor:
    """Find what the layer that gives the feature gives.

    Raises:
        SourceError: There is no such layer, or the feature has another width.
    """
    given = keras_files.steps(model)
    if name not in given:
        raise SourceError(file, f"is missing; the model has {', '.join(given)}", name)
    if given[name].shape[1:] != (width,):
        found = list(given[name].shape[1:])
        raise SourceError(file, f"gives {found}, expected {[width]}", name)
    return given[name]


def _check(file: Path, verb: str, found: Sequence[Shape], expected: Sequence[Shape]) -> None:
    found = [tuple(shape) for shape in found]
    if found != [tuple(shape) for shape in expected]:
        shown = [", ".join(str(list(shape)) for shape in shapes) for shapes in (found, expected)]
        raise SourceError(file, f"its model {verb} {shown[0]}, expected {shown[1]}")
