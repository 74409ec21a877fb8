"""Hypothesis tries the same examples in every run, few enough for the whole suite."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from benchmarks.hostile.mutations import mutate
from benchmarks.hostile.seeds import Seed, make_seeds, read_source

ROOT = Path(__file__).parents[2]

settings.register_profile(
    "suite",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def seeds(clip) -> dict[str, Seed]:
    """Small real media by name."""
    return {seed.name: seed for seed in make_seeds(read_source(clip))}


@pytest.fixture(scope="session")
def spoilt(seeds) -> Callable[[str, int], bytes]:
    """Spoil a file of a medium ("film", "picture" or "sound"), in the way that a number says."""

    def spoil(medium: str, number: int) -> bytes:
        rng = np.random.default_rng(number)
        files = [seed.data for seed in seeds.values() if seed.medium == medium]
        one, other = (files[int(rng.integers(len(files)))] for _ in "ab")
        _, data = mutate(rng, one, other)
        return data

    return spoil


@pytest.fixture(scope="session")
def load():
    """Load a module of a model that imports Triton's, under a name of its own."""

    def load_module(model: str, name: str) -> ModuleType:
        path = ROOT / "model_repository" / model / "1" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"property_{model}_{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        fake = SimpleNamespace(Tensor=object, get_input_tensor_by_name=_tensor)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "triton_python_backend_utils", fake)
            spec.loader.exec_module(module)
        return module

    return load_module


def _tensor(request: dict, name: str) -> SimpleNamespace | None:
    """Stand for Triton's function of that name; a request is a dictionary of arrays."""
    if name not in request:
        return None
    values = request[name]
    return SimpleNamespace(
        name=lambda: name, shape=lambda: list(values.shape), as_numpy=lambda: values
    )
