"""How a front end learns that the request it works for was given up.

Triton hands on neither a cancellation nor a deadline to the models that a model or an ensemble
calls, but it hands on the request id. So `recognize` calls its modules under an id of its own, and
when it gives up it leaves a marker file of that name, which a front end looks for between two
pictures or windows.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from pathlib import Path

#: The Python backend needs it too, so it is there and can be written wherever a model runs.
SHARED_MEMORY = Path("/dev/shm")

_ID = re.compile(r"[0-9a-f]{32}")
#: Seconds after which nobody works under a marker any more: its process died before `forget`.
_STALE = 600.0


def new_id() -> str:
    """Return the request id of one piece of work; nobody can guess it."""
    return secrets.token_hex(16)


def abandon(work: str) -> None:
    """Tell whoever works under this id to stop.

    Args:
        work: What `new_id` returned.

    Raises:
        PermissionError: The folder of the markers belongs to somebody else.
        OSError: The marker cannot be written.
    """
    folder = own_folder("abandoned")
    _clear_stale(folder)
    (folder / work).touch(mode=0o600)


def forget(work: str) -> None:
    """Remove what `abandon` left, once nobody works under this id any more."""
    (_place("abandoned") / work).unlink(missing_ok=True)


def is_abandoned(work: str) -> bool:
    """Say whether the work was given up; takes microseconds.

    Args:
        work: A request id as it came; one that `new_id` cannot have made is never abandoned.
    """
    return _ID.fullmatch(work) is not None and (_place("abandoned") / work).exists()


def own_folder(kind: str) -> Path:
    """Return the folder in which this user's processes leave files for one another.

    Args:
        kind: What the files are.

    Raises:
        PermissionError: It belongs to somebody else.
        OSError: It cannot be made.
    """
    folder = _place(kind)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{folder} is no folder of this user")
    return folder


def _place(kind: str) -> Path:
    return SHARED_MEMORY / f"multimodal-{kind}-{os.geteuid()}"


def _clear_stale(folder: Path) -> None:
    for marker in folder.iterdir():
        try:
            if time.time() - marker.lstat().st_mtime > _STALE:
                marker.unlink()
        except FileNotFoundError:
            continue
