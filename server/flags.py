"""The launcher's configuration: Triton's own flags over this project's defaults.

Every flag of `tritonserver` may be given; it replaces the default of the same name. Some are the
launcher's own: `--admin-key=KEY` sets the value of the header `admin-key` that the restricted
endpoints ask for (random when not given); `HEALTH_FLAGS` are like those of a front end.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.endpoints import Endpoint
from server.errors import FlagError, MissingRepositoryError
from server.runtime import REPOSITORIES

ADMIN_HEADER = "admin-key"
#: Endpoints that change the server or map its memory; the others stay open.
RESTRICTED_ENDPOINTS = "model-repository,shared-memory,trace,logging"
#: Triton looks for a restricted gRPC endpoint's key under its name with this prefix.
GRPC_HEADER_PREFIX = "triton-grpc-protocol-"

#: The launcher's own, for the address where it says how the server is.
HEALTH_FLAGS = ("allow-health", "health-address", "health-port")

Flag = tuple[str, str | None]


@dataclass(frozen=True)
class Settings:
    """What one launch serves and where.

    Attributes:
        arguments: The flags for `tritonserver`, without those that belong to a single launch.
        http: The HTTP front end.
        grpc: The gRPC front end, None when it is off.
        metrics: The metrics front end, None when it is off.
        health: The launcher's own address, None when it is off.
        probe_grpc: Whether the supervisor can call the gRPC front end (not with TLS).
        http_headers: What the restricted HTTP endpoints ask for.
        grpc_headers: What the restricted gRPC endpoints ask for.
        reloads_models: Whether a single model can be loaded again (explicit model control).
        exit_seconds: How long in-flight requests may take when the server stops.
        own_backends: Whether the launcher builds the backend directory.
    """

    arguments: tuple[str, ...]
    http: Endpoint
    grpc: Endpoint | None
    metrics: Endpoint | None
    health: Endpoint | None
    probe_grpc: bool
    http_headers: dict[str, str]
    grpc_headers: dict[str, str]
    reloads_models: bool
    exit_seconds: int
    own_backends: bool

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The front ends that are on, and the launcher's own address."""
        endpoints = (self.grpc, self.http, self.metrics, self.health)
        return tuple(e for e in endpoints if e is not None)


def parse_settings(argv: Sequence[str]) -> Settings:
    """Lay the given flags over the defaults.

    Args:
        argv: Flags as `--name=value`, `--name value` or `--name`.

    Raises:
        FlagError: A flag is malformed, or the supervisor cannot work with it.
        MissingRepositoryError: A model repository's folder does not exist.
    """
    given = _split_flags(argv)
    given = [("model-repository" if n == "model-store" else n, value) for n, value in given]
    admin_key = _last(given, "admin-key") or secrets.token_urlsafe(24)
    given = [flag for flag in given if flag[0] != "admin-key"]
    replaced = {name for name, _ in given}
    flags = [flag for flag in _default_flags(admin_key) if flag[0] not in replaced] + given
    explicit = _last(flags, "model-control-mode") == "explicit"
    if not explicit:
        flags = [flag for flag in flags if flag[0] != "load-model"]
    _check_repositories(flags)
    if not _is_true(_last(flags, "allow-http"), default=True):
        raise FlagError(
            "--allow-http is off, but the launcher watches the server over HTTP: "
            "keep it on loopback with --http-address=127.0.0.1"
        )
    http = _endpoint(flags, "HTTP", "http", default_address="127.0.0.1")
    return Settings(
        arguments=tuple(_format(flag) for flag in flags if flag[0] not in HEALTH_FLAGS),
        http=http,
        grpc=_optional_endpoint(flags, "gRPC", "grpc", "127.0.0.1"),
        metrics=_optional_endpoint(flags, "metrics", "metrics", http.address),
        health=_optional_endpoint(flags, "health", "health", "127.0.0.1"),
        probe_grpc=not any(
            _is_true(_last(flags, name), default=False)
            for name in ("grpc-use-ssl", "grpc-use-ssl-mutual")
        ),
        http_headers=_restriction_keys(flags, "http-restricted-api", ""),
        grpc_headers=_restriction_keys(flags, "grpc-restricted-protocol", GRPC_HEADER_PREFIX),
        reloads_models=explicit,
        exit_seconds=_integer(flags, "exit-timeout-secs"),
        own_backends="backend-directory" not in replaced,
    )


def _default_flags(admin_key: str) -> list[Flag]:
    restriction = f"{RESTRICTED_ENDPOINTS}:{ADMIN_HEADER}={admin_key}"
    return [
        *(("model-repository", str(repository)) for repository in REPOSITORIES),
        ("http-address", "127.0.0.1"),
        ("grpc-address", "127.0.0.1"),
        ("http-port", "8000"),
        ("grpc-port", "8001"),
        ("metrics-port", "8002"),
        ("health-port", "8003"),
        ("log-info", "false"),
        ("log-warning", "false"),
        ("allow-gpu-metrics", "false"),
        ("disable-auto-complete-config", None),
        # A model whose process died can only be loaded again in this mode.
        ("model-control-mode", "explicit"),
        ("load-model", "*"),
        ("http-restricted-api", restriction),
        ("grpc-restricted-protocol", restriction),
        ("exit-timeout-secs", "30"),
    ]


def _split_flags(argv: Sequence[str]) -> list[Flag]:
    flags: list[Flag] = []
    for argument in argv:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            flags.append((name, value if equals else None))
        elif flags and flags[-1][1] is None:
            flags[-1] = (flags[-1][0], argument)
        else:
            raise FlagError(f"{argument!r} is no flag: expected --name=value")
    return flags


def _format(flag: Flag) -> str:
    name, value = flag
    return f"--{name}" if value is None else f"--{name}={value}"


def _last(flags: Iterable[Flag], name: str) -> str | None:
    values = [value for flag, value in flags if flag == name]
    return values[-1] if values else None


def _is_true(value: str | None, default: bool) -> bool:
    return default if value is None else value.lower() in ("true", "1")


def _integer(flags: Iterable[Flag], name: str) -> int:
    value = _last(flags, name)
    try:
        return int(value or "")
    except ValueError:
        raise FlagError(f"--{name} must be a whole number, not {value!r}") from None


def _endpoint(flags: Iterable[Flag], name: str, prefix: str, default_address: str) -> Endpoint:
    port = f"{prefix}-port"
    address = _last(flags, f"{prefix}-address") or default_address
    return Endpoint(name, f"--{port}", address, _integer(flags, port))


def _optional_endpoint(
    flags: Iterable[Flag], name: str, prefix: str, default_address: str
) -> Endpoint | None:
    if not _is_true(_last(flags, f"allow-{prefix}"), default=True):
        return None
    return _endpoint(flags, name, prefix, default_address)


def _restriction_keys(flags: Iterable[Flag], name: str, prefix: str) -> dict[str, str]:
    """The headers of `APIS:KEY=VALUE`; all of them, since one call may need any."""
    pairs = [(value or "").partition(":")[2] for flag, value in flags if flag == name]
    return {prefix + key: value for key, _, value in (pair.partition("=") for pair in pairs) if key}


def _check_repositories(flags: Iterable[Flag]) -> None:
    for repository in (value or "" for name, value in flags if name == "model-repository"):
        # Triton also takes s3://, gs:// and as:// addresses, which are its own to judge.
        if "://" not in repository and not Path(repository).is_dir():
            raise MissingRepositoryError(f"the model repository {repository!r} is no folder")
