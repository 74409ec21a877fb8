"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import RunningServer, running_server

TESTS = Path(__file__).parent
DEMO = TESTS.parent / "demo"

#: Folders whose tests compute and time nothing; the others share servers and have deadlines.
COMPUTING = {"export", "recognize", "text_tokenizer", "training"}
COMPUTING_NICENESS = 10


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make two groups, for `pytest -n 2 --dist loadgroup` to run side by side.

    A group stays in one process, so that a fixture of the session is still made once.
    """
    group = "computing" if _computes(item) else "serving"
    item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let what computes use the time that servers with deadlines leave."""
    if "PYTEST_XDIST_WORKER" in os.environ and _computes(item):
        os.setpriority(os.PRIO_PROCESS, 0, COMPUTING_NICENESS)


def _computes(item: pytest.Item) -> bool:
    return item.path.relative_to(TESTS).parts[0] in COMPUTING


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
