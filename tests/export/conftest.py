from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

REPOSITORY = Path(__file__).parents[2] / "model_repository"
Answers = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def run() -> Callable[..., Answers]:
    """Run a committed model: `run("fusion", TEXT_COUNT=..., ...)` gives its outputs by name."""
    sessions: dict[str, onnxruntime.InferenceSession] = {}

    def answer(model: str, **feed: np.ndarray) -> Answers:
        if model not in sessions:
            path = REPOSITORY / model / "1" / "model.onnx"
            sessions[model] = onnxruntime.InferenceSession(str(path))
        outputs = [output.name for output in sessions[model].get_outputs()]
        return dict(zip(outputs, sessions[model].run(outputs, feed), strict=True))

    return answer
