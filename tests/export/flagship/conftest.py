"""The original's files in small, written once, and the repository they become."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Write every file of the original, random and small."""
    from tests.export.flagship.originals import write_all

    return write_all(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def flagship(weights, tmp_path_factory) -> Path:
    """Convert them all by the command that the documentation names."""
    from export.flagship.__main__ import main

    repository = tmp_path_factory.mktemp("converted") / "flagship"
    main(["--weights", str(weights), "--out", str(repository)])
    return repository
