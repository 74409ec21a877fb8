"""What can go wrong before and while serving, each said in one sentence."""

from __future__ import annotations


class LauncherError(Exception):
    """Something that the person who starts the server has to know.

    Attributes:
        exit_code: The exit code of `python -m server`.
    """

    exit_code = 2


class FlagError(LauncherError):
    """A command-line flag that cannot be used."""


class MissingRuntimeError(LauncherError):
    """The machine lacks what the embedded server needs."""


class MissingRepositoryError(LauncherError):
    """A model repository's folder does not exist."""


class PortTakenError(LauncherError):
    """A port that the server should listen on is in use."""


class ServerFailedError(LauncherError):
    """The server cannot be started for the first time."""

    exit_code = 1
