"""Fixtures around a repository of tiny models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server import RunningServer, running_server
from tests.server.tiny_repository import write_repository


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    return write_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def server(repository) -> Iterator[RunningServer]:
    with running_server(f"--model-repository={repository}") as running:
        yield running
