"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import RunningServer, running_server

DEMO = Path(__file__).parents[1] / "demo"

#: Folders whose tests compute and time nothing; the others share servers and have deadlines.
COMPUTING = {"export", "recognize", "text_tokenizer", "training"}
COMPUTING_NICENESS = 10


def group_of(nodeid: str) -> str:
    """Tell to which of two groups a test belongs."""
    return "computing" if nodeid.split("/")[1] in COMPUTING else "serving"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Run the two groups of `pytest -n 2` side by side.

    A group stays in one process, so that a fixture of the session is still made once.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let what computes use the time that servers with deadlines leave."""
    if "PYTEST_XDIST_WORKER" in os.environ and group_of(item.nodeid) == "computing":
        os.setpriority(os.PRIO_PROCESS, 0, COMPUTING_NICENESS)


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
