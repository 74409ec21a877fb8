"""The served models' own front ends, imported for training: one path for both.

Triton puts a model's version folder on `sys.path`; so does this module, and nothing else here
needs to know where the front ends live.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

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
