"""Fixtures of the client tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.fake_triton import FakeTriton, serve


@pytest.fixture
def fake() -> Iterator[FakeTriton]:
    """A scripted server."""
    with serve() as server:
        yield server
