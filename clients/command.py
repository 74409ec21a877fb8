"""What the command lines share: how they reach the server and how they exit."""

from __future__ import annotations

import argparse
from pathlib import Path

from clients.errors import (
    AddressError,
    InputRefusedError,
    ManifestError,
    MediaTypeError,
    ServerUnavailableError,
    TimelineError,
    UncuttableMediaError,
    UnreadableFileError,
)
from clients.recogniser import Connection, Tls
from clients.retry import Backoff

_OF_THE_CALLER = (
    AddressError,
    ManifestError,
    MediaTypeError,
    OSError,
    TimelineError,
    UncuttableMediaError,
    UnreadableFileError,
)
OK, FAILED, USAGE, UNAVAILABLE, REFUSED, INCOMPLETE = range(6)


def exit_code(error: Exception) -> int:
    """Return what a command exits with after an error."""
    if isinstance(error, ServerUnavailableError):
        return UNAVAILABLE
    if isinstance(error, InputRefusedError):
        return REFUSED
    if isinstance(error, _OF_THE_CALLER):
        return USAGE
    return FAILED


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `connection` reads."""
    server = parser.add_argument_group("server")
    server.add_argument("--url", default=Connection.url, help="host:port (default %(default)s)")
    server.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive,
        default=Connection.timeout,
        help="for one request with its retries (default %(default)g)",
    )
    server.add_argument("--tls", action="store_true", help="encrypt; implied by the next three")
    server.add_argument("--ca-cert", metavar="PEM", type=Path, help="who may vouch for the server")
    server.add_argument("--client-cert", metavar="PEM", type=Path, help="with --client-key")
    server.add_argument("--client-key", metavar="PEM", type=Path, help="with --client-cert")
    server.add_argument(
        "--token-file", metavar="FILE", type=Path, help="sent as `authorization: Bearer ...`"
    )
    server.add_argument(
        "--shared-memory",
        action="store_true",
        help="pass media through /dev/shm to a server of the same user on this machine; from "
        "Triton 2.69 on it must have been started with --allow-client-shm=true",
    )
    server.add_argument(
        "--admin-key-file",
        metavar="FILE",
        type=Path,
        help="with --shared-memory: the server's own --admin-key-file",
    )


def check_server_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with a usage error when the options do not fit together."""
    if (options.client_cert is None) != (options.client_key is None):
        parser.error("--client-cert and --client-key go together")
    if options.admin_key_file and not options.shared_memory:
        parser.error("--admin-key-file goes with --shared-memory")


def connection(options: argparse.Namespace, backoff: Backoff | None = None) -> Connection:
    """Return where and how the server is asked.

    Raises:
        AddressError: The address is none of a gRPC server.
        UnreadableFileError: The token or the admin key cannot be read.
    """
    tls = None
    if options.tls or options.ca_cert or options.client_cert or options.client_key:
        tls = Tls(options.ca_cert, options.client_key, options.client_cert)
    return Connection(
        options.url,
        options.timeout,
        backoff or Backoff(),
        tls,
        token=_secret("token", options.token_file),
        shared_memory=options.shared_memory,
        admin_key=_secret("admin key", options.admin_key_file),
    )


def positive(text: str) -> float:
    """Read a positive number for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, came {text!r}")
    return number


def _secret(name: str, path: Path | None) -> str | None:
    try:
        return None if path is None else path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{name}: cannot read {path}: {error}") from error
