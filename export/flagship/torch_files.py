"""Read PyTorch state dicts without running what a pickle may hold."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from export.flagship.errors import MissingPackageError, SourceError

State = dict[str, np.ndarray]


def read_state(file: Path) -> State:
    """Read a state dict, alone or under the key `state_dict`.

    Returns:
        Tensor name to float32 array, in the order of the file.

    Raises:
        MissingPackageError: PyTorch is not installed.
        SourceError: The file is damaged, or a pickle of anything but tensors.
    """
    try:
        import torch
    except ImportError:
        raise MissingPackageError(
            f"{file} needs PyTorch: pip install -r requirements/flagship.txt"
        ) from None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            file, f"is refused: it holds more than tensors, or is damaged: {_first_line(error)}"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise SourceError(file, f"cannot be read as PyTorch: {_first_line(error)}") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise SourceError(file, "holds no state dict")
    return {name: tensor.float().numpy() for name, tensor in state.items()}


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
