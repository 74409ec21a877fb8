"""NVIDIA's perf_analyzer as tritonclient ships it: `python -m server.perf_analyzer [its flags]`.

The binary asks for two libraries under names that only a CUDA installation has. Both are in the
nvidia-pytriton wheel under other names, so links with the right names are all it needs.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from server.errors import LauncherError, MissingRuntimeError
from server.runtime import find_runtime

#: The name that perf_analyzer asks for -> the file in the wheel.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


def find_perf_analyzer() -> Path:
    """The perf_analyzer binary.

    Raises:
        MissingRuntimeError: tritonclient is not installed, or came without it.
    """
    try:
        files = distribution("tritonclient").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "perf_analyzer":
            return Path(str(file.locate())).resolve()
    raise MissingRuntimeError(f"tritonclient is not installed with perf_analyzer: {sys.executable}")


def link_libraries(wheel_libraries: Path, folder: Path) -> None:
    """Make the links in a folder; those that are there already are kept.

    Args:
        wheel_libraries: The folder of the nvidia-pytriton wheel's libraries.
        folder: Where the links go; it is created.

    Raises:
        MissingRuntimeError: The wheel has no such library.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, pattern in _LIBRARIES.items():
        library = next(wheel_libraries.glob(pattern), None)
        if library is None:
            raise MissingRuntimeError(f"{wheel_libraries} has no {pattern}")
        if not (folder / name).exists():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(library)


def main(argv: list[str]) -> int:
    """Become perf_analyzer, or say what is missing."""
    try:
        binary = find_perf_analyzer()
        runtime = find_runtime()
        links = _cache_folder()
        if runtime.parts:
            link_libraries(runtime.libraries[0], links)
    except LauncherError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    folders = [str(links), *map(str, runtime.libraries), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, folders))}
    os.execve(binary, [str(binary), *argv], environment)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multimodal-recogniser" / "perf_analyzer"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
