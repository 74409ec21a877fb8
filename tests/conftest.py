"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server import RunningServer, running_server

DEMO = Path(__file__).parents[1] / "demo"


@pytest.fixture(scope="session")
def triton() -> Iterator[RunningServer]:
    """Serve this project's own repositories for the whole run."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def clip() -> bytes:
    """Return the demo clip: a real face with synthesised Korean speech."""
    return (DEMO / "clip.mp4").read_bytes()


@pytest.fixture(scope="session")
def sentence() -> str:
    """Return the sentence that is spoken in the demo clip."""
    return (DEMO / "sentence.txt").read_text(encoding="utf-8").strip()
