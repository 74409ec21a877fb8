"""The requirements can be installed on every Python that they claim."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def pins(file: str, python: str) -> dict[str, str]:
    """The package versions that a file asks for under a version of Python."""
    lines = (REQUIREMENTS / file).read_text("utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return {
        one.name: str(one.specifier)
        for one in wanted
        if one.marker is None or one.marker.evaluate({"python_version": python})
    }


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12"])
def test_the_gpu_build_is_the_release_that_serves_on_the_cpu(python):
    """Of 1.31 there is no build for Python 3.10, on the CPU or the GPU."""
    release = pins("gpu.txt", python)["onnxruntime-gpu"]
    assert release == pins("models.txt", python)["onnxruntime"]
