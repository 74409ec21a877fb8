"""The key that restricted endpoints ask for, and files that are not for everybody."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from server.errors import FlagError

#: Holds the key itself, for whoever hands secrets over in the environment.
VARIABLE = "RECOGNISER_ADMIN_KEY"
FLAG = "--admin-key-file"

#: What fits into Triton's own flag and into a header.
_KEY = re.compile(r"[A-Za-z0-9_.~+/=-]{16,}")
_BYTES = 24


def find_admin_key(file: str | None, environment: Mapping[str, str]) -> str:
    """Return the key: the file's, the environment's, or a random one.

    Args:
        file: A file that holds the key; one that does not exist is made, with a random key.
        environment: Holds the key under `VARIABLE`, or not.

    Raises:
        FlagError: The file cannot be used, or the key is none.
    """
    given = environment.get(VARIABLE)
    if file is None:
        return secrets.token_urlsafe(_BYTES) if given is None else _checked(given, VARIABLE)
    if given is not None:
        raise FlagError(f"{FLAG} and {VARIABLE} both give an admin key, expected one of them")
    path = Path(file)
    _create_missing(path)
    check_private(path, FLAG)
    try:
        return _checked(path.read_text(encoding="ascii").strip(), f"{FLAG} {file}")
    except (OSError, UnicodeDecodeError) as error:
        raise FlagError(f"{FLAG}: cannot read {file}: {error}") from None


def check_private(path: Path, flag: str) -> None:
    """Make sure that a file is there and not for everybody.

    Raises:
        FlagError: It is missing, no file, or readable by every user.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise FlagError(f"{flag}: cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise FlagError(f"{flag}: {path} is no file")
    if mode & stat.S_IRWXO:
        raise FlagError(
            f"{flag}: {path} is open to every user of this machine "
            f"(mode {stat.S_IMODE(mode):04o}): close it with `chmod 600 {path}`"
        )


def _create_missing(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise FlagError(f"{FLAG}: cannot make {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_urlsafe(_BYTES)}\n")


def _checked(key: str, source: str) -> str:
    if not _KEY.fullmatch(key):
        raise FlagError(
            f"{source} holds no admin key: expected at least 16 letters, digits or _.~+/=-, "
            f"came {len(key)} characters"
        )
    return key
