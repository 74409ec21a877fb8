"""Find a Triton server: the official container's own, or the one in the nvidia-pytriton wheel.

An installed server has its backends; what the wheel's needs is built around it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from server.errors import MissingRuntimeError

ROOT = Path(__file__).resolve().parent.parent
#: What is served when no --model-repository is given.
REPOSITORIES = (ROOT / "model_repository", ROOT / "ensemble")
ONNXRUNTIME_BACKEND = ROOT / "server" / "onnxruntime_backend"

#: Where the official container has its server.
INSTALLED = Path("/opt/tritonserver")

#: The wheel is built on glibc 2.35; its binaries ask for no symbol newer than 2.34.
MINIMUM_GLIBC = (2, 34)


@dataclass(frozen=True)
class Parts:
    """What the wheel holds besides the server, in places where the server does not look.

    Attributes:
        backend: The folder of the Python backend.
        stub: The process that runs a Python model under this version of Python.
        caches: The folder of response caches.
    """

    backend: Path
    stub: Path
    caches: Path


@dataclass(frozen=True)
class Runtime:
    """Where the server is.

    Attributes:
        server: The `tritonserver` binary.
        libraries: Folders for LD_LIBRARY_PATH.
        parts: What has to be laid out for it; None where it is installed with its backends.
    """

    server: Path
    libraries: tuple[Path, ...] = ()
    parts: Parts | None = None


def find_runtime() -> Runtime:
    """Find the server; an installed one comes before the wheel's, since it is newer.

    Raises:
        MissingRuntimeError: Says in one sentence what this machine lacks.
    """
    installed = Runtime(INSTALLED / "bin" / "tritonserver")
    return installed if installed.server.is_file() else _find_wheel()


def known_flags(runtime: Runtime) -> frozenset[str]:
    """The names of the flags that this release of the server takes, without dashes.

    Raises:
        MissingRuntimeError: It does not even print its help.
    """
    answer = subprocess.run(
        [runtime.server, "--help"],
        env=server_environment(runtime),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    flags = frozenset(re.findall(r"^\s*--([a-z0-9-]+)", answer.stdout, re.MULTILINE))
    if not flags:
        last = answer.stdout.strip().rpartition("\n")[2]
        raise MissingRuntimeError(f"{runtime.server} does not run: {last}")
    return flags


def _find_wheel() -> Runtime:
    _check_glibc()
    try:
        wheel = Path(str(distribution("nvidia-pytriton").locate_file("")))
    except PackageNotFoundError:
        raise MissingRuntimeError(
            f"there is no {INSTALLED} and the package nvidia-pytriton is not installed for "
            f"{sys.executable}: run `make setup`"
        ) from None
    triton = wheel / "pytriton" / "tritonserver"
    parts = Parts(
        backend=triton / "backends" / "python",
        stub=triton / "python_backend_stubs" / _python_version() / "triton_python_backend_stub",
        caches=triton / "caches",
    )
    libraries = (wheel / "nvidia_pytriton.libs", _libpython_folder())
    runtime = Runtime(triton / "bin" / "tritonserver", libraries, parts)
    if not runtime.server.is_file():
        raise MissingRuntimeError(f"nvidia-pytriton is installed without {runtime.server}")
    if not parts.stub.is_file():
        versions = sorted(
            (folder.name for folder in parts.stub.parents[1].iterdir()),
            key=lambda version: tuple(map(int, version.split("."))),
        )
        raise MissingRuntimeError(
            f"the server runs Python models under Python {', '.join(versions)}, "
            f"this is {_python_version()}"
        )
    return runtime


def build_backends(parts: Parts, folder: Path) -> Path:
    """Lay out a backend directory with the `python` and the `onnxruntime` backend.

    Args:
        parts: What the wheel holds.
        folder: An empty folder.

    Returns:
        The directory for --backend-directory.
    """
    python = folder / "backends" / "python"
    onnxruntime = folder / "backends" / "onnxruntime"
    for backend in (python, onnxruntime):
        backend.mkdir(parents=True)
    for file in parts.backend.iterdir():
        if file.suffix == ".so":
            # Triton refuses a library that is a link to outside the backend directory.
            shutil.copy2(file, python)
        elif file.suffix == ".py":
            (python / file.name).symlink_to(file)
    (python / parts.stub.name).symlink_to(parts.stub)
    for file in ONNXRUNTIME_BACKEND.glob("*.py"):
        (onnxruntime / file.name).symlink_to(file)
    return folder / "backends"


def server_environment(runtime: Runtime) -> dict[str, str]:
    """The environment of the server and so of its Python models.

    The models' packages are those of the first `python3` on PATH, so this Python's folder leads.
    """
    environment = dict(os.environ)
    _prepend(environment, "PATH", [Path(sys.executable).parent])
    _prepend(environment, "LD_LIBRARY_PATH", runtime.libraries)
    return environment


def _check_glibc() -> None:
    name, version = platform.libc_ver()
    needed = ".".join(map(str, MINIMUM_GLIBC))
    if name != "glibc":
        raise MissingRuntimeError(f"the server needs glibc {needed}, this system has another libc")
    if tuple(map(int, version.split(".")[:2])) < MINIMUM_GLIBC:
        raise MissingRuntimeError(f"the server needs glibc {needed} or newer, this is {version}")


def _libpython_folder() -> Path:
    """The folder of the shared libpython that the Python models' processes are linked with."""
    name = f"libpython{_python_version()}.so.1.0"
    library = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    multiarch = library / (sysconfig.get_config_var("MULTIARCH") or "")
    for folder in (library, multiarch, Path(sys.base_prefix) / "lib"):
        if (folder / name).is_file():
            return folder
    try:
        ctypes.CDLL(name)
    except OSError:
        raise MissingRuntimeError(
            f"{name} was not found: Python models need a Python with a shared library "
            f"(Debian: apt-get install libpython{_python_version()}; pyenv: "
            "PYTHON_CONFIGURE_OPTS=--enable-shared)"
        ) from None
    return library


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _prepend(environment: dict[str, str], variable: str, folders: Iterable[Path]) -> None:
    parts = [*map(str, folders), *filter(None, [environment.get(variable)])]
    if parts:
        environment[variable] = os.pathsep.join(parts)
