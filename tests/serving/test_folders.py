"""Each Python model must work when its folder alone is copied into a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2] / "model_repository"
PYTHON_MODELS = sorted(path.parent.parent.name for path in REPOSITORY.glob("*/1/model.py"))


@pytest.mark.parametrize("model", PYTHON_MODELS)
def test_a_model_folder_works_when_copied_alone(model, tmp_path):
    copy = shutil.copytree(REPOSITORY / model, tmp_path / model)
    modules = [path.stem for path in (copy / "1").glob("*.py")]
    # Inside a stub Triton's own module is there; here an empty one stands in for it.
    (copy / "1" / "triton_python_backend_utils.py").touch()
    imports = "; ".join(f"import {module}" for module in modules)
    subprocess.run(
        [sys.executable, "-c", imports],
        cwd=copy / "1",
        env={**os.environ, "PYTHONPATH": ""},
        check=True,
    )


def test_shared_modules_are_links_that_stay_inside_the_repository():
    links = [path for path in REPOSITORY.rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        assert not link.readlink().is_absolute()
        assert REPOSITORY in link.resolve(strict=True).parents


def test_no_module_of_two_models_is_a_copy():
    """A formatter that writes through a link leaves a copy in its place."""
    files = [path for path in REPOSITORY.glob("*/1/*.py") if not path.is_symlink()]
    names = [path.name for path in files if path.name != "model.py"]
    assert sorted(names) == sorted(set(names))
