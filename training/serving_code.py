"""The served models' own front ends and networks, for training: one path for both.

Triton puts a model's version folder on `sys.path`; so does this module, and nothing else here
needs to know where the front ends live.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import onnxruntime

MODEL_REPOSITORY = Path(__file__).resolve().parent.parent / "model_repository"


def front_end(model: str, module: str) -> ModuleType:
    """Import a module of a Python model, as its stub would.

    Args:
        model: Folder in `model_repository`, e.g. "speech_frontend".
        module: Module in the folder of version 1, e.g. "log_mel".
    """
    folder = str(MODEL_REPOSITORY / model / "1")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(module)


def network_file(model: str, repository: Path = MODEL_REPOSITORY) -> Path:
    """Where a repository keeps the network of a model."""
    return repository / model / "1" / "model.onnx"


def served_network(
    model: str, repository: Path = MODEL_REPOSITORY, threads: int = 0
) -> onnxruntime.InferenceSession:
    """Load the network of a model to run it here.

    Args:
        model: Folder in the repository, e.g. "vgg_face".
        repository: A model repository.
        threads: How many threads a run may take; 0: all.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    path = network_file(model, repository)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
