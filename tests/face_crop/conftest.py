"""Fixtures of the face_crop tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_worker import open_eyes
from mtcnn import Mtcnn
from tracks import Eyes

MODEL = Path(__file__).parents[2] / "model_repository" / "face_crop"


@pytest.fixture(scope="session")
def model_folder() -> Path:
    return MODEL


@pytest.fixture(scope="session")
def detector() -> Mtcnn:
    return Mtcnn(MODEL / "1")


@pytest.fixture(scope="session")
def eyes() -> Eyes:
    return open_eyes(MODEL / "1")
