"""What may be wrong with somebody's weights."""

from __future__ import annotations

from pathlib import Path


class SourceError(ValueError):
    """A file cannot be what it is taken for; the message names the file and the layer."""

    def __init__(self, file: Path, problem: str, layer: str | None = None) -> None:
        """Put the parts together: "weights/lstm.hdf5: layer lstm_1: has no recurrent_kernel"."""
        where = f"{file}: layer {layer}" if layer else f"{file}"
        super().__init__(f"{where}: {problem}")


class MissingPackageError(RuntimeError):
    """A package that this conversion needs is not installed."""
