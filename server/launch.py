"""What one launch leaves on the machine, under a name of its own, and how it is cleared away.

Triton leaves model processes and shared-memory regions behind when it dies. Everything of one
launch bears its random name: regions and their processes' command lines through
`shm-region-prefix-name`, the temporary folder, and a lock file beside the regions. The kernel
drops the lock when the launcher ends in whatever way, so a free lock marks what may be reaped.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.process import kill_processes, server_processes

SHARED_MEMORY = Path("/dev/shm")
_NAME = "recogniser-"
_LOCK = ".lock"


@dataclass(frozen=True)
class Launch:
    """The name and the places of one launch.

    Attributes:
        name: Unique to the launch; no other launch's name begins with it.
    """

    name: str

    @property
    def region_prefix(self) -> str:
        """The value of shm-region-prefix-name."""
        return f"{self.name}-"

    @property
    def folder(self) -> Path:
        """The temporary folder."""
        return Path(tempfile.gettempdir()) / self.name

    @property
    def lock(self) -> Path:
        """The file that is locked for as long as the launcher lives."""
        return SHARED_MEMORY / f"{self.name}{_LOCK}"

    def reap_server(self) -> None:
        """End every process of the launch's server and remove its shared-memory regions."""
        kill_processes(server_processes(self.region_prefix))
        for region in SHARED_MEMORY.glob(f"{self.region_prefix}*"):
            region.unlink(missing_ok=True)

    def reap(self) -> None:
        """Remove everything of the launch but its lock."""
        self.reap_server()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def open_launch() -> Iterator[Launch]:
    """Begin a launch; at the end, nothing of it is left."""
    launch = Launch(_NAME + secrets.token_hex(4))
    with open(launch.lock.with_suffix(".new"), "x", opener=_for_owner_only) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Under its final name the file has always been locked, so nobody can take it for dead.
        launch.lock.with_suffix(".new").rename(launch.lock)
        try:
            launch.folder.mkdir(mode=0o700)
            yield launch
        finally:
            launch.reap()
            launch.lock.unlink(missing_ok=True)


def reap_dead_launches() -> list[Launch]:
    """Clear away what launches of this user left when they were killed.

    Returns:
        The launches that were reaped.
    """
    reaped = []
    for lock in SHARED_MEMORY.glob(f"{_NAME}*{_LOCK}"):
        launch = Launch(lock.name.removesuffix(_LOCK))
        if _is_own(lock) and _reap_if_dead(launch):
            reaped.append(launch)
    return reaped


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _reap_if_dead(launch: Launch) -> bool:
    try:
        with launch.lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            launch.reap()
            launch.lock.unlink(missing_ok=True)
            return True
    except (BlockingIOError, FileNotFoundError):
        return False


def _is_own(file: Path) -> bool:
    try:
        return file.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False
