"""`make` finds a Python that can serve, has uv install one, or says in a sentence what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "python.sh"
FITTING = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
#: What a Python says of itself; the script's own question follows as the last argument.
NEWER = "import sys; sys.version_info = (3, 13, 5, 'final', 0); exec(sys.argv[1])"
STATIC = """
import ctypes, sys, sysconfig
def missing(name):
    raise OSError
ctypes.CDLL, sysconfig.get_config_var, sys.base_prefix = missing, lambda name: None, '/nowhere'
exec(sys.argv[1])
"""


@pytest.fixture
def machine(tmp_path):
    """A machine whose PATH holds a shell's tools and what a test puts there."""
    for tool in ("sh", "mktemp", "rm", "grep"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    return tmp_path


def put(machine: Path, name: str, script: str) -> None:
    (machine / name).write_text(f"#!/bin/sh\n{script}\n")
    (machine / name).chmod(0o755)


def put_python(machine: Path, name: str, speaking: str) -> None:
    """Put a Python that answers `-I -c QUESTION` in its own way, and knows nothing else."""
    put(machine, name, f'[ "$1" = -I ] || exit 1\nexec {FITTING} -c "{speaking}" "$3"')


def found(machine: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["sh", SCRIPT, "0.9.11", *arguments],
        env={"PATH": str(machine), "HOME": str(machine), "TMPDIR": str(machine)},
        capture_output=True,
        text=True,
    )


def test_a_python_that_fits_is_taken_wherever_on_the_path_it_is(machine):
    put_python(machine, "python3", NEWER)
    put_python(machine, "python3.12", STATIC)
    (machine / "python3.11").symlink_to(FITTING)
    answer = found(machine)
    assert Path(answer.stdout.strip()).resolve() == FITTING.resolve(), answer.stderr


def test_where_none_fits_uv_installs_one(machine):
    put_python(machine, "python3", NEWER)
    put(machine, "uv", f'echo "$@" >>"{machine}/asked"\n[ "$2" != find ] || echo {FITTING}')
    answer = found(machine)
    assert Path(answer.stdout.strip()).resolve() == FITTING.resolve(), answer.stderr
    assert (machine / "asked").read_text().startswith("python install 3.12\n")


def test_where_uv_cannot_either_a_sentence_names_the_ways(machine):
    put(machine, "uv", 'echo "error: Failed to install cpython-3.12" >&2; exit 2')
    answer = found(machine)
    assert (answer.returncode, answer.stdout) == (1, "")
    _, sentence = answer.stderr.splitlines()
    for way in (
        "Failed to install cpython-3.12",
        "UV_PYTHON_INSTALL_MIRROR",
        "libpython3-dev",
        "PYTHON=",
    ):
        assert way in sentence


def test_where_there_is_neither_python_nor_uv_the_same_is_said(machine):
    answer = found(machine)
    assert answer.returncode == 1
    assert "python3: not found): let it reach its downloads" in answer.stderr


@pytest.mark.parametrize(
    ("speaking", "why"), [(NEWER, "it is Python 3.13"), (STATIC, "it lacks libpython3.")]
)
def test_a_python_that_was_named_but_cannot_serve_is_refused_with_the_reason(
    machine, speaking, why
):
    put_python(machine, "mine", speaking)
    answer = found(machine, "mine")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"mine cannot serve: {why}")


def test_nothing_is_left_behind(machine):
    before = set(machine.iterdir())
    found(machine)
    assert set(machine.iterdir()) == before
