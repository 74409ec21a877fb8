"""Fixtures of the face_crop tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from mtcnn import Mtcnn

MODEL = Path(__file__).parents[2] / "model_repository" / "face_crop"


@pytest.fixture(scope="session")
def model_folder() -> Path:
    return MODEL


@pytest.fixture(scope="session")
def detector() -> Mtcnn:
    return Mtcnn(MODEL / "1")
